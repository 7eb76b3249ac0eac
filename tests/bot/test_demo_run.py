"""What the page tells the demo's bot about the time."""

import asyncio
import logging

import pytest

from bot.clock import MovableClock
from bot.demo_run import follow


async def test_each_line_moves_the_clock_and_what_is_no_number_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    clock, lines = MovableClock(), asyncio.StreamReader()
    sleeping = asyncio.create_task(clock.sleep(3600.0))
    await asyncio.sleep(0)
    lines.feed_data(b"1800.0\nsoon\n-5\n1800.0\n")
    lines.feed_eof()
    async with asyncio.timeout(2):
        await follow(lines, clock)
        await sleeping
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
