"""Autopay's whole API keeps to its own document, whatever is sent to it.

As for the billing's in `test_core_api`; `make fuzz-api` sends many more requests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case

from autopay import app
from autopay.settings import Settings
from autopay.web.base import PREFIX, api
from served import Served
from servers.processes import run_aside
from shared import inbox, migrations, openapi
from shared.crypto import new_encryption_key, token_hash
from shared.events import ContractChanged, EventData
from shared.events_gateway import PaymentMethodSaved
from shared.memory import MemoryBus
from shared.service import Process

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "0"))
AT: Final = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
TOKEN: Final = {"Authorization": "Bearer all"}
SHOP: Final = "yookassa:100500"
NUMBERS: Final = ("100245", "100246", "999999")
"""Contracts that requests name: the last one is not there."""
QUIET: Final = "100247"
"""A contract that is there and that requests of chance do not name."""
KNOWN: Final = {
    "contract": NUMBERS,
    "provider": (SHOP,),
    "method_ref": ("m-100245", "m-100246"),
    "timezone": ("Europe/Moscow", "Asia/Kamchatka"),
    "until": ("2026-12-01", "2026-12-20"),
}
MADE: Final = "the-mandate"
"""Stands in a request for the id of a mandate that is there."""
AMOUNT: Final = {"type": "string", "pattern": "^[1-9][0-9]{0,3}\\.[0-9]{2}$"}


def likely(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that half of the time names what exists: chance alone never would."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [likely(name, one) for one in schema["anyOf"]]}
    if name in KNOWN and schema.get("type") == "string":
        return {"anyOf": [{"enum": list(KNOWN[name])}, schema]}
    if "650.00" in schema.get("examples", ()):
        return {"anyOf": [AMOUNT, schema]}
    return schema


def document() -> dict[str, Any]:
    """Return the service's document, with schemas of requests that name what exists."""
    made = openapi.document(api.title, PREFIX, api.operations)
    asked = {o.body.__name__ for o in api.operations if o.body is not None} | {"NamedMethod"}
    for name in asked:
        found = made["components"]["schemas"][name]["properties"]
        found.update({key: likely(key, one) for key, one in found.items()})
    for methods in made["paths"].values():
        for operation in methods.values():
            for one in operation["parameters"]:
                one["schema"] = likely(one["name"], one["schema"])
                if one["name"] == "id":
                    one["schema"] = {"anyOf": [{"const": MADE}, {"type": "string", "minLength": 1}]}
    return made


CONFIG: Final = schemathesis.Config.from_dict(
    {
        # A rule may refuse what its schema cannot forbid.
        "checks": {"positive_data_acceptance": {"enabled": False}},
        "phases": {"coverage": {"enabled": EXAMPLES > 0}},
    }
)
schema = schemathesis.openapi.from_dict(document(), config=CONFIG)


def process(database_url: str) -> Process:
    """Return the service as it is served."""
    kept = Settings(
        database_url=database_url,
        bus_url="memory://",
        public_url="http://127.0.0.1:8080",
        signing_keys=("a signing key of tests",),
        encryption_keys=(new_encryption_key(),),
        api_tokens={token_hash("all"): {"name": "all", "scopes": ["*"]}},
        services=("autopay",),
    )
    bus = MemoryBus(kept.topology(), kept.signer(), lambda: AT)
    return Process([app.build(kept, lambda: AT)], bus, lambda: AT)


async def know(process_: Process) -> None:
    """Let it hear of contracts, each with a saved card."""
    [service] = process_.services
    told: list[EventData] = []
    for number in (*NUMBERS[:-1], QUIET):
        said: dict[str, Any] = {"contract": number, "occurred_at": AT, "revision": 1}
        told.append(ContractChanged(operator="o", status="open", subscriber_id="s", **said))
        told.append(PaymentMethodSaved(provider=SHOP, method_ref=f"m-{number}", **said))
    events = [
        one.event("core-billing", subject=str(one.contract), revision=1, correlation_id="c")
        for one in told
    ]
    await inbox.apply(service.consumers[0], events, lambda: AT)
    await service.db.close()


def mandate(base: str, number: str) -> str:
    """Make a mandate of a contract; return its id."""
    body = {
        "contract": number,
        "trigger": "day",
        "day_of_month": 10,
        "amount": "500.00",
        "cap": "2000.00",
        "method": {"provider": SHOP, "method_ref": f"m-{number}"},
        "consent": {"version": "1"},
    }
    answer = requests.post(f"{base}{PREFIX}/v1/mandates", json=body, headers=TOKEN, timeout=20)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def known(base: str) -> str:
    """Return the mandate of a contract that requests of chance leave alone."""
    asked = {"contract": QUIET, "state": "active"}
    path = f"{base}{PREFIX}/v1/mandates"
    found = requests.get(path, params=asked, headers=TOKEN, timeout=20).json()["items"]
    return str(found[0]["id"]) if found else mandate(base, QUIET)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a service that anything may be sent to, and a mandate there."""
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('autopay') / 'autopay.db'}"
    run_aside(migrations.migrate(url, "autopay"))
    run_aside(know(process(url)))
    served = Served(partial(process, url))
    try:
        address = served.base.result(30)
        yield address, mandate(address, NUMBERS[0])
    finally:
        served.close()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES or 4,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=list(HealthCheck),
)
def test_an_address_keeps_to_the_document(case: Case, base: tuple[str, str]) -> None:
    address, made = base
    if case.path_parameters.get("id") == MADE:
        case.path_parameters["id"] = made
    answer = case.call(base_url=address, headers=TOKEN, timeout=20)
    case.validate_response(answer, headers=TOKEN)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "/consents", None),
        ("POST", "/pause", {"until": "2026-12-20"}),
        ("POST", "/resume", None),
        ("POST", "/skip", None),
    ],
)
def test_what_is_good_is_answered_as_documented(
    method: str, path: str, body: dict[str, Any] | None, base: tuple[str, str]
) -> None:
    """Chance seldom sends what all rules allow."""
    address, _ = base
    made = known(address)
    more = {} if body is None else {"body": body, "media_type": "application/json"}
    operation = schema[f"{PREFIX}/v1/mandates/{{id}}{path}"][method]
    case = operation.Case(path_parameters={"id": made}, **more)
    answer = case.call(base_url=address, headers=TOKEN, timeout=20)
    assert answer.status_code == 200, answer.text
    case.validate_response(answer, headers=TOKEN)
