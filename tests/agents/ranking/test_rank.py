"""An answer is recent, wanted, good enough, told once and fair to quiet sources; making it never stalls the loop."""

import asyncio
import gc
import random
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.events import Filters
from agents.ranking.rank import BATCH_SIZE, INLINE_MAX, MOST_UNNAMED, Dropped, Ranked, batch, rank, rank_off_loop
from agents.signal import Reason, Signal
from tests.agents.ranking.signals import DAY, LISTS, NOW, QUERIES, signal


@given(LISTS, QUERIES, st.floats(min_value=0, max_value=1), st.integers(min_value=1, max_value=6), st.booleans())
def test_every_signal_is_shown_or_accounted_for(
    signals: list[Signal], query: str | None, min_score: float, limit: int, strict: bool
) -> None:
    ranked = rank(
        signals,
        query=query,
        timeframe=DAY,
        now=NOW,
        filters=Filters(muted=("python",)),
        min_score=min_score,
        limit=limit,
        strict=strict,
    )
    assert len(ranked.signals) + ranked.dropped.total == len(signals)
    assert ranked.found == len(ranked.signals) + ranked.dropped.cut
    assert len(ranked.signals) == min(limit, ranked.found)
    scores = [one.score for one in ranked.signals]
    assert scores == sorted(scores, reverse=True)
    assert all(score > min_score if strict else score >= min_score for score in scores)


@given(st.data(), LISTS, QUERIES)
def test_the_answer_does_not_depend_on_the_order_of_arrival(
    data: st.DataObject, signals: list[Signal], query: str | None
) -> None:
    def ranked(these: list[Signal]) -> Ranked:
        return rank(these, query=query, timeframe=DAY, now=NOW, limit=5)

    assert ranked(data.draw(st.permutations(signals))) == ranked(signals)


def test_each_reason_is_counted() -> None:
    signals = [
        signal(1, title="one story of four words", age=timedelta(0)),
        signal(2, title="One story of four words!", source="news"),
        signal(3, age=timedelta(hours=25)),
        signal(4, nsfw=True),
        signal(5, title="about crypto"),
        signal(6, age=timedelta(hours=23)),
        signal(7),
    ]
    ranked = rank(
        signals, query=None, timeframe=DAY, now=NOW, filters=Filters(muted=("crypto",)), min_score=0.5, limit=1
    )
    assert [one.id for one in ranked.signals] == ["reddit:1"]
    assert [place.source for place in ranked.signals[0].also_in] == ["news"]
    assert ranked.dropped == Dropped(older=1, nsfw=1, muted=1, merged=1, weak=1, cut=1)


def test_what_is_left_out_says_why_and_those_nearest_to_being_shown_come_first() -> None:
    page = "https://site.example/a"
    signals = [
        signal(1, age=timedelta(0)),
        signal(2, title="second", url=page),
        signal(3, title="its twin", url=page, source="news", age=timedelta(hours=2)),
        signal(6, age=timedelta(hours=23)),
        signal(5, title="about crypto"),
        signal(4, nsfw=True),
    ]
    ranked = rank(
        signals, query=None, timeframe=DAY, now=NOW, filters=Filters(muted=("crypto",)), min_score=0.5, limit=1
    )
    assert [(left.title, left.reason) for left in ranked.left_out] == [
        ("second", Reason.CUT),
        ("its twin", Reason.MERGED),
        ("headline6", Reason.WEAK),
        ("about crypto", Reason.MUTED),
        ("headline4", Reason.NSFW),
    ]
    assert ranked.left_out[1].detail == "second"
    scored = ranked.left_out[2]
    assert scored.score is not None
    assert scored.score < 0.5
    assert scored.parts is not None


def test_what_is_left_out_takes_little_memory() -> None:
    def ranked(count: int) -> Ranked:
        signals = [signal(number, age=timedelta(minutes=number)) for number in range(count)]
        return rank(signals, query=None, timeframe=DAY, now=NOW, limit=5)

    ranked(300)
    tracemalloc.start()
    try:
        kept = [ranked(300).left_out for _ in range(5)]
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used / sum(map(len, kept)) < 1_600  # bytes; 2,600 with a set of field names for each


