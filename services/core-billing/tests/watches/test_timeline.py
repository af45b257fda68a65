"""What a subscriber was told: kept once, shown newest first, forgotten after 400 days."""

from datetime import timedelta
from typing import Any

from core_billing import timeline
from shared.db import transaction
from shared.events import Event
from shared.events_autopay import MessageFailed, MessageSent
from shared.metrics import ALARMS


def message(told: Any, number: str | None, n: int, minutes: int = 0, reason: str = "") -> Event:
    """Return what the notifier says of a message."""
    about = {"message_id": f"m{n}", "channel": "sms", "kind": "payment", "about": "fact"}
    at = told.books.clock() + timedelta(minutes=minutes)
    body = (
        MessageFailed(contract=number, occurred_at=at, reason=reason, **about)
        if reason
        else MessageSent(contract=number, occurred_at=at, **about)
    )
    return body.event("notifier", subject=f"m{n}", revision=body.TYPE, correlation_id="c")


async def keep(told: Any, *events: Event) -> None:
    """Let the queue bring these events."""
    async with transaction(told.books.db) as tx:
        await timeline.hear(tx, events)


async def test_kept_once_and_shown_newest_first(told: Any, ask: Any) -> None:
    await told.books.open("A", "B")
    await keep(
        told,
        message(told, "A", 1, minutes=5),
        message(told, "A", 2, reason="mailbox_unknown"),
        message(told, "B", 3),
        message(told, None, 4),
    )
    await keep(told, message(told, "A", 1, minutes=5), message(told, "A", 5))
    status, page = await ask("/contracts/A/messages?limit=2")
    assert status == 200
    assert [one["id"] for one in page["items"]] == ["m1", "m5"]
    assert page["items"][0] == {
        "id": "m1",
        "at": "2026-11-22T12:05:00Z",
        "kind": "payment",
        "channel": "sms",
        "state": "sent",
        "reason": None,
        "about": "fact",
    }
    path = f"/contracts/A/messages?cursor={page['next_cursor']}"
    status, rest = await ask(path)
    assert [(one["id"], one["state"], one["reason"]) for one in rest["items"]] == [
        ("m2", "failed", "mailbox_unknown")
    ]
    assert rest["next_cursor"] is None
    assert (await ask("/contracts/nobody/messages"))[0] == 404
    for wrong in ("x", "1", "1-x", "-1-1", "1" * 18 + "-1"):
        assert (await ask(f"/contracts/A/messages?cursor={wrong}"))[0] == 422


async def test_a_message_to_nobody_is_alarmed_and_old_ones_are_forgotten(told: Any) -> None:
    await told.books.open("A")
    before = ALARMS.labels("message_of_unknown_contract")._value.get()
    await keep(told, message(told, "nobody", 1), message(told, "A", 2), message(told, "A", 3, 1))
    assert ALARMS.labels("message_of_unknown_contract")._value.get() == before + 1
    told.books.clock.advance(timedelta(days=400, seconds=1))
    assert await timeline.prune(told.books.db, told.books.clock()) == 1
    assert await timeline.prune(told.books.db, told.books.clock()) == 0
