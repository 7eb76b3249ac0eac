"""Stack Exchange's API in small: questions and their search, always compressed; the questions are invented."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

from aiohttp import web

from sandbox.upstreams.stories import Story

KEY = "sample-key"
_SITES = {
    "stackoverflow": "https://stackoverflow.com",
    "superuser": "https://superuser.com",
    "serverfault": "https://serverfault.com",
    "askubuntu": "https://askubuntu.com",
}


def routes(start: datetime) -> list[web.RouteDef]:
    """The two methods, under ``/2.3`` as at the original."""

    async def questions(request: web.Request) -> web.Response:
        return _answer(request, start)

    return [web.get("/2.3/questions", questions), web.get("/2.3/search/advanced", questions)]


def _answer(request: web.Request, start: datetime) -> web.Response:
    asked = request.query
    site = asked.get("site", "")
    if site not in _SITES:
        return _compressed(_error("bad_parameter", f"No site found for name `{site}`"), status=400)
    if asked.get("key", KEY) != KEY:
        return _compressed(_error("bad_parameter", "`key` doesn't match a known application"), status=400)
    tags = set(filter(None, asked.get("tagged", "").split(";")))
    found = [
        story
        for story in _QUESTIONS
        if _site(story) == site
        and tags <= set(_tags(story))
        and story.posted(start).timestamp() >= float(asked.get("fromdate", "0"))
        and story.matches(asked.get("q", ""))
    ]
    if asked.get("sort") == "votes":
        found.sort(key=lambda story: -story.heat)
    page = found[: min(100, int(asked.get("pagesize", "30")))]
    quota = 10_000 if "key" in asked else 300
    items = [_question(story, start) for story in page]
    return _compressed(
        {"items": items, "has_more": len(found) > len(page), "quota_max": quota, "quota_remaining": quota - 1}
    )


def _compressed(body: dict[str, Any], *, status: int = 200) -> web.Response:
    response = web.json_response(body, status=status, dumps=json.dumps)
    response.enable_compression(web.ContentCoding.gzip)
    return response


def _error(name: str, message: str) -> dict[str, Any]:
    return {"error_id": 400, "error_name": name, "error_message": message}


def _site(story: Story) -> str:
    return story.places[0]


def _tags(story: Story) -> Sequence[str]:
    return story.places[1:]


def _question(story: Story, start: datetime) -> dict[str, Any]:
    number = 79_000_000 + story.number % 900_000
    posted = int(story.posted(start).timestamp())
    return {
        "tags": list(_tags(story)),
        "owner": {"user_id": story.number % 10_000, "display_name": story.author, "reputation": 101},
        "is_answered": story.heat > 10,
        "view_count": story.heat * 31,
        "answer_count": min(story.heat // 6, 9),
        "score": story.heat,
        "last_activity_date": posted + int(timedelta(minutes=10).total_seconds()),
        "creation_date": posted,
        "question_id": number,
        "link": f"{_SITES[_site(story)]}/questions/{number}/{story.slug}",
        "title": escape(story.title),
        "body": f"<p>{escape(story.text)}</p>\n<pre><code>$ run --again\n</code></pre>",
    }


def _asked(age_h: float, heat: int, places: str, headline: str, text: str) -> Story:
    return Story(age_h, heat, tuple(places.split()), "", headline, text)


_QUESTIONS = (
    _asked(
        0.4, 2, "stackoverflow python asyncio", "Why does my Python task vanish before it is done?",
        "It is created in a function, nobody holds it, and it ends without a word.",
    ),
    _asked(
        0.9, 4, "stackoverflow rust lifetimes", "Borrow lasts longer than the block in Rust 2027",
        "The same code compiled a year ago. What has changed in how temporaries are dropped?",
    ),
    _asked(
        1.8, 7, "stackoverflow sqlite locking", "SQLite says that the database is locked though nobody writes",
        "Two readers, one process, and a network disk that I did not mention at first.",
    ),
    _asked(
        2.6, 12, "stackoverflow python typing", "How do I type a decorator that keeps the signature in Python?",
        "With an optional argument, so that it works with and without parentheses.",
    ),
    _asked(
        3.5, 3, "stackoverflow css", "A grid that is as tall as its text and no taller",
        "Every answer that I found ends with a script.",
    ),
    _asked(
        4.7, 21, "stackoverflow git", "Undo a rebase after the branch was deleted",
        "The reflog has it, but which of these lines is mine?",
    ),
    _asked(
        5.9, 5, "stackoverflow rust async", "Cancelling a Rust future in the middle of a write",
        "What is half written, who cleans up, and can the type system help?",
    ),
    _asked(
        7.4, 34, "stackoverflow postgresql", "LISTEN gets slower the more channels there are",
        "Measured, with a plot; the lock is in the plot.",
    ),
    _asked(
        8.9, 9, "stackoverflow python packaging", "Which Python file names the version now?",
        "There are four in my project and they disagree.",
    ),
    _asked(
        10.3, 17, "stackoverflow http", "Retry-After in the past: wait or go on?",
        "The server's clock is seven minutes behind.",
    ),
    _asked(
        12.0, 6, "stackoverflow linux signals", "Who gets SIGTERM when there are three threads?",
        "The answer seems to change with the kernel.",
    ),
    _asked(
        13.7, 28, "stackoverflow floating-point", "Why does the sum depend on the order?",
        "A bakery lost its flour order over this.",
    ),
    _asked(
        15.5, 4, "stackoverflow docker", "A container that knows the time zone of its host",
        "Without mounting half of the file system.",
    ),
    _asked(
        17.2, 11, "stackoverflow python profiling", "Find the memory that Python never gives back",
        "The profiler says that nobody holds it.",
    ),
    _asked(
        19.6, 8, "stackoverflow regex", "Match balanced brackets, but only three deep",
        "I know that I should not. The input is three deep, I promise.",
    ),
    _asked(
        22.8, 15, "stackoverflow rust macros", "A Rust macro that counts its arguments at compile time",
        "And says so in its error message.",
    ),
    _asked(
        40.0, 52, "stackoverflow git performance", "Clone only last year of a large repository",
        "Ten years of pictures are in it.",
    ),
    _asked(
        100.0, 96, "stackoverflow python gil", "Is this counter safe without the lock in Python?",
        "It was, by accident.",
    ),
    _asked(
        6.6, 13, "superuser disks", "A disk that is full and empty at the same time",
        "Two tools, two numbers, one of them smiles.",
    ),
    _asked(
        14.1, 5, "superuser keyboard", "Type a dash that is longer than a hyphen",
        "On every layout, without installing anything.",
    ),
)  # fmt: skip
