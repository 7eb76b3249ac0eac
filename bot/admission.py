"""Who may ask now: permits and waiting lines per guild, fair turns between guilds, a cooldown per user.

The decision falls at once, without waiting, because it must be known before a command is acknowledged: only
then can a refusal be private.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from types import TracebackType
from typing import Self

REMEMBERED_USERS = 20_000
USUAL_SECONDS = 2.0
"""What a request is thought to take before any has been seen."""


class Refused(Enum):
    """Why somebody may not ask now."""

    COOLDOWN = "cooldown"
    BUSY = "busy"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not now: why, and in how many seconds it is worth trying again (at least 1)."""

    why: Refused
    retry_after_s: int


class Ticket:
    """A place in a guild's line, then one of its permits; held as an async context manager.

    Entering waits for its turn. A ticket that is never entered must be given back with ``release``; releasing
    twice is the same as once.
    """

    __slots__ = ("_admission", "_released", "_started_at", "_turn", "tenant")

    def __init__(self, admission: "Admission", tenant: str, turn: asyncio.Future[None]) -> None:
        self._admission = admission
        self._turn = turn
        self._released = False
        self._started_at = 0.0
        self.tenant = tenant

    @property
    def waits(self) -> bool:
        """Whether its turn has not come yet."""
        return not self._turn.done()

    async def turn(self) -> None:
        """Wait until it is this ticket's turn."""
        if not self._turn.done():
            await self._turn
        self._started_at = self._admission.clock()

    def release(self) -> None:
        """Give the permit, or the place in the line, to the next."""
        if not self._released:
            self._released = True
            duration_s = self._admission.clock() - self._started_at if self._started_at else None
            self._admission.give_back(self.tenant, self._turn, duration_s)

    async def __aenter__(self) -> Self:
        try:
            await self.turn()
        except BaseException:
            self.release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class _Line:
    """One tenant: how many of its requests run, and who waits."""

    __slots__ = ("running", "waiting")

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


_NOBODY = _Line()
"""A tenant without any request."""


class Admission:
    """Grants tickets.

    ``permits`` requests of a tenant run at once and ``queue`` more wait; ``total`` run at once over all tenants,
    who then take turns, one request each. A user who was admitted may ask again after ``cooldown_s``. A tenant
    is a guild, or a user where the bot is not installed to the guild.
    """

    def __init__(
        self,
        *,
        permits: int = 3,
        queue: int = 10,
        total: int = 32,
        cooldown_s: float = 5.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.clock = clock
        self._permits = permits
        self._queue = queue
        self._total = total
        self._cooldown_s = cooldown_s
        self._running = 0
        self._lines: dict[str, _Line] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        """Tenants with somebody waiting, the one served longest ago first."""
        self._cooldowns: OrderedDict[str, float] = OrderedDict()
        self._usual_s = USUAL_SECONDS
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    def ask(self, tenant: str, user: str) -> Ticket | Refusal:
        """A ticket, or why not; takes no time. Starts the user's cooldown only when admitted."""
        if self._closing:
            return Refusal(Refused.CLOSING, 30)
        now = self.clock()
        ready_at = self._cooldowns.get(user, now)
        if ready_at > now:
            return Refusal(Refused.COOLDOWN, max(1, math.ceil(ready_at - now)))
        line = self._lines.get(tenant, _NOBODY)
        no_room = self._running >= self._total or line.running >= self._permits
        if no_room and len(line.waiting) >= self._queue:
            return Refusal(Refused.BUSY, self._wait_s(line))
        self._remember(user, now)
        return self._enter(tenant)

    def close(self) -> None:
        """Admit nobody any more; tickets already given stay valid."""
        self._closing = True

    async def idle(self) -> None:
        """Wait until every ticket was given back."""
        await self._idle.wait()

    def _wait_s(self, line: _Line) -> int:
        """When somebody at the end of the line would be served, as things go."""
        return max(1, math.ceil(self._usual_s * (len(line.waiting) + 1) / self._permits))

    def _remember(self, user: str, now: float) -> None:
        self._cooldowns[user] = now + self._cooldown_s
        self._cooldowns.move_to_end(user)
        while self._cooldowns:
            oldest = next(iter(self._cooldowns))
            if self._cooldowns[oldest] > now and len(self._cooldowns) <= REMEMBERED_USERS:
                break
            del self._cooldowns[oldest]

    def _enter(self, tenant: str) -> Ticket:
        self._idle.clear()
        line = self._lines.setdefault(tenant, _Line())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        self._turns.setdefault(tenant)
        self._advance()
        return Ticket(self, tenant, turn)

    def _advance(self) -> None:
        """Grant turns while there is room: to the tenant served longest ago that has a permit left."""
        while self._running < self._total:
            tenant = next((name for name in self._turns if self._lines[name].running < self._permits), None)
            if tenant is None:
                return
            line = self._lines[tenant]
            turn = line.waiting.popleft()
            if line.waiting:
                self._turns.move_to_end(tenant)
            else:
                del self._turns[tenant]
            if not turn.cancelled():
                turn.set_result(None)
                line.running += 1
                self._running += 1

    def give_back(self, tenant: str, turn: asyncio.Future[None], duration_s: float | None) -> None:
        """Called by a ticket that is released, whether its turn had come or not."""
        line = self._lines.get(tenant)
        if line is None:  # it was cancelled in the line, and the line has ended since
            return
        if turn.done() and not turn.cancelled():
            line.running -= 1
            self._running -= 1
            if duration_s is not None:
                self._usual_s += 0.1 * (duration_s - self._usual_s)
        else:
            turn.cancel()
            if turn in line.waiting:
                line.waiting.remove(turn)
            if not line.waiting:
                self._turns.pop(tenant, None)
        self._advance()
        if not line.running and not line.waiting:
            self._lines.pop(tenant, None)
        if not self._lines:
            self._idle.set()
