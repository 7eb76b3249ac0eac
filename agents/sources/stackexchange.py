"""Stack Exchange: questions of Stack Overflow or one of its sister sites.

Facts: "Usage of /search/advanced" (https://api.stackexchange.com/docs/advanced-search) and "Usage of /questions"
(https://api.stackexchange.com/docs/questions): ``fromdate``, ``pagesize`` up to 100, ``tagged`` (with ``;`` between
tags that must all be there), ``sort`` by votes or creation, ``filter=withbody``. "Throttles"
(https://api.stackexchange.com/docs/throttle): 300 requests a day per address, 10,000 with a key, 30 a second at most,
and ``backoff`` in the *body*: seconds for which the same method must not be asked again, or the address is banned.
"Response Wrapper" (https://api.stackexchange.com/docs/wrapper): ``quota_remaining``; there is no header for it. The
day's quota starts anew at midnight UTC. Titles, names and texts are HTML; answers are always compressed.

Errors are JSON with status 400, ``error_id``, ``error_name`` and ``error_message``
(https://api.stackexchange.com/docs/error-handling): 400 ``bad_parameter`` ("No site found for name `x`", "`key`
doesn't match a known application"), 502 ``throttle_violation`` ("too many requests from this IP, more requests
available in 46472 seconds"), 503 ``temporarily_unavailable``. A 403 or 429 in HTML is of Cloudflare in front.
"""

import re
from datetime import datetime, timedelta

import msgspec

from agents.errors import AccessDenied, BadStatus, NotFound, RateLimited, UpstreamFailed
from agents.fetch.json import decode_json
from agents.fetch.request import Fetch, Request, Response
from agents.fetch.waits import spoken
from agents.resilience.limiter import upstream_host
from agents.signal import Engagement, Signal, Timeframe
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.items import count, decode_items, each_once, excerpt_html, moment, search_text, take_turns
from agents.text import plain_html
from agents.urls import canonical

NAME = "stackexchange"
_KEY = "STACKEXCHANGE_KEY"
_DEFAULT_SITE = "stackoverflow"
_FEWEST_ITEMS = 30
_MOST_ITEMS = 100
_MOST_TAGS = 5
_PAGE_BYTES = 6_000_000
"""A page of 100 long questions."""
_TTL_S = 900.0
"""Without a key a day has 300 requests for everybody."""
_BANNED_S = 3_600.0
_SITE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,48}[a-z0-9])?")
_TAG = re.compile(r"[a-z0-9.#+-]{1,35}")
_AVAILABLE_IN = re.compile(r"available in (\d{1,6}) second")


class _Owner(msgspec.Struct):
    display_name: str | None = None


class _Question(msgspec.Struct):
    """One question, of the fields that are used here."""

    question_id: int
    title: str
    link: str
    creation_date: float
    score: int | None = None
    answer_count: int | None = None
    view_count: int | None = None
    owner: _Owner | None = None
    body: str | None = None


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]


class _Patience(msgspec.Struct):
    """What an answer asks for beside what it gives; read even where the rest cannot be."""

    backoff: msgspec.Raw = msgspec.Raw(b"null")
    quota_remaining: msgspec.Raw = msgspec.Raw(b"null")


class _Problem(msgspec.Struct):
    error_id: int = 0
    error_message: str = ""


def parse_site(text: str) -> str:
    """``https://superuser.com`` and ``Ask Ubuntu`` as the API calls them: ``superuser``, ``askubuntu``."""
    site = re.sub(r"^https?://", "", text.lower()).rstrip("/").replace(" ", "")
    site = site.removesuffix(".com").removesuffix(".stackexchange")
    if not _SITE.fullmatch(site):
        raise ValueError(f"“{text[:40]}” is no site of Stack Exchange: its name, as in stackoverflow or superuser.")
    return site


def parse_tags(text: str) -> str:
    """``[Python], asyncio`` as ``asyncio;python``: each once, sorted; a ``ValueError`` says what is wrong."""
    return each_once(text, _parse_tag, _MOST_TAGS, "tags", between=";", joined=";")


def _parse_tag(text: str) -> str:
    tag = text.strip("[]").lower()
    if not _TAG.fullmatch(tag):
        raise ValueError(f"“{tag[:40]}” is no tag of Stack Exchange: as in python, c++ or async-await.")
    return tag


