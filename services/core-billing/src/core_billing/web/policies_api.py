"""The settings that managers change: addresses."""
