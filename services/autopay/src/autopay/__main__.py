"""``python -m autopay serve|migrate|check|show|republish``."""

from autopay import republish, show_command
from autopay.app import NAME, build
from autopay.settings import Settings
from shared.cli import main

if __name__ == "__main__":
    main(NAME, Settings, build, commands=[show_command.COMMAND, republish.COMMAND])
