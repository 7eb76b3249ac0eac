"""The store remembers answers without ever being in their way."""

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.answer import Answer
from bot.store.answers import AnswerStore, Expired
from bot.store.database import Database
from bot.store.errors import NotSaved
from tests.bot import samples


class Calendar:
    """A clock whose days the test turns."""

    def __init__(self) -> None:
        self.now = samples.NOON

    def __call__(self) -> datetime:
        return self.now


def address(directory: Path) -> str:
    return f"sqlite+aiosqlite:///{directory}/data/signals.db"


@asynccontextmanager
async def store(directory: Path, busy_timeout_s: float = 0.02, **changes: object) -> AsyncIterator[AnswerStore]:
    settings: dict[str, object] = {"pause_s": 0.005, "now": Calendar(), **changes}
    async with (
        Database(address(directory), busy_timeout_s=busy_timeout_s, probe_pause_s=0.01) as database,
        AnswerStore(database, **settings) as kept,  # type: ignore[arg-type]
    ):
        yield kept


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


def take_away(directory: Path) -> None:
    """The tables are gone, as far as any statement can tell."""
    execute(directory, "ALTER TABLE answers RENAME TO away")


def bring_back(directory: Path) -> None:
    execute(directory, "ALTER TABLE away RENAME TO answers")


def execute(directory: Path, statement: str) -> None:
    connection = sqlite3.connect(directory / "data" / "signals.db")
    with connection:
        connection.execute(statement)
    connection.close()


def stored_ids(directory: Path) -> list[str]:
    connection = sqlite3.connect(directory / "data" / "signals.db")
    try:
        return [id_ for (id_,) in connection.execute("SELECT id FROM answers ORDER BY rowid")]
    finally:
        connection.close()


async def test_an_answer_is_readable_at_once_and_after_a_restart(tmp_path: Path) -> None:
    given = samples.answer()
    async with store(tmp_path) as first:
        first.put(given)
        assert await first.get(given.id) is given
    async with store(tmp_path) as second:
        assert await second.get(given.id) == given
        assert await second.get("f" * 20) is None


async def test_putting_never_touches_the_database(tmp_path: Path) -> None:
    async with store(tmp_path, pause_s=60) as kept:
        await until(lambda: (tmp_path / "data" / "signals.db").exists())
        for number in range(50):
            kept.put(samples.answer(found=100 + number))
        assert kept.counts.written == 0


async def test_answers_are_written_in_the_order_in_which_they_were_given(tmp_path: Path) -> None:
    answers = [samples.answer(2, found=number) for number in range(100, 350)]
    async with store(tmp_path) as kept:
        for one in answers:
            kept.put(one)
        await until(lambda: kept.counts.written == len(answers))
    assert stored_ids(tmp_path) == [one.id for one in answers]


async def test_what_must_not_be_shown_before_it_is_kept_is_in_the_database_when_that_is_said(tmp_path: Path) -> None:
    answers = [samples.answer(found=number) for number in range(100, 103)]
    async with store(tmp_path, pause_s=60) as kept:
        await kept.keep([*answers, answers[0]])
        await kept.keep(answers[1:])
        assert sorted(stored_ids(tmp_path)) == sorted(one.id for one in answers)
        assert await kept.get(answers[0].id) is answers[0]
        take_away(tmp_path)
        with pytest.raises(NotSaved):
            await kept.keep([samples.answer(found=104)])
        bring_back(tmp_path)
    async with store(tmp_path) as kept:
        assert [await kept.get(one.id) for one in answers] == answers


