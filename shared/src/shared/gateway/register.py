"""A provider's daily register: the rows a file holds, and the sentence that refuses it.

Pure: what reads a provider's files turns them into these, and knows nothing of a database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shared.errors import Text
from shared.gateway.provider import Kind


class WrongRegister(ValueError):
    """A file of which nothing may be taken; the text names the line and what to do."""

    def __init__(self, en: str, ru: str, line: int | None = None) -> None:
        where = ("", "") if line is None else (f"line {line}: ", f"строка {line}: ")
        self.text = Text(where[0] + en, where[1] + ru)
        self.line = line
        super().__init__(self.text.en)


@dataclass(frozen=True, slots=True)
class Row:
    """One payment or refund of a register, as its provider counts it."""

    kind: Kind
    id: str
    """The payment's or the refund's id at the provider."""
    payment_id: str
    """The id of the payment; of a payment its own."""
    amount_kopecks: int
    net_kopecks: int | None = None
    """What reaches the bank account; none where the register does not say, as of the next two."""
    fee_kopecks: int | None = None
    """The commission without VAT."""
    vat_kopecks: int | None = None
    """The VAT on the commission."""

    @property
    def adds_up(self) -> bool:
        """Say whether amount, net, commission and VAT agree, as far as the register names them."""
        if self.net_kopecks is None or self.fee_kopecks is None:
            return self.net_kopecks is None or self.net_kopecks <= self.amount_kopecks
        kept = self.amount_kopecks - self.net_kopecks - self.fee_kopecks
        return kept >= 0 if self.vat_kopecks is None else kept == self.vat_kopecks


@dataclass(frozen=True, slots=True)
class Register:
    """What a file holds, once all of it was read and its totals were found true."""

    shop: str
    """The account it was made for, for instance ``yookassa:100500``."""
    kind: Kind
    day: date
    """In the provider's zone."""
    rows: int
    amount_kopecks: int
