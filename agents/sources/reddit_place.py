"""Where on Reddit a question is asked: the same listings and searches stand behind its API and its feeds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agents.errors import AccessDenied, NotFound
from agents.signal import Timeframe
from agents.source import Question
from agents.sources.items import each_once

SITE = "https://www.reddit.com"
"""Where people read, whatever address is asked."""
SORTS = ("new", "hot", "top")
_MAX_SUBREDDITS = 10
_LATER = "Ask again later, or another source."
_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,21}")
_WINDOWS = {
    Timeframe.HOUR: "hour",
    Timeframe.SIX_HOURS: "day",
    Timeframe.DAY: "day",
    Timeframe.TWO_DAYS: "week",
    Timeframe.WEEK: "week",
    Timeframe.MONTH: "month",
}
"""The smallest of Reddit's own windows that holds the timeframe; what is too old is dropped afterwards."""


def parse_subreddits(text: str) -> str:
    """``r/Python, rust`` as ``python+rust``: lower case, each once, sorted; a ``ValueError`` says what is wrong."""
    return each_once(text, _parse_subreddit, _MAX_SUBREDDITS, "subreddits")


def _parse_subreddit(text: str) -> str:
    name = re.sub(r"^/?r/", "", text, flags=re.IGNORECASE).rstrip("/")
    if not _SUBREDDIT.fullmatch(name):
        raise ValueError(f"“{text[:40]}” is no subreddit: 2 to 21 letters, digits and underscores, as in python.")
    return name.lower()


def parse_sort(text: str) -> str:
    """One of ``new``, ``hot`` and ``top``."""
    if text.lower() not in SORTS:
        raise ValueError(f"Reddit cannot sort by “{text[:40]}”. Choose one of: {', '.join(SORTS)}.")
    return text.lower()


@dataclass(frozen=True, slots=True)
class Place:
    """A listing or a search: its path, its parameters, and in what order it comes."""

    path: str
    params: Mapping[str, str]
    sort: str
    subreddits: str | None = None
    """Those that the answer is restricted to, as ``python+rust``."""


def place_of(question: Question, default_subreddits: str) -> Place:
    """Where to look. Unasked, short timeframes look at what is new and longer ones at what is on top."""
    asked = question.options.get("subreddit")
    sort = question.options.get("sort")
    window = {"t": _WINDOWS[question.timeframe]}
    if question.query:
        sort = sort or "relevance"
        params = {"q": question.query, "sort": sort, "type": "link", **window}
        if asked is None:
            return Place("/search", params, sort)
        return Place(f"/r/{asked}/search", {**params, "restrict_sr": "1"}, sort, asked)
    sort = sort or ("new" if question.timeframe in {Timeframe.HOUR, Timeframe.SIX_HOURS} else "top")
    names = asked or default_subreddits
    return Place(f"/r/{names}/{sort}", window, sort, names)


def blocked(status: int, way_out: str = _LATER) -> AccessDenied:
    """What a page for people, in the place of data, means; ``way_out``: a sentence that says what to do."""
    return AccessDenied(
        f"Reddit sent a page for people instead of posts: it blocks this address for now. {way_out}", status=status
    )


def refused(place: Place, status: int, way_out: str = _LATER) -> AccessDenied:
    """What a 403 means."""
    why = f"{_names(place)} is private, or Reddit blocks us" if place.subreddits else "it blocks us"
    return AccessDenied(f"Reddit refuses to answer: {why}. {way_out}", status=status)


def missing(place: Place, status: int) -> NotFound:
    """What a 404 means."""
    return NotFound(
        f"Reddit has no {_names(place)}. Check the spelling." if place.subreddits else "Reddit has no such page.",
        status=status,
    )


def _names(place: Place) -> str:
    return f"r/{place.subreddits}"
