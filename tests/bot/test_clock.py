"""A clock that can be moved: what waits by it waits no longer than it shows."""

import asyncio
import time
from datetime import timedelta

import pytest

from agents.events import utc_now
from bot.clock import MovableClock

DAY_S = 86_400.0
SOON_S = 2.0


async def test_it_shows_the_machines_time_and_what_it_was_told_to_run_ahead() -> None:
    clock = MovableClock(60.0)
    before = clock.monotonic()
    clock.advance(DAY_S)
    assert clock.monotonic() - before >= DAY_S
    ahead = clock.utc() - utc_now()
    assert abs(ahead - timedelta(days=1, minutes=1)) < timedelta(seconds=1)
    assert abs(clock.monotonic() - time.monotonic() - DAY_S - 60.0) < 1


async def test_what_sleeps_until_then_is_woken_and_what_sleeps_longer_is_not() -> None:
    clock = MovableClock()
    ends = [asyncio.create_task(clock.sleep(hours * 3600.0)) for hours in (1, 3, 25)]
    await asyncio.sleep(0)
    clock.advance(2 * 3600.0)
    async with asyncio.timeout(SOON_S):
        await ends[0]
    assert [end.done() for end in ends] == [True, False, False]
    clock.advance(2 * 3600.0)
    async with asyncio.timeout(SOON_S):
        await ends[1]
    assert not ends[2].done()
    ends[2].cancel()
    with pytest.raises(asyncio.CancelledError):
        await ends[2]


async def test_an_event_ends_the_wait_at_once_and_moving_on_afterwards_does_no_harm() -> None:
    clock, event = MovableClock(), asyncio.Event()
    waiting = asyncio.create_task(clock.wait(event, DAY_S))
    await asyncio.sleep(0)
    event.set()
    async with asyncio.timeout(SOON_S):
        await waiting
    clock.advance(2 * DAY_S)
    await asyncio.sleep(0)


async def test_moved_twice_in_a_row_it_wakes_once() -> None:
    clock = MovableClock()
    waiting = asyncio.create_task(clock.sleep(60.0))
    await asyncio.sleep(0)
    clock.advance(60.0)
    clock.advance(60.0)
    async with asyncio.timeout(SOON_S):
        await waiting


async def test_who_is_cancelled_while_waiting_is_cancelled() -> None:
    clock = MovableClock()
    waiting = asyncio.create_task(clock.sleep(60.0))
    await asyncio.sleep(0)
    waiting.cancel()
    clock.advance(120.0)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_time_only_goes_forward() -> None:
    with pytest.raises(ValueError, match="forward"):
        MovableClock().advance(-1)
