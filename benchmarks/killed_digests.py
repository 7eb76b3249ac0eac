"""A bot that is killed at random moments while it sends digests: none is lost, and none is there twice.

Its process is the real one each time. A workflow is started in each life, as strangers start it; when nobody
answered, the next life is sent the same event again. Some lives are killed while they start, some asked to stop.
"""

import asyncio
import random
import signal
from collections import Counter

from benchmarks.digest_town import DidNotWork, Town, once, share, town
from benchmarks.figure import Measured, Size

NAME = "killed-digests"
STOP_LIMIT_S = 10.0
_KILLS = {Size.FULL: 200, Size.TINY: 1}
_CHANNELS = {Size.FULL: 60, Size.TINY: 10}
_LONGEST_S = 2.0
"""Of a life after the first digest that it sent; with pauses for the nonce that is several dozen messages."""
_START_S = 4.0
"""In which a bot that is killed while it starts is killed."""
_TO_THE_END_S = 300.0


class _Lives:
    """Lives of one bot, one after the other."""

    def __init__(self, there: Town, chance: random.Random) -> None:
        self.there = there
        self.chance = chance
        self.workflows: set[str] = set()
        self.killed_meanwhile = 0
        """Lives that were killed while they sent."""
        self.stopped: list[tuple[int, float]] = []
        """Status, and seconds to the end, of those that were asked to stop."""
        self._unanswered: list[str] = []
        self._numbers = 0

    async def killed_while_it_starts(self) -> None:
        """Somewhere between the first import and the connection."""
        await self.there.start(wait=False)
        await asyncio.sleep(self.chance.uniform(0.0, _START_S))
        await self.there.end(signal.SIGKILL)

    async def ended_while_it_sends(self, number: signal.Signals) -> None:
        """Wait until it has sent something, and a moment longer."""
        await self.there.start()
        await self.post()
        before = len(self.there.seen.posted)
        await self.there.posted(before + 1, timeout_s=90.0)
        await asyncio.sleep(self.chance.uniform(0.0, _LONGEST_S))
        self.killed_meanwhile += number is signal.SIGKILL
        ended = await self.there.end(number)
        if number is not signal.SIGKILL:
            self.stopped.append(ended)

    async def post(self) -> None:
        """A new event, and those again that nobody answered for; whoever was killed meanwhile answers none."""
        self._numbers += 1
        for webhook_id in (*self._unanswered, f"event-{self._numbers}"):
            workflow_id = await self.there.post_event(webhook_id, sources=[{"name": "hackernews"}])
            if workflow_id is not None:
                self.workflows.add(workflow_id)
            elif webhook_id not in self._unanswered:
                self._unanswered.append(webhook_id)
            if workflow_id is not None and webhook_id in self._unanswered:
                self._unanswered.remove(webhook_id)

    async def posted_while_it_dies(self) -> None:
        """The event and the kill are under way together."""
        await self.there.start()
        posting = asyncio.create_task(self.post())
        await asyncio.sleep(self.chance.uniform(0.0, 0.05))
        await self.there.end(signal.SIGKILL)
        await posting


async def measure(size: Size) -> list[Measured]:
    """Four figures, over all lives and one more that is left alone until all is done."""
    kills = _KILLS[size]
    chance = random.Random(9)
    async with town() as there:
        await there.settle(_CHANNELS[size], when_empty=True)
        lives = _Lives(there, chance)
        for number in range(kills):
            await _life(lives, number)
        await there.start()
        await lives.post()
        ended = await there.ended(_TO_THE_END_S)
        integrity = there.integrity()
        expected = len(lives.workflows) * _CHANNELS[size]
        if not expected:
            raise DidNotWork(f"no workflow was accepted: {there.said()[-2000:]}")
        times, sent = there.seen.times, ended.sent
    lost, amid = expected - len(times), lives.killed_meanwhile
    twice = sum(1 for count in times.values() if count > 1)
    well = Counter(status == 0 and seconds < STOP_LIMIT_S for status, seconds in lives.stopped)
    figures = [
        Measured(
            f"killed-digests: there exactly once, over {kills} SIGKILLs, {amid} amid sending",
            once(times, expected),
            1,
            "",
            f"{lost} lost and {twice} twice of {expected:,}, by {len(lives.workflows)} workflows",
            exactly=True,
        ),
        Measured(
            "killed-digests: that the outbox knows to be sent, of those",
            share(sent, expected),
            1,
            "",
            f"{ended.held} held, {ended.failed} failed, {ended.empty} empty",
            exactly=True,
        ),
        Measured(
            "killed-digests: databases that are whole afterwards, of 1",
            float(integrity == "ok"),
            1,
            "",
            f"SQLite's integrity check: {integrity}",
            exactly=True,
        ),
    ]
    if lives.stopped:
        longest_s = max(seconds for _, seconds in lives.stopped)
        figures.append(
            Measured(
                f"killed-digests: lives that ended with status 0 within {STOP_LIMIT_S:g} s of SIGTERM amid sending",
                share(well[True], len(lives.stopped)),
                1,
                "",
                f"{len(lives.stopped)} of them, the longest {longest_s:.1f} s",
                exactly=True,
            )
        )
    return figures


async def _life(lives: _Lives, number: int) -> None:
    if number % 8 == 3:
        await lives.killed_while_it_starts()
    elif number % 8 == 5:
        await lives.posted_while_it_dies()
    else:
        await lives.ended_while_it_sends(signal.SIGKILL)
    if number % 10 == 7:
        await lives.ended_while_it_sends(signal.SIGTERM)
