"""What is asked for a new payment, and how a payment looks from outside."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyAddress,
    SerializerFunctionWrapHandler,
    StrictBool,
    model_serializer,
)

from shared.errors import Text, invalid
from shared.gateway.consent import Consent
from shared.gateway.provider import Status
from shared.gateway.settle import Payment
from shared.money import RUB, Money, MoneyError, WireMoney

ALLOCATIONS_MAX: Final = 20
CLOCKS_DIFFER: Final = timedelta(minutes=5)
_USUALLY_NONE: Final = (
    *("allocations", "reason", "method"),
    *("qr_payload", "qr_image_url", "expires_at"),
)

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


def _positive(value: Money) -> Money:
    if value <= Money(0):
        raise Wrong("must be above zero", "должна быть больше нуля")
    return value


def _line(value: str) -> str:
    if _CONTROL.search(value) or value != value.strip() or not value:
        raise Wrong(
            "a text without control characters and outer spaces",
            "нужен текст без служебных знаков и пробелов по краям",
        )
    return value


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        raise Wrong("a text without control characters", "нужен текст без служебных знаков")
    return value.strip()


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
Words = Annotated[str, AfterValidator(_printable)]
Currency = Annotated[Literal["RUB"], BeforeValidator(_rouble)]


class Body(BaseModel):
    """Base of what callers send: a field that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Share(Body):
    """The part of a payment that belongs to one contract."""

    contract: Line
    amount: Amount


class Contact(Body):
    """Where the payer wants the receipt; kept encrypted."""

    email: Annotated[str, Field(max_length=254), AfterValidator(_email)] | None = None
    phone: Annotated[str, Field(max_length=32), AfterValidator(_phone)] | None = None


class Agreed(Body):
    """What the payer agreed to on the caller's page; the caller vouches for it."""

    version: Line
    given_at: AwareDatetime | None = None
    """Now, where it is not said."""
    address: IPvAnyAddress | None = None

    def consent(self, channel: str, at: datetime) -> Consent:
        """Return it as it is kept; raises Invalid for a moment that has not come."""
        if self.given_at is not None and self.given_at > at + CLOCKS_DIFFER:
            raise invalid("consent.given_at", "lies in the future", "ещё не наступило")
        address = None if self.address is None else str(self.address)
        return Consent(self.version, self.given_at or at, address, channel)


class SaveMethod(Body):
    """Have the card or account of a payment saved for later charges."""

    consent: Agreed


class NewPayment(Body):
    """A payment to one contract, or one to several with what each of them gets.

    Without `return_url` the payer comes back to the cabinet. Without `method` the provider's page
    asks for it. `qr` wants a code to scan, for methods that
    have one.
    """

    contract: Line | None = None
    allocations: tuple[Share, ...] | None = Field(None, min_length=1, max_length=ALLOCATIONS_MAX)
    amount: Annotated[Amount, AfterValidator(_positive)]
    currency: Currency = "RUB"
    return_url: Annotated[str, Field(max_length=2048), AfterValidator(_line)] | None = None
    contact: Contact | None = None
    method: Line | None = None
    qr: StrictBool = False
    save_method: SaveMethod | None = None


class PaymentView(BaseModel):
    """A payment as its maker sees it; the address is null while it is being made.

    Where a code to scan was wanted, `qr_payload` is what it holds, `qr_image_url` shows it, and
    there is no address.
    """

    id: UUID
    provider: str
    """The account that takes it, for instance `raiffeisen:MA0000099999`."""
    provider_payment_id: str | None
    status: Status
    confirmation_url: str | None
    contract: str | None
    amount: WireMoney
    currency: Literal["RUB"] = "RUB"
    created_at: AwareDatetime
    allocations: tuple[Share, ...] | None = None
    reason: str | None = None
    method: str | None = None
    qr_payload: str | None = None
    qr_image_url: str | None = None
    expires_at: AwareDatetime | None = None

    @model_serializer(mode="wrap")
    def _without_the_usual(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = handler(self)
        for name in _USUALLY_NONE:
            if said.get(name) is None:
                said.pop(name, None)
        return said


def view(payment: Payment, status: Status, codes_url: str) -> PaymentView:
    """Return how a payment looks from outside; several contracts are listed, one is named.

    `codes_url` is where the pictures of codes are.
    """
    parts = payment.allocations
    several = tuple(
        Share(contract=part.contract, amount=Money(part.amount_kopecks)) for part in parts
    )
    return PaymentView(
        id=payment.id,
        provider=payment.shop,
        provider_payment_id=payment.provider_payment_id,
        status=status,
        confirmation_url=payment.confirmation_url,
        contract=parts[0].contract if len(parts) == 1 else None,
        amount=Money(payment.amount_kopecks),
        created_at=payment.created_at,
        allocations=several if len(parts) > 1 else None,
        reason=payment.reason or payment.held,
        method=payment.means,
        qr_payload=payment.qr_payload,
        qr_image_url=f"{codes_url}/{payment.id}.svg" if payment.qr_payload else None,
        expires_at=payment.expires_at,
    )
