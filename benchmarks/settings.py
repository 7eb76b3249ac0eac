"""Settings of servers: reading them on the command path, saving them, and the memory that they take."""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from agents.signal import Timeframe
from benchmarks.figure import Measured, Ratios, Size
from bot.guild_settings import Feed, GuildSettings
from bot.store.answers import AnswerStore
from bot.store.database import Database
from bot.store.guilds import SqlGuildStore

NAME = "settings"
READ_LIMIT, SAVE_LIMIT_MS, MEMORY_LIMIT_MB = 20.0, 2.0, 30.0
ADMINS = 16
"""Who save at the same time, each in a server of their own."""
_PAIRS = {Size.FULL: 41, Size.TINY: 2}
_READ_SERVERS = {Size.FULL: 1000, Size.TINY: 20}
_SAVES = {Size.FULL: 3000, Size.TINY: 32}
_KILLS = {Size.FULL: 100, Size.TINY: 2}
_SERVERS = {Size.FULL: 10_000, Size.TINY: 500}


def sample(number: int) -> GuildSettings:
    """What a server that cares has set; strings differ from server to server."""
    return GuildSettings(
        sources=("reddit", "news", "hackernews"),
        timeframe=Timeframe.WEEK,
        limit=5 + number % 20,
        min_score=0.2,
        subreddits=tuple(f"sub{number}_{index}" for index in range(3)),
        feeds=tuple(
            Feed(url=f"https://feeds{number}.example.org/{index}/rss.xml", title=f"Feed {number} {index}")
            for index in range(3)
        ),
        raised=tuple(f"raised {number} {index}" for index in range(5)),
        muted=tuple(f"muted {number} {index}" for index in range(5)),
        time_zone="Europe/Berlin",
        log_channel_id=1_000_000_000_000_000_000 + number,
        ask_channel_ids=(1_100_000_000_000_000_000 + number,),
    )


@asynccontextmanager
async def opened(directory: str) -> AsyncIterator[SqlGuildStore]:
    async with (
        Database(f"sqlite+aiosqlite:///{directory}/signals.db") as database,
        AnswerStore(database) as answers,
        SqlGuildStore(database, answers) as guilds,
    ):
        yield guilds


async def measure(size: Size) -> list[Measured]:
    """Four figures; the database is a file in the system's temporary directory."""
    with tempfile.TemporaryDirectory() as directory:
        read = await _reading(size, directory)
    with tempfile.TemporaryDirectory() as directory:
        saved = await _saving(size, directory)
    return [read, saved, await _killed(size), await _remembered(size)]


async def _reading(size: Size, directory: str) -> Measured:
    async with opened(directory) as guilds:
        ids = [81384788765712384 + number for number in range(_READ_SERVERS[size])]
        await _set_up(guilds, ids)
        plain = {guild_id: guilds.peek(guild_id) for guild_id in ids}
        random.Random(4).shuffle(ids)
        ours, reference = [], []
        for _ in range(_PAIRS[size]):
            ours.append(_per_read_s(guilds.peek, ids))
            reference.append(_per_read_s(plain.__getitem__, ids))
    ratios = Ratios(ours, reference)
    figure = "settings: read on the command path, against a dictionary look-up"
    return Measured(figure, ratios.median, READ_LIMIT, "\u00d7", ratios.details(1e9, "ns"))


def _per_read_s(read: Callable[[int], object], ids: Sequence[int]) -> float:
    started = time.perf_counter()
    for guild_id in ids:
        read(guild_id)
    return (time.perf_counter() - started) / len(ids)


async def _saving(size: Size, directory: str) -> Measured:
    async with opened(directory) as guilds:
        together_s = await _save(guilds, ADMINS, _SAVES[size])
        alone_s = await _save(guilds, 1, _SAVES[size] // 10)
    figure = "settings: a save with its line in the history, 500 a second or more"
    details = f"{1 / together_s:.0f} a second by {ADMINS} admins at once, {1 / alone_s:.0f} by one after the other"
    return Measured(figure, together_s * 1000, SAVE_LIMIT_MS, "ms", details)


async def _save(guilds: SqlGuildStore, admins: int, saves: int) -> float:
    """Seconds per save."""

    async def save_on(guild_id: int, times: int) -> None:
        known = await guilds.get(guild_id)
        for _ in range(times):
            changed = known.settings.changed(limit=1 + known.settings.limit % 25)
            known = await guilds.save(guild_id, changed, expected_version=known.version, actor_id=7, action="set")

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(admins):
            group.create_task(save_on(number + 1, saves // admins))
    return (time.perf_counter() - started) / (saves // admins * admins)


async def _killed(size: Size) -> Measured:
    with tempfile.TemporaryDirectory() as directory:
        said = await _output("benchmarks.killed_saves", f"{directory}/signals.db", str(_KILLS[size]))
    saves, lost = map(int, said.split())
    figure = f"settings: saves that are there, of those that had returned before one of {_KILLS[size]} SIGKILLs"
    return Measured(figure, (saves - lost) / saves, 1, "", f"{lost} lost of {saves}", exactly=True)


async def _remembered(size: Size) -> Measured:
    """Both processes know as many servers; in one of them none has set anything."""
    servers = _SERVERS[size]
    with tempfile.TemporaryDirectory() as directory:
        async with opened(directory) as guilds:
            await _set_up(guilds, range(1, servers + 1))
        with_settings = int(await _output("benchmarks.settings", directory, str(servers)))
    with tempfile.TemporaryDirectory() as directory:
        without = int(await _output("benchmarks.settings", directory, str(servers)))
    figure = f"settings: memory for {servers:,} servers with settings, above the same with none"
    body = len(sample(1).dump())
    details = f"{with_settings / 2**20:.0f} MB against {without / 2**20:.0f} MB, each server's settings {body} bytes"
    return Measured(figure, (with_settings - without) / 2**20, MEMORY_LIMIT_MB, "MB", details)


async def _set_up(guilds: SqlGuildStore, ids: Sequence[int]) -> None:
    for first in range(0, len(ids), 500):
        saves = [
            guilds.save(guild_id, sample(number), expected_version=0, actor_id=7, action="set")
            for number, guild_id in enumerate(ids[first : first + 500], first)
        ]
        await asyncio.gather(*saves)


async def _output(module: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module} ended with status {process.returncode}")
    return output.decode()


async def resident_bytes_with(directory: str, servers: int) -> int:
    """What this process takes once it knows that many servers, each asked for on a command's path."""
    async with opened(directory) as guilds:
        for guild_id in range(1, servers + 1):
            await guilds.get(guild_id)
            guilds.peek(guild_id)
        return _resident_bytes()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


if __name__ == "__main__":
    print(asyncio.run(resident_bytes_with(sys.argv[1], int(sys.argv[2]))))
