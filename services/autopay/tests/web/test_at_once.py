"""Whoever asks at the same time: on both databases one of them is heard, whatever the order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.parametrize(
    "kept",
    [
        "sqlite",
        pytest.param("postgres", marks=(pytest.mark.connected, pytest.mark.postgres)),
    ],
    indirect=True,
)


async def test_of_two_who_make_a_mandate_one_makes_it(known: Any) -> None:
    asked = [known.call("POST", "/v1/mandates", json=known.body()) for _ in range(4)]
    answers = await asyncio.gather(*asked)
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
    keyed = {"headers": {"Idempotency-Key": "k-1"}, "json": {"until": "2026-12-20"}}
    path = f"/v1/mandates/{(await known.live()).id}/pause"
    answers = await asyncio.gather(*(known.call("POST", path, **keyed) for _ in range(4)))
    assert [status for status, _ in answers] == [200] * 4
    assert (await known.live()).revision == 2


async def test_of_two_who_change_it_the_second_is_told(known: Any) -> None:
    path = f"/v1/mandates/{(await known.made())['id']}"
    bodies = [
        {**known.body(contract=None, cap=f"{cap}.00"), "revision": 1} for cap in (700, 800, 900)
    ]
    answers = await asyncio.gather(*(known.call("PUT", path, json=body) for body in bodies))
    assert sorted(status for status, _ in answers) == [200, 409, 409]
    assert (await known.live()).revision == 2


async def test_a_charge_is_left_out_once_and_a_refusal_holds(planned: Any) -> None:
    charge = await planned.charge()
    await planned.get(planned.skip_link(charge.id))
    path, form = planned.form("skip")
    answers = await asyncio.gather(*(planned.post(path, form) for _ in range(4)))
    assert [answer.status for answer in answers] == [303] * 4
    live = await planned.live()
    acts = [row.act for row in await planned.journal(live)]
    assert (acts, live.skip_next) == (["create", "skip"], False)
    await planned.get(planned.link(route="revoke"))
    path, form = planned.form("revoke")
    pause = planned.call("POST", f"/v1/mandates/{live.id}/pause", json={"until": "2026-12-20"})
    *revoked, _ = await asyncio.gather(*(planned.post(path, form) for _ in range(3)), pause)
    assert [answer.status for answer in revoked] == [303] * 3
    assert await planned.live() is None
    await planned.get(planned.link())
    assert "Автоплатёж отключён" in planned.words
    _, seen = await planned.call("GET", f"/v1/mandates/{live.id}")
    assert [one["act"] for one in seen["consents"]].count("revoke") == 1
    _, page = await planned.call("GET", "/v1/charges?contract=100245&state=dropped")
    assert [one["id"] for one in page["items"]] == [charge.id]
