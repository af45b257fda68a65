"""Keys are changed under a running gateway: everything sealed is sealed anew, and still works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import LargeBinary, Text

from shared.crypto import Vault, new_encryption_key
from shared.gateway import methods_binding, rotation, work
from shared.gateway.consent import Consent
from shared.gateway.methods import payment_method
from shared.gateway.payments import payment
from shared.gateway.terms import Terms
from shared.money import Money

SECOND = timedelta(seconds=1)


@pytest.fixture
def terms() -> Terms:
    return Terms(Money(100), Money(35_000_000), saves=True)


async def _filled(stand: Any) -> str:
    consent = Consent("1", stand.clock(), None, "demo")
    for _ in range(3):
        begun = await stand.wish(consent=consent, contact={"email": "payer@example.org"})
        stand.provider.save(begun.payment.provider_payment_id)
        await stand.callback(begun.payment.provider_payment_id)
    return f"token-{begun.payment.provider_payment_id}"


async def test_everything_is_sealed_anew_and_still_found(
    stand: Any,
    make_stand: Callable[..., Any],
    db: Any,
    monkeypatch: pytest.MonkeyPatch,
    vault_key: str,
) -> None:
    monkeypatch.setattr(rotation, "BATCH_MAX", 2)
    token = await _filled(stand)
    fresh = new_encryption_key()
    both, only_new = Vault([fresh, vault_key]), Vault([fresh])
    steps = [step async for step in rotation.rotate(db, both)]
    assert [(s.seen, s.renewed) for s in steps if s.table == "payment"] == [(2, 2), (3, 3)]
    assert all(step.unreadable == 0 for step in steps)
    for row in await stand.rows(payment):
        assert only_new.unsealed(row.request)[:1] == b"{"
        assert "payer@example.org" in only_new.decrypt(row.contact)
    rows = await stand.rows(payment_method)
    assert token in {only_new.decrypt(row.token) for row in rows}
    assert only_new.fingerprints(token)[0] in {row.token_hash for row in rows}
    again = [step async for step in rotation.rotate(db, both)]
    assert sum(step.renewed for step in again) == 0


async def test_a_method_is_found_under_the_older_key_as_well(
    stand: Any, make_stand: Callable[..., Any], db: Any, vault_key: str
) -> None:
    await stand.know("100245")
    wish = methods_binding.Wish(
        "100245", "sbp", "https://pay.example.org/b", Consent("1", stand.clock(), None, "d"), "c"
    )
    made = await methods_binding.begin(
        stand.gateway, stand.provider.shop, wish, timedelta(seconds=1)
    )
    (token,) = stand.provider.kept_methods
    rotated = make_stand(db, stand.provider, vault=Vault([new_encryption_key(), vault_key]))
    assert await methods_binding.nudge(rotated.gateway, token)
    stand.provider.confirm(token)
    await rotated.settle()
    assert str((await stand.method(made.id)).status) == "active"


async def test_what_no_key_reads_is_counted_and_left(stand: Any, db: Any) -> None:
    await _filled(stand)
    before = await stand.rows(payment_method)
    steps = [step async for step in rotation.rotate(db, Vault([new_encryption_key()]))]
    lost = {step.table: step.unreadable for step in steps}
    assert (lost["payment"], lost["payment_method"]) == (3, 3)
    assert await stand.rows(payment_method) == before


async def test_a_request_of_the_first_version_is_sealed(
    stand: Any, db: Any, vault_key: str
) -> None:
    await stand.wish()
    async with db.engine.begin() as tx:
        await tx.execute(payment.update().values(request=b'{"clear":1}'))
    vault = Vault([vault_key])
    assert [s.renewed async for s in rotation.rotate(db, vault) if s.table == "payment"] == [1]
    (row,) = await stand.rows(payment)
    assert (row.request[:1] != b"{", vault.unsealed(row.request)) == (True, b'{"clear":1}')


def test_no_sealed_column_is_forgotten() -> None:
    named = {(sealed.table.name, name) for sealed in rotation.SEALED for name in sealed.texts}
    named |= {(sealed.table.name, name) for sealed in rotation.SEALED for name in sealed.bodies}
    found = {
        (table.name, column.name)
        for schema in work.SCHEMAS
        for table in schema.sorted_tables
        for column in table.columns
        if (column.name in ("token", "contact") and isinstance(column.type, Text))
        or (column.name == "request" and isinstance(column.type, LargeBinary))
    }
    assert found <= named
