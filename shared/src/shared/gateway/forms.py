"""What is asked for a new payment, and how a payment looks from outside."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from shared.errors import Text
from shared.gateway.provider import Status
from shared.gateway.settle import Payment
from shared.money import RUB, Money, MoneyError, WireMoney

ALLOCATIONS_MAX: Final = 20

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EMAIL = re.compile(r"[^\s@<>,;\"()]{1,64}@[^\s@<>,;\"()]{1,180}\.[^\s@<>,;\"().]{2,}")


class Wrong(ValueError):
    """A value that cannot be meant; `text` says what to do, in both languages."""

    def __init__(self, en: str, ru: str) -> None:
        super().__init__(en)
        self.text = Text(en, ru)


def _amount(value: Any) -> Money:
    try:
        return value if isinstance(value, Money) else Money.parse(value)
    except MoneyError:
        raise Wrong(
            'an amount as text with at most two decimals, such as "650.00"',
            "нужна сумма текстом, не больше двух знаков после точки, например «650.00»",
        ) from None


def _line(value: str) -> str:
    if _CONTROL.search(value) or value != value.strip() or not value:
        raise Wrong(
            "a text without control characters and outer spaces",
            "нужен текст без служебных знаков и пробелов по краям",
        )
    return value


def _rouble(value: Any) -> Any:
    if value != RUB:
        raise Wrong("only RUB is taken", "принимаются только рубли: RUB")
    return value


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise Wrong("an e-mail such as name@example.ru", "нужна почта вида name@example.ru")
    return value


def _phone(value: str) -> str:
    if not re.fullmatch(r"\+[1-9]\d{9,14}", value, re.ASCII):
        raise Wrong("a phone such as +79161234567", "нужен телефон вида +79161234567")
    return value


Amount = Annotated[WireMoney, BeforeValidator(_amount)]
Line = Annotated[str, Field(max_length=64), AfterValidator(_line)]
Currency = Annotated[Literal["RUB"], BeforeValidator(_rouble)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Share(_Body):
    """The part of a payment that belongs to one contract."""

    contract: Line
    amount: Amount


class Contact(_Body):
    """Where the payer wants the receipt; kept encrypted."""

    email: Annotated[str, Field(max_length=254), AfterValidator(_email)] | None = None
    phone: Annotated[str, Field(max_length=32), AfterValidator(_phone)] | None = None


class NewPayment(_Body):
    """A payment to one contract, or one to several with what each of them gets."""

    contract: Line | None = None
    allocations: tuple[Share, ...] | None = Field(None, min_length=1, max_length=ALLOCATIONS_MAX)
    amount: Amount
    currency: Currency = "RUB"
    return_url: Annotated[str, Field(max_length=2048), AfterValidator(_line)]
    contact: Contact | None = None


class PaymentView(BaseModel):
    """A payment as its maker sees it; the address is null while it is being made."""

    id: UUID
    provider_payment_id: str | None
    status: Status
    confirmation_url: str | None
    contract: str | None
    amount: WireMoney
    currency: Literal["RUB"] = "RUB"
    created_at: AwareDatetime
    allocations: tuple[Share, ...] | None = None
    reason: str | None = None

    @model_serializer(mode="wrap")
    def _without_the_usual(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = handler(self)
        for name in ("allocations", "reason"):
            if said.get(name) is None:
                said.pop(name, None)
        return said


def view(payment: Payment, status: Status) -> PaymentView:
    """Return how a payment looks from outside; several contracts are listed, one is named."""
    parts = payment.allocations
    several = tuple(
        Share(contract=part.contract, amount=Money(part.amount_kopecks)) for part in parts
    )
    return PaymentView(
        id=payment.id,
        provider_payment_id=payment.provider_payment_id,
        status=status,
        confirmation_url=payment.confirmation_url,
        contract=parts[0].contract if len(parts) == 1 else None,
        amount=Money(payment.amount_kopecks),
        created_at=payment.created_at,
        allocations=several if len(parts) > 1 else None,
        reason=payment.reason or payment.held,
    )
