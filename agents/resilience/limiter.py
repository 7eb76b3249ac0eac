"""Limits per upstream host: a steady rate with a burst, calls at once, and pauses that the host asked for.

The rate is kept by the generic cell rate algorithm (ITU-T I.371): one timestamp instead of a counted bucket. What a
host grants is shared between tenants: one that asks without end takes turns with the others, and leaves them a part
of the places and of the burst even before they come.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Protocol
from urllib.parse import urlsplit

from agents.errors import OwnLimit
from agents.source import HostLimit

ON_BEHALF_OF: ContextVar[Collection[str]] = ContextVar("on_behalf_of", default=())
"""The tenants for whom the present work is done: more may join them meanwhile. Empty: it is nobody's."""
REMEMBERED = 100
"""Tenants of one host of whom is known what they had of it; more than ask at a time."""
_LONGEST_PAUSE_S = 3600.0
"""A header may ask for a century; once an hour is no hammering."""
_BUSY_RETRY_S = 5.0
"""Told where calls hold all places and nobody knows for how long."""


class Timer(Protocol):
    """What ``Later`` gives."""

    def cancel(self) -> None:
        """Do not call it."""
        ...


Later = Callable[[float, Callable[[], None]], Timer]
"""Call something in so many seconds, as an event loop's ``call_later`` does."""


