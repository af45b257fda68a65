"""The printable receipt of a manager's payment: its facts, and its lines in words.

It shows the newest revision of the payment: a corrected one says so, and an annulled one shows
what had stood and is marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from core_billing import accounts, categories, contracts, desk, policy_rows, postings, subscribers
from core_billing.desk import Note
from core_billing.money_words import in_words
from core_billing.policies import VAT, of_operator
from core_billing.rules import Core
from shared.db import Tx
from shared.errors import Language, Refusal, Text
from shared.gateway import vat
from shared.gateway.vat import Rate, Vat
from shared.web import formats

RECEIPT_UNKNOWN: Final = Refusal(
    "receipt_unknown",
    404,
    "There is no payment {id} that a manager has taken",
    "Платежа {id}, принятого менеджером, нет",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a receipt says, before it is said in a language."""

    payment_id: int
    note: Note
    contract: str
    subscriber: str
    amount_kopecks: int
    balance_kopecks: int | None
    """What the contract had right after this payment; none where it holds none of it."""
    method: str
    category: str
    paid_at: datetime
    registered_at: datetime
    revision: int
    annulled_at: datetime | None
    rate: Rate | None
    """None where the law's table does not reach back so far."""
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Printed:
    """A receipt in one language: the same words on a page and on paper."""

    language: Language
    title: str
    mark: str
    """What has become of the payment since; empty for most."""
    lines: tuple[tuple[str, str], ...]
    signature: str


async def gather(tx: Tx, core: Core, payment_id: int) -> Facts:
    """Return what the receipt of a payment says; raises `receipt_unknown`."""
    found = await desk.find_one(tx, payment_id)
    if found is None:
        raise RECEIPT_UNKNOWN(id=payment_id)
    note, (source, external_id) = found
    rows = [row for row in await postings.lines_of(tx, [external_id]) if row.source == source]
    shown, annulled_at = _shown(rows)
    row = next((one for one in shown if one.credit_balance is not None), None)
    number = accounts.number_of(rows[0].credit if row is None else row.credit)
    contract = (await contracts.find_all(tx, [number]))[number]
    people = await subscribers.find(tx, core.vault, [contract.subscriber_id])
    day = core.rules.day(shown[0].paid_at)
    operator, known_at = of_operator(note.operator), rows[0].registered_at
    policies = await policy_rows.load(tx, day, operator, known_at=known_at)
    kinds = await categories.find_all(tx, [shown[0].category])
    return Facts(
        payment_id=payment_id,
        note=note,
        contract=number,
        subscriber=people[contract.subscriber_id].name,
        amount_kopecks=shown[0].amount_kopecks,
        balance_kopecks=None if row is None else row.credit_balance,
        method=shown[0].method,
        category=kinds[shown[0].category].name,
        paid_at=shown[0].paid_at,
        registered_at=known_at,
        revision=rows[-1].revision,
        annulled_at=annulled_at,
        rate=_rate(policies.get(VAT, operator), shown[0].paid_at),
        zone=core.rules.zone,
    )


def _shown(rows: Sequence[Row[Any]]) -> tuple[list[Row[Any]], datetime | None]:
    """Return the newest lines that put money anywhere, and when they were annulled since."""
    anew = [row for row in rows if row.line > 0]
    revision = anew[-1].revision
    annulled_at = rows[-1].registered_at if rows[-1].revision > revision else None
    return [row for row in anew if row.revision == revision], annulled_at


def _rate(kind: Vat, paid_at: datetime) -> Rate | None:
    try:
        return vat.rate(kind, vat.moscow_day(paid_at))
    except ValueError:
        return None


def vat_included(amount_kopecks: int, percent: int) -> int:
    """Return the VAT that a sum of zero or more includes, rounded half up to whole kopecks."""
    return (2 * amount_kopecks * percent + 100 + percent) // (2 * (100 + percent))


