"""Saved methods: kept with consent only, removed for good, never shown with their token."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from shared.db import reading, transaction
from shared.errors import Invalid
from shared.gateway import (
    callbacks,
    methods,
    methods_rules,
    methods_saving,
    methods_work,
    payments,
)
from shared.gateway.consent import Consent
from shared.gateway.method import MethodStatus
from shared.gateway.methods import payment_method
from shared.gateway.methods_stop import stop_link
from shared.gateway.provider import Missing, Refused, Status, Throttled, Unclear
from shared.gateway.terms import Terms
from shared.gateway.work import SCHEMAS
from shared.money import Money

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def terms() -> Terms:
    return Terms(Money(100), Money(35_000_000), saves=True)


def _consent(stand: Any) -> Consent:
    return Consent("2026-11", stand.clock(), "203.0.113.7", "demo")


async def _saved(stand: Any, **more: Any) -> Any:
    """Make a payment that saves its method, and return the method."""
    begun = await stand.wish(consent=_consent(stand), **more)
    provider_id = begun.payment.provider_payment_id
    stand.provider.save(provider_id)
    await stand.callback(provider_id)
    return await stand.method(methods.id_of(begun.payment.id))


async def test_a_method_is_saved_with_its_payment_and_said_once(stand: Any) -> None:
    method = await _saved(stand)
    assert (method.status, method.contract) == (MethodStatus.ACTIVE, "100245")
    assert (method.title, method.expires) == ("Visa •4477", "2028-07")
    assert method.consent == _consent(stand)
    (event,) = await stand.said("payment_method.saved")
    assert (event.subject, event.revision, event.data["method_ref"]) == (
        str(method.id),
        "1",
        str(method.id),
    )
    assert event.data["title"] == "Visa •4477"


async def test_the_request_asks_for_saving_only_with_consent(stand: Any) -> None:
    await stand.wish()
    await stand.wish(consent=_consent(stand))
    assert [b'"save":true' in request for _, request in stand.provider.sent] == [False, True]


async def test_without_consent_of_ours_nothing_is_saved(stand: Any) -> None:
    """The payer may tick a box on the provider's own page; nobody told us what it said."""
    begun = await stand.wish()
    stand.provider.save(begun.payment.provider_payment_id)
    await stand.callback(begun.payment.provider_payment_id)
    assert (await stand.payment(begun.payment.id)).status is Status.SUCCEEDED
    assert await stand.rows(payment_method) == []
    assert await stand.said("payment_method.saved") == []


async def test_only_what_was_saved_counts(stand: Any) -> None:
    begun = await stand.wish(consent=_consent(stand))
    stand.provider.pay(begun.payment.provider_payment_id)
    await stand.callback(begun.payment.provider_payment_id)
    assert await stand.rows(payment_method) == []


async def test_a_held_payment_saves_nothing(stand: Any) -> None:
    begun = await stand.wish(consent=_consent(stand))
    stand.provider.save(begun.payment.provider_payment_id)
    stand.provider.change(begun.payment.provider_payment_id, test=True)
    await stand.callback(begun.payment.provider_payment_id)
    assert await stand.rows(payment_method) == []


async def test_a_shop_that_saves_nothing_refuses_the_wish(
    stand: Any, make_stand: Any, db: Any
) -> None:
    terms = {name: replace(said, saves=False) for name, said in stand.gateway.terms.items()}
    other = make_stand(db, stand.provider, terms=terms)
    with pytest.raises(Invalid) as refused:
        await other.wish(consent=_consent(stand))
    assert [field.field for field in refused.value.fields] == ["save_method"]


async def test_one_token_of_two_payments_stays_with_the_first(stand: Any) -> None:
    first = await _saved(stand)
    token = next(iter(stand.provider.kept_methods))
    begun = await stand.wish(consent=_consent(stand), contract="100311")
    stand.provider.save(begun.payment.provider_payment_id, token=token)
    await stand.callback(begun.payment.provider_payment_id)
    assert [row.id for row in await stand.rows(payment_method)] == [first.id]
    assert stand.alarms == ["method_token_taken"]


