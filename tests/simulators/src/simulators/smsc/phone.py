"""Telephone numbers as SMSC.ru reads them."""

from __future__ import annotations

import re

INTERNATIONAL = re.compile(r"\d{11,15}")
DECORATION = str.maketrans("", "", " -()")
RUSSIAN_LENGTH = 11


def normal(given: str) -> str | None:
    """Return the number in digits, None for no number.

    Without a plus sign Russian habits are corrected (8916... and 916... become 7916...); with one
    the number is taken as it is.
    """
    bare = given.strip().translate(DECORATION)
    if bare.startswith("+"):
        bare = bare[1:]
    elif len(bare) == RUSSIAN_LENGTH and bare.startswith("8"):
        bare = "7" + bare[1:]
    elif len(bare) == RUSSIAN_LENGTH - 1 and bare.startswith("9"):
        bare = "7" + bare
    return bare if INTERNATIONAL.fullmatch(bare) and bare.isascii() else None


def split(phones: str) -> list[str]:
    """Return the numbers of a list written with commas or semicolons."""
    return [each for each in re.split(r"[,;\n]", phones) if each.strip()]