def upstream_host(url: str) -> str:
    """The host of an address as ``SourceSpec.limits`` spells it: lower case, its port where not the scheme's own.

    An address that cannot be read has the host "" (fetching it fails with an error of its own).
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return host if port in {None, {"http": 80, "https": 443}.get(parts.scheme)} else f"{host}:{port}"


class _Call:
    """One that waits for its turn, and is told whose turn it was."""

    __slots__ = ("tenants", "turn", "until")

    def __init__(self, tenants: Collection[str], until: float) -> None:
        self.tenants = tenants
        self.until = until
        self.turn: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    @property
    def owners(self) -> Collection[str | None]:
        """Whose turns it may use as of now."""
        return self.tenants or (None,)


class _Share:
    """What one tenant has of a host."""

    __slots__ = ("due_at", "held", "turn")

    def __init__(self) -> None:
        self.held = 0
        """Places."""
        self.turn = 0
        """The number of its last turn; 0: none that is remembered."""
        self.due_at = 0.0
        """When its next token would be due if half of the rate were its own, and no burst."""


class _Lane:
    """One host. Whose turn it is shows when there is something to give: fewest places, then longest not served.

    A tenant holds at most half of the places, and takes the second half of a burst only while it has had less than
    half of what was granted of late. So who comes while another floods finds a place and a token, and need not wait
    until the calls of the other end. Calls that are nobody's are held to no share.
    """

    def __init__(self, limit: HostLimit, clock: Callable[[], float], later: Later | None) -> None:
        self.waiting: dict[_Call, None] = {}
        """First come first, but turns decide."""
        self.paused_until = 0.0
        self._clock = clock
        self._later = later
        self._timer: Timer | None = None
        self._places = limit.concurrency
        self._most_held = (limit.concurrency + 1) // 2
        self._running = 0
        self._interval_s = limit.interval_s
        self._burst_s = (limit.burst - 1) * limit.interval_s
        self._spared_s = limit.burst // 2 * limit.interval_s
        """The second half of the burst."""
        self._due_at = 0.0
        """When the next token would be due if there were no burst."""
        self._shares: OrderedDict[str | None, _Share] = OrderedDict()
        """The one served longest ago first."""
        self._turns = 0

    def wait_s(self, tenant: str | None, now: float, ahead: int = 0) -> float:
        """Seconds until there is a token for the tenant, after those for ``ahead`` others; 0 or less: now."""
        spared_s = 0.0 if self._is_modest(tenant, now) else self._spared_s
        token_at = max(self._due_at, now) + ahead * self._interval_s - self._burst_s + spared_s
        return max(token_at, self.paused_until) - now

    def known_wait_s(self, call: _Call, now: float) -> float:
        """Seconds until there would be a token for a call that is about to wait, as turns go."""
        tenant = next(iter(call.owners))
        counts = Counter(next(iter(waiting.owners)) for waiting in self.waiting)
        own = counts.pop(tenant, 0)
        return self.wait_s(tenant, now, own + sum(min(count, own + 1) for count in counts.values()))

    def enter(self, call: _Call) -> None:
        """Wait, or go at once."""
        self.waiting[call] = None
        self.advance()

    def leave(self, call: _Call) -> None:
        """Stop waiting; a turn that came all the same is given back as if it had never been."""
        self.waiting.pop(call, None)
        if call.turn.done() and not call.turn.cancelled() and call.turn.exception() is None:
            tenant = call.turn.result()
            self._due_at -= self._interval_s
            self._share(tenant).due_at -= 2 * self._interval_s
            self.give_back(tenant)
        else:
            self.advance()

    def give_back(self, tenant: str | None) -> None:
        """A call of the tenant has ended."""
        self._running -= 1
        self._share(tenant).held -= 1
        self.advance()

    def advance(self) -> None:
        """Let all go who may, and look again when the next token is there."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._clock()
        while self._running < self._places and (heads := self._heads()):
            ready = [tenant for tenant in heads if self.wait_s(tenant, now) <= 0]
            if not ready:
                self._look_again_in(min(self.wait_s(tenant, now) for tenant in heads))
                return
            tenant = min(ready, key=self._rank)
            call = heads[tenant]
            del self.waiting[call]
            self._take(tenant, now)
            call.turn.set_result(tenant)

    def idle(self, now: float) -> bool:
        """Whether forgetting this lane would change nothing."""
        return not self._running and not self.waiting and self._due_at <= now and self.paused_until <= now

    def _heads(self) -> dict[str | None, _Call]:
        """The first call of each tenant that may hold another place."""
        heads: dict[str | None, _Call] = {}
        for call in self.waiting:
            if not call.turn.done():  # else it was cancelled and is about to leave
                for tenant in call.owners:
                    heads.setdefault(tenant, call)
        return {tenant: call for tenant, call in heads.items() if self._may_hold(tenant)}

    def _rank(self, tenant: str | None) -> tuple[int, int]:
        share = self._shares.get(tenant)
        return (0, 0) if share is None else (share.held, share.turn)

    def _may_hold(self, tenant: str | None) -> bool:
        share = self._shares.get(tenant)
        return tenant is None or share is None or share.held < self._most_held

    def _is_modest(self, tenant: str | None, now: float) -> bool:
        share = self._shares.get(tenant)
        return tenant is None or share is None or share.due_at - now <= 2 * (self._spared_s - self._interval_s)

    def _take(self, tenant: str | None, now: float) -> None:
        """Use up a place and a token."""
        self._running += 1
        self._due_at = max(self._due_at, now) + self._interval_s
        share = self._share(tenant)
        share.held += 1
        share.due_at = max(share.due_at, now) + 2 * self._interval_s
        self._turns += 1
        share.turn = self._turns
        self._shares.move_to_end(tenant)

    def _share(self, tenant: str | None) -> _Share:
        share = self._shares.get(tenant)
        if share is None:
            if len(self._shares) >= REMEMBERED:
                self._forget_one()
            share = self._shares[tenant] = _Share()
        return share

    def _forget_one(self) -> None:
        """The one that has not been served for longest; who holds a place is never forgotten."""
        oldest = next((tenant for tenant, share in self._shares.items() if not share.held), None)
        self._shares.pop(oldest, None)

    def _look_again_in(self, wait_s: float) -> None:
        later = self._later or asyncio.get_running_loop().call_later
        self._timer = later(wait_s, self.advance)


