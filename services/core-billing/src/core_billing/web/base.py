"""What every address of the API stands on: the table of operations, and the core behind them."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from core_billing import contracts, registration
from core_billing.contracts import Contract
from core_billing.rules import Core
from shared.api import Api
from shared.db import Tx
from shared.errors import Refusal

PREFIX: Final = "/api/v1"
CORE: Final = web.AppKey("core", Core)

api = Api("Saldo core billing", PREFIX)

CONTRACT_UNKNOWN: Final = Refusal(
    "contract_unknown", 404, "There is no contract {number}", "Договора {number} нет"
)


async def existing(tx: Tx, number: str) -> Contract:
    """Return the contract with a number; raises NotFound where there is none."""
    found = await contracts.find(tx, number) if registration.is_number(number) else None
    if found is None:
        raise CONTRACT_UNKNOWN(number=number)
    return found
