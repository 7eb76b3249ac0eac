"""Discord's own OpenAPI document as a judge of request bodies; validators are compiled when first needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from sandbox.errors import FieldError, JsonObject

_PARAMETER = re.compile(r"\{[^}]*\}")
_CODES = {
    "maxLength": "BASE_TYPE_MAX_LENGTH",
    "minLength": "BASE_TYPE_MIN_LENGTH",
    "maxItems": "BASE_TYPE_MAX_LENGTH",
    "minItems": "BASE_TYPE_MIN_LENGTH",
    "required": "BASE_TYPE_REQUIRED",
    "enum": "BASE_TYPE_CHOICES",
    "maximum": "NUMBER_TYPE_MAX",
    "minimum": "NUMBER_TYPE_MIN",
}


def find_document() -> Path | None:
    """The document beside the project, where there is one."""
    path = Path(__file__).resolve().parents[1] / ".." / "shared" / "discord" / "openapi.json"
    return path.resolve() if path.is_file() else None


@cache
def judge_by(path: Path) -> OpenApi:
    """The judge that reads ``path``; kept, since reading takes 10 ms and compiling an operation up to 40."""
    return OpenApi(path)


class OpenApi:
    """Validates JSON bodies per operation. Needs ``jsonschema-rs``, which is a development dependency."""

    def __init__(self, path: Path) -> None:
        document = orjson.loads(path.read_bytes())
        self._schemas: dict[tuple[str, str], JsonObject] = {}
        for template, operations in document["paths"].items():
            for method, operation in operations.items():
                content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
                media = content.get("application/json") or content.get("multipart/form-data")
                if media:
                    self._schemas[method.upper(), _PARAMETER.sub("{}", template)] = media["schema"]
        self._components = document["components"]
        _as_discord_reads(self._components["schemas"])
        self._validators: dict[tuple[str, str], Any] = {}

    def check(self, method: str, template: str, body: Any) -> Iterator[FieldError]:
        """What the document finds wrong with the body; nothing for operations that it does not know."""
        validator = self._validator(method, template)
        if validator is None or validator.is_valid(body):
            return
        for error in validator.iter_errors(body):
            keyword = str(getattr(error.kind, "name", "schema"))
            yield FieldError(
                tuple(error.instance_path), _CODES.get(keyword, f"OPENAPI_{keyword}"), error.message[:400]
            )

    def _validator(self, method: str, template: str) -> Any:
        key = (method, _PARAMETER.sub("{}", template))
        if key not in self._validators:
            schema = self._schemas.get(key)
            self._validators[key] = None if schema is None else self._compiled(schema)
        return self._validators[key]

    def _compiled(self, schema: JsonObject) -> Any:
        import jsonschema_rs

        return jsonschema_rs.Draft202012Validator({**schema, "components": self._components}, validate_formats=False)


def _as_discord_reads(schemas: dict[str, JsonObject]) -> None:
    """Loosen what Discord takes though its document does not say so.

    Snowflakes may be numbers, and permissions the strings that the documentation asks for.
    """
    if "SnowflakeType" in schemas:
        schemas["SnowflakeType"] = {"anyOf": [schemas["SnowflakeType"], {"type": "integer", "minimum": 0}]}
    for schema in schemas.values():
        properties = schema.get("properties", {})
        bits = properties.get("default_member_permissions")
        if bits is not None:
            properties["default_member_permissions"] = {
                "anyOf": [bits, {"type": "string", "pattern": "^[0-9]{1,20}$"}]
            }
