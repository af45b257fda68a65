"""What a gateway takes: amounts within bounds, and browsers sent back only to known places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from shared.errors import invalid
from shared.money import Money

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest and greatest payment, and where payers may be sent back to."""

    amount_min: Money
    amount_max: Money
    public_url: str
    contract_wait: timedelta
    """How long an unknown contract is waited for."""

    def check_amount(self, amount: Money) -> None:
        """Raise Invalid for an amount that is not taken."""
        if amount <= Money(0):
            raise invalid("amount", "must be above zero", "должна быть больше нуля")
        if amount < self.amount_min:
            raise invalid(
                "amount", f"not less than {self.amount_min}", f"не меньше {self.amount_min}"
            )
        if amount > self.amount_max:
            raise invalid(
                "amount", f"not more than {self.amount_max}", f"не больше {self.amount_max}"
            )

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
