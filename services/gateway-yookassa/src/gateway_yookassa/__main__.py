"""``python -m gateway_yookassa``: serve, migrate, check, held, journal, charging, and more."""

from __future__ import annotations

from gateway_yookassa.app import NAME, build
from gateway_yookassa.commands import COMMANDS
from gateway_yookassa.settings import Settings
from shared.cli import main

if __name__ == "__main__":
    main(NAME, Settings, build, COMMANDS)