async def test_row_17_a_removed_method_never_comes_back(stand: Any, caller: Any) -> None:
    """A later callback, the same payment told again, a lost answer: it stays removed."""
    method = await _saved(stand)
    (token,) = stand.provider.kept_methods
    row = (await stand.rows(payments.payment))[0]
    await caller.post({}, path=f"/v1/methods/{method.id}/remove")
    for event in ("payment.succeeded", "payment.succeeded.again"):
        await stand.callback(row.provider_payment_id, event=event)
    assert await caller.call(b'{"id":"%s","event":"payment_method.active"}' % token.encode()) == 200
    await stand.pass_time(HOUR)
    gone = await stand.method(method.id)
    assert (gone.status, gone.reason) == (MethodStatus.REMOVED, "removed")
    assert len(await stand.rows(payment_method)) == 1
    assert len(await stand.said("payment_method.saved")) == 1
    (revoked,) = await stand.said("payment_method.revoked")
    assert (revoked.revision, revoked.data["reason"]) == ("2", "removed")


async def test_a_payment_seen_for_the_first_time_after_removal_saves_no_second(stand: Any) -> None:
    """Its row is restored from a backup of before the success: the tombstone still holds."""
    method = await _saved(stand)
    await _remove(stand, method.id)
    async with stand.gateway.db.engine.begin() as tx:
        again = payments.payment.update().values(status="pending", due_at=stand.clock())
        await tx.execute(again)
    await stand.settle()
    assert (await stand.method(method.id)).status is MethodStatus.REMOVED
    assert len(await stand.rows(payment_method)) == 1


async def test_a_new_consent_makes_a_method_of_its_own(stand: Any) -> None:
    """The same card under the same token: the removed method stays removed, the new one lives."""
    first = await _saved(stand)
    (token,) = stand.provider.kept_methods
    await _remove(stand, first.id)
    begun = await stand.wish(consent=_consent(stand))
    stand.provider.save(begun.payment.provider_payment_id, token=token)
    await stand.callback(begun.payment.provider_payment_id)
    second = await stand.method(methods.id_of(begun.payment.id))
    assert second.status is MethodStatus.ACTIVE
    assert (await stand.method(first.id)).status is MethodStatus.REMOVED


async def test_removal_drops_what_could_charge(stand: Any) -> None:
    method = await _saved(stand, contact={"email": "payer@example.org"})
    (row,) = await stand.rows(payment_method)
    (token,) = stand.provider.kept_methods
    assert stand.gateway.vault.decrypt(row.token) == token
    assert "payer@example.org" in stand.gateway.vault.decrypt(row.contact)
    assert row.token_hash in stand.gateway.vault.fingerprints(token)
    await _remove(stand, method.id)
    (row,) = await stand.rows(payment_method)
    assert (row.token, row.contact, row.request) == (None, None, None)
    assert row.token_hash is not None


async def test_no_token_stands_in_clear_anywhere(stand: Any, caller: Any) -> None:
    await _saved(stand)
    (token,) = stand.provider.kept_methods
    await caller.call(b'{"id":"%s","event":"payment_method.active"}' % token.encode())
    async with reading(stand.gateway.db) as tx:
        for schema in SCHEMAS:
            for table in schema.sorted_tables:
                rows = (await tx.execute(select(table))).all()
                assert token not in repr(rows), table.name
    _, listed = await caller.get("", path="/v1/methods?contract=100245")
    assert token not in repr(listed)


async def test_methods_are_listed_for_their_contract(stand: Any, caller: Any) -> None:
    method = await _saved(stand)
    other = await _saved(stand, contract="100311")
    gone = await _saved(stand)
    await _remove(stand, gone.id)
    status, listed = await caller.get("", path="/v1/methods?contract=100245")
    assert (status, [item["id"] for item in listed["items"]]) == (200, [str(method.id)])
    assert listed["items"][0]["consent"]["address"] == "203.0.113.7"
    assert (await caller.get("", path=f"/v1/methods/{gone.id}"))[1]["status"] == "removed"
    assert (await caller.get("", path=f"/v1/methods/{other.id}?contract=100245"))[0] == 404
    assert (await caller.get("", path="/v1/methods"))[0] == 422


