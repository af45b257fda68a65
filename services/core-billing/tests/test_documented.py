"""Every rule that may say no, and every setting, is in the API and in its document."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

import core_billing
from core_billing.policies import ALL
from core_billing.web.api import PREFIX, api, application
from shared import openapi, problem
from shared.crypto import token_hash
from shared.errors import Refusal
from shared.settings import ApiToken

DOCUMENT = openapi.document(api.title, PREFIX, api.operations)


def defined() -> set[Refusal]:
    """Return the refusals that the modules of the service hold."""
    found: set[Refusal] = set()
    for module in pkgutil.walk_packages(core_billing.__path__, "core_billing."):
        if module.name.endswith("__main__") or ".versions." in module.name:
            continue
        for value in vars(import_module(module.name)).values():
            held = value if isinstance(value, tuple) else (value,)
            found.update(one for one in held if isinstance(one, Refusal))
    return found


def documented() -> Iterator[tuple[str, int, str]]:
    """Return the code, status and sentence of each rule that an operation lists."""
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                for one in answer.get("x-refusals", ()):
                    yield one["code"], int(status), one["en"]


def test_every_refusal_is_documented_with_an_address() -> None:
    wanted = {(one.code, one.status, one.en) for one in defined()}
    assert len(wanted) > 50
    assert wanted - set(documented()) == set()


def test_every_keyed_operation_documents_the_conflict_of_its_key() -> None:
    keyed = [one for one in api.operations if one.keyed]
    assert keyed
    for one in keyed:
        answers = DOCUMENT["paths"][PREFIX + one.path][one.method.lower()]["responses"]
        codes = [rule["code"] for rule in answers["409"]["x-refusals"]]
        assert codes.count("idempotency_conflict") == 1, one.path


def test_every_refusal_speaks_both_languages() -> None:
    for one in defined():
        assert any("а" <= letter <= "я" for letter in one.ru.lower()), one.code
        assert one.en.isascii(), one.code


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_every_setting_is_shown(books: Any, aiohttp_client: Any) -> None:
    root = web.Application(middlewares=[problem.middleware])
    tokens = {token_hash("all"): ApiToken(name="all", scopes=("*",))}
    root.add_subapp(PREFIX, application(books.core, tokens))
    client: TestClient[Any, Any] = await aiohttp_client(root)
    headers = {"Authorization": "Bearer all"}
    answer = await client.get(f"{PREFIX}/settings", headers=headers)
    shown = {one["name"] for one in (await answer.json())["items"]}
    assert shown == {policy.name for policy in ALL}
