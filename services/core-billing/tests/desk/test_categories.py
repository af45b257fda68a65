"""Payment categories: made, changed, taken out of use, and what is refused."""

import asyncio
from typing import Any

import pytest

on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)
SERVICE = {"name": "Интернет", "description": "абонентская плата", "external_code": "000001"}


async def test_a_category_lives_from_making_to_deletion(call: Any) -> None:
    listed = (await call("GET", "/categories"))[1]["items"]
    assert [(one["id"], one["built_in"]) for one in listed] == [(0, True)]
    status, made = await call("POST", "/categories", SERVICE)
    assert status == 201
    assert made["id"] > 0
    assert {key: made[key] for key in SERVICE} == SERVICE
    assert (made["revision"], made["changed_by"], made["deleted_at"]) == (1, "anna", None)
    one = f"/categories/{made['id']}"
    status, now = await call("POST", one, {"name": "ТВ"}, token="boris")
    kept = SERVICE["description"], SERVICE["external_code"]
    assert (status, now["name"], now["description"], now["external_code"]) == (200, "ТВ", *kept)
    assert (now["revision"], now["changed_by"]) == (2, "boris")
    status, gone = await call("POST", f"{one}/delete", {})
    assert status == 200
    assert gone["deleted_at"] is not None
    assert [i["id"] for i in (await call("GET", "/categories"))[1]["items"]] == [0]
    every = (await call("GET", "/categories?deleted=true"))[1]["items"]
    assert [(i["id"], i["name"]) for i in every] == [(0, "Без категории"), (made["id"], "ТВ")]
    for path in (one, f"{one}/delete"):
        body = {"name": "ТВ"} if path == one else {}
        assert (await call("POST", path, body))[1]["code"] == "category_unknown"
    # Its name and its code are free again.
    assert (await call("POST", "/categories", {**SERVICE, "name": "ТВ"}))[0] == 201


@on_sqlite
async def test_the_list_has_pages(call: Any) -> None:
    ids = [(await call("POST", "/categories", {"name": f"c{n}"}))[1]["id"] for n in range(4)]
    seen, cursor = [], ""
    for _ in range(3):
        page = (await call("GET", f"/categories?limit=2{cursor}"))[1]
        seen += [one["id"] for one in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert (seen, page["next_cursor"]) == ([0, *ids], None)


async def test_the_built_in_one_takes_a_code_but_no_other_name(call: Any) -> None:
    name = "Без категории"
    status, refused = await call("POST", "/categories/0", {"name": "Прочее"})
    assert (status, refused["code"]) == (409, "category_built_in")
    for code in ("000099", "000100"):
        status, now = await call("POST", "/categories/0", {"name": name, "external_code": code})
        assert (status, now["external_code"], now["built_in"]) == (200, code, True)
    assert now["revision"] == 2
    status, refused = await call("POST", "/categories/0/delete", {})
    assert (status, refused["code"]) == (409, "category_built_in")
    taken = await call("POST", "/categories", {"name": name})
    assert (taken[0], taken[1]["code"]) == (409, "category_name_taken")
    taken = await call("POST", "/categories", {"name": "Новая", "external_code": "000100"})
    assert (taken[0], taken[1]["code"]) == (409, "category_code_taken")


@on_sqlite
async def test_a_name_or_a_code_is_not_taken_twice(call: Any) -> None:
    first = (await call("POST", "/categories", SERVICE))[1]["id"]
    second = (await call("POST", "/categories", {"name": "ТВ"}))[1]["id"]
    for body, code in (
        (SERVICE, "category_name_taken"),
        ({"name": "Другое", "external_code": "000001"}, "category_code_taken"),
    ):
        for path in ("/categories", f"/categories/{second}"):
            status, refused = await call("POST", path, body)
            assert (status, refused["code"]) == (409, code)
            assert str(first) in refused["detail"]
            checked = (await call("POST", f"{path}/check", body))[1]
            assert (checked["allowed"], checked["code"]) == (False, code)
    same = await call("POST", f"/categories/{first}", SERVICE)
    assert same[0] == 200


@on_sqlite
@pytest.mark.parametrize(
    "setting",
    [
        {"name": "default_category"},
        {"name": "default_category", "manager": "boris"},
        {"name": "transfer_category"},
        {"name": "transfer_category", "valid_from": "2027-01-01"},
    ],
)
async def test_a_default_is_not_deleted(call: Any, setting: dict[str, str]) -> None:
    made = (await call("POST", "/categories", SERVICE))[1]["id"]
    assert (await call("POST", "/settings", {**setting, "value": made}))[0] == 201
    for path in (f"/categories/{made}/delete", f"/categories/{made}/delete/check"):
        refused = (await call("POST", path, {}))[1]
        assert refused["code"] == "category_in_use_as_default"
        assert setting["name"] in refused["detail"]
    assert (await call("POST", "/settings", {**setting, "value": 0}))[0] == 201
    assert (await call("POST", f"/categories/{made}/delete", {}))[0] == 200
    refused = (await call("POST", "/settings", {**setting, "value": made}))[1]
    assert refused["code"] == "category_unknown"


async def test_of_two_managers_the_second_hears_of_the_first(call: Any) -> None:
    made = (await call("POST", "/categories", SERVICE))[1]["id"]
    await call("POST", f"/categories/{made}", {"name": "ТВ", "revision": 1}, token="boris")
    for path, body in (
        (f"/categories/{made}", {"name": "Ещё"}),
        (f"/categories/{made}/delete", {}),
    ):
        status, refused = await call("POST", path, {**body, "revision": 1})
        assert (status, refused["code"]) == (409, "category_conflict")
        assert "boris" in refused["detail"]
    answers = await asyncio.gather(
        *(call("POST", "/categories", {"name": "Разом"}) for _ in range(6))
    )
    assert sorted(status for status, _ in answers) == [201] + [409] * 5


@on_sqlite
async def test_rights_and_unknown_ones(call: Any) -> None:
    assert (await call("POST", "/categories", SERVICE, token="reader"))[1][
        "code"
    ] == "right_missing"
    assert (await call("GET", "/categories", token="reader"))[0] == 200
    for path in ("/categories/9", "/categories/9/check", "/categories/9/delete"):
        body = {} if path.endswith("delete") else {"name": "x"}
        assert (await call("POST", path, body))[1]["code"] == "category_unknown"
    status, refused = await call("POST", "/categories", {"name": "   "})
    assert (status, refused["errors"][0]["field"]) == (422, "name"), refused
