"""Whatever happens to the database: settings are read, and nothing is said to be saved that is not."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.guild_settings import DEFAULTS, GuildSettings
from bot.store.answers import AnswerStore
from bot.store.database import Database
from bot.store.errors import NotSaved, SaveUnknown, Unreadable
from bot.store.guilds import Conflict, SqlGuildStore
from bot.store.settings_memory import SettingsMemory, Versioned
from tests.bot.store.test_database import limit_pages, until
from tests.bot.test_guild_settings import EVERYTHING

GUILD = 81384788765712384


class Life:
    def __init__(self, database: Database, guilds: SqlGuildStore) -> None:
        self.database = database
        self.guilds = guilds

    async def save(self, settings: GuildSettings, *, at: int, guild: int = GUILD) -> Versioned:
        return await self.guilds.save(guild, settings, expected_version=at, actor_id=7, action="set")

    async def stored(self, guild: int = GUILD) -> Versioned:
        return (await self.guilds.data_of(guild)).current


@asynccontextmanager
async def life(
    directory: Path, *, busy_timeout_s: float = 0.05, memory: SettingsMemory | None = None, **options: Any
) -> AsyncIterator[Life]:
    address = f"sqlite+aiosqlite:///{directory}/signals.db"
    async with (
        Database(address, busy_timeout_s=busy_timeout_s, probe_pause_s=0.01) as database,
        AnswerStore(database, pause_s=60) as answers,
        SqlGuildStore(database, answers, memory=memory, **options) as guilds,
    ):
        await until(lambda: answers._purged_at is not None and not guilds._tasks)
        yield Life(database, guilds)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Another program holds the write lock."""
    with closing(sqlite3.connect(directory / "signals.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def test_while_the_database_is_locked_settings_are_read_and_saves_are_said_not_to_have_happened(
    tmp_path: Path,
) -> None:
    async with life(tmp_path) as one:
        await one.save(EVERYTHING, at=0)
        with locked(tmp_path):
            began = time.monotonic()
            outcomes = await asyncio.gather(
                *(one.save(DEFAULTS, at=1, guild=GUILD + number) for number in range(20)), return_exceptions=True
            )
            assert time.monotonic() - began < 1
            assert {type(outcome) for outcome in outcomes} == {NotSaved}
            assert "another program" in str(outcomes[0])
            assert one.guilds.peek(GUILD) == Versioned(EVERYTHING, 1)
            assert await one.guilds.get(GUILD + 99) == Versioned(DEFAULTS, 0), "reading needs no lock"
            assert one.database.fault is not None
        assert await one.stored() == Versioned(EVERYTHING, 1)
        assert await one.save(DEFAULTS, at=1) == Versioned(DEFAULTS, 2)
        assert one.database.fault is None


async def test_a_save_that_never_got_its_turn_ends_in_time_and_certainly_did_not_happen(tmp_path: Path) -> None:
    async with life(tmp_path, busy_timeout_s=1.0, save_timeout_s=0.3) as one:
        with locked(tmp_path), pytest.raises(NotSaved, match="in time"):
            await one.save(EVERYTHING, at=0)
        assert await one.save(DEFAULTS.changed(limit=5), at=0) == Versioned(DEFAULTS.changed(limit=5), 1)
        assert len(await one.guilds.history(GUILD, 10)) == 1


async def test_a_save_that_was_begun_and_takes_too_long_is_unknown_until_it_is_read(tmp_path: Path) -> None:
    async with life(tmp_path, save_timeout_s=0.3) as one:
        await one.save(DEFAULTS.changed(limit=5), at=0)

        def slow(_connection: object) -> None:
            time.sleep(0.5)  # holds up everything, as a disk that hangs would this thread

        event.listen(one.database._engine.sync_engine, "commit", slow)
        with pytest.raises(SaveUnknown, match="not known"):
            await one.save(DEFAULTS.changed(limit=6), at=1)
        event.remove(one.database._engine.sync_engine, "commit", slow)
        async with asyncio.timeout(5):
            while (await one.guilds.get(GUILD)).version == 1:
                await asyncio.sleep(0.01)
        assert await one.guilds.get(GUILD) == Versioned(DEFAULTS.changed(limit=6), 2) == await one.stored()


class Commits:
    """Commits of a database that break off before or after they happened, while reading works or not."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.after = False
        self.readable = True
        self.error: Exception = OSError(5, "Input/output error")
        engine = database._engine.sync_engine
        commit, reading = engine.dialect.do_commit, database.reading

        def break_off(connection: Any) -> None:
            if self.after:
                commit(connection)
            raise self.error

        @asynccontextmanager
        async def perhaps_reading(timeout_s: float) -> AsyncIterator[AsyncConnection]:
            if not self.readable:
                raise Unreadable("The database could not be read.")
            async with reading(timeout_s) as connection:
                yield connection

        monkeypatch.setattr(engine.dialect, "do_commit", break_off)
        monkeypatch.setattr(database, "reading", perhaps_reading)


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What makes commits break off until it is undone."""
    with monkeypatch.context() as patched:
        yield patched


async def test_a_commit_that_breaks_off_before_it_happens_is_looked_for_and_said_not_to_have(
    tmp_path: Path, breaking: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path) as one:
        await one.save(DEFAULTS.changed(limit=5), at=0)
        Commits(one.database, breaking)
        with pytest.raises(NotSaved, match=r"Nothing was saved: .*Input/output error"):
            await one.save(DEFAULTS.changed(limit=6), at=1)
        assert one.database.fault is not None, "that it can be read does not mean that it works"
        breaking.undo()
        assert await one.stored() == Versioned(DEFAULTS.changed(limit=5), 1) == await one.guilds.get(GUILD)


async def test_a_commit_that_breaks_off_after_it_happened_is_found_and_said_to_have(
    tmp_path: Path, breaking: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path) as one:
        await one.save(DEFAULTS.changed(limit=5), at=0)
        Commits(one.database, breaking).after = True
        saves = (one.save(DEFAULTS.changed(limit=6), at=1), one.save(DEFAULTS.changed(limit=7), at=1))
        won, lost = await asyncio.gather(*saves, return_exceptions=True)
        assert won == Versioned(DEFAULTS.changed(limit=6), 2) == one.guilds.peek(GUILD)
        assert isinstance(lost, Conflict)
        assert one.database.fault is not None
        breaking.undo()
        assert await one.stored() == won
        assert len(await one.guilds.history(GUILD, 10)) == 2


async def test_a_commit_that_breaks_off_is_unknown_only_where_reading_fails_too(
    tmp_path: Path, breaking: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path) as one:
        await one.save(DEFAULTS.changed(limit=5), at=0)
        Commits(one.database, breaking).readable = False
        with pytest.raises(SaveUnknown):
            await one.save(DEFAULTS.changed(limit=6), at=1)
        breaking.undo()
        assert one.guilds.peek(GUILD) is None
        assert await one.guilds.get(GUILD) == await one.stored()


async def test_what_may_be_on_the_disk_although_nobody_sees_it_is_unknown(
    tmp_path: Path, breaking: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path) as one:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        Commits(one.database, breaking).error = error
        with pytest.raises(SaveUnknown, match="the disk does not work"):
            await one.save(DEFAULTS.changed(limit=6), at=0)
        breaking.undo()


@pytest.mark.parametrize("after", [False, True])
async def test_a_deletion_that_breaks_off_is_looked_for_too(
    tmp_path: Path, breaking: pytest.MonkeyPatch, after: bool
) -> None:
    async with life(tmp_path) as one:
        await one.save(EVERYTHING, at=0)
        Commits(one.database, breaking).after = after
        if after:
            await one.guilds.delete_guild(GUILD)
            assert one.guilds.peek(GUILD) is None
        else:
            with pytest.raises(NotSaved):
                await one.guilds.delete_guild(GUILD)
        breaking.undo()
        assert (await one.stored()).version == (0 if after else 1)


def test_where_no_file_may_grow_nothing_is_said_to_be_saved_that_is_not_nor_left_open(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "tests.bot.store.limited_files", str(tmp_path)]
    ended = subprocess.run(
        arguments, cwd=Path(__file__).parents[3], check=True, capture_output=True, text=True, timeout=60
    )
    told = json.loads(ended.stdout)
    saved = [said == "saved" for said in told["saves"]]
    assert 0 < sum(saved) < len(saved)
    for said in (*(said for said in told["saves"] if said != "saved"), told["delete"]):
        assert said.startswith("NotSaved: Nothing was saved: the disk takes nothing more")
    assert "the disk takes nothing more" in told["fault"]
    assert told["stored"] == [*map(int, saved), 1] == told["known"]
    assert told["afterwards"] == ["saved", "deleted"]


async def test_what_was_read_before_a_save_became_unknown_is_not_taken_for_certain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with life(tmp_path) as one:
        await one.save(DEFAULTS.changed(limit=5), at=0)
        one.guilds._memory.forget(GUILD)
        was_read, go_on, reading = asyncio.Event(), asyncio.Event(), one.database.reading

        @asynccontextmanager
        async def slow(timeout_s: float) -> AsyncIterator[AsyncConnection]:
            async with reading(timeout_s) as connection:
                yield connection
            was_read.set()
            await go_on.wait()

        monkeypatch.setattr(one.database, "reading", slow)
        looking = asyncio.create_task(one.guilds.get(GUILD))
        await was_read.wait()
        with monkeypatch.context() as breaking:
            Commits(one.database, breaking).readable = False
            with pytest.raises(SaveUnknown):
                await one.save(DEFAULTS.changed(limit=6), at=1)
        go_on.set()
        await looking
        assert one.guilds.peek(GUILD) is None


async def test_with_the_database_away_the_last_known_settings_hold_and_the_defaults_where_there_are_none(
    tmp_path: Path,
) -> None:
    async with life(tmp_path) as one:
        await one.save(EVERYTHING, at=0)
        one.guilds._doubt(GUILD)
        with closing(sqlite3.connect(tmp_path / "signals.db")) as other:
            other.execute("ALTER TABLE guild_settings RENAME TO away")
            assert await one.guilds.get(GUILD) == Versioned(EVERYTHING, 1, certain=False)
            assert await one.guilds.get(5) == Versioned(DEFAULTS, 0, certain=False)
            assert one.guilds.peek(5) is None, "it is asked again"
            assert one.database.fault is not None
            with pytest.raises(Unreadable):
                await one.guilds.data_of(GUILD)
            with pytest.raises(NotSaved):
                await one.save(DEFAULTS, at=1)
            other.execute("ALTER TABLE away RENAME TO guild_settings")
        assert await one.guilds.get(GUILD) == Versioned(EVERYTHING, 1)


async def test_on_a_full_disk_nothing_is_said_to_be_saved_and_all_is_well_when_there_is_room(tmp_path: Path) -> None:
    async with life(tmp_path) as one:
        make_room = limit_pages(one.database, 6)
        large = EVERYTHING.changed(muted=tuple(f"{number:050}" for number in range(100)))
        said: dict[int, Versioned] = {}
        for guild in range(1, 30):
            try:
                said[guild] = await one.save(large, at=0, guild=guild)
            except NotSaved as error:
                assert "the disk is full" in str(error)  # noqa: PT017
        assert len(said) < 29
        assert one.database.fault == "the disk is full"
        for guild in range(1, 30):
            expected = said.get(guild, Versioned(DEFAULTS, 0))
            assert await one.stored(guild) == expected == await one.guilds.get(guild)
        make_room()
        await until(lambda: one.database.fault is None)
        assert (await one.save(large, at=0, guild=29)).version == 1
    async with life(tmp_path) as one:
        for guild, versioned in said.items():
            assert await one.guilds.get(guild) == versioned


async def test_too_many_who_wait_are_told_at_once(tmp_path: Path) -> None:
    async with life(tmp_path, waiting=5) as one:
        saves = [one.save(EVERYTHING, at=0, guild=GUILD + number) for number in range(9)]
        outcomes = await asyncio.gather(*saves, return_exceptions=True)
        assert [isinstance(outcome, NotSaved) for outcome in outcomes] == [False] * 5 + [True] * 4


async def test_closing_tells_those_who_wait_and_is_bounded(tmp_path: Path) -> None:
    async with life(tmp_path, busy_timeout_s=0.3, close_timeout_s=0.02) as one:
        with locked(tmp_path):
            saving = [asyncio.create_task(one.save(EVERYTHING, at=0, guild=GUILD + number)) for number in range(3)]
            deleting = asyncio.create_task(one.guilds.delete_guild(GUILD))
            await asyncio.sleep(0.01)
            async with asyncio.timeout(2):
                await one.guilds.__aexit__(None, None, None)
                outcomes = await asyncio.gather(*saving, deleting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {NotSaved}
        with pytest.raises(NotSaved, match="stopping"):
            await one.save(EVERYTHING, at=0)


async def test_deleting_without_a_turn_ends_in_time_and_certainly_did_not_happen(tmp_path: Path) -> None:
    async with life(tmp_path, busy_timeout_s=1.0, save_timeout_s=0.3) as one:
        await one.save(EVERYTHING, at=0)
        with locked(tmp_path), pytest.raises(NotSaved):
            await one.guilds.delete_guild(GUILD)
        assert await one.stored() == Versioned(EVERYTHING, 1)
        assert one.guilds.peek(GUILD) == Versioned(EVERYTHING, 1)


async def test_stored_settings_that_are_no_longer_valid_cost_only_themselves_and_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with life(tmp_path) as one:
        await one.save(DEFAULTS.changed(limit=5, time_zone="Europe/Berlin"), at=0)
    with closing(sqlite3.connect(tmp_path / "signals.db")) as other, other:
        other.execute("UPDATE guild_settings SET body = replace(body, 'Europe/Berlin', 'Mars/X')")
    async with life(tmp_path) as one:
        assert await one.guilds.get(GUILD) == Versioned(DEFAULTS.changed(limit=5), 1)
        assert "no longer valid" in caplog.text


def test_memory_is_bounded_by_servers_and_by_size() -> None:
    memory = SettingsMemory(servers=5, size_bytes=2000, ready=2)
    for guild in range(20):
        memory.put(guild, Versioned(DEFAULTS.changed(limit=1 + guild), 1))
    assert [guild for guild in range(20) if memory.get(guild)] == [15, 16, 17, 18, 19]
    assert memory.get(15) == Versioned(DEFAULTS.changed(limit=16), 1), "from its text"
    memory.put(20, Versioned(DEFAULTS, 0))
    assert memory.get(16) is None, "15 was used, so 16 went"
    large = Versioned(DEFAULTS.changed(muted=tuple(f"{number:050}" for number in range(30))), 1)
    memory.put(21, large)
    memory.put(22, large)
    assert (memory.get(21), memory.get(22)) == (None, large)
    memory.put(23, Versioned(DEFAULTS.changed(muted=tuple(f"{number:050}" for number in range(100))), 1))
    assert len(memory) == 0, "what has no room is not kept"
    memory.put(24, large)
    assert memory.get(24) == large, "and nothing of it is left behind"
    memory.forget(24)
    assert memory.get(24) is None


def test_uncertain_settings_are_told_from_certain_ones() -> None:
    assert replace(Versioned(DEFAULTS, 0), certain=False) != Versioned(DEFAULTS, 0)


def test_nothing_that_was_said_to_be_saved_is_lost_by_a_kill(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "benchmarks.killed_saves", str(tmp_path / "signals.db"), "10"]
    root = Path(__file__).parents[3]
    ended = subprocess.run(arguments, cwd=root, check=True, capture_output=True, text=True, timeout=60)
    saves, lost = map(int, ended.stdout.split())
    assert saves > 100
    assert lost == 0
