"""Where a gateway sends browsers back to, and how long it waits for a contract to be known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from shared.client import Network
from shared.errors import invalid

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Limits:
    """Where payers may be sent back to, and how long an unknown contract is waited for."""

    public_url: str
    contract_wait: timedelta
    trusted: Sequence[Network] = ()
    """The proxies that are believed when they say whose browser it is."""

    def check_return_url(self, url: str, others: Sequence[str]) -> None:
        """Raise Invalid unless the address lies under ours or one of the caller's own."""
        if not any(lies_under(url, base) for base in (self.public_url, *others)):
            raise invalid(
                "return_url",
                f"must lie under {self.public_url} or an address listed for this token",
                f"должен лежать внутри {self.public_url} или адреса, разрешённого этому токену",
            )


def lies_under(url: str, base: str) -> bool:
    """Say whether an address has another's scheme, host and port and continues its path.

    What browsers and servers read differently (a backslash, a user before the host, dots that
    climb, an escaped slash) lies nowhere.
    """
    try:
        place, root = urlsplit(url), urlsplit(base)
        port, root_port = place.port, root.port
    except ValueError:
        return False
    lowered = place.path.lower()
    climbs = any(part in (".", "..") for part in lowered.replace("%2e", ".").split("/"))
    if "\\" in url or not url.isprintable() or " " in url or "@" in place.netloc:
        return False
    if climbs or "%2f" in lowered or "%5c" in lowered:
        return False
    if place.scheme not in _PORTS or place.scheme != root.scheme:
        return False
    here = (place.hostname, port or _PORTS[place.scheme])
    if here != (root.hostname, root_port or _PORTS[root.scheme]):
        return False
    path = root.path.rstrip("/")
    return place.path == path or place.path.startswith(f"{path}/") or (not path and not place.path)
