"""``python -m embedded serve`` for a small installation, ``demo`` to try everything."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from embedded import app
from shared import log
from shared.clock import system_clock
from shared.errors import SettingsError
from shared.service import serve
from shared.settings import MEMORY_BUS


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m embedded")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="all services in one process, settings from the environment")
    demo = commands.add_parser("demo", help="all services and the simulators, on loopback")
    demo.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    demo.add_argument("--data", type=Path, default=Path(".demo"), help="folder of its data")
    args = parser.parse_args()
    try:
        return asyncio.run(_demo(args) if args.command == "demo" else _serve())
    except SettingsError as error:
        print(f"embedded cannot start:\n{error}", file=sys.stderr)
        return 2


async def _serve() -> int:
    settings = app.read_settings()
    if settings.common.bus_url != MEMORY_BUS:
        raise SettingsError(f"SALDO_BUS_URL: embedded runs on {MEMORY_BUS}")
    log.configure("embedded", settings.common.log_level)
    await app.migrate(settings)
    host, _, port = settings.common.listen.rpartition(":")
    process = app.build(settings, system_clock)
    await serve(process, host, int(port), lambda chosen: print(f"embedded: {host}:{chosen}"))
    return 0


async def _demo(args: argparse.Namespace) -> int:
    # Simulators are not part of an image, so only the demo imports them.
    from embedded.demo import run  # noqa: PLC0415

    return await run(args.port, args.data)


if __name__ == "__main__":
    sys.exit(main())
