"""Discord's markdown, read into styled spans; only what a bot's messages use.

https://support.discord.com/hc/en-us/articles/210298617
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Flag, auto
from urllib.parse import urlsplit


class Style(Flag):
    """How a span looks."""

    PLAIN = 0
    BOLD = auto()
    ITALIC = auto()
    UNDERLINE = auto()
    STRIKE = auto()
    CODE = auto()
    DIM = auto()
    LINK = auto()
    MENTION = auto()


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text in one style; without newlines."""

    text: str
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True)
class Line:
    """A line before wrapping: its spans, and what stands before its first and its further rows."""

    spans: tuple[Span, ...]
    first: str = ""
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads markdown as of ``now`` (seconds since 1970), with ``name_of`` for mentions (kind @, @& or #, and id)."""

    now: float
    name_of: Callable[[str, int], str]

    def lines(self, text: str) -> Iterator[Line]:
        """The text's lines: headings, lists, quotes, subtext and code blocks told apart."""
        for index, part in enumerate(re.split(r"```(?:\w*\n)?(.*?)\n?```", text, flags=re.DOTALL)):
            if index % 2:
                yield from (Line((Span(row, Style.CODE),), "  ", "  ") for row in part.split("\n"))
            elif part.strip("\n"):
                # The newlines beside a code block belong to it.
                yield from map(self._line, part.strip("\n").split("\n"))

    def _line(self, row: str) -> Line:
        heading = re.match(r"(#{1,3}) +(.*)", row)
        if heading:
            return Line(tuple(self.spans(heading.group(2), Style.BOLD)))
        if row.startswith("-# "):
            return Line(tuple(self.spans(row[3:], Style.DIM)))
        if row.startswith("> "):
            return Line(tuple(self.spans(row[2:])), "▏ ", "▏ ")
        item = re.match(r"( *)(?:[-*]|(\d+)\.) +(.*)", row)
        if item:
            indent = " " * len(item.group(1))
            bullet = f"{item.group(2)}. " if item.group(2) else "• "
            return Line(tuple(self.spans(item.group(3))), indent + bullet, indent + " " * len(bullet))
        return Line(tuple(self.spans(row)))

    def spans(self, text: str, style: Style = Style.PLAIN) -> Iterator[Span]:
        """The styled pieces of one line."""
        position = 0
        for match in _INLINE.finditer(text):
            if match.start() > position:
                yield Span(text[position : match.start()], style)
            yield from self._piece(match, style)
            position = match.end()
        if position < len(text):
            yield Span(text[position:], style)

    def _piece(self, match: re.Match[str], style: Style) -> Iterator[Span]:
        kind = match.lastgroup or ""
        found = match.groupdict()
        if kind in _STYLES:
            yield from self.spans(found[kind], style | _STYLES[kind])
        elif kind == "escaped":
            yield Span(found["escaped"], style)
        elif kind == "code":
            yield Span(found["code"], style | Style.CODE)
        elif kind == "url":
            yield from self.spans(found["label"], style | Style.LINK)
            yield Span(f" ({domain(found['url'])})", style | Style.DIM)
        elif kind == "bare":
            yield Span(found["bare"], style | Style.LINK)
        elif kind == "stamp":
            _, unix, *form = found["stamp"].split(":")
            yield Span(moment(int(unix), form[0] if form else "f", self.now), style)
        elif kind == "mentioned":
            yield Span(self.name_of(found["sigil"].rstrip("!"), int(found["mentioned"])), style | Style.MENTION)
        elif kind == "command":
            yield Span(f"/{found['command']}", style | Style.MENTION)
        else:
            yield Span(f":{found['emoji']}:", style)


_STYLES = {
    "bold": Style.BOLD,
    "underline": Style.UNDERLINE,
    "strike": Style.STRIKE,
    "spoiler": Style.DIM,
    "italic": Style.ITALIC,
    "slanted": Style.ITALIC,
}

# The last named group that matched says which alternative it was: each alternative's deciding group stands last.
_INLINE = re.compile(
    r"\\(?P<escaped>[^\w\s]|_)"
    r"|(?P<ticks>`+)(?P<code>[^`]+)(?P=ticks)(?!`)"
    r"|\[(?P<label>(?:\\.|[^\]\\])+)\]\(<?(?P<url>https?://[^\s)>]+)>?\)"
    r"|<(?P<bare>https?://[^\s>]+)>"
    r"|<(?P<stamp>t:-?\d{1,13}(?::[tTdDfFR])?)>"
    r"|<(?P<sigil>@[!&]?|#)(?P<mentioned>\d{1,20})>"
    r"|</(?P<command>[^:>]+):\d+>"
    r"|<a?:(?P<emoji>\w+):\d+>"
    r"|\*\*(?P<bold>(?:\\.|[^\\])+?)\*\*(?!\*)"
    r"|__(?P<underline>(?:\\.|[^\\])+?)__(?!_)"
    r"|~~(?P<strike>(?:\\.|[^\\])+?)~~"
    r"|\|\|(?P<spoiler>(?:\\.|[^\\])+?)\|\|"
    r"|\*(?=\S)(?P<italic>(?:\\.|[^*\\])+)\*"
    r"|(?<!\w)_(?=\S)(?P<slanted>(?:\\.|[^_\\])+)_(?!\w)"
)


def domain(url: str) -> str:
    """The host of a URL without "www."."""
    try:
        host = urlsplit(url).hostname or url
    except ValueError:
        host = url
    return host.removeprefix("www.")


def moment(unix: int, style: str, now: float) -> str:
    """A timestamp as Discord shows it: relative for R, otherwise date and time in UTC."""
    if style == "R":
        return relative(unix - now)
    try:
        at = datetime.fromtimestamp(unix, UTC)
    except (OverflowError, ValueError, OSError):
        return "an impossible time"
    formats = {
        "t": "%H:%M",
        "T": "%H:%M:%S",
        "d": "%d/%m/%Y",
        "D": "%d %B %Y",
        "f": "%d %B %Y %H:%M",
        "F": "%A, %d %B %Y %H:%M",
    }
    return at.strftime(formats[style])


_UNITS = (("year", 31_557_600), ("month", 2_629_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def relative(seconds: float) -> str:
    """``seconds`` from now in words: "3 hours ago", "in 2 days"."""
    distance = abs(seconds)
    name, size = next(((n, s) for n, s in _UNITS if distance >= s), ("second", 1))
    count = int(distance // size)
    if count == 0:
        return "now"
    words = f"{count} {name}" + ("s" if count != 1 else "")
    return f"{words} ago" if seconds < 0 else f"in {words}"
