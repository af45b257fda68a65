"""``python -m shared.asyncapi``: the events between the services as an AsyncAPI 3.0 document.

Made from the models and the topology alone, so it cannot say anything else than the code does.
Source of the form: AsyncAPI Specification 3.0.0 and its AMQP bindings 0.3.0.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic.json_schema import models_json_schema

from shared import events_autopay, events_billing, events_gateway
from shared.envelope import CONTENT_TYPE
from shared.events import EventData
from shared.rabbit_link import ATTEMPT, EXCHANGE, SIGNATURE
from shared.topology import LISTENERS, service_of

_SCHEMA: Final = "#/components/schemas/{model}"
_BINDING: Final = "0.3.0"


_OTHERS: Final = (events_autopay, events_billing, events_gateway)
"""Imported for their models, which are found as subclasses."""


def models() -> dict[str, type[EventData]]:
    """Return the model of each event type, by type."""
    return {model.TYPE: model for model in sorted(EventData.__subclasses__(), key=_type_of)}


def document(listeners: Mapping[str, tuple[str, ...]] = LISTENERS) -> dict[str, Any]:
    """Return the document: a channel and a message per type, an operation per listening queue."""
    known = models()
    _, root = models_json_schema(
        [(model, "serialization") for model in known.values()], ref_template=_SCHEMA
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Saldo events",
            "version": "1",
            "description": "CloudEvents 1.0 in structured JSON on one topic exchange, each signed. "
            "Order is promised nowhere; unknown fields are ignored.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {kind: _channel(kind) for kind in known},
        "operations": {
            f"{queue}.{kind}": _receive(queue, kind)
            for kind in known
            for queue in listeners.get(kind, ())
        },
        "components": {
            "messages": {kind: _message(kind, model) for kind, model in known.items()},
            "schemas": root["$defs"],
        },
    }


def _type_of(model: type[EventData]) -> str:
    return model.TYPE


def _channel(kind: str) -> dict[str, Any]:
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False}
    return {
        "address": kind,
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"}},
        "bindings": {
            "amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": _BINDING}
        },
    }


def _receive(queue: str, kind: str) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{kind}"},
        "summary": f"{service_of(queue)} hears {kind} in its queue {queue}",
        "messages": [{"$ref": f"#/channels/{kind}/messages/{kind}"}],
        "bindings": {"amqp": {"ack": True, "bindingVersion": _BINDING}},
    }


def _message(kind: str, model: type[EventData]) -> dict[str, Any]:
    return {
        "name": kind,
        "contentType": CONTENT_TYPE,
        "summary": inspect.getdoc(model),
        "correlationId": {"location": "$message.payload#/correlationid"},
        "headers": {
            "type": "object",
            "required": [SIGNATURE],
            "properties": {
                SIGNATURE: {
                    "type": "string",
                    "description": "HMAC-SHA256 of the body, hexadecimal",
                },
                ATTEMPT: {"type": "integer", "minimum": 1},
            },
        },
        "payload": _envelope(kind, model),
    }


def _envelope(kind: str, model: type[EventData]) -> dict[str, Any]:
    """Return the schema of a whole event; `revision` and `correlationid` are our extensions."""
    properties: dict[str, Any] = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid"},
        "source": {"type": "string", "format": "uri-reference"},
        "type": {"const": kind},
        "subject": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "revision": {"type": "string"},
        "correlationid": {"type": "string"},
        "data": {"$ref": _SCHEMA.format(model=model.__name__)},
    }
    return {"type": "object", "required": list(properties), "properties": properties}


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(document(), option=orjson.OPT_INDENT_2) + b"\n")
