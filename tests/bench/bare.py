"""The reference of accepting callbacks: the same server, and nothing but the body is read."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from servers.processes import LOOPBACK

PATH = "/callbacks"


async def answer(request: web.Request) -> web.Response:
    """Read the body and say 200."""
    await request.read()
    return web.Response()


async def serve(port: int) -> None:
    """Serve until ended from outside."""
    app = web.Application()
    app.router.add_post(PATH, answer)
    app.router.add_get(PATH, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
