"""GDELT: news of the whole world, as its index saw them in the last three months.

Facts: "GDELT DOC 2.0 API Debuts!" (https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/): ``/doc/doc`` with
``query`` (words that must all be there, ``theme:``, ``sourcelang:``; ``OR`` in parentheses only), ``mode=ArtList``,
``format=json``, ``timespan`` of an hour at least, ``maxrecords`` up to 250, ``sort=DateDesc`` or ``HybridRel``.
Without a key, and renewed every 15 minutes. ``seendate`` is when an article was found, as in ``20261120T101500Z``;
titles have blanks before their punctuation. Words of fewer than three letters are refused, and queries of more than
about 250 characters. Answers are no clean JSON: titles bring escapes that JSON does not have and control characters.

Errors are a sentence of text, most with status 200: "Please limit requests to one every 5 seconds" (200 or 429, also
when it is overloaded, and whoever goes on is refused for longer), "Your query was too short or too long." (also when
it is overloaded), "Timespan is too short.", "Invalid/Unsupported Language." There is no header that says how long to
wait. Nothing found is ``{}``.
"""

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from agents.errors import RateLimited, UnexpectedContent
from agents.fetch.json import decode_json
from agents.fetch.request import Fetch, Request, Response
from agents.fetch.waits import spoken
from agents.resilience.limiter import upstream_host
from agents.signal import Signal, Timeframe
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.items import decode_items, has_words, take_turns, telling
from agents.text import plain_html
from agents.urls import canonical, domain

NAME = "gdelt"
_ACCEPTED = ("application/json", "text/html", "text/plain")
"""Refusals come as pages with status 200."""
_PAGE_ITEMS = 100
_TTL_S = 900.0
_UNTOLD_WAIT_S = 60.0
_SHORTEST_WORD = 3
_SEARCH_CHARS = 150
_DEFAULT_LANGUAGE = "english"
_ANY_LANGUAGE = "any"
_THEMES = {
    "climate": "ENV_CLIMATECHANGE",
    "conflict": "ARMEDCONFLICT",
    "disasters": "NATURAL_DISASTER",
    "economy": "EPU_ECONOMY",
    "elections": "ELECTION",
    "health": "GENERAL_HEALTH",
    "protests": "PROTEST",
    "science": "SCIENCE",
}
"""By our topics, themes of GDELT's Global Knowledge Graph."""
_DEFAULT_TOPICS = ("conflict", "disasters", "economy", "elections", "science")
_ESCAPE = re.compile(rb'\\(["\\/bfnrt]|u[0-9A-Fa-f]{4})?')
_CONTROLS = bytes.maketrans(bytes(range(32)), b" " * 32)
_BEFORE_PUNCTUATION = re.compile(r"\s+(?=[,.;:!?%)\]])")


class _Article(msgspec.Struct):
    """One article, of the fields that are used here."""

    url: str
    title: str
    seendate: str
    domain: str | None = None


class _Page(msgspec.Struct):
    articles: list[msgspec.Raw] = msgspec.field(default_factory=list)


def parse_topic(text: str) -> str:
    """One of the topics."""
    topic = text.lower()
    if topic not in _THEMES:
        raise ValueError(f"GDELT has no topic “{text[:40]}” here. Choose one of: {', '.join(_THEMES)}.")
    return topic


def parse_language(text: str) -> str:
    """The English name of a language in lower case, or ``any``."""
    language = text.lower().replace(" ", "")
    if not re.fullmatch(r"[a-z]{2,20}", language):
        raise ValueError(f"“{text[:40]}” is no language: its English name, as in spanish, or any.")
    return language


