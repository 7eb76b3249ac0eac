"""Lobsters: which pages are read, what becomes of stories, and how gently it is asked."""

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from agents.bus.memory import MemoryBus
from agents.errors import InvalidOption, NotFound, RateLimited, SourceError, UnexpectedContent, Unreachable
from agents.fetch.request import Request
from agents.resilience.guard import ResilienceConfig, ScanGuard
from agents.scout import SignalsScout
from agents.signal import Signal, Timeframe
from agents.source import Scan
from agents.sources.lobsters import Lobsters
from tests.agents.sources.fakes import NOW, Answer, FakeFetch, answer, mutated, question
from tests.agents.sources.strategies import ANY_JSON, PATHS

SITE = "https://lobste.rs"


def story(number: int = 1, *, age_h: float = 2.0, **changed: Any) -> dict[str, Any]:
    """A story as the site sends it."""
    return {
        "short_id": f"abc{number}",
        "short_id_url": f"{SITE}/s/abc{number}",
        "created_at": (NOW - timedelta(hours=age_h)).isoformat(timespec="milliseconds"),
        "title": "A tour of Zig",
        "url": "https://example.com/zig?utm_source=lobsters",
        "score": 40,
        "flags": 0,
        "comment_count": 5,
        "description": "<p>What <em>comptime</em> buys</p>\n",
        "description_plain": "What _comptime_ buys",
        "comments_url": f"{SITE}/s/abc{number}/a_tour_of_zig",
        "submitter_user": "ada",
        "user_is_author": False,
        "tags": ["zig", "compilers"],
        **changed,
    }


def serving(*stories: Any, **headers: str) -> FakeFetch:
    return FakeFetch(lambda _: answer(list(stories), headers={k.replace("_", "-"): v for k, v in headers.items()}))


async def read(fetch: FakeFetch, query: str | None = None, **more: Any) -> Scan:
    return await Lobsters(SITE).scan(question(query, **more), fetch)


async def only_signal(**changed: Any) -> Signal:
    (signal,) = (await read(serving(story(**changed)))).signals
    return signal


async def test_a_story_becomes_a_signal() -> None:
    signal = await only_signal()
    assert (signal.id, signal.title, signal.url) == ("lobsters:abc1", "A tour of Zig", "https://example.com/zig")
    assert signal.discussion_url == "https://lobste.rs/s/abc1"
    assert (signal.author, signal.excerpt) == ("ada", "What comptime buys")
    assert (signal.engagement.points, signal.engagement.comments) == (40, 5)
    assert signal.timestamp == NOW - timedelta(hours=2)


@pytest.mark.parametrize("url", ["", None])
async def test_a_text_is_its_discussion(url: str | None) -> None:
    signal = await only_signal(url=url, submitter_user={"username": "bob", "karma": 3}, score=-2, comment_count=None)
    assert (signal.url, signal.discussion_url) == ("https://lobste.rs/s/abc1", None)
    assert signal.author == "bob"
    assert (signal.engagement.points, signal.engagement.comments) == (0, None)


async def test_what_cannot_be_used_costs_no_other() -> None:
    page = [
        story(2, created_at="yesterday"),
        story(3, created_at="2026-11-20T10:00:00"),
        story(8, created_at="9999-12-31T23:59:59-23:59"),
        story(4, title=None),
        story(5, title="\u200b"),
        story(6, short_id="a/b"),
        story(7, age_h=72),
        story(1),
    ]
    scan = await read(FakeFetch(lambda _request: answer(page)))
    assert [signal.id for signal in scan.signals] == ["lobsters:abc1"]


async def test_the_query_is_looked_for_in_titles_texts_and_tags() -> None:
    stories = [story(1), story(2, title="Rust 2.0", tags=["rust"]), story(3, title="Trust", description="")]
    for query, ids in (("rust", ["abc2"]), ("compilers tour", ["abc1"]), ("comptime", ["abc1", "abc2"]), ("em", [])):
        assert [signal.id[9:] for signal in (await read(serving(*stories), query)).signals] == ids


@pytest.mark.parametrize(
    ("timeframe", "options", "path"),
    [
        (Timeframe.DAY, {}, "/hottest.json"),
        (Timeframe.SIX_HOURS, {}, "/newest.json"),
        (Timeframe.SIX_HOURS, {"listing": "hottest"}, "/hottest.json"),
        (Timeframe.WEEK, {"listing": "newest"}, "/newest.json"),
        (Timeframe.WEEK, {"listing": "newest", "tag": "go,rust"}, "/t/go,rust.json"),
    ],
)
async def test_the_page_that_was_asked_for_is_read(timeframe: Timeframe, options: dict[str, str], path: str) -> None:
    fetch = serving(story())
    await read(fetch, timeframe=timeframe, options=options)
    assert [request.url for request in fetch.sent] == [SITE + path]


