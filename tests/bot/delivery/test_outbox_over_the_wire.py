"""The sender with its real database and real connections, before a local Discord that holds it to its limits."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.events import WorkflowStarted, utc_now
from bot.cards.digest import smaller
from bot.clock import SystemClock
from bot.delivery.outbox import OutboxSender
from bot.delivery.pacing import Pacer
from bot.delivery.rest import DiscordRest
from bot.store.database import Database
from bot.store.outbox import Origin, Part, Rendered, RunState, nonce_of
from bot.store.sql_outbox import SqlOutbox
from bot.store.sql_subscriptions import SqlSubscriptions
from bot.subscription import Plan
from sandbox.clock import Clock
from sandbox.faults import Fault
from sandbox.server import LocalDiscord
from tests.bot.delivery.fakes import HeardAdmins, KnownAccess, body_of
from tests.bot.scene import until

FAULTS = [
    Fault("status", "/messages$", "POST", count=None, probability=0.05, status=503),
    Fault("status_after", "/messages$", "POST", count=None, probability=0.05, status=502),
    Fault("drop_before", "/messages$", "POST", count=None, probability=0.03),
    Fault("drop_after", "/messages$", "POST", count=None, probability=0.05),
    Fault("hang", "/messages$", "POST", count=None, probability=0.02),
    Fault("rate_limit", "/messages$", "POST", count=None, probability=0.05),
    Fault("truncate", "/messages$", "POST", count=None, probability=0.01),
]


class World:
    """A local Discord, a database, and digests that wait in it."""

    def __init__(self, local: LocalDiscord, outbox: SqlOutbox, subscriptions: SqlSubscriptions) -> None:
        self.local = local
        self.outbox = outbox
        self.subscriptions = subscriptions
        self.admins = HeardAdmins()
        self.pacer = Pacer(SystemClock())

    async def write(self, guilds: int, channels: int, parts: int = 1, *, forum: bool = False) -> None:
        """A workflow with a run per channel, written whole."""
        for _ in range(guilds):
            guild = self.local.add_guild("Test", [] if forum else [f"c{number}" for number in range(channels)])
            if forum:
                guild.add_channel("forum", "forum")
            for number, channel in enumerate(guild.channels.values()):
                plan = Plan(name=f"Digest {number}", channel_id=channel.id)
                await self.subscriptions.add(guild.id, plan, utc_now(), 1)
        event = WorkflowStarted()
        await self.outbox.accept(event, Origin.COMMAND)
        await self.outbox.begin(event.workflow_id)
        rendered = []
        for run in await self.outbox.asking(1000):
            subscription = run.subscription
            made = []
            for number in range(parts):
                nonce = nonce_of(run.workflow_id, subscription.id, number)
                made.append(
                    Part(
                        run_id=run.id,
                        number=number,
                        subscription_id=subscription.id,
                        guild_id=subscription.guild_id,
                        channel_id=subscription.plan.channel_id,
                        forum=forum,
                        nonce=nonce,
                        body=json.dumps({"name": "Digest", "message": body_of(nonce)} if forum else body_of(nonce)),
                        chart=None,
                        seen=(),
                    )
                )
            rendered.append(Rendered(run.id, tuple(made), items=1, left=0))
        await self.outbox.write(rendered)

    @asynccontextmanager
    async def sender(self) -> AsyncIterator[OutboxSender]:
        async def ready() -> None:
            return

        async with (
            DiscordRest(self.local.api_url, self.local.token) as rest,
            OutboxSender(
                self.outbox, self.subscriptions, rest, self.pacer, KnownAccess(bot_id=self.local.bot_user.id),
                self.admins, clock=SystemClock(), smaller=smaller, ready=ready,
            ) as sender,
        ):  # fmt: skip
            yield sender

    async def all_sent(self, timeout_s: float = 30.0) -> None:
        """Wait until the workflow has ended."""
        async with asyncio.timeout(timeout_s):
            while not (finished := await self.outbox.finish(utc_now())):
                await asyncio.sleep(0.05)
        assert finished[0].failed == finished[0].held == 0

    def posted(self) -> Counter[str]:
        """How often each digest is there, by its nonce."""
        return Counter(
            str(message.nonce)
            for guild in self.local.guilds
            for channel in guild.channels.values()
            for message in channel.messages.values()
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        LocalDiscord(clock=Clock()) as local,
        Database(f"sqlite+aiosqlite:///{tmp_path}/signals.db") as database,
        SqlSubscriptions(database) as subscriptions,
        SqlOutbox(database) as outbox,
    ):
        yield World(local, outbox, subscriptions)
        assert local.violations == []


async def test_every_channel_gets_its_digest_once_within_the_limits(world: World) -> None:
    await world.write(guilds=20, channels=3)
    async with world.sender():
        await world.all_sent()
    assert set(world.posted().values()) == {1}
    assert len(world.posted()) == 60
    assert {request.status for request in world.local.requests} == {200}


async def test_through_faults_nothing_is_lost_and_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.delivery.posting.CREATE_TIMEOUT_S", 0.5)
    monkeypatch.setattr("bot.delivery.posting._LONGEST_REPEAT_S", 0.3)
    for fault in FAULTS:
        world.local.faults.add(Fault(**{name: getattr(fault, name) for name in _SCRIPT}))
    await world.write(guilds=20, channels=4)
    async with world.sender():
        await world.all_sent(60)
    assert set(world.posted().values()) == {1}
    assert len(world.posted()) == 80
    assert sum(fault.struck for fault in world.local.faults) > 10


_SCRIPT = ("kind", "route", "method", "count", "probability", "status")


@pytest.mark.parametrize("forum", [False, True])
async def test_what_nobody_knows_of_is_found_by_reading_back(
    world: World, monkeypatch: pytest.MonkeyPatch, forum: bool
) -> None:
    monkeypatch.setattr("bot.delivery.posting.LAST_REPEAT_S", 0.0)
    monkeypatch.setattr("bot.delivery.posting.LATE_ARRIVAL_S", 0.1)
    await world.write(guilds=1, channels=1, forum=forum)
    guild = world.local.guilds[0]
    (place,) = guild.channels.values()
    for number in range(120):  # two pages of others
        where = guild.add_channel("talk", "thread", parent=place) if forum else place
        await world.local.say(world.local.add_user(f"u{number}"), where, "hello")
    world.local.faults.add(Fault("drop_after", "/(messages|threads)$", "POST"))
    async with world.sender():
        await world.all_sent()
    own = [
        message
        for channel in guild.channels.values()
        for message in channel.messages.values()
        if message.author is world.local.bot_user
    ]
    assert len(own) == 1
    assert sum(request.method == "POST" for request in world.local.requests) == 1


async def test_killed_again_and_again_nothing_is_lost_and_nothing_twice(world: World) -> None:
    await world.write(guilds=10, channels=6)
    for pause_s in (0.01, 0.05, 0.1, 0.2):
        async with world.sender():
            await asyncio.sleep(pause_s)
    async with world.sender():
        await world.all_sent()
    assert set(world.posted().values()) == {1}
    assert len(world.posted()) == 60


async def test_a_channel_that_is_gone_and_one_that_shuts_the_bot_out_end_their_runs_alone(world: World) -> None:
    await world.write(guilds=1, channels=4)
    guild = world.local.guilds[0]
    gone, shut, *_ = guild.channels.values()
    world.local.delete_channel(gone)
    guild.overwrite(shut, guild.everyone, deny=["view_channel"])
    async with world.sender():
        async with asyncio.timeout(10):
            while not (finished := await world.outbox.finish(utc_now())):
                await asyncio.sleep(0.05)
    assert (finished[0].sent, finished[0].failed) == (2, 2)
    notes = {past.note for past in await world.outbox.history(guild.id, 10) if past.state is RunState.FAILED}
    assert notes == {
        "The channel no longer exists. Choose another with /digest edit.",
        "I cannot see the channel. Give me View Channel there.",
    }


async def test_stopping_in_the_middle_is_quick_and_the_next_start_goes_on(world: World) -> None:
    await world.write(guilds=20, channels=4)
    async with world.sender() as sender:
        await until(lambda: len(world.posted()) > 5)
        began = asyncio.get_running_loop().time()
        await sender.drain(4.0)
        assert asyncio.get_running_loop().time() - began < 1.0
        assert await world.outbox.interrupted() == ()
    assert 5 < len(world.posted()) < 80
    async with world.sender():
        await world.all_sent()
    assert set(world.posted().values()) == {1}
    assert len(world.posted()) == 80
