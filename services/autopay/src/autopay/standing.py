"""How a contract stands after news of it, in whatever order they come. Pure.

Of two balances the one of core-billing's later moment holds, and so it is with what is needed. Of
two of the same moment that holds by which less is charged: nobody is charged for a doubt.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from autopay.case import Account


def with_balance(
    account: Account, kopecks: int | None, available: int | None, at: datetime
) -> Account:
    """Take note of a balance that the contract had at a moment."""
    if kopecks is None or not _newer(account.balance_at, account.balance_kopecks, kopecks, at):
        return account
    return replace(account, balance_kopecks=kopecks, available_kopecks=available, balance_at=at)


def with_needed(
    account: Account,
    needed: int,
    balance: int,
    at: datetime,
    *,
    lines: str = "[]",
    blocks_on: date | None = None,
) -> Account:
    """Take note of what was needed at a moment, with the balance that it was needed beside."""
    if account.needed_at is not None:
        known = (account.needed_kopecks or 0, account.needed_balance_kopecks or 0)
        if (account.needed_at, -known[0], -known[1]) >= (at, -needed, -balance):
            return account
    return replace(
        account,
        needed_kopecks=needed,
        needed_balance_kopecks=balance,
        needed_at=at,
        lines=lines,
        blocks_on=blocks_on,
    )


def with_access(account: Account, blocked: bool, revision: int) -> Account:
    """Take note of whether a contract is blocked; a state is written only over an older one."""
    if revision <= account.access_revision:
        return account
    return replace(account, blocked=blocked, access_revision=revision)


def _newer(known_at: datetime | None, known: int | None, said: int, at: datetime) -> bool:
    if known_at is None or known is None:
        return True
    return (at, said) > (known_at, known)
