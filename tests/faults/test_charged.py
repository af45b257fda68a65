"""The rules of autopay judge the run, so each is tried on charges that break it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from faults import charged
from faults.charged import Asked, Made
from faults.mandates import End, Wish
from faults.orders import Fate, Order
from faults.tables import SqliteTables
from simulators.store import Store
from simulators.yookassa import payment

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIRST = Order(-1, 0.0, "save", "8001", 1_500, Fate.PAID, 0.0, (), False)
WISHES = [Wish("8001", 0, FIRST, 1_234, 3_000, 2_500, (), End.KEPT, 0.0)]


def asked(number: int, at: float, end: float | None, state: str = "succeeded") -> Asked:
    moment = AT + at * SECOND
    ended = None if end is None else AT + end * SECOND
    return Asked(f"c-{number}", "8001", state, 1_234, moment, moment, ended, "m-1")


def made(number: int, at: float, status: str = "succeeded") -> Made:
    return Made(f"p-{number}", f"c-{number}", status, 1_234, AT + at * SECOND)


ASKED = [asked(1, 0, 3), asked(2, 5, 6, "failed")]
MADE = [made(1, 1), made(2, 5.5, "canceled")]


def test_right_charges_have_no_faults() -> None:
    assert charged.once(MADE) == []
    assert charged.wanted(MADE, ASKED, WISHES) == []
    assert charged.one_at_a_time(MADE, ASKED) == []
    assert charged.after_refusal(ASKED, {"8001": AT + 5 * SECOND}) == []
    assert charged.after_removal(MADE, ASKED, {"m1": AT}) == []
    assert charged.capped(MADE, ASKED, WISHES) == []
    assert charged.ended(MADE, ASKED) == []
    assert charged.waiting(ASKED, AT) == {}


def test_a_charge_that_was_made_twice_is_found() -> None:
    twice = replace(MADE[0], payment_id="p-9")
    assert charged.once([*MADE, twice]) == ["charge c-1: made 2 times: p-1, p-9"]


def test_a_charge_that_nobody_has_asked_for_is_found() -> None:
    nobody = ["charge c-2: made, and nobody has asked for it"]
    assert charged.wanted(MADE, ASKED[:1], WISHES) == nobody
    dropped = replace(ASKED[1], requested_at=None, state="dropped")
    assert charged.wanted(MADE, [ASKED[0], dropped], WISHES) == nobody


def test_another_sum_or_another_contract_is_found() -> None:
    more = replace(MADE[0], kopecks=1_235)
    (found,) = charged.wanted([more], ASKED, WISHES)
    assert found == "charge c-1: 1235 kopecks were taken, 1234 of 8001 were asked for"
    stranger = replace(ASKED[0], contract="8002")
    assert len(charged.wanted(MADE[:1], [stranger], WISHES)) == 1


def test_two_charges_in_flight_are_found() -> None:
    (found,) = charged.one_at_a_time(MADE, [asked(1, 0, 7), ASKED[1]])
    assert found == "8001: c-1 was in flight when c-2 was asked for"
    assert len(charged.one_at_a_time(MADE, [asked(1, 0, None, "requested"), ASKED[1]])) == 1
    elsewhere = replace(ASKED[1], contract="8002")
    assert charged.one_at_a_time(MADE, [asked(1, 0, 7), elsewhere]) == []


def test_a_charge_that_is_made_after_its_end_was_heard_of_is_found() -> None:
    (found,) = charged.one_at_a_time([made(1, 4), MADE[1]], ASKED)
    assert found == "8001: c-1 was made after its end had been heard of"


def test_a_charge_after_the_refusal_is_found() -> None:
    (found,) = charged.after_refusal(ASKED, {"8001": AT + 4.9 * SECOND})
    assert found.startswith("8001: c-2 was asked for at ")
    assert charged.after_refusal(ASKED, {"8002": AT}) == []


def test_a_charge_of_a_removed_card_is_found_but_for_what_had_left() -> None:
    late = [*MADE, made(3, 6.1)]
    known = [*ASKED, asked(3, 6, 6.5)]
    (found,) = charged.after_removal(late, known, {"m1": AT})
    assert found.startswith("charge c-3: made at ")
    assert charged.after_removal(late, known, {"m2": AT}) == []


def test_more_than_the_cap_of_a_month_is_found() -> None:
    three = [made(n, n) for n in (1, 2, 3)]
    rows = [asked(n, n - 0.5, n + 0.2) for n in (1, 2, 3)]
    (found,) = charged.capped(three, rows, WISHES)
    assert found == "8001: 3702 kopecks charged in 2026-11, the cap is 2500"
    # In Moscow December begins three hours earlier.
    december = datetime(2026, 11, 30, 21, 1, tzinfo=UTC)
    assert charged.capped(three, [*rows[:2], replace(rows[2], requested_at=december)], WISHES) == []


def test_an_outcome_that_differs_or_is_missing_is_found() -> None:
    wrong = [replace(ASKED[0], state="failed"), replace(ASKED[1], state="requested")]
    assert charged.ended(MADE, wrong) == [
        "charge c-1: succeeded at the provider, failed with autopay",
        "charge c-2: failed at the provider, requested with autopay",
    ]
    assert charged.ended([], [replace(ASKED[0], state="unclear"), asked(3, 0, 1)]) == [
        "charge c-1: still unclear, and never made",
        "charge c-3: succeeded, and the provider does not know it",
    ]
    assert charged.ended([made(1, 0, "pending")], ASKED[:1]) != []


def test_what_is_in_flight_or_comes_soon_is_waited_for() -> None:
    flying = replace(ASKED[0], state="requested")
    soon = replace(ASKED[1], state="planned", charge_at=AT + 30 * SECOND)
    tomorrow = replace(soon, charge_at=AT + timedelta(days=1))
    assert charged.waiting([flying, soon, tomorrow], AT) == {
        "charges in flight": 1,
        "charges to be made soon": 1,
    }


async def test_charges_are_read_from_both_sides(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "sandbox.db"), (payment.SCHEMA,))
    for number, metadata in enumerate(({}, {"charge_id": "c-1"}), 1):
        new = payment.Payment(
            id=f"p-{number}",
            status="succeeded",
            amount_kopecks=1_234,
            test=False,
            capture=True,
            created_at=round(AT.timestamp() * 1000),
            metadata=metadata,
            shop_id="1",
            account_id="1",
            gateway_id="1",
            currency="RUB",
        )
        payment.save(store, new)
    store.close()
    found = charged.made(tmp_path / "sandbox.db")
    assert found == [Made("p-2", "c-1", "succeeded", 1_234, AT)]
    with sqlite3.connect(tmp_path / "autopay.db") as opened:
        opened.executescript(
            "CREATE TABLE charge (id, contract, state, amount_kopecks, charge_at, requested_at,"
            " concluded_at, method_ref, reason); INSERT INTO charge VALUES ('c-1', '8001',"
            " 'requested', 1234, '2026-11-29 12:00:00.000000', NULL, NULL, 'm-1', '')"
        )
    known_rows = await charged.asked(SqliteTables(tmp_path))
    assert known_rows == [Asked("c-1", "8001", "requested", 1_234, AT, method_ref="m-1")]
