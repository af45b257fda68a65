"""Everything that can be heard of a contract, in any order and doubled, against a small model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.content import shown
from notifier.facts import read
from shared.events import BalanceLow, BalanceRecovered, Event, EventData, PaymentPosted
from shared.events_autopay import (
    AutopayDropped,
    AutopayExpiring,
    AutopayFailed,
    AutopayUpcoming,
    MandateRevoked,
    MethodName,
)
from shared.events_billing import (
    ContractBlocked,
    ContractUnblocked,
    FeeUpcoming,
    PaymentAnnulled,
    PromiseClosed,
    PromiseEnding,
    PromiseGranted,
    StatementReady,
)
from shared.events_gateway import PaymentMethodRevoked, PaymentMethodSaved, RefundPosted
from shared.inbox import Outcome

if TYPE_CHECKING:
    from conftest import World

NOON = datetime.fromisoformat("2026-11-22T09:00:00+00:00")
DAY = timedelta(days=1)
SHOP = "yookassa:100500"
PLACE = {"provider": SHOP, "provider_payment_id": "p-1"}
SUMS = {"amount_kopecks": 65_000, "balance_kopecks": 5_000}
STATE = {"revision": 1, "reason": "", "balance_kopecks": -1, "available_kopecks": -1}
PROMISE = {"promise_id": "7", "amount_kopecks": 65_000, "until": NOON + DAY}
LINK = "https://pay.example.org/autopay/skip?token=abc"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite alone: what is tried here is what events mean, not what a database does."""
    return f"sqlite+aiosqlite:///{tmp_path}/notifier.db"


@dataclass(frozen=True)
class Fact:
    """An event, the message it tells, and the messages it makes untrue."""

    body: EventData
    told: tuple[str, str] | None = None
    ends: frozenset[tuple[str, str]] = frozenset()
    access: int = 0
    """The revision of access it says."""


def fact(model: type[EventData], told: str = "", *ends: str, access: int = 0, **given: Any) -> Fact:
    """Make an event of a contract; messages are written `kind fact`."""
    body = model.model_validate({"contract": "1", "occurred_at": NOON, **given})
    keys = [tuple(key.split(" ", 1)) for key in (told, *ends) if key]
    first = keys.pop(0) if told else None
    return Fact(body, first, frozenset(keys), access)  # type: ignore[arg-type]


def paid(told: str = "", **given: Any) -> Fact:
    """Make a posted payment."""
    return fact(
        PaymentPosted, told, payment_id="1", available_kopecks=0, **{**PLACE, **SUMS, **given}
    )


def low(crossing: int, told: str, **given: Any) -> Fact:
    """Make a crossing of our watch."""
    common = {"watcher": "notifier", "threshold_kopecks": 0, "needed_kopecks": 1}
    balance = {"balance_kopecks": 0, "crossing": crossing}
    return fact(BalanceLow, told, **{**common, **balance, **given})


def closed(how: str, told: str = "", *ends: str) -> Fact:
    """Make the end of a promise."""
    return fact(PromiseClosed, told, *ends, revision=3, how=how, ended_on=NOON.date(), **PROMISE)


def upcoming(charge: str, **given: Any) -> Fact:
    """Make a charge that is announced."""
    common = {"charge_id": charge, "mandate_id": "m", "amount_kopecks": 1, "why": "day"}
    more = {"charge_at": NOON + DAY, "balance_kopecks": 0, "skip_url": LINK}
    return fact(AutopayUpcoming, f"autopay_before {charge}", **{**common, **more, **given})


def failed(charge: str) -> Fact:
    """Make a charge that came to nothing."""
    common = {"charge_id": charge, "mandate_id": "m", "amount_kopecks": 1}
    return fact(AutopayFailed, f"autopay_failed {charge}", reason="card_expired", **common)


