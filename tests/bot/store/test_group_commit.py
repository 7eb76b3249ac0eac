"""Changes committed together: each is told the truth, and none costs another anything."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database
from bot.store.errors import NotSaved, SaveUnknown, StoreError
from bot.store.group_commit import GroupCommit
from bot.store.schema import WEBHOOKS


class Refused(StoreError):
    """An odd one."""


class Notes:
    """Writes numbers down, unless they are odd; holds on while ``gate`` is closed."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.bug: Exception | None = None

    async def write(self, connection: AsyncConnection, numbers: Sequence[int]) -> Sequence[int | StoreError]:
        self.batches.append(len(numbers))
        await self.gate.wait()
        if self.bug is not None:
            raise self.bug
        rows = [{"id": str(number), "workflow_id": "w", "at": 0.0} for number in numbers if number % 2 == 0]
        if rows:
            await connection.execute(WEBHOOKS.insert(), rows)
        return [Refused(str(number)) if number % 2 else number * 10 for number in numbers]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    address = f"sqlite+aiosqlite:///{tmp_path}/signals.db"
    async with Database(address, busy_timeout_s=0.02, probe_pause_s=0.01) as opened:
        yield opened


@pytest.fixture
def notes() -> Notes:
    return Notes()


async def written(database: Database) -> int:
    async with database.reading(1) as connection:
        return int((await connection.execute(select(func.count()).select_from(WEBHOOKS))).scalar_one())


async def begun(notes: Notes) -> None:
    async with asyncio.timeout(2):
        while not notes.batches:
            await asyncio.sleep(0.001)


async def test_what_waits_meanwhile_is_committed_together_and_each_is_told_its_own(
    database: Database, notes: Notes
) -> None:
    line = GroupCommit(database, "notes", timeout_s=5)
    outcomes = await asyncio.gather(*(line.do(notes.write, number) for number in range(50)), return_exceptions=True)
    assert outcomes[::2] == [number * 10 for number in range(0, 50, 2)]
    assert [str(one) for one in outcomes[1::2]] == [str(number) for number in range(1, 50, 2)]
    assert all(isinstance(one, Refused) for one in outcomes[1::2])
    assert await written(database) == 25
    assert len(notes.batches) <= 2
    await line.close()


async def test_a_transaction_that_fails_saves_nothing_of_its_batch_and_harms_no_later_one(
    database: Database, notes: Notes
) -> None:
    line = GroupCommit(database, "notes", timeout_s=5)
    async with database.writing() as connection:
        await connection.execute(text("ALTER TABLE webhooks RENAME TO away"))
    outcomes = await asyncio.gather(*(line.do(notes.write, number) for number in (0, 2)), return_exceptions=True)
    assert [type(one) for one in outcomes] == [NotSaved, NotSaved]
    async with database.writing() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO webhooks"))
    assert await line.do(notes.write, 4) == 40
    assert await written(database) == 1
    await line.close()


async def test_a_bug_tells_those_who_wait_and_is_logged(
    database: Database, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    line = GroupCommit(database, "notes", timeout_s=5)
    notes.bug = ZeroDivisionError("a bug")
    with pytest.raises(SaveUnknown):
        await line.do(notes.write, 2)
    notes.bug = None
    assert await line.do(notes.write, 4) == 40
    assert "ZeroDivisionError" in caplog.text
    await line.close()


async def test_whose_turn_does_not_come_in_time_is_withdrawn_and_whose_came_is_in_doubt(
    database: Database, notes: Notes
) -> None:
    line = GroupCommit(database, "notes", timeout_s=0.5)
    notes.gate.clear()
    first = asyncio.create_task(line.do(notes.write, 0))
    await begun(notes)
    second = asyncio.create_task(line.do(notes.write, 2))
    with pytest.raises(NotSaved):
        await second
    with pytest.raises(SaveUnknown):
        await first
    notes.gate.set()
    assert await line.do(notes.write, 4) == 40
    assert await written(database) == 2, "the first and the third"
    await line.close()


async def test_no_more_wait_than_there_is_room_for(database: Database, notes: Notes) -> None:
    line = GroupCommit(database, "notes", timeout_s=5, waiting=2)
    notes.gate.clear()
    first = asyncio.create_task(line.do(notes.write, 0))
    await begun(notes)
    waiting = [asyncio.create_task(line.do(notes.write, number)) for number in (2, 4)]
    await asyncio.sleep(0)
    with pytest.raises(NotSaved, match="too many"):
        await line.do(notes.write, 6)
    notes.gate.set()
    assert await asyncio.gather(first, *waiting) == [0, 20, 40]
    await line.close()


async def test_closing_lets_what_is_under_way_end_and_refuses_the_rest(database: Database, notes: Notes) -> None:
    line = GroupCommit(database, "notes", timeout_s=5, close_timeout_s=0.05)
    notes.gate.clear()
    under_way = asyncio.create_task(line.do(notes.write, 0))
    await begun(notes)
    late = asyncio.create_task(line.do(notes.write, 2))
    await asyncio.sleep(0)
    await line.close()
    with pytest.raises(SaveUnknown):
        await under_way
    with pytest.raises(NotSaved):
        await late
    with pytest.raises(NotSaved):
        await line.do(notes.write, 4)
    await line.close()
    assert await written(database) == 0
    finishing = GroupCommit(database, "notes", timeout_s=5)
    notes.gate.set()
    saving = asyncio.create_task(finishing.do(notes.write, 6))
    await asyncio.sleep(0)
    await finishing.close()
    assert await saving == 60


async def test_who_leaves_costs_the_others_nothing(database: Database, notes: Notes) -> None:
    line = GroupCommit(database, "notes", timeout_s=5)
    for turns in range(10):
        numbers = range(turns * 100, turns * 100 + 8, 2)
        tasks = [asyncio.create_task(line.do(notes.write, number)) for number in numbers]
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        tasks[0].cancel()
        assert await asyncio.gather(*tasks[1:]) == [number * 10 for number in numbers[1:]]
        await asyncio.gather(tasks[0], return_exceptions=True)
    assert 30 <= await written(database) <= 40
    await line.close()
