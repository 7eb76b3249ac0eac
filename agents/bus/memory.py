"""The bus within one process: a task per handler and event, bounded per subscription."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from agents import telemetry
from agents.bus import Handler, OnError, Subscription
from agents.errors import BusClosed, BusFull, WrongEvent
from agents.events import Event, Topic

E = TypeVar("E", bound=Event)

LAST_WORDS_S = 1.0
"""For handlers that were cancelled while draining, and for those of the events that they emit thereupon."""


class _Running:
    """One handler and the tasks that run it now, oldest first."""

    __slots__ = ("_bus", "_ended", "_line", "_promised", "_timer", "handler", "name", "tasks", "topic")

    def __init__(self, bus: "MemoryBus", topic: Topic[Any], handler: Handler[Any]) -> None:
        self._bus = bus
        self._ended = False
        self._line: dict[asyncio.Future[None], None] = {}
        """Those who wait for room, in the order of their arrival."""
        self._promised = 0
        """Places that are kept for who was called from the line."""
        self._timer: asyncio.TimerHandle | None = None
        self.topic = topic
        self.handler = handler
        self.name = getattr(handler, "__qualname__", type(handler).__qualname__)
        self.tasks: dict[asyncio.Task[None], tuple[Event, float]] = {}

    def cancel(self) -> None:
        """Take no further events, not even those that wait for room."""
        self._ended = True
        while self._line:
            self._call_first()
        self._bus.forget(self)

    @property
    def full(self) -> bool:
        return bool(self._line) or self._used >= self._bus.max_pending

    @property
    def _used(self) -> int:
        return len(self.tasks) + self._promised

    async def room(self) -> bool:
        """Wait until there is room for one event, to be started at once; False: no event is taken any more."""
        if self.full and not self._ended:
            waiting = asyncio.get_running_loop().create_future()
            self._line[waiting] = None
            try:
                await waiting
            except asyncio.CancelledError:
                self._line.pop(waiting, None)
                if not waiting.cancelled():  # it had been called already: the next one may have its place
                    self._promised -= 1
                    self._call_next()
                raise
            self._promised -= 1
        return not self._ended

    def _call_next(self) -> None:
        while self._line and self._used < self._bus.max_pending:
            self._call_first()

    def _call_first(self) -> None:
        waiting = next(iter(self._line))
        del self._line[waiting]
        if not waiting.cancelled():
            self._promised += 1
            waiting.set_result(None)

    def start(self, event: Event, loop: asyncio.AbstractEventLoop) -> None:
        task = loop.create_task(self._call(event))
        deadline = loop.time() + self._bus.handler_timeout_s
        self.tasks[task] = (event, deadline)
        task.add_done_callback(self._done)
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._expire, loop)

    async def _call(self, event: Event) -> None:
        await self.handler(event)

    def _done(self, task: asyncio.Task[None]) -> None:
        event, _deadline = self.tasks.pop(task)
        self._call_next()
        if not task.cancelled():
            error = task.exception()
        else:  # by somebody else than the bus: then nobody has heard of it yet
            error = asyncio.CancelledError("the handler was cancelled") if task.cancelling() == 0 else None
        if error is not None:
            self._bus.report(self, event, error)
        self._bus.task_done()

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel what has had its time; handlers of one subscription have equal time, so the oldest come first."""
        self._timer = None
        now = loop.time()
        for task, (event, deadline) in self.tasks.items():
            if deadline > now:
                self._timer = loop.call_at(deadline, self._expire, loop)
                return
            if task.cancelling() == 0 and task.cancel():
                limit = f"{self.name} took longer than {self._bus.handler_timeout_s:g} s"
                self._bus.report(self, event, TimeoutError(limit))


