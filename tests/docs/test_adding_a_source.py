"""The source of docs/adding-a-source.md works, and works once it is registered."""

from datetime import timedelta
from typing import Any

import pytest

from agents.bus.memory import MemoryBus
from agents.errors import InvalidOption, UnexpectedContent
from agents.resilience.guard import ResilienceConfig, ScanGuard
from agents.scout import SignalsScout
from docs.examples.lobsters import Lobsters
from tests.agents.sources.fakes import NOW, FakeFetch, answer, question


def story(**changed: Any) -> dict[str, Any]:
    return {
        "short_id": "abc123",
        "title": "A tour of Zig",
        "created_at": (NOW - timedelta(hours=2)).isoformat(),
        "url": "https://example.com/zig",
        "score": 40,
        "comment_count": 5,
        **changed,
    }


async def test_a_story_becomes_a_signal() -> None:
    fetch = FakeFetch(lambda _request: answer([story()]))
    scan = await Lobsters("https://lobste.rs").scan(question(), fetch)
    (signal,) = scan.signals
    assert (signal.id, signal.title, signal.url) == ("lobsters:abc123", "A tour of Zig", "https://example.com/zig")
    assert signal.discussion_url == "https://lobste.rs/s/abc123"
    assert (signal.engagement.points, signal.engagement.comments) == (40, 5)
    assert [request.url for request in fetch.sent] == ["https://lobste.rs/hottest.json"]


async def test_what_cannot_be_used_costs_no_other() -> None:
    old = story(short_id="old", created_at=(NOW - timedelta(days=3)).isoformat())
    page = [story(), story(created_at="yesterday"), story(title=None), story(short_id="a/b"), old]
    scan = await Lobsters("https://lobste.rs").scan(question(), FakeFetch(lambda _request: answer(page)))
    assert [signal.id for signal in scan.signals] == ["lobsters:abc123"]


async def test_the_query_is_looked_for_in_titles() -> None:
    page = [story(), story(short_id="def", title="Rust 2.0")]
    scan = await Lobsters("https://lobste.rs").scan(question("rust"), FakeFetch(lambda _request: answer(page)))
    assert [signal.title for signal in scan.signals] == ["Rust 2.0"]


async def test_a_text_is_its_discussion() -> None:
    scan = await Lobsters("https://lobste.rs").scan(question(), FakeFetch(lambda _request: answer([story(url="")])))
    assert (scan.signals[0].url, scan.signals[0].discussion_url) == ("https://lobste.rs/s/abc123", None)


@pytest.mark.parametrize("body", [b"<html>", b"{", b'{"stories": []}', b'[{"id": 1}]'])
async def test_what_is_not_a_page_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await Lobsters("https://lobste.rs").scan(question(), FakeFetch(lambda _request: answer(body)))


def test_an_unknown_listing_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidOption, match="hottest, newest"):
        Lobsters("https://lobste.rs").spec.parse_options({"listing": "best"})


async def test_the_scout_asks_it_like_any_other() -> None:
    source = Lobsters("https://lobste.rs")
    guard = ScanGuard(FakeFetch(lambda _request: answer([story()])), ResilienceConfig(), limits=source.spec.limits)
    async with SignalsScout(MemoryBus(), [source], guard, now=lambda: NOW) as scout:
        discovery = await scout.discover_signals(["lobsters"])
    assert [signal.title for signal in discovery.signals] == ["A tour of Zig"]
