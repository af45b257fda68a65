"""The AsyncAPI document says what the code does: all types, all listeners, the true bodies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, ValidationError

from shared import asyncapi
from shared.topology import LISTENERS

DOCUMENT = asyncapi.document()
GOLDEN = sorted((Path(__file__).parent / "events").glob("*.json"))


def payload(kind: str) -> Draft7Validator:
    """Return what judges the bodies of a type."""
    schema = DOCUMENT["components"]["messages"][kind]["payload"]
    return Draft7Validator({**schema, "components": DOCUMENT["components"]})


def references(part: Any) -> Iterator[str]:
    """Return everything that the document refers to."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_it_lists_every_type() -> None:
    kinds = set(asyncapi.models())
    assert set(LISTENERS) <= kinds
    assert set(DOCUMENT["channels"]) == set(DOCUMENT["components"]["messages"]) == kinds
    assert all(message["summary"] for message in DOCUMENT["components"]["messages"].values())


def test_it_lists_every_listener() -> None:
    heard = {
        (operation["channel"]["$ref"].removeprefix("#/channels/"), name)
        for name, operation in DOCUMENT["operations"].items()
    }
    assert heard == {(k, f"{queue}.{k}") for k, queues in LISTENERS.items() for queue in queues}


def test_nothing_it_refers_to_is_missing() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        part: Any = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


@pytest.mark.parametrize("body", GOLDEN, ids=lambda path: path.stem)
def test_golden_bodies_fit_their_schema(body: Path) -> None:
    payload(body.stem).validate(json.loads(body.read_text()))


@pytest.mark.parametrize("body", GOLDEN, ids=lambda path: path.stem)
def test_other_bodies_do_not(body: Path) -> None:
    said = json.loads(body.read_text())
    without_time = {**said, "data": {k: v for k, v in said["data"].items() if k != "occurred_at"}}
    for wrong in ({**said, "type": "other"}, {**said, "specversion": "0.3"}, without_time):
        with pytest.raises(ValidationError):
            payload(body.stem).validate(wrong)


def test_the_command_prints_it() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "shared.asyncapi"], check=True, capture_output=True
    ).stdout
    assert json.loads(shown) == DOCUMENT
