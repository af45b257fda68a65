"""Saved cards and accounts, as their gateways tell of them, and which are charged no more.

A method is live, stopped (it was refused for good) or revoked. Neither of the last two is ever
left again, whatever comes late: what was removed before it was heard of stays as a row, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, Row, Select, Table, Text, select, tuple_, update

from autopay.mandate import Method, MethodName
from shared.db import Instant, Tx, is_postgres, metadata
from shared.errors import Poison
from shared.events_gateway import PaymentMethodRevoked, PaymentMethodSaved
from shared.rows import insert_new, listed, update_each

LIVE: Final = "live"
STOPPED: Final = "stopped"
REVOKED: Final = "revoked"
LISTED_MAX: Final = 100

schema = metadata()
method = Table(
    "method",
    schema,
    Column("provider", Text, primary_key=True),
    Column("method_ref", Text, primary_key=True),
    Column("contract", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False, server_default=""),
    Column("title", Text, nullable=False, server_default=""),
    Column("expires", Text),
    Column("revision", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("changed_at", Instant, nullable=False),
    # The expiry that its owner has been told of.
    Column("told_expires", Text),
)
Index("ix_method_contract", method.c.contract)

Told = PaymentMethodSaved | PaymentMethodRevoked


async def keep(tx: Tx, states: Sequence[Told], at: datetime) -> None:
    """Write down states newer than the known ones; a removal holds whatever its revision.

    Raises Poison for a state without a contract. The contracts must be locked.
    """
    newest: dict[MethodName, dict[str, Any]] = {}
    for state in states:
        name = MethodName(state.provider, state.method_ref)
        newest[name] = _merged(newest.get(name), _row(state, at))
    if not newest:
        return
    known = {_name(row): row._asdict() for row in await _rows(tx, newest)}
    new = [row for name, row in sorted(newest.items()) if name not in known]
    await insert_new(tx, method, new, "method_ref")
    changed = [_merged(known[name], row) for name, row in sorted(newest.items()) if name in known]
    columns = newest[min(newest)].keys()
    rows = [{key: row[key] for key in columns} for row in changed]
    await update_each(tx, method, rows, "provider", "method_ref")


async def end(
    tx: Tx, names: Mapping[MethodName, str], contract: str, state: str, at: datetime
) -> None:
    """Stop or revoke methods for good, each with its reason; what was revoked stays so."""
    missing = [
        {
            "provider": name.provider,
            "method_ref": name.method_ref,
            "contract": contract,
            "revision": 0,
            "state": state,
            "reason": reason,
            "changed_at": at,
        }
        for name, reason in sorted(names.items())
    ]
    await insert_new(tx, method, missing, "method_ref")
    for name, reason in sorted(names.items()):
        mine = (method.c.provider == name.provider, method.c.method_ref == name.method_ref)
        await tx.execute(
            update(method)
            .where(*mine, method.c.state != REVOKED)
            .values(state=state, reason=reason, changed_at=at)
        )


async def live(tx: Tx, contract: str) -> Sequence[Method]:
    """Return the methods of a contract that may be charged, at most 100."""
    wanted = select(method).where(method.c.contract == contract, method.c.state == LIVE)
    wanted = wanted.order_by(method.c.provider, method.c.method_ref).limit(LISTED_MAX)
    return [_method(row) for row in await tx.execute(wanted)]


async def of(tx: Tx, contracts: Collection[str]) -> dict[str, list[tuple[Method, bool]]]:
    """Return the methods by contract, each with whether it may be charged."""
    rows = await tx.execute(_theirs(is_postgres(tx)), {"contracts": list(contracts)})
    found: dict[str, list[tuple[Method, bool]]] = {}
    for row in rows:
        found.setdefault(row.contract, []).append((_method(row), row.state == LIVE))
    return found


async def named(tx: Tx, names: Collection[MethodName]) -> dict[MethodName, Method]:
    """Return methods by their names, also such as are charged no more."""
    return {_name(row): _method(row) for row in await _rows(tx, names)} if names else {}


async def contracts_of(tx: Tx, names: Collection[MethodName]) -> set[str]:
    """Return whose the methods are, as far as they are known."""
    rows = await _rows(tx, names) if names else []
    return {row.contract for row in rows if row.contract}


async def _rows(tx: Tx, names: Collection[MethodName]) -> Sequence[Row[Any]]:
    wanted = tuple_(method.c.provider, method.c.method_ref).in_(sorted(names))
    return (await tx.execute(select(method).where(wanted))).all()


@cache
def _theirs(postgres: bool) -> Select[Any]:
    return select(method).where(listed(postgres, method.c.contract, "contracts"))


def _row(state: Told, at: datetime) -> dict[str, Any]:
    if not state.contract:
        raise Poison(f"{state.TYPE} names no contract")
    saved = isinstance(state, PaymentMethodSaved)
    return {
        "provider": state.provider,
        "method_ref": state.method_ref,
        "contract": state.contract,
        "kind": state.kind if isinstance(state, PaymentMethodSaved) else "",
        "title": state.title,
        "expires": state.expires if isinstance(state, PaymentMethodSaved) else None,
        "revision": state.revision,
        "state": LIVE if saved else REVOKED,
        "reason": "" if isinstance(state, PaymentMethodSaved) else state.reason,
        "changed_at": at,
    }


def _merged(known: Mapping[str, Any] | None, said: dict[str, Any]) -> dict[str, Any]:
    """Return what holds of two states: the newer one's words, and a removal from either."""
    if known is None:
        return said
    newer, older = (said, known) if said["revision"] > known["revision"] else (known, said)
    merged = dict(newer)
    for name in ("kind", "title", "expires"):
        merged[name] = newer[name] or older[name]
    ended = [row for row in (known, said) if row["state"] != LIVE]
    if ended:
        final = next((row for row in ended if row["state"] == REVOKED), ended[0])
        merged |= {name: final[name] for name in ("state", "reason", "changed_at")}
    return merged


def _name(row: Row[Any]) -> MethodName:
    return MethodName(row.provider, row.method_ref)


def _method(row: Row[Any]) -> Method:
    return Method(row.provider, row.method_ref, row.title, row.kind, row.expires)
