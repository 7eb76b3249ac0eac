"""Opening the database, and all that is SQLite's own.

Left to itself, Python's sqlite3 begins transactions late and as readers, so that two writers who read first lose
one another's updates. Here the driver begins nothing (``isolation_level=None``), and every transaction takes the
write lock as it begins; those of ``reading`` engines do not.
"""

from pathlib import Path

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

_READING = "only_reads"


def open_engine(database_url: str, *, busy_timeout_s: float = 5.0) -> AsyncEngine:
    """An engine for ``sqlite+aiosqlite:///…`` (``busy_timeout_s``: how long to wait for another writer) or others.

    Nothing is opened yet. The pool is the caller's to ``dispose``.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
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


def make_directory(url: URL) -> None:
    """Make the directory of an SQLite file. Raises ``OSError``."""
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)


def _set_up_connection(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(
            "PRAGMA synchronous=NORMAL"
        )  # in WAL a crash of the machine may lose the last commits, no more
        cursor.execute("PRAGMA foreign_keys=ON")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
