"""What is taken, and where browsers may be sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.errors import Invalid
from shared.gateway.limits import Limits, lies_under

BASE = "https://pay.example.org/cabinet"
LIMITS = Limits("https://pay.example.org", timedelta(0))


@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example.org/cabinet",
        "https://pay.example.org/cabinet/",
        "https://pay.example.org/cabinet/topups/7?x=1#y",
        "https://PAY.example.org:443/cabinet/a",
    ],
)
def test_what_continues_the_address_lies_under_it(url: str) -> None:
    assert lies_under(url, BASE)


@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example.org",
        "https://pay.example.org/cabinets",
        "https://pay.example.org/cabinet/../office",
        "https://pay.example.org/cabinet/%2e%2E/office",
        "https://pay.example.org/cabinet%2f..%2foffice",
        "https://pay.example.org/cabinet/..%5coffice",
        "http://pay.example.org/cabinet/",
        "https://pay.example.org:8443/cabinet/",
        "https://pay.example.org.evil.example/cabinet/",
        "https://pay.example.org@evil.example/cabinet/",
        "https://evil.example\\@pay.example.org/cabinet/",
        "https://evil.example/https://pay.example.org/cabinet/",
        "//pay.example.org/cabinet/",
        "/cabinet/",
        "javascript:alert(1)//pay.example.org/cabinet",
        "https://pay.example.org/cabinet/\n",
        "https://pay.example.org/cabinet/ x",
        "https://pay.example.org:port/cabinet/",
        "https://[pay.example.org/cabinet/",
        "",
    ],
)
def test_everything_else_does_not(url: str) -> None:
    assert not lies_under(url, BASE)


def test_a_bare_host_takes_its_whole_tree() -> None:
    for url in ("https://pay.example.org", "https://pay.example.org/a"):
        assert lies_under(url, "https://pay.example.org")
        assert lies_under(url, "https://pay.example.org/")


def test_a_return_address_is_ours_or_the_callers() -> None:
    LIMITS.check_return_url("https://pay.example.org/x", ())
    LIMITS.check_return_url("https://shop.example/back", ("https://shop.example",))
    with pytest.raises(Invalid) as refused:
        LIMITS.check_return_url("https://shop.example/back", ())
    assert [error.field for error in refused.value.fields] == ["return_url"]
