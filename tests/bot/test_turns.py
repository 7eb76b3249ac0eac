"""Bursts of interactions: a few of each server at a time, the rest of the bot in between, and never too many."""

import asyncio
from typing import Any

import pytest

from bot import turns
from bot.turns import AT_ONCE, PERIOD_S, Turns


@pytest.fixture(autouse=True)
def a_turn_of_the_loop_is_a_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PERIOD_S", 0.0)


def of(guild: str, number: int) -> dict[str, Any]:
    return {"guild_id": guild, "id": f"{guild}{number}"}


class Begun:
    """Remembers what began."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def __call__(self, data: Any) -> None:
        self.ids.append(data["id"])

    async def all(self, count: int) -> list[str]:
        async with asyncio.timeout(1):
            while len(self.ids) < count:
                await asyncio.sleep(0)
        return self.ids


async def test_while_few_come_they_begin_at_once_and_in_order() -> None:
    begun, now = Begun(), 0.0
    turn = Turns(begun, monotonic=lambda: now)
    for round_ in range(3):
        now += 1
        for number in range(AT_ONCE):
            turn(of("a", round_ * AT_ONCE + number))
        assert len(begun.ids) == (round_ + 1) * AT_ONCE
    assert begun.ids == [f"a{number}" for number in range(3 * AT_ONCE)]


async def test_in_a_burst_of_one_server_those_of_others_begin_at_once() -> None:
    begun = Begun()
    turn = Turns(begun, monotonic=lambda: 1.0)
    for number in range(100):
        turn(of("a", number))
    for number in range(AT_ONCE):
        turn(of("b", number))
    turn({"channel_id": "7", "id": "private"})
    assert begun.ids[AT_ONCE:] == [*(f"b{number}" for number in range(AT_ONCE)), "private"]
    ids = await begun.all(100 + AT_ONCE + 1)
    assert [one for one in ids if one.startswith("a")] == [f"a{number}" for number in range(100)]


async def test_lines_move_on_together_and_everything_else_has_its_turn_in_between() -> None:
    begun = Begun()
    turn = Turns(begun, monotonic=lambda: 1.0)
    for guild in ("a", "b"):
        for number in range(100):
            turn(of(guild, number))
    while len(begun.ids) < 200:
        before = len(begun.ids)
        await asyncio.sleep(0)
        just_begun = begun.ids[before:]
        assert len(just_begun) <= 2 * AT_ONCE
        assert len([one for one in just_begun if one.startswith("a")]) * 2 == len(just_begun)


def test_a_thousand_of_one_server_begin_in_time_to_be_told() -> None:
    assert 1000 / AT_ONCE * PERIOD_S < turns.WORTH_BEGINNING_S


async def test_whoever_comes_while_a_line_waits_stands_behind_it() -> None:
    begun = Begun()
    turn = Turns(begun, monotonic=lambda: 1.0)
    for number in range(AT_ONCE + 1):
        turn(of("a", number))
    await asyncio.sleep(0)
    for number in range(AT_ONCE + 1, 2 * AT_ONCE + 1):
        turn(of("a", number))
    assert await begun.all(2 * AT_ONCE + 1) == [f"a{number}" for number in range(2 * AT_ONCE + 1)]


async def test_what_has_waited_too_long_is_dropped_and_the_number_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(turns, "PERIOD_S", 0.02)
    monkeypatch.setattr(turns, "WORTH_BEGINNING_S", 0.01)
    begun = Begun()
    turn = Turns(begun)
    for number in range(AT_ONCE + 7):
        turn(of("a", number))
    asyncio.get_running_loop().call_later(0.015, turn, of("a", 99))
    assert (await begun.all(AT_ONCE + 1))[AT_ONCE:] == ["a99"]
    await asyncio.sleep(0.03)
    assert [vars(record)["dropped"] for record in caplog.records] == [7]


async def test_where_too_many_wait_the_first_of_the_longest_line_is_dropped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(turns, "MOST_WAITING", 20)
    begun = Begun()
    turn = Turns(begun, monotonic=lambda: 1.0)
    for number in range(AT_ONCE + 18):
        turn(of("a", number))
    for number in range(AT_ONCE + 5):
        turn(of("b", number))
    ids = await begun.all(2 * AT_ONCE + 20)
    await asyncio.sleep(0.001)
    assert len([one for one in ids if one.startswith("b")]) == AT_ONCE + 5
    assert {f"a{number}" for number in range(AT_ONCE + 18)} - set(ids) == {f"a{AT_ONCE + n}" for n in range(3)}
    assert [vars(record)["dropped"] for record in caplog.records] == [3]
