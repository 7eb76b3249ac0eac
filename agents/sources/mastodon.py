"""Mastodon: tags and public timelines of one server, the one that the operator chooses.

Facts: "timelines API methods" (https://docs.joinmastodon.org/methods/timelines/: ``/timelines/tag/:hashtag``, with up
to 4 more tags in ``any[]``, ``/timelines/public``, newest first, ``limit`` up to 40, ``max_id`` for the next page; no
filter on time), "trends API methods" (https://docs.joinmastodon.org/methods/trends/: ``/trends/statuses``), "Rate
limits" (https://docs.joinmastodon.org/api/rate-limits/: 300 requests in 5 minutes per address or account;
``X-RateLimit-Reset`` is a time in ISO 8601), "Status" (https://docs.joinmastodon.org/entities/Status/). Texts are
HTML. Counts are what this server has heard of, which is less than all. A search of texts needs an account and a
server that offers it; so words are looked for as tags.

Errors are JSON with ``error``: 401 or, before 4.5, 422 ("This method requires an authenticated user") where a
timeline is for members, 404 ("Record not found") for a tag that nobody used, 429 ("Too many requests"). Pages in HTML
are the proxy's in front, or say that no Mastodon is at that address.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

import msgspec

from agents.errors import AccessDenied, BadStatus, NotFound, SourceError
from agents.fetch.addresses import site_name
from agents.fetch.json import decode_json
from agents.fetch.request import Fetch, Request
from agents.fetch.waits import used_up_s
from agents.resilience.limiter import upstream_host
from agents.signal import Engagement, Signal, Timeframe
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.items import (
    count,
    decode_items,
    each_once,
    excerpt,
    has_words,
    headline,
    is_moment,
    take_turns,
    telling,
)
from agents.text import plain, plain_html
from agents.urls import canonical, domain

NAME = "mastodon"
_TOKEN = "MASTODON_TOKEN"  # noqa: S105 - a variable's name
_TIMELINES = ("trending", "local", "public")
_PATHS = {
    "trending": "/api/v1/trends/statuses",
    "local": "/api/v1/timelines/public?local=true",
    "public": "/api/v1/timelines/public",
}
_PAGE_ITEMS = 40
_MOST_PAGES = 3
_MOST_TAGS = 4
_MARKUP_CHARS = 8_000
_TAG = re.compile(r"(?=.*[^\W\d])\w{1,100}")
_LINE_END = re.compile(r"</p>|<br\s*/?>", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"\s*https?://\S+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FOR_ALL = frozenset({"public", "unlisted"})


class _Account(msgspec.Struct):
    acct: str


class _Card(msgspec.Struct):
    url: str | None = None


class _Hashtag(msgspec.Struct):
    name: str


class _Status(msgspec.Struct):
    """One post, of the fields that are used here."""

    id: str
    created_at: datetime
    content: str
    account: _Account
    url: str | None = None
    visibility: str = "public"
    spoiler_text: str | None = None
    sensitive: bool | None = None
    tags: list[_Hashtag] | None = None
    card: _Card | None = None
    reblog: object = None
    favourites_count: int | None = None
    replies_count: int | None = None
    reblogs_count: int | None = None


class _Problem(msgspec.Struct):
    error: str


def parse_tags(text: str) -> str:
    """``#Python, rust`` as ``python+rust``: lower case, each once, sorted; a ``ValueError`` says what is wrong."""
    return each_once(text, _parse_tag, _MOST_TAGS, "tags")


def _parse_tag(text: str) -> str:
    tag = text.removeprefix("#").lower()
    if not _TAG.fullmatch(tag):
        raise ValueError(f"“{tag[:40]}” is no tag: letters, digits and underscores, as in python.")
    return tag


