"""A Mastodon server in small: tags, its public timelines and what trends."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from aiohttp import web

from sandbox.upstreams.stories import Story, shared

_SHARE = 2
_MOST_ITEMS = 40
_SITE = "https://social.example"


def routes(start: datetime) -> list[web.RouteDef]:
    """The three timelines, under ``/api/v1`` as at the original."""

    async def tag(request: web.Request) -> web.Response:
        tags = {request.match_info["tag"].lower(), *(each.lower() for each in request.query.getall("any[]", []))}
        return _answer(request, (story for story in shared(_SHARE) if tags & set(_tags(story))), start)

    async def public(request: web.Request) -> web.Response:
        return _answer(request, shared(_SHARE), start)

    async def trends(request: web.Request) -> web.Response:
        recent = (story for story in shared(_SHARE) if story.age_h < 72)
        return _answer(request, sorted(recent, key=lambda story: story.age_h / story.heat), start)

    return [
        web.get("/api/v1/timelines/tag/{tag}", tag),
        web.get("/api/v1/timelines/public", public),
        web.get("/api/v1/trends/statuses", trends),
    ]


def _answer(request: web.Request, stories: Iterable[Story], start: datetime) -> web.Response:
    before = request.query.get("max_id")
    older = [story for story in stories if not before or _id(story, start) < int(before)]
    page = older[: max(1, min(_MOST_ITEMS, int(request.query.get("limit", "20"))))]
    reset = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "290", "X-RateLimit-Reset": reset}
    return web.json_response([_status(story, start) for story in page], headers=headers)


def _id(story: Story, start: datetime) -> int:
    """As there: the time in milliseconds, and something that tells posts of the same one apart."""
    return (int(story.posted(start).timestamp() * 1000) << 16) + story.number % 65_536


def _tags(story: Story) -> list[str]:
    return [word for word in re.findall(r"[a-z]+", story.headline.lower()) if len(word) > 3][:6]


def _status(story: Story, start: datetime) -> dict[str, Any]:
    number = str(_id(story, start))
    page = f"{_SITE}/@{story.author}/{number}"
    shown = f'<span class="invisible">https://</span><span class="">{story.url[8:]}</span>'
    tags = " ".join(
        f'<a href="{_SITE}/tags/{tag}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'
        for tag in _tags(story)
    )
    return {
        "id": number,
        "created_at": story.posted(start).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "in_reply_to_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"{_SITE}/users/{story.author}/statuses/{number}",
        "url": page,
        "replies_count": story.comments // 6,
        "reblogs_count": story.heat // 5,
        "favourites_count": story.heat // 3,
        "content": (
            f"<p>{escape(story.title)}</p><p>{escape(story.text)} "
            f'<a href="{story.url}" target="_blank" rel="nofollow noopener">{shown}</a></p><p>{tags}</p>'
        ),
        "reblog": None,
        "account": {"id": "1", "username": story.author, "acct": story.author, "bot": False},
        "media_attachments": [],
        "tags": [{"name": tag, "url": f"{_SITE}/tags/{tag}"} for tag in _tags(story)],
        "card": {"url": story.url, "title": story.headline, "description": story.text, "type": "link"},
        "poll": None,
    }
