"""Names of devices, from what browsers say about themselves."""

import pytest

from core_billing.web.device import device

MOZILLA = "Mozilla/5.0"


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) Chrome/131.0 Safari/537.36", "Chrome, Windows"),
        (f"{MOZILLA} (Windows NT 10.0) Chrome/131.0 Safari/537.36 Edg/131.0", "Edge, Windows"),
        (f"{MOZILLA} (Windows NT 10.0) Chrome/130 YaBrowser/24.12 Safari/537", "Yandex, Windows"),
        (f"{MOZILLA} (Linux; Android 14) Chrome/131.0 Mobile Safari/537.36", "Chrome, Android"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18_1 like Mac OS X) Safari/604.1", "Safari, iPhone"),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15", "Safari, macOS"),
        (f"{MOZILLA} (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox, Linux"),
        ("curl/8.5.0", ""),
        ("", ""),
        ("x" * 100_000 + "Chrome", ""),
    ],
)
def test_a_device_has_a_short_name(agent: str, expected: str) -> None:
    assert device(agent) == expected
