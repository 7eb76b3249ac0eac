"""One search over several sources at once: partial results always, one report per source, ranked and merged."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic

from agents import telemetry
from agents.agent import AgentConfig
from agents.errors import (
    AttemptTimeout,
    BudgetSpent,
    CircuitOpen,
    DeadlineExceeded,
    LifecycleError,
    NotConfigured,
    RateLimited,
    ScoutError,
    SourceError,
    UnknownSource,
)
from agents.events import Filters, SourceReport, SourceRequest, SourceStatus
from agents.ranking.query import parse
from agents.ranking.rank import Dropped, Ranked, rank_off_loop
from agents.ranking.trend import Trends
from agents.resilience.cache import Cache
from agents.resilience.guard import GuardedScan, ScanGuard, ScanState
from agents.signal import LeftOut, Signal, Timeframe
from agents.source import Question, Source

RANKED_TTL_S = 300.0
"""For how long a ranking of the same scans is kept: recency moves too little in that time to change an order."""

_NOTHING = Ranked((), 0, Dropped())

_LIMITED = (RateLimited, CircuitOpen, BudgetSpent)
_TIMED_OUT = (AttemptTimeout, DeadlineExceeded)


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of several sources at once."""

    sources: tuple[SourceRequest, ...]
    query: str | None = None
    timeframe: Timeframe = Timeframe.DAY
    limit: int = 10
    min_score: float = 0.0
    filters: Filters = field(default_factory=Filters)
    max_age_s: float | None = None
    """How old a cached answer may be; None: the TTL decides."""
    concurrency: int | None = None
    """Sources asked at once; None: all of them."""
    tenant: str | None = None
    """For whom; None: nobody in particular."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found, best first; ``reports`` stand in the order of the sources asked."""

    signals: tuple[Signal, ...]
    reports: tuple[SourceReport, ...]
    found: int
    """Distinct stories before the limit."""
    left_out: tuple[LeftOut, ...] = ()
    """What came nearest to being shown, and why it is not."""


OnReport = Callable[[SourceReport, int, int], Awaitable[None]]
"""Told of each source that is done: its report, how many are done, how many there are."""


@dataclass(frozen=True, slots=True)
class _Planned:
    source: Source
    question: Question


@dataclass(frozen=True, slots=True)
class _Outcome:
    report: SourceReport
    guarded: GuardedScan | None = None


