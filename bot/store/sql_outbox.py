"""The outbox in the database."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.events import WorkflowFinished, WorkflowStarted, utc_now
from bot.store.database import Database
from bot.store.digest_data import LEFT_GUILDS, UNDER_WAY, in_pieces
from bot.store.group_commit import GroupCommit
from bot.store.outbox import (
    KEEP_HISTORY,
    SCHEDULE_LEASE,
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
from bot.store.schema import LEASES, PARTS, RUNS, SERVED_GUILDS, SUBSCRIPTIONS, WEBHOOKS, WORKFLOWS
from bot.store.sql_subscriptions import move_due
from bot.subscription import State

KEEP_WEBHOOKS = timedelta(days=7)
_LINED_UP = 200
_LINE_UP_S = 0.5
"""How many parts, and for how long, the order found for sending holds."""
_FINISHED_AT_ONCE = 500
_PURGED_AT_ONCE = 50
"""Workflows in one transaction: each may have thousands of runs."""


@dataclass(frozen=True, slots=True)
class _New:
    """A workflow to be accepted, encoded."""

    row: Mapping[str, object]
    workflow_id: str
    webhook_id: str | None


@dataclass(frozen=True, slots=True)
class _Due:
    """A workflow of the schedule."""

    event: WorkflowStarted
    due: Mapping[str, datetime | None]
    now: datetime
    owner: str


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a part that was not sent."""

    run_id: int
    number: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _End:
    """A part whose run ends with it."""

    run_id: int
    number: int
    part: PartState
    run: RunState
    problem: str
    refused_access: bool = False


