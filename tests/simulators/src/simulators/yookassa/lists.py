"""Lists: newest first, filtered by moments and states, page by page.

YooKassa API v3, "Lists": `limit` 1 to 100 (10 by default), `cursor` is the last page's
`next_cursor`, which the last page does not have.
"""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulators.clock import parse_iso
from simulators.store import Store
from simulators.yookassa.errors import bad

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
COMPARE = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}


@dataclass(slots=True)
class Listing:
    """A query being put together; columns and operators are ours, values are bound."""

    table: str
    limit: int
    where: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, condition: str, *values: object) -> None:
        """Narrow the list."""
        self.where.append(condition)
        self.values += values

    def page(self, store: Store) -> tuple[list[sqlite3.Row], str | None]:
        """Return the rows of one page and the cursor of the next, if there is one."""
        sql = (
            f"SELECT * FROM {self.table} WHERE {' AND '.join(self.where)} "
            "ORDER BY created_at DESC, id DESC LIMIT ?"
        )
        rows = store.all(sql, *self.values, self.limit + 1)
        if len(rows) <= self.limit:
            return rows, None
        last = rows[self.limit - 1]
        return rows[: self.limit], _cursor(last["created_at"], last["id"])


def listing(
    table: str,
    shop_id: str,
    query: Mapping[str, str],
    *,
    moments: Sequence[str],
    equals: Mapping[str, str],
) -> Listing:
    """Read a list's parameters; `moments` and `equals` name what this list can be filtered by.

    Raises ApiError 400 naming the parameter that cannot be read.
    """
    wanted = Listing(table, _limit(query.get("limit")))
    wanted.add("shop_id = ?", shop_id)
    for column in moments:
        for suffix, operator in COMPARE.items():
            name = f"{column}.{suffix}"
            if name in query:
                wanted.add(f"{column} {operator} ?", _moment(name, query[name]))
    for parameter, column in equals.items():
        if parameter in query:
            wanted.add(f"{column} = ?", query[parameter])
    if "cursor" in query:
        wanted.add("(created_at, id) < (?, ?)", *_position(query["cursor"]))
    return wanted


def _limit(given: str | None) -> int:
    if given is None:
        return DEFAULT_LIMIT
    if len(given) > len(str(MAX_LIMIT)) or not given.isdecimal():
        raise bad("limit", "Invalid request parameter")
    if not 1 <= int(given) <= MAX_LIMIT:
        raise bad("limit", "Invalid request parameter")
    return int(given)


def _row_number(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError("SQLite knows no such number")
    return number


def _moment(name: str, given: str) -> int:
    try:
        # A plus sign that nobody escaped arrives as a blank.
        return parse_iso(given.replace(" ", "+"))
    except (ValueError, OverflowError):
        raise bad(name, "Invalid request parameter") from None


def _cursor(created_at: int, object_id: str) -> str:
    return base64.urlsafe_b64encode(f"{created_at} {object_id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        moment, _, object_id = base64.urlsafe_b64decode(padded).decode().partition(" ")
        return _row_number(moment), object_id
    except (binascii.Error, ValueError):
        raise bad("cursor", "Invalid request parameter") from None
