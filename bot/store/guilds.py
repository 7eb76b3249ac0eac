"""What servers set for themselves: read from memory, saved with who changed what, deleted when they want it gone."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from sqlalchemy import Insert, Row, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.events import utc_now
from agents.telemetry import logger
from bot.guild_settings import DEFAULTS, GuildSettings, dump_value, load, load_value
from bot.recent import Recent
from bot.store.answers import AnswerStore
from bot.store.database import Database, Made
from bot.store.digest_data import cancel_runs_of_guilds, count_digests, delete_digests, guilds_with_digests
from bot.store.errors import NotSaved, SaveUnknown, StoreError, Unreadable
from bot.store.schema import ANSWERS, GUILD_CHANGES, GUILD_SETTINGS, REMOVED_GUILDS, SUBSCRIPTION_CHANGES
from bot.store.settings_memory import NEVER_SET, SettingsMemory, Versioned
from bot.tasks import beside

KEEP_CHANGES = timedelta(days=90)
KEEP_REMOVED = timedelta(days=30)
UNDO = "undo"
"""What the action of a change that takes another one back begins with."""

T = TypeVar("T")

_log = logger("bot.store")
_FIELDS = tuple(name for name in GuildSettings.model_fields if name != "schema_version")
_UPDATE = (
    update(GUILD_SETTINGS)
    .where(GUILD_SETTINGS.c.guild_id == bindparam("of"))
    .values(version=bindparam("version"), body=bindparam("body"))
)
_NO_GUILD = 0
"""In the place of a guild's id: its row has the highest version that any server had whose data was deleted, so that
none is given twice. It says nothing about which server that was."""
_BATCH = 100
_PURGE_EVERY_S = 3600.0


class Conflict(StoreError):
    """Somebody else saved in between; nothing was changed. ``current`` is what holds now."""

    def __init__(self, current: Versioned) -> None:
        super().__init__("Somebody else changed the settings in the meantime; nothing was saved.")
        self.current = current


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting within a change, by its name in ``GuildSettings``, with values as the model has them."""

    field: str
    old: Any
    new: Any
    lost: bool = False
    """The old value is no longer a valid one; ``old`` is the default."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: who made it, when, by which command, and what."""

    version: int
    """The one that it made."""
    at: datetime
    actor_id: int
    action: str
    changes: tuple[SettingChange, ...]


@dataclass(frozen=True, slots=True)
class Undoable:
    """What can be taken back, by saving with ``undoing(entry.version)`` as action."""

    current: Versioned
    entries: tuple[AuditEntry, ...]
    """Changes that were not taken back yet, newest first."""


@dataclass(frozen=True, slots=True)
class StoredData:
    """All that is kept about one server."""

    current: Versioned
    changes: int
    """Changed settings in the history, each with the id of who changed it."""
    oldest_change: datetime | None
    answers: int
    removed_at: datetime | None
    """Since when the bot is gone from it; None while it is there."""
    digests: int = 0
    digest_changes: int = 0
    """Written down, each with the id of who made it."""
    digest_runs: int = 0


class GuildStore(Protocol):
    """Settings of servers and their history.

    Whatever asks the database raises ``Unreadable``, and whatever changes it ``NotSaved`` or ``SaveUnknown``, within
    its time-out, unless its line here says otherwise.
    """

    def peek(self, guild_id: int) -> Versioned | None:
        """What is known in memory; None: ask ``get``."""
        ...

    async def get(self, guild_id: int) -> Versioned:
        """From memory or the database; never raises, but tells by ``certain`` when neither knows."""
        ...

    async def get_several(self, guild_ids: Collection[int]) -> Mapping[int, Versioned]:
        """As ``get``, of several servers; the database is asked once for all that are not in memory."""
        ...

    async def save(
        self, guild_id: int, settings: GuildSettings, *, expected_version: int, actor_id: int, action: str
    ) -> Versioned:
        """Make these the settings if the present version is the expected one, else raise ``Conflict``.

        Each setting that differs is written down with the change, in one transaction. Nothing new: no new version.
        ``action`` has at most 20 characters.
        """
        ...

    async def history(self, guild_id: int, limit: int, before: int | None = None) -> tuple[AuditEntry, ...]:
        """At most ``limit`` changes, newest first, of versions less than ``before``."""
        ...

    async def undoable(self, guild_id: int, before: int | None = None) -> Undoable:
        """The changes, of versions less than ``before``, that can be taken back."""
        ...

    async def data_of(self, guild_id: int) -> StoredData:
        """What is stored about a server."""
        ...

    async def delete_guild(self, guild_id: int) -> None:
        """Delete all that is stored about a server, now: settings, history and answers. Versions go on."""
        ...

    async def mark_removed(self, guild_id: int, at: datetime) -> None:
        """Remember that the bot is gone from a server, whose data is deleted 30 days later; the first time counts.

        Its digests stop at once, until it is back.
        """
        ...

    async def unmark(self, guild_id: int) -> None:
        """The bot is back: keep the data."""
        ...

    async def reconcile(self, present: Collection[int], at: datetime) -> None:
        """Mark every server with data that is not ``present`` as removed, and unmark those that are.

        For the start, since nobody tells what happened meanwhile; servers that are merely unavailable are present.
        """
        ...

    async def purge(self, now: datetime) -> None:
        """Forget changes older than 90 days, and servers from which the bot was removed 30 days ago."""
        ...


