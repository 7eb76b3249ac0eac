"""The process as an operator starts it: a token that is taken away ends it, and stopping amid digests is quick."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.digest_town import Town, town


@asynccontextmanager
async def sending(tmp_path: Path) -> AsyncIterator[Town]:
    """A bot amid sending digests to sixty channels."""
    async with town(tmp_path) as there:
        await there.settle(60, per_guild=20)
        await there.start()
        assert await there.post_event("one", sources=[{"name": "hackernews"}]) is not None
        await there.posted(5, timeout_s=30)
        yield there


async def test_a_token_that_is_taken_away_ends_the_process_with_the_line_that_names_it(tmp_path: Path) -> None:
    async with sending(tmp_path) as there:
        there.discord.reset_token()
        assert there.process is not None
        assert await asyncio.wait_for(there.process.wait(), 10) == 1
        assert "DISCORD_TOKEN: " in there.said().splitlines()[-1]


async def test_stopped_amid_sending_it_ends_with_status_0_and_the_next_start_sends_the_rest_once(
    tmp_path: Path,
) -> None:
    async with sending(tmp_path) as there:
        began = time.monotonic()
        status, _ = await there.end(signal.SIGTERM)
        assert (status, time.monotonic() - began < 10) == (0, True)
        assert len(there.seen.posted) < 60
        await there.start()
        ended = await there.ended(30)
    assert (ended.sent, ended.held, ended.failed) == (60, 0, 0)
    assert set(there.seen.times.values()) == {1}
    assert len(there.seen.times) == 60
    assert "Traceback" not in there.said()
