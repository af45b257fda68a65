"""Promised payments: addresses."""
