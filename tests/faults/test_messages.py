"""The rules of messages judge the run, so each is tried on messages that break it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from faults import messages
from faults.messages import Message
from faults.owed import Owed
from faults.settings import SHOP

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
FACT = ("7001", "yookassa:100501:id1")


def row(channel: str, kind: str = "payment", **changes: Any) -> Message:
    new = Message(f"{kind}-{channel}", FACT, kind, channel, "sent", "", 1, AT)
    return replace(new, **changes)


BOTH = [row("sms"), row("email")]
DUE = {"payment": {FACT}}


def test_each_fact_is_told_once_by_each_channel() -> None:
    assert messages.told(BOTH, DUE) == []
    (missing,) = messages.told(BOTH[:1], DUE)
    assert missing == "payment of 7001 yookassa:100501:id1 by email: 0 messages"
    (doubled,) = messages.told([*BOTH, row("sms", id="another")], DUE)
    assert doubled == "payment of 7001 yookassa:100501:id1 by sms: 2 messages"


def test_what_nobody_has_to_hear_is_found() -> None:
    stranger = row("sms", told=("7002", FACT[1]))
    (found,) = messages.told([*BOTH, stranger], DUE)
    assert found.endswith("by sms: sent, and there is nothing to tell")
    (other,) = messages.told([*BOTH, row("sms", "autopay_done")], DUE)
    assert other.startswith("autopay_done of 7001")


def test_what_came_to_nothing_before_it_was_true_need_not_be_due() -> None:
    gone = row("sms", "method_removed", state="dropped", reason="autopay_off")
    assert messages.told([*BOTH, gone], DUE) == []
    assert messages.told([*BOTH, replace(gone, reason="stale")], DUE) != []
    assert messages.told([*BOTH, replace(gone, state="sent")], DUE) != []


def test_a_reminder_belongs_to_its_low_balance() -> None:
    low = ("7001", "notifier:1")
    both = [row(channel, "low_balance", told=low) for channel in messages.CHANNELS]
    reminder = row("sms", messages.REMINDER, told=low, state="new", due_at=AT + timedelta(days=3))
    assert messages.told([*both, reminder], {"low_balance": {low}}) == []
    stranger = replace(reminder, told=("7001", "notifier:2"))
    assert len(messages.told([*both, stranger], {"low_balance": {low}})) == 1
    assert messages.finished([reminder], AT) == []
    assert messages.waiting([reminder], AT) == 0
    early = replace(reminder, due_at=AT)
    assert len(messages.finished([early], AT)) == messages.waiting([early], AT) == 1


def test_a_failed_charge_is_told_by_its_event() -> None:
    both = [row(channel, messages.FAILED, told=("7001", "e1")) for channel in messages.CHANNELS]
    assert messages.told(both, {messages.FAILED: {("", "e1")}}) == []
    assert len(messages.told(both, {messages.FAILED: {("", "e2")}})) == 4


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        ({"state": "ready"}, "by sms: ready"),
        ({"state": "failed", "reason": "no answer"}, "by sms: failed no answer"),
        ({"state": "dropped", "reason": "stale"}, "by sms: dropped stale"),
    ],
)
def test_a_message_that_has_not_left_is_found(change: dict[str, Any], ends: str) -> None:
    assert messages.finished(BOTH, AT) == []
    (found,) = messages.finished([row("sms", **change), BOTH[1]], AT)
    assert found.endswith(ends)


def test_an_sms_that_is_lost_or_doubled_at_its_provider_is_found() -> None:
    assert messages.delivered(BOTH, {"payment-sms": 1}) == []
    assert messages.delivered(BOTH, {})[0].endswith("sent, and not arrived")
    assert messages.delivered(BOTH, {"payment-sms": 2})[0].endswith("arrived 2 times")
    unknown = messages.delivered(BOTH, {"payment-sms": 1, "x": 1})
    assert unknown == ["SMS x: arrived, and nobody has sent it"]


def test_only_what_was_in_hand_when_it_was_dropped_may_have_arrived() -> None:
    dropped = row("sms", state="dropped", reason="recovered", attempts=1)
    assert messages.delivered([dropped], {"payment-sms": 1}) == []
    assert len(messages.delivered([replace(dropped, attempts=0)], {"payment-sms": 1})) == 1


def test_credits_are_due_where_there_is_a_contract_to_tell() -> None:
    owing = [Owed("id-1", 10_001, "7001"), Owed("id-3", 20_000, None)]
    assert messages.credited(owing, SHOP.source) == {FACT}


def test_messages_in_doubt_are_counted() -> None:
    assert messages.tried_again([*BOTH, row("sms", attempts=2)]) == {"sms": 1}
    assert messages.states(BOTH) == {"payment sent": 2}
