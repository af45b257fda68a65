"""A saved card or account as its provider tells it: pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class MethodStatus(StrEnum):
    """How far a saved method has come, in the order in which it may go: never back."""

    CREATING = "creating"
    PENDING = "pending"
    ACTIVE = "active"
    INACTIVE = "inactive"
    REMOVED = "removed"

    @property
    def final(self) -> bool:
        """Say whether nothing a provider tells can change it any more."""
        return self in (MethodStatus.INACTIVE, MethodStatus.REMOVED)


@dataclass(frozen=True, slots=True)
class ProviderMethod:
    """A saved card or account as its provider tells it."""

    token: str = field(repr=False)
    """What the provider is asked to charge: whoever has it and our key can take money."""
    status: MethodStatus
    """`PENDING`, `ACTIVE` or `INACTIVE`; a word we do not know counts as pending."""
    kind: str = ""
    title: str = ""
    """What a person recognises it by, such as «Visa •4477»."""
    expires: str | None = None
    """The last month in which a card is valid, such as ``2028-07``."""
    confirmation_url: str | None = None
