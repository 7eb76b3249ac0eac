"""``python -m docs.picture`` draws README's picture: the real bot's answer to a person in the local Discord.

An SVG with no font, script or address of its own: every run of text is given the width that it has in Helvetica,
so that it looks the same in whatever font the reader has.
"""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from sandbox.markdown import Reader, Span, Style
from sandbox.messages import Message
from sandbox.server import LocalDiscord
from sandbox.upstreams import SampleUpstreams

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "answer.svg"
LINE = "/signals all query:python"
START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 30.0

WIDTH = 760
_LEFT = 76
_EMBED_WIDTH = 640
_PAD = 16
_COLOURS = {
    "page": "#313338",
    "embed": "#2b2d31",
    "text": "#dbdee1",
    "dim": "#a5a9b0",
    "link": "#4eaaf7",
    "name": "#fff",
}
_FONT = 'font-family="Helvetica, Arial, sans-serif"'
_BUTTONS = {1: "#4f5bd5", 2: "#4e5058"}
_CAPTION = "All stories are samples, invented for the demo. Everything else is the bot as it runs."

# Widths in thousandths of the font size, after the metrics of Helvetica.
_LETTERS = (
    (222, "ijl"), (278, " !,./:;I[]\\ft·"), (333, "()-r`"), (389, "*"), (500, "Jckvxyzs"), (584, "+<=>~"),
    (611, "FTZ"), (667, "ABEKPSVXY&"), (722, "CDHNRUw"), (778, "GOQ"), (833, "Mm"), (889, "%"), (944, "W"),
    (1000, "…"), (1015, "@"),
)  # fmt: skip
_WIDTHS = {letter: width for width, letters in _LETTERS for letter in letters}
_BLOCKS = "▰▱"
_SYMBOLS_FROM = 0x2070
"""Above the punctuation: arrows, symbols, emoji, drawn as wide as emoji are."""


async def draw() -> str:
    """Ask the bot and draw what it says."""
    async with LocalDiscord() as discord, SampleUpstreams() as upstreams:
        channel = discord.add_guild("Sample server").add_channel("general", kind="text")
        person = discord.add_user("you")
        assert channel.guild is not None
        channel.guild.add_member(person)
        with tempfile.TemporaryDirectory(prefix="signals-scout-") as folder:
            bot = await _start_bot(discord, upstreams, Path(folder))
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    while not (discord.gateway.sessions and discord.commands.all()):
                        if bot.returncode is not None:
                            raise RuntimeError("the bot did not start")
                        await asyncio.sleep(0.05)
                exchange = await discord.type_command(person, channel, LINE)
                message = await exchange.wait_message(ANSWER_TIMEOUT_S, lambda said: bool(said.components))
            finally:
                bot.terminate()
                await bot.wait()
    return picture(message, LINE)


async def _start_bot(discord: LocalDiscord, upstreams: SampleUpstreams, folder: Path) -> asyncio.subprocess.Process:
    """The bot as an operator runs it; of the environment it is given only what it needs."""
    environment = upstreams.env() | {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT),
        "DISCORD_TOKEN": discord.token,
        "DISCORD_API_URL": discord.api_url,
        "DISCORD_GATEWAY_URL": discord.gateway_url,
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'signals.db'}",
        "X_SPEND_FILE": str(folder / "x-spend.json"),
        "LOG_LEVEL": "ERROR",
    }
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", "run", env=environment, cwd=folder)


def picture(message: Message, line: str) -> str:
    """One message with an embed and buttons, under the command that asked for it, as an SVG document."""
    canvas = _Canvas(message.timestamp.timestamp())
    canvas.command(message, line)
    canvas.head(message)
    for embed in message.embeds:
        canvas.embed(embed)
    for row in message.components:
        canvas.buttons(row["components"])
    return canvas.document()


@dataclass(frozen=True, slots=True)
class _Word:
    """A piece of text without a space inside, in one style; ``spaced``: a space stands before it."""

    text: str
    style: Style
    spaced: bool


