"""When nobody is cut off: while money may be on its way that we have not heard of. Pure.

Unblocking is never held up by any of this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from core_billing.life import ASKED_EVERY, Sign
from shared.errors import Text

QUEUE_MAX: Final = timedelta(seconds=60)
"""How old what waits in the queue of the money may be."""
GATEWAY_MAX: Final = timedelta(minutes=5)
"""How long a gateway may be silent, or behind."""
GATEWAY: Final = "gateway-"
"""The names of the services that bring money from providers begin with this."""


class Guard(StrEnum):
    """What withholds all blocks."""

    BUS_AWAY = "bus_away"
    MONEY_QUEUE = "money_queue"
    GATEWAY_SILENT = "gateway_silent"
    GATEWAY_BEHIND = "gateway_behind"
    QUEUE_ASKED = "queue_asked"
    """The queue of the money is being asked how old it is: a matter of seconds."""


TEXTS: Final[Mapping[Guard, Text]] = {
    Guard.BUS_AWAY: Text(
        "the message bus is away: start RabbitMQ or mend the connection to it",
        "нет связи с шиной сообщений: запустите RabbitMQ или восстановите связь с ним",
    ),
    Guard.MONEY_QUEUE: Text(
        "payments wait in the queue for more than a minute: look at the log of core-billing",
        "платежи ждут в очереди дольше минуты: проверьте журнал core-billing",
    ),
    Guard.GATEWAY_SILENT: Text(
        "a gateway has been silent for five minutes: see whether it runs, and its connection",
        "шлюз молчит пять минут: проверьте, работает ли он и есть ли у него связь",
    ),
    Guard.GATEWAY_BEHIND: Text(
        "a gateway is five minutes behind: see its log, and whether its provider answers",
        "шлюз отстаёт на пять минут: проверьте его журнал и отвечает ли провайдер",
    ),
    Guard.QUEUE_ASKED: Text(
        "the queue of payments is being checked before anybody is blocked",
        "перед блокировкой проверяется очередь платежей",
    ),
}


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why nobody is cut off now, and whose fault it is."""

    guard: Guard
    service: str


def gateways(services: Collection[str]) -> list[str]:
    """Return the deployed gateways among the services of an installation."""
    return sorted(name for name in services if name.startswith(GATEWAY))


def withheld(
    own: str,
    services: Collection[str],
    signs: Mapping[str, Sign],
    at: datetime,
    *,
    bus: bool,
) -> list[Withheld]:
    """Return everything that withholds blocks at a moment; none lets them happen.

    `own` is our own name among the signs, `bus` whether the bus is there as far as we know.
    """
    found = [] if bus else [Withheld(Guard.BUS_AWAY, own)]
    for name in gateways(services):
        guard = _of_gateway(signs.get(name), at)
        found += [] if guard is None else [Withheld(guard, name)]
    guard = _of_queue(signs.get(own), at)
    return found + ([] if guard is None else [Withheld(guard, own)])


def _of_gateway(sign: Sign | None, at: datetime) -> Guard | None:
    if sign is None or sign.said_at is None or sign.heard_at is None:
        return Guard.GATEWAY_SILENT
    if at - sign.said_at >= GATEWAY_MAX:
        return Guard.GATEWAY_SILENT
    behind = max(sign.unsettled_seconds, sign.unpublished_seconds)
    if behind >= GATEWAY_MAX.total_seconds():
        return Guard.GATEWAY_BEHIND
    # It travels with the money: what it was held up by holds up the money too.
    return Guard.MONEY_QUEUE if sign.heard_at - sign.said_at > QUEUE_MAX else None


def _of_queue(sign: Sign | None, at: datetime) -> Guard | None:
    if sign is None:
        return Guard.QUEUE_ASKED
    if sign.said_at is not None and at - sign.said_at <= QUEUE_MAX:
        return None
    if sign.asked_at is not None:
        return Guard.MONEY_QUEUE if at - sign.asked_at > QUEUE_MAX else Guard.QUEUE_ASKED
    late = _lag(sign) > QUEUE_MAX + ASKED_EVERY
    return Guard.MONEY_QUEUE if late else Guard.QUEUE_ASKED


def _lag(sign: Sign) -> timedelta:
    if sign.said_at is None or sign.heard_at is None:
        return timedelta(0)
    return sign.heard_at - sign.said_at
