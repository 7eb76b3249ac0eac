"""The schedule at work: what is due is started; where several processes share a database, by one of them."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from agents import telemetry
from agents.events import WorkflowStarted, new_id
from bot.clock import Clock, SystemClock
from bot.schedule import next_run, quiet_until
from bot.store.errors import StoreError
from bot.store.outbox import SCHEDULE_LEASE, Accepted
from bot.subscription import Subscription
from bot.tasks import beside
from bot.workflows import Emit, announce

LEASE = timedelta(seconds=60)
"""Renewed with every batch; who dies with it leaves the schedule to others after that time."""
AT_ONCE = 250
"""Subscriptions of one workflow."""
SLICE = 25
"""Of them, before others have their turn on the loop."""
LONGEST_SLEEP_S = 30.0
"""After which the time is looked at anew: another process may have added something, the clock may have been set."""
SHORTEST_SLEEP_S = 0.05
OTHERS_S = 5.0
"""How long another process, which holds the lease, is left to start what is due."""
TROUBLE_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_log = telemetry.logger("bot.schedule")


class Due(Protocol):
    """What of ``bot.store.subscriptions.Subscriptions`` is needed here."""

    async def due(self, now: datetime, limit: int) -> Sequence[Subscription]:
        """See there."""
        ...

    async def put_off(self, due: Mapping[str, datetime], now: datetime) -> None:
        """See there."""
        ...

    async def next_due(self) -> datetime | None:
        """See there."""
        ...

    async def hold_lease(self, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        """See there."""
        ...

    async def release_lease(self, name: str, owner: str) -> None:
        """See there."""
        ...


class AcceptsDue(Protocol):
    """What of ``bot.store.outbox.Outbox`` is needed here."""

    async def accept_due(
        self, event: WorkflowStarted, due: Mapping[str, datetime | None], now: datetime, owner: str
    ) -> Accepted | None:
        """See there."""
        ...


class Scheduler:
    """Starts a workflow for what is due, as soon as it is; use as an async context manager.

    The next run of a subscription is found from the present, so that an outage costs one run late and no more; a run
    that is late into quiet hours is put off to their end. The lease is taken when something is due, not before.
    """

    def __init__(
        self, subscriptions: Due, outbox: AcceptsDue, emit: Emit, *, owner: str = "", clock: Clock | None = None
    ) -> None:
        self._subscriptions = subscriptions
        self._outbox = outbox
        self._emit = emit
        self._owner = owner or new_id()
        self._clock = clock or SystemClock()
        self._woken = asyncio.Event()
        self._may_hold_lease = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = beside(self._run(), "schedule")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait((self._task,))
        if self._may_hold_lease:
            try:
                await self._subscriptions.release_lease(SCHEDULE_LEASE, self._owner)
            except StoreError as store_error:
                _log.info("the schedule's lease could not be given up", error=str(store_error))

    def wake(self) -> None:
        """Look again: a subscription was added or changed."""
        self._woken.set()

    async def _run(self) -> None:
        troubles = 0
        while True:
            self._woken.clear()
            try:
                sleep_s = await self._start_due()
            except StoreError as error:
                sleep_s = TROUBLE_PAUSES_S[min(troubles, len(TROUBLE_PAUSES_S) - 1)]
                troubles += 1
                if troubles == 1:
                    _log.warning("the schedule waits for the database", error=str(error))
            else:
                if troubles:
                    _log.info("the schedule goes on")
                troubles = 0
            await self._clock.wait(self._woken, sleep_s)

    async def _start_due(self) -> float:
        """Start some of what is due; returns after how many seconds to look again."""
        now = self._clock.utc()
        due = await self._subscriptions.due(now, AT_ONCE)
        if not due:
            return await self._until_next(now)
        self._may_hold_lease = True
        if not await self._subscriptions.hold_lease(SCHEDULE_LEASE, self._owner, now, LEASE):
            return OTHERS_S
        put_off, following = await _next_runs(due, now)
        if put_off:
            await self._subscriptions.put_off(put_off, now)
        started = not following or await self._start(following)
        return SHORTEST_SLEEP_S if started else OTHERS_S

    async def _start(self, following: Mapping[str, datetime]) -> bool:
        """False: the lease, or what was due, is gone."""
        with telemetry.span("schedule.start"):
            event = WorkflowStarted(subscription_ids=tuple(following))
            accepted = await self._outbox.accept_due(event, following, self._clock.utc(), self._owner)
            if accepted is None:
                return False
            _log.info("workflow started", workflow_id=event.workflow_id, subscriptions=len(following))
            await announce(self._emit, event)
            return True

    async def _until_next(self, now: datetime) -> float:
        next_due = await self._subscriptions.next_due()
        if next_due is None:
            return LONGEST_SLEEP_S
        return min(max((next_due - now).total_seconds(), SHORTEST_SLEEP_S), LONGEST_SLEEP_S)


async def _next_runs(due: Sequence[Subscription], now: datetime) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """By id: until when those wait for whom it is a quiet hour, and when the others run after this."""
    put_off: dict[str, datetime] = {}
    following: dict[str, datetime] = {}
    for number, one in enumerate(due):
        if number % SLICE == 0:
            await asyncio.sleep(0)
        if (end := quiet_until(one.plan.schedule, now)) is not None:
            put_off[one.id] = end
        else:
            following[one.id] = next_run(one.plan.schedule, now)
    return put_off, following
