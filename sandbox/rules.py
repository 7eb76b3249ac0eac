"""Message rules that Discord enforces and its OpenAPI document cannot say; lengths count code points.

https://discord.com/developers/docs/resources/message#embed-object-embed-limits
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.component_rules import check_components
from sandbox.errors import FieldError, JsonObject
from sandbox.messages import MessageFlags

MAX_CONTENT = 2_000
MAX_EMBEDS = 10
MAX_EMBED_CHARACTERS = 6_000
MAX_FIELDS = 25
MAX_NONCE = 25
MAX_MENTIONED = 100

_EMBED_TEXTS = {"title": 256, "description": 4_096}
_URL_SCHEMES = ("http://", "https://", "attachment://")
_MENTION_KINDS = ("users", "roles", "everyone")

Path = tuple[str | int, ...]


def too_long(at: Path, limit: int) -> FieldError:
    """The error for a text or list longer than ``limit``."""
    return FieldError(at, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")


def wrong_type(at: Path, wanted: str) -> FieldError:
    """The error for a value of the wrong JSON type."""
    return FieldError(at, f"{wanted}_TYPE_CONVERT", f"Could not interpret the value as {wanted.lower()}.")


def check_message(body: JsonObject, at: Path = ()) -> Iterator[FieldError]:
    """Rules on the fields that a create or an edit carries, whatever the message was before."""
    content = body.get("content")
    if content is not None:
        if not isinstance(content, str):
            yield wrong_type((*at, "content"), "STRING")
        elif len(content) > MAX_CONTENT:
            yield too_long((*at, "content"), MAX_CONTENT)
    yield from _check_embeds(body.get("embeds"), (*at, "embeds"))
    yield from _check_nonce(body.get("nonce"), (*at, "nonce"))
    yield from _check_allowed_mentions(body.get("allowed_mentions"), (*at, "allowed_mentions"))
    flags = body.get("flags")
    if flags is not None and (isinstance(flags, bool) or not isinstance(flags, int)):
        yield wrong_type((*at, "flags"), "NUMBER")
        flags = 0


def check_layout(
    content: str, embeds: list[JsonObject], components: Any, flags: int, *, at: Path = (), has_poll: bool = False
) -> Iterator[FieldError]:
    """Rules on the message as it would stand afterwards: Components V2 exclude everything else."""
    second = bool(flags & MessageFlags.COMPONENTS_V2)
    if second:
        for name, present in (("content", bool(content)), ("embeds", bool(embeds)), ("poll", has_poll)):
            if present:
                message = f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                yield FieldError((*at, name), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message)
    yield from check_components(components, (*at, "components"), second=second)


def _check_embeds(embeds: Any, at: Path) -> Iterator[FieldError]:
    if embeds is None:
        return
    if not isinstance(embeds, list):
        yield wrong_type(at, "LIST")
        return
    if len(embeds) > MAX_EMBEDS:
        yield too_long(at, MAX_EMBEDS)
    for index, embed in enumerate(embeds):
        if isinstance(embed, dict):
            yield from _check_embed(embed, (*at, index))
        else:
            yield wrong_type((*at, index), "DICT")
    total = sum(embed_characters(embed) for embed in embeds if isinstance(embed, dict))
    if total > MAX_EMBED_CHARACTERS:
        message = f"Embed size exceeds maximum size of {MAX_EMBED_CHARACTERS}"
        yield FieldError(at, "MAX_EMBED_SIZE_EXCEEDED", message)


def _check_embed(embed: JsonObject, at: Path) -> Iterator[FieldError]:
    for name, limit in _EMBED_TEXTS.items():
        yield from _check_length(embed.get(name), limit, (*at, name))
    for holder, name, limit in (("footer", "text", 2_048), ("author", "name", 256)):
        inner = embed.get(holder)
        if isinstance(inner, dict):
            yield from _check_length(inner.get(name), limit, (*at, holder, name), required=True)
            yield from _check_url(inner.get("icon_url"), (*at, holder, "icon_url"))
    for name in ("image", "thumbnail"):
        inner = embed.get(name)
        if isinstance(inner, dict):
            yield from _check_url(inner.get("url"), (*at, name, "url"))
    yield from _check_url(embed.get("url"), (*at, "url"))
    colour = embed.get("color")
    if colour is not None and (
        not isinstance(colour, int) or isinstance(colour, bool) or not 0 <= colour <= 0xFFFFFF
    ):
        yield FieldError((*at, "color"), "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215.")
    yield from _check_fields(embed.get("fields"), (*at, "fields"))


def _check_fields(fields: Any, at: Path) -> Iterator[FieldError]:
    if fields is None:
        return
    if not isinstance(fields, list):
        yield wrong_type(at, "LIST")
        return
    if len(fields) > MAX_FIELDS:
        yield too_long(at, MAX_FIELDS)
    for index, field in enumerate(fields):
        if not isinstance(field, dict):
            yield wrong_type((*at, index), "DICT")
            continue
        yield from _check_length(field.get("name"), 256, (*at, index, "name"), required=True)
        yield from _check_length(field.get("value"), 1_024, (*at, index, "value"), required=True)


def _check_length(text: Any, limit: int, at: Path, *, required: bool = False) -> Iterator[FieldError]:
    if text is None or text == "":
        if required:
            yield FieldError(at, "BASE_TYPE_REQUIRED", "This field is required")
    elif not isinstance(text, str):
        yield wrong_type(at, "STRING")
    elif len(text) > limit:
        yield too_long(at, limit)


def _check_url(url: Any, at: Path) -> Iterator[FieldError]:
    if url is None or url == "":
        return
    if not isinstance(url, str):
        yield wrong_type(at, "STRING")
    elif not url.startswith(_URL_SCHEMES):
        message = f"Scheme \"{url.partition(':')[0]}\" is not supported. Scheme must be one of ('http', 'https')."
        yield FieldError(at, "URL_TYPE_INVALID_SCHEME", message)
    elif len(url) > 2_048:
        yield too_long(at, 2_048)


def embed_characters(embed: JsonObject) -> int:
    """What counts towards the total of 6,000: title, description, field names and values, footer, author."""
    texts: list[Any] = [embed.get("title"), embed.get("description")]
    for holder, name in (("footer", "text"), ("author", "name")):
        inner = embed.get(holder)
        if isinstance(inner, dict):
            texts.append(inner.get(name))
    fields = embed.get("fields")
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, dict):
            texts += [field.get("name"), field.get("value")]
    return sum(len(text) for text in texts if isinstance(text, str))


def _check_nonce(nonce: Any, at: Path) -> Iterator[FieldError]:
    if nonce is None:
        return
    if isinstance(nonce, bool) or not isinstance(nonce, (str, int)):
        yield wrong_type(at, "STRING")
    elif len(str(nonce)) > MAX_NONCE:
        yield FieldError(at, "NONCE_TYPE_TOO_LONG", f"Must be {MAX_NONCE} or fewer in length.")


def _check_allowed_mentions(allowed: Any, at: Path) -> Iterator[FieldError]:
    if allowed is None:
        return
    if not isinstance(allowed, dict):
        yield wrong_type(at, "DICT")
        return
    parse = allowed.get("parse") or []
    if not isinstance(parse, list) or any(kind not in _MENTION_KINDS for kind in parse):
        yield FieldError((*at, "parse"), "BASE_TYPE_CHOICES", f"Value must be one of {_MENTION_KINDS}.")
        return
    for name in ("users", "roles"):
        ids = allowed.get(name) or []
        if not isinstance(ids, list):
            yield wrong_type((*at, name), "LIST")
        elif len(ids) > MAX_MENTIONED:
            yield too_long((*at, name), MAX_MENTIONED)
        elif ids and name in parse:
            message = f'parse:["{name}"] and {name}: [ids...] are mutually exclusive.'
            yield FieldError(at, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)


def is_empty(
    content: str, embeds: list[JsonObject], components: list[JsonObject], files: int, *, other: bool
) -> bool:
    """Whether there is nothing to show (50006); ``other`` stands for stickers, a poll or a forwarded message."""
    return not (content.strip() or any(embed for embed in embeds) or components or files or other)
