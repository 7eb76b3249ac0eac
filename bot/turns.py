"""Interactions begin a few at a time, those of different servers in turns."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from agents import telemetry

AT_ONCE = 4
"""Begun in one turn of the event loop; what else is to be done has its turn in between."""
MOST_WAITING = 5_000
"""Of all servers together: more than can be answered within the 3 s that Discord grants."""
_log = telemetry.logger("bot.turns")


class Turns:
    """Hands interactions, as they came over the gateway, on to ``begin``, which must not raise.

    As long as few come, that is at once and in order. In a burst each server has a line, and each line its turn: a
    thousand interactions of one server are a moment's delay for that one, and not for the others. Where more than
    ``MOST_WAITING`` wait, the one that has waited longest in the longest line is dropped, and that is logged.
    """

    def __init__(self, begin: Callable[[Any], Any]) -> None:
        self._begin = begin
        self._left = AT_ONCE
        """How many may begin in this turn of the loop; while any wait, none."""
        self._lines: OrderedDict[str, deque[Any]] = OrderedDict()
        """None is empty; the one served longest ago first."""
        self._waiting = 0
        self._dropped = 0
        self._scheduled = False

    def __call__(self, data: Any) -> None:
        """An interaction has come."""
        self._schedule()
        if self._left:
            self._left -= 1
            self._begin(data)
        else:
            self._lines.setdefault(_line_of(data), deque()).append(data)
            self._waiting += 1
            if self._waiting > MOST_WAITING:
                self._drop_one()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._scheduled = False
        self._left = AT_ONCE
        while self._lines and self._left:
            self._left -= 1
            name = next(iter(self._lines))
            self._lines.move_to_end(name)
            self._begin(self._take(name))
        if self._lines:
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
