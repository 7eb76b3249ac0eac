"""Reddit without keys: the public Atom feeds of its listings and searches.

Facts, as observed in 2026: keyless JSON answers 403; the feeds answer about one request a minute per address, and
tell neither votes nor the number of comments. ``/r/a+b/new/.rss``, ``/r/a/top/.rss?t=day``, ``/search.rss?q=``; the
post's link stands in its content, before ``[link]``. The wiki's page "rss" (https://www.reddit.com/wiki/rss) names
the addresses.

Errors: 429 with the seconds that are left in ``x-ratelimit-reset``, 403 for what is private, 404 for what there is
not; who is blocked gets 403, or 200, with a page in HTML.
"""

import html
import re
from datetime import datetime

from agents.errors import AccessDenied, NotFound, UnexpectedContent
from agents.fetch.request import FEED, Fetch, Request, Response
from agents.signal import Signal
from agents.source import Question, Scan
from agents.sources.feed_worker import Entry
from agents.sources.feeds import ReadsFeeds
from agents.sources.items import excerpt, moment, take_turns
from agents.sources.reddit_place import SITE, Place, blocked, missing, refused
from agents.text import plain, plain_html
from agents.urls import canonical, domain, join

SETUP = "REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET"
NOTE = f"Votes and comments are unknown without keys ({SETUP})."
_WAY_OUT = f"Set {SETUP}, or ask again later."
_LINK = re.compile(r"""<a href=["']([^"'<>]{1,2000})["']>\s*\[link\]""")
_FOOTER = re.compile(r"submitted by.{0,2000}$", re.DOTALL)
_POST = re.compile(r"t3_[a-z0-9]{1,13}")
_PLACE = re.compile(r"/r/([A-Za-z0-9_]{2,21})/")


class RedditFeed:
    """Posts as the feeds tell them, one request for a question."""

    def __init__(self, *, url: str, user_agent: str, parser: ReadsFeeds) -> None:
        self._url = url
        self._headers = {"User-Agent": user_agent}
        self._parser = parser

    async def scan(self, place: Place, question: Question, fetch: Fetch) -> Scan:
        """The one page that there is."""
        response = await self._page(place, fetch)
        try:
            feed = await self._parser.parse(response.body, response.charset)
        except UnexpectedContent as error:
            raise UnexpectedContent(f"Reddit's feed could not be read. {error.sentence} Ask again later.") from error
        signals: dict[str, Signal] = {}
        for number, entry in enumerate(feed.entries, 1):
            await take_turns(number)
            if signal := _signal(entry, question.since, question.now):
                signals[signal.id] = signal
        return Scan(tuple(signals.values()), note=NOTE)

    async def _page(self, place: Place, fetch: Fetch) -> Response:
        path = f"{place.path}.rss" if place.path.endswith("search") else f"{place.path}/.rss"
        request = Request(
            f"{self._url}{path}",
            params={**place.params, "limit": "100"},
            headers=self._headers,
            accept=(*FEED, "text/html"),
        )
        try:
            response = await fetch.get(request)
        except AccessDenied as error:
            raise refused(place, error.status, _WAY_OUT) from error
        except NotFound as error:
            raise missing(place, error.status) from error
        if response.content_type == "text/html":
            raise blocked(response.status, _WAY_OUT)
        return response


def _signal(entry: Entry, since: datetime, now: datetime) -> Signal | None:
    when = moment(entry.published_s) if entry.published_s is not None else None
    discussion = canonical(join(SITE, entry.link) or "")
    title = plain_html(entry.title, 300)
    if when is None or not since <= when <= now or not title or not discussion or not _POST.fullmatch(entry.key):
        return None
    link = _link(entry.content)
    place = _PLACE.search(discussion)
    return Signal(
        id=f"reddit:{entry.key}",
        source="reddit",
        title=title,
        url=link or discussion,
        discussion_url=discussion if link else None,
        origin=f"r/{place[1]}" if place else None,
        author=plain(entry.author.removeprefix("/u/"), 40),
        excerpt=excerpt(_FOOTER.sub("", plain_html(entry.content[:3_000], 2_000) or "")),
        timestamp=when,
    )


def _link(content: str) -> str | None:
    """What the post is about, when that is a page outside of Reddit."""
    found = _LINK.search(content)
    link = canonical(html.unescape(found[1])) if found else None
    return None if link is None or domain(link).endswith(("reddit.com", "redd.it")) else link
