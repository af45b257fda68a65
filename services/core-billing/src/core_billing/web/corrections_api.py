"""Corrections and revisions of payments: addresses."""
