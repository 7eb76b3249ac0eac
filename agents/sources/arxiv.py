"""arXiv: preprints, the newest first.

Facts: "arXiv API User's Manual" (https://info.arxiv.org/help/api/user-manual.html): ``/query`` with ``search_query``
(``all:word``, ``cat:cs.LG``, ``AND``, ``OR``), ``sortBy=submittedDate``, ``max_results`` up to 2,000; Atom.
``published`` is when the first version came in, ``id`` the paper's address with its version. "Terms of Use for arXiv
APIs" (https://info.arxiv.org/help/api/tou.html): one request every three seconds and one connection at a time, over
all of one's machines. What is found changes once a day. Papers are shown some hours after they came in, those of a
weekend on Monday ("Submission Schedule", https://info.arxiv.org/help/availability.html), so the last hours are empty.

Errors: a feed with one entry whose id lies under ``/api/errors``, with status 400 and once with 200; 429 ("Rate
exceeded.") and 503 as text, without ``Retry-After``; now and then a feed without entries that says of how many they
are, which is no answer.
"""

import re
from datetime import datetime

from agents.errors import BadStatus, UnexpectedContent
from agents.fetch.request import FEED, Fetch, Request, Response
from agents.resilience.limiter import upstream_host
from agents.signal import Signal, Timeframe
from agents.source import HostLimit, Option, Question, Scan, SourceSpec
from agents.sources.feed_worker import Entry
from agents.sources.feeds import ReadsFeeds
from agents.sources.items import each_once, excerpt, moment, take_turns, telling
from agents.text import plain

NAME = "arxiv"
_PAGE_ITEMS = 100
_MOST_CATEGORIES = 5
_MOST_WORDS = 10
_DEFAULT_CATEGORY = "cs"
_TTL_S = 3_600.0
_UNTOLD_WAITS_S = {429: 60.0, 503: 60.0}
_WITH_SUBJECTS = frozenset(
    {"astro-ph", "cond-mat", "cs", "econ", "eess", "math", "nlin", "physics", "q-bio", "q-fin", "stat"}
)
_ARCHIVES = _WITH_SUBJECTS | {
    "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nucl-ex", "nucl-th", "quant-ph",
}  # fmt: skip
_SUBJECT = re.compile(r"[a-z]{2}|[a-z]{3,5}(?:-[a-z]{2,4})?|[a-z]{2,4}-[a-z]{2,5}")
_PAPER = re.compile(
    r"https?://arxiv\.org/abs/((?:[a-z-]{2,10}(?:\.[A-Z]{2})?/\d{7})|(?:\d{4}\.\d{4,5}))(?:v\d{1,3})?"
)
_ERROR = re.compile(r"https?://[^/]{1,60}/api/errors\b")
_TOTAL = re.compile(rb"<opensearch:totalResults[^>]{0,200}>\s*(\d{1,9})")


def parse_categories(text: str) -> str:
    """``cs.lg, STAT.ml`` as ``cs.LG+stat.ML``: each once, sorted; a ``ValueError`` says what is wrong."""
    return each_once(text, _parse_category, _MOST_CATEGORIES, "categories")


def _parse_category(text: str) -> str:
    archive, dot, subject = text.lower().removesuffix(".*").partition(".")
    if archive not in _ARCHIVES or bool(dot) != bool(subject) or (dot and archive not in _WITH_SUBJECTS):
        raise ValueError(f"“{text[:40]}” is no category of arXiv: as in cs, cs.LG or quant-ph.")
    if dot and not _SUBJECT.fullmatch(subject):
        raise ValueError(f"“{text[:40]}” is no category of arXiv: as in cs.LG or cond-mat.soft.")
    return archive + dot + (subject.upper() if len(subject) == 2 else subject)


