"""Runs the sandbox alone: `python -m simulators --port 8091 --callback-url http://127.0.0.1:8080/...`.

Port 0 chooses a free one. The line that says it is ready names the addresses chosen.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from simulators.app import create
from simulators.mail.sink import SINK
from simulators.settings import DEMO_SHOPS, SandboxSettings, Shop

PREFIX = "/sandbox"
BODY_LIMIT = 8 * 1024 * 1024


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    parser.add_argument("--port", type=int, default=8091, help="HTTP port, 0 for a free one")
    parser.add_argument("--public-url", help="what browsers see, if not the port itself")
    parser.add_argument("--callback-url", help="where YooKassa's notifications go")
    parser.add_argument("--raiffeisen-callback-url", help="where Raiffeisen's callbacks go")
    parser.add_argument("--tbank-callback-url", help="where T-Bank's notifications go")
    parser.add_argument("--store", default=":memory:", help="SQLite file; nothing is kept without")
    parser.add_argument("--smtp-port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--smsc-login", default="demo")
    parser.add_argument("--smsc-password", default="demo")
    parser.add_argument("--shop", action="append", default=[], metavar="ID:KEY[:live]")
    parser.add_argument("--time-scale", type=float, default=1.0)
    parser.add_argument("--replay", choices=["current", "original"], default="current")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def shop(written: str) -> Shop:
    """Read `100500:test_demo` or `100501:live_demo:live`; a live shop takes every method."""
    number, key, *rest = written.split(":")
    live = DEMO_SHOPS[1] if rest == ["live"] else DEMO_SHOPS[0]
    return replace(live, id=number, key=key)


def settings(given: argparse.Namespace, port: int) -> SandboxSettings:
    """Turn the command line into settings."""
    return SandboxSettings(
        public_url=given.public_url or f"http://127.0.0.1:{port}{PREFIX}",
        callback_url=given.callback_url,
        raiffeisen_callback_url=given.raiffeisen_callback_url,
        tbank_callback_url=given.tbank_callback_url,
        store_path=given.store,
        shops=tuple(shop(each) for each in given.shop) or DEMO_SHOPS,
        smtp_port=given.smtp_port,
        smsc_login=given.smsc_login,
        smsc_password=given.smsc_password,
        time_scale=given.time_scale,
        replay=given.replay,
        seed=given.seed,
    )


async def serve(given: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    listener = socket.create_server(("127.0.0.1", given.port))
    port = listener.getsockname()[1]
    root = web.Application(client_max_size=BODY_LIMIT)
    sandbox = create(settings(given, port))
    root.add_subapp(PREFIX, sandbox)
    runner = web.AppRunner(root, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    url = f"http://127.0.0.1:{port}{PREFIX}"
    print(f"ready url={url} smtp=127.0.0.1:{sandbox[SINK].port}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    """Run the sandbox."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    given = arguments()
    if given.store != ":memory:":
        Path(given.store).parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(given))


if __name__ == "__main__":
    main()
