"""What browsers are owed: in order, once, within bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from sandbox.page.journal import Journal, Reader


async def taken(reader: Reader) -> list[dict[str, Any]]:
    """Everything that waits for the reader at present."""
    frames = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                frames.append(orjson.loads(await reader.next()))
        except TimeoutError:
            return frames


def kinds(frames: list[dict[str, Any]]) -> list[Any]:
    return [frame["seq"] if frame["kind"] == "change" else frame["kind"] for frame in frames]


async def test_a_new_reader_gets_everything_and_then_what_changes() -> None:
    journal, reader = Journal(), Reader()
    journal.add("message", text="before")
    journal.follow(reader, lambda: {"all": 1})
    journal.add("message", text="after")
    snapshot, change = await taken(reader)
    assert snapshot == {"kind": "snapshot", "epoch": journal.epoch, "seq": 1, "state": {"all": 1}}
    assert change == {"kind": "change", "seq": 2, "change": {"type": "message", "text": "after"}}


async def test_who_comes_back_gets_exactly_what_they_missed() -> None:
    journal, reader = Journal(), Reader()
    for number in range(5):
        journal.add("message", number=number)
    journal.follow(reader, dict, epoch=journal.epoch, seq=3)
    assert kinds(await taken(reader)) == ["resumed", 4, 5]


async def test_who_missed_nothing_gets_nothing() -> None:
    journal, reader = Journal(), Reader()
    journal.add("message")
    journal.follow(reader, dict, epoch=journal.epoch, seq=1)
    assert kinds(await taken(reader)) == ["resumed"]


@pytest.mark.parametrize(("epoch", "seq"), [("another", 5), (None, 5), ("", None), ("same", 99), ("same", 1)])
async def test_who_cannot_go_on_begins_anew(epoch: str | None, seq: int | None) -> None:
    journal, reader = Journal(frames_kept=3), Reader()
    for _ in range(6):
        journal.add("message")
    journal.follow(reader, dict, epoch=journal.epoch if epoch == "same" else epoch, seq=seq)
    assert kinds(await taken(reader)) == ["snapshot"]


async def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    journal, reader = Journal(bytes_kept=1_000), Reader()
    for _ in range(10):
        journal.add("message", text="x" * 400)
    journal.follow(reader, dict, epoch=journal.epoch, seq=9)
    assert kinds(await taken(reader)) == ["resumed", 10]
    early = Reader()
    journal.follow(early, dict, epoch=journal.epoch, seq=5)
    assert kinds(await taken(early)) == ["snapshot"]


async def test_a_slow_reader_is_cut_off_and_harms_nobody() -> None:
    journal, slow, quick = Journal(), Reader(limit=3), Reader()
    cut: list[bool] = []
    slow.on_overrun(lambda: cut.append(True))
    journal.follow(slow, dict)
    journal.follow(quick, dict)
    for _ in range(10):
        journal.add("message")
    assert cut == [True]
    assert slow.overrun
    assert kinds(await taken(quick)) == ["snapshot", *range(1, 11)]
    assert len(await taken(slow)) == 3


async def test_a_reader_that_left_is_told_no_more() -> None:
    journal, reader = Journal(), Reader()
    journal.follow(reader, dict)
    journal.leave(reader)
    journal.add("message")
    assert kinds(await taken(reader)) == ["snapshot"]
    assert journal.readers == 0
