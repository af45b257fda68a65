"""The texts that an operator has written, each with all it has been.

Rows are only added: the one of the greatest revision holds, and one without a text returns to the
default. Two who write at once get one revision between them, so the second is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Row, Select, Table, Text, func, select

from notifier.kinds import KINDS
from notifier.texts import LANGUAGES, PARTS, Key, Stored
from shared.db import Instant, Tx, metadata
from shared.errors import Refusal
from shared.rows import insert_new

HISTORY_MAX: Final = 100
CHANGED_MEANWHILE: Final = Refusal(
    "template_changed",
    409,
    "The text has been changed meanwhile, its revision is {revision}: look at it and repeat",
    "Текст уже изменили, его версия {revision}: посмотрите и повторите",
)

schema = metadata()
template = Table(
    "template",
    schema,
    Column("kind", Text, primary_key=True),
    Column("language", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    # None returns to the default.
    Column("text", Text),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
)


Current = Mapping[Key, Row[Any]]


async def current(tx: Tx) -> Current:
    """Return the newest revision of each text that was ever written, returned ones too."""
    rows = (await tx.execute(_newest())).all()
    return {_key(row): row for row in rows if _known(row)}


async def stored(tx: Tx) -> Stored:
    """Return the texts that replace the default ones now."""
    return written(await current(tx))


def written(current: Current) -> Stored:
    """Return the texts among the newest revisions that return to no default."""
    return {key: row.text for key, row in current.items() if row.text is not None}


async def change(
    tx: Tx, key: Key, text: str | None, revision: int, by: str, at: datetime
) -> Row[Any]:
    """Write a text over the given revision, 0 for the first; None returns to the default.

    Saying once more what holds already changes nothing. Raises Conflict, as `template_changed`,
    where another revision holds.
    """
    now = (await current(tx)).get(key)
    holds = 0 if now is None else now.revision
    if now is not None and now.text == text and revision in (holds, holds - 1):
        return now
    row = {**key._asdict(), "revision": revision + 1, "text": text}
    row |= {"changed_by": by, "changed_at": at}
    if revision != holds or not await insert_new(tx, template, [row], "revision"):
        raise CHANGED_MEANWHILE(revision=holds)
    return (await history(tx, key, limit=1))[0]


async def history(tx: Tx, key: Key, limit: int = HISTORY_MAX) -> Sequence[Row[Any]]:
    """Return what a text has been, newest first."""
    mine = (getattr(template.c, name) == value for name, value in key._asdict().items())
    found = select(template).where(*mine).order_by(template.c.revision.desc()).limit(limit)
    return (await tx.execute(found)).all()


def _newest() -> Select[Any]:
    names = (template.c.kind, template.c.language, template.c.part)
    last = select(*names, func.max(template.c.revision).label("revision")).group_by(*names)
    newest = last.subquery()
    same = [template.c[column.name] == column for column in newest.columns]
    return select(template).join(newest, same[0] & same[1] & same[2] & same[3])


def _key(row: Row[Any]) -> Key:
    return Key(row.kind, row.language, row.part)


def _known(row: Row[Any]) -> bool:
    """Say whether this version has such a text: an older or a newer one may have had others."""
    return row.kind in KINDS and row.language in LANGUAGES and row.part in PARTS
