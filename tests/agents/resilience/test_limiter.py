"""What the limits per upstream host promise."""

import asyncio

import pytest

from agents.errors import OwnLimit, RateLimited
from agents.resilience.limiter import HostLimiter, upstream_host
from agents.source import HostLimit
from tests.agents.resilience.doubles import Clock, settle

SLOW = HostLimit(interval_s=10.0, burst=2, concurrency=4)
NARROW = HostLimit(concurrency=1)


def make(clock: Clock, limit: HostLimit = SLOW, *, max_hosts: int = 8) -> HostLimiter:
    return HostLimiter({"up.example": limit}, clock=clock, sleep=clock.sleep, max_hosts=max_hosts)


async def use(limiter: HostLimiter, max_wait_s: float = 0.0, host: str = "up.example") -> None:
    async with limiter.permit(host, max_wait_s):
        pass


class Holder:
    """Holds a permit until told, in a task of its own."""

    def __init__(self, limiter: HostLimiter, *, order: list[str] | None = None, name: str = "") -> None:
        self.held = False
        self.release = asyncio.Event()
        self.order = order if order is not None else []
        self.name = name
        self.task = asyncio.create_task(self._hold(limiter))

    async def _hold(self, limiter: HostLimiter) -> None:
        async with limiter.permit("up.example", 30.0):
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


async def test_only_the_first_in_line_waits_for_the_next_token() -> None:
    clock = Clock()
    sleeping: list[asyncio.Event] = []

    async def sleep(seconds: float) -> None:
        sleeping.append(asyncio.Event())
        await sleeping[-1].wait()
        clock.advance(seconds)

    order: list[str] = []
    limiter = HostLimiter({"up.example": HostLimit(interval_s=10.0)}, clock=clock, sleep=sleep)
    holders = [Holder(limiter, order=order, name=str(n)) for n in range(3)]
    for turn in range(2):
        await settle()
        assert len(sleeping) == turn + 1
        sleeping[-1].set()
    await settle()
    assert order == ["0", "1", "2"]
    for holder in holders:
        await holder.end()


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

    async def sleep(seconds: float) -> None:
        if not clock.slept:
            limiter.pause("up.example", 15.0)
        await clock.sleep(seconds)

    limiter = HostLimiter({"up.example": HostLimit(interval_s=10.0)}, clock=clock, sleep=sleep)
    await use(limiter)
    await use(limiter, max_wait_s=20.0)
    assert clock.slept == [10.0, 5.0]


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
