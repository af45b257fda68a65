"""Contracts, the double-entry ledger, the cabinet and the API."""
