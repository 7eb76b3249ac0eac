"""Digests through a Discord that fails in every way that it does: none is lost, and none is there twice."""

from collections import Counter

from benchmarks.digest_town import DidNotWork, once, town
from benchmarks.figure import Measured, Size
from sandbox.faults import Fault

NAME = "digest-faults"
_CHANNELS = {Size.FULL: 1000, Size.TINY: 8}
_PER_GUILD = 5
_TIMEOUT_S = 400.0
_MIX = (
    ("status", 0.05, 503),
    ("status_after", 0.05, 502),
    ("drop_after", 0.05, None),
    ("hang", 0.02, None),
    ("rate_limit", 0.05, None),
    ("truncate", 0.01, None),
)
"""What goes wrong with how many of the requests that make messages; see ``sandbox.faults.FaultKind``."""


async def measure(size: Size) -> list[Measured]:
    """One event, and time until every workflow has ended; each request meets each fault with its own chance."""
    expected = _CHANNELS[size]
    async with town() as there:
        for kind, chance, status in _MIX:
            if kind == "hang" and size is Size.TINY:
                continue  # one would take half a minute
            there.discord.faults.add(
                Fault(kind, "/messages$", "POST", count=None, probability=chance, status=status, retry_after_s=0.3)
            )
        await there.settle(expected, _PER_GUILD)
        await there.start()
        began = there.discord.clock.monotonic()
        if await there.post_event("only", sources=[{"name": "hackernews"}]) is None:
            raise DidNotWork("POST /events was not answered")
        await there.posted(expected, _TIMEOUT_S)
        took_s = there.discord.clock.monotonic() - began
        ended = await there.ended(_TIMEOUT_S)
        struck: Counter[str] = Counter()
        for fault in there.discord.faults:
            struck[str(fault.kind)] += fault.struck
        told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in struck.items())
        times = there.seen.times
    return [
        Measured(
            f"digest-faults: there exactly once, of {expected:,} through a mix of faults",
            once(times, expected),
            1,
            "",
            f"{told}; the last was there after {took_s:.0f} s",
            exactly=True,
        ),
        Measured(
            "digest-faults: digests that the outbox knows to be sent, of those",
            ended.sent / expected,
            1,
            "",
            f"{ended.failed} failed, {ended.held} held",
            exactly=True,
        ),
    ]
