"""What is said of a register's row once it is known which payment it is."""

from __future__ import annotations

from datetime import datetime

from gateway_sbp.paper_row import PaperRow
from shared import outbox
from shared.clock import MOSCOW
from shared.db import Tx
from shared.events import Event
from shared.events_gateway import RegisterRow
from shared.gateway.gateway import Gateway
from shared.gateway.ours import Span


async def say(tx: Tx, gateway: Gateway, row: PaperRow, at: datetime) -> None:
    """Say a row that has waited, the same as the register would have said it at once."""
    await outbox.add(tx, gateway.producer, [_event(gateway, row)], at)


def _event(gateway: Gateway, row: PaperRow) -> Event:
    day, payment_id = row.key.minute.astimezone(MOSCOW).date(), row.credited_as
    if payment_id is None:
        raise ValueError(f"the row {row.id} still waits")
    body = RegisterRow(
        occurred_at=Span.of(day).since,
        provider=row.key.shop,
        day=day,
        kind="payment",
        provider_id=payment_id,
        provider_payment_id=payment_id,
        amount_kopecks=row.key.amount_kopecks,
        fee_kopecks=row.fee_kopecks,
    )
    source, named = gateway.producer.name, str(day)
    return body.event(source, subject=payment_id, revision=named, correlation_id=row.id)
