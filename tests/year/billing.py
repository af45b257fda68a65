"""Core-billing in a year that is played: balances, fees, blocks, and what its watches say.

A contract is a balance that fees take from and payments add to. A monthly fee falls due on the
first day of a month, a daily one each day; whose money does not suffice is blocked until it does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from autopay.schedule import day_of, month_after
from shared.clock import MOSCOW
from shared.events import (
    BalanceLow,
    BalanceRecovered,
    ContractChanged,
    Event,
    EventData,
    PaymentPosted,
    PaymentSucceeded,
    SubscriberChanged,
    WatchCleared,
    WatchSet,
)
from shared.events_billing import (
    ContractBlocked,
    ContractDue,
    ContractUnblocked,
    FeeUpcoming,
)
from year.contracts import Account
from year.people import Person

CORE: Final = "core-billing"
WATCHER: Final = "autopay"

Send = Callable[[Event, datetime], None]


class Billing:
    """All contracts."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.accounts: dict[str, Account] = {}
        self.counts: Counter[str] = Counter()
        self.paid: set[str] = set()
        self.dark = timedelta()
        """How long contracts were blocked, all together."""
        self.posted: list[tuple[str, datetime, int, str | None]] = []
        """Contract, when, how much, and the charge that brought it."""

    def open(self, person: Person, balance: int, at: datetime) -> None:
        """Take a contract on, and tell of it."""
        self.accounts[person.number] = Account(person, balance)
        changed = ContractChanged(
            contract=person.number,
            occurred_at=at,
            revision=1,
            operator="Saldo",
            status="active",
            subscriber_id=f"sub-{person.number}",
        )
        self._say(changed, person.number, 1, at)
        subscriber = SubscriberChanged(
            occurred_at=at,
            revision=1,
            subscriber_id=f"sub-{person.number}",
            timezone=person.zone.key,
        )
        self._say(subscriber, f"sub-{person.number}", 1, at)

    def hear(self, event: Event, at: datetime) -> None:
        """Take what autopay or a gateway says to core."""
        if event.type == WatchSet.TYPE:
            said = WatchSet.of(event)
            self._watch(said.contract, said.kind, said, at)
        elif event.type == WatchCleared.TYPE:
            cleared = WatchCleared.of(event)
            self._watch(cleared.contract, cleared.kind, cleared, at)
        elif event.type == PaymentSucceeded.TYPE:
            money = PaymentSucceeded.of(event)
            if money.provider_payment_id not in self.paid:
                self.paid.add(money.provider_payment_id)
                self.credit(money.contract or "", money.amount_kopecks, at, money.charge_id)

    def credit(self, number: str, kopecks: int, at: datetime, charge_id: str | None = None) -> None:
        """Book a payment, and tell what follows from it."""
        account = self.accounts[number]
        account.balance += kopecks
        self.posted.append((number, at, kopecks, charge_id))
        ref = charge_id or f"hand-{number}-{len(self.posted)}"
        body = PaymentPosted(
            contract=number,
            occurred_at=at,
            payment_id=ref,
            provider="yookassa:100500",
            provider_payment_id=f"p-{ref}",
            amount_kopecks=kopecks,
            balance_kopecks=account.balance,
            available_kopecks=account.balance,
            posted_at=at,
            charge_id=charge_id,
        )
        self._say(body, ref, "posted", at)
        self._moved(account, at)

    def day(self, at: datetime) -> None:
        """Charge the fees of a day that has begun in Moscow, and block who cannot pay."""
        today = day_of(at, MOSCOW)
        for account in self.accounts.values():
            due = today.day == 1 or account.person.daily
            # Who is blocked uses nothing, and is charged for no more than the month begun.
            if due and account.blocked_at is None:
                account.balance -= account.fee
                self._moved(account, at)

    def morning(self, at: datetime) -> None:
        """Tell those who watch fees that some fall due and the money does not suffice."""
        today = day_of(at, MOSCOW)
        fees_on = month_after(today)
        for account in self.accounts.values():
            days = account.fee_days
            if days is None or (fees_on - today).days > days or account.fee_said == fees_on:
                continue
            missing = account.fee - account.balance
            if missing <= 0:
                continue
            account.fee_said = fees_on
            self._say(
                FeeUpcoming(
                    contract=account.person.number,
                    occurred_at=at,
                    watcher=WATCHER,
                    fees_on=fees_on,
                    fee_kopecks=account.fee,
                    balance_kopecks=account.balance,
                    available_kopecks=account.balance,
                    needed_kopecks=missing,
                    lines=account.lines(),
                    blocks_on=fees_on,
                ),
                account.person.number,
                f"fee {fees_on}",
                at,
            )

    def blocked(self) -> Iterable[Account]:
        """Return the contracts that are blocked."""
        return (one for one in self.accounts.values() if one.blocked_at is not None)

    def _watch(
        self, number: str | None, kind: str, said: WatchSet | WatchCleared, at: datetime
    ) -> None:
        account = self.accounts[number or ""]
        if said.revision <= account.heard.get(kind, -1):
            return
        account.heard[kind] = said.revision
        on = isinstance(said, WatchSet)
        if kind == "balance":
            account.threshold = said.threshold_kopecks if isinstance(said, WatchSet) else None
            account.low = account.low and on
            self._judge(account, at)
        elif kind == "fee":
            account.fee_days = said.days if isinstance(said, WatchSet) else None

    def _moved(self, account: Account, at: datetime) -> None:
        account.moves += 1
        self._judge(account, at)
        self._access(account, at)
        if account.threshold is None and account.fee_days is None:
            return  # nobody would pay for it
        needed = account.needed
        body = ContractDue(
            contract=account.person.number,
            occurred_at=at,
            balance_kopecks=account.balance,
            available_kopecks=account.balance,
            needed_kopecks=needed,
            lines=account.lines(),
            blocks_on=account.blocks_on(at),
        )
        self._say(body, account.person.number, account.moves, at)

    def _judge(self, account: Account, at: datetime) -> None:
        """Say that a threshold was crossed, or that the crossing is over: each once."""
        threshold = account.threshold
        if threshold is None:
            return
        number, balance = account.person.number, account.balance
        if not account.low and balance < threshold:
            account.low, account.crossing = True, account.crossing + 1
            needed = max(account.needed, threshold - balance)
            blocks_on = account.blocks_on(at)
            low = BalanceLow(
                contract=number,
                occurred_at=at,
                watcher=WATCHER,
                crossing=account.crossing,
                threshold_kopecks=threshold,
                balance_kopecks=balance,
                needed_kopecks=needed,
                blocks_on=None if blocks_on is None else blocks_on.isoformat(),
            )
            self._say(low, f"{number} {WATCHER}", account.crossing, at)
        elif account.low and balance >= threshold + threshold // 10:
            account.low = False
            recovered = BalanceRecovered(
                contract=number,
                occurred_at=at,
                watcher=WATCHER,
                crossing=account.crossing,
                balance_kopecks=balance,
            )
            self._say(recovered, f"{number} {WATCHER}", account.crossing, at)

    def _access(self, account: Account, at: datetime) -> None:
        blocked = account.balance < 0
        if blocked == (account.blocked_at is not None):
            return
        account.access += 1
        self.counts["blocks"] += blocked
        if account.blocked_at is not None:
            self.dark += at - account.blocked_at
        account.blocked_at = at if blocked else None
        kind = ContractBlocked if blocked else ContractUnblocked
        body = kind(
            contract=account.person.number,
            occurred_at=at,
            revision=account.access,
            reason="debt" if blocked else "paid",
            balance_kopecks=account.balance,
            available_kopecks=account.balance,
        )
        self._say(body, account.person.number, account.access, at)

    def _say(self, body: EventData, subject: str, revision: str | int, at: datetime) -> None:
        self.send(body.event(CORE, subject=subject, revision=revision, correlation_id=subject), at)
