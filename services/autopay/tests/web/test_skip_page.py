"""The page of one charge and one button."""

from __future__ import annotations

from typing import Any

import pytest


async def test_one_press_leaves_the_charge_out_and_autopay_on(planned: Any) -> None:
    charge = await planned.charge()
    path = planned.skip_link(charge.id)
    assert (await planned.get(path)).status == 200
    assert "Пропустить это списание? 779,50 ₽ 29 ноября 2026" in planned.words
    assert "с Visa •4477 Договор 100245" in planned.words
    await planned.submit("skip")
    assert "Это списание пропустим 779,50 ₽ не спишем." in planned.words
    assert "<form" not in planned.text
    gone, live = await planned.charge(), await planned.live()
    assert (gone.id, gone.state, gone.reason) == (charge.id, "dropped", "skipped")
    assert (live.live, live.skip_next) == (True, False)
    [row] = [row for row in await planned.journal(live) if row.act == "skip"]
    assert (row.channel, row.detail) == ("skip_link", charge.id)


async def test_pressed_again_it_stays_left_out(planned: Any) -> None:
    charge = await planned.charge()
    await planned.get(planned.skip_link(charge.id))
    path, form = planned.form("skip")
    for _ in range(2):
        assert (await planned.post(path, form)).status == 303
    assert len(await planned.journal(await planned.live())) == 2


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("requested", "Пропустить уже нельзя Списание 779,50 ₽ уже отправлено в банк."),
        ("unclear", "Пропустить уже нельзя Списание 779,50 ₽ уже отправлено в банк."),
        ("succeeded", "Пропустить уже нельзя 779,50 ₽ уже списано в пользу договора."),
        ("failed", "Пропустить уже нельзя Это списание 779,50 ₽ не прошло"),
        ("dropped", "Это списание уже отменено 779,50 ₽ не спишем."),
    ],
)
async def test_too_late_it_says_what_became_of_it(planned: Any, state: str, said: str) -> None:
    charge = await planned.charge()
    await planned.get(planned.skip_link(charge.id))
    path, form = planned.form("skip")
    await planned.conclude(state)
    answer = await planned.post(path, form)
    await planned.get(answer.headers["Location"])
    assert said in planned.words
    assert "<form" not in planned.text
    assert (await planned.charge()).state == state
    assert len(await planned.journal(await planned.live())) == 1


async def test_a_charge_that_is_not_there(known: Any) -> None:
    assert (await known.get(known.skip_link("c-1"))).status == 404
    assert "Такого списания нет" in known.words


async def test_it_leads_to_the_mandate_for_as_long_as_it_lasts_itself(planned: Any) -> None:
    charge = await planned.charge()
    await planned.get(planned.skip_link(charge.id))
    onward = planned.text.partition('<a class="button plain wide" href="')[2].partition('"')[0]
    path = onward.removeprefix(planned.autopay.public_url)
    planned.clock.advance(planned.autopay.rules.link_life / 2)
    assert (await planned.get(path)).status == 200
    planned.clock.advance(planned.autopay.rules.link_life / 2)
    assert (await planned.get(path)).status == 403


async def test_after_a_refusal_nothing_is_left_to_press(planned: Any) -> None:
    charge, live = await planned.charge(), await planned.live()
    assert (await planned.call("POST", f"/v1/mandates/{live.id}/revoke"))[0] == 200
    await planned.get(planned.skip_link(charge.id))
    assert "Это списание уже отменено" in planned.words
    assert "<form" not in planned.text
