"""Which rules apply to a body, by the route that it was sent to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.command_rules import check_command, check_set
from sandbox.errors import FieldError
from sandbox.rules import check_layout, check_message


def rule_errors(template: str, body: Any) -> tuple[FieldError, ...]:
    """What the rules find wrong with the body alone, without knowing what it would change."""
    if template.endswith("/commands"):
        errors = check_set(body) if isinstance(body, list) else check_command(body, ())
        return tuple(errors)
    if not isinstance(body, dict):
        return ()
    if template.endswith("/callback"):
        data = body.get("data")
        return (
            tuple(_message_errors(data, ("data",))) if isinstance(data, dict) and body.get("type") in (4, 7) else ()
        )
    if "/messages" in template or template.startswith("/webhooks/"):
        return tuple(_message_errors(body, ()))
    return ()


def _message_errors(body: Any, at: tuple[str | int, ...]) -> Iterator[FieldError]:
    found = list(check_message(body, at))
    yield from found
    if found:
        return
    flags = body.get("flags") or 0
    content, embeds = body.get("content") or "", body.get("embeds") or []
    yield from check_layout(content, embeds, body.get("components"), flags, at=at)
