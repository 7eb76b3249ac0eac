"""Who may ask now: permits and waiting lines per guild, fair turns between guilds, a cooldown per user.

The decision falls at once, without waiting, because it must be known before a command is acknowledged: only
then can a refusal be private.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from time import monotonic
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

REMEMBERED = 20_000
"""Users whose limits are remembered; the oldest go first."""
USUAL_SECONDS = 2.0
"""What a request is thought to take before any has been seen."""
TOLD_AT_ONCE = 16
"""Refusals of one tenant: enough for hundreds within the 3 s that Discord grants, and few enough for all the rest."""


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
    room: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(TOLD_AT_ONCE), compare=False, repr=False
    )
    """To be held while the person is told; all refusals of one tenant share it."""


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
    """One tenant: how many of its requests may run and do, and who waits."""

    __slots__ = ("permits", "running", "waiting")

    def __init__(self, permits: int) -> None:
        self.permits = permits
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


@dataclass(slots=True)
class _Bucket:
    """What a user may still ask in a row, as of a moment."""

    tokens: float
    at: float


class Admission:
    """Grants tickets.

    ``permits`` requests of a tenant run at once and ``queue`` more wait; ``total`` run at once over all tenants,
    who then take turns, one request each. A user who was admitted may ask again in the same place after
    ``cooldown_s``; wherever they ask, ``burst`` questions in a row, and one more every ``refill_s``. A tenant is a
    guild, or a user where the bot is not installed to the guild.
    """

    def __init__(
        self,
        *,
        permits: int = 3,
        queue: int = 10,
        total: int = 32,
        cooldown_s: float = 5.0,
        burst: int = 20,
        refill_s: float = 15.0,
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
        self._cooldowns: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._burst = burst
        self._refill_s = refill_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._rooms: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """For telling refusals, by tenant; each is kept by the refusals that are not told yet."""
        self._usual_s = USUAL_SECONDS
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    def ask(
        self, tenant: str, user: str, *, permits: int | None = None, cooldown_s: float | None = None
    ) -> Ticket | Refusal:
        """A ticket, or why not; takes no time. Starts the user's cooldown only when admitted.

        ``permits`` (at most the operator's) and ``cooldown_s`` are the tenant's own; None: the operator's.
        """
        if self._closing:
            return self._refusal(tenant, Refused.CLOSING, 30)
        now = self.clock()
        wait_s = max(self._cooldowns.get((tenant, user), now) - now, self._until_token_s(user, now))
        if wait_s > 0:
            return self._refusal(tenant, Refused.COOLDOWN, max(1, math.ceil(wait_s)))
        line = self._lines.get(tenant) or _Line(self._permits)
        line.permits = self._permits if permits is None else min(permits, self._permits)
        no_room = self._running >= self._total or line.running >= line.permits
        if no_room and len(line.waiting) >= self._queue:
            return self._refusal(tenant, Refused.BUSY, self._wait_s(line))
        self._remember(tenant, user, now, self._cooldown_s if cooldown_s is None else cooldown_s)
        return self._enter(tenant, line)

    def close(self) -> None:
        """Admit nobody any more; tickets already given stay valid."""
        self._closing = True

    async def idle(self) -> None:
        """Wait until every ticket was given back."""
        await self._idle.wait()

    def _refusal(self, tenant: str, why: Refused, retry_after_s: int) -> Refusal:
        room = self._rooms.get(tenant)
        if room is None:
            room = self._rooms[tenant] = asyncio.Semaphore(TOLD_AT_ONCE)
        return Refusal(why, retry_after_s, room)

    def _wait_s(self, line: _Line) -> int:
        """When somebody at the end of the line would be served, as things go."""
        return max(1, math.ceil(self._usual_s * (len(line.waiting) + 1) / line.permits))

    def _until_token_s(self, user: str, now: float) -> float:
        bucket = self._buckets.get(user)
        return 0.0 if bucket is None else (1.0 - self._tokens(bucket, now)) * self._refill_s

    def _tokens(self, bucket: _Bucket, now: float) -> float:
        return min(float(self._burst), bucket.tokens + (now - bucket.at) / self._refill_s)

    def _remember(self, tenant: str, user: str, now: float, cooldown_s: float) -> None:
        bucket = self._buckets.pop(user, None) or _Bucket(float(self._burst), now)
        self._buckets[user] = _Bucket(self._tokens(bucket, now) - 1.0, now)
        while self._tokens(next(iter(self._buckets.values())), now) >= self._burst or len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        self._cooldowns[tenant, user] = now + cooldown_s
        self._cooldowns.move_to_end((tenant, user))
        while self._cooldowns:
            oldest = next(iter(self._cooldowns))
            if self._cooldowns[oldest] > now and len(self._cooldowns) <= REMEMBERED:
                break
            del self._cooldowns[oldest]

    def _enter(self, tenant: str, line: _Line) -> Ticket:
        self._idle.clear()
        self._lines[tenant] = line
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        self._turns.setdefault(tenant)
        self._advance()
        return Ticket(self, tenant, turn)

    def _advance(self) -> None:
        """Grant turns while there is room: to the tenant served longest ago that has a permit left."""
        while self._running < self._total:
            tenant = next((name for name in self._turns if self._has_permit(name)), None)
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

    def _has_permit(self, tenant: str) -> bool:
        line = self._lines[tenant]
        return line.running < line.permits

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
