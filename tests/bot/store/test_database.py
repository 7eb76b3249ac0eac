"""The database is opened whole or not at all, brought up to date all or nothing, and says when it does not work."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text

from bot.store import engine as engines
from bot.store.database import Database
from bot.store.errors import NewerDatabase, NotSaved, SaveUnknown, Unreadable, Unusable
from bot.store.schema import REVISIONS
from tests.bot import samples
from tests.bot.store.old_database import look, unversioned


def database(file: Path, *, busy_timeout_s: float = 0.02, probe_pause_s: float = 0.01) -> Database:
    address = f"sqlite+aiosqlite:///{file}"
    return Database(address, busy_timeout_s=busy_timeout_s, probe_pause_s=probe_pause_s, now=lambda: samples.NOON)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


def contents(file: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in file.parent.iterdir() if not one.name.endswith("-shm")}


async def test_a_new_database_is_made_with_its_directory_at_the_last_revision(tmp_path: Path) -> None:
    file = tmp_path / "some" / "where" / "signals.db"
    async with database(file) as opened:
        assert opened.fault is None
    assert look(file)[0] == REVISIONS[-1]
    assert [one.name for one in file.parent.iterdir()] == ["signals.db"]


async def test_a_new_database_and_a_migrated_one_have_the_same_tables(tmp_path: Path) -> None:
    unversioned(tmp_path / "old.db")
    async with database(tmp_path / "old.db"), database(tmp_path / "new.db"):
        pass
    assert look(tmp_path / "old.db")[:2] == look(tmp_path / "new.db")[:2]


async def test_a_new_database_needs_no_alembic(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom bot.store.database import Database\n"
        "async def main():\n    async with Database(sys.argv[1]): pass\n"
        "asyncio.run(main()); asyncio.run(main())\nassert 'alembic' not in sys.modules"
    )
    arguments = [sys.executable, "-c", program, f"sqlite+aiosqlite:///{tmp_path}/signals.db"]
    root = Path(__file__).parents[3]
    ended = await asyncio.to_thread(subprocess.run, arguments, cwd=root, check=False)
    assert ended.returncode == 0


def test_the_script_directory_has_the_revisions_that_the_schema_names() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(engines.__file__).parent / "migrations"))
    revisions = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in revisions)[::-1] == REVISIONS


async def test_a_database_without_revision_is_adopted_after_a_copy(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    unversioned(file)
    async with database(file):
        pass
    revision, _, tenants = look(file)
    assert (revision, tenants) == (REVISIONS[-1], ["81384788765712384", "user:", "user:"])
    (copy,) = tmp_path.glob("signals.db.before-*")
    assert copy.name == "signals.db.before-0000-20260801T120000000000"
    assert look(copy)[0] is None
    assert look(copy)[2] == ["81384788765712384", "user:110373943822540800", "user:7"]


async def test_the_last_three_copies_are_kept_and_unfinished_ones_go(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    unversioned(file)
    url = database(file)._url
    (tmp_path / "signals.db.before-0000-20260801T110000000000.partial").write_bytes(b"unfinished")
    for minutes in range(5):
        engines.copy_before_migrating(url, f"000{5 - minutes}", samples.NOON + timedelta(minutes=minutes))
    assert sorted(one.name for one in tmp_path.glob("*.before-*")) == [
        "signals.db.before-0001-20260801T120400000000",
        "signals.db.before-0002-20260801T120300000000",
        "signals.db.before-0003-20260801T120200000000",
    ]


async def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    unversioned(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE probes (in_the_way)")
    before = look(file)
    with pytest.raises(Unusable, match="probes"):
        await database(file).__aenter__()
    assert look(file) == before
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE probes")
    async with database(file):
        pass
    assert look(file)[0] == REVISIONS[-1]


async def test_a_full_disk_stops_a_migration_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "signals.db"
    unversioned(file)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = look(file)
    with monkeypatch.context() as patched:
        patched.setattr("bot.store.engine.os.fsync", full)
        with pytest.raises(Exception, match="could not be copied"):
            await database(file).__aenter__()
    assert look(file) == before
    assert list(tmp_path.glob("*.before-*")) == []


async def test_migrating_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    unversioned(file)
    import alembic.command  # noqa: F401  # the first import holds the interpreter's lock for a while

    longest_s = 0.0

    async def watch() -> None:
        nonlocal longest_s
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest_s = max(longest_s, loop.time() - before)

    watching = asyncio.create_task(watch())
    async with database(file):
        watching.cancel()
    assert longest_s < 0.1


async def test_two_programs_that_open_an_old_database_at_once_migrate_it_once(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    unversioned(file)
    both = [database(file, busy_timeout_s=5) for _ in range(2)]
    async with asyncio.timeout(20):
        await asyncio.gather(*(one.__aenter__() for one in both))
    for one in both:
        assert one.fault is None
        await one.__aexit__(None, None, None)
    assert look(file)[0] == REVISIONS[-1]
    assert len(list(tmp_path.glob("*.before-*"))) == 1


async def test_a_database_of_a_later_version_is_refused_and_untouched(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    async with database(file):
        pass
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    before = contents(file)
    with pytest.raises(NewerDatabase, match=r"later version.*0099.*knows up to"):
        await database(file).__aenter__()
    assert contents(file) == before


def with_damage(file: Path, how: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE padding (x)")
        connection.executemany("INSERT INTO padding VALUES (?)", [("y" * 3000,) for _ in range(50)])
    whole = file.read_bytes()
    if how == "other file":
        file.write_bytes(b"this is no database" * 100)
    elif how == "header alone":
        file.write_bytes(whole[:16] + b"\xff" * 4000)
    elif how == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif how == "schema overwritten":
        file.write_bytes(whole[:100] + b"\x5a" * 3996 + whole[4096:])
    elif how == "pages overwritten":
        middle = len(whole) // 2 // 4096 * 4096
        file.write_bytes(whole[:middle] + b"\x5a" * 8192 + whole[middle + 8192 :])


@pytest.mark.parametrize(
    "how", ["other file", "header alone", "truncated", "schema overwritten", "pages overwritten"]
)
async def test_a_damaged_file_is_refused_in_words_and_untouched(tmp_path: Path, how: str) -> None:
    file = tmp_path / "signals.db"
    async with database(file):
        pass
    with_damage(file, how)
    before = file.read_bytes()
    with pytest.raises(Unusable, match=r"no database, or a damaged one.*left as it is"):
        await database(file).__aenter__()
    assert file.read_bytes() == before


async def test_a_directory_in_its_place_and_one_that_cannot_be_made_are_said(tmp_path: Path) -> None:
    (tmp_path / "signals.db").mkdir()
    with pytest.raises(Unusable, match=r"signals\.db cannot be opened"):
        await database(tmp_path / "signals.db").__aenter__()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unusable, match="cannot be opened"):
        await database(tmp_path / "file" / "signals.db").__aenter__()


async def test_what_a_killed_program_left_in_the_log_is_there_again(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    async with database(file) as opened:
        async with opened.writing() as connection:
            await connection.execute(text("INSERT INTO removed_guilds VALUES (5, 1.0)"))
        (tmp_path / "killed").mkdir()
        for one in (file, file.with_name("signals.db-wal")):
            shutil.copy(one, tmp_path / "killed")
    async with database(tmp_path / "killed" / "signals.db") as opened, opened.reading(1.0) as connection:
        assert (await connection.execute(text("SELECT guild_id FROM removed_guilds"))).scalars().all() == [5]


async def test_a_journal_that_a_kill_left_is_rolled_back(tmp_path: Path) -> None:
    """A database that is not yet in WAL mode: what only looks cannot roll back."""
    (tmp_path / "killed").mkdir()
    async with database(tmp_path / "signals.db"):
        pass
    with closing(sqlite3.connect(tmp_path / "signals.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA cache_size=1")  # spills into the file before the commit
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO probes VALUES (?, ?)", [(number, "y" * 5000) for number in range(50)])
        for name in ("signals.db", "signals.db-journal"):
            shutil.copy(tmp_path / name, tmp_path / "killed")
    async with database(tmp_path / "killed" / "signals.db") as opened, opened.reading(1.0) as reader:
        assert (await reader.execute(text("SELECT * FROM probes"))).all() == []


def test_a_kill_at_any_instant_of_a_migration_is_completed_or_rolled_back(tmp_path: Path) -> None:
    unversioned(tmp_path / "old.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # one file to copy
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bot.store.killed_while_opening", str(tmp_path)],
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    outcomes = json.loads(ended.stdout)
    killed = [outcome for outcome in outcomes if outcome[1] == -9]
    assert len(killed) > 15
    for file, _, then in outcomes:
        assert then == 0, ended.stderr
        assert look(Path(file))[::2] == (REVISIONS[-1], ["81384788765712384", "user:", "user:"])
        assert list(Path(file).parent.glob("*.partial")) == []


async def test_a_failed_block_leaves_nothing_behind_and_is_no_fault(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened:

        async def fail() -> None:
            async with opened.writing() as connection:
                await connection.execute(text("INSERT INTO removed_guilds VALUES (5, 1.0)"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        async with opened.reading(1.0) as connection:
            assert (await connection.execute(text("SELECT * FROM removed_guilds"))).all() == []
        assert opened.fault is None


async def test_writers_of_one_program_wait_in_line_however_long_one_takes(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db", busy_timeout_s=0.001) as opened:

        async def add(number: int) -> None:
            async with opened.writing() as connection:
                (before,) = (await connection.execute(text("SELECT count(*) FROM removed_guilds"))).one()
                await asyncio.sleep(0.002)
                await connection.execute(text(f"INSERT INTO removed_guilds VALUES ({number}, {before})"))

        await asyncio.gather(*(add(number) for number in range(20)))
        async with opened.reading(1.0) as connection:
            seen = (await connection.execute(text("SELECT removed_at FROM removed_guilds"))).scalars()
            assert sorted(seen) == list(range(20))


async def test_a_writer_cancelled_in_line_or_in_its_turn_leaves_the_others_working(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened:
        for turns in range(10):

            async def add() -> None:
                async with opened.writing() as connection:
                    await connection.execute(text("INSERT INTO removed_guilds VALUES (5, 1.0)"))
                    await connection.execute(text("DELETE FROM removed_guilds"))

            writers = [asyncio.create_task(add()) for _ in range(3)]
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)
        async with asyncio.timeout(2):
            await add()
        assert opened.fault is None


async def test_a_locked_database_is_a_fault_until_it_is_free_again(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened:
        with closing(sqlite3.connect(tmp_path / "signals.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(NotSaved, match="Nothing was saved: another program holds the database"):
                async with opened.writing():
                    pytest.fail("not begun")
            assert opened.fault == "another program holds the database"
            async with opened.reading(1.0) as connection:
                await connection.execute(text("SELECT * FROM answers"))
            assert opened.fault is not None
        await until(lambda: opened.fault is None)


def limit_pages(opened: Database, extra: int) -> Callable[[], None]:
    """No more than so many pages than now; SQLite's own stand-in for a full disk. Returns what takes that back."""
    most: list[int] = [0]

    def set_limit(connection: object) -> None:
        cursor = connection.connection.cursor()  # type: ignore[attr-defined]
        if not most[0]:
            cursor.execute("PRAGMA page_count")
            most[0] = cursor.fetchone()[0] + extra
        cursor.execute(f"PRAGMA max_page_count={most[0]}")
        cursor.close()

    event.listen(opened._engine.sync_engine, "begin", set_limit)

    def take_back() -> None:
        most[0] = 1_000_000

    return take_back


