"""Tells the bank's files apart by how they begin, and reads each kind."""

from __future__ import annotations

from typing import IO

from gateway_sbp.registers.cells import text
from gateway_sbp.registers.entries import Expected, Sheet
from gateway_sbp.registers.statement import FIRST_LINE, read_statement
from gateway_sbp.registers.table import read_table


def read(file: IO[bytes], name: str, expected: Expected) -> Sheet:
    """Return all that a file holds; raises WrongRegister for one of which nothing may be taken."""
    said = text(file)
    statement = said.readline().strip() == FIRST_LINE
    said.seek(0)
    return read_statement(said, expected) if statement else read_table(said, name, expected)
