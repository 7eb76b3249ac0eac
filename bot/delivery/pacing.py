"""How fast the bot may send: one budget for all that counts towards Discord's limit over all routes.

https://discord.com/developers/docs/topics/rate-limits#global-rate-limit
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents import telemetry
from bot.clock import Clock

A_SECOND = 49
"""Of Discord's 50: one is left for what the client does by itself. Answers to interactions do not count."""
UNANSWERED_S = 2.0
"""A request that has no answer for so long was counted by Discord by now, or never will be."""
SPREAD = 0.9
"""How much of a second the budget of one is spread over: fifty requests at once would make everything else wait."""
BAN_S = 600.0
"""How long an address is shut out that sent too many requests which could not succeed."""
_FASTEST_KEPT_S = 60.0
_WINDOW_S = 1.0
_log = telemetry.logger("bot.outbox")


class Turn:
    """Leave for one request. It counts until a second after Discord can have counted it, whatever becomes of it."""

    __slots__ = ("_pacer", "counts_until", "since")

    def __init__(self, pacer: "Pacer", since: float) -> None:
        self._pacer = pacer
        self.since = since
        self.counts_until = since + UNANSWERED_S + _WINDOW_S

    def begin(self) -> None:
        """The request is sent now."""
        self._pacer.began(self)

    def answered(self) -> None:
        """The answer is there, or the connection broke."""
        self._pacer.answered(self)

    def unused(self) -> None:
        """Nothing was sent."""
        self._pacer.returned(self)


class _Fastest:
    """The fastest answer of the last one or two minutes; 0 as long as little is known."""

    def __init__(self) -> None:
        self._before = self._now = 0.0
        self._until = 0.0

    def note(self, seconds: float, now: float) -> None:
        """An answer took so long."""
        if now >= self._until:
            self._before, self._now = self._now, seconds
            self._until = now + _FASTEST_KEPT_S
        self._now = min(self._now, seconds)

    @property
    def seconds(self) -> float:
        return min(self._before, self._now)


class Pacer:
    """Gives turns so that in no second, by Discord's clock, more than ``a_second`` requests are counted.

    A request is counted at some time between its sending and its answer, and no way there or back is faster than half
    of the fastest answer of late. So a turn is free again a second after the answer, less that fastest time: however
    requests are delayed and bunched on their way, there are never more in one second. Whoever waits is served in the
    order of arrival.
    """

    def __init__(self, clock: Clock, *, a_second: int = A_SECOND) -> None:
        self._clock = clock
        self._a_second = a_second
        self._spacing_s = SPREAD * _WINDOW_S / a_second
        self._next_at = 0.0
        self._out: set[Turn] = set()
        self._paused_until = 0.0
        self._shut_out_until = 0.0
        self._order = asyncio.Lock()
        self._changed = asyncio.Event()
        self._fastest = _Fastest()

    @property
    def paused_s(self) -> float:
        """For how much longer nothing at all may be sent; 0 when something may."""
        return max(0.0, self._paused_until - self._clock.monotonic())

    def pause(self, seconds: float) -> None:
        """Give no turn for so long, or for longer if that was asked for before."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    @property
    def shut_out_s(self) -> float:
        """For how much longer Discord must not be asked anything, not even what takes no turn; 0 when it may."""
        return max(0.0, self._shut_out_until - self._clock.monotonic())

    def shut_out(self) -> None:
        """Discord showed the page of a ban."""
        if not self.shut_out_s:
            _log.error("Discord shuts this address out; nothing is asked of it for a while", for_s=BAN_S)
        self._shut_out_until = self._clock.monotonic() + BAN_S
        self.pause(BAN_S)

    async def take(self) -> Turn:
        """Wait for a turn."""
        async with self._order:
            while True:
                self._changed.clear()
                now = self._clock.monotonic()
                self._out = {turn for turn in self._out if turn.counts_until > now}
                wait_s = max(self._paused_until, self._next_at) - now
                if wait_s > 0:
                    await self._clock.sleep(wait_s)
                elif len(self._out) < self._a_second:
                    turn = Turn(self, now)
                    self._out.add(turn)
                    self._next_at = now + self._spacing_s
                    return turn
                else:
                    await self._clock.wait(self._changed, min(turn.counts_until for turn in self._out) - now)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Around one request: waits for its turn."""
        turn = await self.take()
        turn.begin()
        try:
            yield
        finally:
            turn.answered()

    def began(self, turn: Turn) -> None:
        """See ``Turn``."""
        turn.since = self._clock.monotonic()
        turn.counts_until = turn.since + UNANSWERED_S + _WINDOW_S

    def answered(self, turn: Turn) -> None:
        """See ``Turn``."""
        now = self._clock.monotonic()
        self._fastest.note(now - turn.since, now)
        turn.counts_until = min(turn.counts_until, now + _WINDOW_S - self._fastest.seconds)
        self._changed.set()

    def returned(self, turn: Turn) -> None:
        """See ``Turn``."""
        self._out.discard(turn)
        self._changed.set()
