"""Judges a run that has come to its end: every rule, each against the truth it is about."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from faults import books, charged, checker, leftovers, mandates, messages, owed, sbp, truth
from faults.autopay import Subscribers
from faults.books import Books
from faults.checker import Source
from faults.load import Load
from faults.owed import Owed
from faults.plan import Plan
from faults.sbp import People
from faults.settings import SHOP
from faults.stage import Stage
from faults.truth import Callbacks

LOOKS_MAX: Final = 10

Accounts = Mapping[Source, Sequence[Owed]]
"""Our accounts at providers, and what each of them owes to whom."""


@dataclass
class Crowd:
    """Everybody who has acted in a run."""

    people: Load
    payers: People
    subscribers: Subscribers

    @property
    def refused(self) -> list[str]:
        """What should not have happened to them."""
        return [*self.people.refused, *self.payers.refused, *self.subscribers.refused]


@dataclass
class Verdict:
    """What a run has shown: figures, and every fault."""

    faults: list[str]
    callbacks: Callbacks
    provider_kopecks: int
    ledger_kopecks: int
    sbp: Mapping[str, Any]
    """What happened at the banks of SBP."""
    autopay: Mapping[str, Any]
    """Mandates and charges."""
    messages: Mapping[str, Any]
    """What subscribers were told."""


async def judge(stage: Stage, plan: Plan, crowd: Crowd) -> Verdict:
    """Hold everything that the services say against what the providers know."""
    ledger = await books.read(stage.tables)
    accounts = _accounts(stage, plan)
    everything = [one for each in accounts.values() for one in each]
    back = sbp.returned(plan.sbp, stage.store)
    callbacks = truth.callbacks(stage.store)
    charges, of_charges = await _charges(stage, plan, crowd.subscribers)
    told, of_messages = await _messages(stage, accounts)
    found = [
        *crowd.refused,
        *(f"astray: {count} {what}" for what, count in (await leftovers.astray(stage)).items()),
        *await _payments(stage, plan),
        *_ledger(accounts, ledger),
        *checker.returned(back, ledger, sbp.TBANK),
        *checker.sums(everything, ledger, plan.contracts, *accounts, back=back),
        *checker.balances(ledger.balances),
        *checker.answers(callbacks.answered),
        *of_charges,
        *of_messages,
    ]
    return Verdict(
        faults=found,
        callbacks=callbacks,
        provider_kopecks=sum(one.kopecks for one in everything) - sum(one.kopecks for one in back),
        ledger_kopecks=sum(checker.total(ledger, account) for account in accounts),
        sbp=_sbp(stage, accounts, back, crowd.payers),
        autopay={**crowd.subscribers.acts, **charges},
        messages=told,
    )


def _accounts(stage: Stage, plan: Plan) -> Accounts:
    orders = (*plan.orders, *mandates.savings(plan.wishes))
    taken = truth.payments(stage.store)
    debts = owed.owed(orders, taken, SHOP, mandates.owners(plan.wishes))
    return {SHOP: debts} | sbp.owed(plan.sbp, stage.store)


async def _payments(stage: Stage, plan: Plan) -> list[str]:
    """Return what is wrong with the payments at YooKassa that somebody has ordered."""
    taken, whose = truth.payments(stage.store), mandates.owners(plan.wishes)
    cards = mandates.savings(plan.wishes)
    orders = (*plan.orders, *cards)
    return [
        *checker.keys(owed.made(orders, taken, whose), orders),
        *checker.decided(taken),
        *checker.held(owed.foreign(taken, SHOP), await leftovers.held(stage.tables)),
    ]


def _ledger(accounts: Accounts, ledger: Books) -> list[str]:
    sources = {account.source for account in accounts} | {checker.refunds(sbp.TBANK)}
    found = [checker.ledger(each, ledger, one, sources) for one, each in accounts.items()]
    return [fault for faults in found for fault in faults]


async def _charges(
    stage: Stage, plan: Plan, subscribers: Subscribers
) -> tuple[Mapping[str, Any], list[str]]:
    """Return the figures of autopay, and what is wrong with its charges."""
    made, asked = charged.made(stage.store), await charged.asked(stage.tables)
    wrong = [
        *charged.once(made),
        *charged.wanted(made, asked, plan.wishes),
        *charged.one_at_a_time(made, asked),
        *charged.after_refusal(asked, subscribers.revoked_at),
        *charged.after_removal(made, asked, await charged.removed(stage.tables)),
        *charged.capped(made, asked, plan.wishes),
        *charged.ended(made, asked),
    ]
    figures = {
        "charges": dict(charged.outcomes(asked)),
        "charges at the provider": len(made),
        "charged": sum(one.kopecks for one in made if one.status == owed.SUCCEEDED),
    }
    if not figures["charged"]:
        wrong.append("nothing was charged, so autopay has shown nothing")
    return figures, wrong


async def _messages(stage: Stage, accounts: Accounts) -> tuple[Mapping[str, Any], list[str]]:
    """Return how many messages there were, and what is wrong with them.

    Whoever is short of money is blocked after a while, by itself: what is told of a block that
    falls into these looks is waited for.
    """
    figures, wrong = await _told(stage, accounts)
    for _ in range(LOOKS_MAX):
        if not wrong:
            break
        await asyncio.sleep(1)
        figures, wrong = await _told(stage, accounts)
    return figures, wrong


async def _told(stage: Stage, accounts: Accounts) -> tuple[Mapping[str, Any], list[str]]:
    found = await messages.read(stage.tables)
    due = await _due(stage, accounts)
    arrivals = messages.arrived(stage.store)
    wrong = [
        *messages.told(found, due),
        *messages.finished(found, datetime.now(UTC)),
        *messages.delivered(found, arrivals),
    ]
    figures = {
        **messages.states(found),
        "arrived at the SMS provider": sum(arrivals.values()),
        "given to a channel again, in doubt": dict(messages.tried_again(found)),
    }
    return figures, wrong


async def _due(stage: Stage, accounts: Accounts) -> Mapping[str, Collection[messages.Told]]:
    charges = {one.payment_id for one in charged.made(stage.store)}
    by_hand: set[messages.Told] = set()
    by_itself: set[messages.Told] = set()
    for account, each in accounts.items():
        by_hand |= messages.credited(
            (x for x in each if x.payment_id not in charges), account.source
        )
        by_itself |= messages.credited((x for x in each if x.payment_id in charges), account.source)
    return {
        "payment": by_hand,
        "autopay_done": by_itself,
        "refund": await messages.refunds(stage.tables),
        **await messages.of_autopay(stage.tables),
        **await messages.of_billing(stage.tables),
    }


def _sbp(
    stage: Stage, accounts: Accounts, back: Sequence[Owed], payers: People
) -> Mapping[str, Any]:
    return {
        "acts": dict(payers.acts),
        "callbacks": sbp.deliveries(stage.store),
        **{
            bank.source: [len(each), sum(one.kopecks for one in each)]
            for bank, each in accounts.items()
            if bank is not SHOP
        },
        "sent back": [len(back), sum(one.kopecks for one in back)],
    }
