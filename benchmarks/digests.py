"""2,500 channels get their digests after one event, paced by Discord's limit; commands go on meanwhile."""

import asyncio
import gc

from benchmarks.digest_town import DidNotWork, Town, once, percentile, share, town
from benchmarks.figure import TIMES, Measured, Ratios, Size

NAME = "digests"
FAN_OUT_LIMIT_S, ACKNOWLEDGED_LIMIT = 55.0, 3.0
A_SECOND = 20
"""Commands typed beside the digests, and without them."""
NOT_ACKNOWLEDGED_S = 3.0
_CHANNELS = {Size.FULL: 2500, Size.TINY: 6}
_PER_GUILD = 5
_BATCHES = {Size.FULL: 3, Size.TINY: 1}
_BATCH_S = {Size.FULL: 12.0, Size.TINY: 0.5}
_SOURCES = ("reddit", "hackernews")
_OTHER = ("news",)
"""Asked by the second workflow, so that there is something new again."""


async def measure(size: Size) -> list[Measured]:
    """Five figures of one bot's life; the local Discord and the upstreams are in this process."""
    async with town() as there:
        await there.settle(_CHANNELS[size], _PER_GUILD)
        await there.start()
        while not there.discord.commands.all():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        gc.collect()
        gc.disable()  # its pauses would be taken for the bot's
        try:
            return [*await _fan_out(there, size), await _beside(there, size)]
        finally:
            gc.enable()


async def _fan_out(there: Town, size: Size) -> list[Measured]:
    expected = _CHANNELS[size]
    began = there.discord.clock.monotonic()
    if await there.post_event("first", sources=[{"name": name} for name in _SOURCES]) is None:
        raise DidNotWork("POST /events was not answered")
    accepted_s = there.discord.clock.monotonic() - began
    await there.posted(expected, timeout_s=4 * FAN_OUT_LIMIT_S)
    if not there.seen.posted:
        raise DidNotWork(f"nothing was posted: {there.said()[-2000:]}")
    first_s, last_s = (there.seen.posted[place][0] - began for place in (0, -1))
    details = (
        f"accepted after {accepted_s:.2f} s, the first after {first_s:.2f} s, then {expected / last_s:.1f} a second"
    )
    statuses, asked = there.seen.statuses, there.upstreams.behaviours
    requests = sum(statuses.values())
    broken = len(there.discord.violations)
    fetches = {name: asked[name].asked for name in _SOURCES}
    return [
        Measured(f"digests: {expected:,} channels after one event", last_s, FAN_OUT_LIMIT_S, "s", details),
        Measured(
            "digests: requests that were answered with 200, of all that made messages",
            share(statuses[200], requests + broken),
            1,
            "",
            f"{statuses[429]} answers of 429, {broken} broken rules, {requests:,} requests",
            exactly=True,
        ),
        Measured(
            f"digests: there exactly once, of {expected:,}",
            once(there.seen.times, expected),
            1,
            "",
            f"{sum(there.seen.times.values()):,} messages",
            exactly=True,
        ),
        Measured(
            f"digests: upstream fetches of any one address for {expected:,} digests that ask the same",
            max(max(times.values(), default=0) for times in fetches.values()),
            1,
            "",
            ", ".join(f"{name}: {len(times)} addresses" for name, times in fetches.items()),
            exactly=True,
        ),
    ]


async def _beside(there: Town, size: Size) -> Measured:
    """Commands in the first seconds of a fan-out and in its middle, against as many with nothing else to do."""
    batches, seconds = _BATCHES[size], _BATCH_S[size]
    alone = [await _typed(there, seconds) for _ in range(batches)]
    if await there.post_event("second", sources=[{"name": name} for name in _OTHER]) is None:
        raise DidNotWork("POST /events was not answered")
    before = len(there.seen.posted)
    beside = [await _typed(there, seconds) for _ in range(batches)]
    posted = len(there.seen.posted) - before
    ratios = Ratios([percentile(one, 0.99) for one in beside], [percentile(one, 0.99) for one in alone])
    worst = max(max(one) for one in beside)
    figure = "digests: /signals acknowledged during the fan-out, p99, against the same without it"
    details = f"{ratios.details(1000, 'ms')}; the longest {worst * 1000:.0f} ms; {posted} digests meanwhile"
    return Measured(figure, ratios.median, ACKNOWLEDGED_LIMIT, TIMES, details)


async def _typed(there: Town, seconds: float) -> list[float]:
    """Type a command at a steady pace, each by another person; how long each waited for its acknowledgement."""
    loop = asyncio.get_running_loop()
    began, exchanges = loop.time(), []
    for number in range(max(1, round(seconds * A_SECOND))):
        user, channel = there.people[number % len(there.people)]
        exchanges.append(await there.discord.type_command(user, channel, "/signals hackernews"))
        await asyncio.sleep(max(0.0, began + (number + 1) / A_SECOND - loop.time()))
    for exchange in exchanges:
        await exchange.wait_acknowledged(NOT_ACKNOWLEDGED_S)
    return [exchange.acknowledged_after_s or NOT_ACKNOWLEDGED_S for exchange in exchanges]
