"""The cash register: a draft, its registration, and whatever is lost between the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway_sbp.acquirers.raiffeisen.wire import receipts
from shared.gateway.provider import Missing, Refused, Throttled, Unclear
from shared.gateway.receipt import (
    Customer,
    Mode,
    Receipt,
    ReceiptTerms,
    Subject,
    Tender,
    offset_line,
    payment_line,
    settled,
)
from shared.gateway.till import Issued, Kind, Registered, Registration
from shared.gateway.vat import Rate, Vat

EMAIL = "user@example.com"
NUMBER = "0f9c0000000040008000000000000001"
SELL, REFUND = "/fiscal/v1/receipts/sell", "/fiscal/v1/receipts/refund"
DRAFT, REGISTER, LOOK = f"POST {SELL}", f"PUT {SELL}/{NUMBER}", f"GET {SELL}/{NUMBER}"
CONFLICT = {"code": "RECEIPT_STATUS_CONFLICT", "message": "Чек в статусе IN_PROGRESS"}
THIS_YEAR = datetime(2026, 2, 3, tzinfo=UTC)
LAST_YEAR = datetime(2025, 12, 31, 20, 59, tzinfo=UTC)
PENDING = Registered(Registration.PENDING, NUMBER)
DONE = Registered(Registration.SUCCEEDED, NUMBER)


def wanted(kopecks: int = 35_050, at: datetime = THIS_YEAR, **terms: Any) -> Receipt:
    """Return the receipt of money that comes in."""
    customer = terms.pop("customer", Customer(EMAIL))
    said = ReceiptTerms(terms.pop("vat", Vat.BASE), **terms)
    return settled(said, payment_line(said, kopecks, at), Tender.CASHLESS, customer)


def request(kind: Kind = Kind.PAYMENT, **what: Any) -> bytes:
    return receipts.request(kind, wanted(**what), receipts.WORDS)


def told(status: Any, **changes: Any) -> dict[str, Any]:
    """Return what the bank says of a receipt."""
    said = {"receiptNumber": NUMBER, "receiptType": "SELL", "status": status, "total": 350.5}
    return {**said, **changes}


class TestWords:
    """What is printed, in the bank's words."""

    def test_an_advance(self) -> None:
        group, body = receipts.draft(NUMBER, request())
        assert group == "sell"
        assert (
            body
            == (
                b'{"receiptNumber":"0f9c0000000040008000000000000001",'
                b'"client":{"email":"user@example.com"},'
                b'"items":[{"name":"%s","price":350.50,"quantity":1,"amount":350.50,'
                b'"paymentObject":"payment","vatType":"vat122"}],"total":350.50}'
            )
            % "Аванс за услуги связи".encode()
        )

    def test_a_refund_stands_under_an_address_of_its_own(self) -> None:
        assert receipts.draft(NUMBER, request(Kind.REFUND))[0] == "refund"
        assert receipts.draft(NUMBER, request(Kind.OFFSET))[0] == "sell"

    def test_what_uses_an_advance_up_is_a_service(self) -> None:
        terms = ReceiptTerms(Vat.BASE)
        line = offset_line(terms, 10_000, THIS_YEAR, service="Интернет", period="2026-02")
        receipt = settled(terms, line, Tender.PREPAYMENT, Customer(EMAIL))
        _, body = receipts.draft(NUMBER, receipts.request(Kind.OFFSET, receipt, receipts.WORDS))
        assert b'"paymentObject":"service","vatType":"vat22"' in body

    @pytest.mark.parametrize("subject", list(Subject))
    def test_every_subject_has_a_word(self, subject: Subject) -> None:
        asked = request(subject=subject)
        assert b'"paymentObject":"%s"' % str(subject).encode() in asked

    @pytest.mark.parametrize(
        ("vat", "at", "mode", "word"),
        [
            (Vat.NONE, THIS_YEAR, Mode.ADVANCE, "none"),
            (Vat.ZERO, THIS_YEAR, Mode.ADVANCE, "vat0"),
            (Vat.FIVE, THIS_YEAR, Mode.ADVANCE, "vat105"),
            (Vat.FIVE, THIS_YEAR, Mode.FULL_PAYMENT, "vat5"),
            (Vat.SEVEN, THIS_YEAR, Mode.ADVANCE, "vat107"),
            (Vat.SEVEN, THIS_YEAR, Mode.FULL_PAYMENT, "vat7"),
            (Vat.TEN, THIS_YEAR, Mode.ADVANCE, "vat110"),
            (Vat.TEN, THIS_YEAR, Mode.FULL_PAYMENT, "vat10"),
            (Vat.BASE, LAST_YEAR, Mode.ADVANCE, "vat120"),
            (Vat.BASE, LAST_YEAR, Mode.FULL_PAYMENT, "vat20"),
            (Vat.BASE, THIS_YEAR, Mode.ADVANCE, "vat122"),
            (Vat.BASE, THIS_YEAR, Mode.FULL_PAYMENT, "vat22"),
        ],
    )
    def test_rates_of_the_same_table_as_everywhere(
        self, vat: Vat, at: datetime, mode: Mode, word: str
    ) -> None:
        assert b'"vatType":"%s"' % word.encode() in request(vat=vat, at=at, mode=mode)

    def test_a_word_may_be_said_otherwise(self) -> None:
        words = receipts.words_of({"22/122": "VAT_22_122"})
        assert b'"vatType":"VAT_22_122"' in receipts.request(Kind.PAYMENT, wanted(), words)
        assert words[Rate(22)] == "vat22"
        with pytest.raises(ValueError, match="23"):
            receipts.words_of({"23": "vat23"})

    def test_a_rate_without_a_word_is_not_printed(self) -> None:
        long_ago = datetime(2018, 5, 1, tzinfo=UTC)
        with pytest.raises(ValueError, match="18 %"):
            request(at=long_ago)

    @pytest.mark.parametrize(
        "customer",
        [Customer(phone="+79161234567"), Customer("x" * 53 + "@example.com"), Customer()],
        ids=["telephone", "long", "nobody"],
    )
    def test_without_an_e_mail_nothing_is_printed(self, customer: Customer) -> None:
        receipt = wanted(email_needed=False, customer=Customer(EMAIL))
        said = Receipt(customer, receipt.lines, receipt.settlements)
        with pytest.raises(ValueError, match="64"):
            receipts.request(Kind.PAYMENT, said, receipts.WORDS)

    def test_an_e_mail_of_64_characters_fits(self) -> None:
        request(customer=Customer("x" * 52 + "@example.com"))

    @pytest.mark.parametrize(
        ("said", "stands"),
        [
            (told("NEW"), PENDING),
            (told("IN_PROGRESS"), PENDING),
            (told("AWAITING"), PENDING),
            (told("НОВОЕ"), PENDING),
            (told("DONE"), DONE),
            (told({"value": "DONE", "date": "d"}), DONE),
            (told("FAILED"), Registered(Registration.FAILED, NUMBER)),
            ({"status": "DONE"}, DONE),
        ],
    )
    def test_how_a_receipt_stands(self, said: Any, stands: Registered) -> None:
        assert receipts.registered(NUMBER, said) == stands

    @pytest.mark.parametrize("said", [{}, told(None), told("DONE", receiptNumber="2")])
    def test_an_answer_that_is_none(self, said: Any) -> None:
        with pytest.raises(ValueError, match="receipt"):
            receipts.registered(NUMBER, said)


