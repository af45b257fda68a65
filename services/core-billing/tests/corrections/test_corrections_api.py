"""Corrections by managers: every action, every refusal, and what a payment's revisions show."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core_billing import contracts, correction_acts, correction_rules, corrections, refunds
from core_billing.correction_rules import Action, Wish
from core_billing.revisions import By
from shared.db import transaction
from shared.money import Money
from shared.outbox import Producer
from shared.topology import Topology

ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize(
    "db", [pytest.param("postgres", marks=ON_POSTGRES)], indirect=True
)
WHY = "ошибка кассира"


def wish(action: str, **more: Any) -> dict[str, Any]:
    """Return the body of a correction."""
    return {"action": action, "reason": WHY, **more}


async def test_every_action_makes_one_more_revision(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    one = await take("p1", 10_000, "A")
    path = f"/payments/{one}/corrections"
    for body, shares, balances in (
        (wish("move", contract="B"), [("B", "100.00")], {"A": 0, "B": 10_000}),
        (wish("amount", amount="1 250,50"), [("B", "1250.50")], {"A": 0, "B": 125_050}),
        (wish("annul", contract=None, amount=None), [], {"A": 0, "B": 0}),
        (wish("restore", contract=None), [("B", "1250.50")], {"A": 0, "B": 125_050}),
        (wish("move", contract=None), [(None, "1250.50")], {"A": 0, "B": 0}),
        (wish("move", contract="A"), [("A", "1250.50")], {"A": 125_050, "B": 0}),
        (wish("annul"), [], {"A": 0, "B": 0}),
        (wish("restore", contract="B"), [("B", "1250.50")], {"A": 0, "B": 125_050}),
    ):
        status, check = await call("POST", f"{path}/check", body)
        assert (status, check["allowed"]) == (200, True), check
        status, made = await call("POST", path, body)
        assert status == 201, made
        assert made == check["result"]
        assert [(s["contract"], s["amount"]) for s in made["shares"]] == shares
        assert (made["id"], made["action"], made["manager"]) == (str(one), body["action"], "anna")
        assert made["reason"] == WHY
        assert await books.balances() == balances
        told = {b["contract"]: Money.parse(b["balance"]).kopecks for b in made["balances"]}
        assert told.items() <= balances.items()
    status, chain = await call("GET", f"/payments/{one}/revisions", token="reader")
    assert status == 200
    assert [r["number"] for r in chain["items"]] == list(range(1, 10))
    assert [r["amount"] for r in chain["items"]] == [
        *("100.00", "100.00", "1250.50", "0.00", "1250.50", "1250.50", "1250.50", "0.00"),
        "1250.50",
    ]
    assert (chain["amount"], chain["annulled"], chain["source"]) == ("1250.50", False, "cash:anna")
    moved = chain["items"][1]["postings"]
    assert [(p["debit"], p["credit"], p["reverses"]) for p in moved] == [
        ("contract:A", "cash:anna", True),
        ("cash:anna", "contract:B", False),
    ]
    assert (await books.proof()).faults == []


@on_sqlite
async def test_an_annulment_is_said_of_each_contract(books: Any, take: Any) -> None:
    await books.open("A", "B")
    one = await take("p1", 100, "A")
    signer = books.core.rules.producer.signer
    heard = Producer("core-billing", Topology(frozenset({"autopay"})), signer)
    rules = replace(books.core.rules, producer=heard)
    by = By("anna", books.clock(), "c-1")
    async with transaction(books.db) as tx:
        await corrections.correct(tx, ("cash:anna", "p1"), 1, [("A", 60), ("B", 40)], books.clock())
        annul = Wish(Action.ANNUL, WHY)
        await correction_acts.correct(tx, rules, ("cash:anna", "p1"), 2, annul, by)
    said = await books.said("payment.annulled")
    assert [(e["subject"], e["data"]["amount_kopecks"]) for e in said] == [("A", 60), ("B", 40)]
    for event in said:
        assert event["data"]["balance_kopecks"] == 0
        assert event["data"]["payment_id"] == str(one)
        assert event["data"]["provider"] == "cash:anna"
        assert event["correlationid"] == "c-1"


@on_sqlite
async def test_a_check_leaves_everything_as_it_was(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    one = await take("p1", 100, "A")
    lines = await books.lines()
    for body in (wish("annul"), wish("move", contract="B"), wish("move", contract="A")):
        assert (await call("POST", f"/payments/{one}/corrections/check", body))[0] == 200
    assert await books.lines() == lines


@on_sqlite
async def test_any_revision_names_its_payment(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    one = await take("p1", 100, "A")
    await call("POST", f"/payments/{one}/corrections", wish("annul"))
    newest = (await books.lines())[-1]
    assert newest[1] == 2
    status, chain = await call("GET", f"/payments/{one + 1}/revisions")
    assert (status, chain["id"], chain["annulled"]) == (200, str(one), True)
    made = await call("POST", f"/payments/{one + 1}/corrections", wish("restore"))
    assert (made[0], made[1]["id"], made[1]["revision"]) == (201, str(one), 3)


@on_sqlite
async def test_a_providers_payment_is_moved_and_put_to_suspense(
    call: Any, books: Any, take: Any
) -> None:
    await books.open("A", "B")
    one = await take("p1", 500, "nobody", source="payment:yookassa:1")
    path = f"/payments/{one}/corrections"
    assert (await call("POST", path, wish("move", contract="A")))[0] == 201
    assert (await call("POST", path, wish("move", contract="B")))[0] == 201
    assert (await call("POST", path, wish("move", contract=None)))[0] == 201
    assert await books.balances() == {"A": 0, "B": 0}
    chain = (await call("GET", f"/payments/{one}/revisions"))[1]
    assert chain["items"][0]["manager"] is None
    assert [s["contract"] for r in chain["items"] for s in r["shares"]] == [None, "A", "B", None]


REFUSED: list[tuple[dict[str, Any], int, str | None]] = [
    (wish("annul") | {"reason": ""}, 422, "reason_missing"),
    ({"action": "annul"}, 422, "reason_missing"),
    (wish("annul") | {"reason": "  "}, 422, "reason_missing"),
    (wish("annul") | {"reason": "x" * 251}, 422, None),
    (wish("move"), 422, "contract_missing"),
    (wish("annul", contract="B"), 422, "contract_not_asked"),
    (wish("amount", amount="1", contract="B"), 422, "contract_not_asked"),
    (wish("move", contract="B", amount="1"), 422, "amount_not_asked"),
    (wish("amount"), 422, "amount_missing"),
    (wish("amount", amount="0"), 422, "amount_zero"),
    (wish("amount", amount="-1"), 422, "amount_negative"),
    (wish("amount", amount="1,250"), 422, "amount_ambiguous"),
    (wish("amount", amount="1.00"), 422, "nothing_changes"),
    (wish("move", contract="A"), 422, "same_contract"),
    (wish("move", contract="nobody"), 422, "contract_unknown"),
    (wish("move", contract="C"), 422, "contract_closed"),
    (wish("restore"), 409, "not_annulled"),
    (wish("annul", revision=7), 409, "changed_meanwhile"),
]


@on_sqlite
async def test_what_is_refused(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B", "C")
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "C", False, books.clock(), "")
    one = await take("p1", 100, "A")
    path = f"/payments/{one}/corrections"
    for body, status, code in REFUSED:
        refused = await call("POST", path, body)
        assert (refused[0], refused[1].get("code")) == (status, code), (body, refused)
        assert refused[1]["detail"]
        if code not in (None, "amount_ambiguous"):
            checked = await call("POST", f"{path}/check", body)
            assert checked[0] == 200
            assert (checked[1]["allowed"], checked[1]["code"]) == (False, code)
            assert checked[1]["detail"] == refused[1]["detail"]
    assert await books.balances() == {"A": 100, "B": 0, "C": 0}


@on_sqlite
async def test_an_unknown_payment(call: Any, books: Any) -> None:
    for named in ("1", "x", "0", "9" * 19, "%F0%9F%92%A5"):
        refused = await call("POST", f"/payments/{named}/corrections", wish("annul"))
        assert (refused[0], refused[1]["code"]) == (404, "payment_unknown")
        refused = await call("GET", f"/payments/{named}/revisions")
        assert (refused[0], refused[1]["code"]) == (404, "payment_unknown")


@on_sqlite
async def test_an_annulled_one_is_not_annulled_or_moved_again(
    call: Any, books: Any, take: Any
) -> None:
    await books.open("A", "B")
    one = await take("p1", 100, "A")
    path = f"/payments/{one}/corrections"
    await call("POST", path, wish("annul"), token="boris")
    for body in (wish("annul"), wish("move", contract="B"), wish("amount", amount="5")):
        status, refused = await call("POST", path, body)
        assert (status, refused["code"]) == (409, "already_annulled")
        assert "boris" in refused["detail"]
        assert "22.11.2026 15:00" in refused["detail"]


@on_sqlite
async def test_each_right_is_asked_for(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    one = await take("p1", 100, "A")
    path = f"/payments/{one}/corrections"
    for token, body, missing in (
        ("reader", wish("move", contract="B"), "payments:edit"),
        ("reader", wish("amount", amount="2"), "payments:edit"),
        ("editor", wish("annul"), "payments:annul"),
        ("editor", wish("restore"), "payments:annul"),
    ):
        status, refused = await call("POST", path, body, token=token)
        assert (status, refused["code"]) == (403, "right_missing")
        assert missing in refused["detail"]
        checked = await call("POST", f"{path}/check", body, token=token)
        assert (checked[0], checked[1]["code"]) == (200, "right_missing")
    assert (await call("POST", path, wish("move", contract="B"), token="editor"))[0] == 201


FOREIGN = [
    ("payment:x:1", ["annul", "restore", "amount"], "provider_confirmed"),
    ("refund:x:1", ["annul", "move"], "refund_not_corrected"),
    ("refund-request:x:1", ["annul", "move"], "refund_not_corrected"),
    ("fee:internet", ["amount", "move"], "fee_not_corrected"),
    ("opening", ["annul", "move"], "opening_not_corrected"),
    ("distribution", ["annul", "move"], "distribution_not_corrected"),
    ("transfer", ["amount", "move"], "only_annulled"),
    ("write-off", ["amount", "move"], "only_annulled"),
]


@on_sqlite
async def test_what_is_not_the_desks_has_its_own_rule(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    more = {"amount": {"amount": "5"}, "move": {"contract": "B"}}
    for source, actions, code in FOREIGN:
        one = await take(f"of {source}", 100, "A", source=source)
        for action in actions:
            body = wish(action, **more.get(action, {}))
            status, refused = await call("POST", f"/payments/{one}/corrections", body)
            assert (status, refused["code"]) == (409, code), source
    assert await books.balances() == {"A": 100 * len(FOREIGN), "B": 0}


@on_sqlite
async def test_a_refunded_payment_stays(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    one = await take("p1", 100, "A", source="payment:x:1")
    async with transaction(books.db) as tx:
        rules, at = books.core.rules, books.clock()
        await refunds.request_refund(tx, rules, ("payment:x:1", "p1"), 40, "", at)
    status, refused = await call("POST", f"/payments/{one}/corrections", wish("move", contract="B"))
    assert (status, refused["code"]) == (409, "refunded")
    assert "0.40" in refused["detail"]


@on_sqlite
async def test_a_split_payment_is_moved_whole_before_its_sum_is_changed(
    call: Any, books: Any
) -> None:
    await books.open("A", "B", "C")
    await books.arrive(books.paid("p1", 100, ("A", 60), ("B", 40)))
    one = (await call("GET", "/payments?provider_payment_id=p1"))[1]["items"][0]["id"]
    made = await call("POST", f"/payments/{one}/corrections", wish("move", contract="A"))
    assert made[0] == 201
    assert await books.balances() == {"A": 100, "B": 0, "C": 0}


@on_sqlite
async def test_a_split_desk_payment_has_no_single_sum(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    one = await take("p1", 100, "A")
    async with transaction(books.db) as tx:
        shares = [("A", 60), ("B", 40)]
        await corrections.correct(tx, ("cash:anna", "p1"), 1, shares, books.clock())
    path = f"/payments/{one}/corrections"
    status, refused = await call("POST", path, wish("amount", amount="5"))
    assert (status, refused["code"]) == (409, "split_payment")
    assert (await call("POST", path, wish("annul")))[0] == 201
    assert (await call("POST", path, wish("restore")))[0] == 201
    assert await books.balances() == {"A": 60, "B": 40}


@on_sqlite
async def test_settings_forbid(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    one = await take("p1", 100, "A")
    held = await take("s1", 50, "nobody", source="payment:x:1")
    path = f"/payments/{one}/corrections"
    books.clock.advance(timedelta(days=1))
    closed = {"name": "closed_before", "value": "2026-11-23", "operator": "default"}
    assert (await call("POST", "/settings", closed))[0] == 201
    status, refused = await call("POST", path, wish("annul"))
    assert (status, refused["code"]) == (409, "period_closed")
    assert "23.11.2026" in refused["detail"]
    for name, value in (("payment_min", "10"), ("payment_max", "20")):
        await call("POST", "/settings", {"name": name, "value": value})
    for amount, code in (("9.99", "amount_below_min"), ("20.01", "amount_above_max")):
        status, refused = await call("POST", path, wish("amount", amount=amount))
        assert (status, refused["code"]) == (422, code)
    await call("POST", "/settings", {"name": "payments_changeable", "value": False})
    status, refused = await call("POST", path, wish("annul"))
    assert (status, refused["code"]) == (409, "payments_not_changeable")
    # What a provider has confirmed and nobody has placed yet is placed all the same.
    path = f"/payments/{held}/corrections"
    assert (await call("POST", path, wish("move", contract="A")))[0] == 201
    status, refused = await call("POST", path, wish("move", contract="B"))
    assert (status, refused["code"]) == (409, "payments_not_changeable")


@on_sqlite
async def test_what_is_left_in_suspense_is_placed_whatever_is_closed(call: Any, books: Any) -> None:
    await books.open("A", "B", "C")
    await books.arrive(books.paid("p1", 100, ("A", 60), ("nobody", 40)))
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "A", False, books.clock(), "")
    await call("POST", "/settings", {"name": "payments_changeable", "value": False})
    books.clock.advance(timedelta(days=1))
    closed = {"name": "closed_before", "value": "2026-11-23"}
    assert (await call("POST", "/settings", closed))[0] == 201
    one = (await call("GET", "/payments?provider_payment_id=p1"))[1]["items"][0]["id"]
    path = f"/payments/{one}/corrections"
    status, made = await call("POST", path, wish("move", contract="B"))
    assert status == 201, made
    assert [(s["contract"], s["amount"]) for s in made["shares"]] == [("A", "0.60"), ("B", "0.40")]
    status, refused = await call("POST", path, wish("move", contract="C"))
    assert (status, refused["code"]) == (409, "payments_not_changeable")
    assert await books.balances() == {"A": 60, "B": 40, "C": 0}
    assert (await books.proof()).faults == []


@on_sqlite
async def test_suspense_is_no_way_round_a_closed_period(call: Any, books: Any) -> None:
    await books.open(books.asked("A", operator="x"), books.asked("B", operator="y"))
    body = {"contract": "A", "amount": "1", "method": "cash", "receipt_number": "1"}
    status, made = await call("POST", "/payments", body)
    assert status == 201, made
    path = f"/payments/{made['id']}/corrections"
    assert (await call("POST", path, wish("move", contract=None)))[0] == 201
    books.clock.advance(timedelta(days=1))
    closed = {"name": "closed_before", "value": "2026-11-23", "operator": "x"}
    assert (await call("POST", "/settings", closed))[0] == 201
    for body in (wish("annul"), wish("move", contract="B")):
        status, refused = await call("POST", path, body)
        assert (status, refused["code"]) == (409, "period_closed")


@on_sqlite
async def test_a_fee_is_annulled_and_restored(call: Any, books: Any, take: Any) -> None:
    await books.open(books.asked("A", "100.00"))
    one = await take("7:2026-11", -6_500, "A", source="fee:internet")
    path = f"/payments/{one}/corrections"
    for action, balance in (("annul", 10_000), ("restore", 3_500), ("annul", 10_000)):
        status, made = await call("POST", path, wish(action))
        assert status == 201, made
        assert await books.balances() == {"A": balance}
    await take("7:2026-11", -6_500, "A", source="fee:internet")
    assert await books.balances() == {"A": 10_000}
    assert (await books.proof()).faults == []


@on_sqlite
async def test_a_chain_has_an_end(call: Any, books: Any, take: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(correction_rules, "REVISIONS_MAX", 2)
    await books.open("A", "B")
    one = await take("p1", 100, "A")
    path = f"/payments/{one}/corrections"
    assert (await call("POST", path, wish("move", contract="B")))[0] == 201
    status, refused = await call("POST", path, wish("move", contract="A"))
    assert (status, refused["code"]) == (409, "too_many_revisions")


@on_sqlite
async def test_a_key_keeps_the_first_answer(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    one = await take("p1", 100, "A")
    keyed = {"headers": {"Idempotency-Key": "k-1"}}
    body = wish("move", contract="B")
    first = await call("POST", f"/payments/{one}/corrections", body, **keyed)
    assert first[0] == 201
    assert await call("POST", f"/payments/{one}/corrections", body, **keyed) == first
    assert len((await call("GET", f"/payments/{one}/revisions"))[1]["items"]) == 2


@on_postgres
async def test_of_two_managers_the_second_hears_of_the_first(
    call: Any, books: Any, take: Any
) -> None:
    await books.open("A", "B", "C")
    one = await take("p1", 100, "A")
    path = f"/payments/{one}/corrections"
    answers = await asyncio.gather(
        call("POST", path, wish("move", contract="B", revision=1), token="anna"),
        call("POST", path, wish("move", contract="C", revision=1), token="boris"),
    )
    [won] = [body for status, body in answers if status == 201]
    [lost] = [body for status, body in answers if status == 409]
    assert lost["code"] == "changed_meanwhile"
    assert won["manager"] in lost["detail"]
    assert "22.11.2026 15:00" in lost["detail"]
    where = won["shares"][0]["contract"]
    assert await books.balances() == {"A": 0, "B": 0, "C": 0} | {where: 100}
    chain = (await call("GET", f"/payments/{one}/revisions"))[1]["items"]
    assert [(r["number"], r["manager"]) for r in chain][-1] == (2, won["manager"])
    assert (await books.proof()).faults == []
