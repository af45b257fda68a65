"""Where a payer's receipts go: kept sealed with the payment, and copied sealed where they go on.

A saved method takes over the contact of the payment that saved it as it stands in the row, so that
its charges can have receipts; nobody needs to open it for that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import orjson
from pydantic import ValidationError
from sqlalchemy import select

from shared.crypto import Vault
from shared.db import Tx
from shared.errors import FieldError, Invalid, Text
from shared.gateway.forms import Contact
from shared.gateway.payments import payment
from shared.gateway.receipt import Customer, ReceiptTerms, missing

FIELD: Final = "contact"

_WRONG_EMAIL: Final = Text("an e-mail such as name@example.ru", "нужна почта вида name@example.ru")
_WRONG_EITHER: Final = Text(
    "an e-mail such as name@example.ru or a telephone such as +79161234567",
    "нужна почта вида name@example.ru или телефон вида +79161234567",
)


def seal(vault: Vault, contact: Mapping[str, str] | None) -> str | None:
    """Return a contact as it is stored; None for none."""
    return vault.encrypt(orjson.dumps(dict(contact)).decode()) if contact else None


def unseal(vault: Vault, sealed: str | None) -> Customer:
    """Return a stored contact; an empty one for none. Raises ValueError where no key fits."""
    return customer(None if sealed is None else orjson.loads(vault.decrypt(sealed)))


def customer(contact: Mapping[str, str] | None) -> Customer:
    """Return a contact as receipts know it."""
    said = contact or {}
    return Customer(said.get("email"), said.get("phone"))


async def of_payment(tx: Tx, payment_id: UUID) -> str | None:
    """Return the contact of a payment, sealed as it is stored."""
    mine = select(payment.c.contact).where(payment.c.id == payment_id)
    return (await tx.execute(mine)).scalar_one_or_none()


def require(terms: ReceiptTerms | None, contact: Mapping[str, str] | None) -> None:
    """Raise Invalid where a shop's receipts need somebody to be sent to and nobody is named."""
    wrong = None if terms is None else missing(terms, customer(contact))
    if wrong is not None:
        raise Invalid(wrong)


def typed(terms: ReceiptTerms, text: str) -> dict[str, str]:
    """Read what a person has typed as e-mail or telephone; raises Invalid."""
    bare = text.strip()
    letters = "@" in bare or terms.email_needed
    given = {"email": bare} if letters else {"phone": _phone(bare)}
    try:
        return Contact.model_validate(given).model_dump(exclude_none=True)
    except ValidationError:
        wrong = _WRONG_EMAIL if terms.email_needed else _WRONG_EITHER
        raise Invalid(FieldError(FIELD, wrong)) from None


def _phone(text: str) -> str:
    """Take 8 916 123-45-67 for +79161234567; anything odder stays as it is and is refused."""
    bare = re.sub(r"[ ()\u00a0-]", "", text)
    return re.sub(r"^(?:8|7)(?=\d{10}$)", "+7", bare, flags=re.ASCII)
