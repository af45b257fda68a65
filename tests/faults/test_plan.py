"""The schedule is worth its name only if a seed brings it back, and if it strikes what it says."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from faults import lies, mandates, plan
from faults.lies import Lie
from faults.mandates import End
from faults.orders import BENT_KOPECKS, Fate
from faults.plan import ACKNOWLEDGED, AUTOPAY, QUEUES, Blow, Size, Strike
from faults.strikes import needed

SIZE = Size(4000, 240.0, 10, ("gateway-yookassa", "core-billing"))


def test_a_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert plan.draw(7, SIZE) == plan.draw(7, SIZE)
    assert plan.draw(7, SIZE) != plan.draw(8, SIZE)


@pytest.mark.parametrize("seed", range(5))
def test_each_server_is_struck_once_and_each_service_five_times(seed: int) -> None:
    strikes = plan.draw(seed, SIZE).strikes
    blows = Counter((strike.blow, strike.target) for strike in strikes)
    assert blows[Blow.KILL, "gateway-yookassa"] == 5
    assert blows[Blow.KILL, "core-billing"] == 5
    assert blows[Blow.RESTART_DATABASE, "postgresql"] == 1
    assert blows[Blow.RESTART_BROKER, "rabbitmq"] == 1
    assert sum(blows[Blow.PURGE, queue] for queue in ACKNOWLEDGED) == 1
    assert blows[Blow.PURGE, AUTOPAY] == 1
    assert {*ACKNOWLEDGED, AUTOPAY} == set(QUEUES)
    assert [s.at for s in strikes] == sorted(s.at for s in strikes)
    assert all(0 < strike.at < SIZE.seconds for strike in strikes)


def test_a_purge_keeps_its_broker_and_its_consumer_for_itself() -> None:
    purge = Strike(1.0, Blow.PURGE, "core-billing.money")
    assert needed(purge) == ("core-billing", "rabbitmq")
    of_gateway = Strike(1.0, Blow.PURGE, "gateway-yookassa")
    assert needed(of_gateway) == ("core-billing", "gateway-yookassa", "rabbitmq")
    of_autopay = Strike(1.0, Blow.PURGE, AUTOPAY)
    assert needed(of_autopay) == ("autopay", "rabbitmq")
    assert needed(Strike(1.0, Blow.KILL, "core-billing")) == ("core-billing",)
    assert needed(Strike(1.0, Blow.RESTART_BROKER, "rabbitmq")) == ("rabbitmq",)


def test_embedded_is_only_killed() -> None:
    size = Size(100, 10.0, 4, ("embedded",), servers=False)
    assert Counter(s.blow for s in plan.draw(1, size).strikes) == {Blow.KILL: 4}


def test_every_order_has_an_amount_and_a_key_of_its_own() -> None:
    orders = plan.draw(3, SIZE).orders
    assert len({order.kopecks for order in orders}) == len(orders)
    assert len({order.key for order in orders}) == len(orders)
    assert max(order.kopecks for order in orders) < BENT_KOPECKS
    assert {order.fate for order in orders} == set(Fate)


@pytest.mark.parametrize("seed", range(5))
def test_a_mandate_is_told_by_its_amounts_and_has_something_to_charge(seed: int) -> None:
    drawn = plan.draw(seed, SIZE)
    amounts = [wish.kopecks for wish in drawn.wishes] + [w.first.kopecks for w in drawn.wishes]
    assert len(set(amounts)) == len(amounts) == 2 * mandates.MANDATES_MAX
    assert max(amounts) < min(order.kopecks for order in drawn.orders)
    assert not {order.contract for order in drawn.orders} & {w.contract for w in drawn.wishes}
    for wish in drawn.wishes:
        assert wish.kopecks <= wish.threshold <= wish.cap
        assert wish.opened + wish.first.kopecks + 3 * wish.kopecks < wish.threshold
        assert drawn.contracts[wish.contract] == wish.opened
    assert {wish.end for wish in drawn.wishes} == set(End)


def test_more_orders_than_amounts_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        plan.draw(3, Size(100_000, 240.0, 0, ()))


def test_orders_come_at_a_steady_rate() -> None:
    moments = [order.at for order in plan.draw(3, SIZE).orders]
    gaps = {round(b - a, 6) for a, b in pairwise(moments)}
    assert gaps == {round(SIZE.seconds / SIZE.payments, 6)}


@pytest.mark.parametrize("lie", list(Lie))
def test_a_lie_is_what_it_is_called(lie: Lie) -> None:
    body = lies.body(lie, Random(1), "2d-real-id", "7001")
    if lie in (Lie.TRUNCATED, Lie.NOT_JSON):
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)
        return
    told = json.loads(body)
    if lie is Lie.NOT_AN_OBJECT:
        assert isinstance(told, list)
        return
    assert (told["object"]["id"] == "2d-real-id") == (lie not in (Lie.UNKNOWN, Lie.STRANGE_ID))
    assert (told["event"] == "payment.canceled") == (lie is Lie.CANCELED)
    assert (len(body) > lies.OVERSIZED) == (lie is Lie.OVERSIZED_BODY)
