"""Bluesky's public view in small: a search without an account, and one feed."""

import re
from datetime import datetime
from typing import Any

from aiohttp import web

from sandbox.upstreams.stories import Story, shared

_SHARE = 4
_FEED = re.compile(r"at://did:[a-z]+:[a-z0-9]+/app\.bsky\.feed\.generator/whats-hot")
_FORBIDDEN = "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>"


def routes(start: datetime) -> list[web.RouteDef]:
    """The two methods, under ``/xrpc`` as at the original."""

    async def search(request: web.Request) -> web.Response:
        return _search(request, start)

    async def feed(request: web.Request) -> web.Response:
        if not _FEED.fullmatch(request.query.get("feed", "")):
            return _error(400, "UnknownFeed", "could not find feed")
        hottest = sorted(shared(_SHARE), key=lambda story: story.age_h / story.heat)
        return _answer({"feed": [{"post": _post(story, start)} for story in hottest[: _limit(request)]]})

    return [
        web.get("/xrpc/app.bsky.feed.searchPosts", search),
        web.get("/xrpc/app.bsky.feed.getFeed", feed),
    ]


def _search(request: web.Request, start: datetime) -> web.Response:
    if "cursor" in request.query:
        return web.Response(status=403, text=_FORBIDDEN, content_type="text/html")
    if not request.query.get("q"):
        return _error(400, "InvalidRequest", 'Error: Params must have the property "q"')
    since = request.query.get("since")
    found = [
        story
        for story in shared(_SHARE)
        if story.matches(request.query["q"]) and (not since or story.posted(start) >= datetime.fromisoformat(since))
    ]
    if request.query.get("sort") != "latest":
        found.sort(key=lambda story: -story.heat)
    page = found[: _limit(request)]
    more = {"cursor": str(len(page))} if page else {}
    return _answer({"posts": [_post(story, start) for story in page], "hitsTotal": len(found), **more})


def _limit(request: web.Request) -> int:
    return max(1, min(100, int(request.query.get("limit", "25"))))


def _answer(body: dict[str, Any]) -> web.Response:
    return web.json_response(body, headers={"ratelimit-limit": "3000", "ratelimit-remaining": "2990"})


def _error(status: int, name: str, message: str) -> web.Response:
    return web.json_response({"error": name, "message": message}, status=status)


def _post(story: Story, start: datetime) -> dict[str, Any]:
    when = story.posted(start).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    did = f"did:plc:sample{story.author.replace('_', '')}"
    external = {"uri": story.url, "title": story.headline, "description": story.text}
    return {
        "uri": f"at://{did}/app.bsky.feed.post/3k{story.number:x}",
        "cid": f"bafyrei{story.number:x}",
        "author": {
            "did": did,
            "handle": f"{story.author.replace('_', '-')}.social.example",
            "displayName": story.author,
            "labels": [],
        },
        "record": {
            "$type": "app.bsky.feed.post",
            "text": f"{story.title}\n\n{story.text}",
            "createdAt": when,
            "langs": ["en"],
            "embed": {"$type": "app.bsky.embed.external", "external": external},
        },
        "embed": {"$type": "app.bsky.embed.external#view", "external": external},
        "replyCount": story.comments // 5,
        "repostCount": story.heat // 9,
        "quoteCount": story.heat // 50,
        "likeCount": story.heat // 2,
        "indexedAt": when,
        "viewer": {},
        "labels": [],
    }
