"""Whose fault a failed transaction was: the database's, another transaction's or the data's."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Sequence
from socket import gaierror
from ssl import SSLError
from typing import Final

from sqlalchemy.exc import DBAPIError, DisconnectionError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_REPEATABLE: Final = ("40",)
# Classes 28 and 3D are said to a connection that is being made, so they accuse no data.
_OUTAGE: Final = ("08", "28", "3D", "53", "57", "58")
_SQLITE_OUTAGE: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
_INVALIDATED: Final = "8s2b"  # SQLAlchemy's code of "reconnect only after a rollback"
_LOST: Final = (PoolTimeout, DisconnectionError, ConnectionError, TimeoutError, gaierror, SSLError)
# None: asyncio tried several addresses and says so in words only.
_NETWORK: Final = {None, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EMFILE}


def sqlstate(error: BaseException) -> str:
    """Return the five-character SQLSTATE of a driver's error, or an empty text."""
    for candidate in _causes(error):
        state = getattr(candidate, "sqlstate", None)
        if isinstance(state, str):
            return state
    return ""


def is_repeatable(error: BaseException) -> bool:
    """Say whether the same transaction may succeed if run again: deadlock, serialization."""
    return sqlstate(error).startswith(_REPEATABLE)


def is_outage(error: BaseException) -> bool:
    """Say whether the database, not the data, is at fault: connections, resources, shutdown.

    Told by codes only: a driver's message quotes SQL, and a column may be called ``blocked``.
    """
    return sqlstate(error).startswith(_OUTAGE) or any(map(_is_lost, _causes(error)))


def _is_lost(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SQLITE_OUTAGE
    if isinstance(cause, DBAPIError):
        return cause.connection_invalidated
    if isinstance(cause, PendingRollbackError):
        return cause.code == _INVALIDATED
    return isinstance(cause, _LOST) or (isinstance(cause, OSError) and cause.errno in _NETWORK)


def _causes(error: BaseException) -> Sequence[BaseException]:
    found: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending and len(found) < 16:
        cause = pending.pop()
        if cause is None or cause in found:
            continue
        found.append(cause)
        pending += [cause.__cause__, cause.__context__, getattr(cause, "orig", None)]
    return found
