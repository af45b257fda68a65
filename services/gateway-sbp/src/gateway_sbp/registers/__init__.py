"""Raiffeisen's books: registers and statements in, entries out, or one sentence on why not."""

from gateway_sbp.registers.entries import Entry, Expected, Sheet
from gateway_sbp.registers.reading import read

__all__ = ["Entry", "Expected", "Sheet", "read"]
