"""The envelope: one id per fact, bytes that come back as they went, and poison for all else."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto import Signer
from shared.errors import Poison
from shared.events import BODY_BYTES_MAX, Event, decode, encode, event_id, sign, verified

AT = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)
SIGNER = Signer(["the signing key of event tests"])
words = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | words | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=10,
)
zones = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
made = st.builds(
    Event,
    id=st.uuids(),
    source=st.from_regex(r"[a-z][a-z-]{0,20}", fullmatch=True),
    type=words,
    subject=words,
    time=st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones),  # noqa: DTZ001
    revision=words,
    correlation_id=words,
    data=st.dictionaries(words, values, max_size=4),
)


def envelope(**changed: Any) -> bytes:
    """Return the bytes of a good event with some attributes replaced; `...` removes one."""
    good = orjson.loads(encode(event()))
    return orjson.dumps({k: v for k, v in {**good, **changed}.items() if v is not ...})


def event(**data: Any) -> Event:
    identity = event_id("gateway", "payment.succeeded", "p-1", "1")
    return Event(identity, "gateway", "payment.succeeded", "p-1", AT, "1", "correlation", data)


class TestTravel:
    @given(made)
    def test_what_was_encoded_is_decoded(self, said: Event) -> None:
        assert decode(encode(said)) == said

    @given(made)
    def test_the_digest_survives_the_way(self, said: Event) -> None:
        assert decode(encode(said)).digest() == said.digest()
        assert len(said.digest()) == 16

    @given(made)
    def test_bytes_are_the_same_each_time(self, said: Event) -> None:
        assert encode(decode(encode(said))) == encode(said)

    def test_the_envelope_is_a_cloudevent(self) -> None:
        assert orjson.loads(encode(event(amount_kopecks=1))) == {
            "specversion": "1.0",
            "id": str(event().id),
            "source": "/gateway",
            "type": "payment.succeeded",
            "subject": "p-1",
            "time": "2026-11-22T12:00:00.250000Z",
            "datacontenttype": "application/json",
            "revision": "1",
            "correlationid": "correlation",
            "data": {"amount_kopecks": 1},
        }

    def test_time_is_written_in_utc_wherever_the_server_stands(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        try:
            with monkeypatch.context() as elsewhere:
                elsewhere.setenv("TZ", "Asia/Vladivostok")
                time.tzset()
                assert orjson.loads(encode(event()))["time"] == "2026-11-22T12:00:00.250000Z"
                assert decode(encode(event())).time.utcoffset() == timedelta(0)
        finally:
            time.tzset()

    def test_a_source_keeps_its_letters(self) -> None:
        assert decode(envelope(source="/X/gateway-X")).source == "X/gateway-X"

    def test_attributes_that_others_added_are_ignored(self) -> None:
        assert decode(envelope(traceparent="00-1", dataschema="https://x")) == event()

    def test_an_event_without_a_correlation_id_has_an_empty_one(self) -> None:
        assert decode(envelope(correlationid=...)).correlation_id == ""

    def test_time_is_read_into_utc(self) -> None:
        said = decode(envelope(time="2026-11-22T15:00:00.25+03:00"))
        assert said.time == AT
        assert said.time.utcoffset() == timedelta(0)


class TestDigest:
    @given(st.dictionaries(words, values, max_size=4))
    def test_the_order_of_fields_does_not_matter(self, data: dict[str, Any]) -> None:
        turned = {key: _turned(value) for key, value in reversed(data.items())}
        assert event(data=data).digest() == event(data=turned).digest()

    @given(st.integers(0, 10**9), st.integers(0, 10**9))
    def test_other_data_have_another_digest(self, one: int, two: int) -> None:
        same = event(amount_kopecks=one).digest() == event(amount_kopecks=two).digest()
        assert same == (one == two)

    def test_what_belongs_to_one_saying_only_is_not_in_it(self) -> None:
        again = Event(uuid4(), "x", "y", "z", AT + timedelta(1), "2", "another", {"a": 1})
        assert again.digest() == event(a=1).digest()


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(inner) for key, inner in reversed(value.items())}
    return [_turned(inner) for inner in value] if isinstance(value, list) else value


class TestIds:
    def test_the_same_fact_has_the_same_id_for_ever(self) -> None:
        known = UUID("118e78e8-d591-5d3a-a2b1-0cde9ee23732")
        assert event_id("gateway", "payment.succeeded", "p-1", "1") == known

    @given(st.tuples(words, words, words, words), st.tuples(words, words, words, words))
    def test_other_words_have_another_id(self, one: Any, two: Any) -> None:
        if not any("\x1f" in word for word in (*one, *two)):
            assert (event_id(*one) == event_id(*two)) == (one == two)

    def test_words_do_not_run_into_each_other(self) -> None:
        assert event_id("a", "bc", "d", "e") != event_id("ab", "c", "d", "e")


WRONG: dict[str, Any] = {
    "id": [
        ...,
        None,
        7,
        10**18,
        True,
        [],
        {},
        "",
        "not a uuid",
        "0" * 40,
        ["0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"],
    ],
    "source": [..., None, 7, [], {}, ["/gateway"]],
    "type": [..., None, 7, [], {}, ["payment.succeeded"], [[["payment.succeeded"]]]],
    "subject": [..., None, 7, 10**18, [], {}],
    "revision": [..., None, 7, 1.5, [], {}],
    "correlationid": [None, 7, [], {}],
    "time": [
        *(..., None, 7, 10**18, [], {}, "", "yesterday", "2026-11-22", "2026-11-22T12:00:00"),
        *("2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"),
    ],
    "specversion": [..., None, "0.3", 1.0, 1, ["1.0"]],
    "data": [..., None, "text", 7, [], [{}], [[[]]]],
}


class TestPoison:
    @pytest.mark.parametrize(
        ("attribute", "value"),
        [(attribute, value) for attribute, wrong in WRONG.items() for value in wrong],
        ids=lambda value: repr(value)[:30],
    )
    def test_an_attribute_of_a_wrong_shape(self, attribute: str, value: Any) -> None:
        with pytest.raises(Poison, match=r"^(not an event: |not a CloudEvent)"):
            decode(envelope(**{attribute: value}))

    @pytest.mark.parametrize(
        "body",
        [b"", b"{}", b"[]", b"null", b"7", b'"x"', b"\xff", b"{", b"[" * 5000, b"NaN", b"[[[[]]]]"],
    )
    def test_bytes_that_are_no_envelope(self, body: bytes) -> None:
        with pytest.raises(Poison):
            decode(body)

    @given(st.binary(max_size=200))
    def test_random_bytes_are_poison(self, body: bytes) -> None:
        with pytest.raises(Poison):
            decode(body)

    @given(st.sampled_from(sorted(WRONG)), values)
    def test_any_value_of_an_attribute_is_read_or_poison(self, attribute: str, value: Any) -> None:
        try:
            said = decode(envelope(**{attribute: value}))
        except Poison:
            return
        assert decode(encode(said)) == said

    def test_a_body_of_the_largest_size_is_read_and_a_larger_one_is_not(self) -> None:
        bare = len(encode(event(note="")))
        assert decode(encode(event(note="x" * (BODY_BYTES_MAX - bare)))).id == event().id
        with pytest.raises(Poison, match="larger"):
            decode(encode(event(note="x" * (BODY_BYTES_MAX - bare + 1))))


class TestSignatures:
    def test_a_signed_event_is_read(self) -> None:
        body = encode(event(a=1))
        assert verified(SIGNER, body, sign(SIGNER, body)) == event(a=1)

    @pytest.mark.parametrize("signature", ["", "0" * 64, "\udcff", "é"])
    def test_without_our_signature_it_is_poison(self, signature: str) -> None:
        with pytest.raises(Poison, match=r"^the event is unsigned, or"):
            verified(SIGNER, encode(event()), signature)

    def test_a_signature_made_for_something_else_does_not_count(self) -> None:
        body = encode(event())
        with pytest.raises(Poison, match=r"^the event is unsigned, or"):
            verified(SIGNER, body, SIGNER.sign("link", body))

    def test_changed_bytes_are_poison(self) -> None:
        body = encode(event(amount_kopecks=100))
        with pytest.raises(Poison, match=r"^the event is unsigned, or"):
            verified(SIGNER, body.replace(b"100", b"900"), sign(SIGNER, body))

    def test_signed_garbage_is_poison(self) -> None:
        with pytest.raises(Poison, match="not an event"):
            verified(SIGNER, b"{}", sign(SIGNER, b"{}"))
