"""Sends what the outbox holds: paced, one at a time in a channel, and never twice."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from agents import telemetry
from bot.clock import Clock
from bot.delivery.pacing import Pacer, Turn
from bot.delivery.posting import Access, Posting
from bot.delivery.rest import Rest
from bot.delivery.verdicts import Admins, Jitter, Verdicts
from bot.store.errors import StoreError
from bot.store.outbox import Outbox, Part
from bot.store.subscriptions import Subscriptions
from bot.subscription import Subscription
from bot.tasks import beside

MOST_OPEN = 128
"""Parts that are being sent or are in doubt; with more, nothing new is begun."""
CLAIMED_AT_ONCE = 10
"""A transaction costs more than a request; parts that were claimed and not sent before a kill are in doubt."""
FEW = 6
"""With fewer that wait for their turn, more are claimed, so that no turn waits for a part."""
IDLE_S = 5.0
"""How often the outbox is asked when nobody says that there is something in it."""
SWEEP_S = 60.0
"""How often the outbox is searched for parts that nobody has: a claim may have been made though it seemed to fail."""
_log = telemetry.logger("bot.outbox")


class OutboxSender:
    """Owns the tasks that send; an async context manager.

    ``ready`` is awaited before anything is sent. ``smaller`` rebuilds a body that Discord did not take; ``on_final``
    is called whenever a run may have come to its end, ``on_suspended`` with each subscription that was suspended.
    """

    def __init__(
        self,
        outbox: Outbox,
        subscriptions: Subscriptions,
        rest: Rest,
        pacer: Pacer,
        access: Access,
        admins: Admins,
        *,
        clock: Clock,
        smaller: Callable[[str], str | None],
        ready: Callable[[], Awaitable[object]],
        on_final: Callable[[], None] = lambda: None,
        on_suspended: Callable[[Subscription], None] = lambda _: None,
        jitter: Jitter = random.uniform,
    ) -> None:
        self._outbox = outbox
        self._pacer = pacer
        self._clock = clock
        self._ready = ready
        self._verdicts = Verdicts(
            outbox,
            subscriptions,
            admins,
            clock=clock,
            smaller=smaller,
            on_final=on_final,
            on_suspended=on_suspended,
            jitter=jitter,
        )
        self._posting = Posting(rest, pacer, access, self._verdicts, clock=clock, jitter=jitter)
        self._woken = asyncio.Event()
        self._claimed: deque[Part] = deque()
        """Parts that wait for their turn."""
        self._filled = asyncio.Event()
        self._busy: set[int] = set()
        self._open: dict[asyncio.Task[None], frozenset[tuple[int, int]]] = {}
        self._swept_at = -SWEEP_S
        self._began = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def token_refused(self) -> asyncio.Event:
        """Set when Discord no longer takes the token: whoever runs the process ends it."""
        return self._posting.token_refused

    async def __aenter__(self) -> Self:
        self._tasks = [
            beside(self._run(), "outbox-sender"),
            beside(self._dispatch(), "outbox-turns"),
            beside(self._verdicts.confirm(), "outbox-confirmations"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = {*self._tasks, *self._open}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def wake(self) -> None:
        """There is something in the outbox."""
        self._woken.set()

    async def drain(self, timeout_s: float) -> None:
        """Begin nothing more, and let requests under way finish. What is in doubt is left for the next start."""
        self._posting.stopping.set()
        self._posting.calm.set()
        self._woken.set()
        claiming, dispatching, _ = self._tasks
        dispatching.cancel()
        if not self._began:
            claiming.cancel()
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.wait((claiming, dispatching))
                await self._give_back()
                while self._open:
                    await asyncio.wait(self._open)
        except TimeoutError:
            _log.info("left for the next start", parts=len(self._open))

    async def _run(self) -> None:
        await self._ready()
        self._began = True
        while not self._posting.stopping.is_set():
            await self._take()

    async def _dispatch(self) -> None:
        """Begin what was claimed, each part in its turn."""
        while True:
            await self._filled.wait()
            turn = await self._pacer.take()
            if self._claimed:
                part = self._claimed.popleft()
                self._begin([part], self._send(part, turn))
            else:  # given back meanwhile
                turn.unused()
            if len(self._claimed) <= FEW:
                self._woken.set()
            if not self._claimed:
                self._filled.clear()

    async def _sweep(self) -> None:
        """Take up what was begun and nobody has: the process before left it, or a claim that seemed to fail."""
        had = {key for keys in self._open.values() for key in keys} | {_key(part) for part in self._claimed}
        by_channel: dict[int, list[Part]] = {}
        for part in await self._verdicts.insist(self._outbox.interrupted):
            if _key(part) not in had and part.channel_id not in self._busy:
                by_channel.setdefault(part.channel_id, []).append(part)
        for parts in by_channel.values():
            self._begin(parts, self._posting.settle(parts))
        self._swept_at = self._clock.monotonic()

    async def _take(self) -> None:
        """Claim parts that may be sent soon, or wait until there may be some."""
        self._woken.clear()
        if self._clock.monotonic() - self._swept_at >= SWEEP_S:
            await self._sweep()
        if self._pacer.paused_s > IDLE_S:
            await self._give_back()
            await self._clock.wait(self._woken, IDLE_S)
            return
        room = MOST_OPEN - len(self._open) - len(self._claimed)
        trouble_s = self._posting.trouble_s()
        if trouble_s:
            await self._clock.wait(self._posting.calm, trouble_s)
            room = min(room, 1 - len(self._claimed))
        if len(self._claimed) > FEW or room <= 0 or not await self._claim(min(CLAIMED_AT_ONCE, room)):
            await self._clock.wait(self._woken, IDLE_S)

    async def _give_back(self) -> None:
        """What was claimed and not begun: it is certainly not sent, and may be cancelled before it can be."""
        while self._claimed:
            part = self._claimed.pop()
            await self._verdicts.give_back(part)
            self._busy.discard(part.channel_id)

    async def _claim(self, most: int) -> int:
        """Have parts wait for their turn; how many there are more now."""
        if self._posting.stopping.is_set():
            return 0
        unavailable = {*self._busy, *self._posting.parked}
        try:
            claimed = await self._outbox.claim(self._clock.utc(), most, unavailable)
        except StoreError as error:
            _log.warning("nothing could be taken from the outbox", error=str(error))
            return 0
        self._busy.update(part.channel_id for part in claimed)
        self._claimed.extend(claimed)
        if claimed:
            self._filled.set()
        return len(claimed)

    async def _send(self, part: Part, turn: Turn) -> None:
        due_s = await self._posting.send(part, turn)
        if 0.0 < due_s < IDLE_S:  # else it is found when the outbox is asked next
            asyncio.get_running_loop().call_later(due_s, self._woken.set)

    def _begin(self, parts: Sequence[Part], work: Coroutine[Any, Any, None]) -> None:
        """``parts`` are all of one channel."""
        channel_id = parts[0].channel_id
        self._busy.add(channel_id)
        task = beside(work, "outbox-part")
        self._open[task] = frozenset(map(_key, parts))

        def done(ended: asyncio.Task[None]) -> None:
            del self._open[ended]
            self._busy.discard(channel_id)
            self._woken.set()

        task.add_done_callback(done)


def _key(part: Part) -> tuple[int, int]:
    return part.run_id, part.number
