"""Lets the plan's clients, payers and liars act, each at their own moment."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from typing import Final

from faults import autopay, sbp, settings
from faults.client import Client, Refused, open_contract
from faults.lies import Lie
from faults.orders import Order
from faults.plan import Plan, Told
from faults.provider import ControlFailed, Provider
from faults.stage import AUTOPAY, CORE, GATEWAY, GATEWAY_SBP, Stage

KNOWN_MAX: Final = 500


@dataclass
class Load:
    """The people of a run; `refused` holds what should not have happened to them."""

    plan: Plan
    client: Client
    provider: Provider
    started: float
    """When the run began, by the monotonic clock."""
    refused: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """How long each client waited for its payment to stand."""
    _known: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Let everything happen that the plan has; returns when the last payer has acted."""
        dice = Random(self.plan.seed)
        async with asyncio.TaskGroup() as tasks:
            for order in self.plan.orders:
                tasks.create_task(self._order(order))
            for told in self.plan.lies:
                tasks.create_task(self._lie(told, Random(dice.getrandbits(64))))

    async def _order(self, order: Order) -> None:
        await self._until(order.at)
        begun = time.monotonic()
        try:
            payment_id = await self.client.pay(order)
            self.seconds.append(time.monotonic() - begun)
            self._known[:] = [*self._known[-KNOWN_MAX:], payment_id]
            await self.provider.act(order, payment_id)
        except (Refused, ControlFailed) as error:
            self.refused.append(str(error))

    async def _lie(self, told: Told, dice: Random) -> None:
        await self._until(told.at)
        known = dice.choice(self._known) if self._known else "none"
        contract = dice.choice(list(self.plan.contracts))
        lie = told.lie if self._known else Lie.UNKNOWN
        await self.provider.lie(lie, dice, known, contract)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self.started + at - time.monotonic()))


async def prepare(stage: Stage, plan: Plan) -> None:
    """Open the plan's contracts through the API, as an operator would."""
    for number, kopecks in plan.contracts.items():
        await open_contract(stage.session, stage.urls[CORE], settings.TOKEN, number, kopecks)


def payers(stage: Stage, plan: Plan) -> sbp.People:
    """Make those who pay by SBP, ready to act on a stage."""
    bank = stage.settings["SBP_ACQUIRERS"].partition(",")[0]
    client = Client(stage.session, stage.urls[GATEWAY_SBP], settings.TOKEN, "/sbp")
    now = time.monotonic()
    return sbp.People(plan.sbp, stage.session, client, stage.sandbox_url, bank, now)


def subscribers(stage: Stage, plan: Plan) -> autopay.Subscribers:
    """Make those with autopay, ready to act on a stage."""
    return autopay.Subscribers(
        plan.wishes,
        Client(stage.session, stage.urls[GATEWAY], settings.TOKEN, more=autopay.SAVING),
        Client(stage.session, stage.urls[AUTOPAY], settings.TOKEN),
        Provider(stage.session, stage.sandbox_url),
        settings.SHOP.source.removeprefix("payment:"),
        time.monotonic(),
    )


def people(stage: Stage, plan: Plan) -> Load:
    """Make the people of a plan, ready to act on a stage."""
    return Load(
        plan,
        Client(stage.session, stage.urls[GATEWAY], settings.TOKEN),
        Provider(stage.session, stage.sandbox_url),
        time.monotonic(),
    )
