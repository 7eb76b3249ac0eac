"""Hacker News, through Algolia's public search index.

Facts: "HN Search API" (https://hn.algolia.com/api), no key, 10,000 requests an hour per address. ``search`` orders
by popularity (with a query: by relevance first), ``search_by_date`` by age. Since 2026 the index refuses numeric
filters on ``points`` and ``num_comments``, so only ``created_at_i`` is asked for. ``url`` is null for Ask HN and
other texts; markup in ``story_text`` is HTML.

Errors are JSON with ``message`` and ``status``: 400 for a filter that is not taken, 403 for who is shut out, 429 for
who asks too often, without a time.
"""

import msgspec

from agents.fetch.json import decode_json
from agents.fetch.request import Fetch, Request
from agents.resilience.limiter import upstream_host
from agents.signal import Engagement, Signal
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.items import count, decode_items, divide, excerpt_html, moment, outcomes
from agents.text import plain
from agents.urls import canonical

NAME = "hackernews"
_ITEM_PAGE = "https://news.ycombinator.com/item?id="
_TAGS = {"ask": "ask_hn", "show": "show_hn", "front": "front_page"}
_FEWEST_ITEMS = 50
"""Asked for even when fewer are wanted: points cannot be filtered there, so that choosing is left to the ranking."""
_MOST_ITEMS = 100
_REQUESTS_AN_HOUR = 10_000


class _Hit(msgspec.Struct):
    """One story, of the fields that are used here."""

    objectID: str  # noqa: N815 - the upstream's name
    title: str
    created_at_i: float
    url: str | None = None
    author: str | None = None
    points: int | None = None
    num_comments: int | None = None
    story_text: str | None = None


class _Page(msgspec.Struct):
    hits: list[msgspec.Raw]


def parse_kind(text: str) -> str:
    """One of ``ask``, ``show`` and ``front``; "Ask HN" and ``show_hn`` are understood."""
    kind = text.lower().replace("_", " ").removesuffix(" hn").removesuffix(" page").strip()
    if kind not in _TAGS:
        raise ValueError(f"Hacker News has no kind “{text[:40]}”. Choose one of: {', '.join(_TAGS)}.")
    return kind


class HackerNews:
    """Stories of Hacker News: the most popular of the timeframe and the newest."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._spec = SourceSpec(
            name=NAME,
            title="Hacker News",
            help="Stories from Hacker News, the popular and the newest",
            options=(
                Option(
                    name="kind",
                    help="Only Ask HN, only Show HN, or only what is on the front page now",
                    parse=parse_kind,
                    example="show",
                    choices=tuple(_TAGS),
                ),
            ),
            limits={upstream_host(api_url): HostLimit(interval_s=3600 / _REQUESTS_AN_HOUR, burst=20, concurrency=4)},
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: it needs no key."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """The popular and the newest at once; one of the two is enough for a (partial) answer."""
        arrived, failed = divide(
            await outcomes([self._hits("search", question, fetch), self._hits("search_by_date", question, fetch)])
        )
        if not arrived:
            raise failed[0]
        hits = [hit for page in arrived for hit in page]
        found = {signal.id: signal for hit in hits if (signal := _signal(hit)) and signal.timestamp >= question.since}
        note = f"Only half of it arrived: {failed[0].sentence}" if failed else ""
        return Scan(tuple(found.values()), note=note, partial=bool(failed))

    async def _hits(self, endpoint: str, question: Question, fetch: Fetch) -> list[_Hit]:
        kind = question.options.get("kind")
        params = {
            "tags": _TAGS[kind] if kind else "story",
            "numericFilters": f"created_at_i>{int(question.since.timestamp())}",
            "hitsPerPage": str(min(max(question.limit, _FEWEST_ITEMS), _MOST_ITEMS)),
        }
        if question.query:
            params["query"] = question.query
        response = await fetch.get(Request(f"{self._api_url}/{endpoint}", params=params))
        return decode_items(decode_json(response, _Page).hits, _Hit, "Hacker News")


def _signal(hit: _Hit) -> Signal | None:
    when = moment(hit.created_at_i)
    title = plain(hit.title, 300)
    if when is None or not title or not (hit.objectID.isascii() and hit.objectID.isdigit()):
        return None
    discussion = f"{_ITEM_PAGE}{hit.objectID}"
    link = canonical(hit.url) if hit.url else None
    return Signal(
        id=f"{NAME}:{hit.objectID}",
        source=NAME,
        title=title,
        url=link or discussion,
        discussion_url=discussion if link else None,
        author=plain(hit.author, 80),
        excerpt=excerpt_html(hit.story_text),
        timestamp=when,
        engagement=Engagement(points=count(hit.points), comments=count(hit.num_comments)),
    )
