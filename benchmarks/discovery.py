"""One search over ten slow sources: they must be asked at the same time, and ranking must cost next to nothing."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from statistics import median

from agents.bus.memory import MemoryBus
from agents.fetch.http import HttpFetch
from agents.fetch.request import Fetch
from agents.resilience.guard import ResilienceConfig, ScanGuard
from agents.scout import SignalsScout
from agents.signal import Engagement, Signal
from agents.source import Question, Scan, SourceSpec
from benchmarks.figure import TIMES, Measured, Size

NAME = "discover"
LIMIT = 1.10
SOURCES = 10
SOURCE_S = 0.200
SIGNALS_EACH = 10
_RUNS = {Size.FULL: 21, Size.TINY: 1}


async def measure(size: Size) -> list[Measured]:
    """The median over fresh questions, none of them cached.

    100 signals to be ranked each time: as many of each source as are asked for.
    """
    sources = [Slow(f"source{number}") for number in range(SOURCES)]
    took_s = []
    async with HttpFetch(user_agent="benchmark") as fetch:
        guard = ScanGuard(fetch, ResilienceConfig(), limits={})
        async with SignalsScout(MemoryBus(), sources, guard) as scout:
            for run in range(_RUNS[size]):
                started = time.perf_counter()
                found = await scout.discover_signals([source.spec.name for source in sources], query=f"run {run}")
                took_s.append(time.perf_counter() - started)
                assert len(found.signals) == 10
                assert all(report.count == SIGNALS_EACH for report in found.reports)
    figure = (
        f"discover over {SOURCES} sources that each take {SOURCE_S * 1000:.0f} ms, against {SOURCE_S * 1000:.0f} ms"
    )
    details = f"{median(took_s) * 1000:.1f} ms; {len(took_s)} runs, the slowest {max(took_s) * 1000:.1f} ms"
    return [Measured(figure, median(took_s) / SOURCE_S, LIMIT, TIMES, details)]


class Slow:
    """A source that needs its time and then has something to say."""

    def __init__(self, name: str) -> None:
        self.spec = SourceSpec(name=name, title=name, help="Slow")

    def unavailable(self) -> str | None:
        return None

    async def scan(self, question: Question, _fetch: Fetch) -> Scan:
        await asyncio.sleep(SOURCE_S)
        return Scan(tuple(self._signal(number) for number in range(SIGNALS_EACH)))

    def _signal(self, number: int) -> Signal:
        return Signal(
            id=f"{self.spec.name}:{number}",
            source=self.spec.name,
            title=f"Run report {number} of {self.spec.name} about topic {number * 7919 % 1000}",
            url=f"https://{self.spec.name}.example/{number}",
            timestamp=datetime.now(UTC) - timedelta(minutes=number),
            engagement=Engagement(points=number * 13 % 200, comments=number),
        )
