"""Signing in and out, and everything that must not let anybody in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from structlog.testing import capture_logs

from core_billing.attempts import Limits

if TYPE_CHECKING:
    from conftest import World


async def test_the_right_password_opens_the_cabinet(world: World) -> None:
    browser = await world.browser()
    answer = await browser.sign_in("100245")
    assert (answer.status, answer.headers["Location"]) == (303, "/cabinet/")
    assert (await browser.get("/cabinet/")).status == 200
    assert "Договор 100245" in browser.page


async def test_the_cookie_is_kept_from_scripts_and_other_sites(world: World) -> None:
    answer = await (await world.browser()).sign_in("100245")
    cookie = answer.cookies["saldo_session"]
    assert (cookie["path"], cookie["samesite"]) == ("/cabinet", "Lax")
    assert cookie["httponly"]
    assert not cookie["secure"]
    published = replace(world.cabinet, public_url="https://pay.example.ru")
    answer = await (await world.browser(published)).sign_in("100245")
    assert answer.cookies["saldo_session"]["secure"]


async def test_a_wrong_sign_in_says_the_same_whatever_is_wrong(world: World) -> None:
    browser = await world.browser()
    for contract, password in (
        ("100245", "wrong secret"),
        ("999999", world.password),
        ("100245", "long " * 60),
        ("1" * 70, "wrong secret"),
    ):
        answer = await browser.sign_in(contract, password)
        assert answer.status == 401
        assert "Неверный номер договора или пароль" in browser.page
        assert f'value="{contract[:64]}"' in browser.page
        assert password not in browser.page
        assert "saldo_session" not in answer.cookies
        assert (await browser.get("/cabinet/")).status == 303


async def test_an_unknown_contract_takes_the_time_of_a_wrong_password(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    verify = PasswordHasher.verify

    def seen(hasher: PasswordHasher, kept: str, password: str) -> bool:
        checked.append(kept.rpartition("p=1")[0])
        return verify(hasher, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", seen)
    browser = await world.browser()
    await browser.sign_in("100245", "wrong")
    await browser.sign_in("999999", "wrong")
    # The same kind of hash with the same costs was computed both times.
    assert len(checked) == 2
    assert len(set(checked)) == 1


async def test_an_empty_field_is_named(world: World) -> None:
    browser = await world.browser()
    forms: tuple[tuple[dict[str, str], str], ...] = (
        ({"password": "x"}, "Введите номер договора"),
        ({"contract": "  ", "password": "x"}, "Введите номер договора"),
        ({"contract": "100245", "password": ""}, "Введите пароль"),
        ({}, "Введите номер договора"),
    )
    for form, said in forms:
        answer = await browser.post("/cabinet/login", data=form)
        assert answer.status == 422
        assert said in browser.page


async def test_a_contract_is_locked_for_a_while_after_too_many_attempts(world: World) -> None:
    limited = replace(world.cabinet, limits=Limits(per_contract=3))
    browser = await world.browser(limited)
    assert [(await browser.sign_in("100245", "wrong")).status for _ in range(3)] == [401] * 3
    answer = await browser.sign_in("100245")
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "901"
    assert "через 16 мин" in browser.page
    assert (await browser.sign_in("100301")).status == 303
    world.clock.advance(timedelta(minutes=15))
    assert (await browser.sign_in("100245")).status == 303


async def test_an_address_is_locked_whatever_contracts_it_tries(world: World) -> None:
    proxied = replace(
        world.cabinet,
        limits=Limits(per_address=3),
        trusted_proxies=(ip_network("127.0.0.0/8"),),
    )
    browser = await world.browser(proxied)

    async def status(contract: str, address: str) -> int:
        form = {"contract": contract, "password": "wrong"}
        headers = {"X-Forwarded-For": address}
        return (await browser.post("/cabinet/login", data=form, headers=headers)).status

    assert [await status(str(n), "192.0.2.1") for n in range(4)] == [401, 401, 401, 429]
    assert await status("9", "192.0.2.2") == 401
    # One home has a network of IPv6 addresses, not one address.
    homes = [f"2001:db8:1:1::{n:x}" for n in range(1, 5)]
    assert [await status(str(n), home) for n, home in enumerate(homes)] == [401, 401, 401, 429]
    assert await status("9", "2001:db8:1:2::1") == 401


async def test_a_forged_address_does_not_lift_the_limit(world: World) -> None:
    browser = await world.browser(replace(world.cabinet, limits=Limits(per_address=2)))
    statuses = []
    for n in range(3):
        headers = {"X-Forwarded-For": f"192.0.2.{n}"}
        form = {"contract": str(n), "password": "wrong"}
        statuses.append((await browser.post("/cabinet/login", data=form, headers=headers)).status)
    assert statuses == [401, 401, 429]


async def test_a_right_password_clears_the_count(world: World) -> None:
    browser = await world.browser(replace(world.cabinet, limits=Limits(per_contract=2)))
    for _ in range(3):
        assert (await browser.sign_in("100245", "wrong")).status == 401
        assert (await browser.sign_in("100245")).status == 303


async def test_another_site_cannot_sign_anybody_in(world: World) -> None:
    browser = await world.browser()
    form = {"contract": "100245", "password": world.password}
    for name, value in (("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")):
        answer = await browser.post("/cabinet/login", data=form, headers={name: value})
        assert answer.status == 403
        assert "saldo_session" not in answer.cookies


WISHES = {
    "/cabinet/sessions": "/cabinet/sessions",
    "/cabinet/topups/0b9e": "/cabinet/topups/0b9e",
    "https://evil.example/": "/cabinet/",
    "//evil.example/": "/cabinet/",
    "/\\evil.example": "/cabinet/",
    "/cabinet/\\evil.example": "/cabinet/",
    "/cabinet/?next=//evil.example": "/cabinet/",
    "/cabinet/%0d%0aLocation:%20//evil.example": "/cabinet/",
    "/cabinet/x\nSet-Cookie: a=b": "/cabinet/",
    "/cabinet": "/cabinet/",
    "/cabinetevil": "/cabinet/",
    "/office/": "/cabinet/",
    "javascript:alert(1)": "/cabinet/",
    "": "/cabinet/",
}


async def test_signing_in_leads_to_our_own_pages_only(world: World) -> None:
    browser = await world.browser()
    for wish, leads_to in WISHES.items():
        answer = await browser.sign_in("100245", next=wish)
        assert (wish, answer.status, answer.headers["Location"]) == (wish, 303, leads_to)


async def test_a_visitor_is_led_to_the_form_and_back(world: World) -> None:
    browser = await world.browser()
    answer = await browser.get("/cabinet/sessions")
    assert answer.headers["Location"] == "/cabinet/login?next=%2Fcabinet%2Fsessions"
    await browser.get(answer.headers["Location"])
    assert 'name="next" value="/cabinet/sessions"' in browser.page


async def test_a_program_is_told_to_sign_in(world: World) -> None:
    browser = await world.browser()
    answer = await browser.get("/cabinet/", headers={"Accept": "application/json"})
    assert (answer.status, answer.content_type) == (401, "application/problem+json")


async def test_both_addresses_of_the_cabinet_lead_into_it(world: World) -> None:
    browser = await world.signed_in()
    assert (await browser.get("/cabinet")).headers["Location"] == "/cabinet/"
    assert (await browser.get("/cabinet/topups")).headers["Location"] == "/cabinet/"


async def test_each_sign_in_has_a_new_session_and_ends_the_one_before(world: World) -> None:
    browser = await world.browser()
    first = (await browser.sign_in("100245")).cookies["saldo_session"].value
    second = (await browser.sign_in("100245")).cookies["saldo_session"].value
    assert first != second
    stranger = await world.browser()
    answer = await stranger.get("/cabinet/", headers={"Cookie": f"saldo_session={first}"})
    assert answer.status == 303
    answer = await stranger.get("/cabinet/", headers={"Cookie": f"saldo_session={second}"})
    assert answer.status == 200


async def test_signing_out_ends_the_session_on_the_server(world: World) -> None:
    browser = await world.browser()
    token = (await browser.sign_in("100245")).cookies["saldo_session"].value
    answer = await browser.post("/cabinet/logout", data={"csrf": await browser.csrf()})
    assert answer.headers["Location"] == "/cabinet/login"
    assert answer.cookies["saldo_session"].value == ""
    again = await world.browser()
    answer = await again.get("/cabinet/", headers={"Cookie": f"saldo_session={token}"})
    assert answer.status == 303


async def test_an_unused_session_is_over_after_a_day(world: World) -> None:
    browser = await world.signed_in()
    world.clock.advance(timedelta(hours=23))
    assert (await browser.get("/cabinet/")).status == 200
    world.clock.advance(timedelta(hours=23))
    assert (await browser.get("/cabinet/")).status == 200
    world.clock.advance(timedelta(days=1))
    assert (await browser.get("/cabinet/")).status == 303
    answer = await browser.post("/cabinet/topups", data={"contract": "100245", "amount": "1"})
    assert (answer.status, answer.headers["Location"]) == (303, "/cabinet/login")


async def test_a_subscriber_sees_their_sessions_and_ends_one(world: World) -> None:
    phone, desk = await world.browser(), await world.signed_in()
    agent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36"
    form = {"contract": "100246", "password": world.password}
    await phone.post("/cabinet/login", data=form, headers={"User-Agent": agent})
    await desk.get("/cabinet/sessions")
    assert "Chrome, Android" in desk.page
    assert "Неизвестное устройство" in desk.page
    assert "22 ноября 2026, 15:00" in desk.page
    rows = desk.page.split("<li ")[1:]
    own, other = sorted(rows, key=lambda row: "это устройство" not in row)
    token = await desk.csrf()
    for row, left in ((other, 200), (own, 303)):
        path = row.split('action="')[1].split('"')[0]
        assert (await desk.post(path, data={"csrf": token})).status == 303
        assert (await phone.get("/cabinet/")).status == 303
        assert (await desk.get("/cabinet/")).status == left


async def test_nobody_ends_the_session_of_another_subscriber(world: World) -> None:
    mine, other = await world.signed_in("100245"), await world.signed_in("100301")
    await other.get("/cabinet/sessions")
    (path,) = [part.split('"')[0] for part in other.page.split('action="/cabinet/sessions/')[1:]]
    answer = await mine.post(f"/cabinet/sessions/{path}", data={"csrf": await mine.csrf()})
    assert answer.status == 404
    assert (await other.get("/cabinet/")).status == 200


async def test_every_form_of_a_session_carries_its_token(world: World) -> None:
    browser, other = await world.signed_in(), await world.signed_in("100301")
    for path in ("/cabinet/logout", "/cabinet/sessions/0b9e0000-0000-4000-8000-000000000000/end"):
        for form in ({}, {"csrf": ""}, {"csrf": await other.csrf()}):
            assert (await browser.post(path, data=form)).status == 403
    assert (await browser.get("/cabinet/")).status == 200


async def test_what_is_no_small_form_is_refused(world: World) -> None:
    browser = await world.browser()
    large = {"contract": "100245", "password": "x" * 9000}
    assert (await browser.post("/cabinet/login", data=large)).status == 413
    assert (await browser.post("/cabinet/login", json={"contract": "1"})).status == 415
    zero = {"contract": "100245\x00", "password": "x"}
    assert (await browser.post("/cabinet/login", data=zero)).status == 400


async def test_a_made_up_cookie_opens_nothing(world: World) -> None:
    browser = await world.browser()
    for token in ("", "x", "x" * 64, "x" * 5000, "ключ"):
        headers = {"Cookie": f"saldo_session={token}"}
        assert (await browser.get("/cabinet/", headers=headers)).status == 303


async def test_logs_name_nobody(world: World) -> None:
    with capture_logs() as entries:
        browser = await world.browser()
        await browser.sign_in("100245", "wrong password")
        await browser.sign_in("100245")
        await browser.get("/cabinet/")
    told = str(entries)
    assert len(entries) == 2
    for secret in ("100245", "wrong password", world.password, "Анна", "79161234567", "127.0.0.1"):
        assert secret not in told


async def test_pages_of_a_session_stay_nowhere(world: World) -> None:
    browser = await world.signed_in()
    for path in ("/cabinet/", "/cabinet/sessions", "/cabinet/login"):
        answer = await browser.get(path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "<script>" not in browser.page
        assert "style=" not in browser.page
