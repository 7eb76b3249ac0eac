"""GitHub's API in small: searches of repositories and issues, and releases; the projects are invented."""

import re
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from sandbox.upstreams.stories import MARK

TOKEN = "sample-github-token"  # noqa: S105 - of the sample upstream, known to everybody
_SITE = "https://github.com"
_CREATED = re.compile(r"created:>=(\S+)")
_QUALIFIER = re.compile(r"\S+:\S+")


@dataclass(frozen=True, slots=True)
class _Item:
    """A repository or an issue: how old it is when the upstreams start, how many care, its language or its text."""

    age_h: float
    heat: int
    repository: str
    text: str
    about: str = ""

    @property
    def number(self) -> int:
        return zlib.crc32(f"{self.repository} {self.text}".encode())

    def is_asked_for(self, asked: str, start: datetime) -> bool:
        since = _CREATED.search(asked)
        names = re.findall(r"repo:(\S+)", asked)
        made = start - timedelta(hours=self.age_h)
        words = re.findall(r"\w+", f"{self.repository} {self.text}".lower())
        wanted = re.findall(r"\w+", _QUALIFIER.sub(" ", asked).lower())
        return (
            (since is None or made >= datetime.fromisoformat(since[1]))
            and (not names or self.repository in names)
            and all(any(word.startswith(each) for word in words) for each in wanted)
        )


def routes(start: datetime) -> list[web.RouteDef]:
    """The two searches and the releases of a repository."""

    async def repositories(request: web.Request) -> web.Response:
        return _found(request, start, ((item, _repository(item, start)) for item in _REPOSITORIES))

    async def issues(request: web.Request) -> web.Response:
        return _found(request, start, ((item, _issue(item, start)) for item in _ISSUES))

    async def releases(request: web.Request) -> web.Response:
        name = f"{request.match_info['owner']}/{request.match_info['name']}".lower()
        item = next((item for item in _REPOSITORIES if item.repository == name), None)
        if refusal := _refusal(request):
            return refusal
        if item is None:
            return web.json_response({"message": "Not Found", "status": "404"}, status=404)
        listed = [_release(item, number, start) for number in range(4)]
        return web.json_response(listed, headers=_limits("core", 5000))

    return [
        web.get("/search/repositories", repositories),
        web.get("/search/issues", issues),
        web.get("/repos/{owner}/{name}/releases", releases),
    ]


def _refusal(request: web.Request) -> web.Response | None:
    if request.headers.get("Authorization", f"Bearer {TOKEN}") != f"Bearer {TOKEN}":
        return web.json_response({"message": "Bad credentials", "status": "401"}, status=401)
    return None


def _found(request: web.Request, start: datetime, items: Iterable[tuple[_Item, dict[str, Any]]]) -> web.Response:
    asked = request.query.get("q", "")
    if refusal := _refusal(request):
        return refusal
    if not asked.strip():
        problem = {"resource": "Search", "field": "q", "code": "missing"}
        body: dict[str, Any] = {"message": "Validation Failed", "errors": [problem], "status": "422"}
        return web.json_response(body, status=422)
    found = [(item, made) for item, made in items if item.is_asked_for(asked, start)]
    found.sort(key=lambda pair: -pair[0].heat)
    page = [made for _, made in found[: min(100, int(request.query.get("per_page", "30")))]]
    answer = {"total_count": len(found), "incomplete_results": False, "items": page}
    return web.json_response(answer, headers=_limits("search", 30))


def _limits(resource: str, limit: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(limit - 1),
        "x-ratelimit-reset": str(int(time.time()) + 60),
        "x-ratelimit-resource": resource,
    }


