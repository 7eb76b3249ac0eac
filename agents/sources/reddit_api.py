"""Reddit's API, with an app's id and secret.

Facts: "OAuth2" of reddit-archive/reddit's wiki (application-only tokens: ``grant_type=client_credentials``), "Reddit
Data API Wiki" (100 requests a minute per app, ``x-ratelimit-remaining``, ``x-ratelimit-reset`` in *seconds left*),
"api documentation: listings, search" (``after``, ``limit`` up to 100, ``raw_json=1`` against escaped ``&``,
``restrict_sr``, ``t``).

Errors are JSON with ``message`` and ``error``: 401 for a token that has ended, 403 with ``reason`` for what is
private or in quarantine, 404 for what is banned, 429 with the seconds in ``x-ratelimit-reset``. A wrong id or secret
is a 401, or a 200 with ``error`` and no token; an unknown subreddit is redirected to ``/subreddits/search``; who is
blocked gets a page in HTML.
"""

import asyncio
import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from agents.errors import AccessDenied, NotFound, SourceError
from agents.fetch.json import decode_json
from agents.fetch.request import JSON, Fetch, Request, Response
from agents.fetch.waits import used_up_s
from agents.signal import Engagement, Signal
from agents.source import Question, Scan
from agents.sources.items import count, decode_items, excerpt, moment, take_turns
from agents.sources.reddit_place import SITE, Place, blocked, missing, refused
from agents.text import plain
from agents.urls import canonical, join

_PAGE_ITEMS = 100
_MAX_PAGES = 3
_PAGE_BYTES = 6_000_000
"""A page of 100 long stories: their text comes twice, plain and as HTML."""
_RENEW_BEFORE_S = 120.0
_THING = re.compile(r"t3_[a-z0-9]{1,13}")
_GONE = {"[deleted]", "[removed]", "[deleted by user]"}


class _Parent(msgspec.Struct):
    """The post that a crosspost points to."""

    url: str = ""
    url_overridden_by_dest: str | None = None


class _Post(msgspec.Struct):
    """One post, of the fields that are used here."""

    name: str
    title: str
    permalink: str
    created_utc: float
    subreddit: str
    url: str | None = None
    url_overridden_by_dest: str | None = None
    author: str | None = None
    selftext: str | None = None
    score: int | None = None
    num_comments: int | None = None
    hide_score: bool | None = None
    over_18: bool | None = None
    stickied: bool | None = None
    promoted: bool | None = None
    is_self: bool | None = None
    is_gallery: bool | None = None
    is_video: bool | None = None
    crosspost_parent_list: list[_Parent] | None = None


class _Kind(msgspec.Struct):
    kind: str


class _Child(msgspec.Struct):
    data: _Post


class _Children(msgspec.Struct):
    children: list[msgspec.Raw]
    after: str | None = None


class _Listing(msgspec.Struct):
    data: _Children


class _Grant(msgspec.Struct):
    """The answer to a request for a token; an error comes with status 200 too."""

    access_token: str | None = None
    expires_in: float = 3600.0


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    renew_at_s: float


class _Tokens:
    """The app's token: kept, renewed before it ends, one renewal at a time."""

    def __init__(self, url: str, client_id: str, client_secret: str, user_agent: str, clock: Callable[[], float]):
        self._url = f"{url}/api/v1/access_token"
        pair = f"{client_id}:{client_secret}".encode()
        self._basic = f"Basic {base64.b64encode(pair).decode()}"
        self._user_agent = user_agent
        self._clock = clock
        self._token: _Token | None = None
        self._renewal = asyncio.Lock()

    async def current(self, fetch: Fetch, *, refused: str | None = None) -> str:
        """A token that is still good; never ``refused``, which the API has just turned down."""
        async with self._renewal:
            token = self._token
            if token is None or token.text == refused or self._clock() >= token.renew_at_s:
                token = self._token = await self._renewed(fetch)
            return token.text

    async def _renewed(self, fetch: Fetch) -> _Token:
        request = Request(
            self._url,
            method="POST",
            form={"grant_type": "client_credentials"},
            headers={"User-Agent": self._user_agent},
            credentials={"Authorization": self._basic},
        )
        try:
            response = await fetch.get(request)
        except AccessDenied as error:
            raise _wrong_key(error.status) from error
        grant = decode_json(response, _Grant)
        token = grant.access_token
        if not token or not (token.isascii() and token.isprintable()):
            raise _wrong_key(response.status)
        life_s = max(0.0, grant.expires_in)
        return _Token(token, self._clock() + life_s - min(_RENEW_BEFORE_S, life_s / 10))


def _wrong_key(status: int) -> AccessDenied:
    return AccessDenied(
        "Reddit refuses the app's id and secret. Check REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET.", status=status
    )


