"""What a bank says of itself to this gateway, and what it is given.

A bank is one folder below `acquirers`: its settings, its words, its way of talking, and one `Bank`
that is listed in `gateway_sbp.banks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway_sbp.acquirer import Acquirer
from shared.clock import Clock
from shared.db import Database
from shared.gateway.journal import Journal
from shared.settings import Network


@dataclass(frozen=True)
class Site:
    """What an acquirer stands on."""

    db: Database
    clock: Clock
    journal: Journal | None
    callback_url: str
    """Where this bank's callbacks are to come in."""
    code_term: timedelta
    """How long a code for one payment can be paid."""
    requests_per_second: float
    create_seconds: float
    fetch_seconds: float
    breaker_failures: int
    breaker_pauses: Sequence[timedelta]
    receipts: bool
    """Whether payments print receipts (54-FZ)."""


@dataclass(frozen=True)
class Bank:
    """A bank that can be named in `SBP_ACQUIRERS`; its functions take the gateway's settings."""

    name: str
    missing: Callable[[Any], Sequence[str]]
    """Returns the names of the settings that it needs and that are not said."""
    open: Callable[[Any, Site], Acquirer]
    """Returns the merchant account; nothing is connected yet."""
    networks: Callable[[Any], tuple[Network, ...] | None]
    """Returns where its callbacks may come from; None for anywhere: they are signed."""
