"""A sum is explained in at most fifty lines, which add up to it."""

from hypothesis import given
from hypothesis import strategies as st

from core_billing import prospects
from core_billing.recommend import Kind, Line
from shared.errors import Text


@given(st.lists(st.tuples(st.text(max_size=400), st.integers(-(10**9), 10**9)), max_size=70))
def test_lines_add_up(given_lines: list[tuple[str, int]]) -> None:
    lines = [Line(Kind.FEE, Text(name, name), kopecks) for name, kopecks in given_lines]
    told = prospects.told(lines)
    assert sum(one.kopecks for one in told) == sum(one.kopecks for one in lines)
    assert len(told) == min(50, len(lines))
    assert all(one.ru == name[:300] for one, (name, _) in zip(told[:49], given_lines, strict=False))
