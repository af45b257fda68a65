"""The billing's whole API keeps to its own document, whatever is sent to it.

Requests are made from the document and sent to the real service on SQLite. No answer may be a 500,
nor a status, a content type or a body that the document does not describe. `make fuzz-api` sends
many more of them.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import negative_data_rejection

from core_billing import app
from core_billing.settings import Settings
from core_billing.web.api import PREFIX, api
from served import Served
from servers.processes import run_aside
from shared import migrations, openapi
from shared.crypto import new_encryption_key, token_hash
from shared.memory import MemoryBus
from shared.service import Process

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "0"))
"""Requests of each kind to an address; without it few, so that the suite stays short."""
ANSWERS: Final[Counter[tuple[str, int]]] = Counter()
AT: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKEN: Final = {"Authorization": "Bearer all"}
NUMBERS: Final = ("100245", "100246", "100247", "999999")
"""Contracts that requests name: the last one is not there."""
TARIFFS: Final = ("Домашний 100", "ТВ")
IDS: Final = dict.fromkeys(("id", "promise", "tariff", "service"), ("1", "2"))
NAMES: Final = dict.fromkeys(("number", "contract", "from", "to", "main"), NUMBERS)
DAYS: Final = dict.fromkeys(
    ("paid_on", "starts_on", "until", "since", "valid_from"), ("2026-11-22", "2026-11-25")
)
SETTINGS: Final = {"name": ("cash_only_today", "closed_before", *TARIFFS)}
AMOUNT: Final = {"type": "string", "pattern": "^[1-9][0-9]{0,3}\\.[0-9]{2}$"}
PAID: Final = {"amount": "1 250,50", "method": "cash"}
PERSON: Final = {"name": "Анна", "phone": "+79161234567", "email": "anna@example.ru"}


def likely(name: str, schema: dict[str, Any], known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return a schema that half of the time names what exists: chance alone never would."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [likely(name, one, known) for one in schema["anyOf"]]}
    if schema.get("type") == "string" and name in known and "enum" not in schema:
        return {"anyOf": [{"enum": list(known[name])}, schema]}
    if name == "category" and schema.get("type") == "integer":
        return {"anyOf": [{"const": 0}, schema]}
    if "650.00" in schema.get("examples", ()):
        return {"anyOf": [AMOUNT, schema]}
    return schema


def document() -> dict[str, Any]:
    """Return the service's document, with schemas of requests that name what exists."""
    made = openapi.document(api.title, PREFIX, api.operations)
    bodies = {o.body.__name__ for o in api.operations if o.body is not None}
    within = {**NAMES, **DAYS, **SETTINGS, "tariff": TARIFFS}
    for name, schema in made["components"]["schemas"].items():
        if name in bodies:
            found = schema.get("properties", {})
            schema["properties"] = {key: likely(key, one, within) for key, one in found.items()}
    for methods in made["paths"].values():
        for operation in methods.values():
            for one in operation["parameters"]:
                one["schema"] = likely(one["name"], one["schema"], {**NAMES, **IDS})
    return made


