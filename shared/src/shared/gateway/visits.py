"""The visits of callbacks, written into the journal: accepted, repeated, refused or unreadable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import perf_counter
from typing import Final

from shared import log as logs
from shared.gateway.journal import Entry, Journal
from shared.gateway.provider import Kind, Nudge

CALLBACK: Final = "callback"
"""What a callback is called whose event is not known."""


class Visit:
    """One delivery of a callback while it is being dealt with."""

    __slots__ = ("at", "began", "body", "nudge", "outcome", "status")

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.began = perf_counter()
        self.outcome = "malformed"
        self.status = 500
        self.body = b""
        self.nudge: Nudge | None = None


class Keeping:
    """Where visits are written down, and what may be kept of a body that says nothing to us."""

    __slots__ = ("_journal", "_mask")

    def __init__(self, journal: Journal, mask: Callable[[bytes], bytes]) -> None:
        self._journal = journal
        self._mask = mask

    def note(self, visit: Visit) -> None:
        """Write a visit down; of those that anybody can make, no more than a few."""
        if visit.nudge is not None:
            self._journal.note(_entry(visit, visit.nudge, visit.nudge.kept))
        else:
            self._journal.note_stranger(lambda: _entry(visit, None, self._mask(visit.body)))


def _entry(visit: Visit, nudge: Nudge | None, kept: bytes) -> Entry:
    # The id of a saved method opens it, so a callback about one is known by its time alone.
    told = nudge is not None and nudge.kind is not Kind.METHOD
    object_id = nudge.provider_payment_id if nudge is not None and told else None
    return Entry(
        visit.at,
        "in",
        nudge.shop if nudge is not None else "",
        nudge.event if nudge is not None else CALLBACK,
        visit.outcome,
        visit.status,
        int((perf_counter() - visit.began) * 1_000_000),
        object_id,
        (nudge.about if nudge is not None else None) or object_id,
        # The provider's id finds it, by the payment's row; a second index would double the cost.
        None,
        logs.correlation_id(),
        None,
        kept.decode() or None,
    )
