"""What is known about each thing a subscriber is told: pure facts, amounts in kopecks.

They lie in the journal until the text is written. Links that act for their owner are sealed there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from notifier.kinds import KindName

LINKS: Final = ("skip_url", "mandate_url")
_SEALED: Final = "sealed:"


class Fact(BaseModel):
    """Base of the facts; a row that an older version wrote is read by a newer one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @property
    def enough_kopecks(self) -> int | None:
        """The balance from which on the message is no longer true; None where no balance tells."""
        return None


class Payment(Fact):
    """A payment has come, by hand or by autopay: its amount, and how the contract stands after."""

    amount_kopecks: int
    balance_kopecks: int
    missing_kopecks: int
    """What is still to be paid until services go on; nothing where credit covers the balance."""
    paid_at: AwareDatetime


class Annulled(Fact):
    """A payment has been annulled: its money is no longer on the contract."""

    amount_kopecks: int
    balance_kopecks: int
    at: AwareDatetime


class Refund(Fact):
    """Money has been sent back where it came from."""

    amount_kopecks: int
    balance_kopecks: int | None = None
    at: AwareDatetime


class LowBalance(Fact):
    """The balance went below the threshold, or lasts a few days only: what is needed."""

    balance_kopecks: int
    needed_kopecks: int
    blocks_on: date | None = None
    """The day services stop, where that is known."""
    measure: str = "balance"
    """balance: a threshold in roubles was crossed; days: one in days."""

    @property
    def enough_kopecks(self) -> int | None:
        """The balance with which nothing is lacking."""
        return self.balance_kopecks + self.needed_kopecks


class Line(BaseModel):
    """A part of a sum that is needed."""

    model_config = ConfigDict(frozen=True)

    ru: str
    en: str
    kopecks: int


class FeeComing(Fact):
    """Fees fall due on a day and the money does not suffice."""

    fees_on: date
    fee_kopecks: int
    balance_kopecks: int
    needed_kopecks: int
    lines: tuple[Line, ...] = ()
    blocks_on: date | None = None

    @property
    def enough_kopecks(self) -> int | None:
        """The balance with which nothing is lacking."""
        return self.balance_kopecks + self.needed_kopecks


class PromiseGiven(Fact):
    """A promised payment keeps services going until a moment."""

    amount_kopecks: int
    fee_kopecks: int
    until: AwareDatetime
    automatic: bool = False


class PromiseOwed(Fact):
    """A promised payment ends, or has ended, and is still owed."""

    amount_kopecks: int
    owed_kopecks: int
    until: AwareDatetime


class AutopayBefore(Fact):
    """A charge is going to be made; the first link calls it off."""

    amount_kopecks: int
    charge_at: AwareDatetime
    method_title: str = ""
    why: Literal["balance", "fee", "day"]
    balance_kopecks: int
    fees_on: date | None = None
    skip_url: str = ""
    mandate_url: str = ""


class AutopayFailed(Fact):
    """A charge has come to nothing, and what is next."""

    amount_kopecks: int
    method_title: str = ""
    reason: str
    next_try_at: AwareDatetime | None = None
    next_method_title: str | None = None
    needs: Literal["nothing", "new_method", "promise"] = "nothing"
    mandate_url: str = ""


class AutopayExpiring(Fact):
    """A card of autopay is valid until the end of a month, `YYYY-MM`."""

    method_title: str = ""
    expires: str
    mandate_url: str = ""


class AutopayOff(Fact):
    """Autopay was refused; so many saved methods are removed with it."""

    methods: int = 0
    at: AwareDatetime


class Method(Fact):
    """A saved card or account has come or gone."""

    method_title: str = ""
    at: AwareDatetime


class Access(Fact):
    """Services have stopped or go on again; `missing_kopecks` is what they wait for."""

    reason: str = ""
    balance_kopecks: int
    missing_kopecks: int = 0
    at: AwareDatetime


class Statement(Fact):
    """A month `YYYY-MM` of a contract is over."""

    month: str
    opening_kopecks: int
    received_kopecks: int
    charged_kopecks: int
    closing_kopecks: int


FACTS: Final[Mapping[str, type[Fact]]] = {
    "payment": Payment,
    "autopay_done": Payment,
    "payment_annulled": Annulled,
    "refund": Refund,
    "low_balance": LowBalance,
    "low_balance_reminder": LowBalance,
    "fee_upcoming": FeeComing,
    "promise_granted": PromiseGiven,
    "promise_ending": PromiseOwed,
    "promise_overdue": PromiseOwed,
    "autopay_before": AutopayBefore,
    "autopay_failed": AutopayFailed,
    "autopay_expiring": AutopayExpiring,
    "autopay_off": AutopayOff,
    "method_saved": Method,
    "method_removed": Method,
    "blocked": Access,
    "unblocked": Access,
    "statement": Statement,
}
_Fact = TypeVar("_Fact", bound=Fact)


def seal_links(facts: _Fact, encrypt: Callable[[str], str]) -> _Fact:
    """Return the facts with their links encrypted: whoever reads the journal cannot use them."""
    links = {n: _SEALED + encrypt(link) for n in LINKS if (link := getattr(facts, n, ""))}
    return facts.model_copy(update=links) if links else facts


def read(kind: KindName, written: str, decrypt: Callable[[str], str]) -> Fact:
    """Read the facts of a journal's row; raises ValueError where they do not fit the kind.

    A link that no listed key reads is left empty: the text then leads to the cabinet.
    """
    facts = FACTS[kind].model_validate_json(written)
    links = {n: _opened(link, decrypt) for n in LINKS if (link := getattr(facts, n, ""))}
    return facts.model_copy(update=links) if links else facts


def _opened(link: str, decrypt: Callable[[str], str]) -> str:
    if not link.startswith(_SEALED):
        return link
    try:
        return decrypt(link.removeprefix(_SEALED))
    except ValueError:
        return ""
