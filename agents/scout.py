"""The signals agent: one request in, progress out, exactly one response out."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from agents import telemetry
from agents.agent import Agent, AgentCapability, AgentConfig
from agents.bus import EventBus
from agents.discovery import Discoverer, Discovery, OnReport, Search
from agents.errors import BusError, ScoutError
from agents.events import (
    SIGNALS_DISCOVERED,
    SIGNALS_PROGRESS,
    SIGNALS_REQUESTED,
    SIGNALS_RESPONSE,
    WORKFLOW_STARTED,
    Filters,
    SignalsDiscovered,
    SignalsProgress,
    SignalsRequested,
    SignalsResponse,
    SourceReport,
    SourceRequest,
    WorkflowStarted,
    utc_now,
)
from agents.fetch.request import Fetch
from agents.ranking.rank import batch
from agents.resilience.guard import ScanGuard
from agents.signal import Signal, Timeframe
from agents.source import Question, Scan, Source, SourceSpec

AGENT_ID = "signals-scout"
SCOUT_CONFIG = AgentConfig(failure_threshold=3)
UNASKED_SOURCES = ("reddit", "twitter")
"""What a workflow with ``auto_discovery`` looks at when it names no sources."""
REMEMBERED_REQUESTS = 4096
_STOPPED = "The search was stopped before it could answer. Please ask again."
_OUR_FAULT = "Something went wrong on our side; it is logged."
DISCOVERED_TIMEOUT_S = 1.0
"""How long slow listeners to ``signals:discovered`` may hold up a scan."""

Announce = Callable[[Scan], Awaitable[None]]


async def _nobody(_report: SourceReport, _done: int, _total: int) -> None:
    """For callers who do not watch progress."""


@dataclass(frozen=True, slots=True)
class _Announcing:
    """A source whose fresh scans are made known. It stands inside the cache: hits and joined waiters are silent."""

    source: Source
    announce: Announce

    @property
    def spec(self) -> SourceSpec:
        return self.source.spec

    def unavailable(self) -> str | None:
        return self.source.unavailable()

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        scan = await self.source.scan(question, fetch)
        await self.announce(scan)
        return scan


class SignalsScout(Agent):
    """Answers ``signals:requested`` with progress per source and exactly one ``signals:response``.

    A request id seen before is not answered again. With ``auto_discovery`` it also acts on those
    ``workflow:started`` events that ask for it; what it finds goes out as ``signals:discovered``.
    """

    capabilities: ClassVar[tuple[AgentCapability, ...]] = (
        AgentCapability(
            name="discover-signals",
            description="Finds, ranks and deduplicates what is fresh in the sources named",
            input_types=("signals:requested",),
            output_types=("signals:progress", "signals:discovered", "signals:response"),
        ),
        AgentCapability(
            name="auto-discovery",
            description="Discovers unasked when a workflow starts that asks for it",
            input_types=("workflow:started",),
            output_types=("signals:discovered",),
        ),
        AgentCapability(
            name="batch-process-signals",
            description="Scores, filters and merges large lists of signals off the event loop",
            input_types=("list[Signal]",),
            output_types=("list[Signal]",),
        ),
    )

    def __init__(
        self,
        bus: EventBus,
        sources: Iterable[Source],
        guard: ScanGuard,
        config: AgentConfig = SCOUT_CONFIG,
        *,
        auto_discovery: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(AGENT_ID, bus, config)
        announcing = (_Announcing(source, self._announce) for source in sources)
        self._sources: dict[str, Source] = {source.spec.name: source for source in announcing}
        self._auto_discovery = auto_discovery
        self._now = now
        self._guard = guard
        self._discoverer = Discoverer(self._sources, guard, config, now=now)
        self._answered: OrderedDict[str, None] = OrderedDict()

    @property
    def specs(self) -> tuple[SourceSpec, ...]:
        """What its sources declare, in their order."""
        return tuple(source.spec for source in self._sources.values())

    @property
    def unavailable(self) -> dict[str, str]:
        """By name, the sources that cannot be asked, and what to set so that they can."""
        reasons = {name: source.unavailable() for name, source in self._sources.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    async def on_start(self) -> None:
        """Subscribe."""
        self.subscribe(SIGNALS_REQUESTED, self.on_signals_requested)
        if self._auto_discovery:
            self.subscribe(WORKFLOW_STARTED, self.on_workflow_started)

    async def on_stop(self) -> None:
        """End rankings and scans under way."""
        await self._discoverer.close()
        await self._guard.close()

    async def discover_signals(
        self,
        sources: Sequence[str | SourceRequest] = ("reddit",),
        timeframe: Timeframe | str = "24h",
        *,
        query: str | None = None,
        limit: int = 10,
        min_score: float = 0.0,
        filters: Filters | None = None,
        max_age_s: float | None = None,
        timeout_s: float | None = None,
        concurrency: int | None = None,
        on_report: OnReport = _nobody,
    ) -> Discovery:
        """Ask all sources at once and return what came within ``timeout_s`` (default: the configuration's).

        ``concurrency`` bounds how many sources are asked at once. A source that fails or is unknown costs nothing
        but its own results: its report says what happened.
        Raises ``ValueError`` for a timeframe that is not one and ``LifecycleError`` when the agent does not run.
        """
        self.require_running()
        search = Search(
            sources=tuple(SourceRequest(name=asked) if isinstance(asked, str) else asked for asked in sources),
            query=query,
            timeframe=Timeframe(timeframe),
            limit=limit,
            min_score=min_score,
            filters=filters if filters is not None else Filters(),
            max_age_s=max_age_s,
            concurrency=concurrency,
        )
        limit_s = self.config.timeout_s if timeout_s is None else min(timeout_s, self.config.timeout_s)
        return await self._discover(search, limit_s, on_report)

    async def _discover(self, search: Search, timeout_s: float, on_report: OnReport) -> Discovery:
        names = [asked.name for asked in search.sources]
        attributes = {"agent.id": self.agent_id, "sources": names, "timeframe": search.timeframe.value}
        with telemetry.span("signals.discover", attributes) as span:
            self.log.debug("discovery started", sources=names, timeframe=search.timeframe.value)
            try:
                discovery = await self._discoverer.discover(search, timeout_s=timeout_s, on_report=on_report)
            except Exception:
                self.log.warning("discovery failed", sources=names)
                raise
            span.set_attribute("signals.found", discovery.found)
            self.log.info("discovery finished", sources=names, found=discovery.found)
            return discovery

    async def batch_process_signals(
        self,
        signals: Sequence[Signal],
        *,
        query: str | None = None,
        timeframe: Timeframe | str = "24h",
        min_score: float | None = None,
    ) -> list[Signal]:
        """Score, keep ``score > min_score`` (default: the configuration's) and merge; off the event loop."""
        self.require_running()
        return await batch(
            signals,
            query=query,
            timeframe=Timeframe(timeframe),
            now=self._now(),
            min_score=self.config.min_score if min_score is None else min_score,
        )

    async def on_signals_requested(self, event: SignalsRequested) -> None:
        """Answer one request; whatever happens to it, one response goes out."""
        if not self._first_time(event.request_id):
            self.log.warning("request repeated", request_id=event.request_id)
            return
        with telemetry.span("signals.request", parent=event.traceparent):
            response: SignalsResponse | None = None
            try:
                response = await self._answer(event)
            except ScoutError as error:
                telemetry.mark_failed(error)
                response = _without_signals(event, error.sentence)
            except Exception as error:
                telemetry.mark_failed(error)
                self.log.exception("request failed", request_id=event.request_id)
                response = _without_signals(event, _OUR_FAULT)
            finally:  # also when cancelled
                await self._respond(response or _without_signals(event, _STOPPED))

    async def _answer(self, event: SignalsRequested) -> SignalsResponse:
        async def on_report(report: SourceReport, done: int, total: int) -> None:
            progress = SignalsProgress(
                request_id=event.request_id, requester=event.requester, report=report, done=done, total=total
            )
            try:
                await self.bus.emit(SIGNALS_PROGRESS, progress, timeout_s=0.1)
            except BusError as error:  # progress is a courtesy; the response is what is owed
                self.log.warning("progress not sent", request_id=event.request_id, said=error.sentence)

        search = Search(
            sources=event.sources,
            query=event.query,
            timeframe=event.timeframe,
            limit=event.limit,
            min_score=event.min_score,
            filters=event.filters,
            max_age_s=event.max_age_s,
            tenant=event.requester.tenant,
        )
        discovery = await self._discover(search, self._time_left_s(event), on_report)
        return SignalsResponse(
            request_id=event.request_id,
            requester=event.requester,
            provider=self.agent_id,
            signals=discovery.signals,
            reports=discovery.reports,
            query=event.query,
            timeframe=event.timeframe,
            found=discovery.found,
            left_out=discovery.left_out,
        )

    def _time_left_s(self, event: SignalsRequested) -> float:
        if event.deadline is None:
            return self.config.timeout_s
        return max(0.0, min(self.config.timeout_s, (event.deadline - self._now()).total_seconds()))

    async def _respond(self, response: SignalsResponse) -> None:
        try:
            await self.bus.emit(SIGNALS_RESPONSE, response, timeout_s=self.config.timeout_s)
        except BusError:
            self.log.exception("response not sent", request_id=response.request_id)

    def _first_time(self, request_id: str) -> bool:
        if request_id in self._answered:
            return False
        self._answered[request_id] = None
        if len(self._answered) > REMEMBERED_REQUESTS:
            self._answered.popitem(last=False)
        return True

    async def on_workflow_started(self, event: WorkflowStarted) -> None:
        """Discover unasked, if the workflow wants it."""
        if not event.auto_discovery:
            return
        sources = event.sources or tuple(
            SourceRequest(name=name) for name in UNASKED_SOURCES if name in self._sources
        )
        with telemetry.span("workflow.discover", parent=event.traceparent):
            await self.discover_signals(sources, query=event.query)

    async def _announce(self, scan: Scan) -> None:
        if not scan.signals:
            return
        event = SignalsDiscovered(agent_id=self.agent_id, signals=scan.signals, count=len(scan.signals))
        try:
            await self.bus.emit(SIGNALS_DISCOVERED, event, timeout_s=DISCOVERED_TIMEOUT_S)
        except BusError as error:  # a slow listener must not cost the asker the answer
            self.log.warning("discovery not announced", said=error.sentence)


def _without_signals(event: SignalsRequested, error: str) -> SignalsResponse:
    return SignalsResponse(
        request_id=event.request_id,
        requester=event.requester,
        provider=AGENT_ID,
        query=event.query,
        timeframe=event.timeframe,
        error=error,
    )