def test_what_gave_way_to_others_says_to_whom() -> None:
    loud = [signal(n, age=timedelta(minutes=n)).model_copy(update={"author": "loud"}) for n in range(5)]
    others = [signal(n, age=timedelta(minutes=n), url=f"https://o{n}.example/") for n in range(10, 13)]
    quiet = signal(99, source="news", age=timedelta(hours=9), nsfw=True)
    ranked = rank([*loud, *others, quiet], query=None, timeframe=DAY, now=NOW, limit=5, filters=Filters(nsfw=True))
    assert [one.id[-2:] for one in ranked.signals] == [":0", ":1", ":2", "10", "99"]
    assert [(left.title, left.reason) for left in ranked.left_out] == [
        ("headline3", Reason.CROWDED),
        ("headline4", Reason.CROWDED),
        ("headline11", Reason.YIELDED),
        ("headline12", Reason.CUT),
    ]
    assert ranked.dropped.cut == 4


def test_what_tells_a_story_that_is_shown_is_accounted_for_unless_it_is_named_there() -> None:
    title = "one story of some more words"
    talk = "https://talk.example/3"
    told = [
        signal(1, title=title, age=timedelta(0)),
        signal(2, title=title, source="news", url="https://news.example/named"),
        signal(3, title=title, source="hackernews", url="https://unnamed.example/", discussion_url=talk),
    ]
    ranked = rank(told, query=None, timeframe=DAY, now=NOW)
    assert {place.url for place in ranked.signals[0].also_in} == {"https://news.example/named", talk}
    assert [(left.url, left.discussion_url, left.reason, left.detail) for left in ranked.left_out] == [
        ("https://unnamed.example/", talk, Reason.MERGED, title)
    ]
    flood = [signal(n, title=title, url=f"https://f{n}.example/") for n in range(500)]
    ranked = rank([*flood, signal(999)], query=None, timeframe=DAY, now=NOW, limit=1)
    reasons = [left.reason for left in ranked.left_out]
    assert reasons.count(Reason.MERGED) == MOST_UNNAMED
    assert reasons[-1] is Reason.CUT


def test_what_tells_an_unsafe_story_is_unsafe_itself() -> None:
    page = "https://site.example/a"
    told = [signal(1, age=timedelta(0)), signal(2, url=page, nsfw=True), signal(3, url=page, age=timedelta(hours=2))]
    ranked = rank(told, query=None, timeframe=DAY, now=NOW, limit=1, filters=Filters(nsfw=True))
    assert [(left.reason, left.nsfw) for left in ranked.left_out] == [(Reason.CUT, True), (Reason.MERGED, True)]
    kept_away = rank([signal(1), signal(2, nsfw=True)], query=None, timeframe=DAY, now=NOW).left_out
    assert [(left.reason, left.nsfw) for left in kept_away] == [(Reason.NSFW, True)]


def test_the_least_score_is_good_enough_unless_strict() -> None:
    alone = [signal(age=DAY.delta / 4)]
    assert rank(alone, query=None, timeframe=DAY, now=NOW, min_score=0.5).found == 1
    assert rank(alone, query=None, timeframe=DAY, now=NOW, min_score=0.5, strict=True).found == 0


def test_a_quiet_source_keeps_a_place() -> None:
    loud = [signal(number, age=timedelta(minutes=number)) for number in range(10)]
    quiet = [signal(99, source="news", age=timedelta(hours=9)), signal(98, source="x", age=timedelta(hours=8))]
    ranked = rank([*loud, *quiet], query=None, timeframe=DAY, now=NOW, limit=4)
    assert [one.id for one in ranked.signals] == ["reddit:0", "reddit:1", "x:98", "news:99"]
    assert ranked.found == 12


def test_a_quiet_source_that_is_not_good_enough_keeps_none() -> None:
    loud = [signal(number, age=timedelta(minutes=number)) for number in range(10)]
    quiet = signal(99, source="news", age=timedelta(hours=20))
    ranked = rank([*loud, quiet], query=None, timeframe=DAY, now=NOW, limit=4, min_score=0.4)
    assert {one.source for one in ranked.signals} == {"reddit"}