async def test_a_method_is_removed_by_its_own_contract_only(stand: Any, caller: Any) -> None:
    method = await _saved(stand)
    path = f"/v1/methods/{method.id}/remove"
    assert (await caller.post({}, path=f"{path}?contract=100311"))[0] == 404
    assert (await stand.method(method.id)).status is MethodStatus.ACTIVE
    first = await caller.post({}, path=f"{path}?contract=100245")
    again = await caller.post({}, path=path)
    assert (first[0], again) == (200, first)
    assert len(await stand.said("payment_method.revoked")) == 1
    assert (await caller.post({}, path=f"/v1/methods/{uuid4()}/remove"))[0] == 404
    assert (await caller.post({}, path="/v1/methods/nonsense/remove"))[0] == 404


async def _remove(stand: Any, method_id: Any) -> None:
    async with transaction(stand.gateway.db) as tx:
        assert await methods_saving.remove(tx, stand.gateway, method_id, stand.clock())


def _link(stand: Any, method_id: Any) -> str:
    return stop_link(stand.gateway, "https://pay.example.org/yookassa/methods/stop", method_id)


@pytest.mark.parametrize(
    ("language", "button", "stopped"),
    [("ru", "Остановить и удалить", "Остановлено"), ("en", "Stop and remove", "Stopped")],
)
async def test_the_stop_button_works_without_a_session_and_twice(
    stand: Any, caller: Any, language: str, button: str, stopped: str
) -> None:
    method = await _saved(stand)
    link = _link(stand, method.id)
    status, page = await caller.browse("GET", link, language)
    assert (status, "Visa •4477" in page, button in page) == (200, True, True)
    assert (await stand.method(method.id)).status is MethodStatus.ACTIVE, "looking changes nothing"
    for _ in range(2):
        status, page = await caller.browse("POST", link, language)
        assert (status, stopped in page, button in page) == (200, True, False)
        assert (await stand.method(method.id)).status is MethodStatus.REMOVED
    assert len(await stand.said("payment_method.revoked")) == 1


async def test_a_forged_or_foreign_stop_link_opens_nothing(stand: Any, caller: Any) -> None:
    method = await _saved(stand)
    link = _link(stand, method.id)
    assert (await caller.browse("POST", link[:-2] + "00"))[0] == 403
    assert (await caller.browse("POST", _link(stand, uuid4())))[0] == 404
    assert (await caller.browse("POST", link.split("?")[0]))[0] == 403
    assert (await stand.method(method.id)).status is MethodStatus.ACTIVE


async def test_a_stop_link_outlives_a_letter(stand: Any, caller: Any) -> None:
    method = await _saved(stand)
    link = _link(stand, method.id)
    stand.clock.advance(timedelta(days=3000))
    assert (await caller.browse("POST", link))[0] == 200


BINDING = {
    "contract": "100245",
    "kind": "bank_card",
    "return_url": "https://pay.example.org/back",
    "consent": {"version": "2026-11", "address": "203.0.113.7"},
}


async def _bind(stand: Any, caller: Any, **more: Any) -> tuple[int, Any]:
    await stand.know("100245")
    answer: tuple[int, Any] = await caller.post({**BINDING, **more}, path="/v1/methods")
    return answer


async def test_a_binding_is_active_only_after_asking(stand: Any, caller: Any) -> None:
    status, made = await _bind(stand, caller)
    assert (status, made["status"]) == (201, "pending")
    assert made["confirmation_url"] == "https://pay.example/bind/0"
    (token,) = stand.provider.kept_methods
    lie = b'{"id":"%s","event":"payment_method.active"}' % token.encode()
    assert await caller.call(lie) == 200
    await stand.settle()
    _, still = await caller.get("", path=f"/v1/methods/{made['id']}")
    assert still["status"] == "pending"
    stand.provider.confirm(token)
    assert await caller.call(lie) == 200
    await stand.settle()
    _, done = await caller.get("", path=f"/v1/methods/{made['id']}")
    assert (done["status"], done["title"], done["confirmation_url"]) == (
        "active",
        "Мир •0004",
        None,
    )
    assert len(await stand.said("payment_method.saved")) == 1
    assert await stand.rows(callbacks.callback) == [], "a token would stand there in clear"


