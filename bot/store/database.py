"""The one database of a bot: opened, brought up to date, and watched; every store reads and writes through it."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, delete, inspect, make_url, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from agents.events import utc_now
from agents.telemetry import logger
from bot.store import engine as engines
from bot.store.engine import FAULTS
from bot.store.errors import NewerDatabase, NotSaved, SaveUnknown, StoreError, Unreadable, Unusable
from bot.store.schema import METADATA, PROBES, REVISIONS, VERSION
from bot.tasks import beside

Made = Callable[[AsyncConnection], Awaitable[bool | None]]
"""Looks whether a transaction's changes are there; None: that cannot be seen."""

_LOOK_BACK_S = 1.5
_PROBE_BYTES = 16_384
"""Several pages: room for that much is room for any change of settings."""


class Database:
    """Use as an async context manager.

    Entering refuses a damaged database and one of a later version (``Unusable``, and nothing is touched), copies
    one of an earlier version and migrates it, all or nothing. ``busy_timeout_s``: how long a transaction waits for
    another program. After a failure a probe writes every ``probe_pause_s`` until the database works again.
    """

    def __init__(
        self,
        database_url: str,
        *,
        busy_timeout_s: float = 2.0,
        probe_pause_s: float = 5.0,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._url = make_url(database_url)
        self._database_url = database_url
        self._busy_timeout_s = busy_timeout_s
        self._probe_pause_s = probe_pause_s
        self._now = now
        self._engine: AsyncEngine = engines.open_engine(database_url, busy_timeout_s=busy_timeout_s)
        self._turns = asyncio.Semaphore(engines.writers(self._engine))
        self._fault: str | None = None
        self._prober: asyncio.Task[None] | None = None
        self._trial: asyncio.Task[None] | None = None
        self._worked_at = -math.inf
        self._log = logger("bot.store")

    @property
    def fault(self) -> str | None:
        """None while the database works; else why it does not, for the operator."""
        return self._fault

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(engines.make_directory, self._url)
            await asyncio.to_thread(engines.examine, self._url)
            await self._bring_up_to_date()
        except StoreError:
            await self._engine.dispose()
            raise
        except FAULTS as error:
            await self._engine.dispose()
            raise Unusable(f"The database cannot be opened: {engines.in_words(error)}.") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._prober, self._trial):
            if task is not None:
                task.cancel()
                await asyncio.wait((task,))
        await self._engine.dispose()

    async def checked(self, *, max_age_s: float, timeout_s: float) -> str | None:
        """As ``fault``, also where nobody was saving anything: then it is tried whether something can be.

        Not when that was seen to work in the last ``max_age_s``. One that does not end in time is a fault, too.
        """
        if self._fault is None and self._clock() - self._worked_at > max_age_s:
            if self._trial is None or self._trial.done():
                self._trial = beside(self._try_writing(), "database-trial")
            await asyncio.wait((self._trial,), timeout=timeout_s)
            if not self._trial.done():
                return "it does not answer in time"
        return self._fault

    @asynccontextmanager
    async def reading(self, timeout_s: float) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads. Raises ``Unreadable``, also when the block takes longer than that."""
        try:
            async with asyncio.timeout(timeout_s), engines.reading(self._engine).connect() as connection:
                yield connection
        except TimeoutError as error:
            raise Unreadable("The database did not answer in time.") from error
        except FAULTS as error:
            raise Unreadable(f"The database could not be read: {self._failed(error)}.") from error

    @asynccontextmanager
    async def writing(self, made: Made | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write, committed when the block ends well; others of this program wait in line.

        When the commit itself fails in an unclear way, ``made`` is asked, which reads. Raises ``NotSaved`` or, when
        that cannot tell either, ``SaveUnknown``. To be entered by tasks that are not cancelled in the middle, else
        nobody learns what became of it.
        """
        committing = False
        async with self._turns:
            try:
                async with self._engine.begin() as connection:
                    yield connection
                    committing = True
            except FAULTS as error:
                why = self._failed(error)
                happened = committing and await self._happened(error, made)
                if happened is None:
                    raise SaveUnknown(f"The database broke off while saving: {why}.") from error
                if not happened:
                    raise NotSaved(f"Nothing was saved: {why}.") from error
                return
        self._worked()

    async def _happened(self, error: BaseException, made: Made | None) -> bool | None:
        """Whether a transaction whose commit raised this was made; None where nobody knows."""
        if not engines.may_have_committed(error):
            return False
        if made is None:
            return None
        try:
            async with self.reading(_LOOK_BACK_S) as connection:
                found = await made(connection)
        except Unreadable:
            return None
        return None if not found and engines.may_yet_appear(error) else found

    def _failed(self, error: BaseException) -> str:
        why = engines.in_words(error)
        if self._fault is None:
            self._log.warning("the database does not work", error=why)
        self._fault = why
        if self._prober is None or self._prober.done():
            self._prober = beside(self._probe(), "database-probe")
        return why

    def _worked(self) -> None:
        if self._fault is not None:
            self._log.info("the database works again")
        self._fault = None
        self._worked_at = self._clock()

    async def _probe(self) -> None:
        """Write until that works: nobody may be saving anything, and readiness must come back all the same."""
        while self._fault is not None:
            await asyncio.sleep(self._probe_pause_s)
            await self._try_writing()

    async def _try_writing(self) -> None:
        try:
            async with self.writing() as connection:
                await connection.execute(delete(PROBES))
                await connection.execute(PROBES.insert().values(id=1, filler="x" * _PROBE_BYTES))
            async with self.writing() as connection:
                await connection.execute(delete(PROBES))
        except StoreError as error:
            self._log.debug("the database does not work now", error=str(error))

    async def _bring_up_to_date(self) -> None:
        revision, empty = await self._revision()
        if empty:
            async with self._engine.begin() as connection:
                await connection.run_sync(_create)
            return
        _refuse_later(revision)
        if revision != REVISIONS[-1]:
            self._log.info("migrating the database", revision=revision, to=REVISIONS[-1])
            await asyncio.to_thread(_migrate, self._database_url, self._busy_timeout_s, self._now())

    async def _revision(self) -> tuple[str | None, bool]:
        async with engines.reading(self._engine).connect() as connection:
            return await connection.run_sync(_look)


