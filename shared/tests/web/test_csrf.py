"""Who may send a form in a person's name."""

import pytest
from aiohttp.test_utils import make_mocked_request

from shared.crypto import Signer
from shared.errors import Forbidden
from shared.web import csrf

PUBLIC = "https://pay.example.ru"
HOST = {"Host": "core-billing:8080"}

ALLOWED = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://pay.example.ru"},
    {"Origin": "http://core-billing:8080"},
    {},
]
REFUSED = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://pay.example.ru"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "https://pay.example.ru.evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
]


@pytest.mark.parametrize("headers", ALLOWED)
def test_our_own_page_may_send_a_form(headers: dict[str, str]) -> None:
    csrf.check_origin(make_mocked_request("POST", "/", headers=HOST | headers), PUBLIC)


@pytest.mark.parametrize("headers", REFUSED)
def test_another_site_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        csrf.check_origin(make_mocked_request("POST", "/", headers=HOST | headers), PUBLIC)


BROWSER = make_mocked_request("POST", "/", headers={"Sec-Fetch-Site": "same-origin"})


def test_a_form_without_a_token_passes_from_no_browser() -> None:
    signer = Signer(["key"])
    csrf.check_token(make_mocked_request("POST", "/"), signer, "session", None)
    for name in ("Sec-Fetch-Site", "Origin", "Referer"):
        request = make_mocked_request("POST", "/", headers={name: "x"})
        with pytest.raises(Forbidden):
            csrf.check_token(request, signer, "session", None)
    with pytest.raises(Forbidden):
        csrf.check_token(make_mocked_request("POST", "/"), signer, "session", "")


def test_a_token_fits_its_own_session_only_and_survives_a_change_of_keys() -> None:
    before, after = Signer(["old"]), Signer(["new", "old"])
    token = csrf.token(before, "session")
    csrf.check_token(BROWSER, after, "session", token)
    for session, given in (("other", token), ("session", ""), ("session", token[:-1]), ("", token)):
        with pytest.raises(Forbidden):
            csrf.check_token(BROWSER, after, session, given)
    with pytest.raises(Forbidden):
        csrf.check_token(BROWSER, Signer(["new"]), "session", token)


def test_a_token_of_foreign_letters_is_refused_like_any_other() -> None:
    with pytest.raises(Forbidden):
        csrf.check_token(BROWSER, Signer(["key"]), "session", "ключ")