async def test_a_lost_callback_costs_a_binding_one_poll(stand: Any, caller: Any) -> None:
    _, made = await _bind(stand, caller)
    (token,) = stand.provider.kept_methods
    stand.provider.confirm(token)
    await stand.pass_time(2 * MINUTE)
    assert (await caller.get("", path=f"/v1/methods/{made['id']}"))[1]["status"] == "active"


async def test_a_binding_nobody_confirms_ends_within_its_hour(stand: Any, caller: Any) -> None:
    """The provider has no event for that, so the polling finds it; then nobody asks any more."""
    _, made = await _bind(stand, caller)
    (token,) = stand.provider.kept_methods
    for _ in range(75):
        await stand.pass_time(MINUTE)
    asked = len(stand.provider.asked)
    stand.provider.confirm(token)
    await stand.pass_time(HOUR)
    _, done = await caller.get("", path=f"/v1/methods/{made['id']}")
    assert (done["status"], done["reason"]) == ("inactive", "expired")
    assert len(stand.provider.asked) == asked
    assert await stand.said("payment_method.revoked") == [], "nobody had heard of it"


async def test_a_binding_that_its_provider_ends_is_inactive(stand: Any, caller: Any) -> None:
    _, made = await _bind(stand, caller)
    (token,) = stand.provider.kept_methods
    stand.provider.confirm(token, status=MethodStatus.INACTIVE)
    await stand.pass_time(2 * MINUTE)
    assert (await caller.get("", path=f"/v1/methods/{made['id']}"))[1]["status"] == "inactive"


async def test_an_unclear_binding_is_asked_for_with_the_same_bytes(stand: Any, caller: Any) -> None:
    stand.provider.binds = ["lost", Throttled(), Unclear("timeout")]
    status, made = await _bind(stand, caller)
    assert (status, made["confirmation_url"]) == (202, None)
    for _ in range(4):
        await stand.pass_time(MINUTE)
    assert (await caller.get("", path=f"/v1/methods/{made['id']}"))[1]["status"] == "pending"
    assert len(set(stand.provider.sent)) == 1
    assert len(stand.provider.bound) == 1


async def test_a_refused_binding_says_why(stand: Any, caller: Any) -> None:
    stand.provider.binds = [Refused("forbidden", ours=True)]
    status, made = await _bind(stand, caller)
    assert (status, made["status"], made["reason"]) == (201, "inactive", "forbidden")
    assert stand.alarms == ["provider_refuses_us", "charging_paused"]
    status, told = await _bind(stand, caller)
    assert (status, "paused" in told["detail"]) == (503, True), "nobody is led to be refused again"


async def _nudged(stand: Any, caller: Any) -> None:
    """Tell the gateway that its provider knows more of the one method there is."""
    (token,) = stand.provider.kept_methods
    assert await caller.call(b'{"id":"%s","event":"payment_method.active"}' % token.encode()) == 200
    await stand.settle()


async def test_a_method_revoked_in_the_payer_s_bank_is_revoked_here(
    stand: Any, caller: Any
) -> None:
    method = await _saved(stand)
    (token,) = stand.provider.kept_methods
    stand.provider.confirm(token, status=MethodStatus.INACTIVE)
    for _ in range(2):
        await _nudged(stand, caller)
    gone = await stand.method(method.id)
    assert (gone.status, gone.reason) == (MethodStatus.INACTIVE, "refused")
    (said,) = await stand.said("payment_method.revoked")
    assert (said.data["method_ref"], said.data["reason"]) == (str(method.id), "refused")
    assert stand.provider.asked.count(token) == 1, "what has ended is not asked about any more"


async def test_a_method_that_still_works_goes_on(stand: Any, caller: Any) -> None:
    method = await _saved(stand)
    (token,) = stand.provider.kept_methods
    await _nudged(stand, caller)
    assert stand.provider.asked.count(token) == 1
    assert await stand.method(method.id) == method
    await stand.pass_time(HOUR)
    assert stand.provider.asked.count(token) == 1
    assert await stand.said("payment_method.revoked") == []


