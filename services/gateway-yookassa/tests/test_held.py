"""A payment that was held because of a wrong setting is credited once that is mended."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from gateway_yookassa.commands import COMMANDS
from gateway_yookassa.settings import Settings


async def _run(recheck: list[Any] | None) -> int:
    (command,) = COMMANDS
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
    assert await _run(None) == 0
    assert f"{made['provider_payment_id']} 100245 650.00 test_mode" in capsys.readouterr().out
    # Both run now; whoever takes it first, the wrong one holds it again and the right one frees it.
    mended = await start(YOOKASSA_TEST_MODE="true")

    async def is_free() -> bool:
        await _run([made["id"]] if named else [])
        return (await mended.look(made["id"]))["status"] == "succeeded"

    await mended.until(is_free)
    assert len(await mended.said()) == 1
    assert "1 will be asked about again" in capsys.readouterr().out
