"""A webhook on paper: the published example, its limits, and what an answer means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest

from notifier import webhook
from notifier.access import CONTRACT_MAX, REASON_MAX
from notifier.access_leases import Leased

AT = datetime(2026, 11, 22, 9, 30, 15, 250_000, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STATE = Leased(
    contract="100245",
    revision=11,
    blocked=True,
    reason="below_zero",
    balance_kopecks=-120_050,
    available_kopecks=-20_050,
    occurred_at=AT,
    correlation_id="c-77",
    attempt=1,
    token=UUID(int=1),
    until=AT,
)


def test_the_published_example_is_signed_as_published() -> None:
    """`libraries/python/tests` of the specification's repository."""
    made = webhook.signature(
        [webhook.secret(SECRET)],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_secret_signs_while_they_are_changed() -> None:
    keys = [webhook.secret(f"whsec_{'A' * 32}"), webhook.secret(SECRET)]
    first, second = webhook.signature(keys, "msg_1", 1, b"{}").split(" ")
    assert first == webhook.signature(keys[:1], "msg_1", 1, b"{}")
    assert second == webhook.signature(keys[1:], "msg_1", 1, b"{}")
    assert first != second


@pytest.mark.parametrize(
    "written", [SECRET[6:], "whsec_", "whsec_AAAA", f"whsec_{'A' * 88}", "whsec_ключ", "whsec_A"]
)
def test_a_secret_has_its_form_and_its_length(written: str) -> None:
    with pytest.raises(ValueError, match="expected whsec_ and"):
        webhook.secret(written)


def test_a_repeat_has_the_same_id_and_another_state_another_one() -> None:
    made = {webhook.message_id(c, r) for c in ("1", "11", "л-1.2") for r in (1, 11)}
    assert len(made) == 6
    assert webhook.message_id("1", 11) in made
    assert all("." not in each and each.isascii() for each in made)


def test_the_body_is_the_state() -> None:
    assert orjson.loads(webhook.body(STATE)) == {
        "type": "contract.blocked",
        "timestamp": "2026-11-22T09:30:15.250000Z",
        "data": {
            "contract": "100245",
            "blocked": True,
            "revision": 11,
            "reason": "below_zero",
            "balance": "-1200.50",
            "available": "-200.50",
            "currency": "RUB",
            "since": "2026-11-22T09:30:15.250000Z",
        },
    }
    free = orjson.loads(webhook.body(replace(STATE, blocked=False)))
    assert (free["type"], free["data"]["blocked"]) == ("contract.unblocked", False)


def test_the_largest_body_is_small() -> None:
    largest = replace(STATE, contract="\x01" * CONTRACT_MAX, reason="\x01" * REASON_MAX)
    assert len(webhook.body(largest)) < 20_000


def test_an_attempt_is_dated_by_itself() -> None:
    later = AT + timedelta(hours=1)
    key = [webhook.secret(SECRET)]
    first, second = (webhook.headers(key, STATE, b"{}", at) for at in (AT, later))
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 3600
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize(
    ("status", "taken"),
    [(200, True), (204, True), (299, True), (301, False), (307, False), (404, False), (500, False)],
)
def test_only_2xx_is_success(status: int, taken: bool) -> None:
    assert webhook.answered(status, {}, AT).taken is taken


@pytest.mark.parametrize(
    ("status", "written", "asked"),
    [
        (429, "7", timedelta(seconds=7)),
        (503, " 7 ", timedelta(seconds=7)),
        (503, "Sun, 22 Nov 2026 09:31:15 GMT", timedelta(seconds=59.75)),
        (503, "Sun, 22 Nov 2026 09:31:15", timedelta(seconds=59.75)),
        (503, "Sun, 22 Nov 2020 09:31:15 GMT", timedelta(0)),
        (429, "9" * 400, webhook.RETRY_AFTER_MAX),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT", webhook.RETRY_AFTER_MAX),
        (429, "-1", None),
        (429, "soon", None),
        (429, "", None),
        (500, "7", None),
    ],
)
def test_retry_after(status: int, written: str, asked: timedelta | None) -> None:
    assert webhook.answered(status, {"Retry-After": written}, AT).retry_after == asked
