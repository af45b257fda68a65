"""The octets of SMPP: the book's example, every text there and back, and what is no PDU."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier import segments
from notifier.channels import smpp_receipt, smpp_text
from notifier.channels import smpp_wire as wire
from notifier.channels.smpp_receipt import IdForm, Receipt
from notifier.channels.smpp_wire import Address, Bind, Delivered, Malformed, Pdu, Submit
from simulators.smpp import pdu as theirs

EXAMPLE = bytes.fromhex(
    "0000002F 00000002 00000000 00000001 534D50503354455354 00 7365637265743038 00"
    "5355424D495431 00 00 01 01 00"
)
"""SMPP 3.4, 3.2.2: a bind_transmitter of SMPP3TEST."""

texts = st.text(max_size=400) | st.text(alphabet=smpp_text.GSM + "€[]{}", max_size=1000)


def test_the_example_of_the_book() -> None:
    header, body = EXAMPLE[:16], EXAMPLE[16:]
    assert wire.body_size(header) == len(body)
    assert wire.decode(header, body) == Pdu(0x02, 0, 1, body)
    assert wire.encode(Pdu(0x02, 0, 1, body)) == EXAMPLE
    ours = wire.bind(Bind("SMPP3TEST", "secret08", "SUBMIT1"))
    assert ours[:27] == body[:27]
    assert ours[27:] == b"\x34\0\0\0"


@given(texts)
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    written = smpp_text.written(text)
    assert "".join(theirs.readable(part, written.coding) for part in written.parts) == text
    assert len(written.parts) == segments.size(text).segments, "what is counted is what is sent"
    longest = {smpp_text.DEFAULT: 153, smpp_text.UCS2: 134}[written.coding]
    if len(written.parts) > 1:
        assert all(0 < len(part) <= longest for part in written.parts)


def test_the_alphabet_is_the_one_of_the_segments() -> None:
    assert set(smpp_text.GSM) - {"\x1b"} == segments.DEFAULT
    assert set(smpp_text.EXTENSION) == segments.EXTENDED
    assert len(smpp_text.GSM) == 128


@given(texts, st.integers(0, 2**128), st.sampled_from([0, 0x40]), st.booleans())
def test_a_submit_is_read_by_others(text: str, key: int, esm_class: int, receipt: bool) -> None:
    written = smpp_text.written(text)
    part = written.parts[0] if len(written.parts) == 1 else smpp_text.headed(written.parts, key)[0]
    given = Submit(
        Address(5, 0, "SALDO"),
        Address(1, 1, "79161234567"),
        part,
        written.coding,
        esm_class,
        receipt,
        {wire.SAR_TOTAL: b"\x02"},
    )
    read = theirs.short(wire.submit(given))
    assert (read.source, read.destination) == ("SALDO", "79161234567")
    assert (read.esm_class, read.receipt, read.coding) == (esm_class, receipt, written.coding)
    assert (read.octets, read.options) == (part, {0x020E: b"\x02"})


@given(st.binary(max_size=80))
def test_any_octets_are_a_deliver_sm_or_malformed(body: bytes) -> None:
    with suppress(Malformed):
        wire.delivered(body)


@pytest.mark.parametrize("size", [0, 15, wire.PDU_MAX + 1, 2**32 - 1])
def test_a_length_that_cannot_be(size: int) -> None:
    with pytest.raises(Malformed):
        wire.body_size(size.to_bytes(4, "big") + bytes(12))


@pytest.mark.parametrize("body", [b"", b"\0", b"no end", b"x" * 70 + b"\0"])
def test_an_answer_without_an_id(body: bytes) -> None:
    with pytest.raises(Malformed):
        wire.message_id(body)


@pytest.mark.parametrize(
    "who", [Bind("x" * 16, ""), Bind("x", "y" * 65), Bind("x", "", "z" * 13), Bind("ы", "")]
)
def test_a_bind_that_does_not_fit(who: Bind) -> None:
    with pytest.raises(ValueError, match=r"Latin|ascii"):
        wire.bind(who)


def test_the_book_s_receipt() -> None:
    """SMPP 3.4, appendix B."""
    text = (
        b"id:0123456789 sub:001 dlvrd:001 submit date:9901011200 done date:9901011205"
        b" stat:DELIVRD err:000 text:id:9 stat:EXPIRED"
    )
    read = smpp_receipt.read(Delivered(True, "7", text), "as_is")
    assert read == Receipt("0123456789", "delivered", "smpp DELIVRD err 000")


@pytest.mark.parametrize(
    ("form", "written", "looked_for"),
    [
        ("as_is", "1234", "1234"),
        ("hex", "1234", "4D2"),
        ("decimal", "4D2", "1234"),
        ("hex", "4D2", "4D2"),
        ("decimal", "no number", "no"),
    ],
)
def test_ids_in_another_form(form: IdForm, written: str, looked_for: str) -> None:
    given = Delivered(True, "7", f"id:{written} stat:UNDELIV".encode())
    assert smpp_receipt.read(given, form) == Receipt(looked_for, "undelivered", "smpp UNDELIV")


def test_a_receipt_about_nothing() -> None:
    assert smpp_receipt.read(Delivered(True, "7", b"hello"), "as_is") is None


def test_references_are_those_of_the_message() -> None:
    key = UUID("00000000-0000-5000-8000-0000000000a7").int
    first, second = smpp_text.headed([b"a", b"b"], key)
    assert (first, second) == (b"\x05\0\x03\xa7\x02\x01a", b"\x05\0\x03\xa7\x02\x02b")


def test_a_text_without_an_end() -> None:
    with pytest.raises(ValueError, match="parts"):
        smpp_text.written("x" * 153 * 256)
