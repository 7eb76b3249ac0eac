"""The budget: never more than Discord's fifty in a second, by Discord's clock, and little less."""

import asyncio
import random
from itertools import pairwise

import pytest

from bot.delivery.pacing import A_SECOND, UNANSWERED_S, Pacer
from tests.bot.delivery.virtual_time import VirtualClock, settle


class Counter:
    """Counts as Discord does: at some moment between sending and answer."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.counted: list[float] = []

    async def request(self, pacer: Pacer, there_s: float, back_s: float) -> None:
        async with pacer.turn():
            await self.clock.sleep(there_s)
            self.counted.append(self.clock.monotonic())
            await self.clock.sleep(back_s)

    @property
    def most_in_a_second(self) -> int:
        at = sorted(self.counted)
        return max(sum(first <= one < first + 1 - 1e-9 for one in at) for first in at)


async def _all(clock: VirtualClock, counter: Counter, pacer: Pacer, ways: list[tuple[float, float]]) -> None:
    tasks = [asyncio.create_task(counter.request(pacer, *way)) for way in ways]
    await clock.until(lambda: all(task.done() for task in tasks))


@pytest.mark.parametrize("seed", range(5))
async def test_however_requests_are_delayed_and_bunched_no_second_counts_too_many(seed: int) -> None:
    chance = random.Random(seed)
    clock = VirtualClock()
    counter, pacer = Counter(clock), Pacer(clock)
    ways = [
        (0.02 + chance.choice([0.0, 0.3, 0.9]) * chance.random(), 0.02 + 0.2 * chance.random()) for _ in range(200)
    ]
    await _all(clock, counter, pacer, ways)
    assert counter.most_in_a_second <= A_SECOND


async def test_a_server_that_stops_for_a_moment_is_not_sent_more_than_it_counts_afterwards() -> None:
    clock = VirtualClock()
    counter, pacer = Counter(clock), Pacer(clock)
    await _all(clock, counter, pacer, [(0.005, 0.005)] * 60 + [(0.4, 0.0)] * 30 + [(0.005, 0.005)] * 100)
    assert counter.most_in_a_second <= A_SECOND


@pytest.mark.parametrize("latency_s", [0.005, 0.1, 0.3])
async def test_a_far_away_discord_costs_little(latency_s: float) -> None:
    clock = VirtualClock()
    counter, pacer = Counter(clock), Pacer(clock)
    # For a minute it does not know how far away Discord is.
    await _all(clock, counter, pacer, [(latency_s / 2, latency_s / 2)])
    await clock.passes(61)
    await _all(clock, counter, pacer, [(latency_s / 2, latency_s / 2)] * 60)
    counter.counted.clear()
    began = clock.now_s
    await _all(clock, counter, pacer, [(latency_s / 2, latency_s / 2)] * 245)
    assert clock.now_s - began < 5.0 + 2 * latency_s
    assert counter.most_in_a_second <= A_SECOND


async def test_what_hangs_takes_its_place_for_three_seconds_only() -> None:
    clock = VirtualClock()
    pacer = Pacer(clock, a_second=2)
    hanging = [asyncio.create_task(Counter(clock).request(pacer, 30.0, 0.0)) for _ in range(2)]
    await settle()
    began = clock.now_s
    third = asyncio.create_task(pacer.take())
    await clock.until(third.done)
    assert clock.now_s - began == pytest.approx(UNANSWERED_S + 1.0)
    for task in hanging:
        task.cancel()


async def test_turns_that_were_not_used_are_there_at_once() -> None:
    clock = VirtualClock()
    pacer = Pacer(clock, a_second=3)
    first = asyncio.create_task(pacer.take())
    others = [asyncio.create_task(pacer.take()) for _ in range(2)]
    await clock.until(lambda: all(other.done() for other in others))
    waiting = asyncio.create_task(pacer.take())
    await clock.passes(0.5)
    assert not waiting.done()
    began = clock.now_s
    first.result().unused()
    await settle()
    assert waiting.done()
    assert clock.now_s == began


async def test_a_budget_is_spread_over_its_second_instead_of_being_spent_at_once() -> None:
    clock = VirtualClock()
    counter, pacer = Counter(clock), Pacer(clock)
    await _all(clock, counter, pacer, [(0.005, 0.005)] * 120)
    gaps = [later - earlier for earlier, later in pairwise(counter.counted)]
    assert min(gaps) >= 0.9 / A_SECOND - 1e-9


async def test_a_pause_holds_everybody_and_the_longest_counts() -> None:
    clock = VirtualClock()
    pacer = Pacer(clock)
    pacer.pause(600)
    pacer.pause(5)
    assert pacer.paused_s == 600
    waiting = asyncio.create_task(pacer.take())
    await clock.passes(599)
    assert not waiting.done()
    await clock.until(waiting.done, 2)
    assert pacer.paused_s == 0


async def test_a_pause_that_begins_while_somebody_waits_holds_them_too() -> None:
    clock = VirtualClock()
    pacer = Pacer(clock, a_second=1)
    await pacer.take()
    waiting = asyncio.create_task(pacer.take())
    await settle()
    pacer.pause(30)
    await clock.passes(29)
    assert not waiting.done()
    await clock.until(waiting.done, 2)


async def test_who_comes_first_is_served_first_and_who_leaves_takes_nothing_along() -> None:
    clock = VirtualClock()
    pacer = Pacer(clock, a_second=1)
    order: list[int] = []

    async def ask(number: int) -> None:
        async with pacer.turn():
            order.append(number)

    tasks = [asyncio.create_task(ask(number)) for number in range(5)]
    await settle()
    tasks[2].cancel()
    began = clock.now_s
    await clock.until(lambda: all(task.done() for task in tasks))
    assert order == [0, 1, 3, 4]
    assert clock.now_s - began < 3.1
    assert all(second > first for first, second in pairwise(order))
