"""The engine of digests between a bus, a database, agents that answer as told, and a sender that always succeeds."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agents.bus.memory import MemoryBus
from agents.events import (
    SIGNALS_REQUESTED,
    SIGNALS_RESPONSE,
    WORKFLOW_FINISHED,
    WORKFLOW_STARTED,
    SignalsRequested,
    SignalsResponse,
    SourceReport,
    SourceStatus,
    WorkflowFinished,
    WorkflowStarted,
    utc_now,
)
from agents.signal import Signal
from bot.digest_question import Spot
from bot.digests import Digests
from bot.guild_settings import DEFAULTS, Operator
from bot.store.answers import AnswerStore
from bot.store.database import Database
from bot.store.guilds import SqlGuildStore
from bot.store.outbox import Part, PastRun
from bot.store.sql_outbox import SqlOutbox
from bot.store.sql_subscriptions import SqlSubscriptions
from bot.subscription import Subscription
from tests.bot import samples
from tests.bot.store.digest_store import ADA, DAY, GUILD, plan

TITLES = {"reddit": "Reddit", "hackernews": "Hacker News", "news": "News"}
OPERATOR = Operator(sources=TITLES)
_WORDS = (
    "amber",
    "birch",
    "cedar",
    "dune",
    "elm",
    "fjord",
    "glade",
    "heath",
    "isle",
    "jetty",
    "kelp",
    "loch",
    "moss",
)


class HastyClock:
    """A clock on which a second passes in ten milliseconds, the calendar's days only when told."""

    def __init__(self, speed: float = 100.0) -> None:
        self.speed = speed
        self.ahead = timedelta()

    def utc(self) -> datetime:
        return utc_now() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds / self.speed):
                await event.wait()
        except TimeoutError:
            return


def story(number: int, **changes: Any) -> Signal:
    """One that is like no other."""
    words = [_WORDS[(number * step + step) % 13] for step in (1, 3, 5, 7)]
    title = f"{' '.join(words)} {number} {words[0]}{number}"
    known = {"title": title, "url": f"https://site{number}.example/story", "discussion_url": None, "also_in": ()}
    return samples.signal(number, **{**known, "timestamp": utc_now() - timedelta(minutes=number), **changes})


class Agents:
    """Answer every request, with ``signals`` and a good report per source unless told otherwise."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self.signals: tuple[Signal, ...] = tuple(story(number) for number in range(3))
        self.failing: dict[str, str] = {}
        """By source: what it says instead of answering."""
        self.silent = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[SignalsRequested] = []
        bus.subscribe(SIGNALS_REQUESTED, self.on_signals_requested)

    async def on_signals_requested(self, event: SignalsRequested) -> None:
        self.asked.append(event)
        await self.gate.wait()
        if self.silent:
            return
        reports = tuple(self._report(source.name) for source in event.sources)
        answered = any(report.status.answered for report in reports)
        response = SignalsResponse(
            request_id=event.request_id,
            requester=event.requester,
            signals=self.signals if answered else (),
            provider="agents",
            reports=reports,
            found=len(self.signals),
            timeframe=event.timeframe,
        )
        await self._bus.emit(SIGNALS_RESPONSE, response)

    def _report(self, name: str) -> SourceReport:
        if name in self.failing:
            return SourceReport(source=name, status=SourceStatus.FAILED, sentence=self.failing[name])
        return SourceReport(source=name, status=SourceStatus.OK, count=len(self.signals))


class DigestScene:
    """A running engine and all around it."""

    def __init__(
        self,
        bus: MemoryBus,
        database: Database,
        answers: AnswerStore,
        guilds: SqlGuildStore,
        subscriptions: SqlSubscriptions,
        outbox: SqlOutbox,
        digests: Digests,
        clock: HastyClock,
    ) -> None:
        self.bus = bus
        self.database = database
        self.answers = answers
        self.guilds = guilds
        self.subscriptions = subscriptions
        self.outbox = outbox
        self.digests = digests
        self.clock = clock
        self.agents = Agents(bus)
        self.spots: dict[int, Spot | None] = {}
        self.finished: dict[str, WorkflowFinished] = {}
        self.posted: list[Part] = []
        bus.subscribe(WORKFLOW_FINISHED, self._on_workflow_finished)

    async def _on_workflow_finished(self, event: WorkflowFinished) -> None:
        assert event.workflow_id not in self.finished, "it ends once"
        self.finished[event.workflow_id] = event

    def serve(self) -> None:
        async def ready() -> None:
            """At once."""

        self.digests.serve(lambda _guild, channel: self.spots.get(channel, Spot()), lambda: None, ready)

    async def add(self, name: str = "Morning", *, guild: int = GUILD, **values: Any) -> Subscription:
        return await self.subscriptions.add(guild, plan(name, **values), utc_now() + DAY, ADA)

    async def set(self, guild: int = GUILD, **values: Any) -> None:
        await self.guilds.save(guild, DEFAULTS.changed(**values), expected_version=0, actor_id=ADA, action="set")

    async def run(self, **values: Any) -> WorkflowFinished:
        """A workflow from its start to its end, with everything posted."""
        event = WorkflowStarted(**values)
        await self.bus.emit(WORKFLOW_STARTED, event)
        return await self.end_of(event)

    async def end_of(self, event: WorkflowStarted) -> WorkflowFinished:
        async with asyncio.timeout(10):
            while event.workflow_id not in self.finished:
                await self.post()
                await asyncio.sleep(0.002)
        return self.finished[event.workflow_id]

    async def post(self) -> None:
        """Send what there is, always with success."""
        parts = await self.outbox.claim(self.clock.utc(), 100, ())
        if parts:
            await self.outbox.sent({(part.run_id, part.number): 1 for part in parts}, self.clock.utc())
            self.posted += [replace(part, chart=None) for part in parts]
            self.digests.run_ended()

    def shown(self) -> list[str]:
        """Titles in the messages posted since the last look, in their order."""
        posted, self.posted = self.posted, []
        return [item.title for part in posted for item in part.seen if item.title]

    async def history(self, guild: int = GUILD) -> list[PastRun]:
        """Oldest first."""
        return list(reversed(await self.outbox.history(guild, 100)))


@asynccontextmanager
async def digest_scene(directory: Path, *, answer_s: float = 2.0) -> AsyncIterator[DigestScene]:
    """Several lives share the database in ``directory``."""
    bus, clock = MemoryBus(), HastyClock()
    async with (
        Database(f"sqlite+aiosqlite:///{directory}/signals.db", busy_timeout_s=0.02, probe_pause_s=0.01) as database,
        AnswerStore(database) as answers,
        SqlGuildStore(database, answers) as guilds,
        SqlSubscriptions(database) as subscriptions,
        SqlOutbox(database, now=clock.utc) as outbox,
        Digests(
            bus, outbox, answers, guilds, OPERATOR, unavailable=lambda: (), clock=clock, answer_s=answer_s
        ) as digests,
    ):
        yield DigestScene(bus, database, answers, guilds, subscriptions, outbox, digests, clock)


Start = Callable[..., AbstractAsyncContextManager[DigestScene]]


def bodies(parts: list[Part]) -> list[dict[str, Any]]:
    """The messages' bodies, those of forums' posts too."""
    loaded = [json.loads(part.body) for part in parts]
    return [body.get("message", body) for body in loaded]
