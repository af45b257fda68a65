"""``python -m core_billing``: serve, migrate, check, and the operator's commands."""

from core_billing.app import NAME, build
from core_billing.commands import COMMANDS
from core_billing.settings import Settings
from shared.cli import main

if __name__ == "__main__":
    main(NAME, Settings, build, COMMANDS)
