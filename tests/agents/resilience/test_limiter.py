"""What the limits per upstream host promise."""

import asyncio
from collections.abc import Callable, Collection
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import OwnLimit, RateLimited
from agents.resilience.limiter import REMEMBERED, HostLimiter, Timer, upstream_host
from agents.source import HostLimit
from tests.agents.resilience.doubles import Clock, settle

SLOW = HostLimit(interval_s=10.0, burst=2, concurrency=4)
NARROW = HostLimit(concurrency=1)


def make(clock: Clock, limit: HostLimit = SLOW, *, max_hosts: int = 8) -> HostLimiter:
    return HostLimiter({"up.example": limit}, clock=clock, later=clock.later, max_hosts=max_hosts)


async def use(
    limiter: HostLimiter, max_wait_s: float = 0.0, host: str = "up.example", tenants: Collection[str] = ()
) -> None:
    async with limiter.permit(host, max_wait_s, tenants):
        pass


class Holder:
    """Holds a permit until told, in a task of its own."""

    def __init__(
        self,
        limiter: HostLimiter,
        *,
        order: list[str] | None = None,
        name: str = "",
        tenants: Collection[str] = (),
    ) -> None:
        self.held = False
        self.release = asyncio.Event()
        self.order = order if order is not None else []
        self.name = name
        self.task = asyncio.create_task(self._hold(limiter, tenants))

    async def _hold(self, limiter: HostLimiter, tenants: Collection[str]) -> None:
        async with limiter.permit("up.example", 30.0, tenants):
            self.held = True
            self.order.append(self.name)
            await self.release.wait()

    async def end(self) -> None:
        self.release.set()
        await self.task


async def cancel(holder: Holder) -> None:
    holder.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder.task


async def test_a_burst_passes_at_once_and_the_rest_at_the_interval() -> None:
    clock = Clock()
    limiter = make(clock)
    for _ in range(4):
        await use(limiter, max_wait_s=10.0)
    assert clock.slept == [10.0, 10.0]


async def test_tokens_come_back_with_time_but_never_more_than_the_burst() -> None:
    clock = Clock()
    limiter = make(clock)
    await use(limiter)
    await use(limiter)
    clock.advance(1000)
    await use(limiter)
    await use(limiter)
    with pytest.raises(OwnLimit):
        await use(limiter)


async def test_too_long_a_wait_is_refused_at_once_in_words_and_takes_no_place() -> None:
    clock = Clock()
    limiter = make(clock)
    await use(limiter)
    await use(limiter)
    for _ in range(3):
        with pytest.raises(RateLimited, match=r"Our own limit .* again in 10 s") as refused:
            await use(limiter, max_wait_s=9.0)
        assert refused.value.status == 429
        assert refused.value.retry_after_s == 10.0
        assert not refused.value.sent
    assert clock.slept == []
    clock.advance(10)
    await use(limiter)


async def test_those_ahead_count_for_how_long_the_wait_would_be() -> None:
    limiter = HostLimiter({"up.example": HostLimit(interval_s=10.0)}, clock=Clock())
    first = Holder(limiter)
    await settle()
    second = Holder(limiter)
    await settle()
    with pytest.raises(OwnLimit) as refused:
        await use(limiter, max_wait_s=19.0)
    assert refused.value.retry_after_s == 20.0
    await cancel(second)
    await first.end()


async def test_no_more_calls_at_once_than_allowed() -> None:
    limiter = make(Clock(), HostLimit(concurrency=2))
    running = most = 0

    async def call() -> None:
        nonlocal running, most
        async with limiter.permit("up.example", 30.0):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(call())
    assert most == 2


async def test_first_come_first_served() -> None:
    limiter = make(Clock(), NARROW)
    order: list[str] = []
    holders = [Holder(limiter, order=order, name=str(n)) for n in range(5)]
    for holder in holders:
        await settle()
        await holder.end()
    assert order == ["0", "1", "2", "3", "4"]


