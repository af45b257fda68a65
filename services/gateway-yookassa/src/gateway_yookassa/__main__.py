"""``python -m gateway_yookassa``: serve, migrate, check, held, journal, charging, and more."""

from __future__ import annotations

from gateway_yookassa.app import NAME, TOOLS, build
from gateway_yookassa.settings import Settings
from shared.cli import main
from shared.gateway.commands.all import common

if __name__ == "__main__":
    main(NAME, Settings, build, common(TOOLS))
