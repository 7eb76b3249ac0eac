"""Statements about messages in the outbox: which is next, and what became of each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.digest_data import in_pieces
from bot.store.outbox import Part, PartState, RunState
from bot.store.rows import part_of
from bot.store.schema import PARTS, RUNS, SERVED_GUILDS, SUBSCRIPTIONS
from bot.subscription import State

_LINED_UP = 200
"""How many parts are put in order at once."""
_BEGUN = "begun, and nothing heard since"
"""The problem of a forum's post from when it is sent on; one that is being sent without any was only claimed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a part that was not sent."""

    run_id: int
    number: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class End:
    """A part whose run ends with it."""

    run_id: int
    number: int
    part: PartState
    run: RunState
    problem: str
    refused_access: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish for parts to be sent."""

    now: datetime
    limit: int
    busy_channels: frozenset[int]


def may_be_tried(now: datetime) -> ColumnElement[bool]:
    """Certainly not sent, and its time has come."""
    rested = or_(PARTS.c.not_before.is_(None), PARTS.c.not_before <= now.timestamp())
    return (PARTS.c.state == PartState.WAITING.value) & rested


def next_parts(now: datetime, busy_channels: Collection[int]) -> Select[Any]:
    """What to send next: one a channel; of each server one, then a second of each, and so on."""
    earlier = PARTS.alias("earlier")
    none_before = ~exists().where(
        earlier.c.run_id == PARTS.c.run_id,
        earlier.c.number < PARTS.c.number,
        earlier.c.state != PartState.SENT.value,
    )
    wanted = may_be_tried(now) & none_before
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


async def take(connection: AsyncConnection, keys: Sequence[tuple[int, int]], now: datetime) -> tuple[Part, ...]:
    """Begin those of the parts that still wait, in the order given."""
    waiting = tuple_(PARTS.c.run_id, PARTS.c.number).in_(keys) & may_be_tried(now)
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


def _begun(part: Part, now: datetime) -> Part:
    tried_at = now if part.tried_at is None else part.tried_at
    problem = "" if part.forum else part.problem
    return replace(part, state=PartState.SENDING, attempts=part.attempts + 1, tried_at=tried_at, problem=problem)


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
        problem=case((PARTS.c.forum, ""), else_=PARTS.c.problem),
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


async def mark_sent(
    connection: AsyncConnection, several: Sequence[tuple[Mapping[tuple[int, int], int], datetime]]
) -> Sequence[None]:
    """Parts were posted, with their message ids; ends runs of which these were the last."""
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


async def note_all(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> Sequence[None]:
    """Something new about parts that are being sent."""
    for outcome in outcomes:
        own = (PARTS.c.run_id == outcome.run_id) & (PARTS.c.number == outcome.number)
        sending = own & (PARTS.c.state == PartState.SENDING.value)
        await connection.execute(update(PARTS).where(sending).values(**outcome.values))
    return [None] * len(outcomes)


async def mark_not_sent(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> Sequence[None]:
    """Parts that are to wait again; those of cancelled runs go."""
    await note_all(connection, outcomes)
    await _drop_cancelled(connection, {outcome.run_id for outcome in outcomes})
    return [None] * len(outcomes)


async def _drop_cancelled(connection: AsyncConnection, run_ids: Collection[int]) -> None:
    cancelled = select(RUNS.c.id).where(RUNS.c.id.in_(run_ids), RUNS.c.state == RunState.CANCELLED.value)
    waiting = PARTS.c.run_id.in_(cancelled) & (PARTS.c.state == PartState.WAITING.value)
    await connection.execute(delete(PARTS).where(waiting))


async def begin_posts(connection: AsyncConnection, keys: Sequence[tuple[int, int]]) -> Sequence[bool]:
    """Posts that were claimed, by whom the first may make them."""
    return [await _turn_post(connection, key, {"problem": _BEGUN}) for key in keys]


async def return_posts(connection: AsyncConnection, keys: Sequence[tuple[int, int]]) -> Sequence[bool]:
    """Posts that were claimed and not begun wait again; those of cancelled runs go."""
    returned = [await _turn_post(connection, key, {"state": PartState.WAITING.value}) for key in keys]
    await _drop_cancelled(connection, {run_id for run_id, _ in keys})
    return returned


async def _turn_post(connection: AsyncConnection, key: tuple[int, int], values: Mapping[str, object]) -> bool:
    own = (PARTS.c.run_id == key[0]) & (PARTS.c.number == key[1])
    claimed = own & (PARTS.c.state == PartState.SENDING.value) & (PARTS.c.problem == "")
    return bool((await connection.execute(update(PARTS).where(claimed).values(**values))).rowcount)


async def end_part(connection: AsyncConnection, end: End, now: datetime) -> int:
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
