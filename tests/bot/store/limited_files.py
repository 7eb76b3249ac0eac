"""Saves and deletes while the system lets no file grow (EFBIG, as with a quota); prints what was said and is true.

Run as a script with a directory. The limit is the whole process's, so this needs one of its own.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path

from bot.guild_settings import DEFAULTS
from bot.store.answers import AnswerStore
from bot.store.database import Database
from bot.store.errors import StoreError
from bot.store.guilds import SqlGuildStore

LARGE = DEFAULTS.changed(muted=tuple(f"{number:050}" for number in range(100)))
GUILDS = range(1, 20)
ROOM_BYTES = 60_000


async def said(store: SqlGuildStore, guild: int) -> str:
    try:
        await store.save(guild, LARGE, expected_version=0, actor_id=7, action="set")
    except StoreError as error:
        return f"{type(error).__name__}: {error}"
    return "saved"


async def deleted(store: SqlGuildStore, guild: int) -> str:
    try:
        await store.delete_guild(guild)
    except StoreError as error:
        return f"{type(error).__name__}: {error}"
    return "deleted"


async def main(directory: Path) -> None:
    file = directory / "signals.db"
    async with (
        Database(f"sqlite+aiosqlite:///{file}", probe_pause_s=0.01) as database,
        AnswerStore(database, pause_s=60) as answers,
        SqlGuildStore(database, answers) as store,
    ):
        await said(store, 99)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        log_bytes = file.with_name("signals.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes + ROOM_BYTES, hard))
        told: dict[str, object] = {
            "saves": [await said(store, guild) for guild in GUILDS],
            "delete": await deleted(store, 99),
            "fault": database.fault,
        }
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        told["stored"] = [(await store.data_of(guild)).current.version for guild in (*GUILDS, 99)]
        told["known"] = [(await store.get(guild)).version for guild in (*GUILDS, 99)]
        async with asyncio.timeout(5):
            while database.fault is not None:
                await asyncio.sleep(0.01)
        told["afterwards"] = [await said(store, GUILDS[-1]), await deleted(store, 99)]
    print(json.dumps(told))  # noqa: T201 - what it is run for


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