_TITLE: Final = Text("Receipt No. {number}", "Квитанция № {number}")
_TITLE_OF_ORDER: Final = Text(
    "Payment by order No. {number}", "Платёж по платёжному поручению № {number}"
)
_ANNULLED: Final = Text("ANNULLED {day}", "АННУЛИРОВАН {day}")
_CORRECTED: Final = Text("corrected, revision {revision}", "исправлен, версия {revision}")
_METHODS: Final = {
    "cash": Text("cash", "наличными"),
    "cashless": Text("cashless", "безналично"),
}
_LABELS: Final = {
    "payment": Text("Payment", "Платёж"),
    "paid_at": Text("Paid", "Дата платежа"),
    "registered_at": Text("Registered", "Проведён"),
    "operator": Text("Operator", "Оператор"),
    "subscriber": Text("Received from", "Принято от"),
    "contract": Text("Contract", "Договор"),
    "amount": Text("Sum", "Сумма"),
    "words": Text("Sum in words", "Сумма прописью"),
    "vat": Text("VAT", "НДС"),
    "method": Text("Paid in", "Способ оплаты"),
    "category": Text("Category", "Категория"),
    "receipt_number": Text("Receipt No.", "Номер квитанции"),
    "payment_order_number": Text("Payment order No.", "Платёжное поручение"),
    "comment": Text("Comment", "Комментарий"),
    "balance": Text("Balance after the payment", "Баланс после платежа"),
    "manager": Text("Taken by", "Принял(а)"),
}
_SIGNATURE: Final = Text("Signature", "Подпись")
_NO_VAT: Final = Text("not subject to VAT", "не облагается")
_VAT_UNSAID: Final = Text("not stated", "не указан")
_INCLUDED: Final = Text("including VAT {percent}%: {sum}", "в том числе НДС {percent}%: {sum}")


def printed(facts: Facts, language: Language) -> Printed:
    """Say a receipt in a language; lines without anything to say are left out."""
    note = facts.note
    number = note.receipt_number or note.payment_order_number or ""
    title = _TITLE if note.receipt_number else _TITLE_OF_ORDER
    said = _said(facts, language)
    return Printed(
        language=language,
        title=title.in_(language).format(number=number),
        mark=_mark(facts, language),
        lines=tuple(
            (label.in_(language), said[key]) for key, label in _LABELS.items() if said[key]
        ),
        signature=_SIGNATURE.in_(language),
    )


def _said(facts: Facts, language: Language) -> dict[str, str]:
    note = facts.note
    zone = facts.zone.key
    balance = facts.balance_kopecks
    return {
        "payment": str(facts.payment_id),
        "paid_at": formats.moment(facts.paid_at, zone, language),
        "registered_at": formats.moment(facts.registered_at, zone, language),
        "operator": note.operator,
        "subscriber": facts.subscriber,
        "contract": facts.contract,
        "amount": formats.money(facts.amount_kopecks, language),
        "words": in_words(facts.amount_kopecks, language),
        "vat": _vat(facts, language),
        "method": _METHODS[facts.method].in_(language),
        "category": facts.category,
        "receipt_number": note.receipt_number or "",
        "payment_order_number": note.payment_order_number or "",
        "comment": note.comment,
        "balance": "" if balance is None else formats.money(balance, language),
        "manager": note.manager,
    }


def _vat(facts: Facts, language: Language) -> str:
    if facts.rate is None:
        return _VAT_UNSAID.in_(language)
    percent = facts.rate.percent
    if percent is None:
        return _NO_VAT.in_(language)
    included = formats.money(vat_included(facts.amount_kopecks, percent), language)
    return _INCLUDED.in_(language).format(percent=percent, sum=included)


def _mark(facts: Facts, language: Language) -> str:
    if facts.annulled_at is not None:
        day = formats.moment(facts.annulled_at, facts.zone.key, language)
        return _ANNULLED.in_(language).format(day=day)
    if facts.revision > 1:
        return _CORRECTED.in_(language).format(revision=facts.revision)
    return ""
