"""Discord's side, written from its documentation alone: what it refuses, and what its markdown would act on."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
MASKED_LINK = re.compile(r"(?<!\\)\[((?:\\.|[^\[\]\\])+)\]\((https?://[^\s()<>\\\"]+)\)")
RAW_MENTION = re.compile(r"@(everyone|here)|<(@[!&]?|#)\d+>")
AT_LINE_START = re.compile(r"^\s*(#{1,3}\s|-#\s|[-*+]\s|>|\d+\.\s)", re.MULTILINE)
ACTIVE = re.compile(
    r"[*_`]|~~|\|\||<(?:@|#|/|id:|t:|a?:|https?:|[^\s<>]+@|\+?\d)|https?://|\[[^\]]*\]\(|:[\w+-]+:|@(?:everyone|here)"
)
DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def active_markup(text: str) -> list[str]:
    """What Discord would format, link, mention or turn in a piece of text, after its escapes are taken out."""
    # An escaped character shows as itself and takes part in nothing; a letter-like stand-in keeps its place.
    inert = ESCAPE.sub("\u00b7", text)
    found = [match.group() for pattern in (ACTIVE, AT_LINE_START, DIRECTIONS) for match in pattern.finditer(inert)]
    # Mentions are looked for in the raw text, and addresses in the shown text: escapes help against neither.
    found += [match.group() for match in RAW_MENTION.finditer(text)]
    found += re.findall(r"https?://", ESCAPE.sub(r"\1", text))
    return found


def shown(text: str) -> str:
    """What a person reads: escapes applied, the zero-width spaces that break mentions and addresses gone."""
    return ESCAPE.sub(r"\1", text).replace("\u200b", "")


def violations(payload: Mapping[str, Any]) -> list[str]:
    """Every limit of Discord that a message body breaks."""
    return list(_violations(payload))


def _violations(payload: Mapping[str, Any]) -> Iterator[str]:
    json.dumps(payload, ensure_ascii=False).encode()
    if payload["allowed_mentions"] != {"parse": []}:
        yield "may mention"
    if len(payload["embeds"]) > 10:
        yield "more than ten embeds"
    if sum(map(_embed_length, payload["embeds"])) > 6000:
        yield "embeds longer than 6000"
    for embed in payload["embeds"]:
        yield from _embed_violations(embed)
    yield from _component_violations(payload["components"])


def _embed_length(embed: Mapping[str, Any]) -> int:
    fields = sum(len(field["name"]) + len(field["value"]) for field in embed.get("fields", ()))
    return (
        len(embed["title"])
        + len(embed.get("description", ""))
        + len(embed.get("footer", {"text": ""})["text"])
        + fields
    )


def _embed_violations(embed: Mapping[str, Any]) -> Iterator[str]:
    if not 1 <= len(embed["title"]) <= 256:
        yield "title"
    if len(embed.get("description", "")) > 4096:
        yield "description"
    if len(embed.get("footer", {"text": ""})["text"]) > 2048:
        yield "footer"
    if len(embed.get("fields", ())) > 25:
        yield "fields"
    for field in embed.get("fields", ()):
        if not (1 <= len(field["name"].strip()) <= 256 and 1 <= len(field["value"].strip()) <= 1024):
            yield f"field {field['name']!r}"


def _component_violations(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    if len(rows) > 5:
        yield "rows"
    if any(not 1 <= len(row["components"]) <= 5 for row in rows):
        yield "buttons in a row"
    items = [item for row in rows for item in row["components"]]
    ids = [item["custom_id"] for item in items if "custom_id" in item]
    if len(set(ids)) != len(ids) or any(not 1 <= len(one) <= 100 for one in ids):
        yield "custom ids"
    for row in rows:
        selects = [item for item in row["components"] if item["type"] != 2]
        if selects and len(row["components"]) != 1:
            yield "a menu beside something"
        for select in selects:
            yield from _select_violations(select)
    buttons = [item for item in items if item["type"] == 2]
    if any(not 1 <= len(button["label"]) <= 80 for button in buttons):
        yield "label"
    if any(("url" in button) == ("custom_id" in button) for button in buttons):
        yield "button without one purpose"


def _select_violations(select: Mapping[str, Any]) -> Iterator[str]:
    if len(select["placeholder"]) > 150:
        yield "placeholder"
    room = len(select["options"]) if select["type"] == 3 else 25
    if not 0 <= select["min_values"] <= select["max_values"] <= min(room, 25):
        yield "how many may be chosen"
    if len(select.get("default_values", ())) > select["max_values"]:
        yield "more chosen than may be"
    options = select.get("options", ())
    values = [option["value"] for option in options]
    if (select["type"] == 3 and not 1 <= len(options) <= 25) or len(set(values)) != len(values):
        yield "options"
    if sum(option["default"] for option in options) > select["max_values"]:
        yield "more options chosen than may be"
    for option in options:
        texts = (option["label"], option["value"], option.get("description", "x"))
        if any(not 1 <= len(text) <= 100 for text in texts):
            yield f"option {option['value']!r}"
