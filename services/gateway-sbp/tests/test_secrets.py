"""No secret anywhere: journeys at both banks, then a search of logs, metrics and database."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import prometheus_client
import pytest
import structlog

import needles
from shared import log
from shared.events_gateway import ChargeRequested
from shared.gateway import work
from shared.gateway.journal import journal
from shared.inbox import apply
from shared.metrics import REGISTRY

pytestmark = pytest.mark.timeout(90)
EMAIL = "maria.ivanova@example.ru"
NEEDLES = {
    "Raiffeisen's key": "sim-secret-key-000000000001",
    "T-Bank's password": "SimPassw0rd",
    "email": EMAIL,
    "account token": "tok_sim_",
    "payer's telephone": "0079000000012",
}


@pytest.fixture
def written() -> Iterator[Callable[[], str]]:
    """Configures the logs as a service does, with everything in them; returns what was written."""
    root = logging.getLogger()
    handlers, level, known = root.handlers[:], root.level, structlog.get_config()
    stream = io.StringIO()
    log.configure("gateway-sbp", "DEBUG", stream)
    yield stream.getvalue
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**known)


@pytest.mark.parametrize("bank", ["raiffeisen", "tbank"])
async def test_a_journey_leaves_no_secret(
    start: Any, database_url: str, written: Callable[[], str], bank: str
) -> None:
    place = await start(
        SBP_ACQUIRERS=bank,
        SBP_RECEIPTS='{"vat": "base", "tax_system": "osn"}',
        SALDO_SERVICES="core-billing,gateway-yookassa,gateway-sbp,notifier,autopay",
    )
    contact = {"contact": {"email": EMAIL}}
    paid = await place.paid(**contact)
    back = {"amount": "100.00", "reason": "Ошибка"}
    status, _ = await place.call("POST", f"/v1/payments/{paid['id']}/refunds", back)
    assert status in (201, 202)
    binding = await _bound(place, bank)
    await _charge(place, binding["id"])
    lie = b'{"Token": "sim-secret-key-000000000001", "email": "maria.ivanova@example.ru"}'
    assert (await place.callback(bank, lie))[0] in (400, 403)
    await place.pending("77.00", **contact)

    async def journaled() -> bool:
        return len(await place.rows(journal)) >= 6

    await place.until(journaled)
    places = {
        "logs": written(),
        "metrics": prometheus_client.generate_latest(REGISTRY).decode(),
        "database": await needles.dump(database_url),
    }
    assert all(places.values()), "there is something to search"
    more = NEEDLES | {"binding": await _token(place, bank)}
    found = {name: needles.found(text, more) for name, text in places.items()}
    assert found == {"logs": [], "metrics": [], "database": []}


async def _bound(place: Any, bank: str) -> dict[str, Any]:
    wanted = {
        "contract": "100245",
        "kind": "sbp",
        "return_url": f"{place.url}/cabinet/",
        "consent": {"version": "1"},
        "contact": {"email": EMAIL},
    }
    _, made = await place.call("POST", "/v1/methods", wanted)
    waiting = await place.until(lambda: _method(place, made["id"], "pending"))
    code = urlsplit(waiting["confirmation_url"]).path.strip("/")
    assert (await place.sandbox.call("POST", f"/{bank}/qr/{code}/pay", {})).status == 200
    found: dict[str, Any] = await place.until(lambda: _method(place, made["id"], "active"))
    return found


async def _method(place: Any, method_id: str, status: str) -> Any:
    _, found = await place.call("GET", f"/v1/methods/{method_id}")
    return found if found["status"] == status else None


async def _charge(place: Any, method_ref: str) -> None:
    at = place.gateway.clock()
    body = ChargeRequested(
        contract="100245",
        occurred_at=at,
        charge_id="charge-1",
        provider=next(iter(place.gateway.providers)),
        method_ref=method_ref,
        amount_kopecks=5_000,
        not_after=at + timedelta(minutes=10),
    )
    event = body.event("autopay", subject="charge-1", revision="charge-1", correlation_id="corr")
    await apply(work.consumer(place.gateway, "gateway-sbp"), [event], place.gateway.clock)

    async def charged() -> bool:
        return any(event.data["charge_id"] for event in await place.said())

    await place.until(charged)


async def _token(place: Any, bank: str) -> str:
    """Return what opens the bound account: the id of a subscription, the key of a request."""
    column = {
        "raiffeisen": "SELECT id AS found FROM raiffeisen_subscription",
        "tbank": "SELECT request_key AS found FROM tbank_binding",
    }[bank]
    return str(place.sandbox.store.one(column)["found"])
