"""How long everybody else waits while a big feed is read and many signals are ranked."""

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from statistics import median

from agents.bus.memory import MemoryBus
from agents.events import SourceRequest, SourceStatus
from agents.ranking.rank import rank_off_loop
from agents.scout import SignalsScout
from agents.signal import Engagement, Signal, Timeframe
from benchmarks.figure import Measured, Size
from benchmarks.upstreams import scout_reading
from bot.app import keep_the_loop_responsive

NAME = "stalls"
LIMIT_MS = 25.0
ITEMS = 100
FEED_BYTES = 400_000
SIGNALS = 1000
_RUNS = {Size.FULL: 11, Size.TINY: 1}
_TICK_S = 0.001
_WORDS = [
    f"{beginning}{end}"
    for beginning in ("am", "bir", "ced", "dun", "el", "fjor")
    for end in ("a", "et", "ling", "or", "us")
]


async def measure(size: Size) -> list[Measured]:
    """Busy and idle in turns; the real source reads while signals are ranked, in a process set up as the bot's."""
    keep_the_loop_responsive()
    random_ = random.Random(7)
    more_ms, busy_ms, idle_ms = [], [], []
    runs = _RUNS[size]
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs + 1):
            (Path(folder) / f"{run}.xml").write_text(sample_feed(random_), encoding="utf-8")
        signals = [sample_signal(random_, number) for number in range(SIGNALS)]
        async with _served(Path(folder)) as address, scout_reading(MemoryBus(), feeds=(), address=address) as scout:
            await _work(scout, f"http://{address}/{runs}.xml", signals)  # starts what is started once
            for run in range(runs):
                busy_s, took_s = await longest_stall_s(_work(scout, f"http://{address}/{run}.xml", signals))
                idle_s, _ = await longest_stall_s(asyncio.sleep(took_s))
                more_ms.append((busy_s - idle_s) * 1000)
                busy_ms.append(busy_s * 1000)
                idle_ms.append(idle_s * 1000)
    figure = (
        f"longest stall of the loop while a {ITEMS}-item, {FEED_BYTES // 1000} kB feed is parsed "
        f"and {SIGNALS:,} signals are ranked, more than idle"
    )
    details = (
        f"{median(busy_ms):.1f} ms against {median(idle_ms):.1f} ms; "
        f"{runs} runs, the worst {max(more_ms):.1f} ms more"
    )
    return [Measured(figure, max(median(more_ms), 0.01), LIMIT_MS, "ms", details)]


async def _work(scout: SignalsScout, feed: str, signals: list[Signal]) -> None:
    reading = scout.discover_signals([SourceRequest(name="news", options={"feed": feed})])
    ranking = rank_off_loop(signals, query="amor dunling", timeframe=Timeframe.DAY, now=datetime.now(UTC), limit=10)
    found, ranked = await asyncio.gather(reading, ranking)
    assert found.reports[0].status is SourceStatus.OK, found.reports
    assert found.reports[0].count == ITEMS
    assert len(ranked.signals) == 10


async def longest_stall_s(work: Awaitable[object]) -> tuple[float, float]:
    """The longest that a task which wants to run every millisecond had to wait, and how long the work took."""
    longest_s = 0.0

    async def tick() -> None:
        nonlocal longest_s
        due = time.perf_counter() + _TICK_S
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.perf_counter()
            longest_s = max(longest_s, now - due)
            due = now + _TICK_S

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    started = time.perf_counter()
    await work
    took_s = time.perf_counter() - started
    await asyncio.sleep(2 * _TICK_S)  # a stall at the very end has its tick yet to come
    ticking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ticking
    return longest_s, took_s


@asynccontextmanager
async def _served(folder: Path) -> AsyncIterator[str]:
    """The folder over HTTP, by a process of its own so that serving does not stall this one; gives host:port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        yield f"127.0.0.1:{said.split(' port ')[1].split()[0]}"
    finally:
        process.terminate()
        await process.wait()


def sample_feed(random_: random.Random) -> str:
    """RSS as blogs send it: a title, a summary, and the whole text as HTML."""
    items = [_item(random_, number) for number in range(ITEMS)]
    head = '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel><title>Blog</title>\n'
    feed = f"{head}{''.join(items)}</channel></rss>"
    assert abs(len(feed.encode()) - FEED_BYTES) < FEED_BYTES / 20, len(feed)
    return feed


def _item(random_: random.Random, number: int) -> str:
    published = format_datetime(datetime.now(UTC) - timedelta(minutes=number))
    paragraphs = "".join(f"<p>{_text(random_, 60)} <a href='https://example.com/'>more</a></p>" for _ in range(9))
    return (
        f"<item><title>{_text(random_, 8)}</title><link>https://blog.example/{random_.getrandbits(64):x}</link>"
        f"<guid>{random_.getrandbits(64):x}</guid><pubDate>{published}</pubDate><author>{_text(random_, 2)}</author>"
        f"<description><![CDATA[{paragraphs}]]></description></item>\n"
    )


def sample_signal(random_: random.Random, number: int) -> Signal:
    source = ("reddit", "hackernews", "news")[number % 3]
    return Signal(
        id=f"{source}:{number}",
        source=source,
        title=_text(random_, 8),
        url=f"https://{random_.choice(_WORDS)}.example/{number * 7 // 8}",
        excerpt=_text(random_, 30),
        timestamp=datetime.now(UTC) - timedelta(minutes=random_.randrange(1400)),
        engagement=Engagement(points=random_.randrange(500), comments=random_.randrange(200)),
    )


def _text(random_: random.Random, words: int) -> str:
    return " ".join(random_.choices(_WORDS, k=words))
