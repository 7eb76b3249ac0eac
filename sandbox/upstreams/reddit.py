"""Reddit in small: tokens, listings, search, and the public Atom feeds, in the shapes of its API."""

import base64
import math
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape
from typing import Any

from aiohttp import web

from sandbox.upstreams.stories import Story, in_place

CLIENT_ID = "sample-client"
CLIENT_SECRET = "sample-secret"  # noqa: S105 - of the sample upstream, known to everybody
_BASIC = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
_TOKEN_LIFE_S = 86_400
_WINDOWS_H = {"hour": 1, "day": 24, "week": 168, "month": 730, "year": 8766, "all": math.inf}
_SITE = "https://www.reddit.com"


def routes(start: datetime) -> list[web.RouteDef]:
    """The routes of both the site and the API, which share one address here."""
    return _Reddit(start).routes()


class _Reddit:
    def __init__(self, start: datetime) -> None:
        self._start = start
        self._tokens: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v1/access_token", self.access_token),
            web.get("/search.rss", self.feed),
            web.get("/r/{subs}/search.rss", self.feed),
            web.get("/r/{subs}/.rss", self.feed),
            web.get("/r/{subs}/{sort:new|hot|top}/.rss", self.feed),
            web.get("/search", self.listing),
            web.get("/r/{subs}/search", self.listing),
            web.get("/r/{subs}/{sort:new|hot|top}", self.listing),
        ]

    async def access_token(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != _BASIC:
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"})
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        return web.json_response(
            {"access_token": token, "token_type": "bearer", "expires_in": _TOKEN_LIFE_S, "scope": "*"}
        )

    async def listing(self, request: web.Request) -> web.Response:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if bearer not in self._tokens:
            return web.json_response({"message": "Unauthorized", "error": 401}, status=401)
        stories = _asked(request)
        after = request.query.get("after", "")
        names = [_name(story) for story in stories]
        begin = names.index(after) + 1 if after in names else 0
        end = begin + max(1, min(100, int(request.query.get("limit", "25"))))
        page = stories[begin:end]
        children = [{"kind": "t3", "data": self._post(story)} for story in page]
        last = _name(page[-1]) if page and end < len(stories) else None
        data = {
            "after": last,
            "before": None,
            "dist": len(page),
            "modhash": None,
            "geo_filter": "",
            "children": children,
        }
        limits = {"x-ratelimit-remaining": "95.0", "x-ratelimit-reset": "42", "x-ratelimit-used": "5"}
        return web.json_response({"kind": "Listing", "data": data}, headers=limits)

    def _post(self, story: Story) -> dict[str, Any]:
        posted = story.posted(self._start)
        fresh = story.age_h < 0.5
        post: dict[str, Any] = {
            "name": _name(story),
            "id": _name(story)[3:],
            "title": story.title,
            "author": story.author,
            "subreddit": story.subreddit,
            "subreddit_name_prefixed": f"r/{story.subreddit}",
            "permalink": _permalink(story),
            "created_utc": posted.timestamp(),
            "score": 1 if fresh else story.heat,
            "ups": 1 if fresh else story.heat,
            "upvote_ratio": 0.93,
            "hide_score": fresh,
            "num_comments": story.comments,
            "is_self": not story.url,
            "selftext": "" if story.url else story.text,
            "url": story.url or _SITE + _permalink(story),
            "domain": f"{story.site}.example" if story.url else f"self.{story.subreddit}",
            "over_18": False,
            "stickied": False,
            "is_video": False,
            "removed_by_category": None,
        }
        if story.url:
            post["url_overridden_by_dest"] = story.url
        return post

    async def feed(self, request: web.Request) -> web.Response:
        entries = "".join(self._entry(story) for story in _asked(request)[:25])
        title = escape(request.match_info.get("subs", "search results"))
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
            f"<title>{title} (sample)</title><id>{escape(request.path)}</id>{entries}</feed>"
        )
        return web.Response(text=body, content_type="application/atom+xml")

    def _entry(self, story: Story) -> str:
        page = _SITE + _permalink(story)
        html = (
            f'<div class="md"><p>{escape(story.text)}</p></div> submitted by <a href="{_SITE}/user/{story.author}">'
            f'/u/{story.author}</a> <br/> <span><a href="{story.url or page}">[link]</a></span> '
            f'<span><a href="{page}">[comments]</a></span>'
        )
        posted = story.posted(self._start).isoformat()
        return (
            f"<entry><author><name>/u/{story.author}</name></author>"
            f'<category term="{story.subreddit}" label="r/{story.subreddit}"/>'
            f'<content type="html">{escape(html)}</content><id>{_name(story)}</id><link href="{page}"/>'
            f"<updated>{posted}</updated><published>{posted}</published><title>{escape(story.title)}</title></entry>"
        )


def _asked(request: web.Request) -> list[Story]:
    subs = request.match_info.get("subs")
    sort = request.match_info.get("sort") or request.query.get("sort", "hot")
    stories = _of_subreddits(subs)
    if "q" in request.query:
        stories = [story for story in stories if story.matches(request.query["q"])]
    if sort == "new":
        return stories
    if sort in {"top", "relevance"}:
        hours = _WINDOWS_H.get(request.query.get("t", "day"), 24)
        stories = [story for story in stories if story.age_h <= hours]
    return sorted(stories, key=lambda story: -_hotness(story, sort))


def _of_subreddits(subs: str | None) -> list[Story]:
    if subs is None or subs == "all":
        return in_place("r/")
    names = {name.lower() for name in subs.split("+")}
    return [story for story in in_place("r/") if story.subreddit in names]


def _hotness(story: Story, sort: str) -> float:
    age = timedelta(hours=story.age_h).total_seconds()
    return math.log10(story.heat) - age / 45_000 if sort == "hot" else story.heat


def _name(story: Story) -> str:
    return f"t3_s{_base36(story.number)}"


def _permalink(story: Story) -> str:
    return f"/r/{story.subreddit}/comments/{_name(story)[3:]}/{story.slug.replace('-', '_')[:50]}/"


def _base36(number: int) -> str:
    digits: Iterable[str] = ()
    while number:
        number, rest = divmod(number, 36)
        digits = ("0123456789abcdefghijklmnopqrstuvwxyz"[rest], *digits)
    return "".join(digits)
