"""Compares what the ledger owes with what it says; each function returns the faults it found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from faults.books import CONTRACT, SUSPENSE, Balance, Books, Line
from faults.orders import Order
from faults.owed import Owed
from faults.truth import Taken

OPENING: Final = "opening"
_UNDECIDED: Final = ("pending", "waiting_for_capture")


class Source(Protocol):
    """An account of ours at a provider."""

    @property
    def source(self) -> str:
        """The name under which the ledger knows what comes from there."""


def ledger(
    owed: Sequence[Owed], books: Books, shop: Source, others: Collection[str] = ()
) -> list[str]:
    """Each owed payment stands in the ledger exactly once, and nothing else does.

    `others` are sources that are looked at apart.
    """
    standing: dict[str, list[Line]] = defaultdict(list)
    wrong: list[str] = []
    for line in books.lines:
        if line.source == shop.source:
            standing[line.payment_id].append(line)
        elif line.source != OPENING and line.source not in others:
            wrong.append(f"{line.payment_id}: posted from {line.source}, which takes no payments")
    for one in owed:
        wrong += _posted_once(one, standing.pop(one.payment_id, []), shop)
    for payment_id, lines in standing.items():
        wrong.append(f"{payment_id}: {_sum(lines)} kopecks posted that the provider has not taken")
    if books.stray_postings:
        wrong.append(f"{books.stray_postings} postings belong to no payment")
    return wrong


def returned(back: Sequence[Owed], books: Books, shop: Source) -> list[str]:
    """What the provider has sent back by itself stands in the ledger once; nothing else does."""
    provider = shop.source.removeprefix("payment:")
    due: Counter[tuple[str, int, int | None, str | None]] = Counter(
        (one.payment_id, -one.kopecks, one.kopecks, f"{CONTRACT}{one.contract}") for one in back
    )
    said = Counter(
        (line.payment_id.partition(":")[0], line.payment_kopecks, line.kopecks, line.debit)
        for line in books.lines
        if line.source == refunds(shop) and line.credit == f"clearing:{provider}"
    )
    others = sum(line.source == refunds(shop) for line in books.lines) - said.total()
    wrong = [f"{one[0]}: {one[2]} kopecks went back, and are not posted" for one in due - said]
    wrong += [f"{one[0]}: {one[2]} kopecks posted that have not gone back" for one in said - due]
    return wrong + ([f"{others} refunds are not posted to clearing"] if others else [])


def sums(
    owed: Sequence[Owed],
    books: Books,
    opened: Mapping[str, int],
    *shops: Source,
    back: Sequence[Owed] = (),
) -> list[str]:
    """The totals, and each contract's, agree to the kopeck with the provider's."""
    credited = Counter({CONTRACT + number: kopecks for number, kopecks in opened.items()})
    for one in owed:
        if one.contract is not None:
            credited[CONTRACT + one.contract] += one.kopecks
    for one in back:
        credited[f"{CONTRACT}{one.contract}"] -= one.kopecks
    kept = {balance.account: balance.kept_kopecks for balance in books.balances}
    wrong = [
        f"{account}: the provider's payments make {credited.get(account, 0)} kopecks, "
        f"the balance is {kept.get(account)}"
        for account in sorted(credited.keys() | kept.keys())
        if credited.get(account, 0) != kept.get(account)
    ]
    provider = sum(one.kopecks for one in owed) - sum(one.kopecks for one in back)
    posted = sum(total(books, shop) for shop in shops)
    if provider != posted:
        wrong.append(f"the provider took {provider} kopecks, the ledger holds {posted}")
    return wrong


def balances(kept: Iterable[Balance]) -> list[str]:
    """Each kept balance equals the sum of its postings."""
    return [
        f"{one.account}: {one.kept_kopecks} kept, the postings make {one.posted_kopecks}"
        for one in kept
        if one.kept_kopecks != one.posted_kopecks
    ]


def keys(made: Mapping[int, Sequence[str]], orders: Sequence[Order]) -> list[str]:
    """Each client's key has made exactly one payment at the provider."""
    return [
        f"order {order.number}, key {order.key}: {len(made[order.number])} payments exist: "
        f"{', '.join(made[order.number]) or 'none'}"
        for order in orders
        if len(made[order.number]) != 1
    ]


def decided(payments: Iterable[Taken]) -> list[str]:
    """Nothing is left open at the provider, or the run would not have shown its end."""
    return [f"{p.id}: still {p.status} at the provider" for p in payments if p.status in _UNDECIDED]


def held(foreign: Collection[str], held_back: Collection[str]) -> list[str]:
    """What is not our money is held back by the gateway, and nothing else is."""
    wrong = [f"{one}: foreign money, and not held back" for one in set(foreign) - set(held_back)]
    return wrong + [f"{one}: held back without need" for one in set(held_back) - set(foreign)]


def answers(answered: Mapping[int, int]) -> list[str]:
    """No callback, however wrong, makes the gateway fail; 503 asks for it again."""
    return [
        f"{count} callbacks were answered {status}"
        for status, count in answered.items()
        if status >= 500 and status != 503
    ]


def total(books: Books, shop: Source) -> int:
    """Return the kopecks that the ledger says have come from the provider and stayed."""
    sources = (shop.source, refunds(shop))
    return _sum([line for line in books.lines if line.source in sources])


def refunds(shop: Source) -> str:
    """Return the name under which the ledger knows what goes back."""
    return "refund:" + shop.source.removeprefix("payment:")


def _posted_once(owed: Owed, lines: Sequence[Line], shop: Source) -> list[str]:
    """One revision with one posting of the whole amount, from clearing to where it belongs."""
    provider = shop.source.removeprefix("payment:")
    target = CONTRACT + owed.contract if owed.contract else SUSPENSE + provider
    expected = Line(
        shop.source, owed.payment_id, 1, owed.kopecks, owed.kopecks, f"clearing:{provider}", target
    )
    if list(lines) == [expected]:
        return []
    if not lines:
        return [f"{owed.payment_id}: {owed.kopecks} kopecks for {target} are missing"]
    said = "; ".join(f"{line.kopecks} {line.debit} → {line.credit}" for line in lines)
    return [f"{owed.payment_id}: {owed.kopecks} kopecks for {target} are posted as: {said}"]


def _sum(lines: Iterable[Line]) -> int:
    """Add what left clearing, and take back what returned there."""
    moved = 0
    for line in lines:
        if (line.debit or "").startswith("clearing:"):
            moved += line.kopecks or 0
        elif (line.credit or "").startswith("clearing:"):
            moved -= line.kopecks or 0
    return moved