class _Canvas:
    """Draws from top to bottom; ``y`` is where the next thing begins."""

    def __init__(self, now: float) -> None:
        self._reader = Reader(now, lambda sigil, found: f"{sigil}{found}")
        self._shapes: list[str] = []
        self._y = 18.0

    def command(self, message: Message, line: str) -> None:
        asked = message.legacy_interaction or {}
        name = str(asked.get("user", {}).get("username", "you"))
        self._shapes.append(
            f'<path d="M38 44v-6q0-8 8-8h22" fill="none" stroke="{_COLOURS["dim"]}" stroke-width="2"/>'
        )
        x = self._text(_LEFT, self._y + 16, f"{name} used ", 14, _COLOURS["dim"])
        self._text(x, self._y + 16, line, 14, "#a8b1ff")
        self._y += 28

    def head(self, message: Message) -> None:
        middle = self._y + 18
        self._shapes.append(
            f'<circle cx="38" cy="{middle}" r="20" fill="#5865f2"/>'
            f'<g fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round">'
            f'<path d="M29 {middle + 8}a12.5 12.5 0 0 1 18 0M24.500 {middle + 2}a19 19 0 0 1 27 0"/></g>'
            f'<circle cx="38" cy="{middle + 11}" r="2.600" fill="#fff"/>'
        )
        x = self._text(_LEFT, self._y + 14, message.author.name, 16, _COLOURS["name"], bold=True) + 8
        self._shapes.append(f'<rect x="{x:.1f}" y="{self._y + 1}" width="34" height="16" rx="4" fill="#5865f2"/>')
        self._text(x + 5.5, self._y + 13, "APP", 11, "#fff", bold=True)
        self._text(x + 44, self._y + 14, f"Today at {message.timestamp:%H:%M}", 12, _COLOURS["dim"])
        self._y += 28

    def embed(self, embed: dict[str, Any]) -> None:
        top, at = self._y, len(self._shapes)
        self._y += _PAD
        self._lines(str(embed.get("title", "")), 16, Style.BOLD)
        self._y += 6
        self._lines(str(embed.get("description", "")), 15)
        for field in embed.get("fields", ()):
            self._y += 12
            self._lines(str(field["name"]), 14, Style.BOLD)
            self._lines(str(field["value"]), 14)
        self._y += 12
        self._rows(_words([Span(str(embed.get("footer", {}).get("text", "")), Style.DIM)]), 12)
        height = self._y + _PAD - 4 - top
        box = f'x="{_LEFT}" y="{top:.0f}" height="{height:.0f}"'
        self._shapes.insert(
            at,
            f'<rect {box} width="{_EMBED_WIDTH}" rx="5" fill="{_COLOURS["embed"]}"/>'
            f'<rect {box} width="5" rx="2.500" fill="#{embed.get("color", 0):06x}"/>',
        )
        self._y = top + height + 10

    def buttons(self, buttons: Iterable[dict[str, Any]]) -> None:
        x = float(_LEFT)
        for button in buttons:
            label = f"{button.get('emoji', {}).get('name', '')} {button.get('label', '')}".strip()
            width = _width(label, 14) + 32
            faded = ' opacity=".5"' if button.get("disabled") else ""
            fill = _BUTTONS.get(button.get("style", 2), _BUTTONS[2])
            self._shapes.append(
                f'<g{faded}><rect x="{x:.1f}" y="{self._y:.0f}" width="{width:.1f}" '
                f'height="34" rx="6" fill="{fill}"/>'
            )
            self._text(x + 16, self._y + 22, label, 14, "#fff")
            self._shapes.append("</g>")
            x += width + 8
        self._y += 44

    def document(self) -> str:
        self._text(_LEFT, self._y + 14, _CAPTION, 12, _COLOURS["dim"])
        height = self._y + 32
        size = f'width="{WIDTH}" height="{height:.0f}"'
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" {size} role="img" {_FONT}>'
        )
        title = "<title>An answer of Signals Scout in Discord (all stories are samples)</title>"
        page = f'<rect {size} rx="10" fill="{_COLOURS["page"]}"/>'
        return "\n".join([head, title, page, *self._shapes, "</svg>\n"])

    def _lines(self, markdown: str, size: float, style: Style = Style.PLAIN) -> None:
        """Markdown in rows; an empty line is a gap, small print is small."""
        for raw in markdown.split("\n"):
            if not raw.strip():
                self._y += 8
                continue
            for line in self._reader.lines(raw):
                spans = [Span(span.text, span.style | style) for span in _as_shown(line.spans)]
                self._rows(_words(spans), 12.5 if raw.startswith("-# ") else size)

    def _rows(self, words: list[_Word], size: float) -> None:
        for row in _wrapped(words, size, _EMBED_WIDTH - 2 * _PAD):
            self._y += round(size * 1.4)
            x = float(_LEFT + _PAD)
            for style, group in groupby(row, key=lambda word: word.style):
                x = self._run(x, list(group), style, size)

    def _run(self, x: float, words: list[_Word], style: Style, size: float) -> float:
        """Words of one style beside each other."""
        bold = Style.BOLD in style
        colour = _COLOURS["link" if Style.LINK in style else "dim" if Style.DIM in style else "text"]
        for blocks, group in groupby(words, key=lambda word: word.text[0] in _BLOCKS):
            part = list(group)
            if part[0].spaced and x > _LEFT + _PAD:
                x += _width(" ", size, bold=bold)
            if blocks:
                x = self._bar(x, "".join(word.text for word in part))
                continue
            text = part[0].text + "".join(f" {word.text}" if word.spaced else word.text for word in part[1:])
            x = self._text(x, self._y, text, size, colour, bold=bold)
        return x

    def _bar(self, x: float, blocks: str) -> float:
        for block in blocks:
            fill = "#5fc796" if block == _BLOCKS[0] else "#4e5058"
            self._shapes.append(
                f'<rect x="{x:.1f}" y="{self._y - 9}" width="11" height="8" rx="1.500" fill="{fill}"/>'
            )
            x += 13
        return x

    def _text(self, x: float, y: float, text: str, size: float, colour: str, *, bold: bool = False) -> float:
        width = _width(text, size, bold=bold)
        shown = text.rstrip()
        length = _width(shown, size, bold=bold)
        weight = ' font-weight="bold"' if bold else ""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.0f}" font-size="{size:g}" fill="{colour}"{weight} textLength="{length:.1f}" '
            f'lengthAdjust="spacingAndGlyphs">{escape(shown)}</text>'
        )
        return x + width


