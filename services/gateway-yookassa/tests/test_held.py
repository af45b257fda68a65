"""A payment that was held because of a wrong setting is credited once that is mended."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from gateway_yookassa.app import TOOLS
from gateway_yookassa.settings import Settings
from shared.gateway.commands.all import common


async def _run(recheck: list[Any] | None) -> int:
    (command,) = (one for one in common(TOOLS) if one.name == "held")
    parser = argparse.ArgumentParser()
    command.configure(parser)
    said = [] if recheck is None else ["--recheck", *map(str, recheck)]
    return await command.run(Settings(), parser.parse_args(said))


@pytest.mark.parametrize("named", [True, False])
async def test_a_mended_setting_frees_what_was_held(
    start: Any, capsys: pytest.CaptureFixture[str], named: bool
) -> None:
    wrong = await start(YOOKASSA_TEST_MODE="false")
    _, made = await wrong.make()
    await wrong.sandbox.pay(made["provider_payment_id"])

    async def is_held() -> bool:
        return (await wrong.look(made["id"])).get("reason") == "test_mode"

    await wrong.until(is_held)
    back = f"/payments/{made['provider_payment_id']}/refund"
    sent = await wrong.sandbox.control("POST", back, {"amount": "150.00"})

    async def is_heard() -> bool:
        return bool((await wrong.refunds(made["id"]))["items"])

    await wrong.until(is_heard)
    assert await _run(None) == 0
    listed = capsys.readouterr().out
    assert f"{made['provider_payment_id']} 100245 650.00 test_mode" in listed
    assert f"{sent['id']} of {made['provider_payment_id']} 150.00 test_mode" in listed
    # Both run now; whoever takes it first, the wrong one holds it again and the right one frees it.
    mended = await start(YOOKASSA_TEST_MODE="true")

    async def is_free() -> bool:
        await _run([made["id"]] if named else [])
        return (await mended.look(made["id"]))["status"] == "succeeded"

    await mended.until(is_free)
    assert len(await mended.said()) == 1

    async def is_said() -> bool:
        return len(await mended.said("refund.succeeded")) == 1

    await mended.until(is_said)
    assert "1 will be asked about again" in capsys.readouterr().out
