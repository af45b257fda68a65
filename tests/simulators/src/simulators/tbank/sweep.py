"""What happens by itself in time: terms run out, payments settle, money arrives back."""

from __future__ import annotations

from simulators.banks.bank import Bank
from simulators.tbank import bindings, payer, refunds


def sweep(bank: Bank) -> None:
    """Let happen what is due by now."""
    with bank.store.transaction():
        payer.sweep(bank)
        bindings.sweep(bank)
        refunds.finish(bank)
