"""One search: what is recalled, what is ranked anew, and who holds a place for how long."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from agents.agent import AgentConfig
from agents.discovery import Discoverer, Discovery, Search
from agents.events import Filters, SourceReport, SourceRequest, SourceStatus, utc_now
from agents.ranking.rank import Ranked, rank_off_loop
from agents.ranking.trend import LEAST_AGE
from agents.resilience.guard import ResilienceConfig, ScanGuard
from agents.signal import Trend
from agents.source import Source
from tests.agents.doubles import FakeSource, after, finds, hangs, signal
from tests.agents.resilience.doubles import Clock, Upstream, settle


async def unwatched(_report: SourceReport, _done: int, _total: int) -> None:
    """Nobody looks."""


class Desk:
    """A discoverer over these sources; both it and the guard go by a clock that stands still."""

    def __init__(self, *sources: FakeSource, places: int = 5) -> None:
        self.clock = Clock()
        self.now = utc_now()
        by_name: Mapping[str, Source] = {source.spec.name: source for source in sources}
        self.guard = ScanGuard(Upstream(), ResilienceConfig(), limits={}, clock=self.clock)
        config = AgentConfig(max_concurrent_tasks=places)
        self.discoverer = Discoverer(by_name, self.guard, config, now=lambda: self.now, clock=self.clock)

    def advance(self, pause: timedelta) -> None:
        """Let time pass."""
        self.now += pause
        self.clock.advance(pause.total_seconds())

    async def search(self, *names: str, timeout_s: float = 1.0, **search: Any) -> Discovery:
        sources = tuple(SourceRequest(name=name) for name in names)
        return await self.discoverer.discover(
            Search(sources=sources, **search), timeout_s=timeout_s, on_report=unwatched
        )

    async def close(self) -> None:
        await self.guard.close()
        await self.discoverer.close()


@pytest.fixture
def rankings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many signals each ranking was given."""
    seen: list[int] = []

    async def counted(signals: Any, **named: Any) -> Ranked:
        seen.append(len(signals))
        return await rank_off_loop(signals, **named)

    monkeypatch.setattr("agents.discovery.rank_off_loop", counted)
    return seen


async def test_the_very_same_scans_are_ranked_once_in_any_order_of_sources(rankings: list[int]) -> None:
    desk = Desk(FakeSource("one"), FakeSource("two"))
    first = await desk.search("one", "two")
    second = await desk.search("two", "one")
    assert rankings == [2]
    assert second.signals == first.signals
    assert [report.source for report in second.reports] == ["two", "one"]


@pytest.mark.parametrize(
    "other",
    [
        {"query": "rust"},
        {"limit": 1},
        {"min_score": 0.9},
        {"filters": Filters(muted=("alpha",))},
    ],
)
async def test_whatever_the_ranking_depends_on_makes_another_one(other: dict[str, Any], rankings: list[int]) -> None:
    desk = Desk(FakeSource("one", finds(signal("one", 1), signal("one", 2))))
    await desk.search("one")
    await desk.search("one", **other)
    assert rankings == [2, 2]


async def test_a_fresh_scan_is_ranked_anew(rankings: list[int]) -> None:
    desk = Desk(FakeSource("one"))
    await desk.search("one")
    desk.clock.advance(1)
    await desk.search("one", max_age_s=0.5)
    assert rankings == [1, 1]


async def test_a_ranking_is_forgotten_before_recency_would_change_it(rankings: list[int]) -> None:
    one = FakeSource("one")
    desk = Desk(one)
    await desk.search("one")
    desk.clock.advance(299)
    await desk.search("one")
    assert rankings == [1]


async def test_what_moved_is_marked_against_what_the_very_same_question_showed() -> None:
    one = FakeSource("one", finds(*(signal("one", number) for number in range(6))))
    desk = Desk(one)
    assert [found.trend for found in (await desk.search("one", limit=3)).signals] == [None] * 3
    desk.advance(LEAST_AGE)
    assert [found.trend for found in (await desk.search("one", limit=6)).signals] == [None] * 6
    one.behave = finds(*(signal("one", number) for number in range(4, 10)))
    desk.advance(LEAST_AGE)
    later = await desk.search("one", limit=6, max_age_s=1.0)
    assert {found.id for found in later.signals if found.trend is Trend.NEW} == {
        f"one:{number}" for number in range(6, 10)
    }


async def test_nothing_found_needs_no_ranking(rankings: list[int]) -> None:
    desk = Desk(FakeSource("off", reason="Set OFF_KEY."))
    discovery = await desk.search("off", "nowhere")
    assert rankings == []
    assert (discovery.signals, discovery.found, len(discovery.reports)) == ((), 0, 2)


async def test_equal_searches_at_once_share_one_ranking(rankings: list[int]) -> None:
    desk = Desk(FakeSource("one", after(0.005, finds(signal("one")))))
    found = await asyncio.gather(*(desk.search("one") for _ in range(20)))
    assert rankings == [1]
    assert all(each.signals == found[0].signals for each in found)


async def test_a_search_that_got_no_place_asks_nobody_even_if_its_clock_has_time_left() -> None:
    one = FakeSource("one")
    desk = Desk(FakeSource("hung", hangs), one, places=1)
    stuck = asyncio.create_task(desk.search("hung", timeout_s=10.0))
    await settle()
    discovery = await desk.search("one", timeout_s=0.01)
    assert one.questions == []
    assert discovery.reports[0].status is SourceStatus.TIMED_OUT
    assert "too many searches were running" in discovery.reports[0].sentence
    await desk.close()
    await stuck


async def test_at_most_so_many_searches_ask_at_once() -> None:
    running, most = 0, 0

    async def count(_question: object, _fetch: object) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        return await finds()(_question, _fetch)  # type: ignore[arg-type]

    desk = Desk(FakeSource("one", count), places=2)
    await asyncio.gather(*(desk.search("one", query=str(number)) for number in range(7)))
    assert most == 2


async def test_a_cancelled_search_gives_its_place_back_and_its_scan_still_fills_the_cache() -> None:
    slow = FakeSource("slow", after(0.01, finds(signal("slow"))))
    desk = Desk(slow, places=1)
    leaving = asyncio.create_task(desk.search("slow"))
    await settle()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await asyncio.sleep(0.03)
    discovery = await desk.search("slow")
    assert discovery.reports[0].status is SourceStatus.CACHED
    assert len(slow.questions) == 1


async def test_one_that_is_cancelled_while_it_waits_for_a_place_takes_none() -> None:
    desk = Desk(FakeSource("hung", hangs), FakeSource("one"), places=1)
    stuck = asyncio.create_task(desk.search("hung", timeout_s=10.0))
    await settle()
    waiting = asyncio.create_task(desk.search("one", timeout_s=10.0))
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert len((await desk.search("one")).signals) == 1
    await desk.close()
