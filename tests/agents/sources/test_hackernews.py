"""Hacker News: what is asked of Algolia, and what becomes of its hits."""

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from agents.errors import InvalidOption, SourceError, UnexpectedContent, UpstreamFailed
from agents.fetch.request import Request, Response
from agents.signal import Timeframe
from agents.sources.hackernews import HackerNews
from tests.agents.sources.fakes import NOW, FakeFetch, answer, mutated, question
from tests.agents.sources.strategies import ANY_JSON, PATHS

API = "https://hn.algolia.com/api/v1"


def hit(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "objectID": str(number),
        "title": f"Story {number}",
        "url": f"https://site.example/{number}",
        "author": "ada",
        "points": 12,
        "num_comments": 3,
        "created_at_i": int((NOW - timedelta(hours=2)).timestamp()),
        "story_text": None,
        **fields,
    }


def serving(*hits: dict[str, Any]) -> FakeFetch:
    return FakeFetch(lambda _: answer({"hits": list(hits), "nbHits": len(hits)}))


async def test_asks_for_the_popular_and_the_newest_by_time_alone() -> None:
    fetch = serving(hit())

    await HackerNews(API).scan(question("rust", timeframe=Timeframe.WEEK, limit=60), fetch)

    assert sorted(request.url for request in fetch.sent) == [f"{API}/search", f"{API}/search_by_date"]
    since = int((NOW - timedelta(days=7)).timestamp())
    expected = {"tags": "story", "numericFilters": f"created_at_i>{since}", "hitsPerPage": "60", "query": "rust"}
    assert all(dict(request.params) == expected for request in fetch.sent)


async def test_an_item_of_both_is_one_signal() -> None:
    scan = await HackerNews(API).scan(question(), serving(hit(7)))

    (signal,) = scan.signals
    assert signal.id == "hackernews:7"
    assert signal.url == "https://site.example/7"
    assert signal.discussion_url == "https://news.ycombinator.com/item?id=7"
    assert (signal.engagement.points, signal.engagement.comments) == (12, 3)
    assert signal.timestamp == NOW - timedelta(hours=2)
    assert scan.note == ""


@pytest.mark.parametrize("url", [None, "", "javascript:alert(1)", "not an address"])
async def test_a_story_without_a_usable_link_is_its_discussion(url: str | None) -> None:
    (signal,) = (
        await HackerNews(API).scan(question(), serving(hit(url=url, story_text="<p>Why &amp; how</p>")))
    ).signals

    assert signal.url == "https://news.ycombinator.com/item?id=1"
    assert signal.discussion_url is None
    assert signal.excerpt == "Why & how"


async def test_unknown_counts_stay_unknown() -> None:
    (signal,) = (await HackerNews(API).scan(question(), serving(hit(points=None, num_comments=None)))).signals

    assert not signal.engagement.known


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at_i": 10**12 * 10**6},
        {"created_at_i": "yesterday"},
        {"title": None},
        {"title": "\u202e"},
        {"objectID": "../1"},
        {"created_at_i": 1000},
    ],
    ids=str,
)
async def test_a_hit_that_cannot_be_used_costs_no_other(fields: dict[str, Any]) -> None:
    scan = await HackerNews(API).scan(question(), serving(hit(1, **fields), hit(2)))

    assert [signal.id for signal in scan.signals] == ["hackernews:2"]


async def test_half_an_answer_is_partial_and_says_so() -> None:
    def reply(request: Request) -> Response | SourceError:
        if request.url.endswith("by_date"):
            return UpstreamFailed("Algolia is ill.", status=500)
        return answer({"hits": [hit()]})

    scan = await HackerNews(API).scan(question(), FakeFetch(reply))

    assert len(scan.signals) == 1
    assert scan.partial
    assert "Algolia is ill." in scan.note


async def test_no_answer_is_an_error() -> None:
    with pytest.raises(UpstreamFailed):
        await HackerNews(API).scan(question(), FakeFetch(lambda _: UpstreamFailed("Ill.", status=502)))


@pytest.mark.parametrize("body", [b"", b"{", b'{"hits": 3}', b"[]", b"null", b'{"hits": [{"x": 1}]}', b"\xff\xfe"])
async def test_what_is_not_a_page_of_hits_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await HackerNews(API).scan(question(), FakeFetch(lambda _: answer(body)))


async def test_no_hits_is_an_empty_answer() -> None:
    assert (await HackerNews(API).scan(question(), serving())).signals == ()


@pytest.mark.parametrize(("typed", "tag"), [("ask", "ask_hn"), ("Show HN", "show_hn"), ("front_page", "front_page")])
async def test_the_kind_is_a_tag(typed: str, tag: str) -> None:
    source = HackerNews(API)
    fetch = serving()

    await source.scan(question(options=source.spec.parse_options({"kind": typed})), fetch)

    assert fetch.sent[0].params["tags"] == tag


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidOption, match="ask, show, front"):
        HackerNews(API).spec.parse_options({"kind": "jobs"})


@given(path=PATHS, replacement=ANY_JSON)
async def test_no_payload_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    body = json.dumps(mutated({"hits": [hit(1), hit(2)], "nbHits": 2}, path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await HackerNews(API).scan(question(), FakeFetch(lambda _: answer(body)))
