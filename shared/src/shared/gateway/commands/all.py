"""The commands that every gateway has."""

from __future__ import annotations

from shared.cli import Command
from shared.gateway.commands import held, journal, methods, receipts, reconcile
from shared.gateway.commands.tools import Tools


def common(tools: Tools, *, lists: bool = True) -> tuple[Command, ...]:
    """Return them; without `lists` the providers have none that ours could be compared with."""
    made = (held.command(tools), journal.command(tools), receipts.command(tools))
    compared = (reconcile.command(tools),) if lists else ()
    return (*made, *methods.commands(tools), *compared, reconcile.register_command(tools))
