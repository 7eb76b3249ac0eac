"""What every event bus promises; run over each implementation."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from agents.bus import EventBus
from agents.bus.memory import MemoryBus
from agents.errors import BusClosed, BusFull, WrongEvent
from agents.events import (
    SIGNALS_PROGRESS,
    SIGNALS_REQUESTED,
    WORKFLOW_STARTED,
    Event,
    Requester,
    SignalsRequested,
    WorkflowStarted,
)

Errors = list[tuple[str, Event, BaseException]]
MakeBus = Callable[..., EventBus]


@pytest.fixture
def errors() -> Errors:
    return []


@pytest.fixture(params=["memory"])
async def make_bus(request: pytest.FixtureRequest, errors: Errors) -> AsyncIterator[MakeBus]:
    made: list[EventBus] = []

    def make(**settings: Any) -> EventBus:
        bus = MemoryBus(on_error=lambda topic, event, error: errors.append((topic.name, event, error)), **settings)
        made.append(bus)
        return bus

    yield make
    for bus in made:
        await bus.drain(0.0)


def started() -> WorkflowStarted:
    return WorkflowStarted(query="rust")


async def test_every_handler_of_the_topic_gets_the_event_and_no_other_does(make_bus: MakeBus) -> None:
    bus = make_bus()
    seen: list[tuple[str, Event]] = []

    async def first(event: WorkflowStarted) -> None:
        seen.append(("first", event))

    async def second(event: WorkflowStarted) -> None:
        seen.append(("second", event))

    async def other(event: SignalsRequested) -> None:
        seen.append(("other", event))

    bus.subscribe(WORKFLOW_STARTED, first)
    bus.subscribe(WORKFLOW_STARTED, second)
    bus.subscribe(SIGNALS_REQUESTED, other)
    event = started()
    await bus.emit(WORKFLOW_STARTED, event)
    await bus.settled()
    assert seen == [("first", event), ("second", event)]


async def test_handlers_of_one_event_run_concurrently(make_bus: MakeBus) -> None:
    bus = make_bus()
    barrier = asyncio.Barrier(3)

    async def meet(event: WorkflowStarted) -> None:
        await barrier.wait()

    for _ in range(3):
        bus.subscribe(WORKFLOW_STARTED, meet)
    await bus.emit(WORKFLOW_STARTED, started())
    async with asyncio.timeout(1):
        await bus.settled()


async def test_a_failing_handler_harms_no_other_and_is_reported_with_its_traceback(
    make_bus: MakeBus, errors: Errors, caplog: pytest.LogCaptureFixture
) -> None:
    bus = make_bus()
    seen: list[Event] = []

    async def broken(event: WorkflowStarted) -> None:
        raise LookupError("broken on purpose")

    async def sound(event: WorkflowStarted) -> None:
        seen.append(event)

    bus.subscribe(WORKFLOW_STARTED, broken)
    bus.subscribe(WORKFLOW_STARTED, sound)
    event = started()
    with caplog.at_level(logging.ERROR, "agents.bus"):
        await bus.emit(WORKFLOW_STARTED, event)
        await bus.settled()
    assert seen == [event]
    assert [(topic, failed, type(error)) for topic, failed, error in errors] == [
        ("workflow:started", event, LookupError)
    ]
    assert errors[0][2].__traceback__ is not None
    assert len(caplog.records) == 1


async def test_a_handler_that_cancels_itself_does_not_vanish(make_bus: MakeBus, errors: Errors) -> None:
    bus = make_bus()

    async def gone(event: WorkflowStarted) -> None:
        raise asyncio.CancelledError

    bus.subscribe(WORKFLOW_STARTED, gone)
    await bus.emit(WORKFLOW_STARTED, started())
    await bus.settled()
    assert [type(error) for _, _, error in errors] == [asyncio.CancelledError]


async def test_a_hanging_handler_is_cancelled_reported_and_holds_up_nobody(make_bus: MakeBus, errors: Errors) -> None:
    bus = make_bus(handler_timeout_s=0.02)
    seen: list[Event] = []

    async def hangs(event: WorkflowStarted) -> None:
        await asyncio.Event().wait()

    async def sound(event: WorkflowStarted) -> None:
        seen.append(event)

    bus.subscribe(WORKFLOW_STARTED, hangs)
    bus.subscribe(WORKFLOW_STARTED, sound)
    async with asyncio.timeout(1):
        await bus.emit(WORKFLOW_STARTED, started())
        await asyncio.sleep(0)
        assert len(seen) == 1
        await bus.emit(WORKFLOW_STARTED, started())
        await bus.settled()
    assert [type(error) for _, _, error in errors] == [TimeoutError, TimeoutError]
    assert "hangs" in str(errors[0][2])


async def test_an_error_hook_that_fails_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def hook(topic: object, event: Event, error: BaseException) -> None:
        raise RuntimeError("hook")

    bus = MemoryBus(on_error=hook)

    async def broken(event: WorkflowStarted) -> None:
        raise LookupError

    bus.subscribe(WORKFLOW_STARTED, broken)
    with caplog.at_level(logging.ERROR, "agents.bus"):
        await bus.emit(WORKFLOW_STARTED, started())
        await bus.settled()
    assert len(caplog.records) == 2
    assert await bus.drain(0.1)


async def test_a_wrong_payload_is_refused_where_it_is_emitted(make_bus: MakeBus) -> None:
    bus = make_bus()
    with pytest.raises(WrongEvent, match="SignalsRequested, not WorkflowStarted"):
        await bus.emit(SIGNALS_REQUESTED, started())  # type: ignore[misc]
    with pytest.raises(WrongEvent):
        await bus.emit(SIGNALS_PROGRESS, {"request_id": "1"})  # type: ignore[misc]


async def test_the_emitter_waits_for_room_and_then_is_told_who_had_none(make_bus: MakeBus) -> None:
    bus = make_bus(max_pending=2)
    gate = asyncio.Event()
    seen: list[Event] = []

    async def slow(event: WorkflowStarted) -> None:
        await gate.wait()

    async def quick(event: WorkflowStarted) -> None:
        seen.append(event)

    bus.subscribe(WORKFLOW_STARTED, slow)
    bus.subscribe(WORKFLOW_STARTED, quick)
    await bus.emit(WORKFLOW_STARTED, started())
    await bus.emit(WORKFLOW_STARTED, started())
    await asyncio.sleep(0)
    with pytest.raises(BusFull, match="slow"):
        await bus.emit(WORKFLOW_STARTED, started(), timeout_s=0.01)
    assert len(seen) == 3  # the handler with room had it all the same

    waiting = asyncio.create_task(bus.emit(WORKFLOW_STARTED, started(), timeout_s=1))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    await waiting
    await bus.settled()


async def test_an_emitter_cancelled_while_it_waits_for_room_leaves_no_trace(make_bus: MakeBus) -> None:
    bus = make_bus(max_pending=1)
    gate = asyncio.Event()
    seen: list[Event] = []

    async def slow(event: WorkflowStarted) -> None:
        seen.append(event)
        await gate.wait()

    bus.subscribe(WORKFLOW_STARTED, slow)
    await bus.emit(WORKFLOW_STARTED, started())
    waiting = asyncio.create_task(bus.emit(WORKFLOW_STARTED, started(), timeout_s=1))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    await bus.settled()
    await bus.emit(WORKFLOW_STARTED, started())
    await bus.settled()
    assert len(seen) == 2


async def test_a_flood_is_taken_in_the_order_of_arrival_and_never_more_at_once_than_there_is_room(
    make_bus: MakeBus,
) -> None:
    bus = make_bus(max_pending=3)
    seen: list[str] = []
    running = most = 0

    async def handler(event: WorkflowStarted) -> None:
        nonlocal running, most
        seen.append(event.workflow_id)
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    bus.subscribe(WORKFLOW_STARTED, handler)
    events = [started() for _ in range(200)]
    await asyncio.gather(*(bus.emit(WORKFLOW_STARTED, event) for event in events))
    await bus.settled()
    assert seen == [event.workflow_id for event in events]
    assert most == 3


@pytest.mark.parametrize("turns", range(5))
async def test_who_leaves_the_line_as_there_is_room_leaves_it_to_the_next(make_bus: MakeBus, turns: int) -> None:
    bus = make_bus(max_pending=1)
    gate = asyncio.Event()
    seen: list[str] = []

    async def handler(event: WorkflowStarted) -> None:
        seen.append(event.workflow_id)
        await gate.wait()

    bus.subscribe(WORKFLOW_STARTED, handler)
    events = [started() for _ in range(4)]
    waiting = [asyncio.create_task(bus.emit(WORKFLOW_STARTED, event)) for event in events]
    await asyncio.sleep(0)
    gate.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting[1].cancel()
    waiting[2].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await bus.emit(WORKFLOW_STARTED, started())
    await bus.settled()
    gone = {event.workflow_id for event, task in zip(events, waiting, strict=True) if task.cancelled()}
    assert seen[:-1] == [event.workflow_id for event in events if event.workflow_id not in gone]


async def test_a_cancelled_subscription_gets_nothing_more(make_bus: MakeBus) -> None:
    bus = make_bus()
    seen: list[Event] = []

    async def handler(event: WorkflowStarted) -> None:
        seen.append(event)

    subscription = bus.subscribe(WORKFLOW_STARTED, handler)
    await bus.emit(WORKFLOW_STARTED, started())
    subscription.cancel()
    subscription.cancel()
    await bus.emit(WORKFLOW_STARTED, started())
    await bus.settled()
    assert len(seen) == 1


async def test_drain_lets_handlers_finish_and_emit_and_then_closes(make_bus: MakeBus) -> None:
    bus = make_bus()
    seen: list[str] = []

    async def on_requested(event: SignalsRequested) -> None:
        await asyncio.sleep(0.01)
        await bus.emit(WORKFLOW_STARTED, started())

    async def on_started(event: WorkflowStarted) -> None:
        seen.append("started")

    bus.subscribe(SIGNALS_REQUESTED, on_requested)
    bus.subscribe(WORKFLOW_STARTED, on_started)
    await bus.emit(SIGNALS_REQUESTED, SignalsRequested(requester=Requester(kind="test")))
    assert await bus.drain(1.0)
    assert seen == ["started"]
    with pytest.raises(BusClosed):
        await bus.emit(WORKFLOW_STARTED, started())


async def test_drain_cancels_what_does_not_finish_in_time(make_bus: MakeBus) -> None:
    bus = make_bus()
    ended: list[str] = []

    async def hangs(event: WorkflowStarted) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    subscription = bus.subscribe(WORKFLOW_STARTED, hangs)
    await bus.emit(WORKFLOW_STARTED, started())
    await asyncio.sleep(0)
    subscription.cancel()
    assert not await bus.drain(0.01)
    assert ended == ["cancelled"]


async def test_an_event_that_waited_for_room_does_not_reach_a_subscription_that_ended_meanwhile(
    make_bus: MakeBus,
) -> None:
    bus = make_bus(max_pending=1)
    taken: list[Event] = []
    may_end = asyncio.Event()

    async def slow(event: WorkflowStarted) -> None:
        taken.append(event)
        await may_end.wait()

    subscription = bus.subscribe(WORKFLOW_STARTED, slow)
    await bus.emit(WORKFLOW_STARTED, started())
    waiting = asyncio.create_task(bus.emit(WORKFLOW_STARTED, started()))
    await asyncio.sleep(0.01)
    subscription.cancel()
    await asyncio.wait_for(waiting, 1.0)  # nobody is left to have it: that is no fault of the emitter's
    may_end.set()
    await bus.settled()

    assert len(taken) == 1


async def test_an_event_that_waited_for_room_is_refused_when_the_bus_has_closed(
    make_bus: MakeBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.bus.memory.LAST_WORDS_S", 0.01)
    bus = make_bus(max_pending=1)
    taken: list[Event] = []

    async def stubborn(event: WorkflowStarted) -> None:
        taken.append(event)
        for _ in range(2):  # drained, and then given a moment for its last words
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    bus.subscribe(WORKFLOW_STARTED, stubborn)
    await bus.emit(WORKFLOW_STARTED, started())
    waiting = asyncio.create_task(bus.emit(WORKFLOW_STARTED, started(), timeout_s=5.0))
    await asyncio.sleep(0.01)

    await bus.drain(0.0)
    with pytest.raises(BusClosed):
        await asyncio.wait_for(waiting, 1.0)
    assert len(taken) == 1
