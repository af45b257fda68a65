"""A messenger with a Bot API like Telegram's: `/bot<token>/sendMessage`."""
