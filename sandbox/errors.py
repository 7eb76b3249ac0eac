"""What the local Discord refuses a request with: Discord's own codes, words and shapes.

- ``ApiError``: any refusal; carries status, code and message.
  - ``InvalidForm``: 400 with code 50035, one entry per broken rule.

https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]
"""A JSON object as it goes over the wire."""

_KNOWN: dict[int, tuple[int, str]] = {
    0: (404, "404: Not Found"),
    10002: (404, "Unknown Application"),
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10011: (404, "Unknown Role"),
    10013: (404, "Unknown User"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    10087: (404, "Unknown tag"),
    20001: (403, "Bots cannot use this endpoint"),
    30032: (400, "Maximum number of application commands reached (100)."),
    30034: (429, "Max number of daily application command creates has been reached (200)"),
    40005: (413, "Request entity too large"),
    40033: (400, "This message has already been crossposted."),
    40060: (400, "Interaction has already been acknowledged."),
    40066: (400, "There are no tags available that can be set by non-moderators"),
    40067: (400, "A tag is required to create a forum post in this channel"),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50024: (403, "Cannot execute action on this channel type"),
    50027: (401, "Invalid Webhook Token"),
    50068: (400, "Invalid message type"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
}


class ApiError(Exception):
    """A refusal; ``code`` is Discord's JSON error code, ``status`` the HTTP status that goes with it."""

    def __init__(self, status: int, code: int, message: str, errors: JsonObject | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> JsonObject:
        """The refusal as Discord writes it."""
        body: JsonObject = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


def refusal(code: int) -> ApiError:
    """The refusal that Discord gives under ``code``; KeyError for a code that the sandbox does not know."""
    status, message = _KNOWN[code]
    return ApiError(status, code, message)


def unauthorized() -> ApiError:
    """The answer to a missing or wrong token."""
    return ApiError(401, 0, "401: Unauthorized")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One broken rule: where in the body (names and indexes from the outside in), and Discord's code for it."""

    path: tuple[str | int, ...]
    code: str
    message: str


class InvalidForm(ApiError):
    """A body that breaks rules; ``fields`` has at least one entry."""

    def __init__(self, fields: Iterable[FieldError]) -> None:
        self.fields = tuple(fields)
        super().__init__(400, 50035, "Invalid Form Body", _nested(self.fields))


def _nested(fields: Iterable[FieldError]) -> JsonObject:
    """Discord's nesting: keys down to the field, then ``_errors`` with the codes."""
    tree: JsonObject = {}
    for field in fields:
        node = tree
        for part in field.path:
            node = node.setdefault(str(part), {})
        node.setdefault("_errors", []).append({"code": field.code, "message": field.message})
    return tree
