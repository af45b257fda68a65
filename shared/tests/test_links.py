"""Signed links: what opens them, and what never does."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto import LINK_LENGTH_MAX, Link, Signer, read_link, write_link
from shared.errors import Forbidden, Text

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OLD, NEW = "the old signing key", "the new signing key"
SIGNER = Signer([NEW, OLD])
LINK = Link("gateway-yookassa", "pay", "order-1", NOW + timedelta(hours=1), {"amount": "650.00"})


def opened(token: str, signer: Signer = SIGNER, **changed: Any) -> Link:
    wanted: dict[str, Any] = {
        "audience": "gateway-yookassa",
        "purpose": "pay",
        "at": NOW,
        **changed,
    }
    return read_link(signer, token, **wanted)


def body(**changed: Any) -> bytes:
    said = {"aud": LINK.audience, "pur": LINK.purpose, "sub": LINK.subject}
    end = int(LINK.expires_at.timestamp())
    return orjson.dumps({**said, "exp": end, "claims": dict(LINK.claims), **changed})


def signed(content: bytes) -> str:
    """Return a link with any content, properly signed."""
    encoded = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    return f"{encoded}.{SIGNER.sign('link', content)}"


words = st.text(st.characters(codec="utf-8"), max_size=40)


class TestLinks:
    @given(words, st.dictionaries(words, words | st.integers(-(2**53), 2**53), max_size=3))
    def test_any_words_come_back_as_they_went(self, subject: str, claims: dict[str, Any]) -> None:
        link = Link("gateway-yookassa", "pay", subject, LINK.expires_at, claims)
        assert opened(write_link(SIGNER, link)) == link

    def test_the_order_of_claims_makes_no_other_token(self) -> None:
        one, two = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
        tokens = {
            write_link(SIGNER, Link("a", "b", "c", LINK.expires_at, claims))
            for claims in (one, two)
        }
        assert len(tokens) == 1

    @pytest.mark.parametrize(
        ("changed", "expected"),
        [
            (
                {"signer": Signer(["another key of ours"])},
                Text("The link is damaged or forged", "Ссылка повреждена или подделана"),
            ),
            (
                {"audience": "notifier"},
                Text("The link is for another place", "Ссылка предназначена не для этого"),
            ),
            (
                {"at": LINK.expires_at},
                Text(
                    "The link has expired: go back and start again",
                    "Срок ссылки истёк: вернитесь и начните заново",
                ),
            ),
        ],
        ids=["forged", "elsewhere", "expired"],
    )
    def test_people_are_told_why_in_their_language(
        self, changed: dict[str, Any], expected: Text
    ) -> None:
        with pytest.raises(Forbidden) as refused:
            opened(write_link(SIGNER, LINK), **changed)
        assert refused.value.detail == expected

    def test_a_link_says_what_was_written(self) -> None:
        assert opened(write_link(SIGNER, LINK)) == LINK

    def test_a_link_without_claims_is_shorter_and_reads_the_same(self) -> None:
        bare = Link(LINK.audience, LINK.purpose, LINK.subject, LINK.expires_at, {})
        token = write_link(SIGNER, bare)
        assert opened(token) == bare
        assert b"claims" not in base64.urlsafe_b64decode(token.partition(".")[0] + "==")

    def test_a_token_is_safe_in_a_url(self) -> None:
        odd = Link("a", "b", "контракт?&=/+", LINK.expires_at, {"x": "~~~???>>>"})
        token = write_link(SIGNER, odd)
        assert set(token) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
        )
        assert opened(token, audience="a", purpose="b") == odd

    def test_a_link_of_the_old_key_is_read_until_the_key_is_gone(self) -> None:
        token = write_link(Signer([OLD]), LINK)
        assert opened(token) == LINK
        with pytest.raises(Forbidden, match="forged"):
            opened(token, Signer([NEW]))

    @given(st.integers(0, 1000), st.characters())
    def test_a_link_with_one_changed_character_is_forged(self, place: int, other: str) -> None:
        token = write_link(SIGNER, LINK)
        at = place % len(token)
        changed = token[:at] + other + token[at + 1 :]
        if changed != token:
            with pytest.raises(Forbidden):
                opened(changed)

    def test_a_link_can_be_written_in_one_way_only(self) -> None:
        encoded, _, signature = write_link(SIGNER, LINK).partition(".")
        last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        same = [f"{encoded[:-1]}{letter}.{signature}" for letter in last if letter != encoded[-1]]
        for token in [*same, f"{encoded}=.{signature}", f"{encoded}\n.{signature}"]:
            with pytest.raises(Forbidden):
                opened(token)

    @given(st.integers(0, 1000))
    def test_a_truncated_link_is_forged(self, length: int) -> None:
        token = write_link(SIGNER, LINK)
        with pytest.raises(Forbidden, match="forged"):
            opened(token[: length % len(token)])

    @given(st.text())
    def test_any_text_is_only_forbidden(self, text: str) -> None:
        with pytest.raises(Forbidden):
            opened(text)

    @pytest.mark.parametrize("changed", [{"audience": "notifier"}, {"purpose": "receipt"}])
    def test_a_link_for_another_place_is_refused(self, changed: dict[str, Any]) -> None:
        with pytest.raises(Forbidden, match="another place"):
            opened(write_link(SIGNER, LINK), **changed)

    def test_a_link_ends_exactly_when_it_says(self) -> None:
        token = write_link(SIGNER, LINK)
        assert opened(token, at=LINK.expires_at - timedelta(microseconds=1)) == LINK
        with pytest.raises(Forbidden, match="expired"):
            opened(token, at=LINK.expires_at)

    def test_an_oversized_link_is_neither_written_nor_read(self) -> None:
        long = Link("a", "b", "x" * LINK_LENGTH_MAX, LINK.expires_at, {})
        with pytest.raises(ValueError, match="longer"):
            write_link(SIGNER, long)
        with pytest.raises(Forbidden, match="forged"):
            opened(signed(b" " * 2000 + body()))

    def test_the_longest_link_is_read(self) -> None:
        bare = Link(LINK.audience, LINK.purpose, "", LINK.expires_at, {})
        empty = len(base64.urlsafe_b64decode(write_link(SIGNER, bare).partition(".")[0] + "=="))
        longest = Link(LINK.audience, LINK.purpose, "x" * (1487 - empty), LINK.expires_at, {})
        token = write_link(SIGNER, longest)
        assert len(token) == LINK_LENGTH_MAX
        assert opened(token) == longest

    @pytest.mark.parametrize(
        "garbage",
        [
            b"",
            b"not json",
            b"\xff\xfe",
            b"null",
            b"[]",
            b'"text"',
            b"{}",
            b"[" * 900,
            b'{"aud":"gateway-yookassa","pur":"pay","sub":"1"}',
        ],
    )
    def test_signed_garbage_is_refused(self, garbage: bytes) -> None:
        with pytest.raises(Forbidden):
            opened(signed(garbage))

    @pytest.mark.parametrize(
        "changed",
        [
            {"aud": ["gateway-yookassa"]},
            {"pur": None},
            {"sub": 7},
            {"exp": "2030-01-01"},
            {"exp": 10**17},
            {"exp": 1e300},
            {"exp": True},
            {"exp": None},
            {"claims": []},
            {"claims": "x"},
        ],
        ids=repr,
    )
    def test_a_signed_link_of_a_wrong_shape_is_refused(self, changed: dict[str, Any]) -> None:
        with pytest.raises(Forbidden):
            opened(signed(body(**changed)))
