"""What the operator's Prometheus sees. Each metric is made once and carries a label ``service``."""

from __future__ import annotations

from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY: Final = CollectorRegistry()
"""One registry per process; the embedded process shows all services on one page."""

_log = structlog.get_logger("alarm")

REQUESTS = Histogram(
    "saldo_http_request_seconds",
    "HTTP requests by route template",
    ["service", "method", "route", "status"],
    buckets=(0.005, 0.02, 0.06, 0.2, 0.5, 1, 3, 10, 40),
    registry=REGISTRY,
)
ALARMS = Counter(
    "saldo_alarms_total", "Events that need a person, by kind", ["kind"], registry=REGISTRY
)
CALLBACKS = Counter(
    "saldo_callbacks_total",
    "Provider callbacks by outcome: accepted, refused, malformed, full",
    ["service", "outcome"],
    registry=REGISTRY,
)
PROVIDER_CALLS = Histogram(
    "saldo_provider_call_seconds",
    "Calls to payment providers by outcome: answer, missing, refused, throttled, unclear",
    ["shop", "method", "outcome"],
    buckets=(0.02, 0.05, 0.1, 0.3, 1, 3, 10, 40),
    registry=REGISTRY,
)
BREAKER_STATE = Gauge(
    "saldo_provider_breaker_state",
    "The circuit breaker of a shop or a channel: 0 closed, 1 trying one call, 2 open",
    ["shop"],
    registry=REGISTRY,
)
BREAKER_OPEN_SECONDS = Counter(
    "saldo_provider_breaker_open_seconds_total",
    "Seconds in which calls to a shop or a channel were held back for want of answers",
    ["shop"],
    registry=REGISTRY,
)
JOURNAL_LOST = Counter(
    "saldo_journal_lost_total",
    "Entries missing from a gateway's journal by reason: full, failed, spared",
    ["service", "reason"],
    registry=REGISTRY,
)
OUTBOX_WAITING = Gauge(
    "saldo_outbox_waiting", "Events not yet confirmed by the bus", ["service"], registry=REGISTRY
)
CONSUMED = Counter(
    "saldo_events_consumed_total",
    "Events by outcome: done, repeat, waiting, retried, dead",
    ["queue", "outcome"],
    registry=REGISTRY,
)
EVENTS_WAITING = Gauge(
    "saldo_events_waiting",
    "Events whose predecessor has not come yet, such as a refund before its payment",
    ["queue"],
    registry=REGISTRY,
)
CHARGING_PAUSED = Gauge(
    "saldo_charging_paused",
    "1 where the charges of a shop's saved methods wait, because it may not charge",
    ["shop"],
    registry=REGISTRY,
)
REGISTER_ROWS = Counter(
    "saldo_register_rows_total",
    "Rows of providers' registers by what differs: none, missing_here, amount, status, fee",
    ["provider", "difference"],
    registry=REGISTRY,
)
DEAD_LETTERS = Gauge(
    "saldo_dead_letters", "Events in the dead queue's store, not yet replayed", registry=REGISTRY
)
MESSAGES = Counter(
    "saldo_messages_total",
    "Messages to subscribers by outcome: sent, retried, failed, dropped, skipped",
    ["channel", "outcome"],
    registry=REGISTRY,
)
CHANNEL_THROTTLED = Counter(
    "saldo_channel_throttled_total",
    "Answers of a message channel's provider that ask for fewer messages",
    ["channel"],
    registry=REGISTRY,
)
REPORTS = Counter(
    "saldo_message_reports_total",
    "Providers' reports of delivery by outcome: delivered, undelivered, expired, passing, "
    "unknown, refused, malformed",
    ["provider", "outcome"],
    registry=REGISTRY,
)
UNREACHABLE = Gauge(
    "saldo_unreachable_contracts",
    "Contracts that no message reaches, because no channel has a working address",
    registry=REGISTRY,
)
WEBHOOKS = Counter(
    "saldo_webhook_attempts_total",
    "Attempts to tell the access controller who is blocked, by outcome: delivered, failed",
    ["outcome"],
    registry=REGISTRY,
)
ACCESS_UNDELIVERED = Gauge(
    "saldo_access_undelivered",
    "Contracts whose newest access the controller does not know yet",
    registry=REGISTRY,
)
DIFFERENCES = Gauge(
    "saldo_reconciliation_differences",
    "Open differences between a provider's books and ours, by name",
    ["service", "name"],
    registry=REGISTRY,
)
LOOP_FAILURES = Counter(
    "saldo_loop_failures_total",
    "Steps of background loops that failed",
    ["service", "loop"],
    registry=REGISTRY,
)


def alarm(kind: str, **what: Any) -> None:
    """Count and log something that a person must look at; `kind` is a fixed word."""
    ALARMS.labels(kind).inc()
    _log.error("alarm." + kind, **what)
