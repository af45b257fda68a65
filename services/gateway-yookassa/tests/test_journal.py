"""A payment's story in the journal: what was asked, what was told, in order, by either id."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from gateway_yookassa.app import TOOLS
from gateway_yookassa.settings import Settings
from shared.gateway.commands.all import common
from shared.gateway.journal import journal


async def _read(place: Any, named: str) -> list[dict[str, Any]]:
    address = f"{place.url}/yookassa/v1/journal?payment={named}"
    async with place.http.get(address, headers={"Authorization": "Bearer demo"}) as answer:
        assert answer.status == 200
        entries: list[dict[str, Any]] = (await answer.json())["entries"]
        return entries


async def _told(place: Any, named: str, *calls: str) -> list[dict[str, Any]]:
    """Wait until all these calls are written down; oldest first."""

    async def written() -> Any:
        entries = (await _read(place, named))[::-1]
        return entries if set(calls) <= {entry["call"] for entry in entries} else None

    found: list[dict[str, Any]] = await place.until(written)
    return found


async def test_a_payment_tells_its_story(place: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _, made = await place.make(contact={"email": "ivan@example.ru"})
    await place.sandbox.pay(made["provider_payment_id"], card="5555555555554477")
    await place.becomes(made["id"], "succeeded")
    calls = ("POST /payments", "payment.succeeded", "GET /payments/{id}")
    story = await _told(place, made["id"], *calls)
    assert await _told(place, made["provider_payment_id"], *calls) == story
    first = story[0]
    assert (first["call"], first["direction"], first["status"]) == ("POST /payments", "out", 200)
    assert first["sent"]["metadata"] == {"payment_id": made["id"], "contract": "100245"}
    assert first["said"]["status"] == "pending"
    assert first["milliseconds"] > 0
    assert (first["payment_id"], first["object_id"]) == (made["id"], made["provider_payment_id"])
    told = next(entry for entry in story if entry["call"] == "payment.succeeded")
    assert (told["direction"], told["outcome"], told["status"]) == ("in", "accepted", 200)
    assert told["said"]["object"]["amount"] == {"value": "650.00", "currency": "RUB"}
    (command,) = (one for one in common(TOOLS) if one.name == "journal")
    parser = argparse.ArgumentParser()
    command.configure(parser)
    capsys.readouterr()
    assert await command.run(Settings(), parser.parse_args([made["id"], "--last", "1"])) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert await command.run(Settings(), parser.parse_args([made["id"]])) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " -> yookassa:100500 POST /payments 200 answer " in lines[0]
    assert await command.run(Settings(), parser.parse_args(["nothing"])) == 1
    with pytest.raises(SystemExit):
        parser.parse_args([made["id"], "--last", "0"])


@pytest.mark.parametrize(
    ("kind", "outcome", "status"),
    [
        ("error_after", "unclear", 500),
        ("bad_gateway_after", "unclear", 502),
        ("truncated", "unclear", 200),
        ("drop_after", "ServerDisconnectedError", None),
        ("too_many", "throttled", 429),
    ],
)
async def test_what_went_wrong_is_written_down(
    place: Any, kind: str, outcome: str, status: int | None
) -> None:
    fault = {"faults": [{"kind": kind, "calls": ["create_payment"], "times": 1}]}
    await place.sandbox.control("POST", "/faults", fault)
    _, made = await place.make()
    await place.becomes(made["id"], "pending")

    async def both() -> Any:
        story = (await _read(place, made["id"]))[::-1]
        tries = [entry for entry in story if entry["call"] == "POST /payments"]
        return tries if len(tries) == 2 else None

    first, second = await place.until(both)
    assert (first["outcome"], first["status"]) == (outcome, status)
    assert (second["outcome"], second["status"]) == ("answer", 200)
    assert first["sent"] == second["sent"], "the same was sent again"
    assert first["correlation_id"] == second["correlation_id"] != ""


async def test_a_refusal_is_kept_with_its_reason(start: Any) -> None:
    place = await start(YOOKASSA_SECRET_KEY="test_wrong")
    _, made = await place.make()
    (entry,) = await _told(place, made["id"], "POST /payments")
    assert (entry["outcome"], entry["status"]) == ("refused", 401)
    assert entry["said"]["code"] == "invalid_credentials"
    assert [row for row in await place.rows(journal) if "test_wrong" in repr(row)] == []
