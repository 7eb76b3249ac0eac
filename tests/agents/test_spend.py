"""The daily budget: never exceeded, by any number of tasks and processes, and safe when its file is not."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.errors import BudgetSpent
from agents.spend import DailySpend

ROOT = Path(__file__).parents[2]


class Calendar:
    """The present, until told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spend.json"


async def test_what_is_reserved_and_settled_adds_up(file: Path) -> None:
    spend = DailySpend(file, 1.0, Calendar())

    await spend.reserve(0.125)
    assert await spend.spent_usd() == 0.125
    assert await spend.settle(0.125, 0.05) == 0.05
    assert spend.limit_usd == 1.0


async def test_the_limit_can_be_reached_but_not_passed(file: Path) -> None:
    spend = DailySpend(file, 1.0, Calendar())
    for _ in range(10):
        await spend.reserve(0.1)

    with pytest.raises(BudgetSpent, match=r"\$1.00 of \$1.00"):
        await spend.reserve(0.005)
    assert await spend.spent_usd() == 1.0


async def test_tasks_at_once_never_pass_it(file: Path) -> None:
    spends = [DailySpend(file, 1.0, Calendar()) for _ in range(3)]

    async def one(number: int) -> bool:
        try:
            await spends[number % 3].reserve(0.1)
        except BudgetSpent:
            return False
        return True

    assert sum(await asyncio.gather(*(one(number) for number in range(30)))) == 10


async def test_processes_at_once_never_pass_it(file: Path) -> None:
    program = f"""
import asyncio, pathlib
from agents.errors import BudgetSpent
from agents.events import utc_now
from agents.spend import DailySpend
async def main():
    spend, won = DailySpend(pathlib.Path({str(file)!r}), 1.0, utc_now), 0
    for _ in range(10):
        try:
            await spend.reserve(0.1)
        except BudgetSpent:
            break
        won += 1
    print(won)
asyncio.run(main())
"""
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [(await process.communicate())[0] for process in processes]

    assert sum(int(output) for output in outputs) == 10


async def test_it_survives_a_restart_and_begins_anew_at_midnight_utc(file: Path) -> None:
    calendar = Calendar()
    await DailySpend(file, 1.0, calendar).reserve(0.9)
    restarted = DailySpend(file, 1.0, calendar)
    with pytest.raises(BudgetSpent):
        await restarted.reserve(0.2)

    calendar.now += timedelta(hours=1)

    await restarted.reserve(0.2)
    assert await restarted.spent_usd() == 0.2


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b'{"date": 1, "usd": 2}', b"\xff", b'{"date": "2026-11-20"}']
)
async def test_a_broken_file_counts_as_a_day_that_is_spent_and_is_kept_aside(file: Path, content: bytes) -> None:
    calendar = Calendar()
    file.parent.mkdir()
    file.write_bytes(content)
    spend = DailySpend(file, 1.0, calendar)

    with pytest.raises(BudgetSpent):
        await spend.reserve(0.005)
    with pytest.raises(BudgetSpent):
        await DailySpend(file, 1.0, calendar).reserve(0.005)
    assert file.with_suffix(".corrupt").read_bytes() == content
    calendar.now += timedelta(hours=1)
    await spend.reserve(0.005)


async def test_a_place_that_cannot_be_written_spends_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a directory should be")

    with pytest.raises(BudgetSpent, match="cannot be read or written"):
        await DailySpend(tmp_path / "taken" / "spend.json", 1.0, Calendar()).reserve(0.005)


async def test_a_cancelled_reservation_counts_at_most_once(file: Path) -> None:
    spend = DailySpend(file, 1.0, Calendar())
    task = asyncio.create_task(spend.reserve(0.3))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.sleep(0.02)
    assert await spend.spent_usd() in (0.0, 0.3)
