"""The topology: who receives what, and what is declared in an installation."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import topology
from shared.rabbit_link import delay_queue, named
from shared.topology import (
    ATTEMPTS_MAX,
    DEAD,
    DELAY_SECONDS,
    LISTENERS,
    SERVICES,
    Topology,
    delay_seconds,
    service_of,
)

ALL = Topology(frozenset(SERVICES))


@pytest.mark.parametrize("kind", sorted(LISTENERS))
def test_no_service_hears_a_type_in_two_of_its_queues(kind: str) -> None:
    """Its inbox has one row per event: the second queue would take it for a repeat."""
    heard = Counter(service_of(queue) for queue in LISTENERS[kind])
    assert heard
    assert set(heard.values()) == {1}


def test_each_queue_belongs_to_a_service_and_each_service_has_one() -> None:
    assert {service_of(queue) for queue in ALL.queues()} == set(SERVICES)


def test_every_deployed_queue_is_declared_once_in_a_stable_order() -> None:
    assert ALL.queues() == (
        "core-billing.money",
        "core-billing.rest",
        "gateway-yookassa",
        "notifier",
    )


def test_only_deployed_services_receive() -> None:
    core = Topology(frozenset({"core-billing"}))
    assert core.queues() == ("core-billing.money", "core-billing.rest")
    assert core.bound("payment.succeeded") == ("core-billing.money",)
    assert core.bound("payment.posted") == ()
    assert ALL.bound("payment.posted") == ("gateway-yookassa", "notifier")


def test_a_service_is_not_deployed_by_its_first_letters() -> None:
    assert Topology(frozenset({"core", "gateway"})).queues() == ()


def test_an_unknown_type_has_no_listener() -> None:
    assert ALL.bound("payment.unheard_of") == ()


def test_a_queue_is_owned_by_what_stands_before_the_dot() -> None:
    assert service_of("core-billing.money") == "core-billing"
    assert service_of("notifier") == "notifier"


def test_pauses_grow_and_the_last_one_repeats() -> None:
    pauses = [delay_seconds(attempt) for attempt in range(1, ATTEMPTS_MAX + 1)]
    assert tuple(pauses[: len(DELAY_SECONDS)]) == DELAY_SECONDS
    assert pauses == sorted(pauses)
    assert set(pauses[len(DELAY_SECONDS) :]) == {DELAY_SECONDS[-1]}


def test_before_a_message_is_dead_more_than_an_hour_has_passed() -> None:
    pauses = [delay_seconds(attempt) for attempt in range(1, ATTEMPTS_MAX)]
    assert sum(pauses) > 3600


@given(st.integers(1, 10**9), st.lists(st.integers(1, 10**6), min_size=1).map(tuple))
def test_any_attempt_has_one_of_the_pauses(attempt: int, delays: tuple[int, ...]) -> None:
    expected = delays[attempt - 1] if attempt <= len(delays) else delays[-1]
    assert delay_seconds(attempt, delays) == expected


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_are_counted_from_one(attempt: int) -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        delay_seconds(attempt)


def test_a_namespace_stands_before_every_name() -> None:
    spaced = Topology(frozenset(SERVICES), "test-1")
    assert named(spaced, DEAD) == "test-1.dead"
    assert named(ALL, DEAD) == "dead"
    assert delay_queue(spaced, "notifier", 5) == "test-1.notifier.delay.5"
    assert delay_queue(ALL, "core-billing.money", 600) == "core-billing.money.delay.600"


def test_what_has_listeners_is_what_the_installation_says() -> None:
    other = Topology(frozenset({"a"}), listeners={"x": ("a", "b"), "y": ("b",)})
    assert (other.bound("x"), other.bound("y"), other.queues()) == (("a",), (), ("a",))
    assert other.bound("payment.succeeded") == ()


def test_the_names_of_queues_never_change() -> None:
    """A queue keeps its arguments and its messages; another name needs a drain."""
    assert (topology.MONEY, topology.REST) == ("core-billing.money", "core-billing.rest")
    assert (topology.GATEWAY_YOOKASSA, topology.NOTIFIER) == ("gateway-yookassa", "notifier")
    assert DEAD == "dead"
