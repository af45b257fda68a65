"""The people with autopay in a run: they save a card, agree, and some of them take it back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from faults.client import PATIENCE_SECONDS, Client, Refused, pause
from faults.mandates import End, Wish
from faults.provider import ControlFailed, Provider

SAVING: Final = {"save_method": {"consent": {"version": "faults"}}}
"""What a payment asks for beside its money."""
_IN_FLIGHT_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.05


@dataclass
class Subscribers:
    """Who has agreed to autopay; `refused` holds what should not have happened to them."""

    wishes: Sequence[Wish]
    gateway: Client
    """Pays and has the card saved."""
    autopay: Client
    provider: Provider
    shop: str
    """The account at the provider, as events name it."""
    started: float
    refused: list[str] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    revoked_at: dict[str, datetime] = field(default_factory=dict)
    """Contract → when the answer to its revocation was there."""

    async def run(self) -> None:
        """Let everybody act at their moment; returns when the last has."""
        async with asyncio.TaskGroup() as tasks:
            for wish in self.wishes:
                tasks.create_task(self._live(wish))

    async def _live(self, wish: Wish) -> None:
        await asyncio.sleep(max(0.0, self.started + wish.first.at - time.monotonic()))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                card = await self._save(wish)
                if card is None:
                    return
                made = await self._agree(wish, card)
            await asyncio.sleep(wish.ends_after)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._end(wish, made, card)
        except (Refused, ControlFailed) as error:
            self.refused.append(f"{wish.contract}: {error}")
        except TimeoutError:
            self.refused.append(f"{wish.contract}: autopay took more than {PATIENCE_SECONDS:.0f} s")

    async def _save(self, wish: Wish) -> str | None:
        """Pay and save the card; return its name at the gateway once autopay has heard of it."""
        payment = await self.gateway.pay(wish.first)
        await self.provider.act(wish.first, payment)
        if not await self.provider.saved(payment):
            # Paid before anybody could ask for it to be kept.
            self.acts["cards not saved"] += 1
            return None
        await self.provider.script(payment, wish.outcomes)
        attempt = 0
        while True:
            path = f"/autopay/v1/methods?contract={wish.contract}"
            found = (await self.autopay.insist("GET", path))["items"]
            if found:
                self.acts["cards saved"] += 1
                return str(found[0]["method_ref"])
            attempt += 1
            await asyncio.sleep(pause(attempt))

    async def _agree(self, wish: Wish, card: str) -> str:
        terms = {
            "contract": wish.contract,
            "trigger": "balance",
            "threshold": _roubles(wish.threshold),
            "amount": _roubles(wish.kopecks),
            "cap": _roubles(wish.cap),
            "method": {"provider": self.shop, "method_ref": card},
            "consent": {"version": "faults"},
        }
        key = f"{wish.first.key}-agree"
        made = await self.autopay.insist("POST", "/autopay/v1/mandates", terms, key)
        self.acts["mandates"] += 1
        return str(made["id"])

    async def _end(self, wish: Wish, mandate: str, card: str) -> None:
        if wish.end is End.KEPT:
            return
        if wish.end is End.UNLINKED:
            await self.gateway.insist("POST", f"/yookassa/v1/methods/{card}/remove")
        else:
            if wish.end is End.REVOKED_IN_FLIGHT:
                await self._until_in_flight(wish.contract)
            path = f"/autopay/v1/mandates/{mandate}/revoke"
            await self.autopay.insist("POST", path, None, f"{wish.first.key}-revoke")
            self.revoked_at[wish.contract] = datetime.now(UTC)
        self.acts[wish.end] += 1

    async def _until_in_flight(self, contract: str) -> None:
        """Wait until a charge is in flight, or no longer."""
        until = time.monotonic() + _IN_FLIGHT_SECONDS
        path = f"/autopay/v1/charges?contract={contract}&state=requested"
        while time.monotonic() < until:
            found: Sequence[Any] = (await self.autopay.insist("GET", path))["items"]
            if found:
                self.acts["revoked while a charge was seen in flight"] += 1
                return
            await asyncio.sleep(_LOOK_SECONDS)


def _roubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d}"
