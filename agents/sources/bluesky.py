"""Bluesky, through the public view of its network, without a key.

Facts: "app.bsky.feed.searchPosts" (https://docs.bsky.app/docs/api/app-bsky-feed-search-posts: ``q`` is required,
``sort`` top or latest, ``since`` and ``until``, ``limit`` up to 100; without an account the first page only, a
``cursor`` is answered with 403), "app.bsky.feed.getFeed" (https://docs.bsky.app/docs/api/app-bsky-feed-get-feed: what
a feed generator picks; here *Discover*, where nothing is searched for), "Rate Limits"
(https://docs.bsky.app/docs/advanced-guides/rate-limits: 3,000 requests in 5 minutes per address; ``ratelimit-reset``
is an epoch), "Labels" (https://docs.bsky.app/docs/advanced-guides/moderation: who bears ``!no-unauthenticated`` is
not to be shown to people without an account).

Errors are JSON, ``error`` and ``message``: 400 ``InvalidRequest``, ``BadQueryString`` or ``UnknownFeed``, 429
``RateLimitExceeded``, 502 ``UpstreamFailure`` when a feed generator is ill. A 403 is a page of the proxy in front
("Request forbidden by administrative rules"): Bluesky closes its search to programs when they are too many.
"""

import re
from datetime import datetime

import msgspec

from agents.errors import AccessDenied, BadStatus
from agents.fetch.json import decode_json
from agents.fetch.request import Fetch, Request
from agents.fetch.waits import used_up_s
from agents.resilience.limiter import upstream_host
from agents.signal import Engagement, Signal, Timeframe
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.items import count, decode_items, excerpt, headline, is_moment, search_text, take_turns
from agents.text import plain
from agents.urls import canonical, domain

NAME = "bluesky"
_SITE = "https://bsky.app"
_DISCOVER = "at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.generator/whats-hot"
_SORTS = ("top", "latest")
_PAGE_ITEMS = 100
_ADDRESS = re.compile(r"at://(did:[a-z]+:[A-Za-z0-9._:%-]{1,200})/app\.bsky\.feed\.post/([A-Za-z0-9._~-]{1,100})")
_HANDLE = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
_HIDDEN = "!no-unauthenticated"
_NSFW = frozenset({"porn", "sexual", "nudity", "graphic-media", "gore", "nsfl"})


class _Label(msgspec.Struct):
    val: str = ""


class _Author(msgspec.Struct):
    did: str
    handle: str | None = None
    labels: list[_Label] | None = None


class _Feature(msgspec.Struct):
    uri: str | None = None


class _Facet(msgspec.Struct):
    features: list[_Feature] | None = None


class _Record(msgspec.Struct):
    """What its author wrote: any program may have, so nothing of it is sure."""

    text: str | None = None
    createdAt: str | None = None  # noqa: N815 - the upstream's name
    reply: object = None
    facets: list[_Facet] | None = None


class _External(msgspec.Struct):
    uri: str | None = None
    title: str | None = None


class _Media(msgspec.Struct):
    external: _External | None = None


class _Embed(msgspec.Struct):
    """A card below the post; where something is quoted too, one level deeper."""

    external: _External | None = None
    media: _Media | None = None


class _Post(msgspec.Struct):
    """One post, of the fields that are used here."""

    uri: str
    author: _Author
    record: _Record
    indexedAt: datetime  # noqa: N815 - the upstream's name
    embed: _Embed | None = None
    likeCount: int | None = None  # noqa: N815
    replyCount: int | None = None  # noqa: N815
    repostCount: int | None = None  # noqa: N815
    quoteCount: int | None = None  # noqa: N815
    labels: list[_Label] | None = None


class _FeedItem(msgspec.Struct):
    post: _Post


class _Found(msgspec.Struct):
    posts: list[msgspec.Raw]


class _Feed(msgspec.Struct):
    feed: list[msgspec.Raw]


def parse_sort(text: str) -> str:
    """One of ``top`` and ``latest``."""
    if text.lower() not in _SORTS:
        raise ValueError(f"Bluesky cannot sort by “{text[:40]}”. Choose one of: {', '.join(_SORTS)}.")
    return text.lower()


