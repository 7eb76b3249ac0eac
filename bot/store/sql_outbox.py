"""The outbox in the database."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice
from time import monotonic
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, Row, Select, bindparam, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.events import WorkflowFinished, WorkflowStarted, utc_now
from bot.store.database import Database
from bot.store.digest_data import UNDER_WAY, in_pieces
from bot.store.group_commit import GroupCommit
from bot.store.outbox import (
    Accepted,
    Origin,
    Part,
    PartState,
    PastRun,
    Rendered,
    Run,
    RunState,
    SeenItem,
    Workflow,
)
from bot.store.rows import load_event, load_seen, moment, part_of, part_row, subscription_of
from bot.store.schema import PARTS, RUNS, SUBSCRIPTIONS, WORKFLOWS
from bot.store.sql_parts import (
    Claim,
    End,
    Outcome,
    begin_posts,
    end_part,
    mark_not_sent,
    mark_sent,
    may_be_tried,
    next_parts,
    note_all,
    return_posts,
    take,
)
from bot.store.sql_workflows import (
    DueWorkflow,
    NewWorkflow,
    accept_all,
    accept_due_all,
    begin,
    count_runs,
    ended_workflows,
    finish_all,
    is_accepted,
    old_servings,
    old_webhooks,
    old_workflows,
    purge_all,
    unbegun,
    workflow_row,
)
from bot.subscription import State

_LINE_UP_S = 0.5
"""How long the order found for sending holds."""


class SqlOutbox:
    """``Outbox`` in the database; use as an async context manager, inside that of the database.

    Changes that wait at the same time are committed together. What is large is read and decoded in threads.
    """

    def __init__(
        self,
        database: Database,
        *,
        read_timeout_s: float = 5.0,
        save_timeout_s: float = 15.0,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._read_timeout_s = read_timeout_s
        self._line = GroupCommit(database, "outbox-writer", timeout_s=save_timeout_s)
        self._now = now
        self._clock = clock
        self._line_up: dict[tuple[int, int], int] = {}
        """Parts to be sent next, in their order, with their channels; what is taken is looked up again."""
        self._lined_up_at = -_LINE_UP_S

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._line.close()

    # Workflows

    async def accept(
        self,
        event: WorkflowStarted,
        origin: Origin,
        *,
        name: str = "",
        guild_id: int | None = None,
        webhook_id: str | None = None,
    ) -> Accepted:
        """See ``Outbox``."""
        row = workflow_row(event, origin, self._now(), name=name, guild_id=guild_id)
        return await self._line.do(accept_all, NewWorkflow(row, event.workflow_id, webhook_id), is_accepted)

    async def accept_due(
        self, event: WorkflowStarted, due: Mapping[str, datetime | None], now: datetime, owner: str
    ) -> Accepted | None:
        """See ``Outbox``. The event is stored with those subscriptions alone that are due indeed."""
        return await self._line.do(accept_due_all, DueWorkflow(event, due, now, owner))

    async def begin(self, workflow_id: str) -> int:
        """See ``Outbox``."""
        return await self._line.do(self._begin_all, workflow_id)

    async def begin_next(self, workflows: int, runs: int) -> int:
        """See ``Outbox``."""
        return await self._line.do(self._begin_next_all, (workflows, runs)) if await self.unbegun(1) else 0

    async def unbegun(self, limit: int = 100) -> tuple[str, ...]:
        """See ``Outbox``."""
        return tuple(row.id for row in await self._rows(unbegun(limit)))

    async def finish(self, now: datetime) -> tuple[WorkflowFinished, ...]:
        """See ``Outbox``."""
        if not await self._rows(ended_workflows().limit(1)):
            return ()
        return await self._line.do(finish_all, now)

    async def workflows(self, guild_id: int, limit: int) -> tuple[Workflow, ...]:
        """See ``Outbox``."""
        own = select(WORKFLOWS.c.number).where(WORKFLOWS.c.guild_id == guild_id)
        ran = select(RUNS.c.workflow).where(RUNS.c.guild_id == guild_id)
        newest = select(WORKFLOWS).where(or_(WORKFLOWS.c.number.in_(own), WORKFLOWS.c.number.in_(ran)))
        async with self._database.reading(self._read_timeout_s) as connection:
            found = (await connection.execute(newest.order_by(WORKFLOWS.c.number.desc()).limit(limit))).all()
            counts = await count_runs(connection, [row.number for row in found], RUNS.c.guild_id == guild_id)
        return tuple(_workflow_of(row, counts[row.number]) for row in found)

    # Runs

    async def asking(self, limit: int, after_id: int = 0) -> tuple[Run, ...]:
        """See ``Outbox``."""
        run = (RUNS.c.id.label("run_id"), RUNS.c.state.label("run_state"), RUNS.c.since, RUNS.c.started_at)
        workflow = (WORKFLOWS.c.id.label("workflow_id"), WORKFLOWS.c.event)
        found = (
            select(*run, *workflow, SUBSCRIPTIONS)
            .join(WORKFLOWS, WORKFLOWS.c.number == RUNS.c.workflow)
            .join(SUBSCRIPTIONS, SUBSCRIPTIONS.c.id == RUNS.c.subscription_id)
            .where(RUNS.c.state == RunState.ASKING.value, RUNS.c.id > after_id, ~_earlier_under_way())
        )
        return tuple(_run_of(row) for row in await self._rows(found.order_by(RUNS.c.id).limit(limit)))

    async def still_asking(self, run_ids: Collection[int]) -> frozenset[int]:
        """See ``Outbox``."""
        found = select(RUNS.c.id).where(RUNS.c.id.in_(run_ids), RUNS.c.state == RunState.ASKING.value)
        return frozenset(row.id for row in await self._rows(found))

    async def seen(self, subscription_ids: Collection[str], since: datetime) -> Mapping[str, tuple[SeenItem, ...]]:
        """See ``Outbox``."""
        found = select(PARTS.c.subscription_id, PARTS.c.seen).where(
            PARTS.c.subscription_id.in_(subscription_ids), PARTS.c.sent_at >= since.timestamp()
        )
        rows = await self._rows(found)
        return await asyncio.to_thread(_seen_of, subscription_ids, rows)

    async def left_over(self, subscription_ids: Collection[str]) -> Mapping[str, str]:
        """See ``Outbox``."""
        kept = select(SUBSCRIPTIONS.c.id, SUBSCRIPTIONS.c.left_over).where(
            SUBSCRIPTIONS.c.id.in_(subscription_ids), SUBSCRIPTIONS.c.left_over.is_not(None)
        )
        return {row.id: row.left_over for row in await self._rows(kept)}

    async def write(self, rendered: Sequence[Rendered]) -> None:
        """See ``Outbox``."""
        await self._line.do(self._write_all, tuple(rendered))

    async def fail(self, run_ids: Collection[int], note: str) -> None:
        """See ``Outbox``."""
        await self._line.do(self._fail_all, (tuple(run_ids), note))

    async def history(
        self,
        guild_id: int,
        limit: int,
        before_id: int | None = None,
        *,
        subscription_id: str | None = None,
        state: RunState | None = None,
    ) -> tuple[PastRun, ...]:
        """See ``Outbox``."""
        own = (
            select(RUNS, WORKFLOWS.c.id.label("workflow_id"), WORKFLOWS.c.origin)
            .join(WORKFLOWS, WORKFLOWS.c.number == RUNS.c.workflow)
            .where(RUNS.c.guild_id == guild_id)
        )
        if before_id is not None:
            own = own.where(RUNS.c.id < before_id)
        if subscription_id is not None:
            own = own.where(RUNS.c.subscription_id == subscription_id)
        if state is not None:
            own = own.where(RUNS.c.state == state.value)
        return tuple(_past_run_of(row) for row in await self._rows(own.order_by(RUNS.c.id.desc()).limit(limit)))

    # Parts

    async def claim(self, now: datetime, limit: int, busy_channels: Collection[int]) -> tuple[Part, ...]:
        """See ``Outbox``."""
        if not self._line_up and not await self._rows(select(PARTS.c.run_id).where(may_be_tried(now)).limit(1)):
            return ()
        return await self._line.do(self._claim_all, Claim(now, limit, frozenset(busy_channels)))

    async def begin_post(self, run_id: int, number: int) -> bool:
        """See ``Outbox``."""
        return await self._line.do(begin_posts, (run_id, number))

    async def return_post(self, run_id: int, number: int) -> bool:
        """See ``Outbox``."""
        return await self._line.do(return_posts, (run_id, number))

    async def interrupted(self) -> tuple[Part, ...]:
        """See ``Outbox``."""
        found = select(PARTS).where(PARTS.c.state == PartState.SENDING.value)
        rows = await self._rows(found.order_by(PARTS.c.run_id, PARTS.c.number))
        return tuple(part_of(row) for row in rows)

    async def sent(self, parts: Mapping[tuple[int, int], int], now: datetime) -> None:
        """See ``Outbox``."""
        await self._line.do(mark_sent, (dict(parts), now))

    async def not_sent(self, run_id: int, number: int, not_before: datetime, problem: str) -> None:
        """See ``Outbox``."""
        values = {"state": PartState.WAITING.value, "not_before": not_before.timestamp(), "problem": problem}
        await self._line.do(mark_not_sent, Outcome(run_id, number, values))

    async def unknown(self, run_id: int, number: int, not_before: datetime, problem: str) -> None:
        """See ``Outbox``."""
        values = {"not_before": not_before.timestamp(), "problem": problem}
        await self._line.do(note_all, Outcome(run_id, number, values))

    async def rebuild(self, run_id: int, number: int, body: str) -> None:
        """See ``Outbox``."""
        values = {"state": PartState.WAITING.value, "not_before": None, "body": body, "chart": None}
        await self._line.do(mark_not_sent, Outcome(run_id, number, values))

    async def hold(self, run_id: int, number: int, problem: str) -> None:
        """See ``Outbox``."""
        await self._line.do(self._end_all, End(run_id, number, PartState.HELD, RunState.HELD, problem))

    async def dead(self, run_id: int, number: int, problem: str, *, refused_access: bool) -> int:
        """See ``Outbox``."""
        end = End(run_id, number, PartState.DEAD, RunState.FAILED, problem, refused_access)
        return await self._line.do(self._end_all, end)

    async def purge(self, now: datetime) -> None:
        """See ``Outbox``. Where nothing is old, nothing is written."""
        for old in (old_webhooks(now), old_servings(now), old_workflows(now)):
            if await self._rows(old.limit(1)):
                break
        else:
            return
        while await self._line.do(purge_all, now):
            pass

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async with self._database.reading(self._read_timeout_s) as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows

    async def _begin_all(self, connection: AsyncConnection, workflow_ids: Sequence[str]) -> Sequence[int]:
        chosen = select(WORKFLOWS).where(WORKFLOWS.c.id.in_(workflow_ids), WORKFLOWS.c.begun.is_(False))
        await begin(connection, (await connection.execute(chosen.with_for_update())).all(), self._now())
        counted = (
            select(WORKFLOWS.c.id, func.count(RUNS.c.id).label("runs"))
            .outerjoin(RUNS, RUNS.c.workflow == WORKFLOWS.c.number)
            .where(WORKFLOWS.c.id.in_(workflow_ids))
            .group_by(WORKFLOWS.c.id)
        )
        runs = {row.id: row.runs for row in await connection.execute(counted)}
        return [runs.get(workflow_id, 0) for workflow_id in workflow_ids]

    async def _begin_next_all(self, connection: AsyncConnection, wanted: Sequence[tuple[int, int]]) -> Sequence[int]:
        return [await self._begin_next(connection, workflows, runs) for workflows, runs in wanted]

    async def _begin_next(self, connection: AsyncConnection, workflows: int, most_runs: int) -> int:
        rows = (await connection.execute(unbegun(workflows, WORKFLOWS).with_for_update())).all()
        return await begin(connection, rows, self._now(), most_runs)

    async def _write_all(
        self, connection: AsyncConnection, written: Sequence[tuple[Rendered, ...]]
    ) -> Sequence[None]:
        by_run = {rendered.run_id: rendered for several in written for rendered in several}
        for run_ids in in_pieces(list(by_run)):
            await _write(connection, [by_run[run_id] for run_id in run_ids], self._now())
        return [None] * len(written)

    async def _fail_all(
        self, connection: AsyncConnection, failed: Sequence[tuple[tuple[int, ...], str]]
    ) -> Sequence[None]:
        finished_at = self._now().timestamp()
        values = {"state": RunState.FAILED.value, "finished_at": finished_at}
        for run_ids, note in failed:
            for some in in_pieces(run_ids):
                asking = RUNS.c.id.in_(some) & (RUNS.c.state == RunState.ASKING.value)
                await connection.execute(update(RUNS).where(asking).values(note=note, **values))
        return [None] * len(failed)

    async def _claim_all(self, connection: AsyncConnection, claims: Sequence[Claim]) -> Sequence[tuple[Part, ...]]:
        return [await self._claim(connection, claim) for claim in claims]

    async def _claim(self, connection: AsyncConnection, claim: Claim) -> tuple[Part, ...]:
        """From the line-up while it holds; finding the order anew costs more than sending a part does."""
        keys = self._from_line_up(claim) if self._clock() - self._lined_up_at < _LINE_UP_S else ()
        parts = await take(connection, keys, claim.now) if keys else ()
        if parts:
            return parts
        found = await connection.execute(next_parts(claim.now, claim.busy_channels))
        self._line_up = {(row.run_id, row.number): row.channel_id for row in found}
        self._lined_up_at = self._clock()
        keys = self._from_line_up(claim)
        return await take(connection, keys, claim.now) if keys else ()

    def _from_line_up(self, claim: Claim) -> Sequence[tuple[int, int]]:
        free = (key for key, channel_id in self._line_up.items() if channel_id not in claim.busy_channels)
        keys = tuple(islice(free, claim.limit))
        for key in keys:
            del self._line_up[key]
        return keys

    async def _end_all(self, connection: AsyncConnection, ends: Sequence[End]) -> Sequence[int]:
        return [await end_part(connection, end, self._now()) for end in ends]


def _earlier_under_way() -> ColumnElement[bool]:
    earlier = RUNS.alias("earlier")
    same = (earlier.c.subscription_id == RUNS.c.subscription_id) & (earlier.c.id < RUNS.c.id)
    return exists().where(same, earlier.c.state.in_(UNDER_WAY))


async def _write(connection: AsyncConnection, several: Sequence[Rendered], now: datetime) -> None:
    found = (
        select(RUNS.c.id, SUBSCRIPTIONS.c.id.label("subscription_id"), SUBSCRIPTIONS.c.state)
        .outerjoin(SUBSCRIPTIONS, SUBSCRIPTIONS.c.id == RUNS.c.subscription_id)
        .where(RUNS.c.id.in_([one.run_id for one in several]), RUNS.c.state == RunState.ASKING.value)
    )
    rows = {row.id: row for row in await connection.execute(found)}
    runs, parts = [], []
    left_over: dict[str, str] = {}
    for one in several:
        if one.run_id not in rows:
            continue
        state = _state_of(one, rows[one.run_id].state)
        runs.append(_run_values(one, state, now))
        if state is not RunState.CANCELLED and one.left_over is not None:
            left_over[rows[one.run_id].subscription_id] = one.left_over
        if state is RunState.SENDING:
            parts += [part_row(part) for part in one.parts]
    if parts:
        await connection.execute(PARTS.insert(), parts)
    if runs:
        await connection.execute(_UPDATE_RUN, runs)
    await _keep_left_over(connection, left_over)


async def _keep_left_over(connection: AsyncConnection, left_over: Mapping[str, str]) -> None:
    gone = [subscription_id for subscription_id, kept in left_over.items() if not kept]
    if gone:
        old = SUBSCRIPTIONS.c.id.in_(gone) & SUBSCRIPTIONS.c.left_over.is_not(None)
        await connection.execute(update(SUBSCRIPTIONS).where(old).values(left_over=None))
    kept = [{"of": subscription_id, "kept": kept} for subscription_id, kept in sorted(left_over.items()) if kept]
    if kept:
        await connection.execute(_KEEP_LEFT_OVER, kept)


_KEEP_LEFT_OVER = (
    update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == bindparam("of")).values(left_over=bindparam("kept"))
)


def _state_of(rendered: Rendered, subscription_state: str | None) -> RunState:
    if subscription_state in {None, State.PAUSED.value}:
        return RunState.CANCELLED
    return RunState.SENDING if rendered.parts else RunState.EMPTY


_UPDATE_RUN = (
    update(RUNS)
    .where(RUNS.c.id == bindparam("of"))
    .values({name: bindparam(f"its_{name}") for name in ("state", "items", "left_over", "note", "finished_at")})
)


def _run_values(rendered: Rendered, state: RunState, now: datetime) -> dict[str, object]:
    return {
        "of": rendered.run_id,
        "its_state": state.value,
        "its_items": rendered.items,
        "its_left_over": rendered.left,
        "its_note": rendered.note,
        "its_finished_at": now.timestamp() if state.final else None,
    }


def _seen_of(subscription_ids: Collection[str], rows: Sequence[Row[Any]]) -> Mapping[str, tuple[SeenItem, ...]]:
    seen: dict[str, list[SeenItem]] = {subscription_id: [] for subscription_id in subscription_ids}
    for row in rows:
        seen[row.subscription_id] += load_seen(row.seen)
    return {subscription_id: tuple(items) for subscription_id, items in seen.items()}


def _workflow_of(row: Row[Any], counts: Mapping[RunState, int]) -> Workflow:
    accepted_at = moment(row.accepted_at)
    assert accepted_at is not None
    return Workflow(
        id=row.id,
        event=load_event(row.event),
        origin=Origin(row.origin),
        name=row.name,
        guild_id=row.guild_id,
        accepted_at=accepted_at,
        begun=row.begun,
        finished_at=moment(row.finished_at),
        counts=counts,
    )


def _run_of(row: Row[Any]) -> Run:
    started_at = moment(row.started_at)
    assert started_at is not None
    return Run(
        id=row.run_id,
        workflow_id=row.workflow_id,
        subscription=subscription_of(row),
        event=load_event(row.event),
        state=RunState(row.run_state),
        since=moment(row.since),
        started_at=started_at,
    )


def _past_run_of(row: Row[Any]) -> PastRun:
    started_at = moment(row.started_at)
    assert started_at is not None
    return PastRun(
        run_id=row.id,
        subscription_id=row.subscription_id,
        subscription_name=row.subscription_name,
        workflow_id=row.workflow_id,
        origin=Origin(row.origin),
        state=RunState(row.state),
        items=row.items,
        left=row.left_over,
        note=row.note,
        started_at=started_at,
        finished_at=moment(row.finished_at),
    )