@dataclass(slots=True, eq=False)
class _Save:
    guild_id: int
    settings: GuildSettings
    expected_version: int
    actor_id: int
    action: str
    outcome: "asyncio.Future[Versioned | StoreError]"
    begun: bool = False

    def settle(self, outcome: Versioned | StoreError) -> None:
        """Tell whoever still waits."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


@dataclass(slots=True)
class _Batch:
    """What saves come to that are committed together."""

    current: dict[int, Versioned]
    floor: int
    """The highest version of deleted servers."""
    outcomes: list[tuple[_Save, Versioned | StoreError]] = field(default_factory=list)
    changed: dict[int, Versioned] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)

    def add(self, save: _Save, at: float) -> None:
        """Decide what becomes of one save, given those before it."""
        current = self.current.get(save.guild_id, NEVER_SET)
        if current.version != save.expected_version:
            self.outcomes.append((save, Conflict(current)))
            return
        version = (current.version or self.floor) + 1
        rows = list(_changes(save, current.settings, version, at))
        if not rows:
            self.outcomes.append((save, current))
            return
        new = Versioned(save.settings, version)
        self.current[save.guild_id] = self.changed[save.guild_id] = new
        self.outcomes.append((save, new))
        self.rows += rows


class SqlGuildStore:
    """``GuildStore`` in the database; use as an async context manager, inside those of the database and the answers.

    Saves that wait at the same time are committed together (group commit): each waits for the disk once, however
    many there are. Reads end after ``read_timeout_s``, changes after ``save_timeout_s``; that must be longer than
    the database waits for another program, so that people learn the reason. Purges once an hour.
    """

    def __init__(
        self,
        database: Database,
        answers: AnswerStore,
        *,
        memory: SettingsMemory | None = None,
        read_timeout_s: float = 1.5,
        save_timeout_s: float = 2.5,
        close_timeout_s: float = 0.5,
        waiting: int = 1000,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._answers = answers
        self._memory = SettingsMemory() if memory is None else memory
        self._doubtful: Recent[int, Versioned] = Recent(1000)
        self._reads: dict[int, asyncio.Task[Versioned]] = {}
        self._overtaken = 0
        """Grows when what is being read may no longer hold by the time that it arrives."""
        self._read_timeout_s = read_timeout_s
        self._save_timeout_s = save_timeout_s
        self._close_timeout_s = close_timeout_s
        self._most_waiting = waiting
        self._now = now
        self._line: deque[_Save] = deque()
        self._under_way: list[_Save] = []
        self._writer: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._purger: asyncio.Task[None] | None = None
        self._reconciled = asyncio.Event()
        self._closed = False

    async def __aenter__(self) -> Self:
        self._purger = beside(self._purge_hourly(), "guild-store-purge")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._close_timeout_s)
        ending = {*self._tasks} if self._purger is None else {*self._tasks, self._purger}
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    def peek(self, guild_id: int) -> Versioned | None:
        """See ``GuildStore``."""
        return self._memory.get(guild_id)

    async def get(self, guild_id: int) -> Versioned:
        """See ``GuildStore``. Those who ask for the same server at once share one look."""
        known = self._memory.get(guild_id)
        if known is not None:
            return known
        reading = self._reads.get(guild_id)
        if reading is None:
            reading = self._reads[guild_id] = self._own(
                asyncio.create_task(self._read(guild_id), name="guild-store-read")
            )
            reading.add_done_callback(lambda _: self._reads.pop(guild_id, None))
        return await asyncio.shield(reading)

    async def get_several(self, guild_ids: Collection[int]) -> Mapping[int, Versioned]:
        """See ``GuildStore``."""
        known = {one: self._memory.get(one) for one in guild_ids}
        found = {one: settings for one, settings in known.items() if settings is not None}
        unknown = [one for one in known if one not in found]
        return {**found, **(await self._read_several(unknown))} if unknown else found

    async def save(
        self, guild_id: int, settings: GuildSettings, *, expected_version: int, actor_id: int, action: str
    ) -> Versioned:
        """See ``GuildStore``."""
        if self._closed:
            raise NotSaved("Nothing was saved: the bot is stopping.")
        if len(self._line) >= self._most_waiting:
            raise NotSaved("Nothing was saved: too many changes are waiting already.")
        outcome: asyncio.Future[Versioned | StoreError] = asyncio.get_running_loop().create_future()
        save = _Save(guild_id, settings, expected_version, actor_id, action, outcome)
        self._line.append(save)
        if self._writer is None or self._writer.done():
            self._writer = self._own(beside(self._write_line(), "guild-store-writer"))
        try:
            async with asyncio.timeout(self._save_timeout_s):
                result = await outcome
        except TimeoutError:
            if save.begun:
                self._doubt(guild_id)
            raise _too_slow(begun=save.begun) from None
        finally:
            if save in self._line:
                self._line.remove(save)
        if isinstance(result, StoreError):
            raise result
        return result

    async def history(self, guild_id: int, limit: int, before: int | None = None) -> tuple[AuditEntry, ...]:
        """See ``GuildStore``."""
        async with self._database.reading(self._read_timeout_s) as connection:
            return await _history(connection, guild_id, limit, before)

    async def undoable(self, guild_id: int, before: int | None = None) -> Undoable:
        """See ``GuildStore``. Looks at the newest 500 changes."""
        async with self._database.reading(self._read_timeout_s) as connection:
            current = (await _current(connection, (guild_id,))).get(guild_id, NEVER_SET)
            entries = _not_taken_back(await _history(connection, guild_id, 500))
        return Undoable(current, tuple(entry for entry in entries if before is None or entry.version < before))

    async def data_of(self, guild_id: int) -> StoredData:
        """See ``GuildStore``."""
        changes = select(func.count(), func.min(GUILD_CHANGES.c.at)).where(GUILD_CHANGES.c.guild_id == guild_id)
        answers = select(func.count()).where(ANSWERS.c.tenant == str(guild_id))
        removed = select(REMOVED_GUILDS.c.removed_at).where(REMOVED_GUILDS.c.guild_id == guild_id)
        async with self._database.reading(self._read_timeout_s) as connection:
            current = (await _current(connection, (guild_id,))).get(guild_id, NEVER_SET)
            count, oldest = (await connection.execute(changes)).one()
            answer_count = (await connection.execute(answers)).scalar_one()
            removed_at = (await connection.execute(removed)).scalar()
            digests = await count_digests(connection, guild_id)
        return StoredData(current, count, _moment(oldest), answer_count, _moment(removed_at), *digests)

    async def delete_guild(self, guild_id: int) -> None:
        """See ``GuildStore``."""

        async def gone(connection: AsyncConnection) -> bool:
            return guild_id not in await _with_data(connection)

        await self._change(
            lambda connection: self._delete(connection, guild_id), lambda: self._forget(guild_id), made=gone
        )

    async def mark_removed(self, guild_id: int, at: datetime) -> None:
        """See ``GuildStore``."""

        async def mark(connection: AsyncConnection) -> None:
            marked = await connection.execute(select(REMOVED_GUILDS).where(REMOVED_GUILDS.c.guild_id == guild_id))
            if marked.first() is None:
                await connection.execute(_mark(guild_id, at))
                await cancel_runs_of_guilds(connection, (guild_id,), at)

        await self._change(mark)

    async def unmark(self, guild_id: int) -> None:
        """See ``GuildStore``."""
        unmarking = delete(REMOVED_GUILDS).where(REMOVED_GUILDS.c.guild_id == guild_id)
        await self._change(lambda connection: connection.execute(unmarking))

    async def reconcile(self, present: Collection[int], at: datetime) -> None:
        """See ``GuildStore``."""
        here = frozenset(present)

        async def compare(connection: AsyncConnection) -> None:
            marked = set((await connection.execute(select(REMOVED_GUILDS.c.guild_id))).scalars())
            for guild_id in marked & here:
                await connection.execute(delete(REMOVED_GUILDS).where(REMOVED_GUILDS.c.guild_id == guild_id))
            gone = await _with_data(connection) - marked - here
            for guild_id in gone:
                await connection.execute(_mark(guild_id, at))
            await cancel_runs_of_guilds(connection, sorted(gone), at)

        await self._change(compare)
        self._reconciled.set()

    async def purge(self, now: datetime) -> None:
        """See ``GuildStore``."""

        async def forget_changes(connection: AsyncConnection) -> None:
            for table in (GUILD_CHANGES, SUBSCRIPTION_CHANGES):
                await connection.execute(delete(table).where(table.c.at < (now - KEEP_CHANGES).timestamp()))

        await self._change(forget_changes)
        long_gone = select(REMOVED_GUILDS.c.guild_id).where(
            REMOVED_GUILDS.c.removed_at < (now - KEEP_REMOVED).timestamp()
        )
        async with self._database.reading(self._read_timeout_s) as connection:
            guild_ids = (await connection.execute(long_gone)).scalars().all()
        for guild_id in guild_ids:
            await self._purge_guild(guild_id)

    async def _purge_guild(self, guild_id: int) -> None:
        async def delete_unless_back(connection: AsyncConnection) -> None:
            marked = await connection.execute(select(REMOVED_GUILDS).where(REMOVED_GUILDS.c.guild_id == guild_id))
            if marked.first() is not None:
                await self._delete(connection, guild_id)

        await self._change(delete_unless_back, lambda: self._forget(guild_id))

    async def _delete(self, connection: AsyncConnection, guild_id: int) -> None:
        self._answers.forget(str(guild_id))  # while no batch of answers can be written
        await _remember_version(connection, guild_id)
        for table in (GUILD_SETTINGS, GUILD_CHANGES, REMOVED_GUILDS):
            await connection.execute(delete(table).where(table.c.guild_id == guild_id))
        await connection.execute(delete(ANSWERS).where(ANSWERS.c.tenant == str(guild_id)))
        await delete_digests(connection, guild_id)

    async def _change(
        self,
        work: Callable[[AsyncConnection], Awaitable[object]],
        then: Callable[[], None] | None = None,
        made: Made | None = None,
    ) -> None:
        """One transaction within the time-out; ``then`` follows the commit, even when nobody waits any more."""
        begun = False

        async def run() -> None:
            nonlocal begun
            async with self._database.writing(made) as connection:
                begun = True
                await work(connection)
            if then is not None:
                then()

        running = self._own(asyncio.create_task(run(), name="guild-store-change"))
        try:
            await asyncio.wait((running,), timeout=self._save_timeout_s)
        finally:
            if not begun:
                running.cancel()
        if not running.done() or running.cancelled():
            raise _too_slow(begun=begun)
        running.result()

    async def _read(self, guild_id: int) -> Versioned:
        return (await self._read_several((guild_id,)))[guild_id]

    async def _read_several(self, guild_ids: Collection[int]) -> dict[int, Versioned]:
        overtaken = self._overtaken
        try:
            async with self._database.reading(self._read_timeout_s) as connection:
                stored = await _current(connection, guild_ids)
        except Unreadable as error:
            _log.warning("settings could not be read", guild_ids=sorted(guild_ids)[:10], error=str(error))
            return {one: replace(self._doubtful.get(one) or NEVER_SET, certain=False) for one in guild_ids}
        return {one: self._as_read(one, stored.get(one, NEVER_SET), overtaken) for one in guild_ids}

    def _as_read(self, guild_id: int, found: Versioned, overtaken: int) -> Versioned:
        """What was saved while it was being read goes before it."""
        saved_meanwhile = self._memory.get(guild_id)
        if saved_meanwhile is not None:
            return saved_meanwhile
        if overtaken == self._overtaken:
            self._remember(guild_id, found)
        return found

    async def _write_line(self) -> None:
        try:
            while self._line:
                await self._write_batch()
        finally:  # nobody waits in vain for a writer that was cancelled or had a bug
            if self._under_way:
                self._fail(_too_slow(begun=True))
            if self._line:
                self._fail(NotSaved("Nothing was saved: the bot is stopping."))

    async def _write_batch(self) -> None:
        batch = _Batch({}, 0)

        async def made(connection: AsyncConnection) -> bool:
            """All of a transaction is there, or nothing of it."""
            return not batch.rows or await _is_written(connection, batch.rows[0])

        try:
            async with self._database.writing(made) as connection:
                self._under_way = self._take()
                batch = await self._decide(connection, self._under_way)
        except StoreError as error:
            self._fail(error)
            return
        for guild_id, saved in batch.changed.items():
            self._remember(guild_id, saved)
        for save, outcome in batch.outcomes:
            save.settle(outcome)
        self._under_way = []

    def _take(self) -> list[_Save]:
        taken = [self._line.popleft() for _ in range(min(_BATCH, len(self._line)))]
        for save in taken:
            save.begun = True
        return taken

    async def _decide(self, connection: AsyncConnection, saves: Sequence[_Save]) -> _Batch:
        stored = await _current(connection, {save.guild_id for save in saves}, lock=True)
        unknown = any(save.guild_id not in stored for save in saves)
        batch = _Batch(dict(stored), await _floor(connection) if unknown else 0)
        at = self._now().timestamp()
        for save in saves:
            batch.add(save, at)
        changed = batch.changed.items()
        for statement, rows in (
            (GUILD_SETTINGS.insert(), [_row("guild_id", *one) for one in changed if one[0] not in stored]),
            (_UPDATE, [_row("of", *one) for one in changed if one[0] in stored]),
            (GUILD_CHANGES.insert(), batch.rows),
        ):
            if rows:
                await connection.execute(statement, rows)
        return batch

    def _fail(self, error: StoreError) -> None:
        """Tell those whose transaction failed; or, when it could not even begin, all who wait."""
        saves = self._under_way or list(self._line)
        if not self._under_way:
            self._line.clear()
        self._under_way = []
        for save in saves:
            if isinstance(error, SaveUnknown):
                self._doubt(save.guild_id)
            save.settle(type(error)(str(error)))

    def _remember(self, guild_id: int, known: Versioned) -> None:
        self._memory.put(guild_id, known)
        self._doubtful.forget(guild_id)

    def _doubt(self, guild_id: int) -> None:
        """Ask the database next time, yet know the last known settings should it be away."""
        self._overtaken += 1
        known = self._memory.get(guild_id)
        if known is not None:
            self._doubtful.put(guild_id, known)
        self._memory.forget(guild_id)

    def _forget(self, guild_id: int) -> None:
        self._overtaken += 1
        self._memory.forget(guild_id)
        self._doubtful.forget(guild_id)

    async def _purge_hourly(self) -> None:
        """From when it is known where the bot is: it may have been added again while it was away."""
        await self._reconciled.wait()
        while True:
            try:
                await self.purge(self._now())
            except StoreError as error:
                _log.warning("old data could not be deleted; tried again in an hour", error=str(error))
            await asyncio.sleep(_PURGE_EVERY_S)

    def _own(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        self._tasks.add(task)
        task.add_done_callback(self._disown)
        return task

    def _disown(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at by whoever waits; nobody may


def _too_slow(*, begun: bool) -> StoreError:
    if begun:
        return SaveUnknown("The database did not answer in time: whether this was saved is not known yet.")
    return NotSaved("Nothing was saved: the database did not answer in time.")


def _row(key: str, guild_id: int, saved: Versioned) -> dict[str, object]:
    return {key: guild_id, "version": saved.version, "body": saved.settings.dump()}


def _changes(save: _Save, current: GuildSettings, version: int, at: float) -> Iterator[dict[str, object]]:
    """A row for each setting that a save changes."""
    for name in _FIELDS:
        if getattr(current, name) != getattr(save.settings, name):
            yield {
                "guild_id": save.guild_id,
                "version": version,
                "setting": name,
                "at": at,
                "actor_id": save.actor_id,
                "action": save.action,
                "old": dump_value(current, name),
                "new": dump_value(save.settings, name),
            }


async def _current(
    connection: AsyncConnection, guild_ids: Collection[int], *, lock: bool = False
) -> dict[int, Versioned]:
    """What is stored about servers; those without a row are missing."""
    query = select(GUILD_SETTINGS).where(GUILD_SETTINGS.c.guild_id.in_(guild_ids))
    found = await connection.execute(query.with_for_update() if lock else query)
    return {row.guild_id: Versioned(_settings(row.guild_id, row.body), row.version) for row in found}


def _settings(guild_id: int, body: str) -> GuildSettings:
    settings, lost = load(body)
    if lost:
        _log.warning("stored settings are no longer valid", guild_id=guild_id, settings=lost)
    return settings


async def _history(
    connection: AsyncConnection, guild_id: int, limit: int, before: int | None = None
) -> tuple[AuditEntry, ...]:
    wanted = GUILD_CHANGES.c.guild_id == guild_id
    if before is not None:
        wanted &= GUILD_CHANGES.c.version < before
    version = GUILD_CHANGES.c.version
    newest = select(version).where(wanted).distinct().order_by(version.desc()).limit(limit)
    rows = select(GUILD_CHANGES).where(wanted, version.in_(newest)).order_by(version.desc(), GUILD_CHANGES.c.setting)
    found = (await connection.execute(rows)).all()
    return tuple(_entry(list(of_one)) for _, of_one in groupby(found, key=lambda row: row.version))


def _entry(rows: Sequence[Row[Any]]) -> AuditEntry:
    first = rows[0]
    changes = tuple(_change(row) for row in rows if row.setting in _FIELDS)
    at = datetime.fromtimestamp(first.at, UTC)
    return AuditEntry(first.version, at, first.actor_id, first.action, changes)


def _change(row: Row[Any]) -> SettingChange:
    old, valid = load_value(row.setting, row.old)
    return SettingChange(row.setting, old, load_value(row.setting, row.new)[0], lost=not valid)


def undoing(version: int) -> str:
    """The action of a change that takes back the one which made that version."""
    return f"{UNDO} {version}"


def is_undo(action: str) -> bool:
    """Whether a change of that action takes back another."""
    return action.partition(" ")[0] == UNDO


def _not_taken_back(newest_first: Iterable[AuditEntry]) -> Iterator[AuditEntry]:
    """The changes that no later one took back.

    A bare ``UNDO``, as earlier versions of this program wrote it, took back the newest one that was left.
    """
    named: set[str] = set()
    unnamed = 0
    for entry in newest_first:
        if entry.action == UNDO:
            unnamed += 1
        elif is_undo(entry.action):
            named.add(entry.action)
        elif undoing(entry.version) in named:
            continue
        elif unnamed:
            unnamed -= 1
        else:
            yield entry


async def _floor(connection: AsyncConnection) -> int:
    found = await connection.execute(select(GUILD_SETTINGS.c.version).where(GUILD_SETTINGS.c.guild_id == _NO_GUILD))
    return found.scalar() or 0


async def _remember_version(connection: AsyncConnection, guild_id: int) -> None:
    """Before a server's row goes: no later one of it may have a version that a form or an offer of old names."""
    versions = await connection.execute(select(GUILD_SETTINGS.c.version).where(GUILD_SETTINGS.c.guild_id == guild_id))
    version = versions.scalar() or 0
    if version <= await _floor(connection):
        return
    raised = update(GUILD_SETTINGS).where(GUILD_SETTINGS.c.guild_id == _NO_GUILD).values(version=version)
    if not (await connection.execute(raised)).rowcount:
        row = _row("guild_id", _NO_GUILD, Versioned(DEFAULTS, version))
        await connection.execute(GUILD_SETTINGS.insert().values(row))


async def _is_written(connection: AsyncConnection, change: Mapping[str, object]) -> bool:
    same = (GUILD_CHANGES.c[name] == value for name, value in change.items())
    return (await connection.execute(select(GUILD_CHANGES.c.version).where(*same))).first() is not None


async def _with_data(connection: AsyncConnection) -> set[int]:
    found = {
        guild_id
        for column in (GUILD_SETTINGS.c.guild_id, GUILD_CHANGES.c.guild_id)
        for guild_id in (await connection.execute(select(column).distinct())).scalars()
    }
    tenants = (await connection.execute(select(ANSWERS.c.tenant).distinct())).scalars()
    found |= await guilds_with_digests(connection)
    return found - {_NO_GUILD} | {int(tenant) for tenant in tenants if tenant.isdecimal()}


def _mark(guild_id: int, at: datetime) -> Insert:
    return REMOVED_GUILDS.insert().values(guild_id=guild_id, removed_at=at.timestamp())


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