CONFIG: Final = schemathesis.Config.from_dict(
    {
        "checks": {
            # A rule of the billing may refuse what its schema cannot forbid.
            "positive_data_acceptance": {"enabled": False},
            # `/payments/check` is an address of `/payments/{id}`, too, which takes GET.
            "allow_header_conformance": {"enabled": False},
        },
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
        services=("core-billing",),
    )
    bus = MemoryBus(kept.topology(), kept.signer(), lambda: datetime.now(UTC))
    return Process([app.build(kept, lambda: AT)], bus, lambda: datetime.now(UTC))


def seed(base: str) -> None:
    """Open contracts and give them what the addresses are about."""

    def send(path: str, **body: Any) -> None:
        answer = requests.post(f"{base}{PREFIX}{path}", json=body, headers=TOKEN, timeout=20)
        assert answer.status_code in (200, 201), f"{path}: {answer.text}"

    for number, balance in zip(NUMBERS[:-1], ("-120.00", "40.00", "5000.00"), strict=True):
        send("/contracts", number=number, balance=balance, subscriber=PERSON)
    for tariff, label in zip(TARIFFS, ("internet", "tv"), strict=True):
        send("/tariffs", name=tariff, service=label, price="650.00")
        send(f"/contracts/{NUMBERS[0]}/services", tariff=tariff)
    send("/payments", contract=NUMBERS[1], amount="100.00", method="cash", receipt_number="A-1")
    send("/settings", name="promise", value={"min": "1.00", "max": "5000.00"})
    send("/promises", contract=NUMBERS[0], amount="2000.00")
    send(f"/contracts/{NUMBERS[1]}/terms", main=NUMBERS[2])


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Serve some contracts; yields the address."""
    url = f"sqlite+aiosqlite:///{directory / 'core.db'}"
    run_aside(migrations.migrate(url, "core_billing"))
    served = Served(partial(process, url))
    try:
        address = served.base.result(30)
        seed(address)
        yield address
    finally:
        served.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that anything may be sent to."""
    with serving(tmp_path_factory.mktemp("any")) as address:
        yield address
    if EXAMPLES:
        report()


@pytest.fixture(scope="module")
def orderly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that chance has not changed."""
    with serving(tmp_path_factory.mktemp("orderly")) as address:
        yield address


def report() -> None:
    """Say of a long run what was sent and what came back."""
    operations = len({label for label, _ in ANSWERS})
    sys.stderr.write(f"\n{ANSWERS.total()} requests to {operations} operations\n")
    for (label, status), count in sorted(ANSWERS.items()):
        sys.stderr.write(f"{count:7} {status} {label}\n")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES or 4,
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=list(HealthCheck),
)
def test_an_address_keeps_to_the_document(case: Case, base: str) -> None:
    answer = case.call(base_url=base, headers=TOKEN, timeout=20)
    ANSWERS[case.operation.label, answer.status_code] += 1
    excluded = [negative_data_rejection] if may_be_accepted(case) else []
    case.validate_response(answer, headers=TOKEN, excluded_checks=excluded)


def may_be_accepted(case: Case) -> bool:
    """Say whether a request that breaks the schema may be answered 200 all the same.

    A check answers what the act would refuse. A parameter that is an empty list is not sent.
    """
    unsent = any(value in ([], {}) for value in (case.query or {}).values())
    return unsent or case.operation.path.endswith("/check")


GOOD: Final[tuple[tuple[str, dict[str, str], dict[str, Any] | None, int], ...]] = (
    ("/payments", {}, {**PAID, "contract": "100247", "receipt_number": "A-2"}, 201),
    ("/payments/{id}/corrections", {"id": "4"}, {"action": "annul", "reason": "дважды"}, 201),
    ("/transfers", {}, {"from": "100247", "to": "100246", "amount": "10"}, 201),
    ("/contracts/{number}/write-offs", {"number": "100245"}, {"reason": "прощён"}, 201),
    ("/settings", {}, {"name": "cash_only_today", "value": True}, 201),
    ("/contracts/{number}/forecast", {"number": "100245"}, None, 200),
    ("/contracts/{number}/recommended", {"number": "100245"}, None, 200),
    ("/contracts/{number}/statement", {"number": "100245"}, None, 200),
    ("/contracts/{number}/services", {"number": "100245"}, None, 200),
    *(("/" + path, {}, None, 200) for path in ("forecasts", "promises", "audit", "blocks")),
)


@pytest.mark.parametrize(("path", "within", "body", "status"), GOOD)
def test_what_is_good_is_answered_as_documented(
    path: str, within: dict[str, str], body: dict[str, Any] | None, status: int, orderly: str
) -> None:
    """Chance seldom sends what all rules allow."""
    method = "GET" if body is None else "POST"
    more = {} if body is None else {"body": body, "media_type": "application/json"}
    case = schema[PREFIX + path][method].Case(path_parameters=within, **more)
    answer = case.call(base_url=orderly, headers=TOKEN, timeout=20)
    assert answer.status_code == status, answer.text
    case.validate_response(answer, headers=TOKEN)
