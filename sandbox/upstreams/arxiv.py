"""arXiv's API in small: invented papers, found by words and categories, in Atom."""

import re
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from html import escape

from aiohttp import web

from sandbox.upstreams.stories import MARK

_SITE = "https://arxiv.org"


@dataclass(frozen=True, slots=True)
class _Paper:
    """One paper: how old it is when the upstreams start, and where it belongs."""

    age_h: float
    category: str
    title: str
    abstract: str

    @property
    def number(self) -> int:
        """The same for the same title."""
        return zlib.crc32(self.title.encode())

    def is_asked_for(self, search: str) -> bool:
        """Whether it is in one of the categories and has all the words, as the beginnings of its own."""
        words = re.findall(r"\w+", f"{self.title} {self.abstract}".lower())
        wanted = re.findall(r"all:(\w+)", search)
        places = re.findall(r"cat:([^\s()]+)", search) or ["*"]
        return any(fnmatchcase(self.category, place) for place in places) and all(
            any(word.startswith(term) for word in words) for term in wanted
        )


def routes(start: datetime) -> list[web.RouteDef]:
    """The one address of the API."""

    async def query(request: web.Request) -> web.Response:
        search = request.query.get("search_query", "")
        found = [paper for paper in _PAPERS if paper.is_asked_for(search)] if search else []
        page = found[: int(request.query.get("max_results", "10"))]
        return web.Response(text=_feed(page, len(found), start), content_type="application/atom+xml")

    return [web.get("/api/query", query)]


def _feed(papers: list[_Paper], total: int, start: datetime) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f'<title type="html">ArXiv Query</title><id>{_SITE}/api/sample</id><updated>{start.isoformat()}</updated>'
        f'<opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{total}'
        f"</opensearch:totalResults>{''.join(_entry(paper, start) for paper in papers)}</feed>"
    )


def _entry(paper: _Paper, start: datetime) -> str:
    address = f"http://arxiv.org/abs/0000.{paper.number % 100_000:05}v1"
    when = (start - timedelta(hours=paper.age_h)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"<entry><id>{address}</id><updated>{when}</updated><published>{when}</published>"
        f"<title>{escape(paper.title)}\n  {MARK}</title><summary>  {escape(paper.abstract)}\n</summary>"
        f"<author><name>{_AUTHORS[paper.number % len(_AUTHORS)]}</name></author>"
        f'<link href="{address}" rel="alternate" type="text/html"/>'
        f'<arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="{paper.category}"/></entry>'
    )


_AUTHORS = ("Maren Kolk", "S. Lind", "B. Ojalvo", "P. Dunlin", "Hex Wright", "V. Kestrel", "A. Verdigris")

_PAPERS = (
    _Paper(6.2, "cs.PL", "Ownership as a Budget: Cost Models for Rust", "A type system that counts moves."),
    _Paper(6.5, "cs.LG", "Small Models Remember Their Teachers", "We trace what distillation leaves behind."),
    _Paper(6.9, "cs.SE", "Which Python Imports Are Never Used", "A census of nine thousand programs."),
    _Paper(7.3, "cs.DB", "Queues in Tables, Measured", "Locks, not rows, decide how many jobs a day."),
    _Paper(7.8, "cs.CR", "Signed Builds and Who Checks Them", "Three package indexes, one year of uploads."),
    _Paper(8.4, "stat.ML", "A Confidence Interval for Leaderboards", "Most of the first ten places are ties."),
    _Paper(8.8, "cs.DC", "Clocks That Disagree Politely", "Leases with bounded doubt."),
    _Paper(9.5, "cs.OS", "A Driver in Rust, a Year Later", "What broke, and what the compiler had found."),
    _Paper(10.1, "cs.CL", "Headlines Without Verbs", "How readers of four languages fill them in."),
    _Paper(11.0, "cs.HC", "What People Read Aloud", "A diary study of shared screens."),
    _Paper(12.2, "cs.LG", "Learning to Stop Early, Later", "Patience as a parameter that is learned."),
    _Paper(12.9, "cs.IR", "Ranking Without Clicks", "Agreement of sources as a signal."),
    _Paper(13.7, "cs.SE", "Flaky Tests Are Honest", "They tell of the scheduler; nobody asks it."),
    _Paper(14.4, "quant-ph", "Three Qubits Walk Into a Trap", "Error rates of a very small computer."),
    _Paper(15.6, "cs.NI", "Retry Storms From Polite Clients", "Jitter helps less than silence."),
    _Paper(16.8, "cs.PL", "Lazy Imports for Python, Formally", "When may a module be loaded late?"),
    _Paper(17.5, "cs.RO", "A Robot That Waters by Weight", "Forty plants and one scale."),
    _Paper(18.9, "cs.CV", "Birds From Below", "Recognising silhouettes on a microcontroller."),
    _Paper(20.3, "cs.DS", "Deduplicating Ten Thousand Titles", "Rare words are enough."),
    _Paper(21.7, "math.NT", "Sums of Very Few Squares", "An elementary bound."),
    _Paper(23.1, "cs.AR", "Caches That Tell You", "A counter per line costs less than it was thought to."),
    _Paper(40.0, "cs.LG", "Training on Python, Answering in Rust", "Transfer between languages of programs."),
    _Paper(75.0, "cs.DB", "One File Is a Database", "Backups by copying, with proof."),
    _Paper(200.0, "cs.CY", "Libraries That Lend Weather Stations", "Citizens' readings in forecasts."),
)
