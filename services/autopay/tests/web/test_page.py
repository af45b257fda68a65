"""The page of a contract's autopay, as a browser with a link sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from autopay import links
from autopay.web import consent
from shared.crypto import Link, write_link

DAY: Final = timedelta(days=1)
ON_A_DAY: Final = {
    "trigger": "day",
    "day_of_month": "10",
    "amount_day": "650,50",
    "cap": "1 500",
    "agreed": "1",
}


class TestSwitchingOn:
    async def test_a_form_of_good_suggestions_is_agreed_to(self, known: Any) -> None:
        answer = await known.get(known.link())
        assert answer.status == 200
        assert "за 24 ч, при низком балансе за 1 ч" in known.words
        assert "376-ФЗ" in known.words
        answer = await known.submit("new", agreed="1")
        assert answer.status == 200
        assert "Автоплатёж включён." in known.words
        live = await known.live()
        assert (live.terms.trigger, live.terms.days_before) == ("fee", 2)
        assert (live.terms.cap_kopecks, live.terms.method.method_ref) == (200_000, "m-1")

    @pytest.mark.parametrize("world", [{"notice_balance": "20s"}], indirect=True)
    async def test_seconds_are_no_notice(self, known: Any) -> None:
        await known.get(known.link())
        assert "При низком балансе спишем сразу." in known.words

    async def test_the_consent_is_proved(self, known: Any) -> None:
        await known.get(known.link())
        path, form = known.form("new", agreed="1")
        await known.post(path, form, **{"X-Forwarded-For": "198.51.100.7, 127.0.0.2"})
        [row] = await known.journal(await known.live())
        assert (row.act, row.version, row.at) == ("create", consent.CURRENT, known.clock())
        assert (row.address, row.channel) == ("198.51.100.7", "page")
        await known.get(known.link())
        assert f"редакция {consent.CURRENT}" in known.words
        _, mandates = await known.call("GET", "/v1/mandates")
        _, seen = await known.call("GET", f"/v1/mandates/{mandates['items'][0]['id']}/consents")
        assert "376-ФЗ" in " ".join(words["ru"] for words in seen["items"][0]["words"])

    async def test_a_day_and_a_sum_are_chosen_and_the_reserve(self, known: Any) -> None:
        await known.save("m-2")
        await known.get(known.link())
        reserve = "yookassa:100500 m-2"
        await known.submit("new", **ON_A_DAY, reserve=reserve)
        assert "650,50 ₽ 10 декабря 2026 с Visa •4477" in known.words
        assert "Если не получилось Мир •0021" in known.words
        terms = (await known.live()).terms
        assert (terms.amount_kopecks, terms.cap_kopecks, terms.day_of_month) == (
            65_050,
            150_000,
            10,
        )
        assert (terms.threshold_kopecks, terms.days_before) == (None, None)
        assert terms.reserve.method_ref == "m-2"

    async def test_a_balance_below_nothing_can_be_waited_for(self, known: Any) -> None:
        await known.get(known.link())
        typed = {"trigger": "balance", "threshold": "−100,50", "amount_balance": "", "agreed": "1"}
        await known.submit("new", **typed)
        terms = (await known.live()).terms
        assert (terms.threshold_kopecks, terms.amount_kopecks) == (-10_050, None)
        assert "когда на балансе станет меньше −100,50 ₽" in known.words
        await known.get(known.link(route="change"))
        assert known.form("change")[1]["threshold"] == "−100,50"
        await known.submit("change", threshold="0,00", agreed="1")
        assert (await known.live()).terms.threshold_kopecks == 0

    async def test_sent_twice_it_is_one_mandate(self, known: Any) -> None:
        await known.get(known.link())
        path, form = known.form("new", agreed="1")
        assert [(await known.post(path, form)).status for _ in range(2)] == [303, 303]
        assert (await known.live()).revision == 1

    async def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(
        self, known: Any
    ) -> None:
        balance = {"trigger": "balance", "threshold": "100", "amount_balance": "500"}
        for typed, field, said in (
            ({"trigger": ""}, "trigger", "Выберите, когда пополнять"),
            ({"days_before": "two"}, "days_before", "Введите целое число"),
            ({"days_before": "29"}, "days_before", "Укажите от 1 до 28 дней"),
            ({"cap": "<b>"}, "cap", "Напишите сумму цифрами"),
            ({"cap": "5"}, "cap", "Укажите 10.00 или больше"),
            ({**balance, "threshold": ""}, "threshold", "Введите сумму"),
            ({**balance, "threshold": "2001"}, "threshold", "Порог больше предела на месяц"),
            ({**balance, "amount_balance": "0"}, "amount_balance", "больше нуля"),
            ({**balance, "amount_balance": "2001"}, "amount_balance", "больше предела на месяц"),
            ({**ON_A_DAY, "day_of_month": "32"}, "day_of_month", "Укажите число от 1 до 31"),
            ({**ON_A_DAY, "amount_day": ""}, "amount_day", "Введите сумму"),
            ({"method": "yookassa:100500 m-9"}, "method", "Выберите, откуда списывать"),
            ({"reserve": "yookassa:100500 m-1"}, "reserve", "совпадает с основным"),
            ({"reserve": "else"}, "reserve", "Выберите, откуда списывать"),
            ({"agreed": ""}, "agreed", "отметьте галочку"),
            ({"consent_version": "2020-01-01"}, "agreed", "Текст согласия изменился"),
        ):
            await known.get(known.link())
            answer = await known.submit("new", **{"agreed": "1", **typed})
            assert (answer.status, said in known.words) == (422, True), (typed, known.words)
            if field in typed and field in ("cap", "threshold", "days_before", "day_of_month"):
                assert known.form("new")[1][field] == typed[field]
                assert f'aria-describedby="wrong-{field}"' in known.text
        assert await known.live() is None

    async def test_without_a_card_the_way_to_one_is_shown(self, world: Any) -> None:
        await world.contract()
        assert (await world.get(world.link())).status == 200
        assert "Сначала сохраните карту" in world.words
        assert 'href="http://127.0.0.1:8080/cabinet/"' in world.text
        assert "<form" not in world.text

    async def test_a_closed_contract_is_offered_nothing(self, world: Any) -> None:
        await world.contract(status="closed")
        await world.save()
        await world.get(world.link())
        assert "Договор закрыт, ничего не спишем." in world.words
        assert "<form" not in world.text

    async def test_a_contract_nobody_has_told_of_is_not_found(self, world: Any) -> None:
        answer = await world.get(world.link("777"))
        assert (answer.status, "попробуйте через несколько минут" in world.words) == (404, True)

    async def test_names_are_written_as_text(self, world: Any) -> None:
        await world.contract("<i>7</i>")
        await world.save("m-7", "<i>7</i>", title="<b>Visa</b>")
        await world.get(world.link("<i>7</i>"))
        assert "<b>" not in world.text
        assert "<i>" not in world.text


class TestLooking:
    async def test_the_next_charge_is_explained(self, planned: Any) -> None:
        await planned.get(planned.link())
        for said in (
            "Следующее списание 779,50 ₽ 29 ноября 2026",
            "с Visa •4477",
            "Чтобы хватило на абонентскую плату 1 декабря 2026.",
            "Домашний 100, декабрь 900,00 ₽ Уже на балансе −120,50 ₽ К списанию 779,50 ₽",
            "Осталось в этом месяце 2 000,00 ₽",
        ):
            assert said in planned.words

    async def test_it_is_read_in_the_subscribers_language_and_zone(self, world: Any) -> None:
        await world.contract(language="en", timezone="Asia/Kamchatka")
        await world.save()
        await world.made(consent={"version": "7"})
        await world.get(world.link())
        assert "On 2 day(s) before the fee we charge what it lacks." in world.words
        assert "28 Nov 2026, 21:00, version 7" in world.words
        await world.get(f"{world.link()}&lang=ru")
        assert "28 ноября 2026, 21:00" in world.words

    async def test_a_card_that_was_unlinked_is_asked_for(self, planned: Any) -> None:
        await planned.unlink()
        await planned.get(planned.link())
        assert "Нужна новая карта" in planned.words
        assert "Следующее списание" not in planned.words
        assert "Не в этот раз" not in planned.words
        await planned.get(planned.link(route="change"))
        assert "Сначала сохраните карту" in planned.words

    async def test_what_became_of_charges_is_listed(self, planned: Any) -> None:
        await planned.get(planned.link())
        await planned.submit("skip-next")
        assert "Отменено 28 ноября 2026, 12:00 вы попросили пропустить 779,50 ₽" in planned.words

    async def test_pages_are_kept_by_nobody_and_run_nothing_foreign(self, known: Any) -> None:
        for path in (known.link(), known.skip_link("x"), "/autopay/"):
            answer = await known.get(path)
            assert answer.headers["Cache-Control"] == "no-store"
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "<script" not in known.text


class TestActing:
    async def test_a_pause_and_its_end(self, planned: Any) -> None:
        await planned.get(planned.link())
        await planned.submit("pause", until="2026-12-20")
        assert "Пауза до 20 декабря 2026: до этого дня ничего не спишем." in planned.words
        live = await planned.live()
        path, form = planned.form("pause", until="2026-12-20")
        await planned.post(path, form)
        assert (await planned.live()).revision == live.revision
        await planned.get(planned.link())
        await planned.submit("resume")
        assert "Автоплатёж снова работает." in planned.words
        acts = [row.act for row in await planned.journal(live)]
        assert acts == ["create", "pause", "resume"]

    @pytest.mark.parametrize("until", ["", "2026-11-28", "2028-01-01", "soon"])
    async def test_a_pause_needs_a_day_to_come(self, known: Any, until: str) -> None:
        await known.made()
        await known.get(known.link())
        answer = await known.submit("pause", until=until)
        assert (answer.status, "Выберите день позже сегодняшнего" in known.words) == (422, True)
        assert (await known.live()).paused_until is None

    async def test_this_charge_is_left_out_and_no_other(self, planned: Any) -> None:
        await planned.get(planned.link())
        path, form = planned.form("skip-next")
        assert form["charge"] == (await planned.charge()).id
        for _ in range(2):
            assert (await planned.post(path, form)).status == 303
        assert (await planned.charge()).reason == "skipped"
        assert (await planned.live()).skip_next is False

    async def test_the_next_charge_is_left_out_before_it_is_planned(self, known: Any) -> None:
        await known.made()
        await known.get(known.link())
        await known.submit("skip-next")
        assert "Следующее списание пропустим, как вы просили." in known.words
        assert (await known.live()).skip_next is True

    async def test_terms_are_changed_and_the_second_of_two_is_told(self, known: Any) -> None:
        await known.made()
        await known.get(known.link(route="change"))
        path, form = known.form("change", cap="900", agreed="1")
        other = {**form, "cap": "800"}
        assert (await known.post(path, form)).status == 303
        assert (await known.post(path, form)).status == 303  # sent twice
        answer = await known.post(path, other)
        assert (answer.status, "Тем временем" in known.words) == (422, True)
        live = await known.live()
        assert (live.terms.cap_kopecks, live.revision) == (90_000, 2)
        assert (await known.submit("change", agreed="1")).status == 200
        assert (await known.live()).terms.cap_kopecks == 80_000

    async def test_a_sum_that_the_api_has_set_outlives_the_form(self, known: Any) -> None:
        await known.made(amount="300.00")
        await known.get(known.link(route="change"))
        await known.submit("change", agreed="1")
        assert (await known.live()).terms.amount_kopecks == 30_000

    async def test_pages_of_a_mandate_that_is_not_there_lead_to_the_first(self, known: Any) -> None:
        for route in ("change", "revoke"):
            answer = await known.get(known.link(route=route))
            assert (answer.status, answer.headers["Location"]) == (303, known.link())
        await known.made()
        assert (await known.get(known.link(route="new"))).status == 303


class TestSwitchingOff:
    async def test_it_is_asked_once_and_then_off_for_good(self, planned: Any) -> None:
        await planned.get(planned.link(route="revoke"))
        assert "Visa •4477" in planned.words
        live = await planned.live()
        assert live is not None
        path, form = planned.form("revoke")
        planned.clock.advance(timedelta(minutes=5))
        await planned.submit("revoke")
        assert "отключён 28 ноября 2026, 12:05. Ничего не спишем" in planned.words
        assert await planned.live() is None
        assert (await planned.charge()).state == "dropped"
        assert (await planned.post(path, form)).status == 303
        [row] = [row for row in await planned.journal(live) if row.act == "revoke"]
        assert (row.channel, row.detail) == ("page", "asked")

    async def test_a_charge_that_has_left_already_is_not_kept_quiet(self, planned: Any) -> None:
        await planned.conclude("requested")
        await planned.get(planned.link())
        assert "Списываем сейчас 779,50 ₽" in planned.words
        await planned.get(planned.link(route="revoke"))
        assert "Списание 779,50 ₽ отправлено в банк раньше" in planned.words
        await planned.submit("revoke")
        assert "Списание 779,50 ₽ отправлено в банк раньше" in planned.words
        assert (await planned.charge()).state == "requested"

    async def test_it_can_be_had_again_with_another_card(self, planned: Any) -> None:
        await planned.get(planned.link(route="revoke"))
        await planned.submit("revoke")
        assert "/autopay/new" not in planned.text
        await planned.save("m-2")
        await planned.get(planned.link())
        assert "/autopay/new?" in planned.text
        await planned.get(planned.link(route="new"))
        await planned.submit("new", agreed="1")
        assert (await planned.live()).terms.method.method_ref == "m-2"


class TestLinks:
    async def test_a_link_opens_its_own_contract_only(self, planned: Any) -> None:
        await planned.contract("100246")
        await planned.save("m-9", "100246")
        await planned.get(planned.link("100246"))
        foreign = planned.form("new")[1]["csrf"]
        for route in ("change", "pause", "resume", "skip-next", "revoke"):
            form = {"csrf": foreign, "until": "2026-12-20"}
            answer = await planned.post(planned.link(route=route), form)
            assert answer.status == 403
        live = await planned.live()
        assert (live.revision, live.paused_until) == (1, None)

    async def test_a_form_of_another_site_or_without_its_token_does_nothing(
        self, planned: Any
    ) -> None:
        await planned.get(planned.link(route="revoke"))
        path, form = planned.form("revoke")
        assert (await planned.post(path, form, **{"Sec-Fetch-Site": "cross-site"})).status == 403
        assert (await planned.post(path, {})).status == 403
        assert (await planned.post(path, {"csrf": "0" * 64})).status == 403
        assert await planned.live() is not None

    async def test_what_is_looked_at_is_not_changed(self, planned: Any) -> None:
        before = await planned.live(), await planned.charge()
        charge = before[1].id
        for path in (
            planned.link(),
            *(planned.link(route=route) for route in ("change", "revoke", "new")),
            planned.skip_link(charge),
        ):
            for _ in range(2):
                await planned.get(path)
        for route in ("pause", "resume", "skip-next"):
            assert (await planned.get(planned.link(route=route))).status == 405
        assert (await planned.live(), await planned.charge()) == before

    async def test_an_expired_link_tells_where_to_get_a_new_one(self, known: Any) -> None:
        mandate, skip = known.link(), known.skip_link("c-1")
        known.clock.advance(31 * DAY)
        for path in (mandate, skip):
            assert (await known.get(path)).status == 403
            assert "Ссылка устарела" in known.words
            assert 'href="http://127.0.0.1:8080/cabinet/"' in known.text
        answer = await known.post(mandate.replace("/?", "/revoke?"), {})
        assert (answer.status, "Ссылка устарела" in known.words) == (403, True)

    async def test_a_link_that_is_not_ours_opens_nothing(self, known: Any) -> None:
        signer, until = known.autopay.producer.signer, known.clock() + DAY
        strange = [
            write_link(signer, Link("yookassa", links.MANDATE, "100245", until, {})),
            write_link(signer, Link(links.AUDIENCE, links.SKIP, "100245", until, {})),
            known.link().partition("token=")[2][:-1],
            "",
            "x" * 3000,
        ]
        for token in strange:
            assert (await known.get(f"/autopay/?token={token}")).status == 403
            assert "Ссылка неполная" in known.words
        assert (await known.get("/autopay/")).status == 403
        english = {"Accept-Language": "en"}
        await known.get("/autopay/", **english)
        assert "The link is incomplete" in known.words

    async def test_a_form_has_a_size(self, known: Any) -> None:
        answer = await known.post(known.link(route="new"), {"csrf": "x" * 9000})
        assert answer.status == 413

    async def test_an_error_leads_to_the_cabinet(self, known: Any) -> None:
        answer = await known.get("/autopay/home")
        assert answer.headers["Location"] == "http://127.0.0.1:8080/cabinet/"