@dataclass(frozen=True, slots=True)
class _Claim:
    now: datetime
    limit: int
    busy_channels: frozenset[int]


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
        row = _workflow_row(event, origin, self._now(), name=name, guild_id=guild_id)
        return await self._line.do(_accept_all, _New(row, event.workflow_id, webhook_id))

    async def accept_due(
        self, event: WorkflowStarted, due: Mapping[str, datetime | None], now: datetime, owner: str
    ) -> Accepted | None:
        """See ``Outbox``. The event is stored with those subscriptions alone that are due indeed."""
        return await self._line.do(_accept_due_all, _Due(event, due, now, owner))

    async def begin(self, workflow_id: str) -> int:
        """See ``Outbox``."""
        return await self._line.do(self._begin_all, workflow_id)

    async def begin_next(self, workflows: int, runs: int) -> int:
        """See ``Outbox``."""
        return await self._line.do(self._begin_next_all, (workflows, runs)) if await self.unbegun(1) else 0

    async def unbegun(self, limit: int = 100) -> tuple[str, ...]:
        """See ``Outbox``."""
        return tuple(row.id for row in await self._rows(_unbegun(limit)))

    async def finish(self, now: datetime) -> tuple[WorkflowFinished, ...]:
        """See ``Outbox``."""
        if not await self._rows(_ended().limit(1)):
            return ()
        return await self._line.do(_finish_all, now)

    async def workflows(self, guild_id: int, limit: int) -> tuple[Workflow, ...]:
        """See ``Outbox``."""
        own = select(WORKFLOWS.c.number).where(WORKFLOWS.c.guild_id == guild_id)
        ran = select(RUNS.c.workflow).where(RUNS.c.guild_id == guild_id)
        newest = select(WORKFLOWS).where(or_(WORKFLOWS.c.number.in_(own), WORKFLOWS.c.number.in_(ran)))
        async with self._database.reading(self._read_timeout_s) as connection:
            found = (await connection.execute(newest.order_by(WORKFLOWS.c.number.desc()).limit(limit))).all()
            counts = await _counts(connection, [row.number for row in found], RUNS.c.guild_id == guild_id)
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

    async def seen(self, subscription_ids: Collection[str], since: datetime) -> Mapping[str, tuple[SeenItem, ...]]:
        """See ``Outbox``."""
        found = select(PARTS.c.subscription_id, PARTS.c.seen).where(
            PARTS.c.subscription_id.in_(subscription_ids), PARTS.c.sent_at >= since.timestamp()
        )
        rows = await self._rows(found)
        return await asyncio.to_thread(_seen_of, subscription_ids, rows)

    async def write(self, rendered: Sequence[Rendered]) -> None:
        """See ``Outbox``."""
        await self._line.do(self._write_all, tuple(rendered))

    async def fail(self, run_ids: Collection[int], note: str) -> None:
        """See ``Outbox``."""
        await self._line.do(self._fail_all, (tuple(run_ids), note))

    async def history(self, guild_id: int, limit: int, before_id: int | None = None) -> tuple[PastRun, ...]:
        """See ``Outbox``."""
        own = (
            select(RUNS, WORKFLOWS.c.id.label("workflow_id"), WORKFLOWS.c.origin)
            .join(WORKFLOWS, WORKFLOWS.c.number == RUNS.c.workflow)
            .where(RUNS.c.guild_id == guild_id)
        )
        if before_id is not None:
            own = own.where(RUNS.c.id < before_id)
        return tuple(_past_run_of(row) for row in await self._rows(own.order_by(RUNS.c.id.desc()).limit(limit)))

    # Parts

    async def claim(self, now: datetime, limit: int, busy_channels: Collection[int]) -> tuple[Part, ...]:
        """See ``Outbox``."""
        if not self._line_up and not await self._rows(select(PARTS.c.run_id).where(_may_be_tried(now)).limit(1)):
            return ()
        return await self._line.do(self._claim_all, _Claim(now, limit, frozenset(busy_channels)))

    async def interrupted(self) -> tuple[Part, ...]:
        """See ``Outbox``."""
        found = select(PARTS).where(PARTS.c.state == PartState.SENDING.value)
        rows = await self._rows(found.order_by(PARTS.c.run_id, PARTS.c.number))
        return tuple(part_of(row) for row in rows)

    async def sent(self, parts: Mapping[tuple[int, int], int], now: datetime) -> None:
        """See ``Outbox``."""
        await self._line.do(_sent_all, (dict(parts), now))

    async def not_sent(self, run_id: int, number: int, not_before: datetime, problem: str) -> None:
        """See ``Outbox``."""
        values = {"state": PartState.WAITING.value, "not_before": not_before.timestamp(), "problem": problem}
        await self._line.do(_not_sent_all, _Outcome(run_id, number, values))

    async def unknown(self, run_id: int, number: int, not_before: datetime, problem: str) -> None:
        """See ``Outbox``."""
        values = {"not_before": not_before.timestamp(), "problem": problem}
        await self._line.do(_note_all, _Outcome(run_id, number, values))

    async def rebuild(self, run_id: int, number: int, body: str) -> None:
        """See ``Outbox``."""
        values = {"state": PartState.WAITING.value, "not_before": None, "body": body, "chart": None}
        await self._line.do(_not_sent_all, _Outcome(run_id, number, values))

    async def hold(self, run_id: int, number: int, problem: str) -> None:
        """See ``Outbox``."""
        await self._line.do(self._end_all, _End(run_id, number, PartState.HELD, RunState.HELD, problem))

    async def dead(self, run_id: int, number: int, problem: str, *, refused_access: bool) -> int:
        """See ``Outbox``."""
        end = _End(run_id, number, PartState.DEAD, RunState.FAILED, problem, refused_access)
        return await self._line.do(self._end_all, end)

    async def purge(self, now: datetime) -> None:
        """See ``Outbox``. Where nothing is old, nothing is written."""
        for old in (_old_webhooks(now), _old_servings(now), _old_workflows(now)):
            if await self._rows(old.limit(1)):
                break
        else:
            return
        while await self._line.do(_purge_all, now):
            pass

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async with self._database.reading(self._read_timeout_s) as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows

    async def _begin_all(self, connection: AsyncConnection, workflow_ids: Sequence[str]) -> Sequence[int]:
        chosen = select(WORKFLOWS).where(WORKFLOWS.c.id.in_(workflow_ids), WORKFLOWS.c.begun.is_(False))
        await _begin(connection, (await connection.execute(chosen.with_for_update())).all(), self._now())
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
        rows = (await connection.execute(_unbegun(workflows, WORKFLOWS).with_for_update())).all()
        return await _begin(connection, rows, self._now(), most_runs)

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

    async def _claim_all(self, connection: AsyncConnection, claims: Sequence[_Claim]) -> Sequence[tuple[Part, ...]]:
        return [await self._claim(connection, claim) for claim in claims]

    async def _claim(self, connection: AsyncConnection, claim: _Claim) -> tuple[Part, ...]:
        """From the line-up while it holds; finding the order anew costs more than sending a part does."""
        keys = self._from_line_up(claim) if self._clock() - self._lined_up_at < _LINE_UP_S else ()
        parts = await _take(connection, keys, claim.now) if keys else ()
        if parts:
            return parts
        found = await connection.execute(_next_parts(claim.now, claim.busy_channels))
        self._line_up = {(row.run_id, row.number): row.channel_id for row in found}
        self._lined_up_at = self._clock()
        keys = self._from_line_up(claim)
        return await _take(connection, keys, claim.now) if keys else ()

    def _from_line_up(self, claim: _Claim) -> Sequence[tuple[int, int]]:
        free = (key for key, channel_id in self._line_up.items() if channel_id not in claim.busy_channels)
        keys = tuple(islice(free, claim.limit))
        for key in keys:
            del self._line_up[key]
        return keys

    async def _end_all(self, connection: AsyncConnection, ends: Sequence[_End]) -> Sequence[int]:
        return [await _end(connection, end, self._now()) for end in ends]


