"""Lobsters, through the JSON of its own pages.

Facts: ``/newest.json`` and ``/hottest.json`` hold what the pages of those names show, 25 stories, without a search;
``url`` is empty for texts. The site is run by volunteers: one request a second is plenty.
"""

from datetime import datetime

import msgspec

from agents.fetch.json import decode_json
from agents.fetch.request import Fetch, Request
from agents.resilience.limiter import upstream_host
from agents.signal import Engagement, Signal
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.items import count, decode_items
from agents.text import plain
from agents.urls import canonical

NAME = "lobsters"
_LISTINGS = ("hottest", "newest")


class _Story(msgspec.Struct):
    """One story, of the fields that are used here."""

    short_id: str
    title: str
    created_at: datetime
    url: str = ""
    score: int | None = None
    comment_count: int | None = None


def parse_listing(text: str) -> str:
    """One of ``hottest`` and ``newest``."""
    listing = text.lower()
    if listing not in _LISTINGS:
        raise ValueError(f"Lobsters has no listing “{text[:40]}”. Choose one of: {', '.join(_LISTINGS)}.")
    return listing


class Lobsters:
    """The stories on one of the front pages."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._spec = SourceSpec(
            name=NAME,
            title="Lobsters",
            help="Stories from Lobsters, a site for programmers",
            options=(
                Option(
                    name="listing",
                    help="What is discussed now, or what is new (default hottest)",
                    parse=parse_listing,
                    example="newest",
                    choices=_LISTINGS,
                ),
            ),
            limits={upstream_host(url): HostLimit(interval_s=1.0, concurrency=1)},
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: it needs no key."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """One page; without a search of its own, the query is looked for in the titles."""
        listing = question.options.get("listing", "hottest")
        response = await fetch.get(Request(f"{self._url}/{listing}.json"))
        stories = decode_items(decode_json(response, list[msgspec.Raw]), _Story, "Lobsters")
        found = [signal for story in stories if (signal := self._signal(story)) and _fits(signal, question)]
        return Scan(tuple(found))

    def _signal(self, story: _Story) -> Signal | None:
        title = plain(story.title, 300)
        if not title or not story.short_id.isalnum() or story.created_at.tzinfo is None:
            return None
        discussion = f"{self._url}/s/{story.short_id}"
        link = canonical(story.url) if story.url else None
        return Signal(
            id=f"{NAME}:{story.short_id}",
            source=NAME,
            title=title,
            url=link or discussion,
            discussion_url=discussion if link else None,
            timestamp=story.created_at,
            engagement=Engagement(points=count(story.score), comments=count(story.comment_count)),
        )


def _fits(signal: Signal, question: Question) -> bool:
    words = (question.query or "").casefold().split()
    return signal.timestamp >= question.since and all(word in signal.title.casefold() for word in words)
