"""What a mandate's contract and methods have to be."""

from __future__ import annotations

from autopay import directory, methods
from autopay.mandate import Terms
from autopay.mandate_refusals import (
    CONTRACT_CLOSED,
    CONTRACT_UNKNOWN,
    METHOD_UNKNOWN,
    RESERVE_UNKNOWN,
)
from shared.db import Tx


async def check_contract(tx: Tx, contract: str) -> None:
    """Raise NotFound for a contract that nobody has told of, Conflict for a closed one."""
    entry = await directory.find(tx, contract)
    if entry is None:
        raise CONTRACT_UNKNOWN()
    if entry.closed:
        raise CONTRACT_CLOSED()


async def check_methods(tx: Tx, contract: str, terms: Terms) -> None:
    """Raise Invalid for a method that is not a live one of this contract."""
    own = {method.name for method in await methods.live(tx, contract)}
    if terms.method not in own:
        raise METHOD_UNKNOWN()
    if terms.reserve is not None and terms.reserve not in own:
        raise RESERVE_UNKNOWN()
