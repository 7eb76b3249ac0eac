"""Interactions of one server begin a few at a time, so that a burst of them holds up nobody else."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from agents import telemetry

AT_ONCE = 5
"""Begun for one server in each ``PERIOD_S``: a thousand in a second, which is a third of what a processor can."""
PERIOD_S = 0.005
WORTH_BEGINNING_S = 1.5
"""Discord takes an answer for 3 s, and each takes a while to be told: who waits longer than this asks in vain."""
MOST_WAITING = 5_000
"""Of all servers together."""
_log = telemetry.logger("bot.turns")


class Turns:
    """Hands interactions, as they came over the gateway, on to ``begin``, which must not raise.

    As long as few come, that is at once. Of a burst the rest waits in the server's line, in order, and ``AT_ONCE`` of
    each line begin in each ``PERIOD_S``. What has waited too long is dropped, as is, where more than ``MOST_WAITING``
    wait, the first of the longest line: its people see that the bot did not respond. The number is logged.
    """

    def __init__(self, begin: Callable[[Any], Any], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._begin = begin
        self._monotonic = monotonic
        self._period_ends = 0.0
        self._begun: dict[str, int] = {}
        """How many of each server in this period."""
        self._lines: dict[str, deque[tuple[float, Any]]] = {}
        """When each came, and what; none is empty."""
        self._waiting = 0
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, data: Any) -> None:
        """An interaction has come."""
        name, now = _line_of(data), self._monotonic()
        if self._timer is None and now > self._period_ends:  # a timer only for those who wait: it wakes the loop
            self._begun.clear()
            self._period_ends = now + PERIOD_S
        begun = self._begun.get(name, 0)
        if begun < AT_ONCE:
            self._begun[name] = begun + 1
            self._begin(data)
        else:
            self._lines.setdefault(name, deque()).append((now, data))
            self._waiting += 1
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._next_period)
            if self._waiting > MOST_WAITING:
                self._take(max(self._lines, key=lambda name: len(self._lines[name])))
                self._dropped += 1

    def _next_period(self) -> None:
        self._begun.clear()
        self._timer = None
        if self._lines:
            self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._next_period)
            for name in tuple(self._lines):
                self._advance(name, self._monotonic() - WORTH_BEGINNING_S)
        elif self._dropped:
            _log.warning("interactions dropped, too many at once", dropped=self._dropped)
            self._dropped = 0

    def _advance(self, name: str, since: float) -> None:
        """Begin the next few of a line; those that came before ``since`` are none."""
        begun = 0
        while begun < AT_ONCE and name in self._lines:
            came_at, data = self._take(name)
            if came_at < since:
                self._dropped += 1
            else:
                begun += 1
                self._begin(data)
        self._begun[name] = begun

    def _take(self, name: str) -> tuple[float, Any]:
        line = self._lines[name]
        came_at, data = line.popleft()
        self._waiting -= 1
        if not line:
            del self._lines[name]
        return came_at, data


def _line_of(data: Any) -> str:
    """The server, or where there is none the conversation."""
    return str(data.get("guild_id") or data.get("channel_id"))
