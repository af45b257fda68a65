"""Passwords of the cabinet: argon2id, computed in a thread because it is slow on purpose."""

from __future__ import annotations

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP, Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified where there is no password, so that the time taken does not tell which contracts exist.
_NOBODY: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA"
    "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def hash_password(password: str) -> str:
    """Return the password as it is kept; takes tens of milliseconds, so call it in a thread."""
    return _HASHER.hash(password)


async def hashed(password: str | None) -> str | None:
    """Return the password as it is kept, computed in a thread; None stays None."""
    return None if password is None else await asyncio.to_thread(hash_password, password)


def fits(kept: str | None, password: str) -> bool:
    """Say whether the password is the kept one; as slow where nothing is kept."""
    try:
        _HASHER.verify(kept or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None
