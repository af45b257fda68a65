"""The API as the operator's own systems call it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from shared.db import reading
from shared.outbox_table import outbox

OTHER = {"provider": "yookassa:100500", "method_ref": "m-9"}
SECOND = {"provider": "yookassa:100500", "method_ref": "m-2"}


WRONG: Final[tuple[tuple[dict[str, Any], dict[str, Any]], ...]] = (
    ({"cap": "5.00"}, {"cap": "cap_too_low"}),
    (
        {"trigger": "balance", "days_before": None, "threshold": "2000.01"},
        {"threshold": "threshold_above_cap"},
    ),
    ({"amount": "2000.01"}, {"amount": "amount_above_cap"}),
    ({"amount": "0.50"}, {"amount": "amount_out_of_range"}),
    ({"amount": "-5.00"}, {"amount": "amount_out_of_range"}),
    ({"threshold": "100.00"}, {"threshold": "threshold_not_here"}),
    ({"days_before": None}, {"days_before": "days_before_missing"}),
    (
        {"trigger": "day", "days_before": None},
        {"amount": "amount_missing", "day_of_month": "day_of_month_missing"},
    ),
    ({"timezone": "Europe/Atlantis"}, {"timezone": "timezone_unknown"}),
    ({"days_before": 29}, {"days_before": None}),
    ({"trigger": "moon"}, {"trigger": None}),
    ({"cap": 2000}, {"cap": None}),
    ({"cap": "2000.001"}, {"cap": None}),
    ({"cap": None}, {"cap": None}),
    ({"currency": "USD"}, {"currency": None}),
    ({"consent": None}, {"consent": None}),
    ({"consent": {"version": ""}}, {"consent.version": None}),
    ({"consent": {"version": "1", "given_at": "2027-01-01T00:00:00Z"}}, {"consent.given_at": None}),
    ({"method": {"provider": "yookassa:100500"}}, {"method.method_ref": None}),
    ({"contract": "1002\u000045"}, {"contract": None}),
    ({"surprise": 1}, {"surprise": None}),
)
"""What is changed of good terms, and which field and rule are named then."""


def codes(document: Any) -> dict[str, Any]:
    """Return the wrong fields of a problem document, with the rules that say so."""
    return {one["field"]: one.get("code") for one in document["errors"]}


class TestMaking:
    async def test_a_mandate_is_made_and_says_what_it_comes_to(self, known: Any) -> None:
        made = await known.made()
        assert await known.call("GET", f"/v1/mandates/{made['id']}") == (200, made)
        wanted = {
            "contract": "100245",
            "state": "active",
            "revision": 1,
            "trigger": "fee",
            "days_before": 2,
            "threshold": None,
            "amount": None,
            "cap": "2000.00",
            "currency": "RUB",
            "reserve": None,
            "timezone": "Europe/Moscow",
            "skip_next": False,
            "paused_until": None,
            "charged_this_month": "0.00",
            "left_this_month": "2000.00",
            "next_charge": None,
            "created_at": "2026-11-28T09:00:00Z",
        }
        assert {name: made[name] for name in wanted} == wanted
        assert made["condition"]["ru"] == "за 2 дн. до абонентской платы"
        assert made["condition"]["en"] == "2 day(s) before the fee"

    async def test_its_consent_is_kept_as_the_caller_vouches_for_it(self, known: Any) -> None:
        made = await known.made()
        status, journal = await known.call("GET", f"/v1/mandates/{made['id']}/consents")
        assert (status, journal["contract"]) == (200, "100245")
        [kept] = journal["items"]
        assert (kept["act"], kept["version"], kept["channel"]) == (
            "create",
            "offer-7",
            "api:office",
        )
        assert (kept["at"], kept["address"]) == ("2026-11-28T08:59:00Z", "203.0.113.9")
        assert kept["terms"]["cap_kopecks"] == 200_000
        assert kept["words"] == []
        assert made["consents"] == journal["items"]

    async def test_a_zone_is_the_subscribers_where_nobody_says_another(self, world: Any) -> None:
        await world.contract(timezone="Asia/Kamchatka")
        await world.save()
        assert (await world.made())["timezone"] == "Asia/Kamchatka"

    async def test_the_same_key_makes_one_mandate(self, known: Any) -> None:
        keyed = {"headers": {"Idempotency-Key": "k-1"}}
        first = await known.call("POST", "/v1/mandates", json=known.body(), **keyed)
        assert first[0] == 201
        assert await known.call("POST", "/v1/mandates", json=known.body(), **keyed) == first
        status, said = await known.call(
            "POST", "/v1/mandates", json=known.body(cap="3000.00"), **keyed
        )
        assert (status, said["code"]) == (409, "idempotency_conflict")

    async def test_a_contract_has_one_mandate(self, known: Any) -> None:
        await known.made()
        status, said = await known.call("POST", "/v1/mandates", json=known.body())
        assert (status, said["code"]) == (409, "mandate_exists")

    async def test_an_unknown_and_a_closed_contract_are_refused(self, known: Any) -> None:
        status, said = await known.call("POST", "/v1/mandates", json=known.body(contract="777"))
        assert (status, said["code"]) == (404, "contract_unknown")
        await known.contract("100246", status="closed")
        await known.save("m-3", "100246")
        body = known.body(contract="100246", method={**OTHER, "method_ref": "m-3"})
        status, said = await known.call("POST", "/v1/mandates", json=body)
        assert (status, said["code"]) == (409, "contract_closed")

    async def test_a_method_of_another_contract_is_as_good_as_none(self, known: Any) -> None:
        await known.contract("100246")
        await known.save("m-9", "100246")
        for body in (known.body(method=OTHER), known.body(method={**OTHER, "method_ref": "m-0"})):
            status, said = await known.call("POST", "/v1/mandates", json=body)
            assert (status, codes(said)) == (422, {"method": "method_unknown"})
        status, said = await known.call("POST", "/v1/mandates", json=known.body(reserve=OTHER))
        assert (status, codes(said)) == (422, {"reserve": "reserve_unknown"})

    async def test_terms_that_cannot_be_are_named_by_field_and_rule(self, known: Any) -> None:
        for changed, wrong in WRONG:
            status, said = await known.call("POST", "/v1/mandates", json=known.body(**changed))
            assert (status, codes(said)) == (422, wrong), changed
        assert await known.live() is None

    async def test_the_reserve_is_another_method(self, known: Any) -> None:
        mine = {"provider": "yookassa:100500", "method_ref": "m-1"}
        status, said = await known.call("POST", "/v1/mandates", json=known.body(reserve=mine))
        assert (status, codes(said)) == (422, {"reserve": "reserve_is_method"})
        await known.save("m-2")
        assert (await known.made(reserve=SECOND))["reserve"] == SECOND

    async def test_a_complaint_is_in_the_callers_language(self, known: Any) -> None:
        body, russian = known.body(cap="5.00"), {"headers": {"Accept-Language": "ru"}}
        _, said = await known.call("POST", "/v1/mandates", json=body, **russian)
        assert said["errors"][0]["message"] == "Укажите 10.00 или больше"
        _, said = await known.call("POST", "/v1/mandates", json=body)
        assert said["errors"][0]["message"] == "Give 10.00 or more"

    async def test_a_token_may_do_what_its_scopes_say(self, known: Any) -> None:
        status, said = await known.call("POST", "/v1/mandates", json=known.body(), token="reader")
        assert (status, said["code"]) == (403, "right_missing")
        assert (await known.call("GET", "/v1/mandates", token="reader"))[0] == 200
        assert (await known.call("GET", "/v1/mandates", token="nobody"))[0] == 401


class TestLooking:
    async def test_the_next_charge_is_explained_line_by_line(self, planned: Any) -> None:
        [mandate] = (await planned.call("GET", "/v1/mandates"))[1]["items"]
        _, seen = await planned.call("GET", f"/v1/mandates/{mandate['id']}")
        coming = seen["next_charge"]
        assert (coming["amount"], coming["currency"], coming["on"]) == (
            "779.50",
            "RUB",
            "2026-11-29",
        )
        assert coming["why"]["ru"] == "Чтобы хватило на абонентскую плату 1 декабря 2026."
        assert [line["amount"] for line in coming["lines"]] == ["900.00", "-120.50"]
        assert coming["lines"][0]["en"] == "Home 100, December"
        [charge] = (await planned.call("GET", "/v1/charges"))[1]["items"]
        assert (charge["id"], charge["amount"]) == (coming["id"], "779.50")
        assert (charge["why"], charge["state"]) == ("fee", coming["state"])

    async def test_a_day_of_the_calendar_is_told_before_it_is_planned(self, known: Any) -> None:
        made = await known.made(trigger="day", days_before=None, day_of_month=10, amount="500.00")
        coming = made["next_charge"]
        assert (coming["id"], coming["state"], coming["on"]) == (None, "expected", "2026-12-10")
        assert (coming["amount"], coming["charge_at"], coming["lines"]) == ("500.00", None, [])

    async def test_lists_go_page_by_page_newest_first(self, known: Any) -> None:
        for number in ("1", "2", "3"):
            await known.contract(number)
            await known.save(f"c-{number}", number)
            await known.made(contract=number, method={**OTHER, "method_ref": f"c-{number}"})
            known.clock.advance(timedelta(minutes=1))
        found, cursor = [], ""
        for _ in range(3):
            _, page = await known.call("GET", f"/v1/mandates?limit=1{cursor}")
            found += [one["contract"] for one in page["items"]]
            cursor = f"&cursor={page['next_cursor']}"
        assert (found, page["next_cursor"]) == (["3", "2", "1"], None)
        _, page = await known.call("GET", "/v1/mandates?contract=2&state=active")
        assert [one["contract"] for one in page["items"]] == ["2"]
        _, page = await known.call("GET", "/v1/mandates?state=revoked")
        assert page["items"] == []

    async def test_charges_are_found_by_contract_mandate_and_state(self, planned: Any) -> None:
        mandate = await planned.live()
        for query, count in (
            ("contract=100245", 1),
            ("contract=1", 0),
            (f"mandate={mandate.id}", 1),
            (f"mandate={uuid4()}", 0),
            ("state=succeeded", 0),
        ):
            _, page = await planned.call("GET", f"/v1/charges?{query}")
            assert (len(page["items"]), page["next_cursor"]) == (count, None)

    async def test_a_query_that_cannot_be_is_refused(self, world: Any) -> None:
        queries = ("cursor=x", "cursor=MTIzfDQ1", "limit=0", "limit=201", "state=odd", "odd=1")
        for path in ("/v1/mandates", "/v1/charges"):
            for query in queries:
                status, said = await world.call("GET", f"{path}?{query}")
                assert (status, list(codes(said))) == (422, [query.partition("=")[0]]), query

    async def test_methods_are_those_that_can_be_charged(self, known: Any) -> None:
        await known.save("m-2", title="Мир •0021", expires="2026-12")
        await known.unlink()
        _, found = await known.call("GET", "/v1/methods?contract=100245")
        assert found["items"] == [
            {**SECOND, "title": "Мир •0021", "kind": "bank_card", "expires": "2026-12"}
        ]
        assert (await known.call("GET", "/v1/methods"))[0] == 422
        assert (await known.call("GET", "/v1/methods?contract=1"))[1] == {"items": []}

    async def test_what_is_not_there_is_not_found(self, known: Any) -> None:
        acts = (("GET", "/consents"), ("POST", "/resume"), ("POST", "/skip"), ("POST", "/revoke"))
        for this in (str(uuid4()), "x", "%00", "1" * 500):
            for method, path in (("GET", ""), *acts):
                status, said = await known.call(method, f"/v1/mandates/{this}{path}")
                assert (status, said["code"]) == (404, "mandate_unknown"), this

    async def test_the_document_names_every_address(self, world: Any) -> None:
        _, document = await world.call("GET", "/openapi.json")
        paths = {path.removeprefix("/autopay/v1") for path in document["paths"]}
        acts = {f"/mandates/{{id}}{act}" for act in ("/pause", "/resume", "/skip", "/revoke")}
        assert paths == acts | {
            *("/mandates", "/mandates/{id}", "/mandates/{id}/consents"),
            *("/charges", "/methods"),
        }
        assert (await world.call("GET", "/docs"))[0] == 200


class TestChanging:
    async def test_terms_are_changed_and_the_second_of_two_is_refused(self, known: Any) -> None:
        made = await known.made()
        path, body = f"/v1/mandates/{made['id']}", known.body(contract=None)
        status, now = await known.call("PUT", path, json={**body, "cap": "900.00", "revision": 1})
        assert (status, now["cap"], now["revision"]) == (200, "900.00", 2)
        status, said = await known.call("PUT", path, json={**body, "cap": "800.00", "revision": 1})
        assert (status, said["code"]) == (409, "mandate_changed")
        assert [one["act"] for one in now["consents"]] == ["create", "change"]

    async def test_the_same_change_again_changes_nothing(self, known: Any) -> None:
        made = await known.made()
        path = f"/v1/mandates/{made['id']}"
        body = {**known.body(contract=None, cap="900.00"), "revision": 1}
        first = await known.call("PUT", path, json=body)
        assert await known.call("PUT", path, json=body) == first

    async def test_what_is_changed_obeys_the_same_rules(self, known: Any) -> None:
        made = await known.made()
        path = f"/v1/mandates/{made['id']}"
        body = {**known.body(contract=None), "revision": 1}
        for changed, wrong in (
            ({"cap": "1.00"}, {"cap": "cap_too_low"}),
            ({"method": OTHER}, {"method": "method_unknown"}),
        ):
            status, said = await known.call("PUT", path, json={**body, **changed})
            assert (status, codes(said)) == (422, wrong)
        assert (await known.call("PUT", f"/v1/mandates/{uuid4()}", json=body))[0] == 404

    async def test_a_pause_holds_until_its_day_and_is_safe_to_repeat(self, known: Any) -> None:
        made = await known.made()
        path = f"/v1/mandates/{made['id']}"
        status, paused = await known.call("POST", f"{path}/pause", json={"until": "2026-12-20"})
        assert (status, paused["paused_until"], paused["revision"]) == (200, "2026-12-20", 2)
        again = await known.call("POST", f"{path}/pause", json={"until": "2026-12-20"})
        assert again == (200, paused)
        status, on = await known.call("POST", f"{path}/resume")
        assert (status, on["paused_until"], on["revision"]) == (200, None, 3)
        assert await known.call("POST", f"{path}/resume") == (200, on)

    async def test_a_pause_ends_on_a_day_to_come(self, known: Any) -> None:
        made = await known.made()
        for until, code in (
            ("2026-11-28", "pause_past"),
            ("2020-01-01", "pause_past"),
            ("2028-12-01", "pause_too_long"),
            ("9999-12-31", None),
            ("tomorrow", None),
            (None, None),
        ):
            asked = {"json": {"until": until}}
            status, said = await known.call("POST", f"/v1/mandates/{made['id']}/pause", **asked)
            assert (status, codes(said)) == (422, {"until": code}), until

    async def test_a_charge_is_left_out_once_however_often_it_is_named(self, planned: Any) -> None:
        mandate, charge = await planned.live(), await planned.charge()
        path = f"/v1/mandates/{mandate.id}/skip?charge={charge.id}"
        status, now = await planned.call("POST", path)
        assert (status, now["next_charge"], now["skip_next"]) == (200, None, False)
        assert await planned.call("POST", path) == (200, now)
        gone = await planned.charge()
        assert (gone.id, gone.state, gone.reason) == (charge.id, "dropped", "skipped")

    async def test_without_a_name_the_next_one_is_left_out(self, known: Any) -> None:
        made = await known.made()
        path, keyed = f"/v1/mandates/{made['id']}/skip", {"headers": {"Idempotency-Key": "k"}}
        status, now = await known.call("POST", path, **keyed)
        assert (status, now["skip_next"]) == (200, True)
        assert await known.call("POST", path, **keyed) == (200, now)

    async def test_a_charge_of_another_mandate_is_not_found(self, planned: Any) -> None:
        charge = await planned.charge()
        await planned.contract("100246")
        await planned.save("m-9", "100246")
        other = await planned.made(contract="100246", method=OTHER)
        path = f"/v1/mandates/{other['id']}/skip?charge={charge.id}"
        status, said = await planned.call("POST", path)
        assert (status, said["code"]) == (404, "charge_unknown")
        assert (await planned.charge()).state == charge.state


class TestRevoking:
    async def test_it_ends_at_once_and_for_good(self, planned: Any) -> None:
        mandate = await planned.live()
        path = f"/v1/mandates/{mandate.id}"
        status, now = await planned.call("POST", f"{path}/revoke")
        assert (status, now["state"], now["next_charge"]) == (200, "revoked", None)
        assert now["revoked_at"] == "2026-11-28T09:00:00Z"
        assert now["consents"][-1]["act"] == "revoke"
        assert (await planned.charge()).state == "dropped"
        assert await planned.call("POST", f"{path}/revoke") == (200, now)
        for method, act, body in (
            ("POST", "/pause", {"until": "2026-12-20"}),
            ("POST", "/skip", None),
            ("PUT", "", {**planned.body(contract=None), "revision": now["revision"]}),
        ):
            status, said = await planned.call(method, path + act, json=body)
            assert (status, said["code"]) == (409, "mandate_revoked")

    async def test_the_gateways_are_told_once_and_its_methods_serve_no_more(
        self, planned: Any
    ) -> None:
        mandate = await planned.live()
        for _ in range(2):
            assert (await planned.call("POST", f"/v1/mandates/{mandate.id}/revoke"))[0] == 200
        async with reading(planned.autopay.db) as tx:
            said = [row.type for row in await tx.execute(outbox.select())]
        assert said.count("mandate.revoked") == 1
        status, refused = await planned.call("POST", "/v1/mandates", json=planned.body())
        assert (status, codes(refused)) == (422, {"method": "method_unknown"})
