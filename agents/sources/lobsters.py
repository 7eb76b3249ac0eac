"""Lobsters, through the JSON of its own pages.

Facts: "About" (https://lobste.rs/about) and the site's source (https://github.com/lobsters/lobsters: ``routes.rb``,
``rack_attack.rb``). ``/hottest.json``, ``/newest.json`` and ``/t/rust,go.json`` (any of the tags) hold 25 stories,
``/page/2.json``, ``/newest/page/2.json`` and ``/t/rust,go/page/2.json`` the next ones. There is no search in JSON and
no filter on time. ``url`` is empty for texts, ``description`` is HTML, ``submitter_user`` is a name and was an object
once. Nobody may ask more than 5 times a second or 60 times a minute, and programs are asked to sleep for a second
between two requests. The site is run by volunteers, so here it is two.

Errors: 429 as text ("Throttled, sleep(1) between hits"), with ``Retry-After`` in seconds and ``RateLimit-Reset`` as a
Unix time; 404 for a tag that there is not.
"""

import re
from datetime import datetime

import msgspec

from agents.errors import NotFound, SourceError
from agents.fetch.json import decode_json
from agents.fetch.request import Fetch, Request
from agents.fetch.waits import used_up_s
from agents.resilience.limiter import upstream_host
from agents.signal import Engagement, Signal, Timeframe
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.items import count, decode_items, each_once, excerpt_html, has_words, is_moment
from agents.text import plain
from agents.urls import canonical

NAME = "lobsters"
_LISTINGS = ("hottest", "newest")
_PAGE_ITEMS = 25
_MOST_PAGES = 3
_MOST_TAGS = 5
_TTL_S = 600.0
_ID = re.compile(r"[A-Za-z0-9]{1,20}")
_TAG = re.compile(r"[a-z0-9_-]{1,25}")


class _User(msgspec.Struct):
    username: str


class _Story(msgspec.Struct):
    """One story, of the fields that are used here."""

    short_id: str
    title: str
    created_at: datetime
    url: str | None = None
    score: int | None = None
    comment_count: int | None = None
    description: str | None = None
    submitter_user: str | _User | None = None
    tags: list[str] | None = None


def parse_listing(text: str) -> str:
    """One of ``hottest`` and ``newest``."""
    listing = text.lower()
    if listing not in _LISTINGS:
        raise ValueError(f"Lobsters has no listing “{text[:40]}”. Choose one of: {', '.join(_LISTINGS)}.")
    return listing


def parse_tags(text: str) -> str:
    """``Rust, go`` as ``go,rust``: lower case, each once, sorted; a ``ValueError`` says what is wrong."""
    return each_once(text, _parse_tag, _MOST_TAGS, "tags", joined=",")


def _parse_tag(text: str) -> str:
    tag = text.lower()
    if not _TAG.fullmatch(tag):
        raise ValueError(f"“{tag[:40]}” is no tag of Lobsters: as in rust or security.")
    return tag


class Lobsters:
    """The stories of one of its front pages, or with tags."""

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
                Option(
                    name="tag",
                    help="The newest with this tag, or with any of several: rust+go",
                    parse=parse_tags,
                ),
            ),
            limits={upstream_host(url): HostLimit(interval_s=2.0, concurrency=1)},
            ttl_s=_TTL_S,
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: it needs no key."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """Pages until one reaches back beyond the timeframe; the query is looked for in what they hold."""
        found: dict[str, Signal] = {}
        for number in range(1, _MOST_PAGES + 1):
            try:
                stories = await self._page(number, question, fetch)
            except SourceError as error:
                if number == 1:
                    raise
                return Scan(tuple(found.values()), f"Only the first stories arrived: {error.sentence}", partial=True)
            found |= {signal.id: signal for story in stories if (signal := self._signal(story, question))}
            if len(stories) < _PAGE_ITEMS // 2 or any(_is_before(story, question.since) for story in stories):
                return Scan(tuple(found.values()))
        return Scan(tuple(found.values()), note=f"Read {_MOST_PAGES * _PAGE_ITEMS} stories; there are more.")

    async def _page(self, number: int, question: Question, fetch: Fetch) -> list[_Story]:
        request = Request(
            f"{self._url}{_path(question, number)}.json",
            pause_s=lambda response: used_up_s(response.headers, question.now),
        )
        try:
            response = await fetch.get(request)
        except NotFound as error:
            if tag := question.options.get("tag"):
                raise NotFound(f"Lobsters has no tag “{tag}”. They are at lobste.rs/tags.", status=404) from error
            raise
        return decode_items(decode_json(response, list[msgspec.Raw]), _Story, "Lobsters")

    def _signal(self, story: _Story, question: Question) -> Signal | None:
        """The story as a signal; None for what cannot be used, is older than asked for or has not the words."""
        title, text = plain(story.title, 300), excerpt_html(story.description)
        if not title or not _ID.fullmatch(story.short_id) or not is_moment(story.created_at):
            return None
        if story.created_at < question.since or not has_words(question.query, title, text, *(story.tags or ())):
            return None
        discussion = f"{self._url}/s/{story.short_id}"
        link = canonical(story.url) if story.url else None
        author = story.submitter_user
        return Signal(
            id=f"{NAME}:{story.short_id}",
            source=NAME,
            title=title,
            url=link or discussion,
            discussion_url=discussion if link else None,
            author=plain(author.username if isinstance(author, _User) else author, 80),
            excerpt=text,
            timestamp=story.created_at,
            engagement=Engagement(points=count(story.score), comments=count(story.comment_count)),
        )


def _path(question: Question, number: int) -> str:
    """Tags before a listing; unasked, what is new for short timeframes."""
    page = f"/page/{number}" if number > 1 else ""
    if tag := question.options.get("tag"):
        return f"/t/{tag}{page}"
    newest = question.timeframe in {Timeframe.HOUR, Timeframe.SIX_HOURS}
    if question.options.get("listing", "newest" if newest else "hottest") == "newest":
        return f"/newest{page}"
    return page or "/hottest"


def _is_before(story: _Story, moment: datetime) -> bool:
    return is_moment(story.created_at) and story.created_at < moment
