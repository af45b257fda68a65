"""What the environment says about reconciliation: when lists are compared, how registers come."""

from __future__ import annotations

from collections.abc import Collection
from datetime import time
from functools import partial
from typing import IO, Annotated, Any, Final

from pydantic import BeforeValidator

from gateway_yookassa import registers
from gateway_yookassa.registers import Expected
from shared.gateway.reconciliation import Put
from shared.gateway.reconciliation_rest import Inlet
from shared.gateway.register import Register
from shared.gateway.settings import GatewaySettings

OFF: Final = "off"


def _daily(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() == OFF else value


Daily = Annotated[time | None, BeforeValidator(_daily)]
"""A time of day in Moscow such as ``04:30``, or ``off``."""


class Reconciling(GatewaySettings):
    """The settings of reconciliation."""

    sweep_at: Daily = time(4, 30)
    register_totals: bool = True

    def inlet(self, shops: Collection[str]) -> Inlet:
        """Return how the registers of these shops come in."""
        return self.inlet_of(partial(_read, Expected(shops, self.register_totals)))


def _read(expected: Expected, file: IO[bytes], name: str, put: Put) -> Register:
    return registers.read(file, name, expected, put)
