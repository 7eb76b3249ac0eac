"""Settings of many servers in little memory: compact text for all of them, models for those that are asked for."""

from collections import OrderedDict
from dataclasses import dataclass

from bot.guild_settings import DEFAULTS, GuildSettings, load
from bot.recent import Recent


@dataclass(frozen=True, slots=True)
class Versioned:
    """One server's settings as they were at a version."""

    settings: GuildSettings
    version: int
    """Grows with each change, and none is given twice; 0: nothing was set, or all of it was deleted since."""
    certain: bool = True
    """False: the database could not be asked, and these are the last known ones, or the defaults."""


NEVER_SET = Versioned(DEFAULTS, 0)


class SettingsMemory:
    """At most ``servers`` of them and ``size_bytes`` of text, of which ``ready`` are kept as models as well.

    A model takes about ten times the room of its text, and reading the text 15 µs. Forgets what was not used for
    longest, and then the database is asked again.
    """

    def __init__(self, *, servers: int = 20_000, size_bytes: int = 32 * 2**20, ready: int = 1000) -> None:
        self._ready: Recent[int, Versioned] = Recent(ready)
        self._texts: OrderedDict[int, tuple[int, bytes] | None] = OrderedDict()
        self._most = servers
        self._room_bytes = size_bytes

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, guild_id: int) -> Versioned | None:
        """What is known, or None when nothing is."""
        found = self._ready.get(guild_id)
        if found is None and guild_id in self._texts:
            kept = self._texts[guild_id]
            self._texts.move_to_end(guild_id)
            found = NEVER_SET if kept is None else Versioned(load(kept[1])[0], kept[0])
            self._ready.put(guild_id, found)
        return found

    def put(self, guild_id: int, known: Versioned) -> None:
        """Know these from now on; a server that never set anything takes next to nothing."""
        self.forget(guild_id)
        kept = None if known.version == 0 else (known.version, known.settings.dump().encode())
        self._texts[guild_id] = kept
        self._room_bytes -= _size(kept)
        while len(self._texts) > self._most or self._room_bytes < 0:
            self.forget(next(iter(self._texts)))
        if guild_id in self._texts:
            self._ready.put(guild_id, known if kept else NEVER_SET)

    def forget(self, guild_id: int) -> None:
        """Know nothing of it any more."""
        self._ready.forget(guild_id)
        if guild_id in self._texts:
            self._room_bytes += _size(self._texts.pop(guild_id))


def _size(kept: tuple[int, bytes] | None) -> int:
    return 0 if kept is None else len(kept[1])