class RedditApi:
    """Posts with their votes and comments."""

    def __init__(
        self,
        *,
        url: str,
        api_url: str,
        client_id: str,
        client_secret: str,
        user_agent: str,
        clock: Callable[[], float],
    ) -> None:
        """``url``: where tokens are granted; ``clock``: monotonic seconds."""
        self._api_url = api_url
        self._headers = {"User-Agent": user_agent}
        self._tokens = _Tokens(url, client_id, client_secret, user_agent, clock)

    async def scan(self, place: Place, question: Question, fetch: Fetch) -> Scan:
        """Pages until the timeframe is covered, the limit is met by an ordered listing, or the cap is reached."""
        params = {**place.params, "raw_json": "1", "limit": str(_PAGE_ITEMS)}
        found: dict[str, Signal] = {}
        after: str | None = None
        for page in range(_MAX_PAGES):
            more = {"after": after, "count": str(page * _PAGE_ITEMS)} if after else {}
            try:
                posts, after = await self._page(place, {**params, **more}, question.now, fetch)
            except SourceError as error:
                if not found:
                    raise
                return Scan(tuple(found.values()), f"Only the first posts arrived: {error.sentence}", partial=True)
            signals = await _signals(posts)
            found |= {signal.id: signal for signal in signals if signal.timestamp >= question.since}
            covered = _covered(place, signals, question, len(found))
            if after is None or covered:
                return Scan(tuple(found.values()))
        return Scan(tuple(found.values()), note=f"Read up to {_MAX_PAGES * _PAGE_ITEMS} posts; there are more.")

    async def _page(
        self, place: Place, params: dict[str, str], now: datetime, fetch: Fetch
    ) -> tuple[list[_Post], str | None]:
        token = await self._tokens.current(fetch)
        try:
            response = await self._asked(place, params, token, now, fetch)
        except AccessDenied as error:
            if error.status != 401:
                raise
            token = await self._tokens.current(fetch, refused=token)
            response = await self._asked(place, params, token, now, fetch)
        return _posts(response, place)

    async def _asked(self, place: Place, params: dict[str, str], token: str, now: datetime, fetch: Fetch) -> Response:
        request = Request(
            f"{self._api_url}{place.path}",
            params=params,
            headers=self._headers,
            credentials={"Authorization": f"Bearer {token}"},
            accept=(*JSON, "text/html"),
            max_bytes=_PAGE_BYTES,
            pause_s=lambda response: used_up_s(response.headers, now),
        )
        try:
            return await fetch.get(request)
        except AccessDenied as error:
            if error.status == 401:
                raise AccessDenied(
                    "Reddit refuses its own token. Check what the app of REDDIT_CLIENT_ID may do.",
                    status=401,
                ) from error
            raise refused(place, error.status) from error
        except NotFound as error:
            raise missing(place, error.status) from error


def _covered(place: Place, signals: list[Signal], question: Question, found: int) -> bool:
    """Whether another page could bring nothing that is wanted."""
    if place.sort == "new":
        return any(signal.timestamp < question.since for signal in signals)
    return found >= question.limit


def _posts(response: Response, place: Place) -> tuple[list[_Post], str | None]:
    if response.content_type == "text/html":
        raise blocked(response.status)
    if urlsplit(response.url).path.startswith("/subreddits/search"):  # where unknown names are redirected to
        raise missing(place, 404)
    listing = decode_json(response, _Listing).data
    posts = [raw for raw in listing.children if _is_post(raw)]
    return [child.data for child in decode_items(posts, _Child, "Reddit")], listing.after


def _is_post(raw: msgspec.Raw) -> bool:
    """Users and subreddits stand in listings too; what has no readable kind is left to ``decode_items``."""
    try:
        return msgspec.json.decode(raw, type=_Kind).kind == "t3"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True


async def _signals(posts: list[_Post]) -> list[Signal]:
    signals: list[Signal] = []
    for number, post in enumerate(posts, 1):
        await take_turns(number)
        if signal := _signal(post):
            signals.append(signal)
    return signals


def _signal(post: _Post) -> Signal | None:
    """The post as a signal; None for advertisements, pinned posts and what cannot be used."""
    when = moment(post.created_utc)
    title = plain(post.title, 300)
    discussion = canonical(join(SITE, post.permalink) or "")
    if post.stickied or post.promoted or when is None or not title or not discussion:
        return None
    if not _THING.fullmatch(post.name):
        return None
    link = _link(post)
    return Signal(
        id=f"reddit:{post.name}",
        source="reddit",
        title=title,
        url=link or discussion,
        discussion_url=discussion if link and link != discussion else None,
        origin=f"r/{plain(post.subreddit, 40)}",
        author=plain(_known(post.author), 40),
        excerpt=excerpt(_known(post.selftext)),
        timestamp=when,
        engagement=Engagement(
            points=None if post.hide_score else count(post.score), comments=count(post.num_comments)
        ),
        nsfw=bool(post.over_18),
    )


def _link(post: _Post) -> str | None:
    """What the post is about when that is a page elsewhere; pictures and videos of Reddit are read on Reddit."""
    if post.is_self or post.is_gallery or post.is_video:
        return None
    parent = post.crosspost_parent_list[0] if post.crosspost_parent_list else None
    target = (parent.url_overridden_by_dest or parent.url) if parent else None
    target = target or post.url_overridden_by_dest or post.url
    return canonical(join(SITE, target) or "") if target else None


def _known(text: str | None) -> str | None:
    """None where there is none, or where it was taken away."""
    return None if not text or text.strip() in _GONE else text