class StackExchange:
    """Questions asked within the timeframe: the best by votes, or of a short timeframe the newest."""

    def __init__(self, *, api_url: str, key: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._key = key
        limit = HostLimit(interval_s=9.0, burst=100, concurrency=1)
        if not key:
            limit = HostLimit(interval_s=320.0, burst=30, concurrency=1)
        self._spec = SourceSpec(
            name=NAME,
            title="Stack Exchange",
            help="Questions from Stack Overflow or another site of Stack Exchange",
            options=(
                Option(
                    name="site",
                    help="Which site, as in superuser or askubuntu (default stackoverflow)",
                    parse=parse_site,
                ),
                Option(
                    name="tag",
                    help="Only questions with this tag, or with all of several: python asyncio",
                    parse=parse_tags,
                    example="python",
                ),
            ),
            limits={upstream_host(api_url): limit},
            ttl_s=0.0 if key else _TTL_S,
            setup="" if key else f"{_KEY}: 10,000 requests a day instead of 300.",
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares: without a key a long life of answers."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: a key only grants more."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """One page of questions."""
        site = question.options.get("site", _DEFAULT_SITE)
        page = decode_json(await self._get(site, question, fetch), _Page)
        found: dict[str, Signal] = {}
        for number, each in enumerate(decode_items(page.items, _Question, "Stack Exchange"), 1):
            await take_turns(number)
            if (signal := _signal(each, site)) and signal.timestamp >= question.since:
                found[signal.id] = signal
        return Scan(tuple(found.values()))

    async def _get(self, site: str, question: Question, fetch: Fetch) -> Response:
        words = search_text(question.query)
        newest = question.timeframe in {Timeframe.HOUR, Timeframe.SIX_HOURS}
        params = {
            "site": site,
            "fromdate": str(int(question.since.timestamp())),
            "sort": "creation" if newest else "votes",
            "order": "desc",
            "pagesize": str(min(max(question.limit, _FEWEST_ITEMS), _MOST_ITEMS)),
            "filter": "withbody",
        }
        params |= {"tagged": question.options["tag"]} if "tag" in question.options else {}
        params |= {"q": words} if words else {}
        params |= {"key": self._key} if self._key else {}
        request = Request(
            f"{self._api_url}/{'search/advanced' if words else 'questions'}",
            params=params,
            max_bytes=_PAGE_BYTES,
            read_errors=True,
            pause_s=lambda response: _asked_s(response.body, question.now),
        )
        try:
            return await fetch.get(request)
        except BadStatus as error:
            explained = self._explained(error, site)
            # An error may ask for patience too.
            wait_s = max(_asked_s(error.body, question.now), (explained and explained.retry_after_s) or 0.0)
            if wait_s > 0:
                fetch.pause(request.url, wait_s)
            if explained is None:
                raise
            raise explained from error

    def _explained(self, error: BadStatus, site: str) -> BadStatus | None:
        """The error in words that say what to do; None where they would say no more."""
        try:
            problem = msgspec.json.decode(error.body, type=_Problem)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        said, status = problem.error_message.casefold(), error.status
        if problem.error_id == 502:
            wait = _AVAILABLE_IN.search(said)
            more = "" if self._key else f" With {_KEY} set it grants more."
            wait_s = float(wait[1]) if wait else _BANNED_S
            sentence = f"Stack Exchange grants no more for now. Ask again in {spoken(wait_s)}.{more}"
            return RateLimited(sentence, status=status, retry_after_s=wait_s)
        if problem.error_id in {500, 503}:
            return UpstreamFailed("Stack Exchange is not available right now. Ask again later.", status=status)
        if "no site found" in said:
            return NotFound(f"Stack Exchange has no site “{site}”. There is superuser, or askubuntu.", status=status)
        if "`key`" in said:
            return AccessDenied(f"Stack Exchange does not know the key. Check {_KEY}.", status=status)
        return BadStatus("Stack Exchange does not understand this question. Try plain words.", status=status)


def _asked_s(body: bytes, now: datetime) -> float:
    """Seconds of silence that a body asks for: its ``backoff``, or until midnight where the quota is used up."""
    try:
        asked = msgspec.json.decode(body, type=_Patience)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0.0
    backoff_s, left = _number(asked.backoff) or 0.0, _number(asked.quota_remaining)
    if left is None or left > 0:
        return backoff_s
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return max(backoff_s, (midnight - now).total_seconds())


def _number(raw: msgspec.Raw) -> float | None:
    try:
        return msgspec.json.decode(raw, type=float, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _signal(question: _Question, site: str) -> Signal | None:
    when = moment(question.creation_date)
    title = plain_html(question.title, 300)
    page = canonical(question.link)
    if when is None or title is None or page is None:
        return None
    return Signal(
        id=f"{NAME}:{site}:{question.question_id}",
        source=NAME,
        title=title,
        url=page,
        origin=site,
        author=plain_html(question.owner.display_name, 80) if question.owner else None,
        excerpt=excerpt_html(question.body),
        timestamp=when,
        engagement=Engagement(
            points=count(question.score), comments=count(question.answer_count), views=count(question.view_count)
        ),
    )
