"""A client of the gateway's API as real ones are: patient, and it repeats under the same key."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from faults.orders import Order

AT_ONCE_MAX: Final = 100
"""No more people than that pay at once; the turn of the others comes later."""
PATIENCE_SECONDS: Final = 150.0
ANSWER_SECONDS: Final = 12.0
PAUSE_SECONDS_MAX: Final = 8.0
_KNOWN: Final = (200, 201, 202)
_TRY_AGAIN: Final = (429, 500, 502, 503, 504)


class Refused(Exception):
    """The API refused what it should have taken, or never answered; the message says which."""


@dataclass
class Client:
    """Makes payments and waits until the provider knows them."""

    session: aiohttp.ClientSession
    url: str
    """The gateway's address, without a path."""
    token: str
    prefix: str = "/yookassa"
    more: Mapping[str, Any] = field(default_factory=dict)
    """What each payment asks for beside its money."""
    statuses: Counter[str] = field(default_factory=Counter)
    """What came back, by status or by the kind of failure."""
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE_MAX))

    async def pay(self, order: Order) -> str:
        """Ask for a payment until it stands; return the provider's id. Raises Refused."""
        async with self.turn:
            asked = [self._until_known(order) for _ in range(2 if order.impatient else 1)]
            found = {body["provider_payment_id"] for body in await asyncio.gather(*asked)}
        if len(found) != 1:
            raise Refused(f"key {order.key} was answered with several payments: {found}")
        return str(found.pop())

    async def picture(self, contract: str) -> None:
        """Ask for the code of a contract's paper bill until it is there; raises Refused."""
        path = f"{self.prefix}/v1/contracts/{contract}/qr.svg"
        async with self.turn, asyncio.timeout(PATIENCE_SECONDS):
            attempt = 0
            while not await self._drawn(path):
                attempt += 1
                await asyncio.sleep(pause(attempt))

    async def _drawn(self, path: str) -> bool:
        headers = {"Authorization": f"Bearer {self.token}"}
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with self.session.get(
                self.url + path, headers=headers, timeout=timeout
            ) as answer:
                self.statuses[str(answer.status)] += 1
                if answer.status not in (200, *_TRY_AGAIN):
                    raise Refused(f"GET {path}: {answer.status} {await answer.text()}")
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.statuses[type(error).__name__] += 1
            return False

    async def _until_known(self, order: Order) -> dict[str, Any]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                body = await self._create(order)
                looks = 0
                while not body.get("provider_payment_id"):
                    looks += 1
                    await asyncio.sleep(pause(looks))
                    body = await self.insist("GET", f"{self.prefix}/v1/payments/{body['id']}")
                return body
        except TimeoutError:
            raise Refused(f"key {order.key}: no payment in {PATIENCE_SECONDS:.0f} s") from None

    async def _create(self, order: Order) -> dict[str, Any]:
        wanted = {
            "contract": order.contract,
            "amount": f"{order.kopecks // 100}.{order.kopecks % 100:02d}",
            **self.more,
        }
        return await self.insist("POST", f"{self.prefix}/v1/payments", wanted, order.key)

    async def insist(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> dict[str, Any]:
        """Send until an answer decides; raises Refused for one that we have not deserved."""
        attempt = 0
        while True:
            attempt += 1
            status, told, asked = await self._send(method, path, body, key)
            if status in _KNOWN and isinstance(told, dict):
                return told
            if status is not None and status not in _TRY_AGAIN:
                raise Refused(f"{method} {path}, key {key}: {status} {told}")
            await asyncio.sleep(asked + pause(attempt))

    async def _send(
        self, method: str, path: str, body: Any, key: str | None
    ) -> tuple[int | None, Any, float]:
        """Return the status, the body, and the pause in seconds that was asked for."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        address = self.url + path
        try:
            async with self.session.request(
                method, address, json=body, headers=headers, timeout=timeout
            ) as answer:
                self.statuses[str(answer.status)] += 1
                asked = float(answer.headers.get("Retry-After", 0))
                return answer.status, await answer.json(), asked
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self.statuses[type(error).__name__] += 1
            return None, None, 0.0


def pause(attempt: int) -> float:
    """Return seconds to wait after an attempt counted from 1: doubled each time, and spread.

    Clients that all come back at once would keep down what has just been started again.
    """
    return random.uniform(0.1, min(PAUSE_SECONDS_MAX, 0.4 * 2 ** min(attempt, 10)))


async def open_contract(
    session: aiohttp.ClientSession, url: str, token: str, number: str, kopecks: int
) -> None:
    """Open a contract with a balance through core's API; raises Refused."""
    sign = "-" if kopecks < 0 else ""
    roubles, rest = divmod(abs(kopecks), 100)
    wanted = {
        "number": number,
        "subscriber": {"name": "Абонент", "phone": "+79000000000", "email": "a@example.org"},
        "balance": f"{sign}{roubles}.{rest:02d}",
    }
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(f"{url}/api/v1/contracts", json=wanted, headers=headers) as answer:
        if answer.status not in _KNOWN:
            raise Refused(f"contract {number}: {answer.status} {await answer.text()}")