def newest(request: Request) -> Answer:
    """Hour by hour, 25 on a page."""
    parts = request.url.removesuffix(".json").split("/page/")
    first = 25 * (int(parts[1]) - 1 if len(parts) > 1 else 0)
    return answer([story(number, age_h=number + 1) for number in range(first, first + 25)])


@pytest.mark.parametrize(
    ("timeframe", "options", "paths"),
    [
        (Timeframe.DAY, {}, ["/hottest"]),
        (Timeframe.TWO_DAYS, {}, ["/hottest", "/page/2"]),
        (Timeframe.WEEK, {"listing": "newest"}, ["/newest", "/newest/page/2", "/newest/page/3"]),
        (Timeframe.TWO_DAYS, {"tag": "rust"}, ["/t/rust", "/t/rust/page/2"]),
    ],
)
async def test_pages_are_read_until_the_timeframe_is_covered_and_never_many(
    timeframe: Timeframe, options: dict[str, str], paths: list[str]
) -> None:
    fetch = FakeFetch(newest)
    scan = await read(fetch, timeframe=timeframe, options=options)
    assert [request.url for request in fetch.sent] == [f"{SITE}{path}.json" for path in paths]
    assert len(scan.signals) == min(75, timeframe.delta / timedelta(hours=1))
    assert scan.note == ("Read 75 stories; there are more." if timeframe is Timeframe.WEEK else "")


async def test_a_later_page_that_fails_costs_only_itself() -> None:
    fetch = FakeFetch(lambda request: Unreachable("It broke.") if "page" in request.url else newest(request))
    scan = await read(fetch, timeframe=Timeframe.WEEK)
    assert (len(scan.signals), scan.partial, scan.note) == (25, True, "Only the first stories arrived: It broke.")


async def test_a_tag_that_there_is_not_is_named() -> None:
    missing = NotFound("lobste.rs has no such page (404).", status=404)
    with pytest.raises(NotFound, match="no tag “nope”") as caught:
        await read(FakeFetch(lambda _: missing), options={"tag": "nope"})
    assert caught.value.__cause__ is missing
    with pytest.raises(NotFound) as caught:
        await read(FakeFetch(lambda _: missing))
    assert caught.value is missing


async def test_it_is_left_alone_until_its_reset_which_is_a_unix_time() -> None:
    reset = str(int(NOW.timestamp()) + 40)
    fetch = serving(story(), ratelimit_remaining="0", ratelimit_reset=reset)
    await read(fetch)
    assert fetch.pauses == [(f"{SITE}/hottest.json", 40.0)]
    throttled = RateLimited("slow", status=429, retry_after_s=1.0)
    with pytest.raises(RateLimited):
        await read(FakeFetch(lambda _: throttled))


def test_it_is_asked_more_gently_than_it_asks_for() -> None:
    (limit,) = Lobsters(SITE).spec.limits.values()
    assert limit.interval_s >= 1.0
    assert (limit.burst, limit.concurrency) == (1, 1)


@pytest.mark.parametrize("body", [b"<html>", b"{", b'{"stories": []}', b'[{"id": 1}]'])
async def test_what_is_not_a_page_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await Lobsters("https://lobste.rs").scan(question(), FakeFetch(lambda _request: answer(body)))


def test_tags_have_one_spelling() -> None:
    assert Lobsters(SITE).spec.parse_options({"tag": "Rust, go+rust"}) == {"tag": "go,rust"}


@pytest.mark.parametrize(("typed", "words"), [("a/b", "is no tag"), ("a b c d e f", "At most 5")])
def test_what_cannot_be_a_tag_is_refused_in_words(typed: str, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        Lobsters(SITE).spec.parse_options({"tag": typed})


def test_an_unknown_listing_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidOption, match="hottest, newest"):
        Lobsters(SITE).spec.parse_options({"listing": "best"})


async def test_the_scout_asks_it_like_any_other() -> None:
    source = Lobsters(SITE)
    guard = ScanGuard(serving(story()), ResilienceConfig(), limits=source.spec.limits)
    async with SignalsScout(MemoryBus(), [source], guard, now=lambda: NOW) as scout:
        discovery = await scout.discover_signals(["lobsters"])
    assert [signal.title for signal in discovery.signals] == ["A tour of Zig"]


@given(path=PATHS, replacement=ANY_JSON)
async def test_no_payload_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    body = json.dumps(mutated([story(1), story(2, url="")], path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await read(FakeFetch(lambda _: answer(body)))
