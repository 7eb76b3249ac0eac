"""Where the layers around one source call are stacked, outer to inner.

::

    ScanGuard.scan     the waiter's own deadline
                       cache with single flight
                       the fetch's deadline (configured, never a waiter's)
    source.scan        uses, for each request,
    GuardedFetch.get   retry
                       circuit breaker, one per source and upstream host
                       limiter, one per upstream host
                       attempt time-out
    raw fetch
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from weakref import WeakValueDictionary

from agents.errors import (
    AttemptTimeout,
    BadStatus,
    DeadlineExceeded,
    LifecycleError,
    SourceError,
)
from agents.events import utc_now
from agents.fetch.request import Fetch, Request, Response
from agents.resilience.breaker import Breakers, StateListener
from agents.resilience.cache import Cache, Cached, CacheState
from agents.resilience.limiter import ON_BEHALF_OF, HostLimiter, Later, upstream_host
from agents.resilience.retry import RetryPolicy, replace_retry_log, retrying
from agents.signal import Timeframe
from agents.source import HostLimit, Question, Scan, Source, SourceSpec
from agents.telemetry import logger, span

_log = logger("agents.resilience.guard")

_LIMIT_BUCKETS = (10, 25, 50, 100)
"""Questions are asked for one of these many items, so that near limits share an answer. 10 is the default, and
what X can be asked for at least: it bills every item."""
_FETCHING = 0.9
"""The part of a scan's time that its requests may use. The rest is the source's own, to read what it got: when one
of its requests hangs to the end, what the others brought still counts."""
_AGAIN = "Ask again in a moment."
_STALE_FOR_S = 24 * 3600.0
_PARTIAL_TTL_S = 60.0
"""An answer in which something failed is kept for no longer: asking again soon may bring the rest."""

ScanState = CacheState
"""How a scan was come by."""
Key = tuple[str, frozenset[tuple[str, str]], str | None, Timeframe, int]


@dataclass(frozen=True, slots=True)
class ResilienceConfig:
    """Every setting of the layers that an operator or an agent decides."""

    timeout_s: float = 30.0
    """For one scan with all its requests and their attempts."""
    retry_attempts: int = 3
    cache_enabled: bool = True
    """False: nothing is kept, but equal questions at the same time are still one scan."""
    cache_ttl_s: float = 300.0
    cache_max_entries: int = 512
    failure_threshold: int = 5
    recovery_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class GuardedScan:
    """A source's answer, how it was come by, when and how long ago, and for a stale one the error it stands in for.

    Equal questions get the very same ``scan`` object until it is fetched anew.
    """

    scan: Scan
    state: ScanState
    fetched_at: datetime
    age_s: float
    error: SourceError | None = None


class _Askers(set[str]):
    """The tenants that wait, or have waited, for one scan under way."""


class GuardedFetch:
    """The fetch that one scan is given: retried, circuit-broken, limited and timed, until ``deadline_at``.

    One per scan; it may be used for several hosts at once. ``deadline_at`` is a moment of ``clock``. Its requests
    are made when it is the turn of one of those ``ON_BEHALF_OF`` whom the scan is.
    """

    def __init__(
        self,
        raw: Fetch,
        *,
        source: str,
        deadline_at: float,
        retry: RetryPolicy,
        breakers: Breakers,
        limiter: HostLimiter,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._raw = raw
        self._source = source
        self._deadline_at = deadline_at
        self._retry = retry
        self._breakers = breakers
        self._limiter = limiter
        self._clock = clock
        self._rng = rng

    async def get(self, request: Request) -> Response:
        """The answer, after as many attempts as it takes and time allows; raises a ``SourceError``."""
        host = upstream_host(request.url)
        policy = replace(self._retry, attempts=1) if request.billed else self._retry
        return await retrying(
            lambda attempt: self._attempt(request, host, attempt, policy.attempts),
            policy,
            rng=self._rng,
            remaining_s=self._remaining_s,
            source=self._source,
            host=host,
        )

    def pause(self, url: str, seconds: float) -> None:
        """Let nobody ask this address's host, or the part of it that counts apart, for ``seconds``."""
        self._limiter.pause(self._limiter.lane(url), seconds)

    async def _attempt(self, request: Request, host: str, attempt: int, attempts: int) -> Response:
        started = self._clock()
        with span("fetch", {"source": self._source, "host": host, "attempt": attempt}) as opened:
            _log.debug("fetch started", source=self._source, host=host, attempt=attempt)
            outcome = "ok"
            try:
                return await self._guarded(request, host, attempts - attempt + 1)
            except BaseException as error:
                outcome = type(error).__name__
                raise
            finally:
                duration_s = round(self._clock() - started, 4)
                opened.set_attributes({"outcome": outcome, "duration_s": duration_s})
                _log.debug(
                    "fetch finished",
                    source=self._source,
                    host=host,
                    attempt=attempt,
                    outcome=outcome,
                    duration_s=duration_s,
                )

    async def _guarded(self, request: Request, host: str, attempts_left: int) -> Response:
        # Half of what is left may be spent on waiting for a turn: what is then left for the call is no less.
        with self._breakers.of(self._source, host).attempt():
            lane = self._limiter.lane(request.url)
            async with self._limiter.permit(lane, self._remaining_s() / 2, ON_BEHALF_OF.get()):
                response = await self._timed(request, lane, attempts_left)
                if request.pause_s is not None and (asked_s := request.pause_s(response)) > 0:
                    self._limiter.pause(lane, asked_s)
                return response

    async def _timed(self, request: Request, lane: str, attempts_left: int) -> Response:
        share_s = self._remaining_s() / max(1, attempts_left)
        if share_s <= 0:
            raise DeadlineExceeded(f"There was no time left to ask this site. {_AGAIN}")
        try:
            async with asyncio.timeout(share_s):
                return await self._raw.get(request)
        except TimeoutError as error:
            raise AttemptTimeout(f"This site did not answer within {round(share_s, 1):g} s. {_AGAIN}") from error
        except BadStatus as error:
            # Told to one, meant for all: nobody else should find out by asking. Not only a 429 may say it.
            if error.retry_after_s is not None:
                self._limiter.pause(lane, error.retry_after_s)
            raise

    def _remaining_s(self) -> float:
        return self._deadline_at - self._clock()


