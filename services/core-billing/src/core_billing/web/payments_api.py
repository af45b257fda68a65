"""Payments taken by a manager, and their receipts: addresses."""
