"""Opening the database, and all that is SQLite's own.

Left to itself, Python's sqlite3 begins transactions late and as readers, so that two writers who read first lose
one another's updates. Here the driver begins nothing (``isolation_level=None``), and every transaction takes the
write lock as it begins; those of ``reading`` engines do not.

What works on files (``examine``, ``copy``, ``put_in_place``) blocks, and is to be called from a thread.
"""

import os
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bot.store.errors import StoreError, Unusable
from bot.store.schema import VERSION

FAULTS = (SQLAlchemyError, OSError, TimeoutError)
"""What a locked, broken, full or absent database raises."""

_READING = "only_reads"
_MAGIC = b"SQLite format 3\x00"
_KEPT_BACKUPS = 3
_PARTIAL = ".partial"
_CHECK_S = 5.0
_EXCLUSIVE_S = 1.0
_IN_WORDS = {
    sqlite3.SQLITE_BUSY: "another program holds the database",
    sqlite3.SQLITE_LOCKED: "another program holds the database",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the database cannot be written",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_NOTADB: "the database is damaged",
    sqlite3.SQLITE_IOERR: "the disk does not work as it should",
}


def open_engine(database_url: str, *, busy_timeout_s: float) -> AsyncEngine:
    """An engine for ``sqlite+aiosqlite:///…`` (``busy_timeout_s``: how long to wait for another program) or others.

    Nothing is opened yet. The pool is the caller's to ``dispose``.
    """
    url = make_url(database_url)
    if not _is_sqlite(url):
        return create_async_engine(url, pool_pre_ping=True, hide_parameters=True)
    engine = create_async_engine(
        url, connect_args={"isolation_level": None, "timeout": busy_timeout_s}, hide_parameters=True
    )
    event.listen(engine.sync_engine, "connect", _set_up_connection)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same engine and pool, for transactions that only read."""
    return engine.execution_options(**{_READING: True})


def writers(engine: AsyncEngine) -> int:
    """How many transactions can usefully write at once: SQLite has one writer, and waiting in line beats polling."""
    return 1 if _is_sqlite(engine.url) else 8


def in_words(error: BaseException) -> str:
    """Why the database failed; without the statement and its values, which SQLAlchemy puts on the lines after."""
    code = _code(error)
    if code == sqlite3.SQLITE_IOERR_WRITE:
        return "the disk takes nothing more: it is full, a limit is reached, or it does not work as it should"
    if code is not None and code & 0xFF in _IN_WORDS:
        return _IN_WORDS[code & 0xFF]
    return str(error).partition("\n")[0] or type(error).__name__


def may_have_committed(error: BaseException) -> bool:
    """Whether a transaction whose commit raised this may have happened all the same."""
    code = _code(error)
    return code is None or code & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL}


def may_yet_appear(error: BaseException) -> bool:
    """Whether what a commit that raised this wrote may be found after a crash, though no reader sees it now.

    It is whole in SQLite's log then, and nobody knows whether it is on the disk; the next change overwrites it.
    """
    return _code(error) in {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}


def make_directory(url: URL) -> None:
    """Make the directory of an SQLite file. Raises ``OSError``."""
    file = _file(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)


def examine(url: URL) -> None:
    """Raise ``Unusable`` when the file is no database or a damaged one; a missing or empty one is fine.

    Looks without writing, for at most five seconds: what is too large to be read in that time is looked at in part.
    """
    file = _file(url)
    if file is not None:
        _examine(file)


def place_to_write(url: URL) -> Path | None:
    """Where the file is or will be; None where there is no file. Raises ``Unusable`` when it cannot be written."""
    file = _file(url)
    if file is None:
        return None
    path = file.absolute()
    place = path if path.exists() else next(parent for parent in path.parents if parent.exists())
    fits = place.is_file() if place == path else place.is_dir()
    if fits and os.access(place, os.W_OK):
        return path
    raise Unusable(f"{path} cannot be written ({place}): change the owner, or set another file")


def copy(url: URL, target: Path) -> None:
    """Write a consistent copy, while others read and write; ``target`` appears whole or not at all.

    Raises ``StoreError`` when it exists, cannot be written, or the database is none of SQLite's.
    """
    source = _file(url)
    if source is None:
        raise StoreError("Only SQLite databases are copied by this program; use your database's own tools.")
    if not source.is_file():
        raise StoreError(f"There is no database at {source}.")
    if target.exists():
        raise StoreError(f"{target} exists already; name another file.")
    _copy(source, target)


def copy_before_migrating(url: URL, revision: str, now: datetime) -> Path | None:
    """Copy the database next to itself, keep the last three such copies; None where there is no file to copy."""
    source = _file(url)
    if source is None:
        return None
    pattern = f"{source.name}.before-*"
    for unfinished in source.parent.glob(pattern + _PARTIAL):
        unfinished.unlink()
    target = source.with_name(f"{source.name}.before-{revision}-{now:%Y%m%dT%H%M%S%f}")
    _copy(source, target)
    for old in sorted(source.parent.glob(pattern), key=lambda file: file.name.rpartition("-")[2])[:-_KEPT_BACKUPS]:
        old.unlink()
    return target


def look_into(file: Path) -> tuple[str | None, frozenset[str]]:
    """The revision in an SQLite file, and its tables. Raises ``StoreError`` when it is no good database."""
    if not file.is_file() or file.stat().st_size == 0:
        raise StoreError(f"There is no database at {file}.")
    _examine(file)
    with closing(_look_at(file)) as connection:
        tables = frozenset(name for (name,) in connection.execute("SELECT name FROM sqlite_schema"))
        row = (
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if VERSION.name in tables
            else None
        )
    return None if row is None else row[0], tables


def put_in_place(url: URL, source: Path, now: datetime) -> Path | None:
    """Replace the database by a copy of ``source``; returns where the former one is now, None when there was none.

    A kill at any instant leaves the former or the new one, whole. Raises ``StoreError`` when a program has the
    present one open, ``OSError`` when the names cannot be changed.
    """
    file = _file(url)
    if file is None:
        raise StoreError("Only SQLite databases are restored by this program; use your database's own tools.")
    file.parent.mkdir(parents=True, exist_ok=True)
    incoming = file.with_name(f"{file.name}.incoming")
    incoming.unlink(missing_ok=True)
    _copy(source, incoming)
    kept = _set_aside(file, now) if file.exists() else None
    incoming.replace(file)
    _sync_directory(file)
    return kept


def _set_aside(file: Path, now: datetime) -> Path:
    """Give the present file a second name, and take its log away, which must never meet another file."""
    kept = file.with_name(f"{file.name}.replaced-{now:%Y%m%dT%H%M%S%f}")
    _close_log(file)
    for suffix in ("-wal", "-shm"):  # there are some only where the log could not be closed: a damaged database
        log = file.with_name(file.name + suffix)
        if log.exists():
            log.replace(kept.with_name(kept.name + suffix))
    kept.hardlink_to(file)
    return kept


def _close_log(file: Path) -> None:
    """Bring everything into the one file; only possible while nobody else has it open."""
    try:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=_EXCLUSIVE_S)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        if _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StoreError(f"{file} is in use: stop the bot first.") from error


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(target.name + _PARTIAL)
    try:
        partial.unlink(missing_ok=True)
        with closing(_look_at(source)) as connection:
            connection.execute("VACUUM INTO ?", (str(partial),))
        with partial.open("rb+") as written:  # SQLite does not wait for the disk here
            os.fsync(written.fileno())
        partial.replace(target)
        _sync_directory(target)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        raise StoreError(f"{source} could not be copied to {target}: {in_words(error)}.") from error


def _examine(file: Path) -> None:
    try:
        if not file.exists() or (file.is_file() and file.stat().st_size == 0):
            return
        with file.open("rb") as opened:
            magic = opened.read(len(_MAGIC))
        found = _check(file) if magic == _MAGIC else "it does not begin as one"
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, OSError) or _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN}:
            raise Unusable(f"{file} cannot be opened: {error}.") from error
        found = str(error)
    if found != "ok":
        raise Unusable(
            f"{file} is no database, or a damaged one ({found}). It was left as it is. Restore a backup with "
            f"“python -m bot restore FILE”, or move it away to begin anew."
        )


def _check(file: Path) -> str:
    """``ok``, or the first thing that is wrong. Raises ``sqlite3.Error`` when it is worse."""
    ends_at = time.monotonic() + _CHECK_S
    with closing(_look_at(file)) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > ends_at, 10_000)
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            if _code(error) == sqlite3.SQLITE_INTERRUPT:
                return "ok"
            raise
    return " ".join(str(found).split())


def _look_at(file: Path) -> sqlite3.Connection:
    """A connection that has seen the schema and cannot write, unless a kill left something to be rolled back."""
    for mode in ("ro", "rw"):
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            connection.close()
            if mode == "rw" or (_code(error) or 0) & 0xFF != sqlite3.SQLITE_READONLY:
                raise
        else:
            return connection
    raise AssertionError("the last mode returns or raises")


def _sync_directory(file: Path) -> None:
    """Make a new name in a directory survive a power cut."""
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _file(url: URL) -> Path | None:
    if not _is_sqlite(url) or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def _code(error: BaseException) -> int | None:
    """SQLite's result code; the low byte is its kind (https://sqlite.org/rescode.html)."""
    raised = error.orig if isinstance(error, DBAPIError) else error
    return getattr(raised, "sqlite_errorcode", None)


def _set_up_connection(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # in WAL, NORMAL may lose the last commits in a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
