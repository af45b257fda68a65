"""The OpenAPI document: valid, complete, and made from the same words as the checks."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

from sample_api import PREFIX, things
from shared import openapi, openapi_page
from shared.api import Api
from shared.errors import Refusal
from shared.money import Money, WireMoney

DOCUMENT = openapi.document(things.title, PREFIX, things.operations)


def parameters(path: str, method: str) -> dict[str, Any]:
    found = DOCUMENT["paths"][PREFIX + path][method]["parameters"]
    return {item["name"]: item for item in found}


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["title"] == "Things"


def test_a_document_of_no_operations_is_valid_too() -> None:
    validate(openapi.document("Empty", "/x", Api("Empty", "/x").operations))


def test_two_operations_of_one_name_are_a_mistake() -> None:
    api = Api("Twice", "/x")

    async def show(request: Any) -> Any:
        return request

    for path in ("/a", "/b"):
        api.get(path, answers={}, scope=None, summary="Show")(show)
    with pytest.raises(ValueError, match="show"):
        openapi.document("Twice", "/x", api.operations)


def test_a_form_of_a_part_and_a_default_sum_are_described_as_they_are_written() -> None:
    class Ask(BaseModel):
        amount: WireMoney = Money(50)

    api = Api("Parts", "/x")

    async def ask(request: Any, _query: Ask) -> Any:
        return request

    api.get("/a/{id:[0-9]{1,9}}/b", answers={}, scope=None, summary="Ask", query=Ask)(ask)
    document = openapi.document("Parts", "/x", api.operations)
    validate(document)
    [described] = document["paths"]["/x/a/{id}/b"].values()
    assert [(one["name"], one["in"]) for one in described["parameters"]] == [
        ("id", "path"),
        ("amount", "query"),
    ]
    assert described["parameters"][1]["schema"]["default"] == "0.50"


def test_every_operation_is_there_under_its_address() -> None:
    described = {
        (path.removeprefix(PREFIX), method): item["operationId"]
        for path, methods in DOCUMENT["paths"].items()
        for method, item in methods.items()
    }
    assert described == {
        ("/things", "post"): "make",
        ("/things", "get"): "listed",
        ("/things/{number}", "get"): "one",
        ("/things/{number}", "put"): "replaced",
        ("/open", "get"): "for_all",
    }


def test_a_body_and_its_answers_are_described_by_their_models() -> None:
    make = DOCUMENT["paths"][f"{PREFIX}/things"]["post"]
    body = make["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert resolved(body)["required"] == ["number", "amount"]
    assert resolved(body)["properties"]["amount"]["examples"] == ["650.00"]
    assert set(make["responses"]) == {"201", "200", "409", "default"}
    answer = make["responses"]["201"]
    assert answer["description"] == "A thing as it is kept."
    kept = resolved(answer["content"]["application/json"]["schema"]["$ref"])
    assert {"id", "made_by", "key"} <= set(kept["properties"])


def resolved(reference: str) -> Any:
    assert reference.startswith("#/components/schemas/")
    return DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]


def test_every_reference_leads_somewhere() -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                assert resolved(value["$ref"])
            for inner in value.values():
                walk(inner)
        if isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(DOCUMENT)


def test_parameters_of_path_query_and_header_are_described() -> None:
    query = parameters("/things", "get")
    assert {name: (item["in"], item["required"]) for name, item in query.items()} == {
        "limit": ("query", False),
        "colour": ("query", False),
        "after": ("query", True),
    }
    assert query["limit"]["schema"]["maximum"] == 100
    path = parameters("/things/{number}", "get")["number"]
    assert (path["in"], path["required"]) == ("path", True)
    key = parameters("/things", "post")["Idempotency-Key"]
    assert (key["in"], key["required"]) == ("header", False)
    assert key["schema"]["pattern"] == "^[0-9A-Za-z+._:-]{1,64}$"
    assert parameters("/open", "get") == {}


def test_what_needs_a_token_says_so() -> None:
    make = DOCUMENT["paths"][f"{PREFIX}/things"]["post"]
    assert make["security"] == [{"bearer": []}]
    assert "things:write" in make["description"]
    assert "security" not in DOCUMENT["paths"][f"{PREFIX}/open"]["get"]


@pytest.mark.parametrize("path", ["/things", "/open"])
def test_every_operation_may_answer_with_a_problem(path: str) -> None:
    answer = DOCUMENT["paths"][PREFIX + path]["get"]["responses"]["default"]
    schema = answer["content"]["application/problem+json"]["schema"]
    assert set(resolved(schema["$ref"])["required"]) == {"type", "title", "status", "detail"}


def test_the_page_shows_each_operation_and_escapes_its_words() -> None:
    page = openapi_page.page(DOCUMENT)
    HTMLParser().feed(page)
    assert "<h2>POST /things/v1/things</h2><p>Make a thing</p>" in page
    assert "For &lt;all&gt; &amp; any" in page
    assert "<script" not in page
    assert "<li>201: A thing as it is kept.</li>" in page


def test_the_page_names_fields_and_each_rule_that_may_say_no() -> None:
    full = Refusal("full", 409, "There is <no> room for {what}", "Нет места")
    api = Api("Boxes", "/boxes")

    async def put(request: Any) -> Any:
        return request

    model = things.operations[0].answers.get(200) or next(
        iter(things.operations[0].answers.values())
    )
    api.post("/", answers={201: model}, body=model, scope=None, summary="Put", refusals=(full,))(
        put
    )
    described = openapi.document("Boxes", "/boxes", api.operations)
    validate(described)
    page = openapi_page.page(described)
    assert "409 <code>full</code>: There is &lt;no&gt; room for {what} / Нет места" in page
    for name in model.model_fields:
        assert f"<code>{name}</code> (body, " in page
