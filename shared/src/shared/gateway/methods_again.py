"""Says how every saved method stands again, so that autopay can refill its own list of them.

Like core-billing's `republish`, it is for whoever has lost what was said: a purged queue, a backup
that was restored. Whoever has heard it already changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from shared import outbox
from shared.db import transaction
from shared.events import Event
from shared.gateway import methods, methods_rules
from shared.gateway.gateway import Gateway
from shared.gateway.methods_rules import Method

PAGE: Final = 500


async def republish(gateway: Gateway, run: str) -> int:
    """Say the state of each method that was ever said; return how many.

    `run` makes the events new, their revisions stay as they are. Each page is a transaction of its
    own. What is said happened when it did: nobody is told of an old card as of a new one.
    """
    after, count = UUID(int=0), 0
    while True:
        async with transaction(gateway.db) as tx:
            page = await methods.page(tx, after, PAGE)
            said = list(_events(gateway, page, run))
            await outbox.add(tx, gateway.producer, said, gateway.clock())
        count += len(said)
        if len(page) < PAGE:
            return count
        after = page[-1].id


def _events(gateway: Gateway, page: Iterable[Method], run: str) -> Iterable[Event]:
    for method in page:
        body = methods_rules.state(method, method.removed_at or method.created_at)
        if body is not None:
            yield body.event(
                gateway.producer.name,
                subject=body.method_ref,
                revision=f"{body.revision}:{run}",
                correlation_id=method.correlation_id,
            )
