"""What reports of delivery say of addresses: dead, or alive again, for the list of the unreachable.

A report is of the address its message went to, which may not be the one that is used now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row

from notifier import reviewing, unreachable
from notifier.content import unseal
from notifier.reach import Reaching
from notifier.unreachable import REPORTED, Alive, Dead
from shared.crypto import Vault
from shared.db import Tx

_log = structlog.get_logger(__name__)


async def judge(
    tx: Tx,
    vault: Vault,
    reaching: Reaching,
    dead: Sequence[Row[Any]],
    arrived: Sequence[Row[Any]],
    at: datetime,
) -> None:
    """Keep that the addresses of some messages are dead, and forget it of those that arrived.

    Where one address is in both, it is alive.
    """
    buried = [
        Dead(one.contract, one.channel, REPORTED, one.id, to)
        for one in dead
        if (to := _address(vault, one)) is not None
    ]
    await reviewing.buried(tx, vault, reaching, buried, at)
    # Few messages arrive at what was called dead: only theirs need to be unsealed.
    doubted = await unreachable.called_dead(tx, {(one.contract, one.channel) for one in arrived})
    alive = [
        Alive(one.contract, one.channel, to)
        for one in arrived
        if (one.contract, one.channel) in doubted and (to := _address(vault, one)) is not None
    ]
    await reviewing.delivered(tx, vault, reaching, alive)


def _address(vault: Vault, one: Row[Any]) -> str | None:
    """Return where a message went; None where no listed key reads it any more."""
    try:
        return unseal(vault, one.sealed).to
    except ValueError:
        _log.warning("report.unreadable_address", message_id=str(one.id))
        return None
