"""Addresses that a subscriber gives are theirs when the code that was sent there comes back.

Six digits, five tries, fifteen minutes. A code costs the operator an SMS and its receiver a
disturbance, so a contract gets one a minute and a few a day for each channel.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Column, Integer, Row, Table, Text, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from notifier import journal
from notifier.channels.port import ChannelName
from notifier.content import Content, seal
from shared.crypto import Vault
from shared.db import Instant, Tx, is_postgres, metadata
from shared.errors import Invalid, Language, invalid
from shared.errors import Text as Words

AGE: Final = timedelta(minutes=15)
TRIES_MAX: Final = 5
PAUSE: Final = timedelta(minutes=1)
ASKED_MAX: Final = 5
WINDOW: Final = timedelta(days=1)
KIND: Final = "address_code"
_DIGITS: Final = 6

schema = metadata()
confirmation = Table(
    "confirmation",
    schema,
    Column("contract", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    # How many codes were sent since `first_at`.
    Column("asked", Integer, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

_SUBJECT: Final = Words("Your code: {code}", "Ваш код: {code}")
_TEXT: Final = Words(
    "{operator}: code {code} confirms this address for contract {contract}. It is valid for 15 "
    "minutes. If you did not ask for it, ignore this message.",
    "{operator}: код {code} подтверждает этот адрес для договора {contract}. Действует 15 минут. "
    "Если вы его не запрашивали, ничего не делайте.",
)


class _Sealed(BaseModel):
    model_config = ConfigDict(frozen=True)

    address: str
    code: str


async def ask(
    tx: Tx,
    vault: Vault,
    contract: str,
    channel: ChannelName,
    address: str,
    words: tuple[str, Language],
    at: datetime,
) -> UUID:
    """Send a code to an address; return the id of the message that carries it.

    `words` are the operator's name and the language. Raises Invalid where too many were sent.
    """
    asked, first_at = await _allowance(tx, contract, channel, at)
    code = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
    row = {
        "contract": contract,
        "channel": channel,
        "sealed": vault.encrypt(_Sealed(address=address, code=code).model_dump_json()),
        "key_id": vault.key_id,
        "tries": 0,
        "asked": asked,
        "first_at": first_at,
        "sent_at": at,
        "expires_at": at + AGE,
    }
    insert = postgresql.insert(confirmation) if is_postgres(tx) else sqlite.insert(confirmation)
    key = ["contract", "channel"]
    changed = {name: value for name, value in row.items() if name not in key}
    await tx.execute(insert.values(row).on_conflict_do_update(index_elements=key, set_=changed))
    operator, language = words
    said = {"operator": operator, "code": code, "contract": contract}
    text = _TEXT.in_(language).format(**said)
    subject = _SUBJECT.in_(language).format(**said) if channel == "email" else ""
    html = f"<p>{_escaped(text)}</p>" if channel == "email" else ""
    content = Content(to=address, subject=subject, text=text, html=html)
    return await journal.add_written(
        tx, contract, KIND, channel, (seal(vault, content), vault.key_id), at, at + AGE
    )


async def confirm(
    tx: Tx, vault: Vault, contract: str, channel: ChannelName, code: str, at: datetime
) -> str | None:
    """Return the address that a code confirms, once; None for a wrong code, which counts a try.

    Raises Invalid where no code is open any more.
    """
    row = await _open(tx, contract, channel)
    if row is None or at >= row.expires_at or row.tries >= TRIES_MAX:
        raise _gone()
    sealed = _Sealed.model_validate_json(vault.decrypt(row.sealed))
    mine = (confirmation.c.contract == contract) & (confirmation.c.channel == channel)
    if hmac.compare_digest(sealed.code.encode(), code.strip().encode()):
        # Kept without a code: its count still limits how many are sent.
        await tx.execute(update(confirmation).where(mine).values(tries=TRIES_MAX))
        return sealed.address
    await tx.execute(update(confirmation).where(mine).values(tries=row.tries + 1))
    return None


async def waiting(tx: Tx, vault: Vault, contract: str, at: datetime) -> dict[ChannelName, str]:
    """Return the addresses to which an open code was sent, by channel."""
    wanted = select(confirmation).where(
        confirmation.c.contract == contract,
        confirmation.c.expires_at > at,
        confirmation.c.tries < TRIES_MAX,
    )
    found: dict[ChannelName, str] = {}
    for row in await tx.execute(wanted):
        try:
            sealed = vault.decrypt(row.sealed)
        except ValueError:
            continue
        found[row.channel] = _Sealed.model_validate_json(sealed).address
    return found


async def prune(tx: Tx, at: datetime) -> None:
    """Forget codes of which nothing counts any more."""
    await tx.execute(delete(confirmation).where(confirmation.c.sent_at < at - WINDOW))


async def _allowance(tx: Tx, contract: str, channel: str, at: datetime) -> tuple[int, datetime]:
    row = await _open(tx, contract, channel)
    if row is None or at >= row.first_at + WINDOW:
        return 1, at
    if at < row.sent_at + PAUSE:
        raise invalid(
            "address",
            "a code was sent a moment ago: wait a minute before asking for another",
            "код только что отправлен: подождите минуту, прежде чем запросить новый",
        )
    if row.asked >= ASKED_MAX:
        raise invalid(
            "address",
            "too many codes today: try tomorrow or call us",
            "слишком много кодов за день: попробуйте завтра или позвоните нам",
        )
    return row.asked + 1, row.first_at


async def _open(tx: Tx, contract: str, channel: str) -> Row[Any] | None:
    wanted = select(confirmation).where(
        confirmation.c.contract == contract, confirmation.c.channel == channel
    )
    return (await tx.execute(wanted.with_for_update())).one_or_none()


def _gone() -> Invalid:
    return invalid(
        "code",
        "this code is no longer valid: ask for a new one",
        "код больше не действует: запросите новый",
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
