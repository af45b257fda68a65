"""The style is small, and everybody can read it: WCAG 2.2 asks for a contrast of 4.5 in text."""

import re
from importlib import resources

import pytest

STYLE = (resources.files("shared.web") / "static" / "saldo.css").read_text()
# Text on ground, as the rules use them; borders of fields need 3.
PAIRS = [
    ("text", "ground", 4.5),
    ("text", "card", 4.5),
    ("text", "wait-ground", 4.5),
    ("text", "bad-ground", 4.5),
    ("quiet", "ground", 4.5),
    ("quiet", "card", 4.5),
    ("accent", "ground", 4.5),
    ("accent", "card", 4.5),
    ("accent", "wait-ground", 4.5),
    ("on-accent", "accent", 4.5),
    ("bad", "card", 4.5),
    ("bad", "bad-ground", 4.5),
    ("good", "card", 4.5),
    ("good", "good-ground", 4.5),
    ("field", "card", 3.0),
]


def schemes() -> dict[str, dict[str, str]]:
    """Return the colours of the light and of the dark scheme."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): #(\w+)", block)) for block in blocks)
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2, definition)."""
    full = "".join(digit * 2 for digit in colour) if len(colour) == 3 else colour
    parts = [int(full[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground", "least"), PAIRS)
def test_text_stands_out(scheme: str, text: str, ground: str, least: float) -> None:
    colours = schemes()[scheme]
    bright, dim = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= least


def test_the_style_is_small_and_fetches_nothing() -> None:
    assert len(STYLE.encode()) <= 7200
    assert "url(" not in STYLE
    assert "@import" not in STYLE
