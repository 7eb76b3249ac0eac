"""Statements about workflows in the database: accepted, begun, finished, forgotten."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, exists, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.events import WorkflowFinished, WorkflowStarted
from bot.store.digest_data import LEFT_GUILDS, UNDER_WAY, in_pieces
from bot.store.outbox import KEEP_HISTORY, SCHEDULE_LEASE, Accepted, Origin, RunState
from bot.store.rows import load_event
from bot.store.schema import LEASES, RUNS, SERVED_GUILDS, SUBSCRIPTIONS, WEBHOOKS, WORKFLOWS
from bot.store.sql_subscriptions import move_due
from bot.subscription import State

KEEP_WEBHOOKS = timedelta(days=7)
_FINISHED_AT_ONCE = 500
_PURGED_AT_ONCE = 50
"""Workflows in one transaction: each may have thousands of runs."""


@dataclass(frozen=True, slots=True)
class NewWorkflow:
    """A workflow to be accepted, encoded."""

    row: Mapping[str, object]
    workflow_id: str
    webhook_id: str | None


@dataclass(frozen=True, slots=True)
class DueWorkflow:
    """A workflow of the schedule."""

    event: WorkflowStarted
    due: Mapping[str, datetime | None]
    now: datetime
    owner: str


def workflow_row(
    event: WorkflowStarted, origin: Origin, now: datetime, *, name: str = "", guild_id: int | None = None
) -> dict[str, object]:
    """All columns of the table, for one that is accepted now."""
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


async def accept_all(connection: AsyncConnection, several: Sequence[NewWorkflow]) -> Sequence[Accepted]:
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


async def is_accepted(connection: AsyncConnection, new: NewWorkflow, outcome: Accepted) -> bool | None:
    """Whether it is there; None where nothing was to be written."""
    if not outcome.new:
        return None
    own = select(WORKFLOWS.c.id).where(WORKFLOWS.c.id == new.workflow_id)
    return (await connection.execute(own)).first() is not None


async def accept_due_all(connection: AsyncConnection, several: Sequence[DueWorkflow]) -> Sequence[Accepted | None]:
    """Each together with the next runs of its subscriptions; None for what is not due, or without the lease."""
    return [await _accept_due(connection, due) for due in several]


async def _accept_due(connection: AsyncConnection, scheduled: DueWorkflow) -> Accepted | None:
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
    await connection.execute(WORKFLOWS.insert(), workflow_row(event, Origin.SCHEDULE, scheduled.now))
    return Accepted(workflow_id, new=True)


def unbegun(limit: int, wanted: Any = WORKFLOWS.c.id) -> Select[Any]:
    """What was accepted and not begun, oldest first."""
    return select(wanted).where(WORKFLOWS.c.begun.is_(False)).order_by(WORKFLOWS.c.number).limit(limit)


async def begin(
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
            concerned = wanted & ~_still_to_be_made() if row.origin == Origin.SCHEDULE.value else wanted
            its_runs += (await connection.execute(_insert_runs(row.number, concerned, now))).rowcount
        begun.append(row.number)
        runs += its_runs
        if its_runs:
            made.append(row.number)
    if begun:
        await connection.execute(update(WORKFLOWS).where(WORKFLOWS.c.number.in_(begun)).values(begun=True))
    if made:
        await connection.execute(_set_ran_at(made, now))
    return len(begun)


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


def _still_to_be_made() -> ColumnElement[bool]:
    """Subscriptions for which an earlier run of the schedule asks yet: it finds all that another one would."""
    asking = select(RUNS.c.subscription_id).join(WORKFLOWS, WORKFLOWS.c.number == RUNS.c.workflow)
    scheduled = WORKFLOWS.c.origin == Origin.SCHEDULE.value
    return SUBSCRIPTIONS.c.id.in_(asking.where(RUNS.c.state == RunState.ASKING.value, scheduled))


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


def ended_workflows() -> Select[Any]:
    """Workflows of which nothing is under way any more."""
    under_way = exists().where(RUNS.c.workflow == WORKFLOWS.c.number, RUNS.c.state.in_(UNDER_WAY))
    unfinished = WORKFLOWS.c.begun.is_(True) & WORKFLOWS.c.finished_at.is_(None)
    return select(WORKFLOWS.c.number, WORKFLOWS.c.id, WORKFLOWS.c.event).where(unfinished, ~under_way)


async def finish_all(
    connection: AsyncConnection, moments: Sequence[datetime]
) -> Sequence[tuple[WorkflowFinished, ...]]:
    """All of them go to the first who asks."""
    found = (await connection.execute(ended_workflows().order_by(WORKFLOWS.c.number).limit(_FINISHED_AT_ONCE))).all()
    numbers = [row.number for row in found]
    counts = await count_runs(connection, numbers)
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


async def count_runs(
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


async def purge_all(connection: AsyncConnection, moments: Sequence[datetime]) -> Sequence[bool]:
    """A piece of what is old; True: there may be more."""
    now = min(moments)
    await connection.execute(delete(WEBHOOKS).where(WEBHOOKS.c.id.in_(old_webhooks(now))))
    await connection.execute(delete(SERVED_GUILDS).where(SERVED_GUILDS.c.guild_id.in_(old_servings(now))))
    numbers = (await connection.execute(old_workflows(now).limit(_PURGED_AT_ONCE))).scalars().all()
    await connection.execute(delete(WORKFLOWS).where(WORKFLOWS.c.number.in_(numbers)))  # runs and parts with them
    return [len(numbers) == _PURGED_AT_ONCE] * len(moments)


def old_webhooks(now: datetime) -> Select[Any]:
    """Ids to be forgotten."""
    return select(WEBHOOKS.c.id).where(WEBHOOKS.c.at < (now - KEEP_WEBHOOKS).timestamp())


def old_servings(now: datetime) -> Select[Any]:
    """Servers that were last served so long ago that it makes no difference."""
    return select(SERVED_GUILDS.c.guild_id).where(SERVED_GUILDS.c.at < (now - KEEP_HISTORY).timestamp())


def old_workflows(now: datetime) -> Select[Any]:
    """Numbers of those to be forgotten."""
    before = (now - KEEP_HISTORY).timestamp()
    return select(WORKFLOWS.c.number).where(WORKFLOWS.c.begun.is_(True), WORKFLOWS.c.finished_at < before)
