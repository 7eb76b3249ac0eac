"""GDELT's index in small: articles by words, theme and language, and refusals as text with status 200."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from sandbox.upstreams.stories import Story, shared

_SHARE = 7
_MOST_ITEMS = 250
_THEMES = (
    "ENV_CLIMATECHANGE", "ARMEDCONFLICT", "NATURAL_DISASTER", "EPU_ECONOMY", "ELECTION", "GENERAL_HEALTH", "PROTEST",
    "SCIENCE",
)  # fmt: skip
_HOURS = {"h": 1, "d": 24}


def routes(start: datetime) -> list[web.RouteDef]:
    """The one address of the API."""

    async def search(request: web.Request) -> web.Response:
        asked = request.query.get("query", "")
        words = [word for word in asked.split() if ":" not in word and word != "OR"]
        if not asked.strip() or any(len(word) < 3 for word in words):
            return web.Response(text="Your query was too short or too long.\n", content_type="text/html")
        language = re.search(r"sourcelang:(\w+)", asked)
        oldest_h = _hours(request.query.get("timespan", "24h"))
        found = [story for story in shared(_SHARE) if story.age_h <= oldest_h and _fits(story, words, asked)]
        if language and language[1] != "english":
            found = []
        if request.query.get("sort") == "HybridRel":
            found.sort(key=lambda story: -story.heat)
        return _answer(found[: min(_MOST_ITEMS, int(request.query.get("maxrecords", "75")))], start)

    return [web.get("/api/v2/doc/doc", search)]


def _hours(timespan: str) -> int:
    found = re.fullmatch(r"(\d{1,3})([hd])", timespan)
    return int(found[1]) * _HOURS[found[2]] if found else 24


def _fits(story: Story, words: list[str], asked: str) -> bool:
    themes = set(re.findall(r"theme:(\w+)", asked))
    bears = {_THEMES[story.number % 8], _THEMES[story.number // 8 % 8], _THEMES[story.number // 64 % 8]}
    return story.matches(" ".join(words)) and (not themes or bool(themes & bears))


def _answer(stories: list[Story], start: datetime) -> web.Response:
    body = {"articles": [_article(story, start) for story in stories]} if stories else {}
    return web.Response(text=json.dumps(body) + "\n", content_type="application/json")


def _article(story: Story, start: datetime) -> dict[str, Any]:
    seen = story.posted(start) + timedelta(minutes=min(10.0, story.age_h * 30))
    return {
        "url": story.url,
        "url_mobile": "",
        "title": re.sub(r"([,:;?])", r" \1", story.title),
        "seendate": seen.strftime("%Y%m%dT%H%M%SZ"),
        "socialimage": "",
        "domain": f"{story.site}.example",
        "language": "English",
        "sourcecountry": "United States",
    }
