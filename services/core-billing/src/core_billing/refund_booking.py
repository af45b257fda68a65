"""What gateways say about refunds, booked: sent, or not going to happen.

A provider's word moves money once, in whatever order it comes, and nothing is refused: what lay
ready goes on to clearing, what nobody here asked for is taken from whoever holds the payment's
money now. What contradicts the books is listed and an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from core_billing import (
    accounts,
    consequences,
    holdings,
    ledger,
    postings,
    refund_notices,
    refund_rows,
    refunds,
    uncredited,
)
from core_billing.accounts import Source
from core_billing.changes import Change
from core_billing.drafts import Draft, Payment
from core_billing.holdings import Holder
from core_billing.ledger import Receipt
from core_billing.refund_notices import Notice
from core_billing.refund_rows import Refund, State
from core_billing.rules import Rules
from shared import outbox
from shared.db import Tx
from shared.errors import Text, Unavailable
from shared.metrics import alarm


async def lock(tx: Tx, notices: Sequence[Notice], payments: Sequence[Payment]) -> None:
    """Lock at once, in the order of everybody, what a batch of both is about to touch."""
    if not notices:
        return
    references = {notice.payment for notice in notices}
    await holdings.lock(tx, references)
    lines = await postings.lines_of(tx, {external_id for _, external_id in references})
    names = {row.credit for row in lines if row.credit.startswith(accounts.CONTRACT)}
    names |= {accounts.of_contract(number) for one in payments for number, _ in one.allocations}
    await accounts.lock(tx, names)


async def apply(tx: Tx, rules: Rules, notices: Sequence[Notice], at: datetime) -> dict[UUID, str]:
    """Book what gateways have said, tell them so and do what follows, in one transaction.

    Returns the notices whose payment has not come yet, with its reference: they must wait.
    """
    changes: list[Change] = []
    waits: dict[UUID, str] = {}
    for notice in notices:
        made = await (_succeed if notice.succeeded else _fail)(tx, rules, notice, at)
        if made is None:
            waits[notice.event_id] = ":".join(notice.payment)
        else:
            changes += made
    if changes:
        said = await consequences.follow(tx, rules, changes, at)
        await outbox.add(tx, rules.producer, said, at)
    return waits


async def again(tx: Tx, rules: Rules, notices: Sequence[Notice], at: datetime) -> None:
    """Acknowledge what is said again, and book what is in no ledger although it was heard.

    During an upgrade a release that knows no refunds may have taken them from the queue. One whose
    payment has not come is left for the next time it is said.
    """
    booked = await refund_notices.booked(tx, notices)
    missed = [notice for notice in notices if notice.reference not in booked]
    await lock(tx, missed, [])
    await apply(tx, rules, missed, at)
    heard = [notice for notice in notices if notice.reference in booked]
    await refund_notices.acknowledge_again(tx, rules, heard, at)


async def _succeed(tx: Tx, rules: Rules, notice: Notice, at: datetime) -> list[Change] | None:
    known = await refund_rows.find(tx, notice.provider, notice.refund_id, notice.provider_refund_id)
    if any(not notice.agrees(one) for one in known):
        return await _list(tx, notice, _disagreement(notice, known), at)
    if any(one.provider_refund_id == notice.provider_refund_id for one in known):
        await refund_notices.acknowledge_again(tx, rules, [notice], at)
        if any(one.state is State.REQUESTED for one in known):
            # Booked as if nobody had asked for it, so what was taken for it is still on its way.
            alarm("refund_request_left_open", **notice.facts())
        return []
    asked = next(iter(known), None)
    if asked is not None and asked.state is State.REQUESTED:
        return await _send(tx, rules, notice, asked, at)
    if asked is not None:
        # Money has gone all the same: from whoever holds it, since nothing lies ready.
        alarm(f"refund_succeeded_after_{asked.state}", **notice.facts())
    return await _take(tx, rules, notice, asked, at)


async def _send(tx: Tx, rules: Rules, notice: Notice, asked: Refund, at: datetime) -> list[Change]:
    """Post a refund on from where it has lain since it was asked for."""
    sources = await accounts.sources(tx, [notice.reference[0], asked.operations[0][0]])
    ready = sources[asked.operations[0][0]].account_id
    source = replace(sources[notice.reference[0]], suspense_id=ready)
    await _write(tx, rules, notice, source, {None: notice.amount_kopecks}, at)
    await refund_rows.change(
        tx, asked.id, provider_refund_id=notice.provider_refund_id, succeeded_at=at
    )
    return []


async def _take(
    tx: Tx, rules: Rules, notice: Notice, asked: Refund | None, at: datetime
) -> list[Change] | None:
    """Take a refund from whoever holds its payment's money; None where it has not come yet."""
    await holdings.lock(tx, [notice.payment])
    holding = (await holdings.find(tx, [notice.payment])).get(notice.payment)
    if holding is None:
        if await _was_before_us(tx, rules, notice):
            return await _list(tx, notice, uncredited.BEFORE_CUTOVER, at)
        return None
    if notice.amount_kopecks > holding.rest_kopecks:
        alarm("refund_above_rest", rest_kopecks=holding.rest_kopecks, **notice.facts())
    source = (await accounts.sources(tx, [notice.reference[0]]))[notice.reference[0]]
    split = holding.split(notice.amount_kopecks)
    receipt = await _write(tx, rules, notice, source, split, at)
    sent = {"provider_refund_id": notice.provider_refund_id, "succeeded_at": at}
    if asked is not None and asked.state is State.FAILED:
        await refund_rows.change(tx, asked.id, **sent)
    else:
        await refund_rows.add(tx, **notice.columns(), **sent)
    return [
        Change(credit.account_id, credit.number, notice.correlation_id, tied=credit.tied)
        for credit in receipt.credits
    ]


