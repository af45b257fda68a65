"""What the environment says about reconciliation: when lists are compared, how registers come."""

from __future__ import annotations

from collections.abc import Collection
from datetime import time
from functools import partial
from typing import IO, Annotated, Any, Final

from pydantic import BeforeValidator, DirectoryPath, Field

from gateway_yookassa import registers
from gateway_yookassa.registers import Expected
from shared.gateway.folder import Folder
from shared.gateway.reconciliation import Put
from shared.gateway.reconciliation_rest import Inlet
from shared.gateway.register import Register
from shared.settings import Common

OFF: Final = "off"
MIB: Final = 1024 * 1024


def _daily(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() == OFF else value


Daily = Annotated[time | None, BeforeValidator(_daily)]
"""A time of day in Moscow such as ``04:30``, or ``off``."""


class Reconciling(Common):
    """The settings of reconciliation."""

    sweep_at: Daily = Field(time(4, 30), validation_alias="GATEWAY_YOOKASSA_SWEEP_AT")
    registers_dir: DirectoryPath | None = Field(
        None, validation_alias="GATEWAY_YOOKASSA_REGISTERS_DIR"
    )
    register_mib_max: int = Field(
        64, validation_alias="GATEWAY_YOOKASSA_REGISTER_MIB_MAX", ge=1, le=1024
    )
    register_totals: bool = Field(True, validation_alias="GATEWAY_YOOKASSA_REGISTER_TOTALS")

    def inlet(self, shops: Collection[str]) -> Inlet:
        """Return how the registers of these shops come in."""
        expected = Expected(shops, self.register_totals)
        return Inlet(partial(_read, expected), self.register_mib_max * MIB)

    def folder(self, shops: Collection[str]) -> Folder | None:
        """Return the folder that is watched, if any."""
        return None if self.registers_dir is None else Folder(self.registers_dir, self.inlet(shops))


def _read(expected: Expected, file: IO[bytes], name: str, put: Put) -> Register:
    return registers.read(file, name, expected, put)
