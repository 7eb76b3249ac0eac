"""The time that passes for what plans and waits: the machine's, or one that runs ahead of it when told."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Protocol

from agents.events import utc_now


class Clock(Protocol):
    """Two clocks and two ways to wait."""

    def utc(self) -> datetime:
        """The wall time, aware; for what outlives the process."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until the event is set, but no longer than ``seconds``."""
        ...


class SystemClock:
    """The machine's."""

    def utc(self) -> datetime:
        """See ``Clock``."""
        return utc_now()

    def monotonic(self) -> float:
        """See ``Clock``."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See ``Clock``."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """See ``Clock``."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return


class MovableClock:
    """The machine's, and as much ahead of it as it was told; what waits by it ends as soon as its time has come."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self._machine = SystemClock()
        self._ahead_s = ahead_s
        self._limits: set[asyncio.Timeout] = set()

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once; never less than none."""
        if seconds < 0:
            raise ValueError("time only goes forward")
        self._ahead_s += seconds
        for limit in self._limits:
            ends_at = limit.when()
            if ends_at is not None and not limit.expired():
                limit.reschedule(ends_at - seconds)

    def utc(self) -> datetime:
        """See ``Clock``."""
        return self._machine.utc() + timedelta(seconds=self._ahead_s)

    def monotonic(self) -> float:
        """See ``Clock``."""
        return self._machine.monotonic() + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        """See ``Clock``."""
        await self.wait(asyncio.Event(), seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """See ``Clock``."""
        try:
            async with asyncio.timeout(seconds) as limit:
                self._limits.add(limit)
                try:
                    await event.wait()
                finally:
                    self._limits.discard(limit)
        except TimeoutError:
            return
