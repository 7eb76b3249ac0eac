"""Changes that wait at the same time are committed together: each waits for the disk once, however many there are."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database
from bot.store.errors import NotSaved, SaveUnknown, StoreError
from bot.tasks import beside

_BATCH = 200

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")

Changing = Callable[[AsyncConnection, Sequence[I]], Awaitable[Sequence[R | StoreError]]]
"""Does several things of one kind, in their order, and says what became of each. One that is refused (an error in
its place) has written nothing."""
Made = Callable[[AsyncConnection, I, R], Awaitable[bool | None]]
"""Looks whether what was done for an item is in the database; None: nothing was to be written for it."""


@dataclass(slots=True, eq=False)
class _Waiting:
    change: Changing[Any, Any]
    item: Any
    made: Made[Any, Any] | None
    outcome: "asyncio.Future[Any]"
    begun: bool = False


class GroupCommit:
    """A line of changes before one database; its owner closes it, before the database.

    A change whose turn has not come within ``timeout_s`` is withdrawn. Whoever asked may leave: what was begun ends
    all the same. Closing waits at most ``close_timeout_s`` for what is under way.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        timeout_s: float,
        close_timeout_s: float = 0.5,
        waiting: int = 5000,
    ) -> None:
        self._database = database
        self._name = name
        self._timeout_s = timeout_s
        self._close_timeout_s = close_timeout_s
        self._most_waiting = waiting
        self._line: deque[_Waiting] = deque()
        self._under_way: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    async def close(self) -> None:
        """Take nothing more and end. Closing twice is harmless."""
        self._closed = True
        writer, self._writer = self._writer, None
        if writer is not None:
            await asyncio.wait((writer,), timeout=self._close_timeout_s)
            writer.cancel()
            await asyncio.wait((writer,))

    async def do(self, change: Changing[I, R], item: I, made: Made[I, R] | None = None) -> R:
        """Have it done, in one transaction with whatever else waits; returns when that is committed.

        Where a commit breaks off, ``made`` tells what became of it. Raises what ``change`` refuses it with, and
        ``NotSaved`` or ``SaveUnknown``.
        """
        if self._closed:
            raise NotSaved("Nothing was saved: the bot is stopping.")
        if len(self._line) >= self._most_waiting:
            raise NotSaved("Nothing was saved: too many changes are waiting already.")
        waiting = _Waiting(change, item, made, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
        if self._writer is None or self._writer.done():
            self._writer = beside(self._write_line(), self._name)
        try:
            async with asyncio.timeout(self._timeout_s):
                result: R | StoreError = await waiting.outcome
        except TimeoutError:
            raise _too_slow(begun=waiting.begun) from None
        finally:
            if not waiting.begun and waiting in self._line:
                self._line.remove(waiting)
        if isinstance(result, StoreError):
            raise result
        return result

    async def _write_line(self) -> None:
        try:
            while self._line:
                await self._write_batch()
        finally:  # nobody waits in vain for a writer that was cancelled or had a bug
            self._settle([_too_slow(begun=True)] * len(self._under_way))
            self._fail_line(NotSaved("Nothing was saved: the bot is stopping."))

    async def _write_batch(self) -> None:
        results: list[Any] = []

        async def made(connection: AsyncConnection) -> bool | None:
            return await _made(connection, self._under_way, results)

        try:
            async with self._database.writing(made) as connection:
                self._take()
                results += await _done(connection, self._under_way)
        except StoreError as error:
            if self._under_way:
                self._settle([type(error)(str(error))] * len(self._under_way))
            else:  # it could not even begin
                self._fail_line(error)
        else:
            self._settle(results)

    def _take(self) -> None:
        self._under_way = [self._line.popleft() for _ in range(min(_BATCH, len(self._line)))]
        for waiting in self._under_way:
            waiting.begun = True

    def _settle(self, results: Sequence[Any]) -> None:
        for waiting, result in zip(self._under_way, results, strict=True):
            if not waiting.outcome.done():
                waiting.outcome.set_result(result)
        self._under_way = []

    def _fail_line(self, error: StoreError) -> None:
        while self._line:
            waiting = self._line.popleft()
            if not waiting.outcome.done():
                waiting.outcome.set_result(type(error)(str(error)))


async def _done(connection: AsyncConnection, batch: Sequence[_Waiting]) -> list[Any]:
    """Do what waits, things of a kind together; what became of each, in the order given."""
    kinds: dict[Changing[Any, Any], list[int]] = {}
    for place, waiting in enumerate(batch):
        kinds.setdefault(waiting.change, []).append(place)
    results: list[Any] = [None] * len(batch)
    for change, places in kinds.items():
        outcomes = await change(connection, [batch[place].item for place in places])
        for place, outcome in zip(places, outcomes, strict=True):
            results[place] = outcome
    return results


async def _made(connection: AsyncConnection, batch: Sequence[_Waiting], results: Sequence[Any]) -> bool | None:
    """Whether a batch is in the database: whole or not at all, so the first thing that can be looked for tells."""
    for waiting, result in zip(batch, results, strict=True):
        if waiting.made is not None and not isinstance(result, StoreError):
            found = await waiting.made(connection, waiting.item, result)
            if found is not None:
                return found
    return None


def _too_slow(*, begun: bool) -> StoreError:
    if begun:
        return SaveUnknown("The database did not answer in time: whether this was saved is not known yet.")
    return NotSaved("Nothing was saved: the database did not answer in time.")
