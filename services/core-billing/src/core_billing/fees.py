"""Fees: what the services of contracts cost is taken from them, once for each period.

A fee is an operation of the source ``fee:<label>`` under ``<service>:<period>``, so the ledger's
own key lets it happen once. How far a service is paid for moves in the same transaction: whenever
a run is killed, the next one goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from core_billing import accounts, consequences, fee_due, fee_settlement, ledger, services
from core_billing.accounts import Kept, Source
from core_billing.changes import Change
from core_billing.drafts import Draft, Payment, Reference, draft
from core_billing.fee_calendar import Charge
from core_billing.fee_due import Due, Place, Step, everything, step
from core_billing.fee_settlement import Fee
from core_billing.ledger import Receipt
from core_billing.rules import Rules
from core_billing.services import service
from shared import outbox
from shared.db import Tx
from shared.events import Event
from shared.events_gateway import FeeCharged
from shared.rows import update_each

BATCH_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction has charged."""

    place: Place | None
    """Where the next one goes on; none where nothing was found after the place given."""
    services: int = 0
    fees: int = 0
    kopecks: int = 0


async def charge(tx: Tx, rules: Rules, day: date, after: Place, limit: int, at: datetime) -> Batch:
    """Take the next fee of at most `limit` services that are due on a day, and what follows.

    One fee for each service: of several missed periods the next batches take the others. What
    another run holds at this moment is passed over. The events leave with the transaction.
    """
    places = await fee_due.page(tx, day, after, limit)
    if not places:
        return Batch(None)
    found = await fee_due.find(tx, rules, day, places)
    if not found:
        return Batch(places[-1], len(places))
    # The contracts last: from then on others wait for us.
    sources = await accounts.sources(tx, {accounts.FEE + one.service.label for one in found})
    kept = await accounts.lock(tx, {accounts.of_contract(one.number) for one in found})
    now = [one._replace(open=kept[accounts.of_contract(one.number)].open) for one in found]
    steps = [(one, step(one, day)) for one in now]
    # First of all, so that whoever looks ahead does not count what is charged here once more.
    await _move(tx, steps)
    posted = await _post(tx, rules, steps, sources, kept, at)
    taken = sum(-receipt.amount_kopecks for receipt in posted.values())
    return Batch(places[-1], len(places), len(posted), taken)


async def forecast(tx: Tx, rules: Rules, day: date, after: Place, limit: int) -> Batch:
    """Return what `charge` would take of these services in all its batches; writes nothing."""
    places = await fee_due.page(tx, day, after, limit)
    if not places:
        return Batch(None)
    found = await fee_due.find(tx, rules, day, places, lock=False)
    fees = [fee for one in found for fee in everything(one, day)]
    return Batch(places[-1], len(places), len(fees), sum(fee.kopecks for fee in fees))


async def _post(
    tx: Tx,
    rules: Rules,
    steps: Sequence[tuple[Due, Step]],
    sources: Mapping[str, Source],
    kept: Mapping[str, Kept],
    at: datetime,
) -> dict[Reference, Receipt]:
    """Write the fees, say them and do what follows; those that were written are returned."""
    wanted = {
        _reference(one.charge): (due.number, one.charge)
        for due, one in steps
        if one.charge is not None and one.charge.kopecks > 0
    }
    drafts: list[Draft] = []
    for reference, (number, fee) in wanted.items():
        share = ((number, -fee.kopecks),)
        payment = Payment(*reference, -fee.kopecks, share, paid_at=at)
        drafts.append(draft(payment, sources[payment.source], kept))
    posted = await ledger.write(tx, drafts, kept, at)
    said = await _events(tx, rules, [(wanted[r][1], posted[r]) for r in posted], at)
    said += await consequences.follow(tx, rules, _changes(rules, posted.values(), at), at)
    await outbox.add(tx, rules.producer, said, at)
    return posted


def _reference(fee: Charge) -> Reference:
    return accounts.FEE + fee.label, f"{fee.service_id}:{fee.period}"


def _changes(rules: Rules, posted: Iterable[Receipt], at: datetime) -> list[Change]:
    """Return one change for each contract, however many fees it had."""
    followed_by = _correlation_id(rules, at)
    made = {
        credit.account_id: Change(
            account_id=credit.account_id,
            number=credit.number,
            correlation_id=followed_by,
            tied=credit.tied,
            payment_id=receipt.payment_id,
        )
        for receipt in posted
        for credit in receipt.credits
    }
    return list(made.values())


async def _events(
    tx: Tx, rules: Rules, posted: Sequence[tuple[Charge, Receipt]], at: datetime
) -> list[Event]:
    if not rules.producer.topology.bound(FeeCharged.TYPE):
        return []
    taken = []
    for _, receipt in posted:
        [part] = receipt.credits
        before = part.balance_kopecks - part.amount_kopecks
        taken.append(Fee(part.number, part.account_id, before, -part.amount_kopecks))
    settled = await fee_settlement.settlements(tx, taken)
    followed_by = _correlation_id(rules, at)
    return [
        FeeCharged(
            contract=one.number,
            occurred_at=at,
            fee_id=f"{fee.label}:{fee.service_id}:{fee.period}",
            service=fee.label,
            period=fee.period,
            amount_kopecks=one.kopecks,
            settled_by=by,
        ).event(
            rules.producer.name,
            subject=one.number,
            revision=f"{fee.label}:{fee.service_id}:{fee.period}",
            correlation_id=followed_by,
        )
        for (fee, _), one, by in zip(posted, taken, settled, strict=True)
    ]


def _correlation_id(rules: Rules, at: datetime) -> str:
    return f"fees-{rules.day(at)}"


async def _move(tx: Tx, steps: Sequence[tuple[Due, Step]]) -> None:
    moved = [
        {
            "id": due.service.id,
            "charged_through": one.charged_through,
            "due_on": services.due_after(one.charged_through, due.service.ends_on),
        }
        for due, one in steps
        if one.charged_through != due.service.charged_through
    ]
    await update_each(tx, service, moved, "id")
