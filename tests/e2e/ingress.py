"""A small ingress: one address in front of separate services, routed by the first path segment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

from servers.processes import LOOPBACK

_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length")
)


@asynccontextmanager
async def ingress(port: int, routes: Mapping[str, str]) -> AsyncIterator[str]:
    """Serve the routes (segment → address behind it) on a port; yields the public address."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            behind = routes.get(request.path.split("/")[1])
            if behind is None:
                return web.Response(status=404, text="no such service")
            return await _forward(session, request, behind)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
            yield f"http://{LOOPBACK}:{port}"
        finally:
            await runner.cleanup()


async def _forward(
    session: aiohttp.ClientSession, request: web.Request, behind: str
) -> web.StreamResponse:
    headers = {name: value for name, value in request.headers.items() if _travels(name)}
    # What a client claims about its address is replaced, as an ingress does.
    headers["X-Forwarded-For"] = request.remote or ""
    try:
        async with session.request(
            request.method,
            URL(behind + request.raw_path, encoded=True),
            headers=headers,
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            told = web.Response(status=answer.status, body=await answer.read())
            for name in answer.headers:
                if _travels(name):
                    told.headers.popall(name, None)
            for name, value in answer.headers.items():
                if _travels(name):
                    told.headers.add(name, value)
            return told
    except (aiohttp.ClientError, OSError):
        return web.Response(status=502, text="the service does not answer")


def _travels(name: str) -> bool:
    return name.lower() not in _HOP_BY_HOP
