"""``python -m gateway_sbp``: serve, migrate, check, held, journal, register, sheet, and more."""

from __future__ import annotations

from gateway_sbp import refunds_command, sheet_command
from gateway_sbp.app import NAME, TOOLS, build
from gateway_sbp.settings import Settings
from shared.cli import main
from shared.gateway.commands.all import common

if __name__ == "__main__":
    commands = (*common(TOOLS, lists=False), refunds_command.COMMAND, sheet_command.COMMAND)
    main(NAME, Settings, build, commands)
