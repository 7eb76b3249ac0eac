"""How long everybody else waits while ten thousand signals are ranked and merged."""

import asyncio
import random
from datetime import UTC, datetime
from statistics import median

from agents.ranking.rank import rank_off_loop
from agents.signal import Timeframe
from benchmarks.figure import Measured, Size
from benchmarks.stalls import LIMIT_MS, longest_stall_s, sample_signal
from bot.app import keep_the_loop_responsive

NAME = "ranking"
_RUNS = {Size.FULL: 11, Size.TINY: 1}
_SIGNALS = {Size.FULL: 10_000, Size.TINY: 200}


async def measure(size: Size) -> list[Measured]:
    """Busy and idle in turns, for equally long, in a process set up as the bot's."""
    keep_the_loop_responsive()
    random_ = random.Random(11)
    signals = [sample_signal(random_, number) for number in range(_SIGNALS[size])]
    now = datetime.now(UTC)
    more_ms, busy_ms, idle_ms, took = [], [], [], []
    for run in range(_RUNS[size] + 1):
        ranking = rank_off_loop(signals, query="amor dunling", timeframe=Timeframe.DAY, now=now, limit=100)
        busy_s, took_s = await longest_stall_s(ranking)
        idle_s, _ = await longest_stall_s(asyncio.sleep(took_s))
        if run:  # the first loads what is loaded once
            more_ms.append((busy_s - idle_s) * 1000)
            busy_ms.append(busy_s * 1000)
            idle_ms.append(idle_s * 1000)
            took.append(took_s)
    figure = f"longest stall of the loop while {len(signals):,} signals are ranked and merged, more than idle"
    details = (
        f"{median(busy_ms):.1f} ms against {median(idle_ms):.1f} ms; {len(took)} runs of {median(took):.2f} s, "
        f"the worst {max(more_ms):.1f} ms more"
    )
    return [Measured(figure, max(median(more_ms), 0.01), LIMIT_MS, "ms", details)]
