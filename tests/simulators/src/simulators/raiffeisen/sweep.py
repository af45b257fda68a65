"""What happens by itself in time: terms run out, money arrives, receipts are done."""

from __future__ import annotations

from dataclasses import replace

from simulators.banks.bank import Bank
from simulators.raiffeisen import model, payer

BATCH = 1_000


def sweep(bank: Bank) -> None:
    """Let happen what is due by now."""
    now = bank.clock.now()
    with bank.store.transaction():
        _settle(bank, now)
        _end_orders(bank, now)
        for table, column in (("raiffeisen_refund", "done_at"), ("raiffeisen_receipt", "ready_at")):
            bank.store.run(
                f"UPDATE {table} SET status = becomes WHERE status = 'IN_PROGRESS' "
                f"AND {column} <= ?",
                now,
            )
        bank.store.run(
            "UPDATE raiffeisen_qr SET status = 'EXPIRED' WHERE status IN ('NEW', 'INACTIVE') "
            "AND expires_at <= ?",
            now,
        )


def _settle(bank: Bank, now: int) -> None:
    due = bank.store.all(
        "SELECT transaction_id FROM raiffeisen_payment WHERE status = 'IN_PROGRESS' "
        "AND settles_at <= ? LIMIT ?",
        *(now, BATCH),
    )
    for row in due:
        (paid,) = model.payments(bank.store, "transaction_id", row["transaction_id"])
        payer.settle(bank, paid)


def _end_orders(bank: Bank, now: int) -> None:
    """Of a code that is being paid just now the order waits for the outcome."""
    due = bank.store.all(
        "SELECT id FROM raiffeisen_order WHERE status = 'NEW' AND expires_at <= ? AND NOT EXISTS "
        "(SELECT 1 FROM raiffeisen_qr WHERE raiffeisen_qr.id = qr_id "
        "AND raiffeisen_qr.status = 'IN_PROGRESS') LIMIT ?",
        *(now, BATCH),
    )
    for row in due:
        found = model.order(bank.store, row["id"])
        if found is not None:
            model.keep(bank.store, replace(found, status="EXPIRED", changed_at=now))
            payer.unbind(bank, found.qr_id)
