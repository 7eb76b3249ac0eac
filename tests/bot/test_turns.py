"""Bursts of interactions: each server in turn, the rest of the bot in between, and never too many."""

import asyncio
from typing import Any

import pytest

from bot import turns
from bot.turns import AT_ONCE, Turns


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
    begun = Begun()
    turn = Turns(begun)
    for round_ in range(3):
        for number in range(AT_ONCE):
            turn(of("a", round_ * AT_ONCE + number))
        assert len(begun.ids) == (round_ + 1) * AT_ONCE
        await asyncio.sleep(0)
    assert begun.ids == [f"a{number}" for number in range(3 * AT_ONCE)]


async def test_a_burst_of_one_server_is_no_delay_for_others_and_all_begin_in_their_order() -> None:
    begun = Begun()
    turn = Turns(begun)
    for number in range(100):
        turn(of("a", number))
    for number in range(3):
        turn(of("b", number))
    ids = await begun.all(103)
    assert [one for one in ids if one.startswith("b")] == ["b0", "b1", "b2"]
    assert ids.index("b0") <= AT_ONCE + 1
    assert ids.index("b2") <= AT_ONCE + 5
    assert [one for one in ids if one.startswith("a")] == [f"a{number}" for number in range(100)]


async def test_conversations_outside_of_servers_have_turns_of_their_own() -> None:
    begun = Begun()
    turn = Turns(begun)
    for number in range(50):
        turn({"channel_id": "7", "id": f"seven{number}"})
    turn({"channel_id": "8", "id": "eight"})
    assert (await begun.all(51)).index("eight") <= AT_ONCE + 1


async def test_everything_else_has_its_turn_in_between() -> None:
    begun = Begun()
    turn = Turns(begun)
    for number in range(100):
        turn(of("a", number))
    most = 0
    while len(begun.ids) < 100:
        before = len(begun.ids)
        await asyncio.sleep(0)
        most = max(most, len(begun.ids) - before)
    assert most == AT_ONCE


async def test_where_too_many_wait_the_oldest_of_the_longest_line_is_dropped_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(turns, "MOST_WAITING", 20)
    begun = Begun()
    turn = Turns(begun)
    for number in range(AT_ONCE + 18):
        turn(of("a", number))
    for number in range(5):
        turn(of("b", number))
    ids = await begun.all(AT_ONCE + 20)
    await asyncio.sleep(0)
    assert len([one for one in ids if one.startswith("b")]) == 5
    assert {f"a{number}" for number in range(AT_ONCE + 18)} - set(ids) == {f"a{AT_ONCE + n}" for n in range(3)}
    assert [vars(record)["dropped"] for record in caplog.records] == [3]
