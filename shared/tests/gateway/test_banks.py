"""How a code opens a bank's app, and which addresses never do."""

from __future__ import annotations

import pytest

from shared.gateway import banks

CODE = "qr.nspk.ru/AD100004BAL7227F9BNP6KNE007J9B3K?type=02&bank=100000000007&sum=1&crc=AB75"
BINDING = "sub.nspk.ru/AS1000SIMULATEDSUBID000000000001?type=03&bank=100000000007&crc=60EE"


@pytest.mark.parametrize("rest", [CODE, BINDING])
def test_a_payload_opens_every_bank_that_is_known(rest: str) -> None:
    found = banks.shortcuts(f"https://{rest}")
    assert [one.name for one in found] == [bank.name for bank in banks.BANKS]
    assert [one.address for one in found] == [f"{bank.scheme}://{rest}" for bank in banks.BANKS]
    assert f"bank100000000111://{rest}" in [one.address for one in found]


@pytest.mark.parametrize(
    "payload",
    [
        f"http://{CODE}",
        "https://qr.nspk.ru.evil.example/AD1",
        "https://evil.example/qr.nspk.ru",
        "https://qr.nspk.ru@evil.example/",
        "https://[/",
        "javascript:alert(1)",
        "",
    ],
)
def test_no_other_address_opens_one(payload: str) -> None:
    assert banks.shortcuts(payload) == ()
