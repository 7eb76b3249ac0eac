"""Draws a Discord message as text for a terminal: pure functions of the message.

Buttons and selects carry the numbers by which a person presses them, the same as ``LocalDiscord.click`` takes.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from sandbox.cells import width_of, wrap
from sandbox.component_rules import CONTAINER, FILE, GALLERY, ROW, SECTION, SELECTS, SEPARATOR, TEXT_DISPLAY, walk
from sandbox.errors import JsonObject
from sandbox.exchange import Exchange
from sandbox.markdown import Line, Reader, Span, Style, domain
from sandbox.messages import Attachment, Message

_RESET = "\x1b[0m"
_CODES = {
    Style.BOLD: "1",
    Style.DIM: "2",
    Style.ITALIC: "3",
    Style.UNDERLINE: "4",
    Style.STRIKE: "9",
    Style.CODE: "38;5;180",
    Style.LINK: "38;5;75",
    Style.MENTION: "38;5;111",
}
_BUTTON_COLOURS = {1: "48;5;62;97", 2: "48;5;240;97", 3: "48;5;29;97", 4: "48;5;124;97"}
_LEAST_WIDTH = 40
_COLUMN = 20
"""The narrowest column in which inline fields still stand side by side."""


@dataclass(frozen=True, slots=True)
class _Pen:
    """Where and how to draw: the width left, colours or none, the reader of markdown."""

    width: int
    colour: bool
    reader: Reader

    def narrower(self, cells: int) -> _Pen:
        return replace(self, width=max(_LEAST_WIDTH // 2, self.width - cells))

    def paint(self, text: str, codes: str) -> str:
        return f"\x1b[{codes}m{text}{_RESET}" if self.colour and codes and text else text

    def text(self, text: str, style: Style = Style.PLAIN) -> Iterator[str]:
        """Markdown in rows."""
        for line in self.reader.lines(text):
            styled = Line(tuple(Span(s.text, s.style | style) for s in line.spans), line.first, line.rest)
            for row in wrap(styled, self.width):
                yield "".join(
                    self.paint("".join(span.text for span in spans), _codes(look))
                    for look, spans in groupby(row, key=lambda span: span.style)
                )


def _codes(style: Style) -> str:
    return ";".join(code for flag, code in _CODES.items() if flag in style)


def draw_message(message: Message, width: int = 80, *, colour: bool = True, now: float | None = None) -> str:
    """The message in rows of at most ``width`` cells (40 at least), as of ``now`` (seconds since 1970)."""
    width = max(_LEAST_WIDTH, width)
    reader = Reader(time.time() if now is None else now, lambda sigil, found: _name_of(message, sigil, found))
    pen = _Pen(width, colour, reader)
    inner = pen.narrower(2)
    rows = [*_head(message, pen), *(f"  {row}" if row else "" for row in _body(message, inner))]
    if message.ephemeral:
        rows.append("  " + pen.paint("◌ Only you can see this", "2"))
    return "\n".join(rows)


def _name_of(message: Message, sigil: str, found: int) -> str:
    guild = message.channel.guild
    if sigil == "#":
        channel = None if guild is None else guild.channels.get(found)
        return f"#{channel.name}" if channel else "#unknown"
    if sigil == "@&":
        role = None if guild is None else guild.roles.get(found)
        return f"@{role.name}" if role else "@unknown-role"
    known = {user.id: user.name for user in (*message.mentioned, message.author)}
    if guild is not None:
        known |= {member.user.id: member.user.name for member in guild.members.values()}
    return f"@{known.get(found, 'unknown-user')}"


def _head(message: Message, pen: _Pen) -> Iterator[str]:
    """Whose message it is, what it answers, when it came."""
    asked = message.legacy_interaction
    if asked is not None:
        typed = (message.metadata or {}).get("command_type", 1) == 1
        command = f"/{asked['name']}" if typed else asked["name"]
        yield pen.paint(f"╭─ {asked['user']['username']} used ", "2") + pen.paint(command, "38;5;111")
    name = pen.paint(message.author.name, "1")
    badge = " " + pen.paint(" APP ", "48;5;62;97") if message.author.is_bot else ""
    when = f"  {message.timestamp:%H:%M}"
    edited = " (edited)" if message.edited_at is not None and not message.loading else ""
    yield f"{name}{badge if pen.colour else ' [APP]' if message.author.is_bot else ''}{pen.paint(when + edited, '2')}"


def _body(message: Message, pen: _Pen) -> Iterator[str]:
    if message.loading:
        yield pen.paint(f"● ● ●  {message.author.name} is thinking…", "2;3")
        return
    if message.content:
        yield from pen.text(_clean(message.content))
    for embed in message.embeds:
        yield from _embed(_clean(embed), pen)
    yield from (_attachment(attachment, pen) for attachment in message.attachments)
    yield from _components(_clean(message.components), pen, _Numbers())


def _clean(value: Any) -> Any:
    """Without what would steer the terminal rather than show: control characters and changes of direction."""
    if isinstance(value, str):
        return "".join(c for c in value if c in "\n\u200d" or unicodedata.category(c) not in ("Cc", "Cf"))
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list) else value


def _attachment(attachment: Attachment, pen: _Pen) -> str:
    size = attachment.size_bytes
    shown = f"{size} bytes" if size < 1_024 else f"{size / 1_024:.1f} KiB"
    described = f": {_clean(attachment.description)}" if attachment.description else ""
    return f"▤ {attachment.filename} {pen.paint(f'({shown}){described}', '2')}"


# -- embeds


def _bar(colour: int | None, pen: _Pen) -> str:
    return pen.paint("▌", f"38;5;{_nearest(0x4F545C if colour is None else colour)}") + " "


def _nearest(rgb: int) -> int:
    """The colour of the 256 that comes nearest: the cube of six levels each, which every terminal has."""
    levels = (0, 95, 135, 175, 215, 255)
    parts = ((rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255)
    red, green, blue = (min(range(6), key=lambda i: abs(levels[i] - part)) for part in parts)
    return 16 + 36 * red + 6 * green + blue


def _embed(embed: JsonObject, pen: _Pen) -> Iterator[str]:
    """An embed beside its coloured bar."""
    bar = _bar(embed.get("color"), pen)
    blocks = [list(block) for block in _embed_blocks(embed, pen.narrower(2))]
    first = True
    for block in blocks:
        if not block:
            continue
        if not first:
            yield bar.rstrip()
        yield from (f"{bar}{row}".rstrip() for row in block)
        first = False


def _embed_blocks(embed: JsonObject, pen: _Pen) -> Iterator[Iterable[str]]:
    author, title = embed.get("author"), embed.get("title")
    if author:
        yield pen.text(str(author.get("name", "")), Style.DIM)
    if title:
        style = Style.BOLD | (Style.LINK if embed.get("url") else Style.PLAIN)
        linked = f"{title} ({domain(embed['url'])})" if embed.get("url") else str(title)
        yield pen.text(linked, style)
    if embed.get("description"):
        yield pen.text(str(embed["description"]))
    yield from _fields(embed.get("fields") or [], pen)
    for name in ("image", "thumbnail"):
        if embed.get(name):
            yield [pen.paint(f"▣ {name} ({domain(str(embed[name].get('url', '')))})", "2")]
    footer = _footer(embed)
    if footer:
        yield pen.text(footer, Style.DIM)


def _footer(embed: JsonObject) -> str:
    parts = [
        str((embed.get("footer") or {}).get("text", "")),
        str(embed.get("timestamp") or "")[:16].replace("T", " "),
    ]
    return "  ·  ".join(part for part in parts if part)


def _fields(fields: list[JsonObject], pen: _Pen) -> Iterator[list[str]]:
    """Fields; inline ones side by side, as many as have room, three at most."""
    beside = min(3, max(1, pen.width // _COLUMN))
    waiting: list[JsonObject] = []
    for field in fields:
        if field.get("inline") and beside > 1:
            waiting.append(field)
            if len(waiting) == beside:
                yield _columns(waiting, pen)
                waiting = []
            continue
        if waiting:
            yield _columns(waiting, pen)
            waiting = []
        yield _field(field, pen)
    if waiting:
        yield _columns(waiting, pen)


def _field(field: JsonObject, pen: _Pen) -> list[str]:
    return [*pen.text(str(field.get("name", "")), Style.BOLD), *pen.text(str(field.get("value", "")))]


def _columns(fields: list[JsonObject], pen: _Pen) -> list[str]:
    width = pen.width // len(fields)
    # Painted text cannot be padded by its length: cells are counted on the plain drawing of the same column.
    plain = [_field(field, replace(pen, width=width - 2, colour=False)) for field in fields]
    painted = [_field(field, replace(pen, width=width - 2)) for field in fields]
    rows: list[str] = []
    for index in range(max(map(len, plain))):
        row = ""
        for bare, shown in zip(plain, painted, strict=True):
            if index < len(bare):
                row += shown[index] + " " * (width - width_of(bare[index]))
            else:
                row += " " * width
        rows.append(row.rstrip())
    return rows


# -- components


class _Numbers:
    """Counts what can be pressed, from 1."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        self._last += 1
        return self._last


