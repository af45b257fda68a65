"""Pages: language, headers, static files and errors, below a prefix as in production."""

import re

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from shared import problem
from shared.errors import Forbidden, Invalid, SaldoError, Text, TooMany, invalid
from shared.web import pages

Client = TestClient[web.Request, web.Application]
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
TEXTS = {"hello": Text("Hello, {name}", "Здравствуйте, {name}")}
FAILURES: dict[str, SaldoError] = {
    "forbidden": Forbidden(Text("Not for you", "Не для вас")),
    "often": TooMany(Text("Too often", "Слишком часто"), retry_after_seconds=840),
    "soon": TooMany(Text("Too often", "Слишком часто"), retry_after_seconds=20),
    "fields": Invalid(*invalid("amount", "Too <b>big</b>", "Слишком <b>много</b>").fields),
}


async def _hello(request: web.Request) -> web.Response:
    t = pages.translate(request)
    text = t("hello", name=request.query.get("name", "Анна"))
    return pages.render(request, "message.html", title="Saldo", text=text)


async def _paying(request: web.Request) -> web.Response:
    return pages.render(
        request, "message.html", title="", text="", pays_under=request.query["under"]
    )


async def _known(request: web.Request) -> web.Response:
    request[pages.LANGUAGE] = "en"
    return await _hello(request)


async def _fails(request: web.Request) -> web.Response:
    raise FAILURES[request.match_info["how"]]


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    app = web.Application()
    pages.setup(app, "shared.web", TEXTS)
    app.router.add_get("/", _hello, name="home")
    app.router.add_get("/paying", _paying)
    app.router.add_get("/known", _known)
    app.router.add_get("/fails/{how}", _fails)
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp("/cabinet", app)
    return await aiohttp_client(root)


@pytest.mark.parametrize(
    ("query", "cookie", "accepts", "expected"),
    [
        ("", "", "", "ru"),
        ("", "", "de-DE,fr;q=0.5", "ru"),
        ("", "", "en-GB,en;q=0.9,ru;q=0.8", "en"),
        ("", "", "de,ru;q=0.8,en;q=0.9", "en"),
        ("", "", "en;q=x,ru;q=0.1", "ru"),
        ("", "en", "ru", "en"),
        ("?lang=ru", "en", "en", "ru"),
        ("?lang=xx", "", "en", "en"),
    ],
)
async def test_the_language_is_asked_for_remembered_or_the_browsers(
    client: Client, query: str, cookie: str, accepts: str, expected: str
) -> None:
    cookies = {"lang": cookie} if cookie else {}
    headers = {"Accept-Language": accepts}
    page = await (await client.get(f"/cabinet/{query}", cookies=cookies, headers=headers)).text()
    assert f'<html lang="{expected}">' in page
    assert ("Hello, Анна" if expected == "en" else "Здравствуйте, Анна") in page


async def test_a_chosen_language_is_remembered_for_all_services(client: Client) -> None:
    answer = await client.get("/cabinet/?lang=en")
    assert answer.cookies["lang"]["path"] == "/"
    assert "Hello" in await (await client.get("/cabinet/")).text()


async def test_what_is_known_of_a_person_counts_before_their_browser(client: Client) -> None:
    answer = await client.get("/cabinet/known", headers={"Accept-Language": "ru"})
    assert "Hello" in await answer.text()


async def test_the_switch_keeps_the_rest_of_the_address(client: Client) -> None:
    page = await (await client.get("/cabinet/?name=Olga&lang=ru")).text()
    assert 'href="/cabinet/?name=Olga&amp;lang=en"' in page


async def test_what_a_person_typed_is_text_and_never_markup(client: Client) -> None:
    page = await (await client.get("/cabinet/", params={"name": "<script>{0}"})).text()
    assert "&lt;script&gt;{0}" in page
    assert "<script>{" not in page


async def test_a_page_runs_nothing_but_our_files_and_stays_nowhere(client: Client) -> None:
    answer = await client.get("/cabinet/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.endswith("form-action 'self'")
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("under", "targets"),
    [("https://pay.example.org", "'self' https:"), ("http://10.0.0.7:8080", "'self' https: http:")],
)
async def test_a_page_that_leads_to_payment_lets_its_form_follow(
    client: Client, under: str, targets: str
) -> None:
    answer = await client.get("/cabinet/paying", params={"under": under})
    assert answer.headers["Content-Security-Policy"].endswith(f"form-action {targets}")


async def test_static_files_are_kept_for_ever_under_their_version(client: Client) -> None:
    page = await (await client.get("/cabinet/")).text()
    (address,) = re.findall(r'rel="stylesheet" href="([^"]+)"', page)
    assert address.startswith("/cabinet/static/saldo.css?v=")
    answer = await client.get(address)
    assert answer.content_type == "text/css"
    assert "immutable" in answer.headers["Cache-Control"]
    assert len(await answer.read()) <= 7200
    other = await client.get("/cabinet/static/saldo.css?v=old")
    assert other.headers["Cache-Control"] == "no-cache"
    assert (await client.get("/cabinet/static/..%2Fpages.py")).status == 404


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("forbidden", 403, "Не для вас"),
        ("often", 429, "через 14 мин"),
        ("soon", 429, "через 20 с"),
        ("fields", 422, "amount: Слишком &lt;b&gt;много&lt;/b&gt;"),
    ],
)
async def test_a_browser_gets_an_error_it_can_read(
    client: Client, how: str, status: int, said: str
) -> None:
    answer = await client.get(f"/cabinet/fails/{how}", headers=HTML)
    assert answer.status == status
    assert answer.content_type == "text/html"
    assert said in await answer.text()
    assert 'href="/cabinet/"' in await answer.text()
    if how == "often":
        assert answer.headers["Retry-After"] == "840"


async def test_an_api_client_gets_no_page(client: Client) -> None:
    answer = await client.get("/cabinet/fails/forbidden", headers={"Accept": "application/json"})
    assert (answer.status, answer.content_type) == (403, "application/problem+json")


async def test_an_address_that_does_not_exist_is_told_on_a_page(client: Client) -> None:
    answer = await client.get("/cabinet/nothing", headers=HTML)
    assert (answer.status, answer.content_type) == (404, "text/html")
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "По этому адресу ничего нет" in await answer.text()


async def test_an_application_without_pages_has_none_for_errors(
    aiohttp_client: AiohttpClient,
) -> None:
    root = web.Application(middlewares=[problem.middleware])
    root.router.add_get("/fails/{how}", _fails)
    client = await aiohttp_client(root)
    answer = await client.get("/fails/forbidden", headers=HTML)
    assert answer.content_type == "application/problem+json"
