"""Sizes of SMS, by the published tables of 3GPP TS 23.038 and 23.040."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.segments import DEFAULT, EXTENDED, Encoding, size


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("hello", "GSM-7", 5, 1),
        ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ", "GSM-7", 31, 1),
        ("€", "GSM-7", 2, 1),
        ("[~]^{|}\\", "GSM-7", 16, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        # 76 fit into the 153 of a part: an escape is never cut from its character.
        ("€" * 152, "GSM-7", 304, 2),
        ("€" * 153, "GSM-7", 306, 3),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("привет", "UCS-2", 6, 1),
        ("п" * 70, "UCS-2", 70, 1),
        ("п" * 71, "UCS-2", 71, 2),
        ("п" * 134, "UCS-2", 134, 2),
        ("п" * 135, "UCS-2", 135, 3),
        ("a" * 70 + "₽", "UCS-2", 71, 2),
        ("ç", "UCS-2", 1, 1),
        ("`", "UCS-2", 1, 1),
        ("a\tb", "UCS-2", 3, 1),
        ("\N{GRINNING FACE}" * 35, "UCS-2", 70, 1),
        ("\N{GRINNING FACE}" * 36, "UCS-2", 72, 2),
        # 33 fit into the 67 of a part: a pair of surrogates is never cut.
        ("\N{GRINNING FACE}" * 66, "UCS-2", 132, 2),
        ("\N{GRINNING FACE}" * 67, "UCS-2", 134, 3),
    ],
)
def test_published_sizes(text: str, encoding: Encoding, units: int, segments: int) -> None:
    known = size(text)
    assert (known.encoding, known.units, known.segments) == (encoding, units, segments)


def test_the_tables_are_whole() -> None:
    """128 places, without the escape itself; nine further characters and the form feed."""
    assert len(DEFAULT) == 127
    assert len(EXTENDED) == 10
    assert not DEFAULT & EXTENDED


@given(st.text(max_size=400), st.text(max_size=20))
def test_more_text_is_never_smaller(text: str, more: str) -> None:
    before, after = size(text), size(text + more)
    assert after.segments >= before.segments or before.encoding != after.encoding
    assert after.price_kopecks(250) == 250 * after.segments


@given(st.text(max_size=400))
def test_units_are_those_of_utf_16(text: str) -> None:
    known = size(text)
    if known.encoding == "UCS-2":
        assert known.units == len(text.encode("utf-16-be", "surrogatepass")) // 2
        assert known.segments * 70 >= known.units