def _workflow_row(
    event: WorkflowStarted, origin: Origin, now: datetime, *, name: str = "", guild_id: int | None = None
) -> dict[str, object]:
    return {
        "id": event.workflow_id,
        "event": event.model_dump_json(),
        "origin": origin.value,
        "name": name,
        "guild_id": guild_id,
        "accepted_at": now.timestamp(),
        "begun": False,
        "finished_at": None,
    }


async def _accept_all(connection: AsyncConnection, several: Sequence[_New]) -> Sequence[Accepted]:
    """Each id once, also within the batch."""
    webhook_ids = [new.webhook_id for new in several if new.webhook_id is not None]
    webhooks = select(WEBHOOKS.c.id, WEBHOOKS.c.workflow_id).where(WEBHOOKS.c.id.in_(webhook_ids))
    by_webhook = {row.id: row.workflow_id for row in await connection.execute(webhooks)} if webhook_ids else {}
    ids = [new.workflow_id for new in several]
    known = set((await connection.execute(select(WORKFLOWS.c.id).where(WORKFLOWS.c.id.in_(ids)))).scalars())
    outcomes: list[Accepted] = []
    rows: list[Mapping[str, object]] = []
    for new in several:
        workflow_id = by_webhook.get(new.webhook_id, new.workflow_id)
        is_new = workflow_id not in known and new.webhook_id not in by_webhook
        outcomes.append(Accepted(workflow_id, is_new))
        if is_new:
            rows.append(new.row)
            known.add(workflow_id)
            if new.webhook_id is not None:
                by_webhook[new.webhook_id] = workflow_id
    if rows:
        await connection.execute(WORKFLOWS.insert(), rows)
        hooks = [
            {"id": new.webhook_id, "workflow_id": outcome.workflow_id, "at": new.row["accepted_at"]}
            for new, outcome in zip(several, outcomes, strict=True)
            if outcome.new and new.webhook_id is not None
        ]
        if hooks:
            await connection.execute(WEBHOOKS.insert(), hooks)
    return outcomes


async def _accept_due_all(connection: AsyncConnection, several: Sequence[_Due]) -> Sequence[Accepted | None]:
    return [await _accept_due(connection, due) for due in several]


async def _accept_due(connection: AsyncConnection, scheduled: _Due) -> Accepted | None:
    workflow_id = scheduled.event.workflow_id
    known = await connection.execute(select(WORKFLOWS.c.id).where(WORKFLOWS.c.id == workflow_id))
    if known.first() is not None:
        return Accepted(workflow_id, new=False)
    held = select(LEASES.c.until).where(LEASES.c.name == SCHEDULE_LEASE, LEASES.c.owner == scheduled.owner)
    until = (await connection.execute(held)).scalar()
    if until is None or until <= scheduled.now.timestamp():
        return None
    due = await move_due(connection, scheduled.due, scheduled.now)
    if not due:
        return None
    event = scheduled.event.model_copy(update={"subscription_ids": due})
    await connection.execute(WORKFLOWS.insert(), _workflow_row(event, Origin.SCHEDULE, scheduled.now))
    return Accepted(workflow_id, new=True)


