"""A backup is whole whatever goes on, and restoring leaves the former or the new database, never a mixture."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.__main__ import main
from bot.store.backup import backup, restore
from bot.store.database import Database
from bot.store.errors import NewerDatabase, StoreError
from bot.store.schema import REVISIONS
from tests.bot import samples
from tests.bot.store.old_database import look, unversioned


def url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


async def fill(file: Path, number: int) -> None:
    async with Database(url(file)) as database, database.writing() as connection:
        await connection.execute(text(f"INSERT INTO removed_guilds VALUES ({number}, 1.0)"))


def numbers(file: Path) -> list[int]:
    with closing(sqlite3.connect(file)) as connection:
        return [number for (number,) in connection.execute("SELECT guild_id FROM removed_guilds ORDER BY 1")]


async def test_a_backup_is_taken_while_the_bot_writes(tmp_path: Path) -> None:
    file, target = tmp_path / "signals.db", tmp_path / "copy.db"
    await fill(file, 1)
    async with Database(url(file)) as database, database.writing() as connection:
        await connection.execute(text("INSERT INTO removed_guilds VALUES (2, 1.0)"))
        assert "copied" in backup(url(file), target)
    assert numbers(target) == [1]
    assert look(target)[0] == REVISIONS[-1]
    assert list(tmp_path.glob("*.partial")) == []


async def test_a_backup_overwrites_nothing_and_needs_something_to_copy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database at"):
        backup(url(tmp_path / "signals.db"), tmp_path / "copy.db")
    await fill(tmp_path / "signals.db", 1)
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        backup(url(tmp_path / "signals.db"), tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"
    with pytest.raises(StoreError, match="could not be copied"):
        backup(url(tmp_path / "signals.db"), tmp_path / "nowhere" / "copy.db")


async def test_a_restored_database_is_the_copy_and_the_former_one_is_kept(tmp_path: Path) -> None:
    file, copy = tmp_path / "signals.db", tmp_path / "copy.db"
    await fill(file, 1)
    backup(url(file), copy)
    await fill(file, 2)
    assert "is now" in restore(url(file), copy, samples.NOON)
    assert numbers(file) == [1]
    assert numbers(tmp_path / "signals.db.replaced-20260801T120000000000") == [1, 2]
    await fill(file, 3)
    assert numbers(file) == [1, 3]
    assert numbers(copy) == [1]


async def test_a_restore_works_where_there_is_nothing_yet(tmp_path: Path) -> None:
    await fill(tmp_path / "copy.db", 1)
    restore(url(tmp_path / "new" / "signals.db"), tmp_path / "copy.db", samples.NOON)
    assert numbers(tmp_path / "new" / "signals.db") == [1]


async def test_a_restore_is_refused_while_the_bot_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.engine._EXCLUSIVE_S", 0.01)
    file, copy = tmp_path / "signals.db", tmp_path / "copy.db"
    await fill(file, 1)
    backup(url(file), copy)
    async with Database(url(file)) as database:
        async with database.writing() as connection:
            await connection.execute(text("INSERT INTO removed_guilds VALUES (2, 1.0)"))
        with pytest.raises(StoreError, match="stop the bot first"):
            restore(url(file), copy, samples.NOON)
    assert numbers(file) == [1, 2]


async def test_a_damaged_database_is_replaced_and_its_log_never_meets_the_copy(tmp_path: Path) -> None:
    file, copy = tmp_path / "signals.db", tmp_path / "copy.db"
    await fill(copy, 1)
    file.write_bytes(b"SQLite format 3\x00" + b"\xff" * 9000)
    (tmp_path / "signals.db-wal").write_bytes(b"of another file" * 100)
    restore(url(file), copy, samples.NOON)
    assert numbers(file) == [1]
    kept = tmp_path / "signals.db.replaced-20260801T120000000000"
    assert kept.read_bytes().endswith(b"\xff" * 9000)
    assert not (tmp_path / "signals.db-wal").exists()


async def test_what_is_no_good_copy_is_refused_and_the_database_stays(tmp_path: Path) -> None:
    file, copy = tmp_path / "signals.db", tmp_path / "copy.db"
    await fill(file, 1)
    for content in (b"", b"no database" * 500):
        copy.write_bytes(content)
        with pytest.raises(StoreError):
            restore(url(file), copy, samples.NOON)
    copy.unlink()
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("CREATE TABLE recipes (x)")
    with pytest.raises(StoreError, match="nothing of this program"):
        restore(url(file), copy, samples.NOON)
    await fill(tmp_path / "newer.db", 2)
    with closing(sqlite3.connect(tmp_path / "newer.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(NewerDatabase):
        restore(url(file), tmp_path / "newer.db", samples.NOON)
    assert numbers(file) == [1]
    assert list(tmp_path.glob("*.replaced-*")) == []


async def test_an_old_copy_is_restored_as_it_is_and_migrated_at_the_next_start(tmp_path: Path) -> None:
    unversioned(tmp_path / "old.db")
    restore(url(tmp_path / "signals.db"), tmp_path / "old.db", samples.NOON)
    assert look(tmp_path / "signals.db")[0] is None
    async with Database(url(tmp_path / "signals.db")):
        pass
    assert look(tmp_path / "signals.db")[0] == REVISIONS[-1]


def test_the_command_line_says_what_was_done_and_what_could_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url(tmp_path / "signals.db"))
    assert main(["backup", "copy.db"]) == 1
    assert "no database at" in capsys.readouterr().err
    unversioned(tmp_path / "signals.db")
    assert main(["backup", "copy.db"]) == 0
    assert "was copied to copy.db" in capsys.readouterr().out
    assert main(["restore", "copy.db"]) == 0
    assert "copy.db was restored" in capsys.readouterr().out
    assert main(["restore", "nowhere.db"]) == 1
    with pytest.raises(SystemExit):
        main(["backup"])
