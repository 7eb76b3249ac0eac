"""X (Twitter), through API v2's recent search, which is billed per post.

Facts: "Search recent posts" (https://docs.x.com/x-api/posts/search-recent-posts: the last 7 days, ``max_results`` 10
to 100, a query is required), "Rate limits" (``x-rate-limit-reset`` is an epoch), "Pricing"
(https://docs.x.com/x-api/getting-started/pricing: no free tier; $0.005 per post and $0.010 per user in an answer),
"Partial errors" (``errors`` beside ``data``). In August 2026 the ``tweet.*`` names became ``post.*``: asked by the
new name, then by the old one where that is refused, and both are understood in answers. Authors are not asked for,
because they would cost twice what their posts do; those that are sent all the same are shown.

Errors are JSON with ``title``, ``detail`` and ``type`` ("Response codes and errors",
https://docs.x.com/x-api/fundamentals/response-codes-and-errors): 400 for a query or a field that is not understood,
401 for the token, 402 where the account has no credit, 403 for what its app may not do, 429 with the epoch, 503.
"""

import html
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from agents.errors import (
    AccessDenied,
    AttemptTimeout,
    BadStatus,
    DeadlineExceeded,
    NotConfigured,
    SourceError,
    TooLarge,
    UnexpectedContent,
    Unreachable,
)
from agents.fetch.json import decode_json
from agents.fetch.request import Fetch, Request, Response
from agents.fetch.waits import used_up_s
from agents.resilience.limiter import upstream_host
from agents.signal import Engagement, Signal, Timeframe
from agents.source import HostLimit, Question, Scan, SourceSpec
from agents.sources.items import count, decode_items, excerpt, headline, is_moment
from agents.spend import DailySpend
from agents.text import plain
from agents.urls import canonical, domain

NAME = "twitter"
PRICE_USD = 0.005
"""Of one post read."""
_TOKEN = "X_BEARER_TOKEN"  # noqa: S105 - a variable's name
_MIN_RESULTS = 10
_MAX_RESULTS = 25
"""Of one search: X would give 100, but half a dollar is too much for an answer that shows few."""
_TTL_S = 900.0
_REACH = timedelta(days=7)
_MARGIN = timedelta(minutes=2)
_DEFAULT_QUERY = "technology OR programming OR science"
_QUERY_CHARS = 400
_WANTED_FIELDS = "created_at,public_metrics,possibly_sensitive,entities"
_OWN_SITES = ("twitter.com", "x.com", "t.co")
_SHORT_LINK = re.compile(r"\s*https://t\.co/\w+")
_MAYBE_BILLED = (AttemptTimeout, DeadlineExceeded, Unreachable, UnexpectedContent, TooLarge)
"""Failures after which nobody knows whether X counted the posts: they count as read."""


class _Metrics(msgspec.Struct):
    like_count: int | None = None
    reply_count: int | None = None
    retweet_count: int | None = None
    repost_count: int | None = None
    quote_count: int | None = None
    impression_count: int | None = None


class _Link(msgspec.Struct):
    expanded_url: str | None = None
    unwound_url: str | None = None


class _Entities(msgspec.Struct):
    urls: list[_Link] | None = None


class _Note(msgspec.Struct):
    """The whole of a long post, whose ``text`` is its beginning."""

    text: str | None = None


class _Post(msgspec.Struct):
    """One post, of the fields that are used here, under their old and new names."""

    id: str
    text: str
    created_at: datetime
    author_id: str | None = None
    possibly_sensitive: bool | None = None
    public_metrics: _Metrics | None = None
    entities: _Entities | None = None
    note_tweet: _Note | None = None
    note_post: _Note | None = None


class _User(msgspec.Struct):
    id: str
    username: str


class _Includes(msgspec.Struct):
    users: list[_User] | None = None


class _Problem(msgspec.Struct):
    title: str | None = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    includes: msgspec.Raw = msgspec.Raw(b"null")
    errors: msgspec.Raw = msgspec.Raw(b"null")


