"""Thousands of digests at once: begun together, written and marked in batches, none of it slower than sending is."""

import asyncio
import time
from pathlib import Path

from agents.events import WorkflowStarted
from bot.store.outbox import Origin
from bot.store.rows import subscription_row
from bot.store.schema import SUBSCRIPTIONS
from bot.subscription import State, Subscription
from tests.bot.store.digest_store import NOON, Clock, Life, plan, rendered, sqlite

MANY = 2500


async def subscribe(life: Life, count: int) -> None:
    """One digest in each of many servers."""
    rows = [
        subscription_row(
            Subscription(f"{number:016x}", number, plan(channel_id=number), 1, State.ACTIVE, NOON, None, 0, ""), 1
        )
        for number in range(1, count + 1)
    ]
    async with life.database.writing() as connection:
        await connection.execute(SUBSCRIPTIONS.insert(), rows)


async def test_thousands_of_runs_are_begun_at_once_and_sent_faster_than_discord_takes_them(tmp_path: Path) -> None:
    async with sqlite(tmp_path, Clock())() as life:
        await subscribe(life, MANY)
        event = WorkflowStarted()
        await life.outbox.accept(event, Origin.AGENT)
        began = time.perf_counter()
        assert await life.outbox.begin(event.workflow_id) == MANY
        assert time.perf_counter() - began < 1.0
        runs = await life.outbox.asking(MANY + 1)
        assert len(runs) == MANY
        began = time.perf_counter()
        await asyncio.gather(
            *(life.outbox.write([rendered(run) for run in runs[start : start + 50]]) for start in range(0, MANY, 50))
        )
        assert time.perf_counter() - began < MANY / 50
        began = time.perf_counter()
        sent = 0
        for _ in range(20):
            parts = await life.outbox.claim(NOON, 16, ())
            await asyncio.gather(*(life.outbox.sent({(part.run_id, part.number): 1}, NOON) for part in parts))
            sent += len(parts)
        assert sent > 300
        assert time.perf_counter() - began < sent / 50, "the store must not be what Discord waits for"