@pytest.mark.parametrize(
    ("doubt", "alarm"),
    [
        (Unclear("timeout"), None),
        (Throttled(), None),
        (Missing(), "method_vanished"),
        (Refused("invalid_request"), None),
        (Refused("forbidden", ours=True), "provider_refuses_us"),
    ],
)
async def test_only_a_clear_word_ends_an_active_method(
    stand: Any, caller: Any, doubt: Any, alarm: str | None
) -> None:
    """Its binding's term is long over, and it is still active."""
    method = await _saved(stand)
    stand.clock.advance(100 * HOUR)
    stand.provider.fetches = [doubt]
    await _nudged(stand, caller)
    assert await stand.method(method.id) == method
    assert (alarm in stand.alarms) == (alarm is not None)
    assert await stand.said("payment_method.revoked") == []


async def test_an_unclear_word_about_an_active_method_is_asked_for_again(
    stand: Any, caller: Any
) -> None:
    method = await _saved(stand)
    (token,) = stand.provider.kept_methods
    stand.provider.confirm(token, status=MethodStatus.INACTIVE)
    stand.provider.fetches = [Unclear("timeout"), Throttled()]
    await _nudged(stand, caller)
    assert (await stand.method(method.id)).status is MethodStatus.ACTIVE
    for _ in range(2):
        await stand.pass_time(MINUTE)
    assert (await stand.method(method.id)).status is MethodStatus.INACTIVE
    assert stand.provider.asked.count(token) == 3


async def test_an_active_method_is_not_asked_about_for_ever(stand: Any, caller: Any) -> None:
    method = await _saved(stand)
    (token,) = stand.provider.kept_methods
    stand.provider.fetches = [Unclear("timeout")] * 100
    await _nudged(stand, caller)
    for _ in range(30):
        await stand.pass_time(MINUTE)
    assert stand.provider.asked.count(token) == methods_work.ASKS_MAX
    assert (await stand.method(method.id)).status is MethodStatus.ACTIVE


async def test_a_method_whose_term_as_a_binding_is_over_stays_active(
    stand: Any, caller: Any
) -> None:
    _, made = await _bind(stand, caller)
    (token,) = stand.provider.kept_methods
    stand.provider.confirm(token)
    await _nudged(stand, caller)
    stand.clock.advance(100 * HOUR)
    stand.provider.confirm(token, status=MethodStatus.PENDING)
    await _nudged(stand, caller)
    _, still = await caller.get("", path=f"/v1/methods/{made['id']}")
    assert still["status"] == "active"


async def test_a_binding_that_vanished_is_over(stand: Any, caller: Any) -> None:
    _, made = await _bind(stand, caller)
    stand.provider.fetches = [Missing()]
    await stand.pass_time(2 * MINUTE)
    _, done = await caller.get("", path=f"/v1/methods/{made['id']}")
    assert (done["status"], stand.alarms) == ("inactive", ["method_vanished"])


async def test_a_binding_removed_while_it_waits_stays_removed(stand: Any, caller: Any) -> None:
    _, made = await _bind(stand, caller)
    (token,) = stand.provider.kept_methods
    await caller.post({}, path=f"/v1/methods/{made['id']}/remove")
    stand.provider.confirm(token)
    await caller.call(b'{"id":"%s","event":"payment_method.active"}' % token.encode())
    await stand.pass_time(HOUR)
    assert (await caller.get("", path=f"/v1/methods/{made['id']}"))[1]["status"] == "removed"
    assert await stand.said("payment_method.saved") == []


async def test_a_binding_under_a_token_of_another_method_ends(stand: Any, caller: Any) -> None:
    """The provider knows a card again: the first method keeps it, the second asks no more."""
    first = await _saved(stand)
    (kept,) = stand.provider.kept_methods.values()
    stand.provider.binds = [kept] * 9
    _, made = await _bind(stand, caller)
    await stand.pass_time(10 * MINUTE)
    second = await stand.method(UUID(made["id"]))
    assert (second.status, second.reason) == (MethodStatus.INACTIVE, "token_taken")
    assert (await stand.method(first.id)).status is MethodStatus.ACTIVE
    (row,) = [row for row in await stand.rows(payment_method) if row.id == second.id]
    assert (row.token, row.token_hash, row.due_at, row.attempts) == (None, None, None, 1)
    assert stand.alarms == ["method_token_taken"]