def parse_timeline(text: str) -> str:
    """One of ``trending``, ``local`` and ``public``."""
    if text.lower() not in _TIMELINES:
        raise ValueError(f"Mastodon has no timeline “{text[:40]}”. Choose one of: {', '.join(_TIMELINES)}.")
    return text.lower()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to look: tags, or one of the timelines."""

    timeline: str = ""
    tags: Sequence[str] = ()

    @property
    def path(self) -> str:
        if not self.tags:
            return _PATHS[self.timeline]
        first, *others = self.tags
        more = urlencode([("any[]", tag) for tag in others])
        return f"/api/v1/timelines/tag/{quote(first, safe='')}{'?' if more else ''}{more}"

    @property
    def newest_first(self) -> bool:
        return self.timeline != "trending"


class Mastodon:
    """Posts with tags, or of a server's public timelines."""

    def __init__(self, *, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._host = upstream_host(url)
        self._token = token
        self._spec = SourceSpec(
            name=NAME,
            title="Mastodon",
            help="Posts from a Mastodon server, with tags or from its timelines",
            options=(
                Option(
                    name="tag",
                    help="One or several tags, as in python or python+rust",
                    parse=parse_tags,
                    example="python+rust",
                ),
                Option(
                    name="timeline",
                    help="Without a tag: what trends there, its own posts, or all that it knows",
                    parse=parse_timeline,
                    choices=_TIMELINES,
                ),
            ),
            limits={self._host: HostLimit(interval_s=1.1, burst=10, concurrency=2)},
            setup="" if token else f"{_TOKEN}: timelines that the server shows to members only.",
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: tags need no key."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """Tags or a timeline; a query without either is looked for as tags."""
        place = _place(question)
        try:
            scan = await self._read(place, question, fetch)
        except (AccessDenied, NotFound):
            # What trends is shown by most servers, and wanted by nobody in particular.
            if place.timeline != "trending" or "timeline" in question.options:
                raise
            scan = await self._read(_Place("local"), question, fetch)
        return scan

    async def _read(self, place: _Place, question: Question, fetch: Fetch) -> Scan:
        """Pages until the timeframe is covered or the cap is reached."""
        found: dict[str, Signal] = {}
        last = ""
        for _ in range(_MOST_PAGES if place.newest_first else 1):
            try:
                statuses = await self._page(place, last, question, fetch)
            except SourceError as error:
                if not last:
                    raise
                return Scan(tuple(found.values()), f"Only the first posts arrived: {error.sentence}", partial=True)
            found |= await self._signals(statuses, place, question)
            oldest = min((status.created_at for status in statuses if is_moment(status.created_at)), default=None)
            if len(statuses) < _PAGE_ITEMS // 2 or oldest is None or oldest < question.since:
                return Scan(tuple(found.values()), note=_note(place, question))
            last = statuses[-1].id
        more = f"Read the newest {_MOST_PAGES * _PAGE_ITEMS} posts; there are more." if place.newest_first else ""
        return Scan(tuple(found.values()), note=" ".join(filter(None, (_note(place, question), more))))

    async def _page(self, place: _Place, before: str, question: Question, fetch: Fetch) -> list[_Status]:
        request = Request(
            f"{self._url}{place.path}",
            params={"limit": str(_PAGE_ITEMS), **({"max_id": before} if before else {})},
            credentials={"Authorization": f"Bearer {self._token}"} if self._token else {},
            read_errors=True,
            pause_s=lambda response: used_up_s(response.headers, question.now),
        )
        try:
            response = await fetch.get(request)
        except BadStatus as error:
            if isinstance(error, NotFound) and place.tags and _says(error, "record not found"):
                return []
            if (explained := self._explained(error, place)) is None:
                raise
            raise explained from error
        return decode_items(decode_json(response, list[msgspec.Raw]), _Status, "Mastodon")

    def _explained(self, error: BadStatus, place: _Place) -> BadStatus | None:
        """The error in words that say what to do; None where they would say no more."""
        server = site_name(self._url)
        if error.status == 401 and self._token:
            return AccessDenied(f"{server} refuses the token. Check {_TOKEN}.", status=401)
        if error.status in {401, 422} or (error.status == 403 and _says(error, "")):
            way = f"Set {_TOKEN}, or another MASTODON_URL" if place.tags else f"Ask for a tag, or set {_TOKEN}"
            return AccessDenied(f"{server} shows this to members only. {way}.", status=error.status)
        if isinstance(error, NotFound) and not _says(error, ""):
            return NotFound(f"{server} does not answer like a Mastodon server. Check MASTODON_URL.", status=404)
        return None

    async def _signals(self, statuses: list[_Status], place: _Place, question: Question) -> dict[str, Signal]:
        signals: dict[str, Signal] = {}
        for number, status in enumerate(statuses, 1):
            await take_turns(number)
            text = _text(status)
            signal = self._signal(status, text, place)
            if signal is None or signal.timestamp < question.since:
                continue
            names = _names(status)
            if has_words(question.query, text, signal.title, *names) or _bears_the_query(names, place, question):
                signals[signal.id] = signal
        return signals

    def _signal(self, status: _Status, text: str, place: _Place) -> Signal | None:
        """The post as a signal; None for what cannot be used, was passed on or is not for all."""
        if status.reblog is not None or status.visibility not in _FOR_ALL or not _ID.fullmatch(status.id):
            return None
        title, rest = _title(status, text)
        page = canonical(status.url or "")
        if title is None or page is None or not is_moment(status.created_at):
            return None
        link = canonical(status.card.url) if status.card and status.card.url else None
        names = _names(status)
        return Signal(
            id=f"{NAME}:{self._host}/{status.id}",
            source=NAME,
            title=title,
            url=link or page,
            discussion_url=page if link and link != page else None,
            origin=next((f"#{tag}" for tag in place.tags if tag in names), None),
            author=_author(status.account.acct, domain(page)),
            excerpt=rest,
            timestamp=status.created_at,
            engagement=Engagement(
                points=count(status.favourites_count),
                comments=count(status.replies_count),
                shares=count(status.reblogs_count),
            ),
            nsfw=bool(status.sensitive),
        )


def _place(question: Question) -> _Place:
    """Where to look. Unasked, short timeframes look at what is new and longer ones at what trends."""
    if asked := question.options.get("tag"):
        return _Place(tags=asked.split("+"))
    if timeline := question.options.get("timeline"):
        return _Place(timeline)
    if tags := _as_tags(question.query):
        return _Place(tags=tags)
    newest = question.timeframe in {Timeframe.HOUR, Timeframe.SIX_HOURS}
    return _Place("local" if newest else "trending")


def _as_tags(query: str | None) -> list[str]:
    """``machine learning`` as the tags machinelearning, machine and learning."""
    words = [word for word in re.findall(r"\w+", (query or "").lower()) if _TAG.fullmatch(word)]
    apart = telling(words)
    apart = [word for word in apart if len(word) > 2] or apart
    joined = ["".join(words)] if 1 < len(words) <= _MOST_TAGS else []
    return list(dict.fromkeys([*joined, *apart]))[:_MOST_TAGS]


def _note(place: _Place, question: Question) -> str:
    """What the tags were, where nobody asked for tags."""
    if not place.tags or "tag" in question.options:
        return ""
    return f"Read by tag: {', '.join(f'#{tag}' for tag in place.tags)}."


def _bears_the_query(names: Sequence[str], place: _Place, question: Question) -> bool:
    """Whether it has all the words as one tag: ``#machinelearning``."""
    return bool(place.tags) and "tag" not in question.options and place.tags[0] in names


def _names(status: _Status) -> list[str]:
    return [tag.name.lower() for tag in status.tags or ()]


def _text(status: _Status) -> str:
    """What is written, plain, a line for each of its own; of a very long one its beginning."""
    lines = (plain_html(line, 2_000) for line in _LINE_END.split(status.content[:_MARKUP_CHARS])[:20])
    return "\n".join(line for line in lines if line)


def _title(status: _Status, text: str) -> tuple[str | None, str | None]:
    """Title and excerpt. What stands below a warning is not shown: the warning is."""
    if warning := plain(status.spoiler_text, 300):
        return warning, None
    lines = [line for line in _BARE_ADDRESS.sub("", text).splitlines() if not _is_of_tags(line)]
    first, rest = headline("\n".join(lines) or text)
    return plain(first, 300), excerpt(rest)


def _is_of_tags(line: str) -> bool:
    return all(word.startswith("#") for word in line.split())


def _author(acct: str, server: str) -> str | None:
    """``@name@server``; this server's own people come without."""
    name = plain(acct, 120)
    if name is None:
        return None
    return f"@{name}" if "@" in name else f"@{name}@{server}"


def _says(error: BadStatus, text: str) -> bool:
    """Whether it was the server's own JSON that said so, and not a page of somebody in between."""
    try:
        return text in msgspec.json.decode(error.body, type=_Problem).error.casefold()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