class MemoryBus:
    """``EventBus`` within one process.

    A subscription has at most ``max_pending`` events running; the next emit waits for room. A handler that takes
    longer than ``handler_timeout_s`` is cancelled and reported, so that one that hangs does not fill its
    subscription for ever. Failures are logged with their traceback and told to ``on_error``.
    """

    def __init__(
        self, *, max_pending: int = 1000, handler_timeout_s: float = 120.0, on_error: OnError | None = None
    ) -> None:
        if max_pending < 1 or handler_timeout_s <= 0:
            raise ValueError("max_pending must be at least 1 and handler_timeout_s above 0")
        self.max_pending = max_pending
        self.handler_timeout_s = handler_timeout_s
        self._on_error = on_error
        self._log = telemetry.logger("agents.bus")
        self._by_topic: dict[str, tuple[_Running, ...]] = {}
        self._unsubscribed: set[_Running] = set()
        self._in_flight = 0
        self._idle: asyncio.Event | None = None
        self._closed = False

    def subscribe(self, topic: Topic[E], handler: Handler[E]) -> Subscription:
        """See ``EventBus``."""
        running = _Running(self, topic, handler)
        self._by_topic[topic.name] = (*self._by_topic.get(topic.name, ()), running)
        return running

    async def emit(self, topic: Topic[E], event: E, *, timeout_s: float = 5.0) -> None:
        """See ``EventBus``. Returns without suspending when every handler has room."""
        if type(event) is not topic.model:
            raise WrongEvent(f"“{topic.name}” carries {topic.model.__name__}, not {type(event).__name__}.")
        if self._closed:
            raise BusClosed(f"The bus is closed; “{topic.name}” was not sent.")
        loop = asyncio.get_running_loop()
        crowded: list[_Running] | None = None
        for running in self._by_topic.get(topic.name, ()):
            if running.full:
                crowded = [*(crowded or ()), running]
            else:
                self._in_flight += 1
                running.start(event, loop)
        if crowded:
            await self._emit_crowded(crowded, event, timeout_s)

    async def _emit_crowded(self, crowded: list[_Running], event: Event, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        missed = list(crowded)

        async def enter(running: _Running) -> None:
            if await running.room():
                self._in_flight += 1
                running.start(event, loop)
            missed.remove(running)

        try:
            async with asyncio.timeout(timeout_s):
                if len(crowded) == 1:  # the usual case: in a flood there are thousands of these
                    await enter(crowded[0])
                else:
                    async with asyncio.TaskGroup() as waiting:
                        for running in crowded:
                            waiting.create_task(enter(running))
        except TimeoutError as error:
            names = ", ".join(running.name for running in missed)
            raise BusFull(f"No room within {timeout_s:g} s for {type(event).__name__} at {names}.") from error
        if self._closed:
            raise BusClosed(f"The bus was closed; {type(event).__name__} did not reach everybody.")

    async def settled(self) -> None:
        """See ``EventBus``."""
        while self._in_flight:
            if self._idle is None:
                self._idle = asyncio.Event()
            await self._idle.wait()

    async def drain(self, timeout_s: float) -> bool:
        """See ``EventBus``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.settled()
        except TimeoutError:
            await self._cancel_rest()
            return False
        else:
            return True
        finally:
            self._closed = True
            for running in self._all():
                running.cancel()

    async def _cancel_rest(self) -> None:
        """Cancel what runs; what that makes handlers emit (a last answer) still has a moment to arrive."""
        for task in [task for running in self._all() for task in running.tasks]:
            task.cancel()
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self.settled()
        except TimeoutError:
            for task in [task for running in self._all() for task in running.tasks]:
                task.cancel()

    def _all(self) -> set[_Running]:
        return self._unsubscribed.union(*self._by_topic.values())

    def forget(self, running: _Running) -> None:
        """Called by a subscription that was cancelled."""
        rest = tuple(other for other in self._by_topic.get(running.topic.name, ()) if other is not running)
        self._by_topic[running.topic.name] = rest
        self._unsubscribed = {other for other in self._unsubscribed if other.tasks}
        if running.tasks:
            self._unsubscribed.add(running)

    def task_done(self) -> None:
        """Called when a handler has ended, however."""
        self._in_flight -= 1
        if not self._in_flight and self._idle is not None:
            self._idle.set()
            self._idle = None

    def report(self, running: _Running, event: Event, error: BaseException) -> None:
        """Log a handler's failure with its traceback and tell ``on_error``; the hook's own failure is logged too."""
        self._log.error(
            "handler failed",
            topic=running.topic.name,
            handler=running.name,
            event_id=event.event_id,
            exc_info=error,
        )
        if self._on_error is not None:
            _call_hook(self._on_error, running.topic, event, error, self._log.exception)


def _call_hook(
    hook: OnError, topic: Topic[Any], event: Event, error: BaseException, log: Callable[[str], None]
) -> None:
    try:
        hook(topic, event, error)
    except Exception:  # noqa: BLE001 - a stranger's hook; logged with its traceback
        log("on_error hook failed")