@pytest.mark.parametrize("way", ["payment", "binding"])
async def test_what_its_provider_had_ended_can_be_saved_again(
    stand: Any, caller: Any, way: str
) -> None:
    first = await _saved(stand)
    (kept,) = stand.provider.kept_methods.values()
    async with transaction(stand.gateway.db) as tx:
        known = await methods.lock(tx, first.id)
        assert known is not None
        await methods.write(tx, methods_rules.ended(known, "card_expired", stand.clock()).method)
    if way == "payment":
        begun = await stand.wish(consent=_consent(stand))
        stand.provider.save(begun.payment.provider_payment_id, token=kept.token)
        await stand.callback(begun.payment.provider_payment_id)
        again = methods.id_of(begun.payment.id)
    else:
        stand.provider.binds = [kept]
        _, made = await _bind(stand, caller)
        again = UUID(made["id"])
    assert (await stand.method(again)).status is MethodStatus.ACTIVE
    assert (await stand.method(first.id)).status is MethodStatus.INACTIVE
    assert stand.alarms == []


async def test_a_repeated_key_is_the_same_binding(stand: Any, caller: Any) -> None:
    await stand.know("100245")
    key = {"Idempotency-Key": "bind-1"}
    _, first = await caller.post(BINDING, key, path="/v1/methods")
    _, again = await caller.post(BINDING, key, path="/v1/methods")
    assert first["id"] == again["id"]
    assert len(stand.provider.bound) == 1
    other = {**BINDING, "kind": "sbp"}
    assert (await caller.post(other, key, path="/v1/methods"))[0] == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"contract": "nobody"}, "contract"),
        ({"kind": "cash"}, "kind"),
        ({"return_url": "https://evil.example/"}, "return_url"),
        ({"consent": {"version": ""}}, "consent.version"),
        ({"consent": {"version": "1", "given_at": "2126-01-01T00:00:00Z"}}, "consent.given_at"),
        ({"consent": {"version": "1", "address": "home"}}, "consent.address"),
        ({"consent": None}, "consent"),
    ],
)
async def test_a_wrong_binding_names_its_field(
    stand: Any, caller: Any, change: dict[str, Any], field: str
) -> None:
    status, said = await _bind(stand, caller, **change)
    assert status == 422
    assert [wrong["field"] for wrong in said["errors"]] == [field]
    assert stand.provider.sent == []


async def test_saving_is_asked_for_with_a_payment(stand: Any, caller: Any) -> None:
    await stand.know("100245")
    body = {"contract": "100245", "amount": "650.00", "return_url": "https://pay.example.org/b"}
    consent = {"consent": {"version": "2026-11", "given_at": "2026-11-22T08:59:00Z"}}
    status, made = await caller.post({**body, "save_method": consent})
    assert status == 201
    row = await stand.row(UUID(made["id"]))
    assert Consent.read(row.consent).channel == "demo"
    split = {
        **{name: body[name] for name in ("amount", "return_url")},
        "allocations": [{"contract": "100245", "amount": "650.00"}],
    }
    status, said = await caller.post({**split, "save_method": consent})
    assert (status, [wrong["field"] for wrong in said["errors"]]) == (422, ["save_method"])


async def test_the_same_key_with_another_consent_is_another_request(
    stand: Any, caller: Any
) -> None:
    await stand.know("100245")
    body = {"contract": "100245", "amount": "650.00", "return_url": "https://pay.example.org/b"}
    key = {"Idempotency-Key": "save-1"}
    agreed = {"save_method": {"consent": {"version": "2026-11"}}}
    _, first = await caller.post({**body, **agreed}, key)
    stand.clock.advance(SECOND)
    _, again = await caller.post({**body, **agreed}, key)
    assert first["id"] == again["id"]
    assert (await caller.post(body, key))[0] == 409
