"""Whatever stands in a request: it is refused in YooKassa's words and never a 500."""

import copy
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from simulators.harness import Sandbox, order, running

NASTY: list[Any] = [
    None, True, 0, -1, 10**30, 1e300, "", "x", "\x00", "\ud800", "я" * 3000, [], [[]], {}, {"": ""},
    {"type": []}, {"card": 1},
]  # fmt: skip

ITEM = {
    "description": "Связь",
    "quantity": "1.0",
    "amount": {"value": "650.00", "currency": "RUB"},
    "vat_code": 1,
    "measure": "piece",
    "payment_subject": "payment",
    "payment_mode": "advance",
}
RECEIPT = {"customer": {"email": "a@b.ru", "phone": "79000000000"}, "items": [ITEM]}
PAYMENT = order(
    payment_method_data={"type": "bank_card"},
    save_payment_method=True,
    merchant_customer_id="c",
    receipt=RECEIPT,
)
BODIES = {
    "/payments": PAYMENT | {"payment_method_id": None, "payment_token": None},
    "/payment_methods": {"type": "bank_card", "confirmation": PAYMENT["confirmation"]},
    "/refunds": {
        "payment_id": "{id}",
        "amount": {"value": "650.00", "currency": "RUB"},
        "description": "d",
        "metadata": {"a": "b"},
        "receipt": RECEIPT,
    },
    "/receipts": {
        "type": "payment",
        "payment_id": "{id}",
        "refund_id": None,
        "customer": {"email": "a@b.ru"},
        "items": [ITEM],
        "settlements": [{"type": "prepayment", "amount": ITEM["amount"]}],
        "send": True,
    },
    "/payments/{id}/capture": {"amount": ITEM["amount"], "receipt": RECEIPT},
}
KNOWN = {200, 400, 403}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Walk to every place of a JSON value."""
    yield path
    if isinstance(body, dict | list):
        inner = body.items() if isinstance(body, dict) else enumerate(body)
        for name, value in list(inner):
            yield from places(value, (*path, name))


def bent(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the body with one place changed."""
    if not path:
        return value
    changed = copy.deepcopy(body)
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return changed


@pytest.mark.parametrize("path", BODIES)
async def test_any_value_in_any_place(sandbox: Sandbox, path: str) -> None:
    created = await sandbox.create(capture=False)
    body = json.loads(json.dumps(BODIES[path]).replace("{id}", created["id"]))
    address = path.replace("{id}", created["id"])
    for place in places(body):
        for value in NASTY:
            raw = json.dumps(bent(body, place, value))
            answer = await sandbox.api(
                "POST", address, data=raw, headers={"Content-Type": "application/json"}
            )
            assert answer.status in KNOWN, (place, value, answer)
            assert answer.status == 200 or answer.body["code"], (place, value, answer)


@pytest.mark.parametrize("what", ["payments", "refunds", "receipts"])
async def test_any_value_in_a_query(sandbox: Sandbox, what: str) -> None:
    nasty = [
        "",
        "x",
        "-1",
        "9" * 30,
        "9" * 5000,
        "٣",
        "%00",
        "%ff",
        "'",
        "MQ",
        "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTkgeA",
    ]
    nasty += ["0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "2026-01-01"]
    names = ["limit", "cursor", "created_at.gte", "captured_at.lt", "status", "payment_id", "x"]
    for name in names:
        for value in nasty:
            answer = await sandbox.api("GET", f"/{what}?{name}={value}")
            assert answer.status in KNOWN, (name, value, answer)


async def test_any_key_and_any_credentials(sandbox: Sandbox) -> None:
    for header in ("Idempotence-Key", "Authorization"):
        for value in ("\xff", "a" * 7000, "Basic ////", "Basic w7/Dvzrw", "é"):
            answer = await sandbox.api("POST", "/payments", order(), headers={header: value})
            assert answer.status in KNOWN | {401}, (header, value, answer)
