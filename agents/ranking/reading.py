"""What ranking looks at in one signal, taken from it once: words, votes, page, and where the query's terms are."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from agents.signal import Engagement, Signal
from agents.urls import identity

_TITLE_CAP = 300
_TEXT_CAP = 2_000
"""Characters of a title and of an excerpt that are looked at."""

COMMENT_WEIGHT = 2.0
SHARE_WEIGHT = 2.0
VIEW_WEIGHT = 0.01
"""What a comment, a share and a view are worth in points: who writes cares more than who votes or looks."""
STEPS_PER_E = 10
"""Votes are told apart on a logarithmic scale in tenths, so roughly ten per cent: sites blur their counts."""

_APOSTROPHE = re.compile("(?<=\\w)['\u2019\u02bc](?=\\w)")
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # written without spaces: each character stands for itself
    r"|\d+(?:[.,:]\d+)+"  # 3.12, 1,000, 12:30
    r"|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+[+#]*"  # c++, c#
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One signal as ranking sees it."""

    signal: Signal
    words: tuple[str, ...]
    """Of its title, casefolded, in their order."""
    page: str
    """Key of its address, equal for the same page."""
    votes: int | None
    """Engagement in steps of a logarithmic scale; None where the source tells nothing."""
    hits: tuple[tuple[int, int], ...]
    """For each term of the query: how often it is in the title, and in the excerpt."""
    excerpt_words: int
    """How long the excerpt is; 0 where nobody asked for it."""


def words(text: str) -> list[str]:
    """The words of a text in their order, casefolded, without apostrophes (``don't`` is ``dont``)."""
    found: list[str] = _WORD.findall(_APOSTROPHE.sub("", text.casefold()))
    return found


def read(signals: Iterable[Signal], query_terms: tuple[str, ...] = ()) -> list[Reading]:
    """Read each signal; the costly part of ranking, and the one that needs no other signal."""
    return [_read(signal, query_terms) for signal in signals]


def _read(signal: Signal, query_terms: tuple[str, ...]) -> Reading:
    title = words(signal.title[:_TITLE_CAP])
    excerpt = words(signal.excerpt[:_TEXT_CAP]) if query_terms and signal.excerpt else []
    return Reading(
        signal=signal,
        words=tuple(title),
        page=identity(signal.url),
        votes=_votes(signal.engagement),
        hits=tuple([(title.count(term), excerpt.count(term)) for term in query_terms]),
        excerpt_words=len(excerpt),
    )


def _votes(engagement: Engagement) -> int | None:
    if not engagement.known:
        return None
    worth = (
        (engagement.points or 0)
        + COMMENT_WEIGHT * (engagement.comments or 0)
        + SHARE_WEIGHT * (engagement.shares or 0)
        + VIEW_WEIGHT * (engagement.views or 0)
    )
    return round(STEPS_PER_E * math.log1p(worth))