def removed(reason: str, told: str) -> Fact:
    """Make a method that is gone."""
    method = {"provider": SHOP, "method_ref": "v-1", "revision": 2, "reason": reason}
    return fact(PaymentMethodRevoked, told, f"method_saved {SHOP}:v-1", **method)


def access(revision: int) -> Fact:
    """Make a state of access; odd ones block."""
    model, kind = (ContractBlocked, "blocked") if revision % 2 else (ContractUnblocked, "unblocked")
    told = f"{kind} access:{revision}"
    return fact(model, told, access=revision, **{**STATE, "revision": revision})


FEES = {
    "fees_on": "2026-12-01",
    "fee_kopecks": 1,
    "balance_kopecks": 0,
    "available_kopecks": 0,
    "needed_kopecks": 1,
}
MONTH = {
    "opening_kopecks": 0,
    "received_kopecks": 0,
    "charged_kopecks": 0,
    "closing_kopecks": 0,
}
ALL: tuple[Fact, ...] = (
    paid(f"payment {SHOP}:p-1"),
    paid(f"payment {SHOP}:p-2", provider_payment_id="p-2"),
    paid(f"autopay_done {SHOP}:p-3", provider_payment_id="p-3", charge_id="c-9"),
    paid(provider_payment_id="p-4", amount_kopecks=0),
    paid(provider_payment_id="p-5", amount_kopecks=-1),
    fact(
        PaymentAnnulled,
        f"payment_annulled {SHOP}:p-2@{NOON.isoformat()}",
        f"payment {SHOP}:p-2",
        payment_id="2",
        **{**PLACE, **SUMS, "provider_payment_id": "p-2"},
    ),
    fact(RefundPosted, f"refund {SHOP}:r-1", provider_refund_id="r-1", **PLACE, **SUMS),
    low(1, "low_balance notifier:1"),
    low(2, "low_balance notifier:2"),
    low(1, "low_balance notifier:days:1", kind="days", blocks_on="2026-11-25"),
    low(3, "", watcher="autopay"),
    fact(
        BalanceRecovered,
        "",
        "low_balance notifier:1",
        watcher="notifier",
        crossing=1,
        balance_kopecks=0,
    ),
    fact(BalanceRecovered, watcher="autopay", crossing=2, balance_kopecks=0),
    fact(FeeUpcoming, "fee_upcoming fees:2026-12-01", watcher="notifier", **FEES),
    fact(FeeUpcoming, watcher="autopay", **FEES),
    fact(
        PromiseGranted,
        "promise_granted 7",
        revision=1,
        fee_kopecks=0,
        origin="subscriber",
        **PROMISE,
    ),
    fact(PromiseEnding, "promise_ending 7", revision=2, owed_kopecks=1, **PROMISE),
    closed("overdue", "promise_overdue 7", "promise_granted 7", "promise_ending 7"),
    closed("repaid", "", "promise_granted 7", "promise_ending 7", "promise_overdue 7"),
    upcoming("c-1"),
    upcoming("c-2"),
    fact(
        AutopayDropped,
        "",
        "autopay_before c-1",
        charge_id="c-1",
        mandate_id="m",
        amount_kopecks=1,
        reason="paid",
    ),
    failed("c-2"),
    fact(AutopayExpiring, "autopay_expiring m:2026-12:", mandate_id="m", expires="2026-12"),
    fact(
        MandateRevoked,
        "autopay_off m",
        f"method_removed {SHOP}:v-2",
        revision=1,
        mandate_id="m",
        methods=(MethodName(provider=SHOP, method_ref="v-2"),),
    ),
    fact(
        PaymentMethodSaved,
        f"method_saved {SHOP}:v-1",
        revision=1,
        provider=SHOP,
        method_ref="v-1",
    ),
    removed("removed", f"method_removed {SHOP}:v-1"),
    removed("card_expired", ""),
    fact(
        PaymentMethodRevoked,
        f"method_removed {SHOP}:v-2",
        f"method_saved {SHOP}:v-2",
        revision=2,
        provider=SHOP,
        method_ref="v-2",
    ),
    access(1),
    access(2),
    access(3),
    fact(StatementReady, "statement month:2026-10", month="2026-10", **MONTH),
)


