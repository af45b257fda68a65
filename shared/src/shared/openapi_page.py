"""The page of an API, made from its OpenAPI document: addresses, fields, and who says no when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def page(described: Mapping[str, Any]) -> str:
    """Return the document as a page without script or style."""
    schemas = described["components"]["schemas"]
    rows = [
        _operation(method, path, item, schemas)
        for path, methods in described["paths"].items()
        for method, item in methods.items()
    ]
    title = escape(described["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<h1>{title}</h1><p><a href="openapi.json">openapi.json</a></p>{"".join(rows)}</html>'
    )


def _operation(method: str, path: str, item: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    scope = f"<p>{escape(item['description'])}</p>" if "description" in item else ""
    return (
        f"<h2>{escape(method.upper())} {escape(path)}</h2><p>{escape(item['summary'])}</p>{scope}"
        f"{_listed('Reads', _inputs(item, schemas))}"
        f"{_listed('Answers', _answers(item))}"
    )


def _listed(title: str, lines: Iterable[str]) -> str:
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f"<h3>{title}</h3><ul>{items}</ul>" if items else ""


def _inputs(item: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterable[str]:
    """Name each parameter and each field of the body, and whether it is needed."""
    for one in item["parameters"]:
        yield _input(one["name"], one["required"], one["schema"], one["in"])
    body = item.get("requestBody", {}).get("content", {}).get("application/json", {})
    yield from _fields(_resolved(body.get("schema", {}), schemas))


def _fields(schema: Mapping[str, Any]) -> Iterable[str]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        yield _input(name, name in required, field, "body")


def _input(name: str, required: bool, schema: Mapping[str, Any], where: str) -> str:
    needed = "required" if required else "optional"
    said = [f"<code>{escape(name)}</code> ({escape(where)}, {needed})"]
    if "enum" in schema:
        said.append(f"one of {escape(', '.join(str(one) for one in schema['enum']))}")
    if "description" in schema:
        said.append(escape(schema["description"]))
    return ": ".join(said)


def _answers(item: Mapping[str, Any]) -> Iterable[str]:
    for status, answer in item["responses"].items():
        refusals = answer.get("x-refusals", ())
        if not refusals:
            yield f"{escape(status)}: {escape(answer['description'])}"
        for one in refusals:
            yield (
                f"{escape(status)} <code>{escape(one['code'])}</code>: {escape(one['en'])}"
                f" / {escape(one['ru'])}"
            )


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return dict(schemas.get(name, {})) if name else schema
