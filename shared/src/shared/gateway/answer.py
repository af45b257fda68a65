"""An answer of a provider that could be read: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer said, read as its adapter reads it."""

    value: Any
