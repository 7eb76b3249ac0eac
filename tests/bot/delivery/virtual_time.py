"""Time that passes only when nothing else can happen: hours of waiting take no time."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

_TURNS = 60
"""Of the loop, after which whatever can run without time passing has run."""


class VirtualClock:
    """``bot.clock.Clock``; also a ``sandbox``-like wall clock."""

    def __init__(self) -> None:
        self.began = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.now_s = 1000.0
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def utc(self) -> datetime:
        return self.began + timedelta(seconds=self.now_s - 1000.0)

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleeping, (self.now_s + seconds, next(self._numbers), woken))
        await woken

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        setting, sleeping = asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait((setting, sleeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            setting.cancel()
            sleeping.cancel()

    async def until(self, true: Callable[[], object], longest_s: float = 7200.0) -> None:
        """Let time pass until something is true; fails where it does not become so in time."""
        await self._run(true, longest_s)
        assert true(), "it did not happen in time"

    async def passes(self, seconds: float) -> None:
        """Let so much time pass."""
        await self._run(lambda: False, seconds)

    async def _run(self, until: Callable[[], object], longest_s: float) -> None:
        end = self.now_s + longest_s
        while True:
            await settle()
            if until():
                return
            while self._sleeping and self._sleeping[0][2].done():
                heapq.heappop(self._sleeping)
            if not self._sleeping or self._sleeping[0][0] > end:
                self.now_s = end
                return
            self.now_s, _, woken = heapq.heappop(self._sleeping)
            woken.set_result(None)


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
