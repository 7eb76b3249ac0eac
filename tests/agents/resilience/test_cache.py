"""What the cache promises."""

import asyncio
import contextvars
import traceback
from collections.abc import Callable
from types import ModuleType

import pytest

from agents.errors import LifecycleError, OwnLimit, Unreachable
from agents.resilience import cache as cache_module
from agents.resilience.cache import Cache, Cached, CacheState
from tests.agents.resilience.conftest import Lines
from tests.agents.resilience.doubles import Clock, settle


class Load:
    """A load that counts its calls and, once gated, waits to be let through."""

    def __init__(self, *, gated: bool = False) -> None:
        self.calls = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.cancelled = False
        if not gated:
            self.gate.set()

    async def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error is not None:
            raise self.error
        return number


def make(clock: Clock | None = None, max_entries: int = 4) -> Cache[str, int]:
    return Cache(max_entries, clock=clock or Clock())


async def get(
    cache: Cache[str, int], load: Load, key: str = "k", *, max_age_s: float | None = None, stale_for_s: float = 0.0
) -> Cached[int]:
    return await cache.get_or_load(key, load, 60.0, max_age_s=max_age_s, stale_for_s=stale_for_s)


async def test_a_value_is_loaded_once_and_then_hit_until_its_time_is_over() -> None:
    clock, load = Clock(), Load()
    cache = make(clock)
    assert cache.peek("k") is None
    assert await get(cache, load) == Cached(1, 0.0, CacheState.LOADED)
    clock.advance(59)
    assert await get(cache, load) == Cached(1, 59.0, CacheState.HIT)
    assert cache.peek("k") == Cached(1, 59.0, CacheState.HIT)
    clock.advance(1)
    assert cache.peek("k") is None
    assert await get(cache, load) == Cached(2, 0.0, CacheState.LOADED)


async def test_an_age_beyond_what_the_asker_takes_means_reload() -> None:
    clock, load = Clock(), Load()
    cache = make(clock)
    await get(cache, load)
    clock.advance(10)
    assert (await get(cache, load, max_age_s=10)).state is CacheState.HIT
    assert cache.peek("k", max_age_s=9) is None
    assert (await get(cache, load, max_age_s=9)).value == 2


async def test_a_thousand_askers_at_once_are_one_load() -> None:
    cache, load = make(), Load(gated=True)
    tasks = [asyncio.create_task(get(cache, load)) for _ in range(1000)]
    await settle()
    load.gate.set()
    answers = [await task for task in tasks]
    assert load.calls == 1
    assert {answer.value for answer in answers} == {1}
    assert [answer.state for answer in answers].count(CacheState.LOADED) == 1
    assert [answer.state for answer in answers].count(CacheState.JOINED) == 999


@pytest.mark.parametrize("leaver", [0, 1])
async def test_a_cancelled_waiter_harms_nobody_else(leaver: int) -> None:
    cache, load = make(), Load(gated=True)
    tasks = [asyncio.create_task(get(cache, load)) for _ in range(3)]
    await settle()
    leaving = tasks.pop(leaver)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    load.gate.set()
    assert [(await task).value for task in tasks] == [1, 1]
    assert load.calls == 1


async def test_a_load_that_everybody_left_still_fills_the_cache() -> None:
    cache, load = make(), Load(gated=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await get(cache, load)
    load.gate.set()
    await settle()
    assert cache.peek("k") == Cached(1, 0.0, CacheState.HIT)


async def test_a_failure_reaches_every_waiter_as_the_same_error_and_is_not_kept() -> None:
    cache, load = make(), Load(gated=True)
    load.error = Unreachable("broken")
    tasks = [asyncio.create_task(get(cache, load)) for _ in range(100)]
    await settle()
    load.gate.set()
    await asyncio.wait(tasks)
    assert all(task.exception() is load.error for task in tasks)
    assert load.calls == 1
    assert len(traceback.extract_tb(load.error.__traceback__)) < 10
    load.error = None
    assert (await get(cache, load)).value == 2


async def test_a_failure_that_nobody_waits_for_is_logged(lines_of: Callable[[ModuleType], Lines]) -> None:
    cache, load = make(), Load(gated=True)
    load.error = Unreachable("broken")
    task = asyncio.create_task(get(cache, load))
    await settle()
    task.cancel()
    await settle()
    lines = lines_of(cache_module)
    load.gate.set()
    await settle()
    assert [line["exc_info"] for line in lines] == [load.error]


async def test_an_old_value_stands_in_for_a_failed_load_and_says_so() -> None:
    clock, load = Clock(), Load()
    cache = make(clock)
    await get(cache, load)
    clock.advance(500)
    load.error = Unreachable("broken")
    assert await get(cache, load, stale_for_s=500) == Cached(1, 500.0, CacheState.STALE, load.error)
    clock.advance(1)
    with pytest.raises(Unreachable):
        await get(cache, load, stale_for_s=500)


async def test_a_forced_reload_that_fails_falls_back_to_what_is_still_fresh() -> None:
    clock, load = Clock(), Load()
    cache = make(clock)
    await get(cache, load)
    clock.advance(10)
    load.error = Unreachable("broken")
    assert (await get(cache, load, max_age_s=0)).state is CacheState.STALE


async def test_the_least_recently_used_goes_first() -> None:
    cache, load = make(max_entries=2), Load()
    for key in ("a", "b", "a", "c"):
        await get(cache, load, key)
    assert len(cache) == 2
    assert cache.peek("b") is None
    assert cache.peek("a") is not None


async def test_loads_at_once_are_bounded_and_more_are_refused_or_stale() -> None:
    clock = Clock()
    cache, old, load = make(clock, max_entries=2), Load(), Load(gated=True)
    await get(cache, old, "old")
    clock.advance(60)
    tasks = [asyncio.create_task(get(cache, load, key)) for key in ("a", "b")]
    await settle()
    with pytest.raises(OwnLimit, match="at once"):
        await get(cache, load, "c")
    assert (await get(cache, old, "old", stale_for_s=100)).state is CacheState.STALE
    load.gate.set()
    await asyncio.wait(tasks)
    assert (await get(cache, load, "c")).state is CacheState.LOADED


async def test_without_a_time_to_live_nothing_is_kept_but_loads_are_shared() -> None:
    cache, load = make(), Load(gated=True)
    tasks = [asyncio.create_task(cache.get_or_load("k", load, 0.0)) for _ in range(5)]
    await settle()
    load.gate.set()
    assert {(await task).value for task in tasks} == {1}
    assert len(cache) == 0


async def test_close_cancels_loads_waits_for_them_and_tells_their_waiters() -> None:
    cache, load = make(), Load(gated=True)
    task = asyncio.create_task(get(cache, load))
    await settle()
    await cache.close()
    assert load.cancelled
    with pytest.raises(LifecycleError):
        await task
    with pytest.raises(LifecycleError):
        await get(cache, load, "other")


async def test_close_before_a_load_took_its_first_step_leaves_no_waiter_behind() -> None:
    cache, load = make(), Load(gated=True)
    task = asyncio.create_task(get(cache, load))
    await asyncio.sleep(0)
    await cache.close()
    await cache.close()
    with pytest.raises(LifecycleError):
        await task


async def test_the_load_runs_in_the_first_waiters_context() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")
    seen: list[str] = []
    cache = make()

    async def load() -> int:
        await asyncio.sleep(0)
        seen.append(who.get())
        return 1

    async def ask(name: str) -> None:
        who.set(name)
        await cache.get_or_load("k", load, 60.0)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask("first"))
        group.create_task(ask("second"))
    assert seen == ["first"]
