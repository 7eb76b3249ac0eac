"""Suspended digests resume by themselves once the bot may post again, as the gateway tells."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from agents import telemetry
from bot.clock import Clock
from bot.recent import Recent
from bot.store.errors import StoreError
from bot.store.subscriptions import Subscriptions
from bot.subscription import Plan, Schedule, Subscription
from bot.tasks import beside

CHECK_S = 600.0
"""How often all are looked at, whatever the gateway told."""
GATHER_S = 2.0
"""Changes of roles and channels come in bursts."""
UNEXPLAINED_S = 24 * 3600.0
"""How long one rests whose channel Discord refused though nothing that can be seen is wrong."""
ASKED_S = 3600.0
"""How often Discord itself is asked, about a channel that the gateway does not tell of."""
_REMEMBERED = 10_000
_log = telemetry.logger("bot.reviving")

FirstDue = Callable[[Schedule, datetime], datetime]
"""When a schedule that is resumed at a moment runs first."""


class MayPost(Protocol):
    """What the gateway told about where the bot may post."""

    def may_post(self, guild_id: int, plan: Plan) -> bool:
        """Whether a digest of this plan would be taken, as far as can be known."""
        ...

    async def is_archived_thread(self, guild_id: int, plan: Plan) -> bool:
        """Whether it would be, by a thread that only Discord can tell of; asks for it."""
        ...


class Reviver:
    """Looks at suspended digests when their server changed, and now and then; an async context manager."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        access: MayPost,
        first_due: FirstDue,
        *,
        clock: Clock,
        on_revived: Callable[[], None] = lambda: None,
    ) -> None:
        self._subscriptions = subscriptions
        self._access = access
        self._first_due = first_due
        self._clock = clock
        self._on_revived = on_revived
        self._guilds: set[int] = set()
        """Those with suspended digests."""
        self._unexplained: Recent[str, float] = Recent(_REMEMBERED)
        self._asked: Recent[str, float] = Recent(_REMEMBERED)
        self._wanted: set[int] = set()
        self._changed = asyncio.Event()
        self._all = True
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = beside(self._run(), "revive-digests")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def suspended(self, subscription: Subscription) -> None:
        """It was suspended just now."""
        self._guilds.add(subscription.guild_id)
        if self._access.may_post(subscription.guild_id, subscription.plan):
            self._unexplained.put(subscription.id, self._clock.monotonic())

    def look_at(self, guild_id: int) -> None:
        """Something changed in this server; costs nothing where nothing is suspended."""
        if guild_id in self._guilds:
            self._wanted.add(guild_id)
            self._changed.set()

    def look_at_all(self) -> None:
        """Anything may have changed."""
        self._all = True
        self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._clock.wait(self._changed, CHECK_S)
            if not self._changed.is_set():
                self._all = True
            await self._clock.sleep(GATHER_S)
            self._changed.clear()
            wanted, self._wanted = self._wanted, set()
            everything, self._all = self._all, False
            try:
                await self._look(None if everything else wanted)
            except StoreError as error:
                _log.warning("suspended digests could not be looked at", error=str(error))
                self._all = True

    async def _look(self, guild_ids: set[int] | None) -> None:
        if guild_ids is None:
            found = await self._subscriptions.suspended()
            self._guilds = {one.guild_id for one in found}
        else:
            found = tuple([one for guild_id in guild_ids for one in await self._subscriptions.suspended(guild_id)])
        for one in found:
            if await self._may_resume(one):
                await self._revive(one)

    async def _may_resume(self, one: Subscription) -> bool:
        """Whether access returned; where it was never seen to be gone, a day has to pass."""
        if not self._access.may_post(one.guild_id, one.plan):
            self._unexplained.forget(one.id)
            return await self._is_archived_thread(one)
        since = self._unexplained.get(one.id)
        return since is None or self._clock.monotonic() - since >= UNEXPLAINED_S

    async def _is_archived_thread(self, one: Subscription) -> bool:
        """Threads are archived while nobody posts there, so that the gateway may never tell that access returned."""
        now = self._clock.monotonic()
        asked = self._asked.get(one.id)
        if asked is not None and now - asked < ASKED_S:
            return False
        self._asked.put(one.id, now)
        return await self._access.is_archived_thread(one.guild_id, one.plan)

    async def _revive(self, one: Subscription) -> None:
        due_at = self._first_due(one.plan.schedule, self._clock.utc())
        if await self._subscriptions.revive(one.id, due_at):
            _log.info("a digest resumes", subscription_id=one.id, guild_id=one.guild_id)
            self._unexplained.forget(one.id)
            self._on_revived()