class Twitter:
    """Posts of the last days that match a query."""

    def __init__(self, *, api_url: str, bearer_token: str, spend: DailySpend) -> None:
        self._url = f"{api_url.rstrip('/')}/tweets/search/recent"
        self._token = bearer_token
        self._spend = spend
        self._fields_name = "post.fields"
        self._spec = SourceSpec(
            name=NAME,
            title="X (Twitter)",
            help="Posts on X found by a search, within a daily budget",
            limits={upstream_host(api_url): HostLimit(interval_s=2.0, burst=5, concurrency=2)},
            ttl_s=_TTL_S,
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares; answers are kept long, because each costs money."""
        return self._spec

    def unavailable(self) -> str | None:
        """What to set, when there is no token, or a budget that no search fits in."""
        if not self._token:
            return f"X is off: set {_TOKEN} to search it. X bills every post that is read."
        least_usd = _MIN_RESULTS * PRICE_USD
        if self._spend.limit_usd < least_usd:
            return f"X is off: X_DAILY_BUDGET_USD is less than the ${least_usd:.2f} that one search costs."
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """One search, paid for beforehand; ``BudgetSpent`` when today's money does not suffice."""
        off = self.unavailable()
        if off is not None:
            raise NotConfigured(off)
        results = await self._affordable(question.limit)
        reserved_usd = results * PRICE_USD
        await self._spend.reserve(reserved_usd)
        try:
            page = await self._search(question, results, fetch)
        except SourceError as error:
            if not isinstance(error, _MAYBE_BILLED):
                await self._spend.settle(reserved_usd, 0.0)
            raise
        raws = page.data or []
        spent_usd = await self._spend.settle(reserved_usd, len(raws) * PRICE_USD)
        problems = _problems(page)
        if not raws and problems:
            raise UnexpectedContent(f"X could not answer: {problems}.")
        names = _names(page)
        signals = [signal for post in decode_items(raws, _Post, "X") if (signal := _signal(post, names))]
        found = {signal.id: signal for signal in signals if signal.timestamp >= question.since}
        return Scan(tuple(found.values()), note=self._note(question, problems, spent_usd))

    async def _affordable(self, wanted: int) -> int:
        """How many posts to ask for: what is wanted, what is left in today's budget, at least X's minimum."""
        left_usd = self._spend.limit_usd - await self._spend.spent_usd()
        return max(_MIN_RESULTS, min(wanted, _MAX_RESULTS, round(left_usd / PRICE_USD)))

    async def _search(self, question: Question, results: int, fetch: Fetch) -> _Page:
        try:
            response = await self._asked(question, results, fetch, self._fields_name)
        except AccessDenied as error:
            raise AccessDenied(
                f"X refuses the token. Check {_TOKEN} and what its app may do.", status=error.status
            ) from error
        except BadStatus as error:
            if error.status == 402:
                raise AccessDenied("X says that the account has no credit left: buy some.", status=402) from error
            if error.status != 400:
                raise
            other = "tweet.fields" if self._fields_name == "post.fields" else "post.fields"
            try:
                response = await self._asked(question, results, fetch, other)
            except BadStatus as again:
                if again.status != 400:
                    raise
                raise BadStatus("X does not understand this query. Try plain words.", status=400) from again
            self._fields_name = other
        return decode_json(response, _Page)

    async def _asked(self, question: Question, results: int, fetch: Fetch, fields_name: str) -> Response:
        oldest = question.now - _REACH + _MARGIN
        request = Request(
            self._url,
            params={
                "query": query_for(question.query),
                "max_results": str(results),
                "sort_order": "relevancy",
                "start_time": max(question.since, oldest).strftime("%Y-%m-%dT%H:%M:%SZ"),
                fields_name: _WANTED_FIELDS,
            },
            credentials={"Authorization": f"Bearer {self._token}"},
            billed=True,
            pause_s=lambda response: used_up_s(response.headers, question.now),
        )
        return await fetch.get(request)

    def _note(self, question: Question, problems: str, spent_usd: float) -> str:
        parts = [f"${spent_usd:.2f} of ${self._spend.limit_usd:.2f} spent today."]
        if not question.query:
            parts.append(f"X needs a query; searched for {_DEFAULT_QUERY.replace(' OR ', ', ')}.")
        if question.timeframe is Timeframe.MONTH:
            parts.append("X's search reaches back 7 days only.")
        if problems:
            parts.append(f"X left something out: {problems}.")
        return " ".join(parts)


def query_for(typed: str | None) -> str:
    """What is sent to X: the words (or the default ones), no reposts, and nothing that unbalances the syntax."""
    words = re.sub(r"[()\s]+", " ", typed or "").strip()[:_QUERY_CHARS]
    if words.count('"') % 2:
        words = words.replace('"', "")
    if not re.search(r"\w", words):
        return f"({_DEFAULT_QUERY}) has:links lang:en -is:retweet -is:reply"
    return f"({words}) -is:retweet"


def _problems(page: _Page) -> str:
    """The titles of the errors that stand beside the data, each once; empty when there are none."""
    try:
        problems = msgspec.json.decode(page.errors, type=list[_Problem] | None) or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problems = [_Problem()]
    titles = dict.fromkeys(plain(problem.title, 60) or "an error" for problem in problems)
    return ", ".join(list(titles)[:3])


def _names(page: _Page) -> dict[str, str]:
    """User names by id, where they were sent and can be read."""
    try:
        includes = msgspec.json.decode(page.includes, type=_Includes | None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return {user.id: user.username for user in (includes.users if includes else None) or []}


def _signal(post: _Post, names: Mapping[str, str]) -> Signal | None:
    if not (post.id.isascii() and post.id.isdigit()) or not is_moment(post.created_at):
        return None
    note = post.note_tweet or post.note_post
    text = html.unescape((note.text if note else None) or post.text)
    first, rest = headline(_SHORT_LINK.sub("", text) or text)
    title = plain(first, 300)
    if title is None:
        return None
    username = plain(names.get(post.author_id or ""), 40)
    page = f"https://x.com/i/status/{post.id}"
    link = _link(post)
    return Signal(
        id=f"{NAME}:{post.id}",
        source=NAME,
        title=title,
        url=link or page,
        discussion_url=page if link else None,
        author=f"@{username}" if username else None,
        excerpt=excerpt(rest),
        timestamp=post.created_at,
        engagement=_engagement(post.public_metrics or _Metrics()),
        nsfw=bool(post.possibly_sensitive),
    )


def _link(post: _Post) -> str | None:
    """The first page outside of X that the post points to."""
    for each in (post.entities.urls if post.entities else None) or []:
        link = canonical(each.unwound_url or each.expanded_url or "")
        if link and not any(domain(link) == own or domain(link).endswith(f".{own}") for own in _OWN_SITES):
            return link
    return None


def _engagement(metrics: _Metrics) -> Engagement:
    reposts = metrics.repost_count if metrics.repost_count is not None else metrics.retweet_count
    shares = [number for number in (reposts, metrics.quote_count) if number is not None]
    return Engagement(
        points=count(metrics.like_count),
        comments=count(metrics.reply_count),
        shares=count(sum(shares)) if shares else None,
        views=count(metrics.impression_count),
    )
