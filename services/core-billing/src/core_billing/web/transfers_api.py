"""Transfers between contracts: addresses."""
