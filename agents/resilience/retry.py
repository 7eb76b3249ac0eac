"""Retry with full-jitter backoff, only of what can be retried, and never past the time that is left.

Full jitter: AWS Architecture Blog, "Exponential Backoff And Jitter" (2015).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

from agents.errors import SourceError
from agents.telemetry import logger

_log = logger("agents.resilience.retry")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently."""

    attempts: int = 3
    """Calls in all, the first one included; at least 1."""
    base_s: float = 0.5
    cap_s: float = 8.0
    """The wait after attempt n is drawn evenly from 0 to ``min(cap_s, base_s * 2 ** (n - 1))``."""
    retry_after_cap_s: float = 60.0
    """Who asks for a longer wait than this is not asked again: coming back earlier would be hammering."""

    def wait_s(self, error: SourceError, attempt: int, rng: Random) -> float | None:
        """Seconds to wait after that failed attempt (counted from 1); None: do not try again."""
        asked_s = error.retry_after_s or 0.0
        if not error.retryable or attempt >= self.attempts or asked_s > self.retry_after_cap_s:
            return None
        # The exponent is bounded because 2.0 ** 1024 overflows; the cap is reached long before.
        return max(asked_s, rng.uniform(0.0, min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 64))))


async def retrying(
    call: Callable[[int], Awaitable[T]],
    policy: RetryPolicy,
    *,
    rng: Random,
    remaining_s: Callable[[], float],
    source: str,
    host: str,
) -> T:
    """The result of ``call(attempt)``, attempts counted from 1; the last error when no attempt is left.

    Where a later attempt was not even sent, as by a circuit that the earlier ones opened, it is the earlier error:
    that one says what happened. Where the wait would not end within ``remaining_s()``, the error is raised at once.
    ``source`` and ``host`` are for the log.
    """
    attempt = 0
    told: SourceError | None = None

    def backoff(error: Exception) -> bool | float:
        wait_s = policy.wait_s(error, attempt, rng) if isinstance(error, SourceError) else None
        if wait_s is None or wait_s >= remaining_s():
            return False
        _log.info(
            "retrying", source=source, host=host, attempt=attempt, wait_s=round(wait_s, 3), error=type(error).__name__
        )
        return wait_s

    try:
        async for context in stamina.retry_context(on=backoff, attempts=policy.attempts, timeout=None):
            with context:
                attempt += 1
                try:
                    return await call(attempt)
                except SourceError as error:
                    told = error if error.sent else told
                    raise
    except SourceError as error:
        if error.sent or told is None:
            raise
    assert told is not None  # stamina raises the last error
    raise told


def replace_retry_log() -> None:
    """Take away stamina's own log of retries, which prints arguments; ``retrying`` writes one line of its own.

    Process-wide, as stamina's hooks are; may be called any number of times.
    """
    set_on_retry_hooks([])
