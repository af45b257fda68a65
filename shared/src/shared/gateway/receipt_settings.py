"""How receipts are told in the environment: what an accountant has to say once."""

from __future__ import annotations

from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.gateway.receipt import TEXT_MAX, Mode, ReceiptTerms, Subject, TaxSystem
from shared.gateway.vat import Vat

_FIELDS = ("service", "period")


def _line(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("a text without control characters and outer spaces")
    return value


def _template(value: str) -> str:
    try:
        named = [name for _, name, _, _ in Formatter().parse(value) if name is not None]
    except ValueError:
        named = [""]
    if any(name not in _FIELDS for name in named):
        raise ValueError("a text that may hold {service} and {period}, and no other braces")
    return value


Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX), AfterValidator(_line)]
Template = Annotated[Text, AfterValidator(_template)]


class ReceiptSettings(BaseModel):
    """The receipts of one account; only the VAT has no default: it is nobody's guess."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    """False switches off for one shop what the single name switches on for all."""
    vat: Vat
    tax_system: TaxSystem | None = None
    """Said only where the cash register asks for it."""
    mode: Mode = Mode.ADVANCE
    subject: Subject = Subject.PAYMENT
    text: Text = "Аванс за услуги связи"
    calculated_rate: bool = True
    """Whether an advance carries the calculated rate, such as 22/122."""
    offset_subject: Subject = Subject.SERVICE
    offset_text: Template = "Услуги связи за {period}"

    @property
    def email_needed(self) -> bool:
        """Whether the cash register sends letters only, and none to telephones."""
        return True

    def terms(self) -> ReceiptTerms | None:
        """Return how the receipts are made; None where there are none."""
        if not self.enabled:
            return None
        return ReceiptTerms(
            vat=self.vat,
            tax_system=self.tax_system,
            email_needed=self.email_needed,
            mode=self.mode,
            subject=self.subject,
            text=self.text,
            calculated_rate=self.calculated_rate,
            offset_subject=self.offset_subject,
            offset_text=self.offset_text,
        )
