"""``python -m notifier serve|migrate|check|rotate-keys|access|progress``."""

from notifier import access_command, progress, rotation
from notifier.app import NAME, build
from notifier.settings import Settings
from shared.cli import main

if __name__ == "__main__":
    main(
        NAME, Settings, build, commands=[rotation.COMMAND, access_command.COMMAND, progress.COMMAND]
    )
