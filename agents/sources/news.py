"""News: any RSS, Atom or JSON Feed, several at once.

Facts: "HTTP Semantics" (RFC 9110, section 13: asked with the validators of the last answer, ``ETag`` and
``Last-Modified``, so that an unchanged feed costs its publisher nothing; section 10.2.3: ``Retry-After`` is seconds
or a date), and of the formats what ``feed_worker`` names. An item without a date is dated by the moment at which it
was first seen, if the feed had been read before without it; the undated items of a feed's first reading are left
out, because nobody knows how old they are.

Errors are whatever each site sends, most often a page in HTML, with status 200 too: a login, a wall against
programs, or what is left of a feed that is gone.
"""

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agents.errors import NotConfigured, SourceError, UnexpectedContent
from agents.fetch.request import FEED, Fetch, Request, Response
from agents.signal import Signal
from agents.source import Option, Question, Scan, SourceSpec
from agents.sources.feed_worker import Entry, Feed
from agents.sources.feeds import ReadsFeeds
from agents.sources.items import divide, excerpt_html, has_words, moment, outcomes, take_turns
from agents.text import plain_html
from agents.urls import canonical, domain, join

NAME = "news"
MAX_FEEDS = 50
"""Of one question."""
_MAX_FEEDS_KEPT = 200
_MAX_FEEDS_NAMED = 3
_FUTURE_TOLERANCE = timedelta(hours=24)
"""Clocks and time zones of publishers are wrong by hours; what is further ahead has no date that means anything."""


def parse_feeds(text: str) -> str:
    """One or several addresses, each once, in order, with a space between; ``ValueError`` in words."""
    addresses = sorted({_parse_feed(address) for address in text.split()})
    if len(addresses) > MAX_FEEDS:
        raise ValueError(f"At most {MAX_FEEDS} feeds can be read at once; these are {len(addresses)}.")
    return " ".join(addresses)


def _parse_feed(text: str) -> str:
    """An http or https address; ``example.com/feed`` is taken for https."""
    address = text if "://" in text else f"https://{text}"
    address = address.partition("#")[0]
    if canonical(address) is None or "." not in domain(address) or len(address) > 500:
        raise ValueError(
            "A feed is an address that begins with https:// or http://, as in https://lwn.net/headlines/rss."
        )
    return address


@dataclass(frozen=True, slots=True)
class _Kept:
    """What one feed said last, and the validators to ask again with."""

    signals: tuple[Signal, ...]
    undated: int
    """Items left out for want of a date."""
    first_seen: Mapping[str, datetime | None] = field(default_factory=dict)
    """When each undated item appeared, by signal id; None: it was there at the first reading."""
    etag: str | None = None
    last_modified: str | None = None


