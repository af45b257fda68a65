"""The provider's side of a run: payers act, notifications are repeated, forged and lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import aiohttp

from faults.lies import Lie, body
from faults.orders import BENT_KOPECKS, Fate, Order

MISCHIEF: Final[dict[str, Any]] = {
    "duplicate": 0.9,
    "loss": 0.05,
    "attempt_loss": 0.05,
    "forge": 0.12,
    "forge_from_outside": False,
    "delay": 0,
    "jitter": 3000,
}
"""Probabilities for each notification, and up to three seconds between two of them."""

EARLY: Final = "webhook_first"
"""The provider calls back before it has answered the creation."""

FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": EARLY, "calls": ["create_payment"], "probability": 0.05},
    {"kind": "error_after", "calls": ["create_payment"], "probability": 0.01},
    {"kind": "drop_after", "calls": ["create_payment"], "probability": 0.01},
    {"kind": "drop_before", "calls": ["create_payment"], "probability": 0.01},
    {"kind": "truncated", "probability": 0.01},
    {"kind": "bad_gateway_before", "probability": 0.01},
    {"kind": "bad_gateway_after", "probability": 0.01},
    {"kind": "error_before", "probability": 0.01},
    {"kind": "too_many", "probability": 0.01},
    {"kind": "processing", "calls": ["create_payment"], "probability": 0.005, "retry_after": 300},
    {"kind": "drop_before", "calls": ["get_payment"], "probability": 0.01},
    {"kind": "stale", "calls": ["get_payment"], "probability": 0.05},
    {"kind": "latency_after", "probability": 0.02, "delay": 1500},
)
"""What befalls the gateway's calls; at most one strikes a call."""


class ControlFailed(Exception):
    """The simulator did not do what the run asked of it."""


@dataclass
class Provider:
    """The simulated YooKassa, behind its counter."""

    session: aiohttp.ClientSession
    url: str
    """The sandbox's address, with its prefix."""

    async def make_trouble(self) -> None:
        """Put mischief and faults in force."""
        await self._control("PUT", "/mischief", MISCHIEF)
        await self._control("POST", "/faults", {"faults": FAULTS})

    async def calm_down(self) -> Mapping[str, int]:
        """End the faults of its API and return how often each kind has struck.

        What waits to be delivered, stays late and lossy.
        """
        hits = Counter[str]()
        for fault in (await self._control("GET", "/faults"))["faults"]:
            hits[fault["kind"]] += fault["hits"]
        await self._control("DELETE", "/faults")
        return hits

    async def act(self, order: Order, payment_id: str) -> None:
        """Let the payer do what the order's fate is, after their time, and tell of it again."""
        await asyncio.sleep(order.acts_after)
        if order.fate is Fate.CANCELED:
            await self._control("POST", f"/payments/{payment_id}/cancel", allowed=(200, 409))
        else:
            # What the simulator has paid before its creation was answered is the truth already.
            if order.fate in _BENDS and await self._pending(payment_id):
                await self._control("PATCH", f"/payments/{payment_id}", _bent(order))
            await self._control("POST", "/payments/pay", {"ids": [payment_id]})
        for pause in order.told_again:
            await asyncio.sleep(pause)
            await self._control("POST", "/deliveries/repeat", {"payment_id": payment_id})

    async def saved(self, payment_id: str) -> bool:
        """Say whether what a payment was paid with is kept for charges."""
        found = await self._control("GET", f"/payments/{payment_id}")
        return bool((found.get("payment_method") or {}).get("saved"))

    async def script(self, payment_id: str, outcomes: Sequence[str]) -> None:
        """Say what the charges of a card come to that was saved by a payment."""
        wanted = {"outcomes": list(outcomes)}
        await self._control("PUT", f"/scripts/method:{payment_id}", wanted)

    async def lie(self, lie: Lie, dice: Random, known_id: str, contract: str) -> None:
        """Have a forged notification sent from an address that is trusted."""
        wanted = {"body": body(lie, dice, known_id, contract), "outside": False}
        await self._control("POST", "/deliveries/forge", wanted)

    async def _pending(self, payment_id: str) -> bool:
        found = await self._control("GET", f"/payments/{payment_id}")
        return bool(found["status"] == "pending")

    async def _control(
        self, method: str, path: str, wanted: Any = None, allowed: tuple[int, ...] = (200,)
    ) -> Any:
        address = f"{self.url}/yookassa/control{path}"
        async with self.session.request(method, address, json=wanted) as answer:
            if answer.status not in allowed:
                raise ControlFailed(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()


_BENDS: Final = (Fate.OTHER_AMOUNT, Fate.OTHER_CURRENCY, Fate.TEST, Fate.OTHER_SHOP)


def _bent(order: Order) -> dict[str, Any]:
    match order.fate:
        case Fate.OTHER_AMOUNT:
            kopecks = order.kopecks + BENT_KOPECKS
            return {"amount": f"{kopecks // 100}.{kopecks % 100:02d}"}
        case Fate.OTHER_CURRENCY:
            return {"currency": "USD"}
        case Fate.TEST:
            return {"test": True}
        case _:
            return {"account_id": "666"}
