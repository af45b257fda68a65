"""What the desk asks and answers, as models."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from core_billing.amounts import TypedMoney
from core_billing.contracts import Contract
from core_billing.desk import Note
from core_billing.desk_rules import Method, Wanted
from core_billing.drafts import Payment
from core_billing.policy_values import CategoryId, Day
from core_billing.registration import Line, Number
from shared.errors import Language
from shared.money import RUB, Money, WireMoney

PAID_ON_FIRST: Final = date(2000, 1, 1)
"""An earlier date is a slip of the keyboard."""

Document = Annotated[Line, Field(max_length=64)]


class TakenBody(BaseModel):
    """A payment that a manager takes: its sum or the balance it is to make, and its document.

    `paid_on` is today where none is said; a day that has passed gets the clock time of now.
    """

    model_config = ConfigDict(extra="forbid")

    contract: Number
    amount: TypedMoney | None = None
    target_balance: TypedMoney | None = None
    method: Method
    receipt_number: Document | None = None
    payment_order_number: Document | None = None
    category: CategoryId | None = None
    paid_on: Annotated[Day, Field(ge=PAID_ON_FIRST)] | None = None
    comment: Annotated[Line, Field(max_length=500)] = ""

    def wanted(self) -> Wanted:
        """Return what is asked for."""
        return Wanted(
            contract=self.contract,
            amount_kopecks=None if self.amount is None else self.amount.kopecks,
            target_kopecks=None if self.target_balance is None else self.target_balance.kopecks,
            method=self.method,
            receipt_number=self.receipt_number or None,
            payment_order_number=self.payment_order_number or None,
            category=self.category,
            paid_on=self.paid_on,
            comment=self.comment,
        )


class TakenView(BaseModel):
    """A payment that a manager has taken, and the contract after it and all that followed."""

    id: str
    contract: str
    amount: WireMoney
    currency: str = RUB
    balance: WireMoney
    available: WireMoney
    method: str
    category: int
    receipt_number: str | None
    payment_order_number: str | None
    paid_at: datetime
    registered_at: datetime
    manager: str
    comment: str
    receipt_html_url: str
    receipt_pdf_url: str


class ReceiptQuery(BaseModel):
    """The language of the receipt."""

    model_config = ConfigDict(extra="forbid")

    lang: Literal["ru", "en"] = "ru"

    @property
    def language(self) -> Language:
        """Return the language."""
        return self.lang


def taken_view(
    payment: Payment, note: Note, now: Contract, at: datetime, address: str
) -> TakenView:
    """Return what is shown of a payment that has just been taken."""
    return TakenView(
        id=str(note.payment_id),
        contract=now.number,
        amount=Money(payment.amount_kopecks),
        balance=Money(now.balance_kopecks),
        available=Money(now.available_kopecks),
        method=payment.method,
        category=payment.category,
        receipt_number=note.receipt_number,
        payment_order_number=note.payment_order_number,
        paid_at=payment.paid_at,
        registered_at=at,
        manager=note.manager,
        comment=note.comment,
        receipt_html_url=f"{address}/receipt.html",
        receipt_pdf_url=f"{address}/receipt.pdf",
    )
