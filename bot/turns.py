"""Interactions of one server begin a few at a time, so that a burst of them holds up nobody else."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from agents import telemetry

AT_ONCE = 4
"""Begun for one server in one turn of the event loop; the others, and all that is under way, come in between."""
MOST_WAITING = 5_000
"""Of all servers together: more than can be answered within the 3 s that Discord grants."""
_log = telemetry.logger("bot.turns")


class Turns:
    """Hands interactions, as they came over the gateway, on to ``begin``, which must not raise.

    As long as few come, that is at once. Of a burst the rest waits in the server's line, in order, and ``AT_ONCE`` of
    each line begin in each turn of the event loop. Where more than ``MOST_WAITING`` wait, the one that has waited
    longest in the longest line is dropped, and that is logged.
    """

    def __init__(self, begin: Callable[[Any], Any]) -> None:
        self._begin = begin
        self._begun: dict[str, int] = {}
        """How many of each server in this turn of the loop."""
        self._lines: dict[str, deque[Any]] = {}
        """None is empty."""
        self._waiting = 0
        self._dropped = 0
        self._scheduled = False

    def __call__(self, data: Any) -> None:
        """An interaction has come."""
        name = _line_of(data)
        begun = self._begun.get(name, 0)
        if begun < AT_ONCE:
            self._begun[name] = begun + 1
            self._schedule()
            self._begin(data)
        else:
            self._lines.setdefault(name, deque()).append(data)
            self._waiting += 1
            if self._waiting > MOST_WAITING:
                self._drop_one()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._scheduled = False
        self._begun.clear()
        for name, line in tuple(self._lines.items()):
            self._begun[name] = min(AT_ONCE, len(line))
            for _ in range(self._begun[name]):
                self._begin(self._take(name))
        if self._begun:
            self._schedule()
        elif self._dropped:
            _log.warning("interactions dropped, too many at once", dropped=self._dropped)
            self._dropped = 0

    def _take(self, name: str) -> Any:
        line = self._lines[name]
        data = line.popleft()
        self._waiting -= 1
        if not line:
            del self._lines[name]
        return data

    def _drop_one(self) -> None:
        self._take(max(self._lines, key=lambda name: len(self._lines[name])))
        self._dropped += 1


def _line_of(data: Any) -> str:
    """The server, or where there is none the conversation."""
    return str(data.get("guild_id") or data.get("channel_id"))
