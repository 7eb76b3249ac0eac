"""The stores, opened on a database that outlives them, and values to put into them.

Another engine joins every contract by one line in ``ENGINES``.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from agents.events import WorkflowStarted
from bot.answer import Answer
from bot.guild_settings import GuildSettings
from bot.store.answers import AnswerStore
from bot.store.database import Database
from bot.store.guilds import GuildStore, SqlGuildStore
from bot.store.outbox import Origin, Outbox, Part, Rendered, Run, SeenItem, nonce_of
from bot.store.settings_memory import Versioned
from bot.store.sql_outbox import SqlOutbox
from bot.store.sql_subscriptions import SqlSubscriptions
from bot.store.subscriptions import Subscriptions
from bot.subscription import Plan, Subscription
from tests.bot import samples

GUILD, OTHER, ADA, BEN = 81384788765712384, 110373943822540800, 7, 2**62
NOON = samples.NOON
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Clock:
    """A calendar whose days the test turns."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Life:
    """One life of the program on a database that outlives it."""

    def __init__(
        self,
        database: Database,
        answers: AnswerStore,
        guilds: GuildStore,
        subscriptions: Subscriptions,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self.database = database
        self.answers = answers
        self.guilds = guilds
        self.subscriptions = subscriptions
        self.outbox = outbox
        self.clock = clock

    async def save(
        self, settings: GuildSettings, *, at: int, by: int = ADA, action: str = "set", guild: int = GUILD
    ) -> Versioned:
        """Settings in the place of version ``at``."""
        return await self.guilds.save(guild, settings, expected_version=at, actor_id=by, action=action)

    async def keep(self, answer: Answer) -> None:
        """Until it is written."""
        self.answers.put(answer)
        async with asyncio.timeout(5):
            while not self.answers.counts.written:
                await asyncio.sleep(0.002)

    async def add(
        self, name: str = "Morning", *, guild: int = GUILD, due_at: datetime | None = None, **values: Any
    ) -> Subscription:
        due_at = self.clock.now + DAY if due_at is None else due_at
        return await self.subscriptions.add(guild, plan(name, **values), due_at, ADA)

    async def started(self, **values: Any) -> tuple[Run, ...]:
        """A new workflow's runs, which are asking."""
        event = WorkflowStarted(**values)
        await self.outbox.accept(event, Origin.COMMAND)
        await self.outbox.begin(event.workflow_id)
        return tuple(run for run in await self.outbox.asking(10_000) if run.workflow_id == event.workflow_id)

    async def sending(self, count: int = 1, **values: Any) -> tuple[Run, ...]:
        """A new workflow's runs, each with parts that wait to be sent."""
        runs = await self.started(**values)
        await self.outbox.write([rendered(run, count) for run in runs])
        return runs

    async def states(self, guild: int = GUILD) -> list[str]:
        """Of a server's runs, oldest first."""
        return [run.state.value for run in reversed(await self.outbox.history(guild, 100))]


class Start(Protocol):
    """Begins a life."""

    def __call__(self) -> AbstractAsyncContextManager[Life]:
        """On the same database as the life before."""
        ...


def sqlite(directory: Path, clock: Clock) -> Start:
    @asynccontextmanager
    async def start() -> AsyncIterator[Life]:
        async with (
            Database(f"sqlite+aiosqlite:///{directory}/signals.db") as database,
            AnswerStore(database, pause_s=0.005, now=clock) as answers,
            SqlGuildStore(database, answers, now=clock) as guilds,
            SqlSubscriptions(database, now=clock) as subscriptions,
            SqlOutbox(database, now=clock) as outbox,
        ):
            yield Life(database, answers, guilds, subscriptions, outbox, clock)

    return start


ENGINES: dict[str, Callable[[Path, Clock], Start]] = {"sqlite": sqlite}


def plan(name: str = "Morning", **values: Any) -> Plan:
    """A plan that is as it may be."""
    return Plan.model_validate({"name": name, "channel_id": 1000, **values})


def part(run: Run, number: int = 0, *, items: int = 2, **values: Any) -> Part:
    """A message of a run."""
    subscription = run.subscription
    shown = [f"{run.workflow_id}-{number}-{item}" for item in range(items)]
    known: dict[str, Any] = {
        "run_id": run.id,
        "number": number,
        "subscription_id": subscription.id,
        "guild_id": subscription.guild_id,
        "channel_id": subscription.plan.channel_id,
        "forum": False,
        "nonce": nonce_of(run.workflow_id, subscription.id, number),
        "body": f'{{"content": "part {number}"}}',
        "chart": b"png",
        "seen": tuple(SeenItem(key[:64], f"Title of {key}") for key in shown),
    }
    return Part(**{**known, **values})


def rendered(run: Run, count: int = 1, **values: Any) -> Rendered:
    """What a run came to: so many messages."""
    parts = tuple(part(run, number, **values) for number in range(count))
    return Rendered(run.id, parts, items=sum(len(one.seen) for one in parts), left=3, note="all well")
