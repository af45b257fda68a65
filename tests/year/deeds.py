"""What subscribers do in a year that is played: agree, refuse, pause, skip, pay, and save cards.

They do it through the service's own functions, as its page and its API do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from autopay import accounts, mandate_table, mandates, reviews, watches
from autopay.calendar_days import first_day
from autopay.case import Cause
from autopay.consents import Consent
from autopay.mandate import Mandate
from autopay.schedule import day_of
from shared import outbox
from shared.db import Tx, reading, transaction
from shared.errors import SaldoError
from shared.events import Event
from shared.events_autopay import AutopayFailed, AutopayUpcoming
from year.people import Person, card, luck

if TYPE_CHECKING:
    from year.world import World

TOGETHER: Final = 100
"""Mandates that are made in one transaction at the beginning."""
BY_HAND: Final = 0.7
"""How many of those who are blocked pay by hand in the end."""
NEW_CARD: Final = 0.6
"""How many of those who are asked for another card save one."""


class Deeds:
    """What is to be done at the next opportunity, and what is known of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.waiting: deque[tuple[Person, str]] = deque()
        self.upcoming: dict[str, str] = {}
        """Contract → the charge it was told of last."""
        self._seen: set[str] = set()
        self._asked: set[str] = set()

    async def agree(self, people: Sequence[Person]) -> None:
        """Make everybody's mandate."""
        for start in range(0, len(people), TOGETHER):
            some = people[start : start + TOGETHER]
            async with transaction(self.world.engine.db) as tx:
                if len(people) <= TOGETHER:
                    await self._create(tx, some)
                else:
                    await self._create_together(tx, some)

    async def _create(self, tx: Tx, people: Sequence[Person]) -> None:
        at, autopay = self.world.clock(), self.world.engine.autopay
        for one in people:
            await mandates.create(tx, autopay, one.number, one.terms, self._consent(), at)

    async def _create_together(self, tx: Tx, people: Sequence[Person]) -> None:
        """Do what `create` does for each, in fewer statements: thousands begin on the first day."""
        at, autopay = self.world.clock(), self.world.engine.autopay
        held = await accounts.lock(tx, [one.number for one in people])
        said: list[Event] = []
        for one in people:
            rest: dict[str, Any] = {
                "paused_until": None,
                "skip_next": False,
                "created_at": at,
                "changed_at": at,
            }
            made = Mandate(uuid4(), one.number, 1, mandate_table.ACTIVE, one.terms, **rest)
            await mandate_table.insert(tx, made, first_day(made, at))
            producer = autopay.producer.name
            said += await watches.want(tx, producer, one.number, one.terms, at, made.id.hex)
        await outbox.add(tx, autopay.producer, said, at)
        looks = {one.number: Cause(look=True) for one in people}
        await reviews.review(tx, autopay, held, looks, at)

    def plan(self, one: Person, what: str) -> None:
        """Have somebody do something as soon as the service runs."""
        if what == "pay":
            self._pay(one)
        elif what == "unlink":
            self.world.bank.revoke(one.cards[-1].name, "removed_by_payer", self.world.clock.now)
        else:
            self.waiting.append((one, what))

    def heard(self, event: Event) -> None:
        """Read what the service tells a subscriber."""
        if event.type == AutopayUpcoming.TYPE:
            said = AutopayUpcoming.of(event)
            self.upcoming[said.contract or ""] = said.charge_id
        elif event.type == AutopayFailed.TYPE:
            failed = AutopayFailed.of(event)
            one = self.world.people[failed.contract or ""]
            if failed.needs == "new_method" and len(one.cards) < 5:
                self._save_soon(one)

    def morning(self) -> None:
        """Have those who have been blocked pay by hand after some days, most of them."""
        world = self.world
        for account in world.billing.blocked():
            number, since = account.person.number, account.blocked_at
            key = f"{number} {since}"
            if since is None or key in self._seen:
                continue
            self._seen.add(key)
            days = 1 + 9 * luck(world.seed, key, "days")
            if luck(world.seed, key, "by hand") >= BY_HAND:
                days = 30 + 30 * luck(world.seed, key, "late")
            world.later(since + timedelta(days=days), partial(self._pay_debt, account.person))

    async def do(self) -> bool:
        """Do what waits; return whether anything did."""
        busy = bool(self.waiting)
        while self.waiting:
            one, what = self.waiting[0]
            await self._do(one, what)
            self.waiting.popleft()
        return busy

    async def _do(self, one: Person, what: str) -> None:
        async with reading(self.world.engine.db) as tx:
            mandate = await mandates.of_contract(tx, one.number)
        if mandate is None:
            return
        at = self.world.clock()
        skipped = self.upcoming.get(one.number) if what == "skip" else None
        until = day_of(at, mandate.terms.zone) + timedelta(days=20)
        try:
            async with transaction(self.world.engine.db) as tx:
                await self._act(tx, one, mandate, what, until, skipped)
        except SaldoError as error:
            # A charge that has left is not called off, a card may have died meanwhile.
            self.world.promises.counts[f"{what} refused: {error.code or type(error).__name__}"] += 1
            return
        self.world.promises.counts[what] += 1
        agreement = self.world.promises.agreements[one.number]
        if what == "revoke":
            agreement.revoked_at = at
        elif what == "pause":
            agreement.paused_at, agreement.paused_until = at, until
        elif skipped is not None:
            self.world.promises.dropped.add(skipped)

    async def _act(
        self,
        tx: Tx,
        one: Person,
        mandate: Mandate,
        what: str,
        until: date,
        skipped: str | None,
    ) -> None:
        at, autopay, consent = self.world.clock(), self.world.engine.autopay, self._consent()
        if what == "revoke":
            await mandates.revoke(tx, autopay, mandate.id, consent, at, "subscriber")
        elif what == "pause":
            await mandates.pause(tx, autopay, mandate.id, until, consent, at)
        elif what == "skip":
            await mandates.skip(tx, autopay, mandate.id, consent, at, skipped)
        else:
            new, *others = (one.cards[-1].name, *mandate.terms.methods)
            other = next((name for name in others if self._good(name)), None)
            terms = replace(mandate.terms, method=new, reserve=other)
            await mandates.change(tx, autopay, mandate.id, terms, consent, at)

    def _good(self, name: object) -> bool:
        return name in self.world.bank.cards and name not in self.world.bank.gone

    def _save_soon(self, one: Person) -> None:
        """Save another card after some days, once for each one that has failed."""
        world, key = self.world, one.cards[-1].name.method_ref
        if key in self._asked:
            return
        self._asked.add(key)
        if luck(world.seed, key, "new card") >= NEW_CARD:
            return
        days = 1 + 4 * luck(world.seed, key, "new card in days")
        world.later(world.clock.now + timedelta(days=days), partial(self._save, one))

    def _save(self, one: Person) -> None:
        world, now = self.world, self.world.clock.now
        made = card(world.seed, one.number, one.zone, len(one.cards), day_of(now, one.zone))
        one.cards.append(made)
        world.bank.save(made, now)
        # The page offers the card when its gateway's word has come.
        world.later(now + timedelta(hours=40), partial(self.plan, one, "new card"))

    def _pay(self, one: Person) -> None:
        self.world.billing.credit(one.number, one.tariff_kopecks, self.world.clock.now)

    def _pay_debt(self, one: Person) -> None:
        account = self.world.billing.accounts[one.number]
        if account.blocked_at is not None:
            kopecks = max(one.tariff_kopecks, -account.balance)
            self.world.billing.credit(one.number, kopecks, self.world.clock.now)

    def _consent(self) -> Consent:
        return Consent("2026-11", self.world.clock(), "192.0.2.7", "page")
