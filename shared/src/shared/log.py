"""JSON logs with a correlation id, and nothing in them that a thief could use.

The correlation id is given to a payment where it begins and follows it through every service: in
HTTP headers, signed links, events and rows. Redaction works on the finished entry, exceptions
included, because a driver's error message may quote the data.
"""

from __future__ import annotations

import logging
import random
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TextIO

import orjson
import structlog

from shared.redaction import redact, redacted

__all__ = ["redact"]

CORRELATION_HEADER: Final = "X-Correlation-Id"

_correlation: ContextVar[str] = ContextVar("saldo_correlation", default="")
_ACCEPTED = re.compile(r"[0-9A-Za-z._:-]{1,64}", re.ASCII)
_IDS: Final = random.Random()  # noqa: S311 - no secret; a generator of its own, that nobody seeds
_INTERNAL: Final = {"_record", "_from_structlog"}
"""What structlog itself carries in an entry, and takes out of it."""


def new_correlation_id() -> str:
    """Make an id for a payment that begins here; unique, and no secret."""
    return f"{_IDS.getrandbits(128):032x}"


def correlation_id() -> str:
    """Return the id of what is being done now, or an empty text."""
    return _correlation.get()


def acceptable(candidate: str | None) -> str:
    """Return a caller's correlation id where it is harmless, else a new one."""
    return candidate if candidate and _ACCEPTED.fullmatch(candidate) else new_correlation_id()


@contextmanager
def bind_correlation(value: str) -> Iterator[None]:
    """Carry the id in every log line written inside the block."""
    previous = _correlation.set(value)
    try:
        yield
    finally:
        _correlation.reset(previous)


def configure(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's entries as JSON, one a line.

    They go to stdout; a command whose output is for somebody to read names another stream.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_context(service),
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)
        ),
        _redact_entry,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=_dump),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("aiosqlite", "aiormq", "aio_pika", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _add_context(service: str) -> Any:
    def processor(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> Any:
        entry.setdefault("service", service)
        if current := _correlation.get():
            entry.setdefault("correlation_id", current)
        return entry

    return processor


def _redact_entry(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> Any:
    for key, value in entry.items():
        if key not in _INTERNAL:
            entry[key] = redacted(value, key)
    return entry


def _dump(entry: Any, **_options: Any) -> str:
    return orjson.dumps(entry, default=str).decode()