class News:
    """Items of the configured feeds, or of those asked for."""

    def __init__(self, feeds: Sequence[str], parser: ReadsFeeds) -> None:
        self._feeds = tuple(dict.fromkeys(feeds))
        self._parser = parser
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._spec = SourceSpec(
            name=NAME,
            title="News",
            help="Items from news feeds: RSS, Atom and JSON Feed",
            options=(
                Option(
                    name="feed",
                    help="The address of a feed (or several with spaces between), in place of the usual ones",
                    parse=parse_feeds,
                    example="https://lwn.net/headlines/rss",
                ),
            ),
            setup="" if self._feeds else "NEWS_FEEDS, addresses of feeds, comma separated.",
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: without configured feeds the ``feed`` option still works."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """All feeds at once; those that fail are named in the note, and only if all fail it is an error."""
        asked = question.options.get("feed")
        feeds = tuple(asked.split()) if asked else self._feeds
        if not feeds:
            raise NotConfigured("No feeds are set. Set NEWS_FEEDS, or name one with the feed option.")
        answers = await outcomes([self._read(feed, question.now, fetch) for feed in feeds])
        arrived, failed = divide(answers)
        if not arrived:
            raise _of_all(failed)
        wanted = (signal for kept in arrived for signal in kept.signals if signal.timestamp >= question.since)
        found = {signal.id: signal for signal in wanted if has_words(question.query, signal.title, signal.excerpt)}
        return Scan(tuple(found.values()), note=_note(feeds, answers), partial=bool(failed))

    async def close(self) -> None:
        """End the processes that read feeds, which other sources may share; harmless when repeated."""
        await self._parser.close()

    async def _read(self, feed: str, now: datetime, fetch: Fetch) -> _Kept:
        before = self._kept.get(feed)
        request = Request(
            feed,
            accept=FEED,
            etag=before.etag if before else None,
            last_modified=before.last_modified if before else None,
        )
        response = await fetch.get(request)
        if response.not_modified and before is not None:
            self._kept.move_to_end(feed)
            return before
        try:
            parsed = await self._parser.parse(response.body, response.charset)
        except UnexpectedContent as error:
            raise UnexpectedContent(f"{error.sentence} Try another feed.") from error
        kept = await _kept(feed, parsed, response, before, now)
        self._kept[feed] = kept
        self._kept.move_to_end(feed)
        while len(self._kept) > _MAX_FEEDS_KEPT:
            self._kept.popitem(last=False)
        return kept


async def _kept(feed: str, parsed: Feed, response: Response, before: _Kept | None, now: datetime) -> _Kept:
    """The feed's items as signals, each dated by the feed or by when it appeared."""
    origin = plain_html(parsed.title, 80) or domain(feed)
    first_seen: dict[str, datetime | None] = {}
    signals: dict[str, Signal] = {}
    for number, entry in enumerate(parsed.entries, 1):
        await take_turns(number)
        link = canonical(join(response.url, entry.link) or "") if entry.link else None
        if link is None:
            continue
        signal_id = _signal_id(feed, entry.key or link)
        when = _date(entry, now)
        if when is None:
            when = first_seen[signal_id] = before.first_seen.get(signal_id, now) if before else None
        if when is not None and (signal := _signal(entry, signal_id, link, origin, when)):
            signals[signal_id] = signal
    return _Kept(
        signals=tuple(signals.values()),
        undated=sum(when is None for when in first_seen.values()),
        first_seen=first_seen,
        etag=response.headers.get("etag"),
        last_modified=response.headers.get("last-modified"),
    )


def _signal_id(feed: str, key: str) -> str:
    """Ids of items are unique within their feed only."""
    digest = hashlib.sha256(f"{feed}\n{key}".encode("utf-8", "replace")).hexdigest()[:20]
    return f"{NAME}:{digest}"


def _date(entry: Entry, now: datetime) -> datetime | None:
    when = moment(entry.published_s) if entry.published_s is not None else None
    if when is None or when > now + _FUTURE_TOLERANCE:
        return None
    return min(when, now)


def _signal(entry: Entry, signal_id: str, link: str, origin: str, when: datetime) -> Signal | None:
    text = entry.summary or entry.content
    title = plain_html(entry.title, 300) or plain_html(text[:1_000], 100)
    if title is None:
        return None
    return Signal(
        id=signal_id,
        source=NAME,
        title=title,
        url=link,
        origin=origin,
        author=plain_html(entry.author, 80),
        excerpt=excerpt_html(text),
        timestamp=when,
    )


def _note(feeds: Sequence[str], answers: Sequence[_Kept | SourceError]) -> str:
    failures = [
        f"{domain(feed)}: {answer.sentence.rstrip('.')}"
        for feed, answer in zip(feeds, answers, strict=True)
        if isinstance(answer, SourceError)
    ]
    undated = sum(answer.undated for answer in answers if isinstance(answer, _Kept))
    parts = []
    if failures:
        named = "; ".join(failures[:_MAX_FEEDS_NAMED])
        rest = "; and others" if len(failures) > _MAX_FEEDS_NAMED else ""
        parts.append(f"{len(failures)} of {len(feeds)} feeds did not answer: {named}{rest}.")
    if undated:
        items = "1 item without a date is" if undated == 1 else f"{undated} items without a date are"
        parts.append(f"{items} left out.")
    return " ".join(parts)


def _of_all(errors: Sequence[SourceError]) -> SourceError:
    """The first of the kind that most feeds failed with, saying that it was not the only one."""
    kinds = Counter(type(error) for error in errors)
    telling = max(errors, key=lambda error: kinds[type(error)])
    if len(errors) > 1:
        telling.sentence = f"None of the {len(errors)} feeds answered. {telling.sentence}"
    return telling
