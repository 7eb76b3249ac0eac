"""Noting in the outbox what became of a part, however long the database takes, and telling whoever has to know."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol, TypeVar

from agents import telemetry
from bot.cards import delivery as cards
from bot.cards.card import Card
from bot.clock import Clock
from bot.store.errors import StoreError
from bot.store.outbox import Outbox, Part
from bot.store.subscriptions import Subscriptions
from bot.subscription import Subscription

GIVE_UP = timedelta(hours=24)
REFUSALS_TO_SUSPEND = 3
GATHER_S = 0.1
"""What was sent within that time is noted together: a transaction costs more than a request."""
LONGEST_BACKOFF_S = 300.0
_PAUSES_S = (0.2, 1.0, 5.0)
_log = telemetry.logger("bot.outbox")

T = TypeVar("T")
Jitter = Callable[[float, float], float]
"""A number between two, at random."""


class Admins(Protocol):
    """Whoever looks after a server."""

    def tell(self, guild_id: int, card: Card) -> None:
        """Have it told, in time; never waits."""
        ...


class Verdicts:
    """Writes each outcome until the database took it. ``on_final`` is called when a run may have come to its end."""

    def __init__(
        self,
        outbox: Outbox,
        subscriptions: Subscriptions,
        admins: Admins,
        *,
        clock: Clock,
        smaller: Callable[[str], str | None],
        on_final: Callable[[], None],
        on_suspended: Callable[[Subscription], None],
        jitter: Jitter = random.uniform,
    ) -> None:
        self._outbox = outbox
        self._subscriptions = subscriptions
        self._admins = admins
        self._clock = clock
        self._smaller = smaller
        self._on_final = on_final
        self._on_suspended = on_suspended
        self._jitter = jitter
        self._confirmed: dict[tuple[int, int], tuple[int, asyncio.Future[None]]] = {}
        self._confirming = asyncio.Event()

    async def confirm(self) -> None:
        """For ever: note what was sent, all that waits at a time in one transaction."""
        while True:
            await self._confirming.wait()
            await self._clock.sleep(GATHER_S)
            self._confirming.clear()
            batch = dict(self._confirmed)
            ids = {key: message_id for key, (message_id, _) in batch.items()}
            now = self._clock.utc()
            await self.insist(lambda ids=ids, now=now: self._outbox.sent(ids, now))  # type: ignore[misc]
            for key, (_, noted) in batch.items():
                del self._confirmed[key]
                if not noted.done():
                    noted.set_result(None)

    async def sent(self, part: Part, message_id: int) -> None:
        """It is there."""
        noted = asyncio.get_running_loop().create_future()
        self._confirmed[part.run_id, part.number] = (message_id, noted)
        self._confirming.set()
        await noted
        self._on_final()

    async def not_sent(self, part: Part, problem: str, retry_after_s: float | None = None) -> float:
        """Back into the outbox for so long, or as seems right; or given up, when it has been there for a day.

        Returns the seconds until it is due.
        """
        moment = self._clock.utc()
        if part.tried_at is not None and moment - part.tried_at > GIVE_UP:
            await self._dead(part, cards.TOO_LATE, refused_access=False)
            return 0.0
        if retry_after_s is None:
            retry_after_s = self._jitter(0.5, min(LONGEST_BACKOFF_S, 2.0 ** min(part.attempts, 10)))
        again = moment + timedelta(seconds=retry_after_s)
        await self.insist(lambda: self._outbox.not_sent(part.run_id, part.number, again, problem))
        return retry_after_s

    async def may_make(self, part: Part) -> bool:
        """Whether a forum's post that was claimed is still ours to make; from then on it may have been made."""
        return await self.insist(lambda: self._outbox.begin_post(part.run_id, part.number))

    async def give_back(self, part: Part) -> bool:
        """What was claimed and not begun waits again; False: a post that somebody began."""
        if part.forum:
            return await self.insist(lambda: self._outbox.return_post(part.run_id, part.number))
        await self.not_sent(part, part.problem, 0.0)
        return True

    async def in_doubt(self, part: Part, problem: str) -> None:
        """Perhaps it is there."""
        _log.info("nobody knows whether it was posted", nonce=part.nonce, problem=problem)
        now = self._clock.utc()
        await self.insist(lambda: self._outbox.unknown(part.run_id, part.number, now, problem))

    async def refused(self, part: Part, code: int) -> None:
        """The channel takes nothing; the third time in a row its subscription is suspended."""
        problem = cards.refused(code)
        _log.warning("a channel takes no digest", channel_id=part.channel_id, code=code)
        failures = await self._dead(part, problem, refused_access=True)
        if failures < REFUSALS_TO_SUSPEND:
            return
        if not await self.insist(lambda: self._subscriptions.suspend(part.subscription_id, problem)):
            return
        subscription = await self.insist(lambda: self._subscriptions.get(part.subscription_id))
        if subscription is not None:
            self._on_suspended(subscription)
            self._admins.tell(part.guild_id, cards.suspended(subscription.plan.name, part.channel_id, problem))

    async def unfit(self, part: Part, code: int) -> None:
        """Discord does not take the message: once more, smaller; then it is a dead letter."""
        body = self._smaller(part.body)
        _log.warning("Discord did not take a digest", nonce=part.nonce, code=code, again=body is not None)
        if body is None:
            await self._dead(part, cards.unfit(code), refused_access=False)
        else:
            await self.insist(lambda: self._outbox.rebuild(part.run_id, part.number, body))

    async def hold(self, part: Part, problem: str) -> None:
        """Nobody will find out."""
        _log.warning("held: nobody can find out whether it was posted", nonce=part.nonce, channel_id=part.channel_id)
        await self.insist(lambda: self._outbox.hold(part.run_id, part.number, problem))
        self._on_final()
        subscription = await self.insist(lambda: self._subscriptions.get(part.subscription_id))
        if subscription is not None:
            self._admins.tell(part.guild_id, cards.held(subscription.plan.name, part.channel_id, problem))

    async def _dead(self, part: Part, problem: str, *, refused_access: bool) -> int:
        failures = await self.insist(
            lambda: self._outbox.dead(part.run_id, part.number, problem, refused_access=refused_access)
        )
        self._on_final()
        return failures

    async def insist(self, change: Callable[[], Awaitable[T]]) -> T:
        """Ask the database until it answers; doing it twice must be the same as once."""
        pauses = iter(_PAUSES_S)
        while True:
            try:
                return await change()
            except StoreError as error:
                _log.warning("the outbox could not be changed yet", error=str(error))
                await self._clock.sleep(next(pauses, _PAUSES_S[-1]))
