"""Money that goes back: begun as often as it is asked for, brought to its end by the clock."""

from __future__ import annotations

from dataclasses import replace

from simulators.banks.bank import Bank
from simulators.tbank import model, notices
from simulators.tbank.model import Payment

BATCH = 1_000


def left(bank: Bank, found: Payment) -> int:
    """Return the kopecks of a payment that can still be sent back."""
    gone = found.returned_kopecks + model.going_back(bank.store, found.id)
    return found.amount_kopecks - gone if found.paid else 0


def send(bank: Bank, found: Payment, kopecks: int, external: str | None) -> Payment:
    """Begin a refund; inside a transaction. Nothing here knows a repeat: that is the trap.

    The script `refund` has `done`, or the `QrCancelCode` with which it comes to nothing.
    """
    outcome = bank.outcome("refund", "done")
    done_at = bank.clock.now() + bank.scaled(bank.knobs["refund_seconds"])
    bank.store.run(
        "INSERT INTO tbank_refund (payment_id, amount_kopecks, external_id, done_at, state, code) "
        "VALUES (?, ?, ?, ?, 'going', ?)",
        *(found.id, kopecks, external, done_at, None if outcome == "done" else str(outcome)),
    )
    going = replace(found, status="ASYNC_REFUNDING", cancel_code=None)
    model.keep(bank.store, going)
    if bank.knobs["refund_seconds"] == 0:
        finish(bank)
        return model.payment(bank.store, found.id) or going
    return going


def finish(bank: Bank) -> None:
    """Bring the refunds to their end whose time has come; inside a transaction."""
    due = bank.store.all(
        "SELECT * FROM tbank_refund WHERE state = 'going' AND done_at <= ? ORDER BY id LIMIT ?",
        *(bank.clock.now(), BATCH),
    )
    for row in due:
        found = model.payment(bank.store, row["payment_id"])
        if found is None:
            continue
        state = "done" if row["code"] is None else "failed"
        bank.store.run("UPDATE tbank_refund SET state = ? WHERE id = ?", state, row["id"])
        back = found.returned_kopecks + (row["amount_kopecks"] if state == "done" else 0)
        after = replace(
            found, returned_kopecks=back, status=_word(found, back), cancel_code=row["code"]
        )
        others = model.going_back(bank.store, found.id)
        model.keep(bank.store, replace(after, status=found.status) if others else after)
        if state == "done":
            notices.told(bank, after)


def _word(found: Payment, back: int) -> str:
    if back == 0:
        return "CONFIRMED"
    return "REFUNDED" if back >= found.amount_kopecks else "PARTIAL_REFUNDED"
