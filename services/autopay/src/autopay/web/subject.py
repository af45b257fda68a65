"""What a page of autopay reads of its contract, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from autopay import accounts, cases, charges, directory, mandate_table, mandates, methods
from autopay.case import Case, Charge
from autopay.mandate import Mandate, Method, MethodName
from shared.db import Tx
from shared.errors import NotFound, Text

CHARGES_MAX: Final = 8
_UNKNOWN: Final = Text(
    "We do not know this contract yet: try again in a few minutes",
    "Мы пока не знаем этот договор: попробуйте через несколько минут",
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A contract and its autopay."""

    contract: str
    language: str
    timezone: str
    mandate: Mandate | None
    """The live one, else the one that was revoked last."""
    methods: Sequence[Method]
    """What could be charged."""
    case: Case
    charges: Sequence[Charge]
    """The newest ones, newest first."""

    @property
    def live(self) -> Mandate | None:
        """Return the mandate that holds now."""
        return self.mandate if self.mandate is not None and self.mandate.live else None

    def title(self, name: MethodName) -> str | None:
        """Return what a method is called, also one that is charged no more; None for no name."""
        return self.case.titles.get(name) or None


async def subject_of(tx: Tx, contract: str, at: datetime, *, held: bool = False) -> Subject:
    """Return how a contract stands; `held`, nobody else changes it before the transaction ends.

    Raises NotFound for a contract that core-billing has not told of.
    """
    entry = await directory.find(tx, contract)
    if entry is None:
        raise NotFound(_UNKNOWN)
    if held:
        await accounts.lock(tx, [contract])
    newest = await mandates.page(tx, limit=1, contract=contract)
    return Subject(
        contract=contract,
        language=entry.language,
        timezone=entry.timezone,
        mandate=await mandates.of_contract(tx, contract) or next(iter(newest), None),
        methods=await methods.live(tx, contract),
        case=await case_of(tx, contract, at),
        charges=await charges.page(tx, limit=CHARGES_MAX, contract=contract),
    )


async def case_of(tx: Tx, contract: str, at: datetime) -> Case:
    """Return all that is known of a contract's autopay, as its decisions see it."""
    known = {contract: await accounts.find(tx, contract)}
    kept = await mandate_table.live(tx, [contract])
    [case] = await cases.load(tx, known, kept, at)
    return case
