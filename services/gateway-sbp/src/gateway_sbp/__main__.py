"""``python -m gateway_sbp``: serve, migrate, check, held, journal, charging, register, and more."""

from __future__ import annotations

from gateway_sbp.app import NAME, build
from gateway_sbp.settings import Settings
from shared.cli import main

if __name__ == "__main__":
    main(NAME, Settings, build)
