"""The OpenAPI 3.1 document of an API, made from its models; `openapi_page` shows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from shared.errors import Refusal
from shared.money import Money

if TYPE_CHECKING:
    from shared.api import Operation

_REF: Final = "#/components/schemas/{model}"
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "correlation_id": {"type": "string"},
        "code": {"type": "string", "description": "the rule that said no, where it has a name"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}


class JsonSchema(GenerateJsonSchema):
    """Schemas in which a sum that is a default is written as all sums are."""

    def encode_default(self, dft: Any) -> Any:
        """Return a default as JSON has it."""
        return str(dft) if isinstance(dft, Money) else super().encode_default(dft)


def document(title: str, prefix: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of all operations; raises ValueError for two of one name."""
    named = Counter(operation.handler.__name__ for operation in operations)
    if doubled := sorted(name for name, count in named.items() if count > 1):
        raise ValueError(f"several operations are called {', '.join(doubled)}")
    schemas, definitions = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _describe(operation, schemas, definitions)
        path = prefix + re.sub(r":[^{}]*(?:{[^{}]*}[^{}]*)*}", "}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {**definitions, "Problem": _PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(operations: Sequence[Operation]) -> tuple[Mapping[Any, Any], dict[str, Any]]:
    inputs = [(m, "validation") for o in operations for m in (o.body, o.query) if m is not None]
    outputs = [(m, "serialization") for o in operations for m in o.answers.values()]
    wanted: Any = list(dict.fromkeys([*inputs, *outputs]))
    schemas, root = models_json_schema(wanted, ref_template=_REF, schema_generator=JsonSchema)
    return schemas, root.get("$defs", {})


def _describe(
    operation: Operation, schemas: Mapping[Any, Any], definitions: Mapping[str, Any]
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.handler.__name__,
        "parameters": _parameters(operation, schemas, definitions),
        "responses": {
            str(status): {
                "description": (model.__doc__ or model.__name__).strip().splitlines()[0],
                "content": {"application/json": {"schema": schemas[model, "serialization"]}},
            }
            for status, model in operation.answers.items()
        },
    }
    problem = {"schema": {"$ref": _REF.format(model="Problem")}}
    described["responses"]["default"] = {
        "description": "An error that names the field and what to do",
        "content": {"application/problem+json": problem},
    }
    for status, refused in _by_status(operation.refusals).items():
        described["responses"][str(status)] = {
            "description": "; ".join(f"`{one.code}`: {one.en}" for one in refused),
            "content": {"application/problem+json": problem},
            "x-refusals": [{"code": one.code, "en": one.en, "ru": one.ru} for one in refused],
        }
    if operation.media:
        file = {"schema": {"type": "string", "format": "binary"}}
        answer = described["responses"].setdefault("200", {"description": "A file", "content": {}})
        answer["content"] |= dict.fromkeys(operation.media, file)
    if operation.scope is not None:
        described["security"] = [{"bearer": []}]
        described["description"] = f"Scope: {operation.scope}"
    if operation.body is not None:
        content = {"application/json": {"schema": schemas[operation.body, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _by_status(refusals: Sequence[Refusal]) -> dict[int, list[Refusal]]:
    found: dict[int, list[Refusal]] = {}
    for one in refusals:
        found.setdefault(one.status, []).append(one)
    return found


def _parameters(
    operation: Operation, schemas: Mapping[Any, Any], definitions: Mapping[str, Any]
) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{([A-Za-z_]\w*)", operation.path)
    ]
    if operation.query is not None:
        name_of_model = schemas[operation.query, "validation"]["$ref"].rpartition("/")[2]
        schema = definitions[name_of_model]
        required = schema.get("required", [])
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": item}
            for name, item in schema.get("properties", {}).items()
        ]
    if operation.keyed:
        key = {"type": "string", "pattern": "^[0-9A-Za-z+._:-]{1,64}$"}
        found.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
    return found
