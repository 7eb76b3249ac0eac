"""A bounded cache with a time to live per entry, single flight per key, and old values where a reload fails."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from enum import StrEnum
from types import TracebackType
from typing import Generic, NamedTuple, TypeVar

from agents.errors import LifecycleError, OwnLimit
from agents.telemetry import logger

_log = logger("agents.resilience.cache")

_CROWDED_RETRY_S = 5.0

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class CacheState(StrEnum):
    """How a value was come by."""

    LOADED = "loaded"
    """By a load that this call began."""
    JOINED = "joined"
    """By a load that was under way already."""
    HIT = "hit"
    STALE = "stale"
    """The load failed; an older value is given instead, beside the error."""


class Cached(NamedTuple, Generic[V]):
    """A value, its age in seconds since it was loaded, how it was come by, and the error it stands in for."""

    value: V
    age_s: float
    state: CacheState
    error: Exception | None = None


class _Entry(NamedTuple, Generic[V]):
    value: V
    loaded_at: float
    expires_at: float


class _Flight(Generic[V]):
    """One load under way and what became of it."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.waiters = 0
        self.entry: _Entry[V] | None = None
        self.error: Exception | None = None
        self.traceback: TracebackType | None = None


class Cache(Generic[K, V]):
    """Least recently used out; at most ``max_entries`` values, and as many loads at once.

    A load beyond that is refused with ``OwnLimit``: running it outside would leave the number of loads
    unbounded just when there are too many. Loads run in tasks that the cache owns, so a waiter that leaves harms
    nobody, and a load that everybody left still fills the cache; what bounds its time is its own business.
    """

    def __init__(self, max_entries: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_entries = max_entries
        self._clock = clock
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._flights: dict[K, _Flight[V]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._entries)

    def peek(self, key: K, max_age_s: float | None = None) -> Cached[V] | None:
        """The value if it is there, not expired and not older than ``max_age_s``; never waits or loads."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        age_s = now - entry.loaded_at
        if now >= entry.expires_at or (max_age_s is not None and age_s > max_age_s):
            return None
        self._entries.move_to_end(key)
        return Cached(entry.value, age_s, CacheState.HIT)

    async def get_or_load(
        self,
        key: K,
        load: Callable[[], Awaitable[V]],
        ttl_s: float | Callable[[V], float],
        *,
        max_age_s: float | None = None,
        stale_for_s: float = 0.0,
    ) -> Cached[V]:
        """The value, loaded unless it is there and young enough; loaded once however many ask at a time.

        ``ttl_s`` (or what it says of the value loaded) counts from the end of the load; 0 keeps nothing unless
        ``stale_for_s`` needs it. A load already under way is young enough for everyone. A failure is not kept and
        is the same error for every waiter, unless a value not older than ``stale_for_s`` (or not expired yet) is
        there: then it is ``STALE``, with the error beside it. Raises ``LifecycleError`` when the cache is closed.
        """
        hit = self.peek(key, max_age_s)
        if hit is not None:
            return hit
        flight, state = self._flights.get(key), CacheState.JOINED
        if flight is None:
            try:
                flight, state = self._take_off(key, load, ttl_s, stale_for_s), CacheState.LOADED
            except OwnLimit as error:
                return self._stale_or_raise(key, error, error.__traceback__, stale_for_s)
        await self._wait(flight)
        if flight.entry is not None:
            return Cached(flight.entry.value, self._clock() - flight.entry.loaded_at, state)
        if flight.error is None:
            raise LifecycleError("What was being loaded was given up, because the cache was closed.")
        return self._stale_or_raise(key, flight.error, flight.traceback, stale_for_s)

    async def close(self) -> None:
        """Cancel the loads under way, wait for their end and take no more; their waiters get ``LifecycleError``."""
        self._closed = True
        tasks = [flight.task for flight in self._flights.values() if flight.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _take_off(
        self, key: K, load: Callable[[], Awaitable[V]], ttl_s: float | Callable[[V], float], stale_for_s: float
    ) -> _Flight[V]:
        if self._closed:
            raise LifecycleError("The cache was closed and loads nothing more.")
        if len(self._flights) >= self._max_entries:
            raise OwnLimit(
                "Too many different questions are being answered at once. Ask again in a moment.",
                status=429,
                retry_after_s=_CROWDED_RETRY_S,
            )
        flight: _Flight[V] = _Flight()
        # A task runs in a copy of its maker's context: the load's spans belong to the first waiter's trace.
        flight.task = asyncio.create_task(self._fly(key, flight, load, ttl_s, stale_for_s), name="cache load")
        # Not in _fly: a task that is cancelled before its first step never gets to its finally.
        flight.task.add_done_callback(lambda _: self._flights.pop(key, None))
        self._flights[key] = flight
        return flight

    async def _fly(
        self,
        key: K,
        flight: _Flight[V],
        load: Callable[[], Awaitable[V]],
        ttl_s: float | Callable[[V], float],
        stale_for_s: float,
    ) -> None:
        try:
            value = await load()
        except Exception as error:  # noqa: BLE001 - carried to the waiters, or logged if there are none left
            flight.error, flight.traceback = error, error.__traceback__
            if not flight.waiters:
                _log.warning("load failed with nobody waiting", error=repr(error), exc_info=error)
            return
        now = self._clock()
        keep_s = ttl_s(value) if callable(ttl_s) else ttl_s
        flight.entry = _Entry(value, now, now + keep_s)
        if max(keep_s, stale_for_s) > 0:
            self._entries[key] = flight.entry
            self._entries.move_to_end(key)
            if len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)

    async def _wait(self, flight: _Flight[V]) -> None:
        assert flight.task is not None
        flight.waiters += 1
        try:
            # Unlike awaiting the task, this leaves it alone when the waiter is cancelled.
            await asyncio.wait((flight.task,))
        finally:
            flight.waiters -= 1

    def _stale_or_raise(
        self, key: K, error: Exception, traceback: TracebackType | None, stale_for_s: float
    ) -> Cached[V]:
        entry = self._entries.get(key)
        now = self._clock()
        if entry is not None and (now - entry.loaded_at <= stale_for_s or now < entry.expires_at):
            return Cached(entry.value, now - entry.loaded_at, CacheState.STALE, error)
        # One error object for all waiters: without this each raise would lengthen its traceback.
        raise error.with_traceback(traceback)
