"""What the commands of one gateway stand on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from shared.gateway.gateway import Gateway
from shared.gateway.reconciliation_rest import Inlet


class Parts(Protocol):
    """What a gateway is made of."""

    @property
    def gateway(self) -> Gateway:
        """What its parts share."""

    def connected(self) -> AbstractAsyncContextManager[None]:
        """Hold the connections to its providers open."""


@dataclass(frozen=True)
class Tools:
    """The gateway that commands are run for."""

    package: str
    """Its import name, which names its database."""
    parts: Callable[[Any], Parts]
    """Makes its parts of its settings."""
    inlet: Callable[[Any, Gateway], Inlet]
    """Says how registers come in."""