class TestPrinting:
    """Nothing is printed twice, however often an answer is lost."""

    @pytest.mark.parametrize("drafted", [told("NEW"), b"", {"code": "SUCCESS"}])
    async def test_a_draft_is_registered_at_once(self, at: Any, drafted: Any) -> None:
        at.bank.say(DRAFT, drafted)
        at.bank.say(REGISTER, told("IN_PROGRESS"))
        made = await at.raiffeisen.till.create_receipt(NUMBER, request())
        assert isinstance(made, Issued)
        assert (made.id, made.kopecks, made.registered) == (NUMBER, 35_050, PENDING)
        assert at.bank.calls == [DRAFT, REGISTER]
        assert at.bank.sent()[0]["total"] == "350.50"

    async def test_a_refund_goes_to_its_own_address(self, at: Any) -> None:
        at.bank.say(f"POST {REFUND}", told("NEW"))
        at.bank.say(f"PUT {REFUND}/{NUMBER}", told("IN_PROGRESS"))
        made = await at.raiffeisen.till.create_receipt(NUMBER, request(Kind.REFUND))
        assert isinstance(made, Issued)
        at.bank.say(f"GET {REFUND}/{NUMBER}", told("DONE"))
        assert await at.raiffeisen.till.registration(Kind.REFUND, NUMBER) == DONE

    async def test_a_lost_draft_is_written_over(self, at: Any) -> None:
        at.bank.lose(DRAFT)
        at.bank.say(DRAFT, told("NEW"))
        at.bank.say(REGISTER, told("IN_PROGRESS"))
        till = at.raiffeisen.till
        assert isinstance(await till.create_receipt(NUMBER, request()), Unclear)
        assert isinstance(await till.create_receipt(NUMBER, request()), Issued)
        assert at.bank.calls == [DRAFT, DRAFT, REGISTER]
        first, second = at.bank.sent()
        assert first == second

    @pytest.mark.parametrize(
        ("refusal", "status"),
        [
            (CONFLICT, 409),
            (CONFLICT, 400),
            ({"code": "RECEIPT_ALREADY_IN_PROGRESS"}, 409),
            (b"", 409),
        ],
    )
    async def test_a_lost_registration_is_found(self, at: Any, refusal: Any, status: int) -> None:
        at.bank.say(DRAFT, told("NEW"))
        at.bank.say(DRAFT, refusal, status)
        at.bank.lose(REGISTER)
        at.bank.say(LOOK, told("DONE"))
        till = at.raiffeisen.till
        assert isinstance(await till.create_receipt(NUMBER, request()), Unclear)
        made = await till.create_receipt(NUMBER, request())
        assert made.registered == DONE
        assert at.bank.calls[:2] == [DRAFT, REGISTER]
        assert at.bank.calls[-2:] == [DRAFT, LOOK]
        assert len(at.bank.sent()) == 2

    async def test_a_registration_that_another_was_faster_with(self, at: Any) -> None:
        at.bank.say(DRAFT, told("NEW"))
        at.bank.say(REGISTER, CONFLICT, 409)
        at.bank.say(LOOK, told("IN_PROGRESS"))
        made = await at.raiffeisen.till.create_receipt(NUMBER, request())
        assert made.registered == PENDING

    @pytest.mark.parametrize(
        ("said", "status", "outcome"),
        [
            ({"code": "RECEIPT_VALIDATION_FAILED"}, 400, Refused("RECEIPT_VALIDATION_FAILED")),
            ({"code": "MERCHANT_NOT_FOUND"}, 403, Refused("http_403", ours=True)),
            ({"code": "RECEIPT_REGISTRATION_FAILED"}, 500, Unclear("http_500")),
            (b"", 429, Throttled()),
        ],
    )
    @pytest.mark.parametrize("call", [DRAFT, REGISTER])
    async def test_what_goes_wrong(
        self, at: Any, call: str, said: Any, status: int, outcome: Any
    ) -> None:
        at.bank.say(call, said, status)
        at.bank.say(DRAFT, told("NEW"))
        found = await at.raiffeisen.till.create_receipt(NUMBER, request())
        assert found == outcome

    async def test_it_is_asked_about_by_its_number(self, at: Any) -> None:
        at.bank.say(LOOK, told("IN_PROGRESS"))
        at.bank.say(LOOK, told("DONE"))
        at.bank.say(LOOK, {"code": "RECEIPT_NOT_FOUND"}, 404)
        at.bank.say(LOOK, b"", 503)
        till = at.raiffeisen.till
        asked = [await till.registration(Kind.PAYMENT, NUMBER) for _ in range(4)]
        assert asked == [PENDING, DONE, Missing(), Unclear("http_503")]
        assert at.bank.calls == [LOOK] * 4

    @pytest.mark.parametrize("conflict", [False, True])
    async def test_a_draft_that_nobody_registered_is_registered_when_it_is_asked_about(
        self, at: Any, conflict: bool
    ) -> None:
        at.bank.say(LOOK, told("NEW"))
        at.bank.say(LOOK, told("DONE"))
        if conflict:
            at.bank.say(REGISTER, CONFLICT, 409)
        else:
            at.bank.say(REGISTER, told("DONE"))
        assert await at.raiffeisen.till.registration(Kind.OFFSET, NUMBER) == DONE
        assert at.bank.calls[:2] == [LOOK, REGISTER]

    async def test_what_is_no_number_is_not_asked_about(self, at: Any) -> None:
        assert await at.raiffeisen.till.registration(Kind.PAYMENT, "../sell") == Missing()
        assert await at.raiffeisen.till.receipts_of("AD1") == ()
        assert at.bank.asked == []

    async def test_it_prints_apart(self, at: Any) -> None:
        till = at.raiffeisen.till
        assert till.apart is True
        assert till.receipt_request(Kind.PAYMENT, wanted(), "AD1") == request()
