"""The time that passes for what waits: real, and in tests only when told."""

import asyncio
import time
from datetime import datetime
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