async def test_a_full_disk_is_a_fault_until_there_is_room(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened:
        make_room = limit_pages(opened, 4)
        with pytest.raises(NotSaved, match="the disk is full"):
            async with opened.writing() as connection:
                await connection.execute(text("INSERT INTO probes VALUES (9, :x)"), {"x": "y" * 100_000})
        assert opened.fault == "the disk is full"
        make_room()
        await until(lambda: opened.fault is None)
        assert opened._prober is not None
        await opened._prober
        async with opened.reading(1.0) as connection:
            assert (await connection.execute(text("SELECT * FROM probes"))).all() == []


async def test_the_probe_is_not_deceived_while_the_disk_stays_full(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened:
        limit_pages(opened, 1)
        with pytest.raises(NotSaved):
            async with opened.writing() as connection:
                await connection.execute(text("INSERT INTO probes VALUES (9, :x)"), {"x": "y" * 100_000})
        for _ in range(10):
            await asyncio.sleep(0.01)
            assert opened.fault == "the disk is full"


async def test_a_full_disk_is_found_when_it_is_asked_for_although_nobody_saves_anything(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened:
        make_room = limit_pages(opened, 1)
        async with opened.writing():
            pass
        assert await opened.checked(max_age_s=60.0, timeout_s=5.0) is None
        assert await opened.checked(max_age_s=0.0, timeout_s=5.0) == "the disk is full"
        assert opened.fault == "the disk is full"
        make_room()
        await until(lambda: opened.fault is None)
        assert await opened.checked(max_age_s=0.0, timeout_s=5.0) is None


async def test_who_asks_whether_it_works_may_leave_and_is_told_when_that_takes_too_long(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    async with database(file, busy_timeout_s=0.3) as opened:
        with closing(sqlite3.connect(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            asking = asyncio.create_task(opened.checked(max_age_s=0.0, timeout_s=5.0))
            await asyncio.sleep(0.02)
            asking.cancel()
            assert await opened.checked(max_age_s=0.0, timeout_s=0.02) == "it does not answer in time"
            assert await opened.checked(max_age_s=0.0, timeout_s=5.0) == "another program holds the database"
        await until(lambda: opened.fault is None)


async def test_a_commit_that_fails_is_unknown_unless_the_database_says_what_became_of_it(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened:

        def fail(_connection: object) -> None:
            raise OSError(5, "Input/output error")

        event.listen(opened._engine.sync_engine, "commit", fail)
        with pytest.raises(SaveUnknown, match="Input/output error"):
            async with opened.writing() as connection:
                await connection.execute(text("INSERT INTO removed_guilds VALUES (5, 1.0)"))
        event.remove(opened._engine.sync_engine, "commit", fail)
        await until(lambda: opened.fault is None)


async def test_reading_ends_in_time(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened:
        with pytest.raises(Unreadable, match="in time"):
            async with opened.reading(0.01):
                await asyncio.sleep(1)
        with pytest.raises(Unreadable, match="no such table"):
            async with opened.reading(1.0) as connection:
                await connection.execute(text("SELECT * FROM nowhere"))


async def test_an_error_s_words_hold_no_statement_and_no_value(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened:
        with pytest.raises(NotSaved) as refused:
            async with opened.writing() as connection:
                await connection.execute(text("INSERT INTO nowhere VALUES (:x)"), {"x": "secret"})
        assert "INSERT" not in str(refused.value)
        assert "secret" not in str(refused.value)


async def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    async with database(tmp_path / "signals.db") as opened, opened.writing() as connection:
        assert (await connection.execute(text("PRAGMA synchronous"))).scalar() == 2
        assert (await connection.execute(text("PRAGMA journal_mode"))).scalar() == "wal"
