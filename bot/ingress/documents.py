"""What the HTTP port and the bus carry, for machines: an OpenAPI document and a JSON Schema of every event.

Both are made from the models. ``make schemas`` writes them into ``docs/``.
"""

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

import agents
from agents.events import TOPICS
from bot.ingress.answers import PROBLEM_TYPE
from bot.ingress.events import MOST_BYTES
from bot.ingress.posted import PostedEvent
from bot.ingress.signatures import LONGEST_ID, TOLERANCE_S

Document = dict[str, Any]
SCHEMA_NAMES = {topic.name: f"{topic.name.replace(':', '-')}.json" for topic in TOPICS}
"""By topic: the file of its JSON Schema."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Document = {"type": "string"}


@cache
def event_schemas() -> dict[str, Document]:
    """By file: the JSON Schema of a topic's events, as they are emitted."""
    return {
        SCHEMA_NAMES[topic.name]: {
            "$schema": _DIALECT,
            **topic.model.model_json_schema(mode="serialization"),
            "title": topic.name,
        }
        for topic in TOPICS
    }


@cache
def openapi() -> Document:
    """OpenAPI 3.1 of the HTTP port."""
    _, models = models_json_schema([(PostedEvent, "validation")], ref_template="#/components/schemas/{model}")
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Signals Scout",
            "version": agents.__version__,
            "description": "Starts workflows by signed events and tells how the bot is. One request in a connection.",
        },
        "paths": {
            "/events": {"post": _post_event()},
            "/healthz": {"get": _get("Whether the process is alive", {"200": _json("Alive")})},
            "/readyz": {
                "get": _get(
                    "Whether the bot is ready",
                    {
                        "200": _json("Ready", _ref("Readiness")),
                        "503": _json("Not ready; the checks say why", _ref("Readiness")),
                    },
                )
            },
            "/openapi.json": {"get": _get("This document", {"200": _json("OpenAPI 3.1")})},
            "/schemas": {
                "get": _get("By topic: where the JSON Schema of its events is", {"200": _json("Addresses")})
            },
            "/schemas/{name}": {
                "get": _get(
                    "The JSON Schema of a topic's events",
                    {"200": _answer("JSON Schema", "application/schema+json"), "404": _problem("No such schema")},
                    [{"name": "name", "in": "path", "required": True, "schema": {"enum": [*SCHEMA_NAMES.values()]}}],
                )
            },
        },
        "components": {"schemas": {**models["$defs"], **_SCHEMAS}},
    }


def _post_event() -> Document:
    late = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}}
    return {
        "summary": "Start a workflow",
        "description": (
            "Signed as Standard Webhooks has it; docs/webhooks.md shows how. "
            "The same webhook-id again, within 7 days, starts nothing and is answered alike."
        ),
        "operationId": "postEvent",
        "parameters": [
            _header("webhook-id", {**_TEXT, "minLength": 1, "maxLength": LONGEST_ID}, "Unique to the message"),
            _header("webhook-timestamp", {**_TEXT, "pattern": "^[1-9][0-9]*$"}, _TIMESTAMP),
            _header("webhook-signature", _TEXT, "v1, and the signature in base64; several separated by spaces"),
        ],
        "requestBody": {
            "required": True,
            "description": f"At most {MOST_BYTES} bytes",
            "content": {"application/json": {"schema": _ref("PostedEvent")}},
        },
        "responses": {
            "202": _json("Accepted: it will run, whatever happens to the process", _ref("Accepted")),
            "400": _problem("Not sent as HTTP wants it"),
            "401": _problem("Not signed as it should be"),
            "404": _problem("Off: the bot has no WEBHOOK_SECRET"),
            "408": _problem("The body did not arrive in time"),
            "413": _problem("The body is too large"),
            "415": _problem("The body is not JSON, or encoded"),
            "422": _problem("The body is not what it should be; the errors say what is wrong"),
            "429": {**_problem("Too many"), "headers": late},
            "500": _problem("A fault of ours"),
            "503": {**_problem("The database is away: send it again with the same webhook-id"), "headers": late},
        },
    }


_TIMESTAMP = f"When it was signed, in seconds since 1970; at most {TOLERANCE_S} s off"
_SCHEMAS: Document = {
    "Accepted": {
        "type": "object",
        "required": ["workflow_id", "new"],
        "additionalProperties": False,
        "properties": {
            "workflow_id": {**_TEXT, "description": "Also in workflow:finished"},
            "new": {"type": "boolean", "description": "false: the webhook-id was known, and nothing was started"},
        },
    },
    "Readiness": {
        "type": "object",
        "required": ["ready", "checks", "notes"],
        "additionalProperties": False,
        "properties": {
            "ready": {"type": "boolean"},
            "checks": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "required": ["ready", "reason"],
                    "properties": {"ready": {"type": "boolean"}, "reason": _TEXT},
                },
            },
            "notes": {"type": "object", "additionalProperties": _TEXT},
        },
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
        "required": ["title", "status", "detail"],
        "additionalProperties": False,
        "properties": {
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": {**_TEXT, "description": "A sentence"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {"pointer": {**_TEXT, "description": "JSON Pointer, RFC 6901"}, "detail": _TEXT},
                },
            },
        },
    },
}


def _get(summary: str, responses: Document, parameters: list[Document] | None = None) -> Document:
    operation: Document = {"summary": summary, "responses": responses}
    return {**operation, "parameters": parameters} if parameters else operation


def _header(name: str, schema: Document, description: str) -> Document:
    return {"name": name, "in": "header", "required": True, "schema": schema, "description": description}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, content_type: str, schema: Document | None = None) -> Document:
    return {"description": description, "content": {content_type: {"schema": schema or {"type": "object"}}}}


def _json(description: str, schema: Document | None = None) -> Document:
    return _answer(description, "application/json", schema)


def _problem(description: str) -> Document:
    return _answer(description, PROBLEM_TYPE, _ref("Problem"))
