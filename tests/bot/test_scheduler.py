"""The schedule at work: on time, once, by one process, and whatever becomes of the clock and the database."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.errors import BusClosed, BusFull
from agents.events import WORKFLOW_STARTED, Topic, WorkflowStarted, utc_now
from bot.scheduler import AT_ONCE, LEASE, LONGEST_SLEEP_S, OTHERS_S, Scheduler
from bot.store.database import Database
from bot.store.errors import NotSaved, SaveUnknown, StoreError, Unreadable
from bot.store.outbox import SCHEDULE_LEASE, Accepted
from bot.store.sql_outbox import SqlOutbox
from bot.store.sql_subscriptions import SqlSubscriptions
from bot.subscription import Every, Plan, QuietHours, Schedule, State, Subscription
from tests.bot.delivery.virtual_time import VirtualClock

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOURLY = Schedule(every=Every.HOUR, at="00:30")
AT_ONE = Schedule(at="13:00")


class SettableClock(VirtualClock):
    """A virtual clock whose wall time somebody may set."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by = timedelta()

    def utc(self) -> datetime:
        return super().utc() + self.set_by


class Stores:
    """Subscriptions and the outbox in memory, shared by the schedulers of a test; fails as it is told."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.lease: tuple[str, datetime] | None = None
        self.accepted: list[tuple[datetime, WorkflowStarted, str]] = []
        self.failures: list[StoreError] = []
        self.lost: list[StoreError] = []
        """Raised by ``accept_due`` after it has written."""
        self.gate: asyncio.Event | None = None
        """While it is closed, ``accept_due`` waits before it looks at anything."""
        self.asked = 0
        self.tried = 0
        """How often ``accept_due`` was called."""

    def add(self, schedule: Schedule, due_at: datetime, state: State = State.ACTIVE) -> str:
        name = f"{len(self.subscriptions):016x}"
        plan = Plan(name=name, channel_id=1, schedule=schedule)
        self.subscriptions[name] = Subscription(name, 7, plan, 1, state, due_at, None, 0, "")
        return name

    def starts(self, name: str) -> list[datetime]:
        return [at for at, event, _ in self.accepted if name in event.subscription_ids]

    def _fail(self) -> None:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)

    def _to_come(self) -> dict[str, datetime]:
        active = (one for one in self.subscriptions.values() if one.state is State.ACTIVE)
        return {one.id: one.due_at for one in active if one.due_at is not None}

    def _due(self, now: datetime) -> list[str]:
        return [name for name, at in sorted(self._to_come().items(), key=lambda item: item[1]) if at <= now]

    def _move(self, due: Mapping[str, datetime | None], now: datetime) -> list[str]:
        moved = [name for name in self._due(now) if name in due]
        for name in moved:
            self.subscriptions[name] = replace(self.subscriptions[name], due_at=due[name])
        return moved

    async def due(self, now: datetime, limit: int) -> tuple[Subscription, ...]:
        self._fail()
        return tuple(self.subscriptions[name] for name in self._due(now)[:limit])

    async def put_off(self, due: Mapping[str, datetime], now: datetime) -> None:
        self._fail()
        self._move(due, now)

    async def next_due(self) -> datetime | None:
        self._fail()
        return min(self._to_come().values(), default=None)

    async def hold_lease(self, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        self._fail()
        assert name == SCHEDULE_LEASE
        if self.lease is not None and self.lease[0] != owner and self.lease[1] > now:
            return False
        self.lease = (owner, now + ttl)
        return True

    async def release_lease(self, name: str, owner: str) -> None:
        self._fail()
        if self.lease is not None and self.lease[0] == owner:
            self.lease = None

    async def accept_due(
        self, event: WorkflowStarted, due: Mapping[str, datetime | None], now: datetime, owner: str
    ) -> Accepted | None:
        self.tried += 1
        if self.gate is not None:
            await self.gate.wait()
        self._fail()
        if self.lease is None or self.lease[0] != owner or self.lease[1] <= now or not self._move(due, now):
            return None
        self.accepted.append((now, event, owner))
        if self.lost:
            raise self.lost.pop(0)
        return Accepted(event.workflow_id, new=True)


class Bus:
    """Takes what is announced, or raises what it is told to."""

    def __init__(self) -> None:
        self.announced: list[str] = []
        self.failures: list[Exception] = []

    async def emit(self, topic: Topic[WorkflowStarted], event: WorkflowStarted) -> None:
        assert topic is WORKFLOW_STARTED
        if self.failures:
            raise self.failures.pop(0)
        self.announced.append(event.workflow_id)


@pytest.fixture
def clock() -> SettableClock:
    """Noon on a Sunday."""
    return SettableClock()


@pytest.fixture
def stores() -> Stores:
    return Stores()


@pytest.fixture
def bus() -> Bus:
    return Bus()


async def test_each_starts_when_it_is_due_and_the_next_time_after_that(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    noon = clock.utc()
    hourly, daily = stores.add(HOURLY, noon + 30 * MINUTE), stores.add(AT_ONE, noon + HOUR)
    paused = stores.add(HOURLY, noon, State.PAUSED)
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(2 * 3600)
    assert [at - noon for at in stores.starts(hourly)] == [30 * MINUTE, 90 * MINUTE]
    assert [at - noon for at in stores.starts(daily)] == [HOUR]
    assert stores.starts(paused) == []
    assert stores.subscriptions[daily].due_at == noon + DAY + HOUR
    assert bus.announced == [event.workflow_id for _, event, _ in stores.accepted]


async def test_what_is_added_is_seen_at_once_when_it_is_told_and_soon_when_it_is_not(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    noon = clock.utc()
    async with Scheduler(stores, stores, bus.emit, clock=clock) as scheduler:
        await clock.passes(1)
        told = stores.add(HOURLY, noon + timedelta(seconds=3))
        scheduler.wake()
        await clock.passes(3)
        assert len(stores.starts(told)) == 1
        untold = stores.add(HOURLY, noon + timedelta(seconds=3))
        await clock.passes(LONGEST_SLEEP_S)
        assert len(stores.starts(untold)) == 1


async def test_while_nothing_is_due_it_asks_seldom_and_writes_nothing(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    stores.add(AT_ONE, clock.utc() + DAY)
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(3600)
    assert stores.asked <= 2 * (3600 / LONGEST_SLEEP_S + 1)
    assert stores.lease is None


async def test_after_an_outage_each_has_one_run_and_the_next_lies_in_the_future(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    noon = clock.utc()
    names = [stores.add(HOURLY, noon - 3 * DAY), stores.add(Schedule(at="07:00"), noon - 2 * DAY)]
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(60)
    assert [len(stores.starts(name)) for name in names] == [1, 1]
    assert [stores.subscriptions[name].due_at for name in names] == [noon + 30 * MINUTE, noon + DAY - 5 * HOUR]


async def test_a_run_that_is_late_into_quiet_hours_waits_for_their_end(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    noon = clock.utc()
    quiet = Schedule(at="08:00", quiet=QuietHours(since="11:00", until="14:00"))
    late, usual = stores.add(quiet, noon - 4 * HOUR), stores.add(HOURLY, noon)
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(60)
        assert (len(stores.starts(late)), len(stores.starts(usual))) == (0, 1)
        await clock.passes(2 * 3600)
    assert stores.starts(late) == [noon + 2 * HOUR]
    assert stores.subscriptions[late].due_at == noon + 20 * HOUR


async def test_many_at_once_start_in_bounded_batches(clock: SettableClock, stores: Stores, bus: Bus) -> None:
    names = {stores.add(HOURLY, clock.utc()) for _ in range(2 * AT_ONCE + 1)}
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(1)
    batches = [event.subscription_ids for _, event, _ in stores.accepted]
    assert [len(batch) for batch in batches] == [AT_ONCE, AT_ONCE, 1]
    assert {name for batch in batches for name in batch} == names


async def test_a_clock_that_is_put_forward_costs_no_run_and_one_put_back_brings_none_twice(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    noon = clock.utc()
    name = stores.add(HOURLY, noon + 30 * MINUTE)
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(60)
        clock.set_by = 5 * HOUR
        await clock.passes(LONGEST_SLEEP_S + 1)
        assert len(stores.starts(name)) == 1
        clock.set_by = timedelta()
        await clock.passes(5 * 3600)
        assert len(stores.starts(name)) == 1
        await clock.passes(3600)
    assert [at - noon for at in stores.starts(name)[1:]] == [5.5 * HOUR]


async def test_a_database_that_is_away_is_waited_for_with_growing_pauses_and_nothing_is_lost(
    clock: SettableClock, stores: Stores, bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    noon = clock.utc()
    name = stores.add(HOURLY, noon)
    away = [NotSaved("no"), Unreadable("no")]
    stores.failures = [replacement for _ in range(10) for replacement in away]
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(60)
        assert stores.starts(name) == []
        assert stores.asked < 8
        await clock.passes(600)
    assert len(stores.starts(name)) == 1
    said = [record.getMessage() for record in caplog.records]
    assert said.count("the schedule waits for the database") == said.count("the schedule goes on") == 1


@pytest.mark.parametrize("failing", range(4))
async def test_wherever_the_database_breaks_off_it_starts_exactly_once(
    clock: SettableClock, stores: Stores, bus: Bus, failing: int
) -> None:
    """At looking, at the lease, at accepting, and after that."""
    name = stores.add(HOURLY, clock.utc())

    async def break_off() -> None:
        stores.asked = 0
        while stores.asked < failing:
            await asyncio.sleep(0)
        stores.failures = [NotSaved("no")]

    breaking = asyncio.create_task(break_off())
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(60)
    await breaking
    assert len(stores.starts(name)) == 1


async def test_one_that_was_perhaps_saved_is_not_started_again(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    name = stores.add(HOURLY, clock.utc())
    stores.lost = [SaveUnknown("perhaps")]
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(60)
    assert len(stores.starts(name)) == 1


@pytest.mark.parametrize("refusal", [BusFull("full"), BusClosed("closed")])
async def test_a_bus_that_takes_nothing_does_not_end_the_schedule(
    clock: SettableClock, stores: Stores, bus: Bus, refusal: Exception
) -> None:
    name = stores.add(HOURLY, clock.utc())
    bus.failures = [refusal]
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(3600)
    assert len(stores.starts(name)) == 2
    assert bus.announced == [stores.accepted[1][1].workflow_id]


async def test_of_several_processes_one_starts_what_is_due(clock: SettableClock, stores: Stores, bus: Bus) -> None:
    names = [stores.add(HOURLY, clock.utc() + 30 * MINUTE) for _ in range(2 * AT_ONCE)]
    async with (
        Scheduler(stores, stores, bus.emit, owner="a", clock=clock),
        Scheduler(stores, stores, bus.emit, owner="b", clock=clock),
    ):
        await clock.passes(3600)
    assert {len(stores.starts(name)) for name in names} == {1}
    assert len({owner for _, _, owner in stores.accepted}) == 1


async def test_one_that_stops_gives_the_lease_up_and_another_goes_on_at_once(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    name = stores.add(HOURLY, clock.utc())
    async with Scheduler(stores, stores, bus.emit, owner="a", clock=clock):
        await clock.passes(1)
        assert len(stores.starts(name)) == 1
    assert stores.lease is None
    stores.add(HOURLY, clock.utc())
    async with Scheduler(stores, stores, bus.emit, owner="b", clock=clock):
        await clock.passes(1)
    assert [owner for _, _, owner in stores.accepted] == ["a", "b"]
    assert len(stores.starts(name)) == 1


async def test_one_that_died_with_the_lease_is_replaced_when_it_ends(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    noon = clock.utc()
    stores.lease = ("dead", noon + LEASE)
    name = stores.add(HOURLY, noon)
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(LEASE.total_seconds() + OTHERS_S)
    (at,) = stores.starts(name)
    assert stores.tried == 1
    assert LEASE <= at - noon <= LEASE + timedelta(seconds=OTHERS_S)


async def test_one_that_was_paused_beyond_its_lease_starts_nothing(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    name = stores.add(HOURLY, clock.utc())
    gate = stores.gate = asyncio.Event()
    async with Scheduler(stores, stores, bus.emit, owner="paused", clock=clock):
        await clock.passes(1)
        assert stores.lease == ("paused", clock.utc() - timedelta(seconds=1) + LEASE)
        stores.gate = None
        async with Scheduler(stores, stores, bus.emit, owner="other", clock=clock):
            await clock.passes(LEASE.total_seconds() + OTHERS_S)
            assert len(stores.starts(name)) == 1
            gate.set()
            await clock.passes(60)
    assert [owner for _, event, owner in stores.accepted if name in event.subscription_ids] == ["other"]


async def test_one_that_is_cancelled_while_it_saves_ends_at_once_and_gives_the_lease_up(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    name = stores.add(HOURLY, clock.utc())
    stores.gate = asyncio.Event()
    async with asyncio.timeout(2), Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(1)
    assert stores.starts(name) == []
    assert stores.lease is None


async def test_a_lease_that_cannot_be_given_up_keeps_nobody_from_stopping(
    clock: SettableClock, stores: Stores, bus: Bus
) -> None:
    stores.add(HOURLY, clock.utc())
    async with Scheduler(stores, stores, bus.emit, clock=clock):
        await clock.passes(1)
        stores.failures = [NotSaved("no")]
    assert stores.lease is not None


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/signals.db") as opened:
        yield opened


async def test_on_the_real_stores_two_schedulers_start_everything_once(database: Database, bus: Bus) -> None:
    plans = [Plan(name=f"digest {number}", channel_id=1, schedule=AT_ONE) for number in range(20)]
    async with SqlSubscriptions(database) as subscriptions, SqlOutbox(database) as outbox:
        added = [await subscriptions.add(7, plan, utc_now() - MINUTE, 1) for plan in plans]
        async with Scheduler(subscriptions, outbox, bus.emit), Scheduler(subscriptions, outbox, bus.emit):
            async with asyncio.timeout(5):
                while not bus.announced:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        (workflow_id,) = await outbox.unbegun()
        assert bus.announced == [workflow_id]
        assert await outbox.begin(workflow_id) == len(added)
        after = await subscriptions.of_guild(7)
        assert all(one.due_at is not None and one.due_at > utc_now() for one in after)
        assert await subscriptions.hold_lease(SCHEDULE_LEASE, "next", datetime.now(UTC), LEASE)


async def test_on_the_real_stores_one_without_the_lease_starts_nothing(database: Database) -> None:
    async with SqlSubscriptions(database) as subscriptions, SqlOutbox(database) as outbox:
        one = await subscriptions.add(7, Plan(name="digest", channel_id=1, schedule=AT_ONE), utc_now() - MINUTE, 1)
        now, event = utc_now(), WorkflowStarted(subscription_ids=(one.id,))
        due: dict[str, Any] = {one.id: now + DAY}
        assert await subscriptions.hold_lease(SCHEDULE_LEASE, "paused", now - LEASE, LEASE)
        assert await outbox.accept_due(event, due, now, "paused") is None
        assert await subscriptions.hold_lease(SCHEDULE_LEASE, "other", now, LEASE)
        assert await outbox.accept_due(event, due, now - LEASE / 2, "paused") is None
        assert await outbox.accept_due(event, due, now, "other") == Accepted(event.workflow_id, new=True)
