"""Headers of an e-mail that the library would break: links longer than a line (RFC 5322, 2.1.1).

A line may have 998 characters; a word that is longer than 78 is no reason to encode it, and mail
readers do not take an encoded link of RFC 2369 for one.
"""

from __future__ import annotations

from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from typing import Final

_LINE_MAX: Final = 998


class _Whole(UnstructuredHeader):
    """A header that stands on one line."""

    name: str

    def fold(self, *, policy: Policy) -> str:
        """Return the line."""
        return f"{self.name}: {self}{policy.linesep}"


def _policy() -> EmailPolicy[EmailMessage]:
    registry = HeaderRegistry()
    # A mixin, which the registry joins with its base; its stubs know only the base.
    registry.map_to_type("list-unsubscribe", _Whole)  # type: ignore[arg-type]
    return SMTP.clone(header_factory=registry)


POLICY: Final = _policy()


def add_way_out(mail: EmailMessage, url: str) -> None:
    """Say how a kind of mail is left by one click (RFC 2369, RFC 8058); nothing without a link."""
    line = f"<{url}>"
    if url and len(line) + len("List-Unsubscribe: ") <= _LINE_MAX:
        mail["List-Unsubscribe"] = line
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
