"""Subscriptions in the database."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.events import utc_now
from bot.store.database import Database
from bot.store.digest_data import LEFT_GUILDS, cancel_runs, in_pieces
from bot.store.errors import StoreError
from bot.store.group_commit import GroupCommit
from bot.store.rows import load_plan, moment, name_key, seconds, subscription_of, subscription_row
from bot.store.schema import LEASES, PARTS, RUNS, SUBSCRIPTION_CHANGES, SUBSCRIPTIONS
from bot.store.subscriptions import NameTaken, SubscriptionChange, SubscriptionOvertaken, TooMany
from bot.subscription import MOST_SUBSCRIPTIONS, Plan, State, Subscription, dump


@dataclass(frozen=True, slots=True)
class _Change:
    before: Subscription
    after: Subscription | None
    """None: it is to be removed."""
    actor_id: int
    action: str
    at: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class _Lease:
    name: str
    owner: str
    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class _Turn:
    """From one state to another by the bot."""

    subscription_id: str
    before: State
    values: Mapping[str, object]


class SqlSubscriptions:
    """``Subscriptions`` in the database; use as an async context manager, inside that of the database.

    Nothing is due in a server from which the bot was removed, for as long as it is not back.
    """

    def __init__(
        self,
        database: Database,
        *,
        read_timeout_s: float = 2.0,
        save_timeout_s: float = 2.5,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._read_timeout_s = read_timeout_s
        self._line = GroupCommit(database, "subscriptions-writer", timeout_s=save_timeout_s)
        self._now = now

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._line.close()

    async def add(self, guild_id: int, plan: Plan, due_at: datetime, actor_id: int) -> Subscription:
        """See ``Subscriptions``."""
        new = Subscription(
            id=os.urandom(8).hex(),
            guild_id=guild_id,
            plan=plan,
            version=1,
            state=State.ACTIVE,
            due_at=due_at,
            ran_at=None,
            failures=0,
            problem="",
        )
        return await self._line.do(self._add_all, (new, actor_id), _is_added)

    async def of_guild(self, guild_id: int) -> tuple[Subscription, ...]:
        """See ``Subscriptions``."""
        own = select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.guild_id == guild_id)
        return await self._read(own.order_by(SUBSCRIPTIONS.c.position))

    async def get(self, subscription_id: str) -> Subscription | None:
        """See ``Subscriptions``."""
        found = await self._read(select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == subscription_id))
        return found[0] if found else None

    async def change(
        self, before: Subscription, plan: Plan, state: State, due_at: datetime | None, *, actor_id: int, action: str
    ) -> Subscription:
        """See ``Subscriptions``."""
        after = replace(
            before, plan=plan, state=state, due_at=due_at, version=before.version + 1, failures=0, problem=""
        )
        change = _Change(before, after, actor_id, action, self._now().timestamp())
        changed = await self._line.do(self._change_all, change, _is_changed)
        assert changed is not None
        return changed

    async def remove(self, before: Subscription, *, actor_id: int) -> None:
        """See ``Subscriptions``."""
        change = _Change(before, None, actor_id, "remove", self._now().timestamp())
        await self._line.do(self._change_all, change, _is_changed)

    async def suspend(self, subscription_id: str, problem: str) -> bool:
        """See ``Subscriptions``. Its runs under way are cancelled."""
        values = {"state": State.SUSPENDED.value, "problem": problem}
        return await self._line.do(self._turn_all, _Turn(subscription_id, State.ACTIVE, values))

    async def revive(self, subscription_id: str, due_at: datetime | None) -> bool:
        """See ``Subscriptions``."""
        values = {"state": State.ACTIVE.value, "due_at": seconds(due_at), "failures": 0, "problem": ""}
        return await self._line.do(self._turn_all, _Turn(subscription_id, State.SUSPENDED, values))

    async def suspended(self, guild_id: int | None = None) -> tuple[Subscription, ...]:
        """See ``Subscriptions``."""
        found = select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.state == State.SUSPENDED.value, _present())
        if guild_id is not None:
            found = found.where(SUBSCRIPTIONS.c.guild_id == guild_id)
        return await self._read(found.order_by(SUBSCRIPTIONS.c.guild_id, SUBSCRIPTIONS.c.position))

    async def changes(self, guild_id: int, limit: int) -> Sequence[SubscriptionChange]:
        """See ``Subscriptions``."""
        own = select(SUBSCRIPTION_CHANGES).where(SUBSCRIPTION_CHANGES.c.guild_id == guild_id)
        newest = own.order_by(SUBSCRIPTION_CHANGES.c.id.desc()).limit(limit)
        async with self._database.reading(self._read_timeout_s) as connection:
            return tuple(_change_of(row) for row in (await connection.execute(newest)).all())

    async def due(self, now: datetime, limit: int) -> tuple[Subscription, ...]:
        """See ``Subscriptions``."""
        found = select(SUBSCRIPTIONS).where(is_due(now)).order_by(SUBSCRIPTIONS.c.due_at).limit(limit)
        return await self._read(found)

    async def put_off(self, due: Mapping[str, datetime], now: datetime) -> None:
        """See ``Subscriptions``."""
        await self._line.do(_put_off_all, (dict(due), now))

    async def next_due(self) -> datetime | None:
        """See ``Subscriptions``."""
        active = SUBSCRIPTIONS.c.state == State.ACTIVE.value
        first = select(func.min(SUBSCRIPTIONS.c.due_at)).where(active, _present())
        async with self._database.reading(self._read_timeout_s) as connection:
            return moment((await connection.execute(first)).scalar())

    async def hold_lease(self, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        """See ``Subscriptions``."""
        return await self._line.do(_hold_all, _Lease(name, owner, now, now + ttl))

    async def release_lease(self, name: str, owner: str) -> None:
        """See ``Subscriptions``."""
        await self._line.do(_release_all, (name, owner))

    async def _read(self, query: Select[Any]) -> tuple[Subscription, ...]:
        async with self._database.reading(self._read_timeout_s) as connection:
            return tuple(subscription_of(row) for row in (await connection.execute(query)).all())

    async def _add_all(
        self, connection: AsyncConnection, added: Sequence[tuple[Subscription, int]]
    ) -> Sequence[Subscription | StoreError]:
        return [await self._add(connection, new, actor_id) for new, actor_id in added]

    async def _add(self, connection: AsyncConnection, new: Subscription, actor_id: int) -> Subscription | StoreError:
        own = select(SUBSCRIPTIONS.c.name_key, SUBSCRIPTIONS.c.position)
        others = (await connection.execute(own.where(SUBSCRIPTIONS.c.guild_id == new.guild_id))).all()
        if any(other.name_key == name_key(new.plan) for other in others):
            return _taken(new.plan)
        if len(others) >= MOST_SUBSCRIPTIONS:
            return TooMany(f"A server has at most {MOST_SUBSCRIPTIONS} digests; remove one first.")
        position = 1 + max((other.position for other in others), default=0)
        await connection.execute(SUBSCRIPTIONS.insert().values(subscription_row(new, position)))
        await _note(connection, _Change(new, new, actor_id, "add", self._now().timestamp()), old=None)
        return new

    async def _change_all(
        self, connection: AsyncConnection, changes: Sequence[_Change]
    ) -> Sequence[Subscription | StoreError | None]:
        return [await self._change(connection, change) for change in changes]

    async def _change(self, connection: AsyncConnection, change: _Change) -> Subscription | StoreError | None:
        own = SUBSCRIPTIONS.c.id == change.before.id
        row = (await connection.execute(select(SUBSCRIPTIONS).where(own).with_for_update())).first()
        if row is None or row.version != change.before.version:
            return SubscriptionOvertaken(None if row is None else subscription_of(row))
        after = change.after
        if after is None:
            await self._cancel(connection, change.before.id)
            await connection.execute(delete(PARTS).where(PARTS.c.subscription_id == change.before.id))
            await connection.execute(delete(SUBSCRIPTIONS).where(own))
        else:
            if await _has_another(connection, after):
                return _taken(after.plan)
            same = after.due_at == change.before.due_at  # the schedule may have started it, and moved this, meanwhile
            after = replace(after, ran_at=moment(row.ran_at), due_at=moment(row.due_at) if same else after.due_at)
            await connection.execute(update(SUBSCRIPTIONS).where(own).values(subscription_row(after, row.position)))
            if after.state is not State.ACTIVE:
                await self._cancel(connection, after.id)
        await _note(connection, change, old=load_plan(row.plan))
        return after

    async def _turn_all(self, connection: AsyncConnection, turns: Sequence[_Turn]) -> Sequence[bool]:
        return [await self._turn(connection, turn) for turn in turns]

    async def _turn(self, connection: AsyncConnection, turn: _Turn) -> bool:
        wanted = (SUBSCRIPTIONS.c.id == turn.subscription_id) & (SUBSCRIPTIONS.c.state == turn.before.value)
        turned = await connection.execute(update(SUBSCRIPTIONS).where(wanted).values(**turn.values))
        if turned.rowcount and turn.before is State.ACTIVE:
            await self._cancel(connection, turn.subscription_id)
        return bool(turned.rowcount)

    async def _cancel(self, connection: AsyncConnection, subscription_id: str) -> None:
        await cancel_runs(connection, RUNS.c.subscription_id == subscription_id, self._now())


async def _note(connection: AsyncConnection, change: _Change, *, old: Plan | None) -> None:
    subscription = change.after or change.before
    row = {
        "guild_id": subscription.guild_id,
        "subscription_id": subscription.id,
        "name": subscription.plan.name,
        "at": change.at,
        "actor_id": change.actor_id,
        "action": change.action,
        "old": None if old is None else dump(old),
        "new": None if change.after is None else dump(change.after.plan),
    }
    await connection.execute(SUBSCRIPTION_CHANGES.insert().values(row))


async def _is_added(connection: AsyncConnection, added: tuple[Subscription, int], _outcome: object) -> bool:
    """Its id is random: nothing else can have it."""
    own = select(SUBSCRIPTIONS.c.id).where(SUBSCRIPTIONS.c.id == added[0].id)
    return (await connection.execute(own)).first() is not None


async def _is_changed(connection: AsyncConnection, change: _Change, _outcome: object) -> bool:
    """What is written down about it is there."""
    wanted = {
        "subscription_id": change.before.id,
        "at": change.at,
        "actor_id": change.actor_id,
        "action": change.action,
    }
    same = (SUBSCRIPTION_CHANGES.c[name] == value for name, value in wanted.items())
    return (await connection.execute(select(SUBSCRIPTION_CHANGES.c.id).where(*same))).first() is not None


def is_due(now: datetime) -> ColumnElement[bool]:
    """Active, due, and in a server that the bot is in."""
    due = SUBSCRIPTIONS.c.due_at <= now.timestamp()
    return (SUBSCRIPTIONS.c.state == State.ACTIVE.value) & due & _present()


async def move_due(connection: AsyncConnection, due: Mapping[str, datetime | None], now: datetime) -> tuple[str, ...]:
    """Move the next runs of those that are due, and say which these are, in the order given."""
    found: set[str] = set()
    for some in in_pieces(list(due)):
        wanted = select(SUBSCRIPTIONS.c.id).where(SUBSCRIPTIONS.c.id.in_(some), is_due(now))
        found.update((await connection.execute(wanted)).scalars())
    moved = tuple(one for one in due if one in found)
    if moved:
        await connection.execute(_MOVE, [{"of": one, "next": seconds(due[one])} for one in moved])
    return moved


_MOVE = update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == bindparam("of")).values(due_at=bindparam("next"))


async def _put_off_all(
    connection: AsyncConnection, several: Sequence[tuple[Mapping[str, datetime], datetime]]
) -> Sequence[None]:
    for due, now in several:
        await move_due(connection, due, now)
    return [None] * len(several)


def _present() -> ColumnElement[bool]:
    return SUBSCRIPTIONS.c.guild_id.not_in(LEFT_GUILDS)


def _taken(plan: Plan) -> NameTaken:
    return NameTaken(f"There is a digest called “{plan.name}” already; choose another name.")


async def _has_another(connection: AsyncConnection, after: Subscription) -> bool:
    """Whether another one of its server has that name."""
    same = (SUBSCRIPTIONS.c.guild_id == after.guild_id) & (SUBSCRIPTIONS.c.name_key == name_key(after.plan))
    found = await connection.execute(select(SUBSCRIPTIONS.c.id).where(same, SUBSCRIPTIONS.c.id != after.id))
    return found.first() is not None


def _change_of(row: Row[Any]) -> SubscriptionChange:
    at = moment(row.at)
    assert at is not None
    return SubscriptionChange(
        subscription_id=row.subscription_id,
        name=row.name,
        at=at,
        actor_id=row.actor_id,
        action=row.action,
        old=None if row.old is None else load_plan(row.old),
        new=None if row.new is None else load_plan(row.new),
    )


async def _hold_all(connection: AsyncConnection, leases: Sequence[_Lease]) -> Sequence[bool]:
    return [await _hold(connection, lease) for lease in leases]


async def _hold(connection: AsyncConnection, lease: _Lease) -> bool:
    row = (await connection.execute(select(LEASES).where(LEASES.c.name == lease.name).with_for_update())).first()
    values = {"owner": lease.owner, "until": lease.until.timestamp()}
    if row is None:
        await connection.execute(LEASES.insert().values(name=lease.name, **values))
        return True
    if row.owner != lease.owner and row.until > lease.now.timestamp():
        return False
    await connection.execute(update(LEASES).where(LEASES.c.name == lease.name).values(**values))
    return True


async def _release_all(connection: AsyncConnection, held: Sequence[tuple[str, str]]) -> Sequence[None]:
    for name, owner in held:
        await connection.execute(delete(LEASES).where(LEASES.c.name == name, LEASES.c.owner == owner))
    return [None] * len(held)
