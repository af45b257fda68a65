"""Puts the simulated T-Bank together."""

from __future__ import annotations

from aiohttp import web

from simulators.clock import SandboxClock
from simulators.settings import SandboxSettings
from simulators.store import Store

NAME = "tbank"
SCHEMAS: tuple[str, ...] = ()


def create(settings: SandboxSettings, store: Store, clock: SandboxClock) -> web.Application:
    """Return the application that is mounted at `/tbank` of the sandbox."""
    return web.Application()