class ScanGuard:
    """Asks sources on behalf of everyone: the one place where scans are cached, shared, limited and bounded.

    ``limits`` are the upstream hosts' limits as the sources declare them. Owned by whoever made it; ``close`` it.
    """

    def __init__(
        self,
        raw: Fetch,
        config: ResilienceConfig,
        *,
        limits: Mapping[str, HostLimit],
        listeners: Sequence[StateListener] = (),
        retry: RetryPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        later: Later | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._raw = raw
        self._config = config
        self._clock = clock
        self._now = now
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._retry = replace(retry or RetryPolicy(), attempts=config.retry_attempts)
        self._limiter = HostLimiter(limits, clock=clock, later=later)
        self._cache: Cache[Key, tuple[Scan, datetime]] = Cache(config.cache_max_entries, clock=clock)
        self._askers: WeakValueDictionary[Key, _Askers] = WeakValueDictionary()
        """Of scans under way. Weak for those that begin none, as where the answer is in the cache."""
        self.breakers = Breakers(
            failure_threshold=config.failure_threshold,
            recovery_timeout_s=config.recovery_timeout_s,
            clock=clock,
            listeners=listeners,
        )
        replace_retry_log()

    def peek(self, source: Source, question: Question, max_age_s: float | None = None) -> GuardedScan | None:
        """The cached answer if it is young enough; never waits. Costs a few microseconds."""
        hit = self._cache.peek(question_key(source.spec.name, question), max_age_s)
        return None if hit is None else _guarded(hit)

    async def scan(
        self,
        source: Source,
        question: Question,
        waiter_deadline_s: float | None,
        max_age_s: float | None = None,
        *,
        tenant: str | None = None,
    ) -> GuardedScan:
        """The source's answer, cached, shared or fresh; raises a ``SourceError``.

        Who stops waiting after ``waiter_deadline_s`` gets ``DeadlineExceeded``; the scan goes on for the others and
        for the cache. None waits as long as the scan may take. Signals of an answer that is not fresh may have
        left the timeframe meanwhile. Upstream hosts serve tenants in turns: a scan that several wait for goes on
        when it is the turn of any.
        """
        spec, config = source.spec, self._config
        keep = config.cache_enabled
        key = question_key(spec.name, question)
        askers = self._join(key, tenant)
        try:
            async with asyncio.timeout(waiter_deadline_s):
                cached = await self._cache.get_or_load(
                    key,
                    lambda: self._load(source, question, key, askers),
                    ttl_s=(lambda loaded: self._ttl_s(spec, loaded[0])) if keep else 0.0,
                    max_age_s=max_age_s,
                    stale_for_s=min(_STALE_FOR_S, question.timeframe.delta.total_seconds()) if keep else 0.0,
                )
        except TimeoutError as error:
            raise DeadlineExceeded(f"{spec.title} did not answer in time. {_AGAIN}") from error
        except LifecycleError as error:
            raise SourceError(f"{spec.title} was not read, because the agent is stopping.") from error
        return _guarded(cached)

    def _join(self, key: Key, tenant: str | None) -> _Askers:
        """Those who wait for that scan, with the tenant among them."""
        askers = self._askers.get(key)
        if askers is None:
            askers = self._askers[key] = _Askers()
        if tenant is not None and tenant not in askers:
            askers.add(tenant)
            if len(askers) > 1:
                self._limiter.joined()
        return askers

    def _ttl_s(self, spec: SourceSpec, scan: Scan) -> float:
        whole_s = max(self._config.cache_ttl_s, spec.ttl_s)
        return min(_PARTIAL_TTL_S, whole_s) if scan.partial else whole_s

    def fetch(self, name: str, timeout_s: float) -> GuardedFetch:
        """For requests that belong to no scan: limited and circuit-broken like all others, each sent only once.

        ``name`` is what circuits and logs call them; it must be used up within ``timeout_s``.
        """
        return GuardedFetch(
            self._raw,
            source=name,
            deadline_at=self._clock() + timeout_s,
            retry=replace(self._retry, attempts=1),
            breakers=self.breakers,
            limiter=self._limiter,
            clock=self._clock,
            rng=self._rng,
        )

    async def close(self) -> None:
        """Cancel the scans under way and wait for their end."""
        await self._cache.close()

    async def _load(self, source: Source, question: Question, key: Key, askers: _Askers) -> tuple[Scan, datetime]:
        ON_BEHALF_OF.set(askers)  # of this task, which is the scan's own, and those that it begins
        try:
            return await self._bounded(source, question), self._now()
        except SourceError:
            raise
        except Exception as error:
            # The source boundary: a bug in one source is logged here, once, and costs the others nothing.
            _log.exception("source has a fault", source=source.spec.name)
            title = source.spec.title
            raise SourceError(f"{title} could not be read because of a fault of ours; it is logged.") from error
        finally:
            self._askers.pop(key, None)

    async def _bounded(self, source: Source, question: Question) -> Scan:
        timeout_s = self._config.timeout_s
        fetch = GuardedFetch(
            self._raw,
            source=source.spec.name,
            deadline_at=self._clock() + timeout_s * _FETCHING,
            retry=self._retry,
            breakers=self.breakers,
            limiter=self._limiter,
            clock=self._clock,
            rng=self._rng,
        )
        deadline = asyncio.timeout(timeout_s)
        try:
            async with deadline:
                return await source.scan(replace(question, limit=_bucket(question.limit)), fetch)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise DeadlineExceeded(f"{source.spec.title} did not answer within {timeout_s:g} s. {_AGAIN}") from error


def question_key(source: str, question: Question) -> Key:
    """What makes two questions one: not the moment of asking, nor the order of options, nor the query's case."""
    query = " ".join(question.query.split()).casefold() if question.query else None
    return source, frozenset(question.options.items()), query or None, question.timeframe, _bucket(question.limit)


def _bucket(limit: int) -> int:
    return next((bucket for bucket in _LIMIT_BUCKETS if limit <= bucket), limit)


def _guarded(cached: Cached[tuple[Scan, datetime]]) -> GuardedScan:
    scan, fetched_at = cached.value
    error = cached.error
    assert error is None or isinstance(error, SourceError)
    return GuardedScan(scan, cached.state, fetched_at, cached.age_s, error)
