"""Saves settings in a process that is killed at a random moment, again and again, and counts what was lost.

Run as a script with a database's file and the number of kills; prints how many saves were said to have been made,
and how many of those the database does not have. Forks from one thread, with everything imported.
"""

import asyncio
import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing

from bot.store.answers import AnswerStore
from bot.store.database import Database
from bot.store.guilds import SqlGuildStore

AT_ONCE = 8
"""Servers whose admins save at the same time."""
LONGEST_S = 0.05


async def save_until_killed(file: str, said: int) -> None:
    """Save as fast as it can; ``guild version`` is written to ``said`` after each save has returned."""

    async def save_again_and_again(guilds: SqlGuildStore, guild_id: int) -> None:
        known = await guilds.get(guild_id)
        while True:
            changed = known.settings.changed(limit=1 + known.settings.limit % 25)
            known = await guilds.save(guild_id, changed, expected_version=known.version, actor_id=7, action="set")
            os.write(said, f"{guild_id} {known.version}\n".encode())

    async with (
        Database(f"sqlite+aiosqlite:///{file}") as database,
        AnswerStore(database) as answers,
        SqlGuildStore(database, answers) as guilds,
        asyncio.TaskGroup() as group,
    ):
        for number in range(AT_ONCE):
            group.create_task(save_again_and_again(guilds, number + 1))


def said_until_killed(file: str, after_s: float) -> list[tuple[int, int]]:
    """What one process said to have saved: guilds and versions, in order."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        asyncio.run(save_until_killed(file, write))
        os._exit(1)
    os.close(write)
    with os.fdopen(read) as lines:
        first = lines.readline()
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        rest = lines.readlines()
    os.waitpid(child, 0)
    return [(int(guild), int(version)) for guild, version in (line.split() for line in (first, *rest))]


def lost(file: str, said: dict[int, int]) -> int:
    """How many saves the database does not have, be it the settings or their line in the history."""
    with closing(sqlite3.connect(file)) as connection:
        kept = dict(connection.execute("SELECT guild_id, version FROM guild_settings").fetchall())
        history = "SELECT guild_id, count(DISTINCT version) FROM guild_changes GROUP BY guild_id"
        written_down = dict(connection.execute(history).fetchall())
    return sum(
        max(0, version - kept.get(guild, 0)) + abs(kept.get(guild, 0) - written_down.get(guild, 0))
        for guild, version in said.items()
    )


def main() -> None:
    file, kills = sys.argv[1], int(sys.argv[2])
    chance = random.Random(4)
    said: dict[int, int] = {}
    saves = missing = 0
    for _ in range(kills):
        returned = said_until_killed(file, chance.uniform(0.0, LONGEST_S))
        saves += len(returned)
        said.update(returned)
        missing += lost(file, said)
    print(saves, missing)


if __name__ == "__main__":
    main()
