"""Texts: what a subscriber reads, to the letter."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.facts import Fact, LowBalance, Payment
from notifier.formats import days, language, money
from notifier.kinds import KindName
from notifier.messages import mail, sms
from notifier.reader import OPERATOR_LENGTH_MAX, Reader
from notifier.segments import DEFAULT
from shared.errors import Language

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
PAID = Payment(amount_kopecks=65_000, balance_kopecks=-55_000, missing_kopecks=55_000, paid_at=AT)
ENOUGH = Payment(amount_kopecks=65_000, balance_kopecks=5_000, missing_kopecks=0, paid_at=AT)
LOW = LowBalance(balance_kopecks=-120_000, needed_kopecks=130_000)
ENDING = LowBalance(balance_kopecks=5_000, needed_kopecks=5_000, blocks_on=date(2026, 11, 25))


def reader(language: Language = "ru", **given: str) -> Reader:
    """Return somebody who reads."""
    person = {"contract": "100245", "operator": "Saldo", "name": "Анна"}
    link = "https://pay.example.org/cabinet/"
    return Reader(cabinet_url=link, language=language, **{**person, **given})


@pytest.mark.parametrize(
    ("kind", "facts", "spoken", "expected"),
    [
        (
            "payment",
            PAID,
            "ru",
            (
                "Saldo: зачислено 650,00 ₽ на договор 100245. "
                "Баланс −550,00 ₽, не хватает ещё 550,00 ₽"
            ),
        ),
        (
            "payment",
            PAID,
            "en",
            "Saldo: received 650.00 RUB for contract 100245. Balance -550.00, still 550.00 short",
        ),
        (
            "payment",
            ENOUGH,
            "ru",
            "Saldo: зачислено 650,00 ₽ на договор 100245. Баланс 50,00 ₽",
        ),
        ("payment", ENOUGH, "en", "Saldo: received 650.00 RUB for contract 100245. Balance 50.00"),
        (
            "low_balance",
            LOW,
            "ru",
            "Saldo: баланс договора 100245: −1 200,00 ₽. Пополните минимум на 1 300,00 ₽",
        ),
        (
            "low_balance",
            LOW,
            "en",
            "Saldo: balance of contract 100245 is -1,200.00 RUB. Add at least 1,300.00 RUB",
        ),
        (
            "low_balance",
            ENDING,
            "ru",
            (
                "Saldo: баланс договора 100245: 50,00 ₽. "
                "Пополните минимум на 50,00 ₽, иначе 25.11 услуги отключатся"
            ),
        ),
        (
            "low_balance",
            ENDING,
            "en",
            (
                "Saldo: balance of contract 100245 is 50.00 RUB. "
                "Add at least 50.00 RUB, else services stop on 25 Nov"
            ),
        ),
    ],
)
def test_sms(kind: KindName, facts: Fact, spoken: Language, expected: str) -> None:
    assert sms(kind, facts, reader(spoken), AT) == expected


@given(
    amount=st.integers(1, 10_000_000),
    balance=st.integers(-10_000_000, 10_000_000),
    number=st.text("0123456789", min_size=1, max_size=10),
    operator=st.text("Оператор Связи", min_size=1, max_size=60),
    kind=st.sampled_from(["payment", "low_balance"]),
)
def test_sms_fits_two_parts(
    amount: int, balance: int, number: str, operator: str, kind: KindName
) -> None:
    """Two parts of a long UCS-2 message hold 67 characters each (3GPP TS 23.040)."""
    facts: Fact = LowBalance(
        balance_kopecks=balance, needed_kopecks=amount, blocks_on=date(2026, 12, 31)
    )
    if kind == "payment":
        facts = Payment(
            amount_kopecks=amount,
            balance_kopecks=balance,
            missing_kopecks=max(0, -balance),
            paid_at=AT,
        )
    text = sms(kind, facts, reader(contract=number, operator=operator), AT)
    assert len(text.encode("utf-16-be")) // 2 <= 134
    assert number in text


@pytest.mark.parametrize("facts", [PAID, ENOUGH, LOW, ENDING])
def test_english_sms_stays_in_the_gsm_alphabet(facts: Fact) -> None:
    kind: KindName = "payment" if isinstance(facts, Payment) else "low_balance"
    text = sms(kind, facts, reader("en"), AT)
    assert set(text) <= DEFAULT
    assert len(text) <= 160


def test_sms_is_one_line_of_plain_spaces() -> None:
    text = sms("low_balance", LOW, reader(operator="Связь\nи\u00a0Ко"), AT)
    assert text.startswith("Связь и Ко: ")
    assert "1 300,00 ₽" in text
    assert not set(text) & {"\n", "\u00a0", "\u202f"}


def test_long_operator_is_cut_in_sms_and_whole_in_mail() -> None:
    name = "Общество с ограниченной ответственностью «Связь»"
    who = reader(operator=name)
    assert sms("payment", PAID, who, AT).partition(":")[0] == name[:OPERATOR_LENGTH_MAX].rstrip()
    assert name in mail("payment", PAID, who, AT).text


def test_payment_mail() -> None:
    written = mail("payment", PAID, reader(), AT)
    assert written.subject == "Зачислено 650,00 ₽ на договор 100245, не хватает ещё 550,00 ₽"
    for part in ("Анна", "650,00\u00a0₽", "−550,00\u00a0₽", "22 ноября 2026, 12:00", "100245"):
        assert part in written.text
        assert part in written.html
    assert "Не хватает ещё: 550,00\u00a0₽" in written.text
    assert 'href="https://pay.example.org/cabinet/"' in written.html


def test_mail_says_nothing_of_missing_money_when_none_is_missing() -> None:
    written = mail("payment", ENOUGH, reader(), AT)
    assert "хватает" not in written.subject + written.text + written.html


@pytest.mark.parametrize(
    ("day", "ru", "en"),
    [
        (23, "через 1 день", "in 1 day"),
        (24, "через 2 дня", "in 2 days"),
        (27, "через 5 дней", "in 5 days"),
    ],
)
def test_low_balance_mail_counts_the_days(day: int, ru: str, en: str) -> None:
    facts = LowBalance(balance_kopecks=1, needed_kopecks=1, blocks_on=date(2026, 11, day))
    for spoken, expected in (("ru", ru), ("en", en)):
        written = mail("low_balance", facts, reader(language(spoken)), AT)
        assert expected in written.text.replace("\u00a0", " ")
        assert expected in written.html.replace("\u00a0", " ")


def test_a_block_that_is_due_counts_no_days() -> None:
    facts = LowBalance(balance_kopecks=1, needed_kopecks=1, blocks_on=date(2026, 11, 22))
    text = mail("low_balance", facts, reader(), AT).text
    assert "отключены 22 ноября." in text
    assert "через" not in text


def test_names_cannot_become_markup() -> None:
    written = mail("payment", PAID, reader(name="<script>x</script>", operator="A & B"), AT)
    assert "<script>" not in written.html
    assert "&lt;script&gt;" in written.html
    assert "A &amp; B" in written.html
    assert "A & B" in written.text


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Vladivostok", "22 ноября 2026, 19:00"),
        ("no/such/zone", "22 ноября 2026, 12:00"),
        ("", "22 ноября 2026, 12:00"),
        ("../etc/passwd", "22 ноября 2026, 12:00"),
    ],
)
def test_times_are_the_readers(zone: str, expected: str) -> None:
    assert expected in mail("payment", PAID, reader(timezone=zone), AT).text


@pytest.mark.parametrize(
    ("number", "ru"),
    [(1, "день"), (2, "дня"), (4, "дня"), (5, "дней"), (11, "дней"), (12, "дней"), (21, "день")],
)
def test_russian_plurals(number: int, ru: str) -> None:
    assert days(number, "ru") == f"{number}\u00a0{ru}"
    assert days(number, "en") == f"{number}\u00a0{'day' if number == 1 else 'days'}"


@given(st.integers(-(10**15), 10**15))
def test_money_shows_every_kopeck(kopecks: int) -> None:
    ru = money(kopecks, "ru").removesuffix("\u00a0₽").replace("\u00a0", "").replace(",", ".")
    assert Decimal(ru.replace("−", "-")) * 100 == kopecks
    assert Decimal(money(kopecks, "en").replace(",", "")) * 100 == kopecks


@pytest.mark.parametrize(
    ("written", "ours"),
    [("ru", "ru"), ("en", "en"), ("en-GB", "en"), ("EN", "en"), ("de", "ru"), ("", "ru")],
)
def test_language(written: str, ours: Language) -> None:
    assert language(written) == ours
