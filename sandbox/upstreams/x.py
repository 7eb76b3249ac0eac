"""X's recent search in small: a bearer token, a query, posts with their metrics."""

import re
import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from sandbox.upstreams.stories import MARK, Story, in_place

TOKEN = "sample-bearer"  # noqa: S105 - of the sample upstream, known to everybody
_DEFAULT = re.compile(r"\bOR\b")


def routes(start: datetime) -> list[web.RouteDef]:
    """The one endpoint, under ``/2`` as at the original."""

    async def recent(request: web.Request) -> web.Response:
        return _answer(request, start)

    return [web.get("/2/tweets/search/recent", recent)]


def _answer(request: web.Request, start: datetime) -> web.Response:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return web.json_response({"title": "Unauthorized", "status": 401}, status=401)
    asked = request.query.get("query", "")
    results = int(request.query.get("max_results", "10"))
    if not asked or not 10 <= results <= 100:
        return web.json_response(
            {"title": "Invalid Request", "errors": [{"message": "query, max_results"}]}, status=400
        )
    since = datetime.fromisoformat(request.query["start_time"]) if "start_time" in request.query else None
    found = [
        story
        for story in in_place("x")
        if story.age_h <= 168 and _matches(story, asked) and (since is None or story.posted(start) >= since)
    ]
    found.sort(key=lambda story: -story.heat)
    posts = [_post(story, start) for story in found[:results]]
    users = [{"id": _author_id(story), "username": story.author, "name": story.author} for story in found[:results]]
    body: dict[str, Any] = {"meta": {"result_count": len(posts)}}
    if posts:
        body["data"] = posts
    if posts and "author_id" in request.query.get("expansions", ""):
        body["includes"] = {"users": users}
    limits = {"x-rate-limit-limit": "450", "x-rate-limit-remaining": "449", "x-rate-limit-reset": _reset()}
    return web.json_response(body, headers=limits)


def _reset() -> str:
    return str(int(time.time()) + 900)


def _matches(story: Story, asked: str) -> bool:
    """Words as typed, without operators; a query of alternatives, as the general one is, finds everything."""
    words = re.sub(r"-?\w+:\S+", " ", asked)
    return bool(_DEFAULT.search(words)) or story.matches(words)


def _author_id(story: Story) -> str:
    return str(1_000_000 + story.number % 1_000_000)


def _post(story: Story, start: datetime) -> dict[str, Any]:
    short = f"https://t.co/s{story.number % 10_000_000}"
    post: dict[str, Any] = {
        "id": str(1_900_000_000_000_000_000 + story.number),
        "text": f"{story.title} {short}" if story.url else f"{story.headline} {MARK}\n{story.text}",
        "author_id": _author_id(story),
        "created_at": story.posted(start).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "possibly_sensitive": False,
        "public_metrics": {
            "like_count": story.heat,
            "reply_count": story.comments // 3,
            "repost_count": story.heat // 6,
            "quote_count": story.heat // 40,
            "bookmark_count": story.heat // 9,
            "impression_count": story.heat * 61,
        },
        "edit_history_post_ids": [str(1_900_000_000_000_000_000 + story.number)],
    }
    if story.url:
        post["entities"] = {"urls": [{"url": short, "expanded_url": story.url, "display_url": story.url[8:34] + "…"}]}
    return post
