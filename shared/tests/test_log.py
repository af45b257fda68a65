"""Logs: JSON lines with a correlation id, and nothing in them that a thief could use."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import structlog

from shared import log
from shared.log import acceptable, bind_correlation, correlation_id

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Configures the logs as a service does; returns what was written since the last call."""
    root = logging.getLogger()
    level, known = root.level, structlog.get_config()
    log.configure("notifier")
    ours = root.handlers[0]
    assert isinstance(ours, logging.StreamHandler)
    assert ours.stream is sys.stdout
    written = io.StringIO()
    monkeypatch.setattr(ours, "stream", written)
    monkeypatch.setattr(ours, "handleError", _reraise)

    def read() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in written.getvalue().splitlines()]
        written.seek(0)
        written.truncate()
        return found

    yield read
    root.removeHandler(ours)
    root.setLevel(level)
    structlog.configure(**known)


def _reraise(_record: logging.LogRecord) -> None:
    raise  # noqa: PLE0704 - logging calls it while it handles the error


CARD = "4111 1111 1111 1111"


class TestEntries:
    def test_an_entry_is_one_json_line_that_names_its_service(self, lines: Lines) -> None:
        structlog.get_logger("shared.some").info("payment.posted", kopecks=100, fine=True, no=None)
        (entry,) = lines()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry.pop("timestamp"))
        assert entry == {
            "event": "payment.posted",
            "level": "info",
            "logger": "shared.some",
            "service": "notifier",
            "kopecks": 100,
            "fine": True,
            "no": None,
        }

    def test_the_correlation_id_is_in_every_line_of_its_block(self, lines: Lines) -> None:
        logger = structlog.get_logger("x")
        with bind_correlation("outer"):
            with bind_correlation("inner"):
                logger.info("a")
                logging.getLogger("aiohttp").warning("b")
            logger.info("c")
        logger.info("d")
        found = [entry.get("correlation_id") for entry in lines()]
        assert found == ["inner", "inner", "outer", None]

    def test_secrets_are_masked_at_any_depth(self, lines: Lines) -> None:
        structlog.get_logger("x").info(
            "a",
            password="hunter2",
            api_key="hunter2",
            signing_keys=["hunter2"],
            encryption_key="hunter2",
            headers={"Authorization": "hunter2", "Set-Cookie": "hunter2", "X": "fine"},
            nested=[{"deep": ({"token": "hunter2", "to": "+79161234567"},)}],
            by_mail={"ivan@example.org": 1, 7: "seven"},
            _hidden="password=hunter2",
        )
        (entry,) = lines()
        assert "hunter2" not in json.dumps(entry)
        assert entry["headers"]["X"] == "fine"
        assert entry["nested"] == [{"deep": [{"token": "<secret>", "to": "<phone>"}]}]
        assert entry["by_mail"] == {"<email>": 1, "7": "seven"}
        assert entry["password"] == "<secret>"

    def test_what_only_names_a_secret_is_no_secret(self, lines: Lines) -> None:
        structlog.get_logger("x").info("a", token_hash="ab12", key="contract-1")
        (entry,) = lines()
        assert (entry["token_hash"], entry["key"]) == ("ab12", "contract-1")

    def test_exceptions_are_told_without_the_data_they_quote(self, lines: Lines) -> None:
        try:
            secret = "a local variable"
            raise ValueError(f"refused {CARD} of ivan@example.org{secret[:0]}")
        except ValueError:
            structlog.get_logger("x").exception("a.failed")
            logging.getLogger("aiohttp").exception("b.failed %s", "+79161234567")
        ours, theirs = lines()
        assert "<card> of <email>" in json.dumps(ours["exception"])
        assert "test_log.py" in json.dumps(ours["exception"])
        assert theirs["event"] == "b.failed <phone>"
        assert "<card> of <email>" in json.dumps(theirs["exception"])
        assert "a local variable" not in json.dumps([ours, theirs])

    def test_odd_values_never_lose_a_line(self, lines: Lines) -> None:
        @dataclass
        class Odd:
            password: str = "hunter2"

        loop: list[Any] = []
        loop.append(loop)
        odd = {
            "big": 10**30,
            "bytes": b"\xff",
            "surrogate": "\udcff",
            "set": {1},
            "object": Odd(),
            "loop": loop,
            "nan": float("nan"),
            "uuid": uuid4(),
            "keys": {None: 1, (1, 2): 2},
            "long": list(range(1000)),
        }
        for name, value in odd.items():
            structlog.get_logger("x").info("odd", **{name: value})
        written = lines()
        assert len(written) == len(odd)
        assert "hunter2" not in json.dumps(written)
        assert next(entry["big"] for entry in written if "big" in entry) == str(10**30)
        assert len(next(entry["long"] for entry in written if "long" in entry)) == 100

    def test_the_level_is_the_least_that_is_written(self, lines: Lines) -> None:
        logging.getLogger().setLevel("ERROR")
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        structlog.get_logger("x").warning("a")
        logging.getLogger("x").warning("b")
        structlog.get_logger("x").error("c")
        logging.getLogger("aiosqlite").debug("d")
        assert [entry["event"] for entry in lines()] == ["c"]


class TestCorrelation:
    def test_a_harmless_id_of_a_caller_is_kept(self) -> None:
        for candidate in ("a", "A-1_b.c:d", "x" * 64):
            assert acceptable(candidate) == candidate

    @pytest.mark.parametrize(
        "candidate", [None, "", "x" * 65, "a b", "a\n", "é", "<script>", "a\x00"]
    )
    def test_any_other_is_replaced(self, candidate: str | None) -> None:
        made = acceptable(candidate)
        assert re.fullmatch("[0-9a-f]{32}", made)
        assert made != acceptable(candidate)

    async def test_two_tasks_do_not_mix_theirs(self) -> None:
        both = asyncio.Barrier(2)

        async def work(value: str) -> str:
            with bind_correlation(value):
                await both.wait()
                return correlation_id()

        assert [*await asyncio.gather(work("a"), work("b"))] == ["a", "b"]
        assert correlation_id() == ""
