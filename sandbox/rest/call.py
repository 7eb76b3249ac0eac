"""A REST request as the handlers see it, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import JsonObject, refusal
from sandbox.snowflakes import parse_snowflake


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart body; ``field`` is its part's name, as in ``files[0]``."""

    field: str
    filename: str
    content_type: str
    body: bytes


@dataclass(slots=True)
class Call:
    """One request: route parameters, query, decoded body (``payload_json`` of a multipart one) and files."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    files: tuple[Upload, ...] = ()

    def form(self) -> JsonObject:
        """The body as an object; a request without a body counts as an empty one."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            raise refusal(50109)
        return self.body

    def id(self, name: str) -> int | None:
        """The route parameter as an identifier, None where it is not one."""
        return parse_snowflake(self.params[name])

    def flag(self, name: str) -> bool:
        """Whether the query says true."""
        return self.query.get(name, "").lower() in ("1", "true")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers; ``body`` None makes an empty answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


NO_CONTENT = Reply(204)
