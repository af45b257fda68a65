"""Phones and e-mail addresses, good and bad."""

from __future__ import annotations

import pytest

from notifier.addresses import email, masked, phone


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("+7 916 123-45-67", "+79161234567"),
        ("8 (916) 123-45-67", "+79161234567"),
        ("9161234567", "+79161234567"),
        ("79161234567", "+79161234567"),
        ("+375 29 123 45 67", "+375291234567"),
        ("", None),
        ("123", None),
        ("нет", None),
        ("+7916123456789012", None),
        ("٧٩١٦١٢٣٤٥٦٧", None),
    ],
)
def test_phone(written: str, expected: str | None) -> None:
    assert phone(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (" anna@example.org ", "anna@example.org"),
        ("anna@localhost", "anna@localhost"),
        ("", None),
        ("anna", None),
        ("anna@", None),
        ("a@b@c", None),
        ("anna@example.org\nBcc: x@example.org", None),
        ("a@example.org,b@example.org", None),
        ("x" * 65 + "@example.org", None),
    ],
)
def test_email(written: str, expected: str | None) -> None:
    assert email(written) == expected


def test_masked() -> None:
    assert masked("+79161234567") == "+7***4567"
    assert masked("anna@example.org") == "a***@example.org"
