"""Books with a past: contracts, watches and payments, loaded by SQL as the services leave them.

Payment `n` is for contract `n` modulo their number, and a contract's payments are all alike, so
each balance in the history is known without a sum. Afterwards the books prove correct like any.
"""

from __future__ import annotations

from typing import Final

from bench import stand
from servers.processes import ServerFailed

PROVIDER: Final = "yookassa:100500"
"""The one provider of all payments: nothing is spread over several clearing accounts."""
FIRST_CONTRACT: Final = 100_001

_CLEARING: Final = 1
_SUSPENSE: Final = 2
_FIRST_ACCOUNT: Final = 11
_PIECE: Final = 500_000

_ACCOUNTS: Final = f"""
INSERT INTO account (id, name) VALUES
    ({_CLEARING}, 'clearing:{PROVIDER}'), ({_SUSPENSE}, 'suspense:{PROVIDER}');
INSERT INTO source (id, name, account_id, suspense_id)
    VALUES (1, 'payment:{PROVIDER}', {_CLEARING}, {_SUSPENSE});
SELECT setval('source_id_seq', 1);
"""
# Every second contract stands below the threshold of 100.00 and its watch has said so.
_CONTRACTS: Final = f"""
INSERT INTO account (id, name)
    SELECT n + {_FIRST_ACCOUNT}, 'contract:' || n + {FIRST_CONTRACT}
    FROM generate_series(0, {{contracts}} - 1) AS n;
SELECT setval('account_id_seq', {{contracts}} + {_FIRST_ACCOUNT});
INSERT INTO balance (account_id, kopecks, credit_limit_kopecks, open)
    SELECT n + {_FIRST_ACCOUNT}, {{kopecks}} * {{each}}, 0, true
    FROM generate_series(0, {{contracts}} - 1) AS n;
INSERT INTO contract (id, number, subscriber_id, operator, revision, created_at)
    SELECT n + {_FIRST_ACCOUNT}, n + {FIRST_CONTRACT}, 's' || n, 'default', 1, now()
    FROM generate_series(0, {{contracts}} - 1) AS n;
INSERT INTO watch (contract_id, watcher, kind, armed, crossing, revision, cleared)
    SELECT account_id, 'notifier', 'balance', kopecks >= 10000, (kopecks < 10000)::integer, 0, false
    FROM balance;
"""
_KOPECKS: Final = "(CASE n % 2 WHEN 0 THEN 65000 ELSE 50 END)"
# Ids and times as the provider's: they begin with the second in which the payment was made.
_PAYMENTS: Final = f"""
INSERT INTO payment (id, amount_kopecks, paid_at, registered_at, source_id, revision, category,
        external_id, method, order_id)
    SELECT n + 1, {_KOPECKS}, at, at, 1, 1, 0,
        to_hex(700000000 + n) || '-000f-5000-8000-' || substr(md5(n::text), 1, 12), 'bank_card',
        md5('order' || n)::uuid
    FROM (SELECT n, now() - ({{payments}} - n) * interval '1 second' AS at
        FROM generate_series({{first}}, {{last}}) AS n) AS made;
INSERT INTO posting (payment_id, amount_kopecks, credit_balance, debit_id, credit_id, line)
    SELECT n + 1, {_KOPECKS}, {_KOPECKS} * (n / {{contracts}} + 1), {_CLEARING},
        n % {{contracts}} + {_FIRST_ACCOUNT}, 1
    FROM generate_series({{first}}, {{last}}) AS n;
INSERT INTO inbox (event_id, queue, digest, done_at)
    SELECT md5('event' || n)::uuid, 'core-billing.money', decode(md5('data' || n), 'hex'),
        now() - ({{payments}} - n) * interval '1 second'
    FROM generate_series({{first}}, {{last}}) AS n;
"""
_LOADED: Final = "SELECT setval('payment_id_seq', {payments})"
_ANALYZE: Final = "VACUUM ANALYZE"
_TABLES: Final = ("payment", "posting", "inbox", "balance")


def load(url: str, contracts: int, payments: int) -> None:
    """Fill core-billing's empty tables; `payments` is a multiple of an even `contracts`."""
    if contracts % 2 or payments % contracts or payments < contracts:
        raise ValueError("every contract has as many payments as the next one")
    each = payments // contracts
    stand.execute(url, _ACCOUNTS)
    stand.execute(url, _CONTRACTS.format(contracts=contracts, each=each, kopecks=_KOPECKS))
    for first in range(0, payments, _PIECE):
        last = min(first + _PIECE, payments) - 1
        piece = _PAYMENTS.format(first=first, last=last, contracts=contracts, payments=payments)
        stand.execute(url, piece)
    stand.execute(url, _LOADED.format(payments=payments), _ANALYZE)


def payments(url: str) -> int:
    """Count the payments in the ledger."""
    return stand.value(url, "SELECT count(*) FROM payment")


def bytes_per_payment(url: str) -> float:
    """Return what a payment takes in all relations of its tables, after a vacuum."""
    stand.execute(url, _ANALYZE)
    sizes = " + ".join(f"pg_total_relation_size('{table}')" for table in _TABLES)
    return stand.value(url, f"SELECT {sizes}") / payments(url)


def prove(url: str) -> None:
    """Recompute every balance from its postings; raises ServerFailed where one does not agree."""
    wrong = stand.value(
        url,
        "SELECT count(*) FROM balance FULL JOIN (SELECT credit_id, sum(amount_kopecks) AS kopecks,"
        " count(*) FILTER (WHERE debit_id = " + str(_CLEARING) + ") AS cleared, count(*) AS lines"
        " FROM posting GROUP BY credit_id) AS posted ON credit_id = account_id"
        " WHERE balance.kopecks IS DISTINCT FROM posted.kopecks OR cleared <> lines",
    )
    if wrong:
        raise ServerFailed(f"{wrong} balances differ from their postings: the bench has a fault")
