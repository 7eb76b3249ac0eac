"""Lobsters in small: its front pages and tags as JSON, 25 stories on each."""

import re
from datetime import datetime
from typing import Any

from aiohttp import web

from sandbox.upstreams.stories import Story, shared

_SHARE = 3
_PAGE_ITEMS = 25
_SITE = "https://lobsters.example"


def routes(start: datetime) -> list[web.RouteDef]:
    """The pages, each with those behind it."""

    async def newest(request: web.Request) -> web.Response:
        return _page(request, shared(_SHARE), start)

    async def hottest(request: web.Request) -> web.Response:
        return _page(request, sorted(shared(_SHARE), key=_coldness), start)

    async def tagged(request: web.Request) -> web.Response:
        tags = set(request.match_info["tags"].split(","))
        found = [story for story in shared(_SHARE) if tags & set(_tags(story))]
        return _page(request, found, start) if found else web.Response(status=404, text="Resource not found")

    return [
        web.get("/hottest.json", hottest),
        web.get(r"/page/{page:\d+}.json", hottest),
        web.get("/newest.json", newest),
        web.get(r"/newest/page/{page:\d+}.json", newest),
        web.get(r"/t/{tags:[a-z0-9_,-]+}.json", tagged),
        web.get(r"/t/{tags:[a-z0-9_,-]+}/page/{page:\d+}.json", tagged),
    ]


def _coldness(story: Story) -> float:
    return (story.age_h + 6) / story.heat


def _page(request: web.Request, stories: list[Story], start: datetime) -> web.Response:
    first = _PAGE_ITEMS * (int(request.match_info.get("page", "1")) - 1)
    return web.json_response([_story(story, start) for story in stories[first : first + _PAGE_ITEMS]])


def _tags(story: Story) -> list[str]:
    return sorted({word for word in re.findall(r"[a-z]+", story.headline.lower()) if len(word) > 3})[:4]


def _story(story: Story, start: datetime) -> dict[str, Any]:
    short_id = f"{story.number:08x}"
    return {
        "short_id": short_id,
        "short_id_url": f"{_SITE}/s/{short_id}",
        "created_at": story.posted(start).isoformat(timespec="milliseconds"),
        "title": story.title,
        "url": story.url,
        "score": story.heat // 4,
        "flags": 0,
        "comment_count": story.comments // 8,
        "description": f"<p>{story.text}</p>\n",
        "description_plain": story.text,
        "comments_url": f"{_SITE}/s/{short_id}/{story.slug}",
        "submitter_user": story.author,
        "user_is_author": False,
        "tags": _tags(story),
    }