def _components(components: Iterable[JsonObject], pen: _Pen, numbers: _Numbers) -> Iterator[str]:
    for component in components:
        kind = component.get("type")
        if kind == ROW:
            yield from _row(component.get("components") or [], pen, numbers)
        elif kind == TEXT_DISPLAY:
            yield from pen.text(str(component.get("content", "")))
        elif kind == SECTION:
            yield from _components(component.get("components") or [], pen, numbers)
            accessory = component.get("accessory") or {}
            if accessory.get("type") == 2:
                yield _button(accessory, pen, numbers)[0]
        elif kind == SEPARATOR:
            yield pen.paint("─" * pen.width, "2") if component.get("divider", True) else ""
        elif kind == CONTAINER:
            bar = _bar(component.get("accent_color"), pen)
            inner = _components(component.get("components") or [], pen.narrower(2), numbers)
            yield from (f"{bar}{row}".rstrip() for row in inner)
        elif kind in (GALLERY, FILE):
            yield pen.paint("▣ media", "2")


def _row(components: list[JsonObject], pen: _Pen, numbers: _Numbers) -> Iterator[str]:
    """Buttons side by side, on further rows where they have no room; a select with its options below."""
    row, used = "", 0
    for component in components:
        if component.get("type") in SELECTS:
            yield from _select(component, pen, numbers)
            continue
        shown, size = _button(component, pen, numbers)
        if row and used + size + 2 > pen.width:
            yield row
            row, used = "", 0
        row += ("  " if row else "") + shown
        used += size + (2 if used else 0)
    if row:
        yield row


