"""Suspended digests resume by themselves when access returns, soon, and without a loop of refusals."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from bot.delivery.reviving import ASKED_S, CHECK_S, UNEXPLAINED_S, Reviver
from bot.store.errors import Unreadable
from bot.store.subscriptions import Subscriptions
from bot.subscription import Plan, Schedule, State, Subscription
from tests.bot.delivery.fakes import GUILD, MemorySubscriptions
from tests.bot.delivery.virtual_time import VirtualClock


class Doors:
    """Which channels are open."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.archived: set[int] = set()
        """Open ones that only Discord can tell of."""
        self.asked = 0

    def may_post(self, guild_id: int, plan: Plan) -> bool:
        return plan.channel_id in self.open

    async def is_archived_thread(self, guild_id: int, plan: Plan) -> bool:
        self.asked += 1
        return plan.channel_id in self.archived


class Scene:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.doors = Doors()
        self.subscriptions = MemorySubscriptions()
        self.revived = 0

        def later(_: Schedule, moment: datetime) -> datetime:
            return moment + timedelta(hours=1)

        def count() -> None:
            self.revived += 1

        stored = cast("Subscriptions", self.subscriptions)
        self.reviver = Reviver(stored, self.doors, later, clock=self.clock, on_revived=count)

    async def suspend(self, subscription_id: str = "s1") -> Subscription:
        await self.subscriptions.suspend(subscription_id, "no")
        one = self.subscriptions.by_id[subscription_id]
        self.reviver.suspended(one)
        return one

    def state(self, subscription_id: str = "s1") -> State:
        return self.subscriptions.by_id[subscription_id].state


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    made.subscriptions.add("s1")
    async with made.reviver:
        await made.clock.passes(CHECK_S + 10)
        yield made


async def test_it_resumes_within_seconds_of_the_change_and_runs_when_its_schedule_says(scene: Scene) -> None:
    await scene.suspend()
    await scene.clock.passes(60)
    scene.doors.open.add(100)
    scene.reviver.look_at(GUILD)
    await scene.clock.until(lambda: scene.state() is State.ACTIVE, 5)
    due_at = scene.subscriptions.by_id["s1"].due_at
    assert due_at is not None
    assert timedelta(minutes=59) < due_at - scene.clock.utc() <= timedelta(hours=1)
    assert scene.revived == 1


async def test_a_change_that_gives_no_access_changes_nothing(scene: Scene) -> None:
    await scene.suspend()
    scene.reviver.look_at(GUILD)
    await scene.clock.passes(3600)
    assert scene.state() is State.SUSPENDED


async def test_a_change_that_nobody_told_of_is_seen_within_minutes(scene: Scene) -> None:
    await scene.suspend()
    await scene.clock.passes(CHECK_S * 2)
    scene.doors.open.add(100)
    await scene.clock.until(lambda: scene.state() is State.ACTIVE, CHECK_S + 5)


async def test_what_was_suspended_before_the_start_resumes_too(scene: Scene) -> None:
    scene.subscriptions.add("s2", State.SUSPENDED, channel_id=200)
    scene.doors.open.add(200)
    scene.reviver.look_at_all()
    await scene.clock.until(lambda: scene.state("s2") is State.ACTIVE, 5)


async def test_one_that_is_refused_though_all_looks_well_rests_for_a_day(scene: Scene) -> None:
    scene.doors.open.add(100)
    await scene.suspend()
    scene.reviver.look_at(GUILD)
    await scene.clock.passes(UNEXPLAINED_S - 2 * CHECK_S)
    assert scene.state() is State.SUSPENDED
    await scene.clock.until(lambda: scene.state() is State.ACTIVE, 4 * CHECK_S)


async def test_one_that_is_refused_though_all_looks_well_resumes_when_access_went_and_came(scene: Scene) -> None:
    scene.doors.open.add(100)
    await scene.suspend()
    scene.doors.open.clear()
    scene.reviver.look_at(GUILD)
    await scene.clock.passes(10)
    scene.doors.open.add(100)
    scene.reviver.look_at(GUILD)
    await scene.clock.until(lambda: scene.state() is State.ACTIVE, 5)


async def test_a_thread_that_was_archived_meanwhile_resumes_too_and_discord_is_asked_seldom(scene: Scene) -> None:
    await scene.suspend()
    await scene.clock.passes(ASKED_S * 3)
    assert scene.state() is State.SUSPENDED
    assert 3 <= scene.doors.asked <= 4
    scene.doors.archived.add(100)
    await scene.clock.until(lambda: scene.state() is State.ACTIVE, ASKED_S + 2 * CHECK_S)


async def test_servers_without_suspended_digests_cost_nothing(scene: Scene) -> None:
    asked: list[int | None] = []
    suspended = scene.subscriptions.suspended

    async def counting(guild_id: int | None = None) -> tuple[Subscription, ...]:
        asked.append(guild_id)
        return await suspended(guild_id)

    scene.subscriptions.suspended = counting  # type: ignore[method-assign]
    for guild_id in range(1000):
        scene.reviver.look_at(guild_id)
    await scene.clock.passes(60)
    assert asked == []


async def test_what_people_paused_stays_paused(scene: Scene) -> None:
    one = scene.subscriptions.by_id["s1"]
    scene.subscriptions.by_id["s1"] = replace(one, state=State.PAUSED)
    scene.doors.open.add(100)
    scene.reviver.look_at_all()
    await scene.clock.passes(60)
    assert scene.state() is State.PAUSED


async def test_a_database_that_is_away_is_asked_again(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    await scene.suspend()
    await scene.clock.passes(CHECK_S * 2)
    suspended, failures = scene.subscriptions.suspended, [Unreadable("away")]

    async def away(guild_id: int | None = None) -> tuple[Subscription, ...]:
        if failures:
            raise failures.pop()
        return await suspended(guild_id)

    scene.subscriptions.suspended = away  # type: ignore[method-assign]
    scene.doors.open.add(100)
    scene.reviver.look_at(GUILD)
    await scene.clock.until(lambda: scene.state() is State.ACTIVE, CHECK_S + 10)
    assert "could not be looked at" in caplog.text
