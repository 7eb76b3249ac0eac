"""A task beside everything else does not end by a bug without a word."""

import asyncio
import logging

import pytest

from bot.tasks import beside


async def test_a_bug_that_ends_it_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def buggy() -> None:
        raise RuntimeError("a bug")

    task = beside(buggy(), "some-writer")
    await asyncio.wait((task,))
    await asyncio.sleep(0)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert vars(record)["task"] == "some-writer"


async def test_ending_well_or_by_cancellation_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    async def ends() -> None:
        pass

    cancelled, ended = beside(waits(), "cancelled"), beside(ends(), "ended")
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait((cancelled, ended))
    await asyncio.sleep(0)
    assert cancelled.cancelled()
    assert caplog.records == []