async def _write(
    tx: Tx,
    rules: Rules,
    notice: Notice,
    source: Source,
    split: Mapping[Holder, int],
    at: datetime,
) -> Receipt:
    kept = await accounts.lock(tx, [holder for holder in split if holder is not None])
    draft = Draft(notice.as_payment(), source, 1, refunds.taking(split), None)
    written = await ledger.write(tx, [draft], kept, at)
    if notice.reference not in written:
        raise Unavailable(Text("The refund is being booked", "Возврат проводится прямо сейчас"))
    receipt = written[notice.reference]
    await outbox.add(tx, rules.producer, refund_notices.posted(rules, notice, receipt), at)
    return receipt


async def _fail(tx: Tx, rules: Rules, notice: Notice, at: datetime) -> list[Change]:
    known = await refund_rows.find(tx, notice.provider, notice.refund_id, notice.provider_refund_id)
    changes: list[Change] = []
    for one in known:
        if not notice.agrees(one):
            alarm("refund_differs", **notice.facts())
        elif one.state is State.SUCCEEDED:
            alarm("refund_failed_after_success", **notice.facts())
        elif one.state is State.REQUESTED:
            changes += await refunds.give_back(tx, one, notice.at, at, notice.correlation_id)
    # Asked for somewhere else, and nothing was taken here: then there is nothing to give back.
    return changes


async def _list(tx: Tx, notice: Notice, reason: str, at: datetime) -> list[Change]:
    await uncredited.keep(tx, reason, [(notice.as_payment(), notice.correlation_id)], at)
    return []


def _disagreement(notice: Notice, known: Sequence[Refund]) -> str:
    same = all(one.amount_kopecks == notice.amount_kopecks for one in known)
    return uncredited.ANOTHER_PAYMENT if same else uncredited.ANOTHER_AMOUNT


async def _was_before_us(tx: Tx, rules: Rules, notice: Notice) -> bool:
    """Say whether the billing before us has credited the payment, so that it never comes here."""
    if rules.cutover_at is not None and notice.at < rules.cutover_at:
        return True
    listed = await uncredited.find(tx, [notice.provider_payment_id])
    return any(
        row.source == notice.payment[0] and row.reason == uncredited.BEFORE_CUTOVER
        for row in listed
    )
