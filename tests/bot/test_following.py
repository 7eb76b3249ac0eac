"""Whoever starts a workflow is told how far it is, and what became of it; and need not wait for ever."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from agents.events import WorkflowFinished, WorkflowStarted
from bot.following import Following
from bot.store.outbox import Origin, Outbox, RunState, Workflow
from tests.bot import samples

ID = "a" * 32
UNDER_WAY = Workflow(
    id=ID, event=WorkflowStarted(workflow_id=ID), origin=Origin.COMMAND, name="", guild_id=7,
    accepted_at=samples.NOON, begun=True, finished_at=None, counts={RunState.ASKING: 2},
)  # fmt: skip
FINISHED = replace(UNDER_WAY, finished_at=samples.NOON, counts={RunState.SENT: 2})
OTHER = replace(FINISHED, id="b" * 32)


class Known:
    """The workflows of server 7, as they are at the moment."""

    def __init__(self) -> None:
        self.now: tuple[Workflow, ...] = ()
        self.asked = 0

    async def workflows(self, guild_id: int, limit: int) -> tuple[Workflow, ...]:
        assert guild_id == 7
        self.asked += 1
        return self.now

    def following(self, **changes: Any) -> Following:
        return Following(cast("Outbox", self), **{"pause_s": 0.01, "timeout_s": 5.0, **changes})


class Shown:
    """What was shown, and what happens when it is."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.counts: list[dict[RunState, int] | None] = []
        self._then = then

    async def __call__(self, workflow: Workflow | None) -> None:
        self.counts.append(None if workflow is None else dict(workflow.counts))
        self._then()


@pytest.fixture
def known() -> Known:
    return Known()


async def test_the_end_is_told_at_once_when_the_bus_tells_it(known: Known) -> None:
    following, shown = known.following(pause_s=60, timeout_s=60), Shown()
    known.now = (OTHER, FINISHED)
    with following.expecting(ID):
        waiting = asyncio.create_task(following.end(7, ID, shown))
        await asyncio.sleep(0)
        await following.on_workflow_finished(WorkflowFinished(workflow_id=OTHER.id))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await following.on_workflow_finished(WorkflowFinished(workflow_id=ID))
        assert await asyncio.wait_for(waiting, 1) == FINISHED
    assert shown.counts == []


async def test_an_end_that_came_before_anybody_waited_is_told_too(known: Known) -> None:
    following = known.following(pause_s=60)
    known.now = (FINISHED,)
    with following.expecting(ID):
        await following.on_workflow_finished(WorkflowFinished(workflow_id=ID))
        assert await asyncio.wait_for(following.end(7, ID, Shown()), 1) == FINISHED


async def test_an_end_that_nobody_told_is_found(known: Known) -> None:
    following = known.following()
    known.now = (FINISHED,)
    with following.expecting(ID):
        assert await following.end(7, ID, Shown()) == FINISHED


async def test_progress_is_shown_when_there_is_some_and_once(known: Known) -> None:
    steps = iter(({RunState.SENDING: 2}, {RunState.SENDING: 2}, {RunState.SENDING: 1, RunState.SENT: 1}))

    async def workflows(guild_id: int, limit: int) -> tuple[Workflow, ...]:
        counts = next(steps, None)
        return (FINISHED,) if counts is None else (replace(UNDER_WAY, counts=counts),)

    known.workflows = workflows  # type: ignore[method-assign]
    shown, following = Shown(), known.following()
    with following.expecting(ID):
        assert await following.end(7, ID, shown) == FINISHED
    assert shown.counts == [{RunState.SENDING: 2}, {RunState.SENDING: 1, RunState.SENT: 1}]


async def test_nobody_waits_for_ever(known: Known) -> None:
    following = known.following(timeout_s=0.03)
    known.now = (UNDER_WAY,)
    with following.expecting(ID):
        assert await following.end(7, ID, Shown()) is None


async def test_who_stops_waiting_leaves_nothing_behind(known: Known) -> None:
    following = known.following(pause_s=60)

    async def wait() -> None:
        with following.expecting(ID):
            await following.end(7, ID, Shown())

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await following.on_workflow_finished(WorkflowFinished(workflow_id=ID))
    assert following.waiting == 0
