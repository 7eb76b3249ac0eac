"""What retrying promises."""

import asyncio
from collections.abc import Callable
from random import Random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from agents.errors import AccessDenied, CircuitOpen, OwnLimit, RateLimited, SourceError, Unreachable
from agents.resilience import retry as retry_module
from agents.resilience.retry import RetryPolicy, replace_retry_log, retrying
from tests.agents.resilience.conftest import Lines
from tests.agents.resilience.doubles import LongestJitter, NoJitter, settle

QUICK = RetryPolicy(attempts=3, base_s=0.001)


class Calls:
    """Fails with each error in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.attempts: list[int] = []

    async def __call__(self, attempt: int) -> str:
        self.attempts.append(attempt)
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


async def run(
    calls: Calls, policy: RetryPolicy = QUICK, *, rng: Random | None = None, remaining_s: float = 30.0
) -> str:
    return await retrying(
        calls, policy, rng=rng or NoJitter(), remaining_s=lambda: remaining_s, source="page", host="up.example"
    )


async def test_what_can_be_retried_is_retried_until_it_answers() -> None:
    calls = Calls(Unreachable("1"), Unreachable("2"))
    assert await run(calls) == "answer"
    assert calls.attempts == [1, 2, 3]


async def test_the_last_error_is_raised_when_no_attempt_is_left() -> None:
    calls = Calls(Unreachable("1"), Unreachable("2"), Unreachable("3"))
    with pytest.raises(Unreachable, match="3"):
        await run(calls)
    assert calls.attempts == [1, 2, 3]


@pytest.mark.parametrize("held_back", [CircuitOpen("open"), OwnLimit("full", status=429)])
async def test_a_later_attempt_that_was_not_sent_does_not_hide_what_happened(held_back: SourceError) -> None:
    cause = ConnectionResetError()
    failure = Unreachable("1")
    failure.__cause__ = cause
    calls = Calls(failure, held_back)
    with pytest.raises(Unreachable, match="1") as caught:
        await run(calls)
    assert calls.attempts == [1, 2]
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize(
    "error",
    [AccessDenied("no", status=403), CircuitOpen("open"), OwnLimit("held back", status=429), KeyError("a bug")],
)
async def test_what_cannot_be_helped_by_asking_again_is_not_retried(error: Exception) -> None:
    calls = Calls(error)
    with pytest.raises(type(error)):
        await run(calls)
    assert calls.attempts == [1]


async def test_cancellation_passes_and_is_not_retried() -> None:
    attempts = 0

    async def call(attempt: int) -> None:
        nonlocal attempts
        attempts += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(
        retrying(call, QUICK, rng=NoJitter(), remaining_s=lambda: 30.0, source="page", host="up.example")
    )
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert attempts == 1


async def test_it_can_be_cancelled_while_it_waits() -> None:
    calls = Calls(Unreachable("1"))
    task = asyncio.create_task(run(calls, RetryPolicy(base_s=20.0), rng=LongestJitter()))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls.attempts == [1]


async def test_it_never_sleeps_past_the_time_that_is_left() -> None:
    calls = Calls(RateLimited("slow down", status=429, retry_after_s=5.0))
    async with asyncio.timeout(1):
        with pytest.raises(RateLimited):
            await run(calls, remaining_s=5.0)
    assert calls.attempts == [1]


async def test_it_waits_as_long_as_the_upstream_asks() -> None:
    calls = Calls(RateLimited("slow down", status=429, retry_after_s=0.03))
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await run(calls) == "answer"
    assert loop.time() - started >= 0.029


@given(st.integers(1, 5000), st.integers(0, 2**32))
def test_full_jitter_draws_from_zero_to_the_capped_power_of_two(attempt: int, seed: int) -> None:
    policy = RetryPolicy(attempts=10_000, base_s=0.5, cap_s=8.0)
    error = Unreachable("broken")
    drawn = policy.wait_s(error, attempt, Random(seed))
    assert drawn is not None
    ceiling = min(8.0, 0.5 * 2 ** min(attempt - 1, 10))
    assert 0.0 <= drawn <= ceiling
    assert policy.wait_s(error, attempt, LongestJitter()) == ceiling
    assert policy.wait_s(error, attempt, NoJitter()) == 0.0


def test_a_retry_after_beyond_the_cap_is_not_cut_short_but_given_up() -> None:
    policy = RetryPolicy(retry_after_cap_s=60.0)
    patient = SourceError("wait", retry_after_s=61.0)
    patient.retryable = True
    assert policy.wait_s(patient, 1, NoJitter()) is None
    patient.retry_after_s = 60.0
    assert policy.wait_s(patient, 1, NoJitter()) == 60.0


async def test_each_retry_is_one_log_line_and_stamina_adds_none(lines_of: Callable[[ModuleType], Lines]) -> None:
    lines = lines_of(retry_module)
    replace_retry_log()
    with capture_logs() as others, pytest.raises(Unreachable):
        await run(Calls(Unreachable("1"), Unreachable("2"), Unreachable("3")))
    assert others == []
    assert [(line["source"], line["host"], line["attempt"], line["wait_s"]) for line in lines] == [
        ("page", "up.example", 1, 0.0),
        ("page", "up.example", 2, 0.0),
    ]