async def _begin(
    connection: AsyncConnection, rows: Sequence[Row[Any]], now: datetime, most_runs: int | None = None
) -> int:
    """Begin workflows in their order, none beyond so many runs; how many these were."""
    begun: list[int] = []
    made: list[int] = []
    runs = 0
    for row in rows:
        if most_runs is not None and runs >= most_runs:
            break
        event = load_event(row.event)
        its_runs = 0
        for wanted in _concerned(event, row.guild_id) if event.digests else []:
            its_runs += (await connection.execute(_insert_runs(row.number, wanted, now))).rowcount
        begun.append(row.number)
        runs += its_runs
        if its_runs:
            made.append(row.number)
    if begun:
        await connection.execute(update(WORKFLOWS).where(WORKFLOWS.c.number.in_(begun)).values(begun=True))
    if made:
        await connection.execute(_set_ran_at(made, now))
    return len(begun)


def _unbegun(limit: int, wanted: Any = WORKFLOWS.c.id) -> Select[Any]:
    return select(wanted).where(WORKFLOWS.c.begun.is_(False)).order_by(WORKFLOWS.c.number).limit(limit)


def _earlier_under_way() -> ColumnElement[bool]:
    earlier = RUNS.alias("earlier")
    same = (earlier.c.subscription_id == RUNS.c.subscription_id) & (earlier.c.id < RUNS.c.id)
    return exists().where(same, earlier.c.state.in_(UNDER_WAY))


def _concerned(event: WorkflowStarted, guild_id: int | None) -> list[ColumnElement[bool]]:
    """Which subscriptions a workflow is for, in pieces that a statement can name."""
    within: ColumnElement[bool] = SUBSCRIPTIONS.c.guild_id.not_in(LEFT_GUILDS)
    if guild_id is not None:
        within &= SUBSCRIPTIONS.c.guild_id == guild_id
    active = within & (SUBSCRIPTIONS.c.state == State.ACTIVE.value)
    if event.subscription_ids:
        running = within & SUBSCRIPTIONS.c.state.in_((State.ACTIVE.value, State.SUSPENDED.value))
        return [running & SUBSCRIPTIONS.c.id.in_(some) for some in in_pieces(sorted(set(event.subscription_ids)))]
    if event.guild_ids:
        guild_ids = sorted({int(one) for one in event.guild_ids if one.isdecimal() and len(one) < 20})
        return [active & SUBSCRIPTIONS.c.guild_id.in_(some) for some in in_pieces(guild_ids)]
    return [active]


