"""What every address of autopay stands on: the table of operations, and the service behind them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from aiohttp import web

from autopay import mandates
from autopay.autopay import Autopay
from autopay.mandate import Mandate
from autopay.mandate_refusals import MANDATE_UNKNOWN
from shared.api import Api
from shared.client import Network, client_address
from shared.db import Tx
from shared.errors import invalid

PREFIX: Final = "/autopay"
AUTOPAY: Final = web.AppKey("autopay", Autopay)
TRUSTED: Final[web.AppKey[Sequence[Network]]] = web.AppKey("autopay_trusted_proxies")

api = Api("Saldo autopay", PREFIX)


async def existing(tx: Tx, written: str) -> Mandate:
    """Return the mandate with an id; raises NotFound where there is none."""
    try:
        found = await mandates.find(tx, UUID(written))
    except ValueError:
        found = None
    if found is None:
        raise MANDATE_UNKNOWN()
    return found


def visitor(request: web.Request) -> str | None:
    """Return the address that a request comes from, where it can be known."""
    address = client_address(request, request.app[TRUSTED])
    return None if address is None else str(address)


def cursor(at: datetime, this: object) -> str:
    """Return what leads to the rows after this one, in an order of moment and id."""
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{this}".encode()).decode()


def read_cursor(written: str) -> tuple[datetime, UUID]:
    """Return the place that a cursor names; raises Invalid for what no page has given."""
    try:
        when, _, this = base64.urlsafe_b64decode(written).decode().partition("|")
        place = datetime.fromisoformat(when), UUID(this)
    except ValueError:
        place = None
    if place is None or place[0].tzinfo is None or cursor(*place) != written:
        raise invalid(
            "cursor",
            "take it from next_cursor as it is, or leave it out to begin anew",
            "передайте next_cursor без изменений или уберите, чтобы начать сначала",
        )
    return place
