"""The commands that every gateway has."""

from __future__ import annotations

from shared.cli import Command
from shared.gateway.commands import held, journal, methods, receipts, reconcile
from shared.gateway.commands.tools import Tools


def common(tools: Tools) -> tuple[Command, ...]:
    """Return them."""
    made = (held.command(tools), journal.command(tools), receipts.command(tools))
    return (*made, *methods.commands(tools), *reconcile.commands(tools))
