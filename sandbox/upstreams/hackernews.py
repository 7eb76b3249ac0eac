"""Algolia's index of Hacker News in small: ``search`` by popularity, ``search_by_date`` by age."""

import re
from datetime import datetime
from typing import Any

from aiohttp import web

from sandbox.upstreams.stories import Story, in_place

_FILTER = re.compile(r"created_at_i(>=|>|<=|<)(\d+)")


def routes(start: datetime) -> list[web.RouteDef]:
    """The two endpoints, under ``/api/v1`` as at the original."""

    async def search(request: web.Request) -> web.Response:
        return _answer(request, start, by_date=False)

    async def search_by_date(request: web.Request) -> web.Response:
        return _answer(request, start, by_date=True)

    return [web.get("/api/v1/search", search), web.get("/api/v1/search_by_date", search_by_date)]


def _answer(request: web.Request, start: datetime, *, by_date: bool) -> web.Response:
    filters = request.query.get("numericFilters", "")
    bounds = _FILTER.fullmatch(filters) if filters else None
    if filters and bounds is None:
        attribute = re.split(r"[<>=]", filters)[0]
        message = f"invalid numeric attribute({attribute}), attribute not specified in numericAttributesForFiltering"
        return web.json_response({"message": message, "status": 400}, status=400)
    after = int(bounds[2]) if bounds and bounds[1].startswith(">") else 0
    stories = [
        story
        for story in in_place("hn")
        if story.posted(start).timestamp() > after
        and story.matches(request.query.get("query", ""))
        and _tagged(story, request.query.get("tags", "story"))
    ]
    if not by_date:
        stories.sort(key=lambda story: -story.heat)
    per_page = min(1000, int(request.query.get("hitsPerPage", "20")))
    hits = [_hit(story, start) for story in stories[:per_page]]
    return web.json_response(
        {
            "hits": hits,
            "hitsPerPage": per_page,
            "nbHits": len(stories),
            "nbPages": 1,
            "page": 0,
            "processingTimeMS": 3,
        }
    )


def _tags(story: Story) -> list[str]:
    kinds = ["ask_hn"] if story.headline.startswith("Ask HN") else []
    kinds += ["show_hn"] if story.headline.startswith("Show HN") else []
    kinds += ["front_page"] if story.heat > 100 and story.age_h < 24 else []
    return ["story", f"author_{story.author}", f"story_{_number(story)}", *kinds]


def _tagged(story: Story, asked: str) -> bool:
    return all(tag in _tags(story) for tag in asked.split(","))


def _number(story: Story) -> int:
    return 90_000_000 + story.number % 9_000_000


def _hit(story: Story, start: datetime) -> dict[str, Any]:
    posted = story.posted(start)
    number = _number(story)
    hit: dict[str, Any] = {
        "_tags": _tags(story),
        "author": story.author,
        "children": [],
        "created_at": posted.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "created_at_i": int(posted.timestamp()),
        "num_comments": story.comments,
        "objectID": str(number),
        "points": story.heat,
        "story_id": number,
        "title": story.title,
        "updated_at": posted.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "url": story.url or None,
    }
    if not story.url:
        hit["story_text"] = f"<p>{story.text}</p>"
    return hit