def prospects(database_url: str) -> str:
    """What is to be expected of opening the database, for the operator; nothing is changed. Blocks.

    Raises ``StoreError`` with the reason when it could not be opened.
    """
    url = make_url(database_url)
    path = engines.place_to_write(url)
    if path is None:
        return "not looked at; it is opened at the start"
    revision = engines.look_into(path)[0] if path.exists() and path.stat().st_size else None
    _refuse_later(revision)
    return f"{path} can be written"


def _refuse_later(revision: str | None) -> None:
    if revision is not None and revision not in REVISIONS:
        raise NewerDatabase(
            f"The database was made by a later version of this program (revision {revision}; this one knows up "
            f"to {REVISIONS[-1]}). It was left as it is. Run the later version, or restore an older backup."
        )


def _look(connection: Connection) -> tuple[str | None, bool]:
    """At which revision the database is, and whether there is nothing in it at all."""
    tables = inspect(connection).get_table_names()
    if VERSION.name not in tables:
        return None, not tables
    return connection.execute(select(VERSION.c.version_num)).scalar(), False


def _create(connection: Connection) -> None:
    """All tables at once: a new database needs no history, nor the memory that Alembic takes."""
    METADATA.create_all(connection)
    if connection.execute(select(VERSION)).first() is None:  # else another program was faster
        connection.execute(VERSION.insert().values(version_num=REVISIONS[-1]))


def _migrate(database_url: str, busy_timeout_s: float, now: datetime) -> None:
    """Copy, then run the migrations in one transaction. Blocks; its own loop keeps that off everybody else's."""

    async def migrate() -> None:
        engine = engines.open_engine(database_url, busy_timeout_s=busy_timeout_s)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade, now)
        finally:
            await engine.dispose()

    asyncio.run(migrate())


def _upgrade(connection: Connection, now: datetime) -> None:
    from alembic import command  # 16 MB that most starts do not need
    from alembic.config import Config

    revision, _ = _look(connection)
    if revision == REVISIONS[-1]:
        return  # another program was faster
    engines.copy_before_migrating(connection.engine.url, revision or "0000", now)
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    command.upgrade(config, REVISIONS[-1])
