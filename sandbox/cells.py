"""Text in a terminal's cells: how wide it is, and how it wraps."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from sandbox.markdown import Line, Span

_VARIATION_EMOJI = "\ufe0f"
_INVISIBLE = ("Mn", "Me", "Cf", "Cc")


def width_of(text: str) -> int:
    """Cells that the text takes: wide characters two, combining and invisible ones none."""
    if text.isascii():
        return len(text)
    cells = last = 0
    for character in text:
        if character == _VARIATION_EMOJI:
            cells += 2 - last if last else 0
            last = 2 if last else 0
            continue
        last = _cells(character)
        cells += last
    return cells


def _cells(character: str) -> int:
    if unicodedata.category(character) in _INVISIBLE:
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def wrap(line: Line, width: int) -> Iterator[list[Span]]:
    """The line in rows of at most ``width`` cells, broken between words where it can be."""
    row, used = _begin(line.first)
    gap: list[Span] = []
    started = False
    for word in _words(line.spans):
        if word[0].text.isspace():
            gap = word
            continue
        for piece in _fitting(word, max(4, width - width_of(line.rest))):
            size = _size(piece)
            if started and used + _size(gap) + size > width:
                yield row
                row, used = _begin(line.rest)
                gap = []
            row += gap + piece
            used += _size(gap) + size
            gap, started = [], True
    yield row


def _begin(indent: str) -> tuple[list[Span], int]:
    return ([Span(indent)] if indent else []), width_of(indent)


def _size(spans: Iterable[Span]) -> int:
    return sum(width_of(span.text) for span in spans)


def _words(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """Words and the spaces between them; a word may run over several spans."""
    word: list[Span] = []
    for span in spans:
        for text in _split(span.text):
            if text.isspace():
                if word:
                    yield word
                word = []
                yield [Span(text, span.style)]
            else:
                word.append(Span(text, span.style))
    if word:
        yield word


def _split(text: str) -> Iterator[str]:
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or text[index].isspace() != text[start].isspace():
            yield text[start:index]
            start = index


def _fitting(word: list[Span], width: int) -> Iterator[list[Span]]:
    """The word, cut where it is longer than a whole row."""
    if _size(word) <= width:
        yield word
        return
    for span in word:
        piece, used = "", 0
        for character in span.text:
            size = _cells(character)
            if used + size > width:
                yield [Span(piece, span.style)]
                piece, used = "", 0
            piece += character
            used += size
        yield [Span(piece, span.style)]