def _when(start: datetime, age_h: float) -> str:
    return (start - timedelta(hours=age_h)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _repository(item: _Item, start: datetime) -> dict[str, Any]:
    when = _when(start, item.age_h)
    return {
        "id": item.number,
        "name": item.repository.partition("/")[2],
        "full_name": item.repository,
        "private": False,
        "owner": {"login": item.repository.partition("/")[0], "id": item.number % 100_000},
        "html_url": f"{_SITE}/{item.repository}",
        "description": f"{item.text} {MARK}",
        "fork": False,
        "created_at": when,
        "updated_at": when,
        "pushed_at": when,
        "stargazers_count": item.heat,
        "watchers_count": item.heat,
        "language": item.about,
        "forks_count": item.heat // 12,
        "open_issues_count": item.heat // 20,
        "score": 1.0,
    }


def _issue(item: _Item, start: datetime) -> dict[str, Any]:
    number = item.number % 9_000
    return {
        "repository_url": f"https://api.github.com/repos/{item.repository}",
        "html_url": f"{_SITE}/{item.repository}/issues/{number}",
        "id": item.number,
        "number": number,
        "title": f"{item.text} {MARK}",
        "user": {"login": item.repository.partition("/")[0]},
        "labels": [],
        "state": "open",
        "comments": item.heat // 2,
        "created_at": _when(start, item.age_h),
        "body": f"<!-- What did you see? -->\n{item.about}",
        "reactions": {"total_count": item.heat, "+1": item.heat},
        "score": 1.0,
    }


def _release(item: _Item, number: int, start: datetime) -> dict[str, Any]:
    tag = f"v{4 - number}.{item.number % 10}.0"
    when = _when(start, 3 + item.number % 19 + number * 160)
    return {
        "html_url": f"{_SITE}/{item.repository}/releases/tag/{tag}",
        "id": item.number + number,
        "tag_name": tag,
        "name": f"{tag} {MARK}",
        "draft": False,
        "prerelease": False,
        "created_at": when,
        "published_at": when,
        "author": {"login": item.repository.partition("/")[0]},
        "body": f"{item.text}: what is new, and what to mind when upgrading.",
        "reactions": {"total_count": item.heat // 10},
    }


_REPOSITORIES = (
    _Item(0.5, 14, "maren-k/paperclock", "A clock for e-paper that wakes twice an hour", "Rust"),
    _Item(0.8, 9, "quietloop/feedsieve", "Sorts your feeds by what you finished reading", "Python"),
    _Item(1.6, 41, "hexwright/tinytrace", "Tracing for small Python programs, one file", "Python"),
    _Item(2.4, 122, "ferrisfield/rope-and-ladder", "Teaches Rust ownership with playable diagrams", "Rust"),
    _Item(3.3, 18, "dunlin/harbour-lights", "Open data of lighthouses with their rhythms", "Go"),
    _Item(4.1, 67, "ojalvo/queuepond", "A queue on one SQLite file, measured", "Python"),
    _Item(5.2, 25, "bryn42/keepfit", "Backups that rehearse their own restoration", "Shell"),
    _Item(6.0, 310, "tensile-fox/gridlock", "A scheduler that explains why a job waits", "Rust"),
    _Item(7.5, 33, "lowtide/plainfolder", "A family archive as plain files", "Python"),
    _Item(8.7, 12, "sora-lind/weatherlend", "Lending software for library weather stations", "TypeScript"),
    _Item(10.1, 88, "null-island/mapscratch", "Draws maps from memory and grades them", "Python"),
    _Item(11.6, 19, "verdigris/etchings", "Renders logs as copperplate", "C"),
    _Item(13.0, 54, "kestrel9/birdcall", "Recognises birds on a microcontroller, in Rust", "Rust"),
    _Item(14.8, 143, "stackedpaper/backstep", "A debugger that steps backwards", "C"),
    _Item(16.9, 29, "pat-on-disk/labelmaker", "Prints what is on a disk before you forget", "Go"),
    _Item(19.2, 76, "loopwright/lazyload", "Finds Python imports that can wait", "Python"),
    _Item(21.7, 22, "meridiandesk/cablewatch", "Follows repair ships of undersea cables", "Python"),
    _Item(50.0, 207, "harbourpost/signatures", "Checks signed build records of Python packages", "Python"),
    _Item(90.0, 480, "ferrisfield/undo-sheet", "A spreadsheet engine in Rust with undo for everything", "Rust"),
    _Item(300.0, 950, "quietloop/one-page-reader", "A feed reader that fits on one page", "Python"),
)

_ISSUES = (
    _Item(1.2, 31, "ojalvo/queuepond", "Python workers hang when the disk is full", "The lock is never given back."),
    _Item(2.9, 64, "tensile-fox/gridlock", "Rust 2027 edition: what breaks", "A list, with a plan for each."),
    _Item(
        5.5, 12, "lowtide/plainfolder", "Dates before 1970 are sorted last", "Grandmother's letters come at the end."
    ),
    _Item(
        9.4, 45, "hexwright/tinytrace", "Python 3.15 changes the monitoring hook", "Traces have holes since the beta."
    ),
    _Item(15.0, 23, "stackedpaper/backstep", "Stepping back over a fork loses the child", "It does not come back."),
    _Item(20.3, 8, "kestrel9/birdcall", "Every pigeon is an owl at night", "Recordings are attached."),
    _Item(60.0, 77, "ferrisfield/undo-sheet", "Undo of an undo of a paste", "Twelve steps to see it."),
)
