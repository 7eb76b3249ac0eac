"""The bus against ``asyncio.gather``: handlers that yield once, one event after the other."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from agents.bus.memory import MemoryBus
from agents.events import WORKFLOW_STARTED, WorkflowStarted
from benchmarks.figure import TIMES, Measured, Ratios, Size

NAME = "bus"
LIMIT = 1.5
_PAIRS = {Size.FULL: 61, Size.TINY: 3}
_EVENTS = {Size.FULL: 2000, Size.TINY: 20}

Round = Callable[[int], Awaitable[None]]


async def measure(size: Size) -> list[Measured]:
    """With one handler and with ten; an event counts as handled when every handler is done with it."""
    return [await _with_handlers(count, size) for count in (1, 10)]


async def _with_handlers(count: int, size: Size) -> Measured:
    event = WorkflowStarted()
    handlers = [_handler() for _ in range(count)]
    bus = MemoryBus()
    for handler in handlers:
        bus.subscribe(WORKFLOW_STARTED, handler)

    async def through_the_bus(events: int) -> None:
        for _ in range(events):
            await bus.emit(WORKFLOW_STARTED, event)
            await bus.settled()

    async def gathered(events: int) -> None:
        for _ in range(events):
            await asyncio.gather(*[handler(event) for handler in handlers])

    events = _EVENTS[size] // count
    await through_the_bus(events)
    await gathered(events)
    ours, reference = [], []
    for _ in range(_PAIRS[size]):
        ours.append(await _per_event_s(through_the_bus, events))
        reference.append(await _per_event_s(gathered, events))
    ratios = Ratios(ours, reference)
    figure = f"bus: emit to {count} handler{'s' * (count > 1)} that yield once, against asyncio.gather of the same"
    return Measured(figure, ratios.median, LIMIT, TIMES, ratios.details(1e6, "µs"))


def _handler() -> Callable[[WorkflowStarted], Awaitable[None]]:
    async def handler(_event: WorkflowStarted) -> None:
        await asyncio.sleep(0)

    return handler


async def _per_event_s(round_: Round, events: int) -> float:
    started = time.perf_counter()
    await round_(events)
    return (time.perf_counter() - started) / events
