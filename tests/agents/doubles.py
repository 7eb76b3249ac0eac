"""Sources with behaviour, and a scout on a bus with somebody who listens to all that it says."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.agent import AgentConfig
from agents.assembly import resilience_of
from agents.bus.memory import MemoryBus
from agents.events import (
    SIGNALS_DISCOVERED,
    SIGNALS_PROGRESS,
    SIGNALS_REQUESTED,
    SIGNALS_RESPONSE,
    Requester,
    SignalsDiscovered,
    SignalsProgress,
    SignalsRequested,
    SignalsResponse,
    SourceRequest,
    utc_now,
)
from agents.fetch.request import Fetch, Request
from agents.resilience.guard import ScanGuard
from agents.resilience.retry import RetryPolicy
from agents.scout import SignalsScout
from agents.signal import Engagement, Signal
from agents.source import Option, Question, Scan, Source, SourceSpec
from tests.agents.resilience.doubles import Upstream

Behaviour = Callable[[Question, Fetch], Awaitable[Scan]]
ME = Requester(kind="test", tenant="guild", reply_to="here")


def signal(source: str, number: int = 1, **changes: object) -> Signal:
    """A signal that is like no other one of this test."""
    content: dict[str, object] = {
        "id": f"{source}:{number}",
        "source": source,
        "title": f"{source.title()} reports {['alpha', 'beta', 'gamma', 'delta'][number % 4]} number {number} today",
        "url": f"https://{source}.example/{number}",
        "timestamp": datetime.now(UTC) - timedelta(minutes=number),
        "engagement": Engagement(points=number),
    }
    return Signal.model_validate({**content, **changes})


def finds(*signals: Signal, note: str = "") -> Behaviour:
    """Answers at once."""

    async def behave(_question: Question, _fetch: Fetch) -> Scan:
        return Scan(signals, note=note)

    return behave


def after(seconds: float, then: Behaviour) -> Behaviour:
    """Does it later."""

    async def behave(question: Question, fetch: Fetch) -> Scan:
        await asyncio.sleep(seconds)
        return await then(question, fetch)

    return behave


def raises(error: BaseException) -> Behaviour:
    """Fails with exactly this."""

    async def behave(_question: Question, _fetch: Fetch) -> Scan:
        raise error

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One after the other, the last one for ever."""
    left = list(behaviours)

    async def behave(question: Question, fetch: Fetch) -> Scan:
        return await (left.pop(0) if len(left) > 1 else left[0])(question, fetch)

    return behave


def asks(url: str, *signals: Signal) -> Behaviour:
    """Makes one request before it answers."""

    async def behave(_question: Question, fetch: Fetch) -> Scan:
        await fetch.get(Request(url))
        return Scan(signals)

    return behave


async def hangs(_question: Question, _fetch: Fetch) -> Scan:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError


class FakeSource:
    """A source that behaves as told; by default it finds one signal at once."""

    def __init__(self, name: str, behave: Behaviour | None = None, *, reason: str | None = None) -> None:
        self.behave = behave if behave is not None else finds(signal(name))
        self.reason = reason
        self.questions: list[Question] = []
        options = (Option(name="place", help="Where to look", parse=_place),)
        self.spec = SourceSpec(name=name, title=name.title(), help=f"Reads {name}", options=options)

    def unavailable(self) -> str | None:
        return self.reason

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        self.questions.append(question)
        return await self.behave(question, fetch)


def _place(text: str) -> str:
    if not text.isalpha():
        raise ValueError("A place has letters only.")
    return text.lower()


@dataclass
class Desk:
    """A running scout, and everything it said, in order."""

    bus: MemoryBus
    scout: SignalsScout
    responses: list[SignalsResponse] = field(default_factory=list)
    progress: list[SignalsProgress] = field(default_factory=list)
    discovered: list[SignalsDiscovered] = field(default_factory=list)

    async def ask(self, *names: str, **request: Any) -> SignalsResponse:
        """Ask by event and wait for the answer, of which there must be exactly one."""
        event = asked(*names, **request)
        await self.bus.emit(SIGNALS_REQUESTED, event)
        await self.bus.settled()
        return self.answer_to(event)

    def answer_to(self, event: SignalsRequested) -> SignalsResponse:
        """The one answer to that request."""
        [response] = [each for each in self.responses if each.request_id == event.request_id]
        return response


def asked(*names: str, options: Mapping[str, str] | None = None, **request: Any) -> SignalsRequested:
    """A request for these sources."""
    sources = tuple(SourceRequest(name=name, options=options or {}) for name in names)
    return SignalsRequested(requester=ME, sources=sources, **request)


@asynccontextmanager
async def scouting(
    *sources: Source,
    config: AgentConfig | None = None,
    raw: Fetch | None = None,
    clock: Callable[[], float] = time.monotonic,
    bus: MemoryBus | None = None,
    auto_discovery: bool = False,
    now: Callable[[], datetime] = utc_now,
) -> AsyncIterator[Desk]:
    """A started scout with the real guard before these sources, on a bus of its own."""
    config = config or AgentConfig(timeout_s=2.0)
    guard = ScanGuard(
        raw or Upstream(), resilience_of(config), limits={}, retry=RetryPolicy(base_s=0.001), clock=clock
    )
    bus = bus or MemoryBus()
    desk = Desk(bus, SignalsScout(bus, sources, guard, config, auto_discovery=auto_discovery, now=now))

    async def on_response(event: SignalsResponse) -> None:
        desk.responses.append(event)

    async def on_progress(event: SignalsProgress) -> None:
        desk.progress.append(event)

    async def on_discovered(event: SignalsDiscovered) -> None:
        desk.discovered.append(event)

    bus.subscribe(SIGNALS_RESPONSE, on_response)
    bus.subscribe(SIGNALS_PROGRESS, on_progress)
    bus.subscribe(SIGNALS_DISCOVERED, on_discovered)
    async with desk.scout:
        yield desk
    await bus.drain(0.0)
