"""A merchant of the simulated Raiffeisen, for as long as a test needs it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from simulators.harness import Answer, Sandbox, running
from simulators.raiffeisen.app import KNOBS, NAME

PATIENCE = 5.0
ENDED = frozenset({"done", "given_up", "lost"})


@dataclass(frozen=True, slots=True)
class Merchant:
    """The calls that a merchant, its payers and the control make."""

    sandbox: Sandbox

    async def api(
        self, method: str, path: str, body: Any = None, key: str | None = None, **options: Any
    ) -> Answer:
        """Call the bank's API with the merchant's key, or with another one."""
        headers = {"Authorization": f"Bearer {KNOBS['key'] if key is None else key}"}
        options["headers"] = headers | options.get("headers", {})
        return await self.sandbox.call(method, f"/{NAME}/api{path}", body, **options)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control API and return its JSON; anything but 200 is an AssertionError."""
        return await self.sandbox.control(method, path, body, of=NAME)

    async def code(self, **changes: Any) -> str:
        """Register a code and return its id; by default one for a payment of 350.50."""
        answer = await self.api("POST", "/sbp/v2/qrs", dynamic(**changes))
        if answer.status != 200:
            raise AssertionError(answer)
        return str(answer.body["qrId"])

    async def paper(self, order: str = "C-100245") -> str:
        """Register a sticker for any sum and return its id."""
        return await self.code(qrType="QRStatic", order=order, amount=None, currency=None)

    async def bound(self, name: str = "sub-100245") -> str:
        """Have an account bound, agreed to by its payer, and return the binding's id."""
        wanted = {
            "id": name,
            "sbpMerchantId": KNOBS["merchant"],
            "subscriptionPurpose": "Автоплатёж",
        }
        made = await self.api("POST", "/sbp/v1/subscriptions", wanted)
        await self.pay(made.body["qr"]["id"])
        return name

    async def press(self, qr_id: str, button: str = "pay", **wish: Any) -> Answer:
        """Do with a code what a button of the payer's app does."""
        return await self.sandbox.call("POST", f"/{NAME}/qr/{qr_id}/{button}", wish)

    async def pay(self, qr_id: str, **wish: Any) -> dict[str, Any]:
        """Pay a code; anything but 200 is an AssertionError."""
        answer = await self.press(qr_id, **wish)
        if answer.status != 200:
            raise AssertionError(answer)
        paid: dict[str, Any] = answer.body
        return paid

    async def status(self, qr_id: str) -> str:
        """Return the state of a code."""
        return str((await self.api("GET", f"/sbp/v2/qrs/{qr_id}")).body["qrStatus"])

    async def info(self, qr_id: str) -> dict[str, Any]:
        """Return what the bank says of the payment by a code."""
        found: dict[str, Any] = (await self.api("GET", f"/sbp/v1/qr/{qr_id}/payment-info")).body
        return found

    async def later(self, seconds: int) -> None:
        """Let the bank's time pass."""
        await self.control("POST", "/clock", {"advance_seconds": seconds})

    async def knobs(self, **wanted: Any) -> None:
        """Turn knobs."""
        await self.control("PUT", "/knobs", wanted)

    async def script(self, key: str, *outcomes: Any) -> None:
        """Say what the next payments, charges, refunds or receipts come to."""
        await self.control("PUT", f"/scripts/{key}", {"outcomes": list(outcomes)})

    async def log(self) -> list[dict[str, Any]]:
        """Return the callbacks that there are, with their attempts."""
        items: list[dict[str, Any]] = (await self.control("GET", "/deliveries"))["items"]
        return items

    async def settled(self) -> list[dict[str, Any]]:
        """Wait until no callback is to be delivered any more, and return them."""
        return await self.until(lambda log: bool(log) and all(one["state"] in ENDED for one in log))

    async def until(self, reached: Any) -> list[dict[str, Any]]:
        """Wait until the log of callbacks is as wanted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                log = await self.log()
                if reached(log):
                    return log
                await asyncio.sleep(0.005)

    def heard(self) -> list[dict[str, Any]]:
        """Return the bodies that have arrived, numbers as their texts."""
        texts = [each["body"] for each in self.sandbox.heard]
        return [json.loads(each, parse_float=str, parse_int=str) for each in texts]


def dynamic(**changes: Any) -> dict[str, Any]:
    """Return the body of an ordinary registration; a change to None removes the member."""
    body = {
        "qrType": "QRDynamic",
        "sbpMerchantId": KNOBS["merchant"],
        "order": "top-0001",
        "amount": 350.5,
        "currency": "RUB",
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


@asynccontextmanager
async def merchant(**changes: Any) -> AsyncIterator[Merchant]:
    """Run a sandbox with a merchant; `changes` are SandboxSettings."""
    async with running(**changes) as sandbox:
        yield Merchant(sandbox)
