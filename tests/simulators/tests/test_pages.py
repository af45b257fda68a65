"""The sandbox's own pages, and the sandbox as a process of its own."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from simulators.harness import Sandbox, running

SMS = {
    "login": "demo",
    "psw": "demo",
    "phones": "79161234567",
    "fmt": "3",
    "charset": "utf-8",
}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


@pytest.mark.parametrize("path", ["", "/"])
async def test_the_index_names_the_addresses(sandbox: Sandbox, path: str) -> None:
    text = (await sandbox.call("GET", path)).body
    assert f"{sandbox.url}/yookassa/v3" in text
    assert f"smtp://127.0.0.1:{sandbox.smtp_port}" in text
    assert "test_demo" in text
    links = {link for link in re.findall(r'(?:href|src)="([^"]+)"', text) if link != "data:,"}
    assert len(links) > 4
    for link in links:
        assert (await sandbox.call("GET", link.removeprefix("/sandbox"))).status == 200, link


async def test_messages_are_newest_first(sandbox: Sandbox) -> None:
    assert "Пока ничего" in (await sandbox.call("GET", "/messages")).body
    for text in ("Первое", "<i>Второе</i>"):
        await sandbox.call("POST", "/smsc/sys/send.php", data=SMS | {"mes": text})
    page = (await sandbox.call("GET", "/messages")).body
    assert page.index("&lt;i&gt;Второе") < page.index("Первое")
    assert "<script>" not in page
    newest = (await sandbox.call("GET", "/messages.json?limit=1")).body["items"]
    assert [each["text"] for each in newest] == ["<i>Второе</i>"]
    after = (await sandbox.call("GET", f"/messages.json?after={newest[0]['number']}")).body
    assert after["items"] == []
    assert (await sandbox.call("GET", "/messages.json?limit=all")).status == 400
    await sandbox.call("DELETE", "/messages")
    assert (await sandbox.call("GET", "/messages.json")).body["items"] == []


async def test_alone_as_a_process_and_again_with_its_data(tmp_path: Path) -> None:
    store = tmp_path / "data" / "sandbox.db"
    for run in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "simulators",
            "--port=0",
            f"--store={store}",
            "--shop=100500:test_demo",
            "--shop=7:live_key:live",
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        ready = re.fullmatch(
            r"ready url=(\S+) smtp=127\.0\.0\.1:(\d+)\n", (await process.stdout.readline()).decode()
        )
        assert ready
        async with aiohttp.ClientSession() as session:
            sandbox = Sandbox(ready[1], int(ready[2]), session)
            items = (await sandbox.api("GET", "/payments")).body["items"]
            assert len(items) == run
            await sandbox.create()
            sandbox.shop = ("7", "live_key")
            assert (await sandbox.api("GET", "/me")).body["test"] is False
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
