"""Words and phrases that somebody does not want to see, or wants more of."""

import unicodedata
from collections.abc import Iterable

from agents.signal import Signal

_PLAIN = str.maketrans("\u2018\u2019\u02bc\u201c\u201d\u2010\u2011\u2212", "'''\"\"---")
"""Typographic quotes and hyphens, as keyboards have them."""


class Phrases:
    """Words and phrases to look for, whole and without regard to case, in titles and excerpts."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = [phrase for phrase in map(_fold, phrases) if phrase]

    def stand_in(self, signal: Signal) -> bool:
        """Whether the signal has one of them."""
        if not self._phrases:
            return False
        text = f"{_fold(signal.title)}\n{_fold(signal.excerpt or '')}"
        # Plain search instead of a pattern made of what people type: linear, and faster than a long alternation.
        return any(phrase in text and _has_whole(text, phrase) for phrase in self._phrases)


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text.casefold()).translate(_PLAIN).split())


def _has_whole(text: str, phrase: str) -> bool:
    start = text.find(phrase)
    while start >= 0:
        end = start + len(phrase)
        if _is_edge(text[start - 1 : start], phrase[0]) and _is_edge(text[end : end + 1], phrase[-1]):
            return True
        start = text.find(phrase, start + 1)
    return False


def _is_edge(outside: str, inside: str) -> bool:
    """Whether a word may end between the two characters; where words are not spaced apart it always may."""
    return not outside or not _in_word(outside) or not _in_word(inside) or _is_unspaced(inside)


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"


def _is_unspaced(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\u0e00" <= char <= "\u0e7f"
