"""What a shop takes, and which of several takes a payment."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.gateway.terms import Terms, Unserved, only_shop, shop_for
from shared.money import Money

REST = Terms(Money(100), Money(35_000_000))


def _for(*operators: str) -> Terms:
    return replace(REST, operators=frozenset(operators))


@pytest.mark.parametrize("kopecks", [100, 65_000, 35_000_000])
def test_amounts_within_the_bounds_are_taken(kopecks: int) -> None:
    REST.check_amount(Money(kopecks))


@pytest.mark.parametrize("kopecks", [-100, 0, 99, 35_000_001])
def test_amounts_beyond_are_refused_by_name(kopecks: int) -> None:
    with pytest.raises(Invalid) as refused:
        REST.check_amount(Money(kopecks))
    assert [error.field for error in refused.value.fields] == ["amount"]


def test_one_shop_for_everybody_asks_for_no_operator() -> None:
    assert only_shop({"a": REST}) == "a"
    assert only_shop({"old": _for(), "a": REST}) == "a", (
        "a shop that takes no new ones decides nothing"
    )
    assert only_shop({"a": _for("x")}) is None
    assert only_shop({"a": REST, "b": _for("x")}) is None
    assert shop_for({"a": REST}, {"1": "x", "2": "y"}) == "a"


def test_the_operator_picks_the_shop() -> None:
    terms = {"a": _for("x", "y"), "rest": REST, "old": _for()}
    assert shop_for(terms, {"1": "x"}) == "a"
    assert shop_for(terms, {"1": "x", "2": "y"}) == "a"
    assert shop_for(terms, {"1": "somebody"}) == "rest"


def test_a_payment_spans_one_legal_entity() -> None:
    terms = {"a": _for("x"), "b": _for("y"), "rest": REST}
    for operators in ({"1": "x", "2": "y"}, {"1": "x", "2": "somebody"}):
        with pytest.raises(Invalid) as refused:
            shop_for(terms, operators)
        assert [error.field for error in refused.value.fields] == ["allocations"]


def test_an_operator_that_nobody_serves_is_named() -> None:
    with pytest.raises(Unserved) as refused:
        shop_for({"a": _for("x"), "old": _for()}, {"1": "x", "2": "z"})
    assert refused.value.operator == "z"


@given(
    served=st.lists(st.frozensets(st.sampled_from("uvwxyz"), max_size=3), min_size=1, max_size=4),
    rest=st.booleans(),
    asked=st.dictionaries(st.sampled_from("123"), st.sampled_from("uvwxyz"), min_size=1),
)
def test_whatever_is_chosen_serves_every_contract(
    served: list[frozenset[str]], rest: bool, asked: dict[str, str]
) -> None:
    names = {str(place): operators for place, operators in enumerate(served)}
    owners = {operator: name for name, operators in names.items() for operator in operators}
    terms = {
        name: _for(*(one for one in operators if owners[one] == name))
        for name, operators in names.items()
    }
    terms |= {"rest": REST} if rest else {}
    wanted = {owners.get(operator, "rest" if rest else None) for operator in asked.values()}
    try:
        assert wanted == {shop_for(terms, asked)} or only_shop(terms) == "rest"
    except Unserved:
        assert None in wanted
    except Invalid:
        assert len(wanted) > 1