def _insert_runs(workflow: int, wanted: ColumnElement[bool], now: datetime) -> Any:
    """One statement, however many runs it makes."""
    before = RUNS.alias("before")
    since = (
        select(before.c.started_at)
        .where(
            before.c.subscription_id == SUBSCRIPTIONS.c.id,
            before.c.state.in_((RunState.SENT.value, RunState.EMPTY.value)),
        )
        .order_by(before.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns = {
        "workflow": literal(workflow),
        "subscription_id": SUBSCRIPTIONS.c.id,
        "subscription_name": SUBSCRIPTIONS.c.name,
        "guild_id": SUBSCRIPTIONS.c.guild_id,
        "state": literal(RunState.ASKING.value),
        "items": literal(0),
        "left_over": literal(0),
        "note": literal(""),
        "since": since,
        "started_at": literal(now.timestamp()),
    }
    chosen = select(*columns.values()).where(wanted).order_by(SUBSCRIPTIONS.c.guild_id, SUBSCRIPTIONS.c.position)
    return insert(RUNS).from_select(list(columns), chosen)


def _set_ran_at(workflows: Sequence[int], now: datetime) -> Any:
    own = select(RUNS.c.subscription_id).where(RUNS.c.workflow.in_(workflows))
    return update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id.in_(own)).values(ran_at=now.timestamp())


async def _write(connection: AsyncConnection, several: Sequence[Rendered], now: datetime) -> None:
    found = (
        select(RUNS.c.id, SUBSCRIPTIONS.c.state)
        .outerjoin(SUBSCRIPTIONS, SUBSCRIPTIONS.c.id == RUNS.c.subscription_id)
        .where(RUNS.c.id.in_([one.run_id for one in several]), RUNS.c.state == RunState.ASKING.value)
    )
    states = {row.id: row.state for row in await connection.execute(found)}
    runs, parts = [], []
    for one in several:
        if one.run_id not in states:
            continue
        state = _state_of(one, states[one.run_id])
        runs.append(_run_values(one, state, now))
        if state is RunState.SENDING:
            parts += [part_row(part) for part in one.parts]
    if parts:
        await connection.execute(PARTS.insert(), parts)
    if runs:
        await connection.execute(_UPDATE_RUN, runs)


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


def _may_be_tried(now: datetime) -> ColumnElement[bool]:
    rested = or_(PARTS.c.not_before.is_(None), PARTS.c.not_before <= now.timestamp())
    return (PARTS.c.state == PartState.WAITING.value) & rested


async def _take(connection: AsyncConnection, keys: Sequence[tuple[int, int]], now: datetime) -> tuple[Part, ...]:
    """Begin those of the parts that still wait, in the order given."""
    waiting = tuple_(PARTS.c.run_id, PARTS.c.number).in_(keys) & _may_be_tried(now)
    rows = await connection.execute(select(PARTS).where(waiting).with_for_update(skip_locked=True))
    found = {(row.run_id, row.number): part_of(row) for row in rows}
    parts = tuple(_begun(found[key], now) for key in keys if key in found)
    if parts:
        begun = [_part_key((part.run_id, part.number)) | {"now": now.timestamp()} for part in parts]
        await connection.execute(_BEGIN_PART, begun)
        guild_ids = {part.guild_id for part in parts}
        await connection.execute(delete(SERVED_GUILDS).where(SERVED_GUILDS.c.guild_id.in_(guild_ids)))
        served = [{"guild_id": guild_id, "at": now.timestamp()} for guild_id in guild_ids]
        await connection.execute(SERVED_GUILDS.insert(), served)
    return parts


def _next_parts(now: datetime, busy_channels: Collection[int]) -> Select[Any]:
    """What to send next: one a channel; of each server one, then a second of each, and so on."""
    earlier = PARTS.alias("earlier")
    none_before = ~exists().where(
        earlier.c.run_id == PARTS.c.run_id,
        earlier.c.number < PARTS.c.number,
        earlier.c.state != PartState.SENT.value,
    )
    wanted = _may_be_tried(now) & none_before
    if busy_channels:
        wanted &= PARTS.c.channel_id.not_in(sorted(busy_channels))
    place = (PARTS.c.run_id, PARTS.c.number, PARTS.c.guild_id, PARTS.c.channel_id)
    in_channel = func.row_number().over(partition_by=PARTS.c.channel_id, order_by=(PARTS.c.run_id, PARTS.c.number))
    own = select(*place, in_channel.label("in_channel")).where(wanted).subquery().c
    turn = func.row_number().over(partition_by=own.guild_id, order_by=(own.run_id, own.number))
    return (
        select(own.run_id, own.number, own.channel_id)
        .outerjoin(SERVED_GUILDS, SERVED_GUILDS.c.guild_id == own.guild_id)
        .where(own.in_channel == 1)
        .order_by(turn, func.coalesce(SERVED_GUILDS.c.at, 0.0), own.run_id)
        .limit(_LINED_UP)
    )


def _begun(part: Part, now: datetime) -> Part:
    tried_at = now if part.tried_at is None else part.tried_at
    return replace(part, state=PartState.SENDING, attempts=part.attempts + 1, tried_at=tried_at)


def _part_key(key: tuple[int, int]) -> dict[str, object]:
    return {"of_run": key[0], "of_number": key[1]}


_OF_PART = (PARTS.c.run_id == bindparam("of_run")) & (PARTS.c.number == bindparam("of_number"))
_BEGIN_PART = (
    update(PARTS)
    .where(_OF_PART)
    .values(
        state=PartState.SENDING.value,
        attempts=PARTS.c.attempts + 1,
        tried_at=func.coalesce(PARTS.c.tried_at, bindparam("now")),
    )
)
_SENT_PART = (
    update(PARTS)
    .where(_OF_PART, PARTS.c.state != PartState.SENT.value)
    .values(
        state=PartState.SENT.value,
        message_id=bindparam("message"),
        sent_at=bindparam("now"),
        body="",
        chart=None,
        problem="",
    )
)


async def _sent_all(
    connection: AsyncConnection, several: Sequence[tuple[Mapping[tuple[int, int], int], datetime]]
) -> Sequence[None]:
    rows = [
        _part_key(key) | {"message": message_id, "now": now.timestamp()}
        for parts, now in several
        for key, message_id in parts.items()
    ]
    if rows:
        await connection.execute(_SENT_PART, rows)
        run_ids = sorted({key[0] for parts, _ in several for key in parts})
        for some in in_pieces(run_ids):
            await _finish_runs(connection, some, several[0][1])
    return [None] * len(several)


async def _finish_runs(connection: AsyncConnection, run_ids: Sequence[Any], now: datetime) -> None:
    unsent = exists().where(PARTS.c.run_id == RUNS.c.id, PARTS.c.state != PartState.SENT.value)
    whole = RUNS.c.id.in_(run_ids) & (RUNS.c.state == RunState.SENDING.value) & ~unsent
    await connection.execute(update(RUNS).where(whole).values(state=RunState.SENT.value, finished_at=now.timestamp()))
    sent = select(RUNS.c.subscription_id).where(RUNS.c.id.in_(run_ids), RUNS.c.state == RunState.SENT.value)
    well = SUBSCRIPTIONS.c.id.in_(sent) & (SUBSCRIPTIONS.c.state == State.ACTIVE.value)
    await connection.execute(update(SUBSCRIPTIONS).where(well).values(failures=0, problem=""))


async def _note_all(connection: AsyncConnection, outcomes: Sequence[_Outcome]) -> Sequence[None]:
    """Something new about parts that are being sent."""
    for outcome in outcomes:
        own = (PARTS.c.run_id == outcome.run_id) & (PARTS.c.number == outcome.number)
        sending = own & (PARTS.c.state == PartState.SENDING.value)
        await connection.execute(update(PARTS).where(sending).values(**outcome.values))
    return [None] * len(outcomes)


async def _not_sent_all(connection: AsyncConnection, outcomes: Sequence[_Outcome]) -> Sequence[None]:
    await _note_all(connection, outcomes)
    run_ids = {outcome.run_id for outcome in outcomes}
    cancelled = select(RUNS.c.id).where(RUNS.c.id.in_(run_ids), RUNS.c.state == RunState.CANCELLED.value)
    waiting = PARTS.c.run_id.in_(cancelled) & (PARTS.c.state == PartState.WAITING.value)
    await connection.execute(delete(PARTS).where(waiting))
    return [None] * len(outcomes)


async def _end(connection: AsyncConnection, end: _End, now: datetime) -> int:
    """End a part and its run; the subscription's failures."""
    own = PARTS.c.run_id == end.run_id
    open_ = PARTS.c.state.in_((PartState.WAITING.value, PartState.SENDING.value))
    part = (await connection.execute(select(PARTS).where(own, PARTS.c.number == end.number))).first()
    if part is None:
        return 0
    ended = update(PARTS).where(own, PARTS.c.number >= end.number, open_)
    changed = await connection.execute(ended.values(state=end.part.value, problem=end.problem))
    running = (RUNS.c.id == end.run_id) & (RUNS.c.state == RunState.SENDING.value)
    values = {"state": end.run.value, "note": end.problem, "finished_at": now.timestamp()}
    await connection.execute(update(RUNS).where(running).values(**values))
    its = SUBSCRIPTIONS.c.id == part.subscription_id
    if changed.rowcount and end.refused_access:
        failed = update(SUBSCRIPTIONS).where(its)
        await connection.execute(failed.values(failures=SUBSCRIPTIONS.c.failures + 1, problem=end.problem))
    return (await connection.execute(select(SUBSCRIPTIONS.c.failures).where(its))).scalar() or 0


def _ended() -> Select[Any]:
    """Workflows of which nothing is under way any more."""
    under_way = exists().where(RUNS.c.workflow == WORKFLOWS.c.number, RUNS.c.state.in_(UNDER_WAY))
    unfinished = WORKFLOWS.c.begun.is_(True) & WORKFLOWS.c.finished_at.is_(None)
    return select(WORKFLOWS.c.number, WORKFLOWS.c.id, WORKFLOWS.c.event).where(unfinished, ~under_way)


async def _finish_all(
    connection: AsyncConnection, moments: Sequence[datetime]
) -> Sequence[tuple[WorkflowFinished, ...]]:
    """All of them go to the first who asks."""
    found = (await connection.execute(_ended().order_by(WORKFLOWS.c.number).limit(_FINISHED_AT_ONCE))).all()
    numbers = [row.number for row in found]
    counts = await _counts(connection, numbers)
    ended = update(WORKFLOWS).where(WORKFLOWS.c.number.in_(numbers))
    await connection.execute(ended.values(finished_at=moments[0].timestamp()))
    finished = tuple(_finished(load_event(row.event), counts[row.number]) for row in found)
    return [finished, *[()] * (len(moments) - 1)]


def _finished(started: WorkflowStarted, counts: Mapping[RunState, int]) -> WorkflowFinished:
    return WorkflowFinished(
        traceparent=started.traceparent,
        workflow_id=started.workflow_id,
        sent=counts.get(RunState.SENT, 0),
        empty=counts.get(RunState.EMPTY, 0),
        failed=counts.get(RunState.FAILED, 0),
        held=counts.get(RunState.HELD, 0),
    )


async def _counts(
    connection: AsyncConnection, workflows: Sequence[int], *wanted: ColumnElement[bool]
) -> Mapping[int, dict[RunState, int]]:
    """How many runs of each workflow are in which state."""
    counted = select(RUNS.c.workflow, RUNS.c.state, func.count().label("runs")).where(
        RUNS.c.workflow.in_(workflows), *wanted
    )
    counts: dict[int, dict[RunState, int]] = defaultdict(dict)
    for row in await connection.execute(counted.group_by(RUNS.c.workflow, RUNS.c.state)):
        counts[row.workflow][RunState(row.state)] = row.runs
    return counts


async def _purge_all(connection: AsyncConnection, moments: Sequence[datetime]) -> Sequence[bool]:
    """A piece of what is old; True: there may be more."""
    now = min(moments)
    await connection.execute(delete(WEBHOOKS).where(WEBHOOKS.c.id.in_(_old_webhooks(now))))
    await connection.execute(delete(SERVED_GUILDS).where(SERVED_GUILDS.c.guild_id.in_(_old_servings(now))))
    numbers = (await connection.execute(_old_workflows(now).limit(_PURGED_AT_ONCE))).scalars().all()
    await connection.execute(delete(WORKFLOWS).where(WORKFLOWS.c.number.in_(numbers)))  # runs and parts with them
    return [len(numbers) == _PURGED_AT_ONCE] * len(moments)


def _old_webhooks(now: datetime) -> Select[Any]:
    return select(WEBHOOKS.c.id).where(WEBHOOKS.c.at < (now - KEEP_WEBHOOKS).timestamp())


def _old_servings(now: datetime) -> Select[Any]:
    return select(SERVED_GUILDS.c.guild_id).where(SERVED_GUILDS.c.at < (now - KEEP_HISTORY).timestamp())


def _old_workflows(now: datetime) -> Select[Any]:
    before = (now - KEEP_HISTORY).timestamp()
    return select(WORKFLOWS.c.number).where(WORKFLOWS.c.begun.is_(True), WORKFLOWS.c.finished_at < before)


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