def _as_shown(spans: Iterable[Span]) -> Iterator[Span]:
    """Without the domain that the reader puts after a link: Discord shows it only on pointing at it."""
    after_link = False
    for span in spans:
        if not (after_link and re.fullmatch(r" \([^()\s]+\)", span.text)):
            yield span
        after_link = Style.LINK in span.style


def _words(spans: Iterable[Span]) -> list[_Word]:
    words: list[_Word] = []
    spaced = False
    for span in spans:
        for piece in re.findall(r"\s+|\S+", span.text):
            if not piece.isspace():
                words.append(_Word(piece, span.style, spaced))
            spaced = piece.isspace()
    return words


def _wrapped(words: list[_Word], size: float, room: float) -> Iterator[list[_Word]]:
    row: list[_Word] = []
    used = 0.0
    for word in words:
        bold = Style.BOLD in word.style
        width = _width(word.text, size, bold=bold) + (_width(" ", size) if word.spaced else 0.0)
        if row and word.spaced and used + width > room:
            yield row
            row, used = [], 0.0
        row.append(word)
        used += width
    if row:
        yield row


def _width(text: str, size: float, *, bold: bool = False) -> float:
    letters = sum(_letter(letter) for letter in text)
    return letters * size / 1000 * (1.06 if bold else 1.0)


def _letter(letter: str) -> float:
    if letter in _BLOCKS:
        return 13 / 12.5 * 1000
    if letter == "\N{VARIATION SELECTOR-16}":
        return 0
    return _WIDTHS.get(letter, 556) if ord(letter) < _SYMBOLS_FROM else 1250


def main() -> None:
    """Draw it into the repository."""
    drawn = asyncio.run(draw())
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn, encoding="utf-8")
    sys.stdout.write(f"{PICTURE}: {len(drawn.encode()):,} bytes\n")


if __name__ == "__main__":
    main()
