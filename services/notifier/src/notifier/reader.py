"""For whom a text is written, and how sums, days and moments are said to them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from notifier import formats
from shared.clock import MOSCOW
from shared.errors import Language, Text

OPERATOR_LENGTH_MAX: Final = 20
"""Characters of the operator's name in an SMS; the rest would cost the subscriber a part."""
METHOD_LENGTH_MAX: Final = 14
CABINET_LENGTH_MAX: Final = 28

_CABINET: Final = Text("in your account", "в личном кабинете")


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a text is written."""

    contract: str
    operator: str
    cabinet_url: str
    name: str = ""
    language: Language = "ru"
    timezone: str = MOSCOW.key


@dataclass(frozen=True, slots=True)
class Voice:
    """How a reader is spoken to at a moment."""

    reader: Reader
    at: datetime
    zone: ZoneInfo

    @classmethod
    def of(cls, reader: Reader, at: datetime) -> Voice:
        """Return how a reader is spoken to."""
        return cls(reader, at, formats.zone(reader.timezone))

    @property
    def language(self) -> Language:
        """The reader's language."""
        return self.reader.language

    def say(self, text: Text) -> str:
        """Return a sentence in the reader's language."""
        return text.in_(self.language)

    def money(self, kopecks: int) -> str:
        """Return an amount."""
        return formats.money(kopecks, self.language)

    def owed(self, kopecks: int) -> str:
        """Return an amount, nothing where nothing is owed."""
        return self.money(kopecks) if kopecks > 0 else ""

    def moment(self, name: str, what: datetime) -> dict[str, str]:
        """Return a moment that was, by the reader's clock, long and short."""
        return {
            name: formats.moment(what, self.zone, self.language),
            f"{name}_short": formats.short_moment(what, self.zone, self.language),
        }

    def soon(self, name: str, what: datetime | None) -> dict[str, str]:
        """Return a moment to come, by the reader's clock, long and short."""
        if what is None:
            return {name: "", f"{name}_short": ""}
        return {
            name: formats.soon(what, self.zone, self.language),
            f"{name}_short": formats.short_moment(what, self.zone, self.language),
        }

    def day(self, name: str, what: date | None) -> dict[str, str]:
        """Return a day, long and short."""
        if what is None:
            return {name: "", f"{name}_short": ""}
        return {
            name: formats.day(what, self.language),
            f"{name}_short": formats.short_day(what, self.language),
        }

    def until_block(self, blocks_on: date | None) -> dict[str, str]:
        """Return the day services stop, and how many days are left."""
        today = self.at.astimezone(self.zone).date()
        left = (blocks_on - today).days if blocks_on else 0
        days_left = formats.days(left, self.language) if left > 0 else ""
        return {**self.day("blocks_on", blocks_on), "days_left": days_left}

    def method(self, title: str, name: str = "method") -> dict[str, str]:
        """Return how a card or an account is called, long and short."""
        title = " ".join(title.split())
        short = _shortened(title)
        # The bullet is not in the alphabet of GSM.
        return {
            name: title,
            f"{name}_short": short.replace("•", "*") if self.language == "en" else short,
        }

    def link(self, url: str) -> str:
        """Return a link, the cabinet's where there is none."""
        return url if url.startswith(("https://", "http://")) else self.reader.cabinet_url

    def about(self) -> dict[str, str]:
        """Return what every text may say."""
        reader = self.reader
        operator = " ".join(reader.operator.split())
        where = reader.cabinet_url.partition("://")[2].rstrip("/")
        fits = 0 < len(where) <= CABINET_LENGTH_MAX
        return {
            "contract": reader.contract,
            "name": " ".join(reader.name.split()),
            "operator": operator,
            "operator_short": operator[:OPERATOR_LENGTH_MAX].rstrip(),
            "cabinet_url": reader.cabinet_url,
            "cabinet_short": where if fits else self.say(_CABINET),
        }


def _shortened(title: str) -> str:
    """Return a title for an SMS: a card is known by its last digits, so its brand gives way."""
    brand, bullet, digits = title.rpartition("•")
    room = METHOD_LENGTH_MAX - len(bullet + digits) - 1
    if len(title) <= METHOD_LENGTH_MAX or not bullet or room < 1:
        return title[:METHOD_LENGTH_MAX].rstrip()
    return f"{brand[:room].rstrip()} {bullet}{digits}"