async def test_what_is_written_survives_a_kill(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import asyncio, os, signal
        from bot.store.answers import AnswerStore
        from bot.store.database import Database
        from tests.bot import samples

        async def main():
            async with Database({address(tmp_path)!r}) as database, AnswerStore(database, pause_s=0.005) as kept:
                kept.put(samples.answer())
                while not kept.counts.written:
                    await asyncio.sleep(0.005)
                os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """
    )
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-W", "ignore", "-c", program], cwd=Path(__file__).parents[3], check=False
    )
    assert ended.returncode == -9
    async with store(tmp_path) as kept:
        assert await kept.get(samples.answer().id) == samples.answer()


async def test_after_seven_days_the_question_alone_is_known_and_after_ninety_nothing(tmp_path: Path) -> None:
    calendar = Calendar()
    given = samples.answer()
    expired = Expired(given.tenant, given.question)
    async with store(tmp_path, now=calendar) as kept:
        kept.put(given)
        calendar.now += timedelta(days=7)
        assert await kept.get(given.id) == expired, "from memory"
    async with store(tmp_path, now=calendar) as kept:
        assert await kept.get(given.id) == expired, "from the database"
    calendar.now += timedelta(days=83)
    async with store(tmp_path, now=calendar) as kept:
        assert await kept.get(given.id) is None


async def test_old_bodies_and_older_questions_leave_the_file(tmp_path: Path) -> None:
    calendar = Calendar()
    monotonic_s = 0.0
    old, older = samples.answer(1), samples.answer(2, created_at=samples.NOON - timedelta(days=84))
    async with store(tmp_path, now=calendar, monotonic=lambda: monotonic_s) as kept:
        kept.put(old)
        kept.put(older)
        await until(lambda: kept.counts.written == 2)
        calendar.now += timedelta(days=8)
        monotonic_s += 4000.0
        kept.put(samples.answer(3, created_at=calendar.now))
        await until(lambda: kept.counts.written == 3)
    connection = sqlite3.connect(tmp_path / "data" / "signals.db")
    rows = dict(connection.execute("SELECT id, body IS NULL FROM answers"))
    connection.close()
    assert older.id not in rows
    assert rows[old.id] == 1


async def test_an_answer_given_again_is_not_written_again_within_the_hour(tmp_path: Path) -> None:
    monotonic_s = 0.0
    async with store(tmp_path, monotonic=lambda: monotonic_s) as kept:
        kept.put(samples.answer())
        await until(lambda: kept.counts.written == 1)
        kept.put(samples.answer(created_at=samples.NOON + timedelta(minutes=1)))
        kept.put(samples.answer(1))
        await until(lambda: kept.counts.written == 2)
        monotonic_s += 3601.0
        kept.put(samples.answer(created_at=samples.NOON + timedelta(hours=1)))
        await until(lambda: kept.counts.written == 3)


async def test_a_locked_database_delays_writing_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with store(tmp_path) as kept:
        kept.put(samples.answer(1))
        await until(lambda: kept.counts.written == 1)
        other = sqlite3.connect(tmp_path / "data" / "signals.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        kept.put(samples.answer(2))
        await until(lambda: kept.counts.write_failures > 0)
        assert "another program" in str(kept._database.fault)
        assert await kept.get(samples.answer(2).id) == samples.answer(2)
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: kept.counts.written == 2)
        assert kept._database.fault is None
    assert "INSERT" not in caplog.text


async def test_a_reader_is_not_held_up_by_a_writer(tmp_path: Path) -> None:
    async with store(tmp_path) as kept:
        kept.put(samples.answer(1))
        await until(lambda: kept.counts.written == 1)
    async with store(tmp_path) as fresh:
        await until(lambda: fresh._purged_at is not None)
        other = sqlite3.connect(tmp_path / "data" / "signals.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert await fresh.get(samples.answer(1).id) == samples.answer(1)
        other.close()


async def test_the_store_recovers_when_the_database_does(tmp_path: Path) -> None:
    async with store(tmp_path) as kept:
        await until(lambda: kept._purged_at is not None)
        take_away(tmp_path)
        kept.put(samples.answer(1))
        await until(lambda: kept.counts.write_failures > 0)
        assert await kept.get(samples.answer(1).id) == samples.answer(1), "a database away costs no answer"
        assert await kept.get(samples.answer(2).id) is None
        assert kept.counts.read_failures == 1
        bring_back(tmp_path)
        await until(lambda: kept.counts.written == 1)


async def test_a_forgotten_tenant_s_answers_are_never_written(tmp_path: Path) -> None:
    async with store(tmp_path) as kept:
        await until(lambda: kept._purged_at is not None)
        async with kept._database.writing():  # the writer waits for its turn, with the answer chosen
            kept.put(samples.answer(1, tenant="1"))
            kept.put(samples.answer(1, tenant="2"))
            await asyncio.sleep(0.02)
            kept.forget("1")
        await until(lambda: kept.counts.written == 1)
        assert await kept.get(samples.answer(1, tenant="1").id) is None
        kept.put(samples.answer(1, tenant="1"))
        await until(lambda: kept.counts.written == 2)
    assert len(stored_ids(tmp_path)) == 2


async def test_what_was_found_before_its_tenant_was_forgotten_is_not_kept_after(tmp_path: Path) -> None:
    calendar = Calendar()
    async with store(tmp_path, now=calendar) as kept:
        await until(lambda: kept._purged_at is not None)
        found = [samples.answer(1, tenant=tenant) for tenant in ("1", "2")]
        calendar.now += timedelta(seconds=1)
        async with kept._database.writing():  # the answers wait for their turn
            keeping = asyncio.create_task(kept.keep(found))
            await asyncio.sleep(0.05)
            kept.forget("1")
        await keeping
        kept.put(found[0])
        assert [await kept.get(answer.id) is not None for answer in found] == [False, True]
        later = samples.answer(2, tenant="1", created_at=calendar.now + timedelta(seconds=1))
        await kept.keep([later])
    assert stored_ids(tmp_path) == [found[1].id, later.id]


async def test_no_user_s_id_is_written(tmp_path: Path) -> None:
    given = samples.answer(1, tenant="user:81384788765712384")
    async with store(tmp_path) as kept:
        kept.put(given)
        assert await kept.get(given.id) == given
    assert b"81384788765712384" not in (tmp_path / "data" / "signals.db").read_bytes()
    async with store(tmp_path) as kept:
        assert isinstance(await kept.get(given.id), Answer)


async def test_too_many_waiting_answers_drop_the_oldest_and_count_it(tmp_path: Path) -> None:
    answers = [samples.answer(1, found=number) for number in range(2, 7)]
    async with store(tmp_path, waiting=3, remembered=2, pause_s=60) as kept:
        await until(lambda: (tmp_path / "data" / "signals.db").exists())
        for one in answers:
            kept.put(one)
        assert kept.counts.dropped == 2
        assert await kept.get(answers[2].id) is answers[2], "forgotten by the memory, yet still waiting"
        assert await kept.get(answers[0].id) is None
    assert stored_ids(tmp_path) == [one.id for one in answers[2:]]


async def test_an_answer_that_has_no_json_does_not_hold_up_the_others(tmp_path: Path) -> None:
    bad = samples.answer(signals=(samples.signal().model_copy(update={"title": "\ud800"}),))
    async with store(tmp_path) as kept:
        kept.put(bad)
        kept.put(samples.answer(1))
        await until(lambda: kept.counts.written == 1)
        assert kept.counts.dropped == 1


async def test_a_row_in_a_strange_form_is_no_answer(tmp_path: Path) -> None:
    async with store(tmp_path) as kept:
        kept.put(samples.answer(1))
        await until(lambda: kept.counts.written == 1)
    connection = sqlite3.connect(tmp_path / "data" / "signals.db")
    with connection:
        connection.execute("UPDATE answers SET body = '[1]'")
    connection.close()
    async with store(tmp_path) as kept:
        assert await kept.get(samples.answer(1).id) is None
        assert kept.counts.read_failures == 1


async def test_closing_is_bounded_when_the_database_is_locked_and_twice_is_once(tmp_path: Path) -> None:
    async with store(tmp_path, busy_timeout_s=0.2, close_timeout_s=0.05) as kept:
        kept.put(samples.answer(1))
        await until(lambda: kept.counts.written == 1)
        other = sqlite3.connect(tmp_path / "data" / "signals.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        kept.put(samples.answer(2))
        async with asyncio.timeout(2):
            await kept.close()
        other.close()
        assert kept.counts.dropped == 1
    assert stored_ids(tmp_path) == [samples.answer(1).id]


async def test_a_cancelled_reader_leaves_the_store_working(tmp_path: Path) -> None:
    async with store(tmp_path) as kept:
        kept.put(samples.answer(1))
        await until(lambda: kept.counts.written == 1)
    async with store(tmp_path) as kept:
        for turns in range(12):
            reader = asyncio.create_task(kept.get("e" * 20))
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        assert await kept.get(samples.answer(1).id) == samples.answer(1)


def test_equal_contents_have_one_id_and_others_another() -> None:
    def changed(**changes: object) -> Answer:
        return samples.answer(signals=(samples.signal(**changes),))

    same = {changed().id, changed(score=0.8201).id, samples.answer(signals=(samples.signal(),)).id}
    assert len(same) == 1
    others = [
        changed(score=0.9),
        changed(title="Another"),
        changed(also_in=()),
        changed(nsfw=True),
        samples.answer(tenant="2", signals=(samples.signal(),)),
        samples.answer(error="Broken.", signals=(samples.signal(),)),
        samples.answer(reports=(), signals=(samples.signal(),)),
        samples.answer(question=samples.QUESTION.model_copy(update={"query": None}), signals=(samples.signal(),)),
    ]
    assert len({one.id for one in others} | same) == len(others) + 1


async def test_answers_that_name_nobody_are_deleted_for_who_got_them_and_for_nobody_else(tmp_path: Path) -> None:
    mine = [
        samples.answer(count, tenant="user:1", error=error, reports=reports)
        for count, error, reports in ((12, None, ()), (0, "Broken.", ()), (3, None, samples.answer(1).reports))
    ]
    others = [samples.answer(12, tenant="user:2"), samples.answer(12), samples.answer(3, tenant="user:12")]
    async with store(tmp_path) as kept:
        for one in (*mine, *others):
            kept.put(one)
        await until(lambda: kept.counts.written == 6)
    async with store(tmp_path) as kept:
        assert await kept.delete_personal("user:1") == 3
        assert await kept.delete_personal("user:1") == 0
        assert [await kept.get(one.id) for one in mine] == [None] * 3
        assert all([await kept.get(one.id) for one in others])


async def test_an_answer_that_waits_to_be_written_is_deleted_too(tmp_path: Path) -> None:
    async with store(tmp_path, pause_s=0.2) as kept:
        kept.put(samples.answer(1, tenant="user:1"))
        kept.put(samples.answer(2, tenant="user:2"))
        await kept.delete_personal("user:1")
        assert await kept.get(samples.answer(1, tenant="user:1").id) is None
    assert stored_ids(tmp_path) == [samples.answer(2, tenant="user:2").id]


async def test_deleting_looks_at_more_than_one_batch_and_past_what_it_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.answers._BATCH", 2)
    async with store(tmp_path) as kept:
        for found in range(5):
            kept.put(samples.answer(1, tenant="user:1", found=found))
        await until(lambda: kept.counts.written == 5)
        broken = stored_ids(tmp_path)[1]
        execute(tmp_path, f"UPDATE answers SET body = '[1]' WHERE id = '{broken}'")
        assert await kept.delete_personal("user:1") == 4
    assert stored_ids(tmp_path) == [broken]
