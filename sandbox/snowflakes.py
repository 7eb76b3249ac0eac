"""Identifiers as Discord makes them: 42 bits of milliseconds since 2015, then a counter.

https://discord.com/developers/docs/reference#snowflakes
"""

from __future__ import annotations

import re

from sandbox.clock import Clock

EPOCH_MS = 1_420_070_400_000
_SNOWFLAKE = re.compile(r"[0-9]{1,20}")


class Snowflakes:
    """Unique, increasing identifiers that carry the time at which they were given."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._guild_ms = int(clock.time() * 1000) - EPOCH_MS - 86_400_000

    def next(self) -> int:
        """An identifier of now, larger than every one before."""
        now = (int(self._clock.time() * 1000) - EPOCH_MS) << 22
        self._last = max(now, self._last + 1)
        return self._last

    def next_guild(self) -> int:
        """A guild's identifier; each a millisecond apart, so that consecutive guilds lie on consecutive shards."""
        self._guild_ms += 1
        return self._guild_ms << 22


def parse_snowflake(text: object) -> int | None:
    """The identifier in ``text``, or None where Discord would not take it for one."""
    if isinstance(text, bool):
        return None
    if isinstance(text, int):
        return text if text >= 0 else None
    if isinstance(text, str) and _SNOWFLAKE.fullmatch(text):
        return int(text)
    return None


def shard_of(guild_id: int | None, shard_count: int) -> int:
    """The shard that a guild's events go to; direct messages (None) go to shard 0."""
    return 0 if guild_id is None else (guild_id >> 22) % shard_count