class Gdelt:
    """Articles with words or of a topic, in one language or all."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._spec = SourceSpec(
            name=NAME,
            title="GDELT",
            help="News of the whole world, from GDELT's index",
            options=(
                Option(
                    name="topic",
                    help="Only what is about this (without a query: several of them)",
                    parse=parse_topic,
                    example="science",
                    choices=tuple(_THEMES),
                ),
                Option(
                    name="language",
                    help="Of the articles, as in spanish, or any (default english)",
                    parse=parse_language,
                ),
            ),
            limits={upstream_host(api_url): HostLimit(interval_s=6.5, concurrency=1)},
            ttl_s=_TTL_S,
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares: an interval above the one asked for, which is measured on another clock."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: there is no key."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """One page; short words, which it does not take, are looked for in titles."""
        words, short = _words(question.query)
        page = decode_json(await self._get(words, question, fetch), _Page)
        found: dict[str, Signal] = {}
        for number, article in enumerate(decode_items(page.articles, _Article, "GDELT"), 1):
            await take_turns(number)
            signal = _signal(article, question.now)
            if signal and signal.timestamp >= question.since and has_words(" ".join(short), signal.title):
                found[signal.id] = signal
        return Scan(tuple(found.values()), note=_note(words, short, question))

    async def _get(self, words: list[str], question: Question, fetch: Fetch) -> Response:
        newest = question.timeframe in {Timeframe.HOUR, Timeframe.SIX_HOURS} or not words
        params = {
            "query": _search(words, question),
            "mode": "ArtList",
            "format": "json",
            "timespan": question.timeframe.value,
            "maxrecords": str(_PAGE_ITEMS),
            "sort": "DateDesc" if newest else "HybridRel",
        }
        request = Request(
            f"{self._api_url}/doc/doc",
            params=params,
            accept=_ACCEPTED,
            pause_s=_asked_s,
            waits_s={429: _UNTOLD_WAIT_S},
        )
        return _repaired(await fetch.get(request), question)


def _words(query: str | None) -> tuple[list[str], list[str]]:
    """The words of a query that GDELT looks for, as many as it takes, and those that are too short for it."""
    words = telling(re.findall(r"\w+", query or ""))
    long = [word for word in words if len(word) >= _SHORTEST_WORD]
    while sum(len(word) + 1 for word in long) > _SEARCH_CHARS:
        long.pop()
    return long, [word for word in words if len(word) < _SHORTEST_WORD]


def _search(words: list[str], question: Question) -> str:
    topic, language = question.options.get("topic"), question.options.get("language", _DEFAULT_LANGUAGE)
    themes = [f"theme:{_THEMES[each]}" for each in ([topic] if topic else [] if words else _DEFAULT_TOPICS)]
    anywhere = [f"({' OR '.join(themes)})"] if len(themes) > 1 else themes
    spoken = [] if language == _ANY_LANGUAGE else [f"sourcelang:{language}"]
    return " ".join(words + anywhere + spoken)


def _asked_s(response: Response) -> float:
    """A minute of silence where the text of a good answer asks to slow down."""
    return _UNTOLD_WAIT_S if b"limit requests" in response.body[:200].lower() else 0.0


def _repaired(response: Response, question: Question) -> Response:
    """The answer as JSON should be; an error where it is a sentence."""
    body = response.body.decode("utf-8", "replace").encode().translate(_CONTROLS).strip()
    if body.startswith(b"{"):
        return replace(response, body=_ESCAPE.sub(lambda found: found[0] if found[1] else rb"\\", body))
    said = body[:200].lower()
    if b"limit requests" in said:
        sentence = f"GDELT asks for fewer requests, or is overloaded. Ask again in {spoken(_UNTOLD_WAIT_S)}."
        raise RateLimited(sentence, status=response.status, retry_after_s=_UNTOLD_WAIT_S)
    if b"language" in said:
        language = question.options.get("language", _DEFAULT_LANGUAGE)
        raise UnexpectedContent(f"GDELT knows no language “{language}”. Its English name is asked for, or any.")
    if b"too short" in said or b"too long" in said:
        raise UnexpectedContent("GDELT takes this question for too short or too long, or is busy. Try other words.")
    raise UnexpectedContent("GDELT answered with something else than news. Ask again in a few minutes.")


def _signal(article: _Article, now: datetime) -> Signal | None:
    when = _seen(article.seendate)
    title = plain_html(_BEFORE_PUNCTUATION.sub("", article.title[:1_000]), 300)
    page = canonical(article.url)
    if when is None or title is None or page is None:
        return None
    return Signal(
        id=f"{NAME}:{hashlib.sha256(page.encode('utf-8', 'replace')).hexdigest()[:20]}",
        source=NAME,
        title=title,
        url=page,
        origin=domain(page),
        timestamp=min(when, now),
    )


def _seen(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _note(words: list[str], short: list[str], question: Question) -> str:
    parts = []
    if not words and "topic" not in question.options:
        parts.append(f"GDELT needs a query or a topic; read {', '.join(_DEFAULT_TOPICS)}.")
    if short:
        parts.append("Words of fewer than three letters are looked for in titles only.")
    return " ".join(parts)
