"""A provider that takes SMS over SMPP 3.4."""
