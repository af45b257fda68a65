"""The rows of a register between reading and applying: on the disk, so that memory is bounded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any, Final

import orjson

from shared.gateway.provider import Kind
from shared.gateway.register import Row

IN_MEMORY_MAX: Final = 1024 * 1024


class Spool:
    """Rows in the order in which they were put; gone when it is closed."""

    def __init__(self, *, partial: bool = False) -> None:
        """Make an empty one; `partial` where the rows are only what a statement says of a day.

        What such rows lack is no difference, and they tell less than the register, which says them.
        """
        self.partial = partial
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY_MAX)  # noqa: SIM115 - it is our own
        self.rows = 0

    def put(self, row: Row) -> None:
        """Keep a row."""
        amounts = (row.amount_kopecks, row.net_kopecks, row.fee_kopecks, row.vat_kopecks)
        self._file.write(orjson.dumps([row.kind, row.id, row.payment_id, *amounts]) + b"\n")
        self.rows += 1

    def batches(self, size: int, skip: int = 0) -> Iterator[list[Row]]:
        """Return the rows in batches, leaving out the first ones."""
        self._file.seek(0)
        batch: list[Row] = []
        for number, line in enumerate(self._file):
            if number < skip:
                continue
            batch.append(_row(orjson.loads(line)))
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    def ids(self) -> set[str]:
        """Return the ids of all rows."""
        self._file.seek(0)
        return {orjson.loads(line)[1] for line in self._file}

    def close(self) -> None:
        """Forget the rows."""
        self._file.close()


def _row(said: list[Any]) -> Row:
    kind, *rest = said
    return Row(Kind(kind), *rest)
