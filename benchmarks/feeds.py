"""Reading feeds: as well as feedparser does it, in a fraction of its time."""

import asyncio
import io
import os
import random
import time
from pathlib import Path
from statistics import median
from typing import Any

import feedparser

from agents.sources.feed_worker import NotAFeed, decode, read_feed
from agents.text import plain_html
from benchmarks.figure import TIMES, Measured, NotMeasurable, Ratios, Size
from benchmarks.stalls import ITEMS, sample_feed

NAME = "feeds"
RECORDED = Path(__file__).parents[1].parent / "shared" / "recordings" / "news"
TITLES_LIMIT = 0.998
TIME_LIMIT = 1 / 10
_PAIRS = {Size.FULL: 11, Size.TINY: 1}
_MOST_ITEMS = 10_000
_LONGEST_TITLE = 300


os.environ["FASTFEEDPARSER_DISABLE_CORE"] = "1"  # as in the worker, before it is imported


async def measure(size: Size) -> list[Measured]:
    """CPU time on a feed made here; titles of recorded feeds. Raises ``NotMeasurable`` where there are none."""
    if not RECORDED.is_dir():
        raise NotMeasurable(f"There are no recorded feeds in {RECORDED}.")
    return await asyncio.to_thread(lambda: [_titles(), _time(_PAIRS[size])])


def _titles() -> Measured:
    equal = all_of_them = 0
    differing = []
    for file in sorted(RECORDED.iterdir()):
        body = file.read_bytes()
        read = [_shown(entry.get("title", "")) for entry in feedparser.parse(io.BytesIO(body)).entries]
        theirs = [title for title in read if title]  # it makes empty items of some that are nested
        try:
            found = [_shown(entry.title) for entry in read_feed(decode(body, None), _MOST_ITEMS).entries]
            ours = [title for title in found if title]
        except NotAFeed:
            ours = []
        same = sum(mine == other for mine, other in zip(ours, theirs, strict=False))
        equal, all_of_them = equal + same, all_of_them + len(theirs)
        if same < len(theirs):
            differing.append(f"{file.name} {same}/{len(theirs)}")
    details = f"{equal} of {all_of_them} titles; differing: {', '.join(differing) or 'none'}"
    figure = "titles of recorded feeds that equal feedparser's"
    return Measured(figure, equal / all_of_them, TITLES_LIMIT, "", details, at_least=True)


def _shown(title: Any) -> str:
    """As people see it: without markup, which either may spell in its own way."""
    return plain_html(str(title), _LONGEST_TITLE) or ""


def _time(pairs: int) -> Measured:
    random_ = random.Random(3)
    ours, theirs = [], []
    for _ in range(pairs + 1):
        body = sample_feed(random_).encode()
        began = time.thread_time()
        assert len(read_feed(decode(body, None), _MOST_ITEMS).entries) == ITEMS
        between = time.thread_time()
        assert len(feedparser.parse(io.BytesIO(body)).entries) == ITEMS
        ours.append(between - began)
        theirs.append(time.thread_time() - between)
    ratios = Ratios(ours[1:], theirs[1:])  # the first of each imports what it needs
    figure = f"CPU time of a {ITEMS}-item, {len(body) // 1000} kB feed, against feedparser"
    return Measured(figure, median(ratios.ratios), TIME_LIMIT, TIMES, ratios.details(1000, "ms"))