def _button(button: JsonObject, pen: _Pen, numbers: _Numbers) -> tuple[str, int]:
    """The button as drawn, and its cells. Links have no number: they open in a browser."""
    emoji = button.get("emoji") or {}
    label = " ".join(str(part) for part in (emoji.get("name"), button.get("label")) if part) or "…"
    if button.get("url"):
        text = f"{label} ↗ {domain(str(button['url']))}"
        return pen.paint(text, "38;5;75"), width_of(text)
    number = numbers.next()
    if not pen.colour:
        text = f"({number} {label})" if button.get("disabled") else f"[{number} {label}]"
        return text, width_of(text)
    text = f" {number} {label} "
    codes = "48;5;236;38;5;244" if button.get("disabled") else _BUTTON_COLOURS.get(button.get("style", 2), "7")
    return pen.paint(text, codes), width_of(text)


def _select(select: JsonObject, pen: _Pen, numbers: _Numbers) -> Iterator[str]:
    text = f" {numbers.next()} {select.get('placeholder') or 'Choose'} ▾ "
    yield pen.paint(text, _BUTTON_COLOURS[2]) if pen.colour else f"[{text.strip()}]"
    for option in select.get("options") or ():
        mark = "●" if option.get("default") else "○"
        described = f"  {option['description']}" if option.get("description") else ""
        yield f"   {mark} {option.get('label', '')}{pen.paint(described, '2')}"


def pressed(exchange: Exchange) -> str:
    """The label of the component that was pressed, or its custom id where the message has it no more."""
    custom_id = exchange.payload["data"].get("custom_id")
    components = exchange.source.components if exchange.source is not None else []
    for _, component in walk(components):
        if component.get("custom_id") == custom_id:
            emoji = (component.get("emoji") or {}).get("name")
            return str(component.get("label") or component.get("placeholder") or emoji or custom_id)
    return str(custom_id)
