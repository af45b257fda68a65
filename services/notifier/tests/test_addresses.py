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
        ("8-916-123-45-67", "+79161234567"),
        ("+7(916)1234567", "+79161234567"),
        ("7 916 123 45 67", "+79161234567"),
        ("8.916.123.45.67", "+79161234567"),
        ("+7\u00a0916\u2011123\u201345\u201467", "+79161234567"),
        ("\u202a+79161234567\u202c", "+79161234567"),
        ("\ufeff8 916 123 45 67\u200b", "+79161234567"),
        ("+8 (916) 123-45-67", "+79161234567"),
        ("тел. 8 916 123-45-67", "+79161234567"),
        ("tel:+7-916-123-45-67", "+79161234567"),
        ("8 916 123 45 67, 8 495 123 45 67", "+79161234567"),
        ("8 495 123/45/67", "+74951234567"),
        ("4951234567", "+74951234567"),
        ("8 10 375 29 123-45-67", "+375291234567"),
        ("00375291234567", "+375291234567"),
        ("375291234567", "+375291234567"),
        ("+81 90 1234 5678", "+819012345678"),
        ("+1 (212) 555-01-23", "+12125550123"),
        ("8 100 123 45 67", "+71001234567"),
        ("+0 916 123 45 67", None),
        ("00 916 123", None),
        ("8 916 123 45 6", None),
        ("7 916 123 45 6", None),
        ("+7 916 123 45 6", None),
        ("+7 916 123 45 678", None),
        ("7 916 123 45 678", None),
        ("7012345678", "+77012345678"),
        ("8 916 123-45-67 доб. 12", None),
        ("", None),
        (",", None),
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
        ("\ufeffanna@example.org\u200b", "anna@example.org"),
        ("an\u00adna@example.org", "anna@example.org"),
        ("анна@почта.рф", "анна@почта.рф"),
        ("anna\x00@example.org", None),
        ("anna@example\x7f.org", None),
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
