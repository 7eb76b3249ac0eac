"""Three sample feeds: RSS 2.0, Atom and JSON Feed, with validators as publishers send them."""

import hashlib
import json
from datetime import datetime
from email.utils import format_datetime
from html import escape

from aiohttp import web

from sandbox.upstreams.faults import Handler
from sandbox.upstreams.stories import Story, in_place

FEEDS = ("/wire.xml", "/weekly.atom", "/notes.json")


def routes(start: datetime) -> list[web.RouteDef]:
    """One route per feed."""
    return [
        web.get("/wire.xml", _serving(_rss(in_place("wire"), start), "application/rss+xml")),
        web.get("/weekly.atom", _serving(_atom(in_place("weekly"), start), "application/atom+xml")),
        web.get("/notes.json", _serving(_json(in_place("notes"), start), "application/feed+json")),
    ]


def _serving(body: str, content_type: str) -> Handler:
    raw = body.encode()
    headers = {"ETag": f'"{hashlib.sha256(raw).hexdigest()[:16]}"'}

    async def serve(request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=raw, content_type=content_type, charset="utf-8", headers=headers)

    return serve


def _rss(stories: list[Story], start: datetime) -> str:
    items = "".join(
        f"<item><title>{escape(story.title)}</title><link>{story.url}</link><guid>{story.url}</guid>"
        f"<description>{escape(f'<p>{escape(story.text)}</p>')}</description>"
        f"<pubDate>{format_datetime(story.posted(start))}</pubDate></item>"
        for story in stories
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Sample Wire</title>'
        f"<link>https://wire.example/</link><description>Invented news</description>{items}</channel></rss>"
    )


def _atom(stories: list[Story], start: datetime) -> str:
    entries = "".join(
        f"<entry><id>tag:weekly.example,2026:{story.number}</id><title>{escape(story.title)}</title>"
        f'<link rel="alternate" href="{story.url}"/><author><name>{story.author}</name></author>'
        f"<updated>{story.posted(start).isoformat()}</updated><summary>{escape(story.text)}</summary></entry>"
        for story in stories
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Sample Weekly</title>'
        f"<id>tag:weekly.example,2026:feed</id><updated>{start.isoformat()}</updated>{entries}</feed>"
    )


def _json(stories: list[Story], start: datetime) -> str:
    items = [
        {
            "id": str(story.number),
            "url": story.url,
            "title": story.title,
            "content_text": story.text,
            "date_published": story.posted(start).isoformat(),
            "authors": [{"name": story.author}],
        }
        for story in stories
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Sample Notes", "items": items}
    return json.dumps(feed)
