"""What the circuit breaker promises."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agents.errors import AddressRefused, CircuitOpen, NotFound, OwnLimit, RateLimited, UpstreamFailed
from agents.resilience import breaker as breaker_module
from agents.resilience.breaker import Breakers, CircuitBreaker, CircuitState, StateListener
from tests.agents.resilience.conftest import Lines
from tests.agents.resilience.doubles import Clock


def make(clock: Clock, *listeners: StateListener, threshold: int = 3) -> CircuitBreaker:
    return CircuitBreaker(
        "up", failure_threshold=threshold, recovery_timeout_s=60.0, clock=clock, listeners=listeners
    )


def fail(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    error = error or UpstreamFailed("broken", status=500)
    with pytest.raises(type(error)), breaker.attempt():
        raise error


def succeed(breaker: CircuitBreaker) -> None:
    with breaker.attempt():
        pass


def state(breaker: CircuitBreaker) -> CircuitState:
    """As mypy cannot narrow it: every attempt may change it."""
    return breaker.state


def opened(clock: Clock, *listeners: StateListener) -> CircuitBreaker:
    breaker = make(clock, *listeners)
    for _ in range(3):
        fail(breaker)
    assert state(breaker) is CircuitState.OPEN
    return breaker


def test_opens_after_failures_in_a_row_and_says_when_to_come_back() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.advance(18)
    with pytest.raises(CircuitOpen, match="again in 42 s") as refused, breaker.attempt():
        pytest.fail("an open circuit lets nothing through")
    assert refused.value.retry_after_s == 42


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = make(Clock())
    for _ in range(5):
        fail(breaker)
        fail(breaker)
        succeed(breaker)
    assert state(breaker) is CircuitState.CLOSED


@pytest.mark.parametrize("error", [NotFound("gone", status=404), RateLimited("slow down", status=429)])
def test_an_upstream_that_answers_no_is_a_healthy_one(error: Exception) -> None:
    breaker = make(Clock())
    fail(breaker)
    fail(breaker)
    fail(breaker, error)
    fail(breaker)
    assert state(breaker) is CircuitState.CLOSED


@pytest.mark.parametrize(
    "error",
    [
        OwnLimit("held back", status=429),
        AddressRefused("private"),
        asyncio.CancelledError(),
        KeyError("a bug of ours"),
    ],
)
def test_what_never_reached_the_upstream_is_neither_success_nor_failure(error: BaseException) -> None:
    clock = Clock()
    breaker = make(clock)
    fail(breaker)
    fail(breaker)
    fail(breaker, error)
    assert state(breaker) is CircuitState.CLOSED
    fail(breaker)
    assert state(breaker) is CircuitState.OPEN
    clock.advance(60)
    fail(breaker, error)
    assert state(breaker) is CircuitState.HALF_OPEN
    succeed(breaker)
    assert state(breaker) is CircuitState.CLOSED


def test_a_failed_probe_opens_it_for_the_whole_time_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.advance(60)
    fail(breaker)
    assert state(breaker) is CircuitState.OPEN
    clock.advance(59)
    with pytest.raises(CircuitOpen), breaker.attempt():
        pytest.fail("too early")


async def test_of_a_hundred_callers_exactly_one_is_the_probe() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.advance(60)
    answer = asyncio.Event()
    probes = 0

    async def call() -> bool:
        nonlocal probes
        try:
            with breaker.attempt():
                probes += 1
                await answer.wait()
        except CircuitOpen:
            return False
        return True

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(call()) for _ in range(100)]
        await asyncio.sleep(0)
        answer.set()
    assert probes == 1
    assert sum(task.result() for task in calls) == 1
    assert state(breaker) is CircuitState.CLOSED


async def test_a_cancelled_probe_leaves_its_place_to_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.advance(60)

    async def probe() -> None:
        with breaker.attempt():
            await asyncio.Event().wait()

    task = asyncio.create_task(probe())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert state(breaker) is CircuitState.HALF_OPEN
    succeed(breaker)
    assert state(breaker) is CircuitState.CLOSED


def test_a_late_failure_of_an_earlier_generation_changes_nothing() -> None:
    clock = Clock()
    breaker = make(clock)
    slow = breaker.attempt()
    slow.__enter__()
    for _ in range(3):
        fail(breaker)
    clock.advance(60)
    with breaker.attempt():
        late = UpstreamFailed("late", status=500)
        assert not slow.__exit__(type(late), late, None)
        assert state(breaker) is CircuitState.HALF_OPEN
        with pytest.raises(CircuitOpen), breaker.attempt():
            pytest.fail("the late result must not free the probe")
    assert state(breaker) is CircuitState.CLOSED


def test_a_late_success_of_an_earlier_generation_changes_nothing() -> None:
    breaker = make(Clock())
    with breaker.attempt():
        for _ in range(3):
            fail(breaker)
    assert state(breaker) is CircuitState.OPEN


def test_listeners_hear_every_change_and_a_failing_one_harms_nobody(lines_of: Callable[[ModuleType], Lines]) -> None:
    clock = Clock()
    heard: list[tuple[str, CircuitState, CircuitState]] = []

    def deaf(name: str, old: CircuitState, new: CircuitState) -> None:
        raise RuntimeError("no ears")

    lines = lines_of(breaker_module)
    breaker = opened(clock, deaf, lambda *change: heard.append(change))
    clock.advance(60)
    succeed(breaker)
    assert heard == [
        ("up", CircuitState.CLOSED, CircuitState.OPEN),
        ("up", CircuitState.OPEN, CircuitState.HALF_OPEN),
        ("up", CircuitState.HALF_OPEN, CircuitState.CLOSED),
    ]
    failures = [line for line in lines if line["event"] == "circuit listener failed"]
    assert len(failures) == 3
    assert all(line["exc_info"] for line in failures)


def test_the_registry_has_one_breaker_per_source_and_host_and_forgets_closed_ones_first() -> None:
    breakers = Breakers(failure_threshold=1, recovery_timeout_s=60.0, clock=Clock(), max_breakers=2)
    fail(breakers.of("news", "a.example"))
    assert breakers.of("reddit", "a.example").state is CircuitState.CLOSED
    assert breakers.of("news", "b.example").state is CircuitState.CLOSED
    assert breakers.states() == {
        ("news", "a.example"): CircuitState.OPEN,
        ("news", "b.example"): CircuitState.CLOSED,
    }


class BreakerMachine(RuleBasedStateMachine):
    """Any interleaving of attempts, outcomes and time keeps the breaker's invariants."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.due_at = 0.0
        self.breaker = make(self.clock, self._changed)
        self.attempts: list[tuple[AbstractContextManager[None], CircuitState]] = []

    def _changed(self, _name: str, _old: CircuitState, new: CircuitState) -> None:
        if new is CircuitState.OPEN:
            self.due_at = self.clock() + 60

    @rule()
    def begin(self) -> None:
        before = self.breaker.state
        probing = any(state is CircuitState.HALF_OPEN for _, state in self.attempts)
        attempt = self.breaker.attempt()
        waiting = before is CircuitState.OPEN and self.clock() < self.due_at
        if waiting or (before is CircuitState.HALF_OPEN and probing):
            with pytest.raises(CircuitOpen) as refused:
                attempt.__enter__()
            assert refused.value.retry_after_s is not None
            assert 0 < refused.value.retry_after_s <= 60
            return
        attempt.__enter__()
        self.attempts.append((attempt, self.breaker.state))

    @precondition(lambda self: bool(self.attempts))
    @rule()
    def succeed_oldest(self) -> None:
        self._end(None)

    @precondition(lambda self: bool(self.attempts))
    @rule()
    def fail_oldest(self) -> None:
        self._end(UpstreamFailed("broken", status=500))

    @precondition(lambda self: bool(self.attempts))
    @rule()
    def cancel_oldest(self) -> None:
        before = self.breaker.state
        self._end(asyncio.CancelledError())
        assert self.breaker.state is before

    @rule()
    def wait(self) -> None:
        self.clock.advance(31)

    def _end(self, error: BaseException | None) -> None:
        attempt, _ = self.attempts.pop(0)
        attempt.__exit__(type(error) if error else None, error, None)

    @invariant()
    def at_most_one_probe(self) -> None:
        if self.breaker.state is CircuitState.HALF_OPEN:
            assert sum(state is CircuitState.HALF_OPEN for _, state in self.attempts) <= 1


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
