"""Limits per upstream host: a steady rate with a burst, calls at once, and pauses that the host asked for.

The rate is kept by the generic cell rate algorithm (ITU-T I.371): one timestamp instead of a counted bucket.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from agents.errors import OwnLimit
from agents.source import HostLimit

_LONGEST_PAUSE_S = 3600.0
"""A header may ask for a century; once an hour is no hammering."""
_BUSY_RETRY_S = 5.0
"""Told where calls hold all places and nobody knows for how long."""


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


class _Lane:
    """One host: who may go next is decided at a turnstile, first come, first served."""

    def __init__(self, limit: HostLimit) -> None:
        self.turnstile = asyncio.Lock()
        self.places = asyncio.Semaphore(limit.concurrency)
        self.inside = 0
        """Those who wait or run; a lane with any is never forgotten."""
        self.waiting = 0
        """Those who have no token yet."""
        self.paused_until = 0.0
        self._interval_s = limit.interval_s
        self._burst_s = (limit.burst - 1) * limit.interval_s
        self._due_at = 0.0
        """When the next token would be due if there were no burst."""

    def wait_s(self, now: float, ahead: int = 0) -> float:
        """Seconds until a token is there for the one that has ``ahead`` others before it; 0 or less: now."""
        token_at = max(self._due_at, now) + ahead * self._interval_s - self._burst_s
        return max(token_at, self.paused_until) - now

    def take(self, now: float) -> None:
        """Use up one token."""
        self._due_at = max(self._due_at, now) + self._interval_s

    def idle(self, now: float) -> bool:
        """Whether forgetting this lane would change nothing."""
        return not self.inside and self._due_at <= now and self.paused_until <= now


class HostLimiter:
    """Permits per upstream host; hosts without a limit of their own have ``default``. At most ``max_hosts``."""

    def __init__(
        self,
        limits: Mapping[str, HostLimit],
        *,
        default: HostLimit = HostLimit(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        max_hosts: int = 1024,
    ) -> None:
        self._limits = limits
        self._default = default
        self._clock = clock
        self._sleep = sleep
        self._max_hosts = max_hosts
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()

    @asynccontextmanager
    async def permit(self, host: str, max_wait_s: float) -> AsyncIterator[None]:
        """Hold a permit for one call to ``host``; first come, first served.

        Raises ``OwnLimit``: at once, taking no place, where the wait is known to be longer than ``max_wait_s``;
        later where a pause or a call that does not end made it so. Who is cancelled while waiting has used
        nothing up.
        """
        lane = self._lane(host)
        lane.inside += 1
        try:
            async with self._place(lane, max_wait_s):
                yield
        finally:
            lane.inside -= 1

    def pause(self, host: str, seconds: float) -> None:
        """Give no permit for ``host`` in the next ``seconds`` (at most an hour); never shortens a pause."""
        lane = self._lane(host)
        lane.paused_until = max(lane.paused_until, self._clock() + min(max(0.0, seconds), _LONGEST_PAUSE_S))

    @asynccontextmanager
    async def _place(self, lane: _Lane, max_wait_s: float) -> AsyncIterator[None]:
        await self._enter(lane, max_wait_s)
        try:
            yield
        finally:
            lane.places.release()

    async def _enter(self, lane: _Lane, max_wait_s: float) -> None:
        """Wait for a place and a token, or leave without either."""
        now = self._clock()
        self._refuse_if_longer(lane, lane.wait_s(now, lane.waiting), max_wait_s)
        lane.waiting += 1
        try:
            async with asyncio.timeout(max_wait_s), lane.turnstile:
                await lane.places.acquire()
                try:
                    await self._token(lane, now + max_wait_s)
                except BaseException:
                    lane.places.release()
                    raise
        except TimeoutError as error:
            wait_s = max(lane.wait_s(self._clock()), 0.0) or _BUSY_RETRY_S
            raise OwnLimit(
                f"As many requests to this site are under way as it allows. Ask again in {_seconds(wait_s)} s.",
                status=429,
                retry_after_s=wait_s,
            ) from error
        finally:
            lane.waiting -= 1

    async def _token(self, lane: _Lane, until: float) -> None:
        # A pause may be imposed during the sleep: look again before taking.
        while (wait_s := lane.wait_s(now := self._clock())) > 0:
            self._refuse_if_longer(lane, wait_s, until - now)
            await self._sleep(wait_s)
        lane.take(now)

    def _refuse_if_longer(self, lane: _Lane, wait_s: float, max_wait_s: float) -> None:
        if wait_s <= max(0.0, max_wait_s):
            return
        paused = lane.paused_until > self._clock()
        whose = "This site asked us to wait." if paused else "Our own limit for this site is used up for the moment."
        raise OwnLimit(f"{whose} It may be asked again in {_seconds(wait_s)} s.", status=429, retry_after_s=wait_s)

    def _lane(self, host: str) -> _Lane:
        lane = self._lanes.get(host)
        if lane is None:
            if len(self._lanes) >= self._max_hosts:
                self._forget_one()
            lane = self._lanes[host] = _Lane(self._limits.get(host, self._default))
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


def _seconds(wait_s: float) -> int:
    return max(1, round(wait_s))