class HostLimiter:
    """Permits per upstream host; hosts without a limit of their own have ``default``. At most ``max_hosts``.

    A part of a host that has a limit of its own counts as a host: ``lane`` says what an address belongs to.
    """

    def __init__(
        self,
        limits: Mapping[str, HostLimit],
        *,
        default: HostLimit = HostLimit(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.monotonic,
        later: Later | None = None,
        max_hosts: int = 1024,
    ) -> None:
        self._limits = limits
        self._default = default
        self._clock = clock
        self._later = later
        self._max_hosts = max_hosts
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()

    def lane(self, url: str) -> str:
        """What an address counts against: its host, or a part of it that has a limit of its own (``host/search``)."""
        host = upstream_host(url)
        path = urlsplit(url).path if host else ""
        parts = (name for name in self._limits if f"{host}{path}/".startswith(f"{name}/"))
        return max(parts, key=len, default=host)

    @asynccontextmanager
    async def permit(self, host: str, max_wait_s: float, tenants: Collection[str] = ()) -> AsyncIterator[None]:
        """Hold a permit for one call to ``host``, when it is the turn of one of its ``tenants``.

        ``tenants`` may grow meanwhile: say so with ``joined``. Empty: nobody's. Among the calls of one tenant the
        first comes first. Raises ``OwnLimit``: at once, taking no place, where the wait is known to be longer than
        ``max_wait_s``; later where a pause, or a call that does not end, made it so. Who is cancelled while waiting
        has used nothing up.
        """
        lane = self._lane(host)
        tenant = await self._turn(lane, tenants, max_wait_s)
        try:
            yield
        finally:
            lane.give_back(tenant)

    def joined(self) -> None:
        """Somebody has joined the tenants of a call that may be waiting: perhaps it is their turn."""
        for lane in self._lanes.values():
            if lane.waiting:
                lane.advance()

    def pause(self, host: str, seconds: float) -> None:
        """Give no permit for ``host`` in the next ``seconds`` (at most an hour); never shortens a pause."""
        lane, now = self._lane(host), self._clock()
        lane.paused_until = max(lane.paused_until, now + min(max(0.0, seconds), _LONGEST_PAUSE_S))
        for call in lane.waiting:
            if lane.paused_until > call.until and not call.turn.done():
                call.turn.set_exception(_too_long(lane.paused_until - now, paused=True))

    async def _turn(self, lane: _Lane, tenants: Collection[str], max_wait_s: float) -> str | None:
        """Wait for a place and a token, or leave without either; whose turn it was."""
        now = self._clock()
        call = _Call(tenants, now + max_wait_s)
        wait_s = lane.known_wait_s(call, now)
        if wait_s > max(0.0, max_wait_s):
            raise _too_long(wait_s, paused=lane.paused_until > now)
        try:
            lane.enter(call)
            async with asyncio.timeout(max_wait_s):
                return await call.turn
        except BaseException as error:
            lane.leave(call)
            if not isinstance(error, TimeoutError):
                raise
            wait_s = max(lane.wait_s(next(iter(call.owners)), self._clock()), 0.0) or _BUSY_RETRY_S
            raise OwnLimit(
                f"As many requests to this site are under way as it allows. Ask again in {_seconds(wait_s)} s.",
                status=429,
                retry_after_s=wait_s,
            ) from error

    def _lane(self, host: str) -> _Lane:
        lane = self._lanes.get(host)
        if lane is None:
            if len(self._lanes) >= self._max_hosts:
                self._forget_one()
            limit = self._limits.get(host, self._default)
            lane = self._lanes[host] = _Lane(limit, self._clock, self._later)
        self._lanes.move_to_end(host)
        return lane

    def _forget_one(self) -> None:
        now = self._clock()
        idle = next((host for host, lane in self._lanes.items() if lane.idle(now)), None)
        if idle is None:
            raise OwnLimit(
                "Too many different sites are being asked at once. Ask again in a moment.",
                status=429,
                retry_after_s=_BUSY_RETRY_S,
            )
        del self._lanes[idle]


def _too_long(wait_s: float, *, paused: bool) -> OwnLimit:
    whose = "This site asked us to wait." if paused else "Our own limit for this site is used up for the moment."
    return OwnLimit(f"{whose} It may be asked again in {_seconds(wait_s)} s.", status=429, retry_after_s=wait_s)


def _seconds(wait_s: float) -> int:
    return max(1, round(wait_s))
