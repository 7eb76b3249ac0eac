"""Waiting for the end of workflows that people started."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from agents.events import WorkflowFinished
from bot.store.outbox import Outbox, PastRun, Workflow

PAUSE_S = 2.0
"""How often progress is looked at."""
TIMEOUT_S = 120.0
_NEWEST = 50

Show = Callable[[Workflow | None], Awaitable[None]]


class Following:
    """Tells who waits for a workflow how far it is, and when it is over."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        pause_s: float | None = None,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._outbox = outbox
        self._pause_s = PAUSE_S if pause_s is None else pause_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._over: dict[str, asyncio.Event] = {}

    @property
    def waiting(self) -> int:
        """Workflows whose end somebody waits for."""
        return len(self._over)

    async def on_workflow_finished(self, event: WorkflowFinished) -> None:
        """For the bus."""
        over = self._over.get(event.workflow_id)
        if over is not None:
            over.set()

    @contextmanager
    def expecting(self, workflow_id: str) -> Iterator[None]:
        """From before it starts until nobody waits for it any more."""
        self._over[workflow_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._over[workflow_id]

    async def end(self, guild_id: int, workflow_id: str, show: Show) -> Workflow | None:
        """The workflow when it is finished; None when that takes too long. Only while it is expected.

        ``show`` is called now and then with what is known. Raises ``Unreadable``.
        """
        over, until = self._over[workflow_id], self._clock() + self._timeout_s
        shown: object = None
        while self._clock() < until:
            try:
                async with asyncio.timeout(self._pause_s):
                    await over.wait()
            except TimeoutError:
                pass
            known = await self._find(guild_id, workflow_id)
            if known is not None and known.finished_at is not None:
                return known
            over.clear()
            counts = None if known is None else dict(known.counts)
            if counts != shown:
                shown = counts
                await show(known)
        return None

    async def run_of(self, guild_id: int, workflow_id: str) -> PastRun | None:
        """The one run of a workflow for one subscription. Raises ``Unreadable``."""
        runs = await self._outbox.history(guild_id, _NEWEST)
        return next((run for run in runs if run.workflow_id == workflow_id), None)

    async def _find(self, guild_id: int, workflow_id: str) -> Workflow | None:
        newest = await self._outbox.workflows(guild_id, _NEWEST)
        return next((workflow for workflow in newest if workflow.id == workflow_id), None)