def spoken(facts: Iterable[Fact], contract: str) -> list[Event]:
    """Return events of a contract, each under an id of its own."""
    return [
        one.body.model_copy(update={"contract": contract}).event(
            "core-billing", subject=contract, revision=str(uuid4()), correlation_id="c"
        )
        for one in facts
    ]


def expected(facts: Iterable[Fact]) -> set[tuple[str, str]]:
    """Return what is still to be told once all of it was heard."""
    facts = list(facts)
    told = {one.told for one in facts if one.told and not one.access}
    newest = max(facts, key=lambda one: one.access)
    current = {newest.told} if newest.access and newest.told else set()
    return (told | current) - {key for one in facts for key in one.ends}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_order_leaves_what_is_true(world: World, data: st.DataObject) -> None:
    contract = uuid4().hex
    heard = data.draw(st.lists(st.sampled_from(ALL), min_size=1, max_size=40))
    events = spoken(heard, contract)
    while events:
        size = data.draw(st.integers(1, 12))
        batch, events = events[:size], events[size:]
        assert set(await world.hear(*batch)) == {Outcome.DONE}
    rows = await world.rows(contract=contract, channel="email")
    left = {(row.kind, row.fact) for row in rows if row.state == "new"}
    assert left == expected(heard), left ^ expected(heard)
    ended = [row for row in rows if row.state != "new"]
    assert {row.state for row in ended} <= {"dropped"}
    assert all(row.reason and row.done_at for row in ended)
    assert len(rows) == len({(row.kind, row.fact) for row in rows})


async def test_all_at_once_tells_each_kind_for_its_time(world: World) -> None:
    """How long each may wait; a charge or a day that comes sooner is the end."""
    wanted = [one for one in ALL if one.told]
    await world.hear(*spoken(wanted, "1"))
    ages = {
        row.kind: row.expires_at - NOON for row in await world.rows(contract="1", channel="email")
    }
    fees = fact(
        FeeUpcoming, "fee_upcoming", watcher="notifier", **{**FEES, "fees_on": "2026-11-23"}
    )
    await world.hear(*spoken([fees], "3"))
    midnight = datetime.fromisoformat("2026-11-23T00:00:00+03:00")
    assert (await world.row(contract="3", channel="email")).expires_at == midnight
    for kind in ("payment", "autopay_done", "payment_annulled", "refund", "autopay_off"):
        assert ages[kind] == 3 * DAY, kind
    for kind in ("low_balance", "fee_upcoming", "promise_granted", "autopay_before", "blocked"):
        assert ages[kind] == DAY, kind
    assert ages["statement"] == ages["autopay_expiring"] == 7 * DAY
    soon = upcoming("c-3", charge_at=NOON + DAY / 2)
    await world.hear(*spoken([soon], "2"))
    assert (await world.row(fact="c-3", channel="email")).expires_at == NOON + DAY / 2


async def test_links_are_sealed_where_facts_wait(world: World) -> None:
    await world.hear(*spoken([upcoming("c-1")], "1"))
    row = await world.row(channel="email")
    assert "token=abc" not in row.facts
    facts = read("autopay_before", row.facts, world.vault.decrypt)
    assert getattr(facts, "skip_url", "") == LINK
    assert shown(f"Не в этот раз: {LINK}\n") == f"Не в этот раз: {LINK[:-3]}…\n"


async def test_what_names_no_contract_is_poison_or_tells_nobody(world: World) -> None:
    for one in ALL:
        if one.told or one.ends:
            nobody = one.body.model_copy(update={"contract": None})
            event = nobody.event("core-billing", subject="", revision="1", correlation_id="c")
            refund = isinstance(one.body, RefundPosted)
            assert await world.hear(event) == [Outcome.DONE if refund else Outcome.POISON], one
    assert await world.rows() == []
