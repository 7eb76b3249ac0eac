"""Looks at feeds before anybody subscribes to them: asked as the news source asks, or found on a web page."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urldefrag, urlsplit

from agents.errors import UnexpectedContent
from agents.feeds import FeedItem, FoundFeed
from agents.fetch.addresses import site_name
from agents.fetch.request import FEED, Fetch, Request, Response
from agents.resilience.limiter import HostLimiter, upstream_host
from agents.source import HostLimit
from agents.sources.feed_worker import Entry, Page
from agents.sources.feeds import FeedParser
from agents.sources.items import moment
from agents.text import plain_html
from agents.urls import canonical, domain, join

PACE = HostLimit(interval_s=1.0, burst=5, concurrency=2)
"""Of one site, whoever asks: looking must not be a way to make the bot hammer somebody."""

_LONGEST_WAIT_S = 60.0
_SHOWN = 5
_PAGE = ("text/html", "application/xhtml+xml")


class FeedProbe:
    """``LooksAtFeeds``; ``fetch`` makes what one look is fetched with. Owns ``parser``: ``close`` it."""

    def __init__(self, fetch: Callable[[], Fetch], parser: FeedParser, pace: HostLimiter | None = None) -> None:
        self._fetch = fetch
        self._parser = parser
        self._pace = pace or HostLimiter({}, default=PACE)

    async def look(self, address: str) -> FoundFeed:
        """See ``LooksAtFeeds``. Asks the address, and where it is a web page the first feed that the page names."""
        others: tuple[str, ...] = ()
        try:
            response = await self._get(address, FEED)
        except UnexpectedContent as error:
            address, *rest = await self._links(address, error)
            others = tuple(rest)
            response = await self._get(address, FEED)
        feed = await self._parser.parse(response.body, response.charset)
        title = plain_html(feed.title, 100) or domain(response.url)
        items = _newest(feed.entries, response.url)
        return FoundFeed(_address(address, response), title, items, len(feed.entries), others)

    async def close(self) -> None:
        """End the process that reads feeds; harmless when repeated."""
        await self._parser.close()

    async def _links(self, address: str, told: UnexpectedContent) -> tuple[str, ...]:
        """The feeds that the page names, absolute, each once; raises what was told before if it is no page."""
        try:
            response = await self._get(address, _PAGE)
        except UnexpectedContent:
            raise told from None
        links = _absolute(await self._parser.page(response.body, response.charset), response.url)
        if not links:
            raise UnexpectedContent(f"{site_name(address)} answered with a web page that names no feed.")
        return links

    async def _get(self, address: str, accept: tuple[str, ...]) -> Response:
        request = Request(urldefrag(address)[0], accept=accept)
        async with self._pace.permit(upstream_host(request.url), _LONGEST_WAIT_S):
            return await self._fetch().get(request)


def _address(asked: str, response: Response) -> str:
    """What was asked for, or where it has moved for good; never from encrypted to plain."""
    moved_to = response.moved_to
    if moved_to is None or (urlsplit(asked).scheme == "https" and urlsplit(moved_to).scheme != "https"):
        return urldefrag(asked)[0]
    return moved_to


def _absolute(page: Page, url: str) -> tuple[str, ...]:
    base = join(url, page.base) or url
    joined = (join(base, link.href) for link in page.links)
    return tuple({canonical(link): link for link in joined if link and canonical(link)}.values())


def _newest(entries: list[Entry], url: str) -> tuple[FeedItem, ...]:
    dated = [(moment(entry.published_s) if entry.published_s is not None else None, entry) for entry in entries]
    dated.sort(key=lambda pair: pair[0].timestamp() if pair[0] else float("-inf"), reverse=True)
    return tuple(_item(entry, when, url) for when, entry in dated[:_SHOWN])


def _item(entry: Entry, when: datetime | None, url: str) -> FeedItem:
    title = plain_html(entry.title, 150) or plain_html((entry.summary or entry.content)[:1_000], 100) or ""
    return FeedItem(title, canonical(join(url, entry.link) or "") if entry.link else None, when)
