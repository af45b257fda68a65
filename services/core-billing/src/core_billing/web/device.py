"""A short name for the device behind a User-Agent, so that people recognise their own sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# The first word found counts: most browsers also claim to be those they descend from.
_BROWSERS: Final = (
    ("YaBrowser", "Yandex"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device(user_agent: str) -> str:
    """Return for instance ``Chrome, Android``; an empty text where nothing is recognised."""
    told = user_agent[:400]
    return ", ".join(name for names in (_BROWSERS, _SYSTEMS) if (name := _first(names, told)))


def _first(names: Sequence[tuple[str, str]], told: str) -> str:
    return next((name for word, name in names if word in told), "")
