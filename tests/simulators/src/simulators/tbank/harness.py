"""A terminal of the simulated T-Bank, for as long as a test needs it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from simulators.harness import Answer, Sandbox, running
from simulators.tbank.app import KNOBS, NAME
from simulators.tbank.words import Body, token

PATIENCE = 5.0
ENDED = frozenset({"done", "given_up", "lost"})
Log = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Terminal:
    """The calls that a terminal, its payers and the control make."""

    sandbox: Sandbox

    async def send(self, method: str, body: Body, **options: Any) -> Answer:
        """Send a body as it is."""
        return await self.sandbox.call("POST", f"/{NAME}/v2/{method}", body, **options)

    async def ask(self, method: str, **fields: Any) -> Body:
        """Call a method, signed, and return its answer, be it a yes or a no."""
        answer = await self.send(method, signed(fields))
        if answer.status != 200:
            raise AssertionError(answer)
        said: Body = answer.body
        return said

    async def call(self, method: str, **fields: Any) -> Body:
        """Call a method and return its answer; a business error is an AssertionError."""
        said = await self.ask(method, **fields)
        if said["Success"] is not True or said["ErrorCode"] != "0":
            raise AssertionError(said)
        return said

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control API and return its JSON; anything but 200 is an AssertionError."""
        return await self.sandbox.control(method, path, body, of=NAME)

    async def made(self, order: str = "top-0001", **more: Any) -> str:
        """Make a payment of 350.50 with its code, and return its PaymentId."""
        wanted = {"OrderId": order, "Amount": 35050, **more}
        payment_id = str((await self.call("Init", **wanted))["PaymentId"])
        await self.call("GetQr", PaymentId=payment_id)
        return payment_id

    async def paid(self, order: str = "top-0001", **more: Any) -> str:
        """Make a payment that is paid, and return its PaymentId."""
        payment_id = await self.made(order, **more)
        await self.pay(payment_id)
        return payment_id

    async def binding(self, **more: Any) -> tuple[str, str]:
        """Ask for a binding; return its RequestKey and the id of its code."""
        made = await self.call("AddAccountQr", **{"Description": "Автоплатёж", **more})
        return made["RequestKey"], made["Data"].partition("?")[0].rpartition("/")[2]

    async def bound(self) -> Body:
        """Have an account bound, and return what it is charged by."""
        key, code = await self.binding()
        await self.pay(code)
        return await self.call("GetAddAccountQrState", RequestKey=key)

    async def press(self, code: str, button: str = "pay", **wish: Any) -> Answer:
        """Do with a code what a button of the payer's app does."""
        return await self.sandbox.call("POST", f"/{NAME}/qr/{code}/{button}", wish)

    async def pay(self, code: str, **wish: Any) -> Body:
        """Pay a code; anything but 200 is an AssertionError."""
        answer = await self.press(code, **wish)
        if answer.status != 200:
            raise AssertionError(answer)
        done: Body = answer.body
        return done

    async def state(self, payment_id: str) -> Body:
        """Return what the bank says of a payment."""
        return await self.call("GetState", PaymentId=payment_id)

    async def status(self, payment_id: str) -> str:
        """Return the bank's word for a payment."""
        return str((await self.state(payment_id))["Status"])

    async def later(self, seconds: int) -> None:
        """Let the bank's time pass."""
        await self.control("POST", "/clock", {"advance_seconds": seconds})

    async def knobs(self, **wanted: Any) -> None:
        """Turn knobs."""
        await self.control("PUT", "/knobs", wanted)

    async def script(self, key: str, *outcomes: Any) -> None:
        """Say what the next payments, refusals, charges or refunds come to."""
        await self.control("PUT", f"/scripts/{key}", {"outcomes": list(outcomes)})

    async def log(self) -> Log:
        """Return the notifications that there are, with their attempts."""
        items: Log = (await self.control("GET", "/deliveries"))["items"]
        return items

    async def settled(self) -> Log:
        """Wait until no notification is to be delivered any more, and return them."""
        return await self.until(lambda log: bool(log) and all(one["state"] in ENDED for one in log))

    async def until(self, reached: Callable[[Log], bool]) -> Log:
        """Wait until the log of notifications is as wanted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                log = await self.log()
                if reached(log):
                    return log
                await asyncio.sleep(0.005)

    def heard(self) -> list[Body]:
        """Return the bodies that have arrived, in order."""
        return [json.loads(each["body"]) for each in self.sandbox.heard]


def signed(fields: Body) -> Body:
    """Return a request as the terminal signs it; a field that is None is left out."""
    said = {name: value for name, value in fields.items() if value is not None}
    body = {"TerminalKey": KNOBS["terminal"], **said}
    return {**body, "Token": token(body, KNOBS["password"])}


@asynccontextmanager
async def terminal(**changes: Any) -> AsyncIterator[Terminal]:
    """Run a sandbox with a terminal; `changes` are SandboxSettings."""
    async with running(**changes) as sandbox:
        yield Terminal(sandbox)
