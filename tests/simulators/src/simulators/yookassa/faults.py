"""What goes wrong on the way to YooKassa and back, asked for beforehand.

A fault names the calls it befalls, how often, and its kind. `before` kinds strike before anything
is committed, `after` kinds once the truth has changed but the caller has not heard of it. A caller
may also ask for one with the request that it shall befall, in the header `X-Sandbox-Fault`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

KINDS = {
    "drop_before": "the connection dies, nothing was done",
    "drop_after": "the operation is done, the connection dies",
    "latency_before": "waits `delay` milliseconds, then does it",
    "latency_after": "does it, then waits `delay` milliseconds to answer",
    "error_before": "500, nothing was done",
    "error_after": "500, and it was done",
    "too_many": "429; `retry_after` milliseconds in the body where given",
    "processing": "202 `processing` with `retry_after`, and it was done",
    "bad_gateway_before": "502 as HTML, nothing was done",
    "bad_gateway_after": "502 as HTML, and it was done",
    "truncated": "it was done, the JSON ends in its middle",
    "unauthorized": "401, as after a key was re-issued",
    "forbidden": "403, as where the shop may not use saved methods",
    "stale": "GET shows a payment as it was before the payer acted",
    "webhook_first": "a created payment is paid, and notified, before its creation is answered",
}

CALLS = (
    "create_payment", "get_payment", "list_payments", "capture_payment", "cancel_payment",
    "create_refund", "get_refund", "list_refunds", "create_receipt", "get_receipt", "list_receipts",
    "create_method", "get_method", "me",
)  # fmt: skip

LIMIT = 1_000
HEADER = "X-Sandbox-Fault"


@dataclass(slots=True)
class Fault:
    """One kind of trouble: for the next `times` calls, or with `probability` for each."""

    kind: str
    calls: tuple[str, ...] = ()
    """Names out of CALLS; none means all of them."""
    times: int | None = None
    probability: float = 1.0
    delay: int = 1_000
    retry_after: int | None = None
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind}; there are {', '.join(KINDS)}")
        unknown = set(self.calls) - set(CALLS)
        if unknown:
            raise ValueError(f"no such call: {', '.join(sorted(unknown))}")


def asked(header: str) -> Fault:
    """Read `drop_after`, or with members `latency_after; delay=300`, for one request.

    Raises ValueError for what is none.
    """
    kind, *members = (part.strip() for part in header.split(";"))
    said: dict[str, Any] = {}
    for member in members:
        name, _, value = member.partition("=")
        if name not in ("delay", "retry_after"):
            raise ValueError(f"a fault of one request has delay and retry_after, not {name!r}")
        said[name] = int(value)
    return Fault(kind, **said)


@dataclass(slots=True)
class FaultPlan:
    """The faults that are in force, in the order in which they were asked for."""

    dice: Random = field(default_factory=lambda: Random(1))
    faults: list[Fault] = field(default_factory=list)

    def add(self, wishes: Iterable[dict[str, Any]]) -> list[Fault]:
        """Put faults in force; raises ValueError or TypeError for one that cannot be."""
        new = [Fault(**(wish | {"calls": tuple(wish.get("calls", ()))})) for wish in wishes]
        if len(self.faults) + len(new) > LIMIT:
            raise ValueError(f"at most {LIMIT} faults")
        self.faults += new
        return new

    def strike(self, call: str) -> Fault | None:
        """Return the fault that befalls this call, at most one."""
        for fault in self.faults:
            if fault.calls and call not in fault.calls:
                continue
            if fault.times is not None and fault.hits >= fault.times:
                continue
            if fault.probability >= 1.0 or self.dice.random() < fault.probability:
                fault.hits += 1
                return fault
        return None
