"""What the environment says about payments through SBP, and about each of the banks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, Field, model_validator

from gateway_sbp import register_files
from gateway_sbp.acquirers.raiffeisen.settings import RaiffeisenSettings
from gateway_sbp.acquirers.tbank.settings import TBankSettings
from gateway_sbp.bank import Bank
from gateway_sbp.banks import BANKS
from shared.errors import Text
from shared.gateway.receipt import ReceiptTerms
from shared.gateway.receipt_settings import ReceiptSettings
from shared.gateway.reconciliation_rest import Inlet
from shared.gateway.settings import Pauses, named
from shared.gateway.terms import Means, Terms
from shared.money import Money
from shared.settings import Commas, Duration, Json, Roubles

SBP: Final = "sbp"
EMAIL_MAX: Final = 64
"""What the cash registers of either bank take; so a payer is told before paying."""
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or len(set(value)) < len(value):
        raise ValueError("name one or more banks, each once; the first makes new codes")
    return value


class Settings(RaiffeisenSettings, TBankSettings):
    """The gateway's settings."""

    model_config = named("GATEWAY_SBP_")

    banks: ClassVar[dict[str, Bank]] = dict(BANKS)
    """What may be named; a further bank is a further entry and its settings a further base."""

    acquirers: Annotated[Commas, AfterValidator(_each_once)] = Field(
        validation_alias="SBP_ACQUIRERS"
    )
    receipts: Json[ReceiptSettings | None] = Field(None, validation_alias="SBP_RECEIPTS")
    code_term: Duration = 30 * _MINUTE
    amount_min: Roubles = Money(100)
    amount_max: Roubles = Money(100_000_000)
    requests_per_second: float = Field(10, gt=0, le=10_000)
    # Banks want ten seconds between two questions about one code; callbacks are faster anyway.
    poll_delays: Pauses = (
        *(seconds * _SECOND for seconds in (10, 15, 15, 30)),
        *(minutes * _MINUTE for minutes in (1, 2, 5, 10)),
    )
    list_after: Duration = 30 * _MINUTE
    create_timeout: Duration = 15 * _SECOND
    fetch_timeout: Duration = 8 * _SECOND

    @model_validator(mode="after")
    def _has_what_its_banks_need(self) -> Self:
        unknown = [name for name in self.acquirers if name not in self.banks]
        if unknown:
            raise ValueError(
                f"SBP_ACQUIRERS: {', '.join(unknown)}: expected some of {', '.join(self.banks)}"
            )
        missing = [name for bank in self.named_banks() for name in bank.missing(self)]
        if missing:
            raise ValueError(f"{', '.join(missing)} required by SBP_ACQUIRERS")
        if not Money(0) < self.amount_min <= self.amount_max:
            raise ValueError("expected 0 < GATEWAY_SBP_AMOUNT_MIN <= GATEWAY_SBP_AMOUNT_MAX")
        return self

    def inlet(self, shops: Collection[str]) -> Inlet:
        """Return how the registers of these accounts come in."""
        return self.inlet_for(partial(register_files.receive, register_files.expected(shops)))

    def named_banks(self) -> tuple[Bank, ...]:
        """Return the banks, the one that makes new codes first."""
        return tuple(self.banks[name] for name in self.acquirers)

    def terms(self, *, first: bool) -> Terms:
        """Return what an account takes; only the first makes new codes, all keep settling."""
        return Terms(
            amount_min=self.amount_min,
            amount_max=self.amount_max,
            operators=None if first else frozenset(),
            receipts=self._receipts(),
            offered=(self._means(),),
            shows_codes=True,
            saves=self.save_methods,
        )

    def _receipts(self) -> ReceiptTerms | None:
        terms = None if self.receipts is None else self.receipts.terms()
        return None if terms is None else replace(terms, email_max=EMAIL_MAX)

    def _means(self) -> Means:
        return Means(
            SBP,
            Text("SBP", "СБП"),
            self.amount_min,
            self.amount_max,
            self.code_term,
            holds=False,
            scans=True,
        )
