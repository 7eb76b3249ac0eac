"""Many people at once: the same command again and again, so many in flight, and how long each took."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from sandbox.guilds import Channel, User
from sandbox.messages import Message

if TYPE_CHECKING:
    from sandbox.server import LocalDiscord


@dataclass(slots=True)
class LoadReport:
    """Seconds from typing to the acknowledgement and to the answer, in no order, and how many never came."""

    acknowledged_s: list[float] = field(default_factory=list)
    answered_s: list[float] = field(default_factory=list)
    unacknowledged: int = 0
    unanswered: int = 0


async def type_again_and_again(
    discord: LocalDiscord,
    people: Sequence[tuple[User, Channel]],
    line: str,
    *,
    times: int,
    in_flight: int,
    timeout_s: float = 20.0,
) -> LoadReport:
    """Type ``line`` so many times in all, by each person in turn, a new one as soon as one was answered.

    An answer is a message with buttons; what the bot shows before that does not count. This process collects its
    garbage before and after, not meanwhile: its own pauses would be taken for the bot's.
    """
    report = LoadReport()
    turns = count()

    async def keep_typing() -> None:
        while (turn := next(turns)) < times:
            user, channel = people[turn % len(people)]
            exchange = await discord.type_command(user, channel, line)
            try:
                await exchange.wait_message(timeout_s, _has_buttons)
                report.answered_s.append(discord.clock.monotonic() - exchange.created_at)
            except TimeoutError:
                report.unanswered += 1
            if exchange.acknowledged_after_s is None:
                report.unacknowledged += 1
            else:
                report.acknowledged_s.append(exchange.acknowledged_after_s)

    gc.collect()
    gc.disable()
    try:
        async with asyncio.TaskGroup() as typing:
            for _ in range(min(in_flight, times)):
                typing.create_task(keep_typing())
    finally:
        gc.enable()
    return report


def _has_buttons(message: Message) -> bool:
    return bool(message.components)
