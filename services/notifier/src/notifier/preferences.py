"""What subscribers have chosen for a contract: addresses, channels and their order, kinds, limits.

A contract without a row has the operator's defaults. Addresses lie encrypted; the rest does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy import BigInteger, Column, Row, Table, Text, func, select
from sqlalchemy.dialects import postgresql, sqlite

from notifier.channels.port import ChannelName
from notifier.kinds import KindName
from shared.crypto import Vault
from shared.db import Instant, Tx, is_postgres, metadata
from shared.errors import Language
from shared.metrics import alarm
from shared.rows import among

DAYS_MAX: Final = 60
KOPECKS_MAX: Final = 100_000_000
"""A threshold of a million roubles is a slip of the hand."""

schema = metadata()
preference = Table(
    "preference",
    schema,
    Column("contract", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("chosen", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
)


class Off(BaseModel):
    """A kind that is not wanted, on one channel or, without one, on all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: KindName
    channel: ChannelName | None = None


class Chosen(BaseModel):
    """What a subscriber may choose; None and empty mean what the operator has set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Annotated[tuple[ChannelName, ...], Field(max_length=4)] | None = None
    """Which channels are used, in the order in which they are tried."""
    one_by_one: bool | None = None
    """Only the first channel that works is used; else all of them."""
    off: Annotated[tuple[Off, ...], Field(max_length=100)] = ()
    on: Annotated[tuple[KindName, ...], Field(max_length=50)] = ()
    """Kinds that are told only to those who asked for them."""
    language: Language | None = None
    low_balance_kopecks: int | None = Field(None, ge=-KOPECKS_MAX, le=KOPECKS_MAX)
    low_balance_days: int | None = Field(None, ge=0, le=DAYS_MAX)
    """Told when services would stop within so many days; 0: not told by days."""

    def refuses(self, kind: str, channel: str) -> bool:
        """Say whether a kind is not wanted on a channel."""
        return any(o.kind == kind and o.channel in (None, channel) for o in self.off)


class Address(BaseModel):
    """An address that a subscriber or the operator has given, and when it was confirmed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    confirmed_at: AwareDatetime | None = None


class Preference(BaseModel):
    """Everything that is chosen for one contract."""

    model_config = ConfigDict(frozen=True)

    chosen: Chosen = Chosen()
    addresses: Mapping[ChannelName, Address] = {}
    revision: int = 0


NONE: Final = Preference()
_ADDRESSES: Final = TypeAdapter(dict[ChannelName, Address])


async def find(tx: Tx, vault: Vault, contracts: Collection[str]) -> dict[str, Preference]:
    """Return what is chosen; contracts that have chosen nothing are left out.

    Addresses that no listed key reads are left out with an alarm: the key may be given back.
    """
    if not contracts:
        return {}
    wanted = select(preference).where(among(tx, preference.c.contract, sorted(contracts)))
    return {row.contract: _read(vault, row) for row in await tx.execute(wanted)}


async def locked(tx: Tx, vault: Vault, contract: str) -> Preference:
    """Return what a contract has chosen, held until the transaction ends."""
    wanted = select(preference).where(preference.c.contract == contract).with_for_update()
    row = (await tx.execute(wanted)).one_or_none()
    if row is None and is_postgres(tx):
        # There is no row to hold: of two who choose first the second one must see what is chosen.
        name = func.hashtext(f"notifier.preference.{contract}")
        await tx.execute(select(func.pg_advisory_xact_lock(name)))
        row = (await tx.execute(wanted)).one_or_none()
    return _read(vault, row) if row is not None else NONE


async def put(tx: Tx, vault: Vault, contract: str, wanted: Preference, at: datetime) -> Preference:
    """Write what is chosen under the next revision; return it as it now stands.

    `wanted` comes from `locked` of the same transaction.
    """
    written = wanted.model_copy(update={"revision": wanted.revision + 1})
    row = {
        "contract": contract,
        "revision": written.revision,
        "chosen": written.chosen.model_dump_json(exclude_defaults=True),
        "sealed": vault.encrypt(_ADDRESSES.dump_json(dict(written.addresses)).decode()),
        "key_id": vault.key_id,
        "updated_at": at,
    }
    insert = postgresql.insert(preference) if is_postgres(tx) else sqlite.insert(preference)
    changed = {name: value for name, value in row.items() if name != "contract"}
    await tx.execute(
        insert.values(row).on_conflict_do_update(index_elements=["contract"], set_=changed)
    )
    return written


def _read(vault: Vault, row: Row[Any]) -> Preference:
    try:
        addresses = _ADDRESSES.validate_json(vault.decrypt(row.sealed))
    except ValueError as error:
        alarm("preferences_unreadable", contract=row.contract, error=str(error))
        addresses = {}
    return Preference(
        chosen=Chosen.model_validate_json(row.chosen),
        addresses=addresses,
        revision=row.revision,
    )