class Later:
    """Timers that go off when told, and only then does their time pass."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.waits_s: list[float] = []
        self.call: Callable[[], None] | None = None

    def __call__(self, seconds: float, call: Callable[[], None]) -> Timer:
        self.waits_s.append(seconds)
        self.call = call
        return self

    def cancel(self) -> None:
        self.call = None

    @property
    def is_set(self) -> bool:
        return self.call is not None

    def pass_time(self) -> None:
        assert self.call is not None
        self.clock.advance(self.waits_s[-1])
        self.call()


async def test_one_timer_is_set_however_many_wait_for_tokens_and_none_when_nobody_does() -> None:
    clock = Clock()
    later = Later(clock)
    order: list[str] = []
    limiter = HostLimiter({"up.example": HostLimit(interval_s=10.0)}, clock=clock, later=later)
    holders = [Holder(limiter, order=order, name=str(n)) for n in range(3)]
    await settle()
    for _ in range(2):
        assert later.waits_s[-1] == 10.0
        later.pass_time()
        await settle()
    assert order == ["0", "1", "2"]
    for holder in holders:
        await holder.end()
    waiting = Holder(limiter)
    await settle()
    assert later.is_set
    await cancel(waiting)
    assert not later.is_set


async def test_who_waits_for_a_place_longer_than_allowed_is_refused() -> None:
    limiter = make(Clock(), NARROW)
    first = Holder(limiter)
    await settle()
    with pytest.raises(OwnLimit, match="under way"):
        await use(limiter, max_wait_s=0.01)
    await first.end()
    await use(limiter)


async def test_a_cancelled_waiter_for_a_place_loses_none() -> None:
    limiter = make(Clock(), NARROW)
    first, second, third = (Holder(limiter) for _ in range(3))
    await settle()
    await cancel(second)
    await first.end()
    await settle()
    assert third.held
    await third.end()
    await use(limiter)


async def test_a_cancelled_waiter_for_a_token_loses_neither_token_nor_place() -> None:
    clock = Clock()
    limiter = HostLimiter({"up.example": HostLimit(interval_s=10.0, concurrency=1)}, clock=clock)
    await use(limiter)
    waiting = Holder(limiter)
    await settle()
    assert not waiting.held
    await cancel(waiting)
    clock.advance(10)
    await use(limiter)


async def test_cancelled_while_holding_it_gives_the_place_back() -> None:
    limiter = make(Clock(), NARROW)
    first = Holder(limiter)
    await settle()
    assert first.held
    await cancel(first)
    await use(limiter)


async def test_a_pause_holds_everyone_back_and_says_who_asked_for_it() -> None:
    clock = Clock()
    limiter = make(clock)
    limiter.pause("up.example", 40.0)
    limiter.pause("up.example", 5.0)
    with pytest.raises(OwnLimit, match=r"site asked us to wait.* again in 40 s"):
        await use(limiter, max_wait_s=30.0)
    await use(limiter, host="other.example")
    await use(limiter, max_wait_s=40.0)
    assert clock.slept == [40.0]


async def test_a_pause_during_the_wait_is_seen() -> None:
    clock = Clock()
    limiter = make(clock, HostLimit(interval_s=10.0))
    await use(limiter)
    waiting = asyncio.create_task(use(limiter, max_wait_s=20.0))
    asyncio.get_running_loop().call_soon(limiter.pause, "up.example", 15.0)
    await waiting
    assert clock.slept == [10.0, 5.0]


async def test_whom_a_pause_outlasts_is_told_so_at_once() -> None:
    limiter = HostLimiter({"up.example": NARROW}, clock=Clock())
    first = Holder(limiter)
    await settle()
    patient = Holder(limiter)
    waiting = asyncio.create_task(use(limiter, max_wait_s=20.0))
    await settle()
    limiter.pause("up.example", 25.0)
    with pytest.raises(OwnLimit, match=r"site asked us to wait.* again in 25 s"):
        await waiting
    assert not patient.task.done()
    await cancel(patient)
    await first.end()


@pytest.mark.parametrize("seconds", [-5.0, float("nan"), float("-inf")])
async def test_a_pause_of_nonsense_is_none(seconds: float) -> None:
    limiter = make(Clock())
    limiter.pause("up.example", seconds)
    await use(limiter)


async def test_a_pause_lasts_an_hour_at_most() -> None:
    limiter = make(Clock())
    limiter.pause("up.example", 1e12)
    with pytest.raises(OwnLimit) as refused:
        await use(limiter)
    assert refused.value.retry_after_s == 3600.0


async def test_only_idle_hosts_are_forgotten_and_their_number_is_bounded() -> None:
    clock = Clock()
    limiter = make(clock, max_hosts=2)
    await use(limiter)
    limiter.pause("paused.example", 60.0)
    with pytest.raises(OwnLimit, match="Too many"):
        await use(limiter, host="third.example")
    clock.advance(20)
    await use(limiter, host="third.example")
    with pytest.raises(OwnLimit, match="asked us to wait"):
        await use(limiter, host="paused.example")


async def test_a_host_with_a_call_under_way_is_not_forgotten() -> None:
    limiter = make(Clock(), NARROW, max_hosts=1)
    first = Holder(limiter)
    await settle()
    with pytest.raises(OwnLimit, match="Too many"):
        await use(limiter, host="other.example")
    await first.end()
    await use(limiter, host="other.example")


@pytest.mark.parametrize(("concurrency", "share"), [(1, 1), (2, 1), (5, 3), (6, 3)])
async def test_a_tenant_that_floods_leaves_half_of_the_places_to_others(concurrency: int, share: int) -> None:
    limiter = make(Clock(), HostLimit(concurrency=concurrency))
    flood = [Holder(limiter, tenants={"a"}) for _ in range(20)]
    await settle()
    assert sum(holder.held for holder in flood) == share
    others = [Holder(limiter, tenants={"b"}) for _ in range(concurrency - share)]
    await settle()
    assert all(holder.held for holder in others)
    for holder in flood + others:
        await cancel(holder)
    await use(limiter, tenants={"a"})


async def test_what_is_nobodys_is_held_to_no_share() -> None:
    limiter = make(Clock(), HostLimit(interval_s=10.0, burst=4, concurrency=4))
    holders = [Holder(limiter) for _ in range(4)]
    await settle()
    assert all(holder.held for holder in holders)
    for holder in holders:
        await holder.end()


async def test_tenants_take_turns_and_each_ones_first_call_comes_first() -> None:
    limiter = make(Clock(), NARROW)
    order: list[str] = []
    names = ["a0", "a1", "a2", "a3", "b0", "b1", "c0"]
    holders = {name: Holder(limiter, order=order, name=name, tenants={name[0]}) for name in names}
    for turn in range(len(names)):
        await settle()
        await holders[order[turn]].end()
    assert order == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"]


async def test_a_flood_leaves_tokens_of_the_burst_to_others_who_may_not_flood_them_either() -> None:
    clock = Clock()
    limiter = make(clock, HostLimit(interval_s=10.0, burst=6))
    for _ in range(3):
        await use(limiter, tenants={"a"})
    for name in ("a", "a", "b", "b", "b"):
        if name == "a":
            with pytest.raises(OwnLimit):
                await use(limiter, tenants={name})
        else:
            await use(limiter, tenants={name})
    with pytest.raises(OwnLimit):
        await use(limiter, tenants={"b"})
    assert clock.slept == []


async def test_what_a_flood_leaves_of_the_burst_fills_up_again_while_it_goes_on() -> None:
    clock = Clock()
    limiter = make(clock, HostLimit(interval_s=10.0, burst=6))
    flood = asyncio.create_task(_flood(limiter))
    for _ in range(10):
        for _ in range(3):
            slept = len(clock.slept)
            await use(limiter, tenants={"b"})
            assert len(clock.slept) == slept
        while len(clock.slept) < slept + 12:
            await asyncio.sleep(0)
    flood.cancel()
    await asyncio.wait((flood,))


async def _flood(limiter: HostLimiter) -> None:
    while True:
        await use(limiter, max_wait_s=1000.0, tenants={"a"})


async def test_alone_a_tenant_gets_the_whole_rate_once_its_part_of_the_burst_is_gone() -> None:
    clock = Clock()
    limiter = make(clock, HostLimit(interval_s=10.0, burst=6))
    for _ in range(6):
        await use(limiter, max_wait_s=10.0, tenants={"a"})
    assert clock.slept == [10.0, 10.0, 10.0]


async def test_how_long_the_wait_would_be_counts_turns_not_all_who_came_before() -> None:
    limiter = HostLimiter({"up.example": HostLimit(interval_s=10.0)}, clock=Clock())
    flood = [Holder(limiter, tenants={"a"}) for _ in range(3)]
    await settle()
    with pytest.raises(OwnLimit) as refused:
        await use(limiter, tenants={"b"})
    assert refused.value.retry_after_s == 20.0
    with pytest.raises(OwnLimit) as refused:
        await use(limiter, tenants={"a"})
    assert refused.value.retry_after_s == 30.0
    for holder in flood[1:]:
        await cancel(holder)
    await flood[0].end()


async def test_a_call_that_another_tenant_joins_has_that_ones_turn_at_once() -> None:
    limiter = make(Clock(), HostLimit(concurrency=2))
    running = Holder(limiter, tenants={"a"})
    await settle()
    tenants = {"a"}
    order: list[str] = []
    waiting = Holder(limiter, order=order, name="joined", tenants=tenants)
    await settle()
    assert order == []
    tenants.add("b")
    limiter.joined()
    await settle()
    assert order == ["joined"]
    await running.end()
    await waiting.end()


async def test_cancelled_when_the_turn_has_come_but_is_not_used_yet_gives_back_place_and_token() -> None:
    clock = Clock()
    limiter = make(clock, HostLimit(interval_s=10.0, burst=2, concurrency=1))
    first = Holder(limiter, tenants={"a"})
    await settle()
    second, third = Holder(limiter, tenants={"b"}), Holder(limiter, tenants={"c"})
    await settle()
    first.release.set()
    while not first.task.done():
        await asyncio.sleep(0)
    assert not second.held
    await cancel(second)
    await settle()
    assert third.held
    await third.end()


async def test_what_is_remembered_of_tenants_is_bounded() -> None:
    limiter = make(Clock(), HostLimit(concurrency=3))
    for number in range(REMEMBERED * 2):
        await use(limiter, tenants={str(number)})
    [lane] = limiter._lanes.values()
    assert len(lane._shares) == REMEMBERED


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), concurrency=st.integers(1, 5), burst=st.integers(1, 5))
def test_whoever_comes_leaves_or_is_cancelled_no_place_is_lost_and_no_bound_broken(
    seed: int, concurrency: int, burst: int
) -> None:
    asyncio.run(_come_and_go(Random(seed), HostLimit(interval_s=1.0, burst=burst, concurrency=concurrency)))


async def _come_and_go(random: Random, limit: HostLimit) -> None:
    clock = Clock()
    limiter = make(clock, limit)
    held: list[str] = []

    async def call(tenant: str) -> None:
        async with limiter.permit("up.example", 1000.0, {tenant} if tenant else ()):
            held.append(tenant)
            try:
                assert len(held) <= limit.concurrency
                assert not tenant or held.count(tenant) <= (limit.concurrency + 1) // 2
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                held.remove(tenant)

    calls = []
    for _ in range(40):
        calls.append(asyncio.create_task(call(random.choice(["", "a", "b", "c"]))))
        for _ in range(random.randrange(3)):
            await asyncio.sleep(0)
        if random.random() < 0.4:
            random.choice(calls).cancel()
    async with asyncio.timeout(5):
        await asyncio.wait(calls)
    assert not [task for task in calls if not task.cancelled() and task.exception()]
    clock.advance(1000)
    assert next(iter(limiter._lanes.values())).idle(clock())


@pytest.mark.parametrize(
    ("url", "lane"),
    [
        ("https://api.example/search/repositories?q=x", "api.example/search"),
        ("https://API.example:443/search", "api.example/search"),
        ("https://api.example/search/code/x", "api.example/search/code"),
        ("https://api.example/searches", "api.example"),
        ("https://api.example/", "api.example"),
        ("https://api.example", "api.example"),
        ("https://api.example:8443/search", "api.example:8443"),
        ("https://other.example/search", "other.example"),
        ("http://[", ""),
    ],
)
def test_a_part_of_a_host_with_a_limit_of_its_own_counts_apart(url: str, lane: str) -> None:
    limits = dict.fromkeys(("api.example", "api.example/search", "api.example/search/code"), HostLimit())
    assert HostLimiter(limits).lane(url) == lane


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://WWW.Reddit.com/r/a", "www.reddit.com"),
        ("https://up.example:443/", "up.example"),
        ("http://up.example:80", "up.example"),
        ("http://up.example:443/", "up.example:443"),
        ("http://user:secret@127.0.0.1:8080/x?y", "127.0.0.1:8080"),
        ("https://up.example:99999/", ""),
        ("nonsense", ""),
    ],
)
def test_a_host_has_one_spelling(url: str, host: str) -> None:
    assert upstream_host(url) == host