class Arxiv:
    """The newest papers of categories, or with words."""

    def __init__(self, *, api_url: str, parser: ReadsFeeds) -> None:
        self._api_url = api_url.rstrip("/")
        self._parser = parser
        self._spec = SourceSpec(
            name=NAME,
            title="arXiv",
            help="Papers from arXiv, the newest",
            options=(
                Option(
                    name="category",
                    help="One or several categories, as in quant-ph or cs.LG+stat.ML (without a query: cs)",
                    parse=parse_categories,
                    example="cs.LG+stat.ML",
                ),
            ),
            limits={upstream_host(api_url): HostLimit(interval_s=3.1, concurrency=1)},
            ttl_s=_TTL_S,
        )

    @property
    def spec(self) -> SourceSpec:
        """What it declares: a long life of answers, because they change once a day."""
        return self._spec

    def unavailable(self) -> str | None:
        """Never: there is no key."""
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """One page, the newest; what is older than the timeframe is left out here."""
        entries = await self._entries(await self._get(question, fetch))
        found: dict[str, Signal] = {}
        for number, entry in enumerate(entries, 1):
            await take_turns(number)
            if (signal := _signal(entry, question.now)) and signal.timestamp >= question.since:
                found[signal.id] = signal
        return Scan(tuple(found.values()), note=_note(len(found), question))

    async def _get(self, question: Question, fetch: Fetch) -> Response:
        params = {
            "search_query": _search(question),
            "sortBy": "submittedDate",
            "sortOrder": "descending",
            "max_results": str(_PAGE_ITEMS),
        }
        request = Request(f"{self._api_url}/query", params=params, accept=FEED, waits_s=_UNTOLD_WAITS_S)
        try:
            return await fetch.get(request)
        except BadStatus as error:
            if error.status == 400:
                raise BadStatus("arXiv does not understand this question. Try plain words.", status=400) from error
            raise

    async def _entries(self, response: Response) -> list[Entry]:
        try:
            feed = await self._parser.parse(response.body, response.charset)
        except UnexpectedContent as error:
            raise UnexpectedContent(f"arXiv's answer could not be read. {error.sentence} Ask again later.") from error
        if any(_ERROR.match(entry.key) for entry in feed.entries):
            raise UnexpectedContent("arXiv does not understand this question. Try plain words.")
        total = _TOTAL.search(response.body)
        if not feed.entries and total and int(total[1]):
            raise UnexpectedContent(f"arXiv says that there are {int(total[1])} papers, and sent none. Ask again.")
        return feed.entries


def _search(question: Question) -> str:
    """All of the words, in any of the categories; arXiv's own syntax is taken for plain words."""
    words = telling(re.findall(r"\w+", (question.query or "").lower()))[:_MOST_WORDS]
    asked = question.options.get("category", "" if words else _DEFAULT_CATEGORY)
    categories = [f"cat:{each}{'.*' if each in _WITH_SUBJECTS else ''}" for each in asked.split("+") if each]
    anywhere = [f"({' OR '.join(categories)})"] if len(categories) > 1 else categories
    return " AND ".join([f"all:{word}" for word in words] + anywhere)


def _signal(entry: Entry, now: datetime) -> Signal | None:
    paper = _PAPER.fullmatch(entry.key)
    when = moment(entry.published_s) if entry.published_s is not None else None
    title = plain(entry.title, 300)
    if paper is None or when is None or title is None:
        return None
    return Signal(
        id=f"{NAME}:{paper[1]}",
        source=NAME,
        title=title,
        url=f"https://arxiv.org/abs/{paper[1]}",
        author=plain(entry.author, 80),
        excerpt=excerpt(entry.summary),
        timestamp=min(when, now),
    )


def _note(found: int, question: Question) -> str:
    if found == _PAGE_ITEMS:
        return f"Read the newest {_PAGE_ITEMS} papers; there are more."
    if not found and question.timeframe in {Timeframe.HOUR, Timeframe.SIX_HOURS, Timeframe.DAY}:
        return "arXiv shows papers hours after they came in, after weekends days: try 7d."
    return ""