class Discoverer:
    """Runs searches. At most ``max_concurrent_tasks`` at once; those that the cache can answer need no place."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        guard: ScanGuard,
        config: AgentConfig,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._sources = sources
        self._guard = guard
        self._config = config
        self._now = now
        self._clock = clock
        self._places = asyncio.Semaphore(config.max_concurrent_tasks)
        self._ranked: Cache[tuple[object, ...], tuple[Ranked, Sequence[GuardedScan]]] = Cache(256, clock=clock)
        self._trends = Trends()
        self._log = telemetry.logger("agents.discovery")

    async def discover(self, search: Search, *, timeout_s: float, on_report: OnReport) -> Discovery:
        """Ask every source and rank what came by ``timeout_s``; never raises for a source's failure."""
        deadline = self._clock() + timeout_s
        plans = [self._plan(asked, search) for asked in search.sources]
        outcomes = [self._peek(plan, search.max_age_s) for plan in plans]
        progress = _Progress(on_report, len(plans))
        for outcome in outcomes:
            if outcome is not None:
                await progress.report(outcome.report)
        if None in outcomes:
            outcomes = await self._ask_missing(plans, outcomes, search, deadline, progress)
        done = [outcome for outcome in outcomes if outcome is not None]
        ranked = await self._rank([outcome.guarded for outcome in done if outcome.guarded is not None], search)
        return Discovery(ranked.signals, tuple(outcome.report for outcome in done), ranked.found, ranked.left_out)

    async def close(self) -> None:
        """End what is under way."""
        await self._ranked.close()

    def _plan(self, asked: SourceRequest, search: Search) -> _Planned | SourceReport:
        """What to ask, or why it cannot be asked."""
        try:
            source = self._sources.get(asked.name)
            if source is None:
                raise UnknownSource(asked.name, tuple(self._sources))
            options = source.spec.parse_options(asked.options)
            if (reason := source.unavailable()) is not None:
                raise NotConfigured(reason)
        except ScoutError as error:
            return SourceReport(source=asked.name[:40], status=SourceStatus.FAILED, sentence=error.sentence)
        question = Question(
            options=options,
            query=parse(search.query).text or None,
            timeframe=search.timeframe,
            limit=search.limit,
            now=self._now(),
        )
        return _Planned(source, question)

    def _peek(self, plan: _Planned | SourceReport, max_age_s: float | None) -> _Outcome | None:
        if isinstance(plan, SourceReport):
            return _Outcome(plan)
        guarded = self._guard.peek(plan.source, plan.question, _max_age_s(plan, max_age_s))
        return None if guarded is None else _Outcome(self._report(plan, guarded, 0.0), guarded)

    async def _ask_missing(
        self,
        plans: Sequence[_Planned | SourceReport],
        outcomes: Sequence[_Outcome | None],
        search: Search,
        deadline: float,
        progress: "_Progress",
    ) -> list[_Outcome | None]:
        started = self._clock()
        at_once = asyncio.Semaphore(search.concurrency or len(plans))
        placed = False

        async def ask(plan: _Planned) -> _Outcome:
            async with at_once:
                left = deadline - self._clock()
                if placed and left > 0:
                    outcome = await self._ask(plan, left, search)
                else:
                    outcome = self._not_asked(plan, self._clock() - started, placed=placed)
            await progress.report(outcome.report)
            return outcome

        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(deadline - self._clock()):
                    await stack.enter_async_context(self._places)
                placed = True
            except TimeoutError:
                self._log.warning("no place within the deadline", places=self._config.max_concurrent_tasks)
            async with asyncio.TaskGroup() as group:
                asked = [
                    group.create_task(ask(plan)) if outcome is None and isinstance(plan, _Planned) else None
                    for plan, outcome in zip(plans, outcomes, strict=True)
                ]
        return [outcome if task is None else task.result() for task, outcome in zip(asked, outcomes, strict=True)]

    def _not_asked(self, plan: _Planned, waited_s: float, *, placed: bool) -> _Outcome:
        why = "no time was left" if placed else "too many searches were running"
        return _Outcome(
            SourceReport(
                source=plan.source.spec.name,
                status=SourceStatus.TIMED_OUT,
                sentence=f"{plan.source.spec.title} was not asked: {why}. Try again in a moment.",
                duration_s=waited_s,
            )
        )

    async def _ask(self, plan: _Planned, left_s: float, search: Search) -> _Outcome:
        name = plan.source.spec.name
        started = self._clock()
        with telemetry.span("source.scan", {"source": name, "timeframe": plan.question.timeframe}) as span:
            self._log.debug("scan started", source=name)
            try:
                max_age_s = _max_age_s(plan, search.max_age_s)
                guarded = await self._guard.scan(plan.source, plan.question, left_s, max_age_s, tenant=search.tenant)
            except SourceError as error:
                outcome = _Outcome(self._failure(plan, error, self._clock() - started))
            else:
                outcome = _Outcome(self._report(plan, guarded, self._clock() - started), guarded)
            report = outcome.report
            duration_s = round(report.duration_s, 4)
            span.set_attributes({"outcome": report.status.value, "signals": report.count, "duration_s": duration_s})
            log = self._log.debug if report.status.answered else self._log.warning
            log(
                "scan finished",
                source=name,
                outcome=report.status.value,
                signals=report.count,
                duration_s=duration_s,
                said=report.sentence,
            )
            return outcome

    def _failure(self, plan: _Planned, error: SourceError, duration_s: float) -> SourceReport:
        telemetry.mark_failed(error)
        return SourceReport(
            source=plan.source.spec.name,
            status=_failure_status(error),
            sentence=error.sentence,
            duration_s=duration_s,
            retry_after_s=error.retry_after_s,
        )

    def _report(self, plan: _Planned, guarded: GuardedScan, duration_s: float) -> SourceReport:
        count = len(guarded.scan.signals)
        sentence = guarded.scan.note
        if guarded.state is ScanState.STALE:
            status = SourceStatus.STALE
            sentence = guarded.error.sentence if guarded.error is not None else sentence
        elif count == 0:
            status = SourceStatus.EMPTY
        else:
            status = SourceStatus.CACHED if guarded.state is ScanState.HIT else SourceStatus.OK
        return SourceReport(
            source=plan.source.spec.name,
            status=status,
            count=count,
            duration_s=duration_s,
            sentence=sentence,
            fetched_at=guarded.fetched_at,
            retry_after_s=guarded.error.retry_after_s if guarded.error is not None else None,
        )

    async def _rank(self, scans: Sequence[GuardedScan], search: Search) -> Ranked:
        """Rank, or recall the ranking of the very same scans: the value holds them, so their ids stay theirs."""
        if not scans:
            return _NOTHING
        key = (
            *sorted(id(guarded.scan) for guarded in scans),
            search.query, search.timeframe, search.limit, search.min_score, search.filters,
        )  # fmt: skip

        async def load() -> tuple[Ranked, Sequence[GuardedScan]]:
            ranked = await rank_off_loop(
                [signal for guarded in scans for signal in guarded.scan.signals],
                query=search.query,
                timeframe=search.timeframe,
                now=self._now(),
                filters=search.filters,
                min_score=search.min_score,
                limit=search.limit,
            )
            signals = self._trends.mark(_asked(search), ranked.signals, self._now())
            return replace(ranked, signals=signals), scans

        cached = self._ranked.peek(key)
        if cached is None:
            try:
                cached = await self._ranked.get_or_load(key, load, RANKED_TTL_S)
            except LifecycleError as error:
                raise LifecycleError("The search was stopped before it could answer. Please ask again.") from error
        return cached.value[0]


class _Progress:
    """Counts the sources that are done."""

    def __init__(self, on_report: OnReport, total: int) -> None:
        self._on_report = on_report
        self._total = total
        self._done = 0

    async def report(self, report: SourceReport) -> None:
        self._done += 1
        await self._on_report(report, self._done, self._total)


def _asked(search: Search) -> tuple[object, ...]:
    """The same for the same question, whoever asks.

    Questions for more and for fewer stories are two: what the shorter answer had no place for is not new, and a
    quiet source's story that closes both has not moved.
    """
    sources = sorted((asked.name, *sorted(asked.options.items())) for asked in search.sources)
    return (*sources, search.query, search.timeframe, search.limit, search.min_score, search.filters)


def _max_age_s(plan: _Planned, asked_s: float | None) -> float | None:
    """Nobody can ask a source more often than it allows: its own least time to keep an answer always counts."""
    return None if asked_s is None else max(asked_s, plan.source.spec.ttl_s)


def _failure_status(error: SourceError) -> SourceStatus:
    if isinstance(error, _LIMITED):
        return SourceStatus.LIMITED
    return SourceStatus.TIMED_OUT if isinstance(error, _TIMED_OUT) else SourceStatus.FAILED
