"""A bank that nobody here knew before: added as `CONTRIBUTING.md` says, and paid by."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.errors import SettingsError
from shared.settings import read
from third_bank.settings import Settings

KEY = "a key of the third bank"


class Bank:
    """The bank itself, in twenty lines."""

    def __init__(self) -> None:
        self.codes: dict[str, dict[str, Any]] = {}

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/codes", self._make)
        app.router.add_get("/codes/{code}", self._show)
        app.router.add_delete("/codes/{code}", self._close)
        return app

    def pay(self, code: str) -> bytes:
        said = self.codes[code]
        said |= {"state": "paid", "paid_at": datetime.now(UTC).isoformat()}
        return orjson.dumps({"code": code, "id": said["id"]})

    async def _make(self, request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        code = f"C{asked['id'][:12]}"
        link = f"https://pay.example/{code}"
        new = {"code": code, "link": link, "state": "open", **asked}
        return web.json_response(self.codes.setdefault(code, new))

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self.codes[request.match_info["code"]])

    async def _close(self, request: web.Request) -> web.Response:
        said = self.codes[request.match_info["code"]]
        if said["state"] == "open":
            said["state"] = "closed"
        return web.json_response(said)


@pytest.fixture
async def bank() -> AsyncIterator[tuple[Bank, str]]:
    made = Bank()
    async with TestServer(made.application()) as server:
        yield made, str(server.make_url(""))


async def test_it_makes_codes_and_settles_them(start: Any, bank: tuple[Bank, str]) -> None:
    place = await start(
        Settings,
        SBP_ACQUIRERS="lastochka,raiffeisen",
        LASTOCHKA_API_URL=bank[1],
        LASTOCHKA_KEY=KEY,
    )
    old = await place.pending("650.00")
    made = await place.pending("700.00")
    assert made["provider"] == "lastochka:M1"
    assert (await place.look(old["id"]))["status"] == "canceled"
    body = bank[0].pay(made["provider_payment_id"])
    forged = await place.callback("lastochka", body, **{"X-Lastochka": "0" * 64})
    assert forged[0] == 403
    signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    said = await place.callback("lastochka", body, **{"X-Lastochka": signature})
    assert said == (200, b'{"ok":true}')
    await place.becomes(made["id"], "succeeded")
    (event,) = await place.said()
    assert event.data["amount_kopecks"] == 70_000


async def test_what_it_needs_is_asked_for_at_the_start(
    start: Any, bank: tuple[Bank, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(SBP_ACQUIRERS="raiffeisen")
    monkeypatch.setenv("SBP_ACQUIRERS", "lastochka")
    monkeypatch.setenv("LASTOCHKA_API_URL", bank[1])
    with pytest.raises(SettingsError, match="LASTOCHKA_KEY"):
        read(Settings)
