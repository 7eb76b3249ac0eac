"""The time that the local Discord lives by: real, and forwarded at will by tests."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Wall and monotonic time; ``advance`` moves both forward, so that nothing has to sleep for 15 minutes."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, never going back."""
        return time.monotonic() + self._ahead_s

    def time(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time() + self._ahead_s

    def utc(self) -> datetime:
        """The wall time as an aware datetime."""
        return datetime.fromtimestamp(self.time(), UTC)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once; what sleeps for real is not woken by it."""
        if seconds < 0:
            raise ValueError("time only goes forward")
        self._ahead_s += seconds


def iso(moment: datetime) -> str:
    """``moment`` as Discord writes it: ISO 8601 with microseconds and an offset."""
    return moment.isoformat(timespec="microseconds")