class Bluesky:
    """Posts found by a search; without one, what Bluesky's own feed *Discover* picks."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._spec = SourceSpec(
            name=NAME,
            title="Bluesky",
            help="Posts from Bluesky, found by a search or picked by its Discover feed",
            options=(
                Option(
                    name="sort",
                    help="Of a search: the most liked, or the newest",
                    parse=parse_sort,
                    example="latest",
                    choices=_SORTS,
                ),
            ),
            limits={upstream_host(api_url): HostLimit(interval_s=0.5, burst=10, concurrency=4)},
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: it needs no key."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """One page of a search, or of the feed."""
        words = search_text(question.query)
        posts = await (self._search(words, question, fetch) if words else self._discover(question, fetch))
        found: dict[str, Signal] = {}
        for number, post in enumerate(posts, 1):
            await take_turns(number)
            if (signal := _signal(post, question.now)) and signal.timestamp >= question.since:
                found[signal.id] = signal
        return Scan(tuple(found.values()))

    async def _search(self, words: str, question: Question, fetch: Fetch) -> list[_Post]:
        newest = question.timeframe in {Timeframe.HOUR, Timeframe.SIX_HOURS}
        params = {
            "q": words,
            "sort": question.options.get("sort") or ("latest" if newest else "top"),
            "since": question.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "limit": str(_PAGE_ITEMS),
        }
        request = self._request("app.bsky.feed.searchPosts", params, question)
        try:
            response = await fetch.get(request)
        except AccessDenied as error:
            raise AccessDenied(
                "Bluesky has closed its search to programs for now, as it does when they are too many. "
                "Without a query its Discover feed can still be read.",
                status=error.status,
                retry_after_s=error.retry_after_s,
            ) from error
        except BadStatus as error:
            if error.status != 400:
                raise
            raise BadStatus("Bluesky does not understand this query. Try plain words.", status=400) from error
        return decode_items(decode_json(response, _Found).posts, _Post, "Bluesky")

    async def _discover(self, question: Question, fetch: Fetch) -> list[_Post]:
        """What the feed picks, but for replies: they say little by themselves."""
        params = {"feed": _DISCOVER, "limit": str(_PAGE_ITEMS)}
        response = await fetch.get(self._request("app.bsky.feed.getFeed", params, question))
        items = decode_items(decode_json(response, _Feed).feed, _FeedItem, "Bluesky")
        return [item.post for item in items if item.post.record.reply is None]

    def _request(self, method: str, params: dict[str, str], question: Question) -> Request:
        return Request(
            f"{self._api_url}/{method}",
            params=params,
            pause_s=lambda response: used_up_s(response.headers, question.now),
        )


def _signal(post: _Post, now: datetime) -> Signal | None:
    """The post as a signal; None for what cannot be used, or is meant for people with an account only."""
    address = _ADDRESS.fullmatch(post.uri)
    if address is None or _bears({_HIDDEN}, post.author.labels):
        return None
    card = _card(post.embed)
    first, rest = headline(post.record.text or (card and card.title) or "")
    title = plain(first, 300)
    when = _written(post, now)
    if title is None or when is None:
        return None
    handle = post.author.handle if _HANDLE.fullmatch(post.author.handle or "") else None
    page = f"{_SITE}/profile/{handle or address[1]}/post/{address[2]}"
    link = _link(post, card)
    return Signal(
        id=f"{NAME}:{address[1]}/{address[2]}",
        source=NAME,
        title=title,
        url=link or page,
        discussion_url=page if link else None,
        author=plain(f"@{handle}" if handle else None, 80),
        excerpt=excerpt(rest),
        timestamp=when,
        engagement=_engagement(post),
        nsfw=_bears(_NSFW, post.labels),
    )


def _written(post: _Post, now: datetime) -> datetime | None:
    """When it was written or, if that is later or cannot be read, first seen: authors may claim any time."""
    seen = post.indexedAt
    if not is_moment(seen):
        return None
    try:
        written = datetime.fromisoformat(post.record.createdAt or "")
    except ValueError:
        written = seen
    return min(written if is_moment(written) else seen, seen, now)


def _bears(values: frozenset[str] | set[str], labels: list[_Label] | None) -> bool:
    return any(label.val in values for label in labels or ())


def _card(embed: _Embed | None) -> _External | None:
    if embed is None:
        return None
    return embed.external or (embed.media.external if embed.media else None)


def _link(post: _Post, card: _External | None) -> str | None:
    """The first page outside of Bluesky that the post points to."""
    named = [feature.uri for facet in post.record.facets or () for feature in facet.features or () if feature.uri]
    for address in (card.uri if card else None, *named):
        link = canonical(address or "")
        if link and domain(link) != domain(_SITE):
            return link
    return None


def _engagement(post: _Post) -> Engagement:
    shares = [number for number in (post.repostCount, post.quoteCount) if number is not None]
    return Engagement(
        points=count(post.likeCount),
        comments=count(post.replyCount),
        shares=count(sum(shares)) if shares else None,
    )