def test_more_sources_than_places_leave_the_best() -> None:
    signals = [signal(1, source=f"s{number}", age=timedelta(hours=number), title=f"t{number}") for number in range(6)]
    ranked = rank(signals, query=None, timeframe=DAY, now=NOW, limit=3)
    assert [one.source for one in ranked.signals] == ["s0", "s1", "s2"]


def test_a_source_named_in_also_in_has_its_place() -> None:
    page = "https://site.example/a"
    signals = [
        signal(number, age=timedelta(minutes=number), url=page if number == 0 else None) for number in range(5)
    ]
    ranked = rank(
        [*signals, signal(9, source="news", url=page, age=timedelta(hours=9))],
        query=None,
        timeframe=DAY,
        now=NOW,
        limit=3,
    )
    assert [one.id for one in ranked.signals] == ["reddit:0", "reddit:1", "reddit:2"]


def many(count: int) -> list[Signal]:
    chance = random.Random(5)
    vocabulary = ["".join(chance.choices("abcdefghijkl", k=chance.randint(3, 9))) for _ in range(3_000)]
    return [
        signal(
            number,
            source=chance.choice(("reddit", "news", "hackernews")),
            title=" ".join(chance.choices(vocabulary, k=10)),
            excerpt=" ".join(chance.choices(vocabulary, k=40)),
            age=timedelta(minutes=chance.randint(0, 1_400)),
            points=chance.randint(0, 1_000),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [0, INLINE_MAX, INLINE_MAX + 1, BATCH_SIZE * 2 + 1])
async def test_off_the_loop_the_answer_is_the_same(count: int) -> None:
    signals = many(count)
    here = rank(signals, query="abc", timeframe=DAY, now=NOW, limit=10)
    assert await rank_off_loop(signals, query="abc", timeframe=DAY, now=NOW, limit=10) == here


async def test_the_batch_path_keeps_only_what_is_above_the_least_score() -> None:
    signals = [*many(300), signal(999, nsfw=True, age=timedelta(0))]
    kept = await batch(signals, min_score=0.5, query=None, timeframe=DAY, now=NOW)
    assert kept == list(
        rank(
            signals, query=None, timeframe=DAY, now=NOW, filters=Filters(nsfw=True), min_score=0.5, strict=True
        ).signals
    )
    assert kept
    assert all(one.score > 0.5 for one in kept)
    assert any(one.nsfw for one in kept)


async def test_a_cancelled_ranking_stops_after_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    hops = 0
    to_thread = asyncio.to_thread

    async def counted(work: Callable[..., object], *args: object) -> object:
        nonlocal hops
        hops += 1
        if hops == 2:
            task.cancel()
        return await to_thread(work, *args)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    task = asyncio.ensure_future(rank_off_loop(many(BATCH_SIZE * 3), query=None, timeframe=DAY, now=NOW))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert hops == 2


async def longest_stall_s(work: Callable[[], Awaitable[object]]) -> float:
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    ticker = asyncio.create_task(tick())
    await work()
    ticker.cancel()
    return longest


def spin(until: float) -> None:
    """Work of Python's own, in steps of nothing: how a thread beside the loop holds it up at the least."""
    while time.perf_counter() < until:
        pass


async def test_a_thousand_signals_stall_the_loop_no_more_than_any_thread_does() -> None:
    signals = many(1_000)

    def ranking() -> Awaitable[object]:
        return rank_off_loop(signals, query="abc", timeframe=DAY, now=NOW, limit=25)

    gc.collect()
    spinning, busy = [], []
    for _ in range(7):
        began = time.perf_counter()
        busy.append(await longest_stall_s(ranking))
        took_s = time.perf_counter() - began
        ends_at = time.perf_counter() + took_s
        spinning.append(await longest_stall_s(lambda until=ends_at: asyncio.to_thread(spin, until)))  # type: ignore[misc]
    assert min(busy) - min(spinning) <= 0.025  # the least: what other programs do makes each of them longer
