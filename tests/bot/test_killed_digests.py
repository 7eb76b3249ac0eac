"""Killed, or told to end, at any instant while digests are sent, the bot goes on where it was: nothing is lost, and
nothing comes twice."""

import asyncio
import json
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

from sandbox.clock import Clock
from sandbox.guilds import Channel
from sandbox.server import LocalDiscord
from tests.bot.killed_digests import ITEMS, LIMIT, WORKFLOWS
from tests.bot.scene import found, text_of

KILLS = 10
CHANNELS = 60
TIMEOUT_S = 180
ENDS_WITHIN_S = 10.0


async def kill(local: LocalDiscord, file: Path, channels: list[Channel]) -> list[float]:
    """Let the bot be killed, and at last work to the end; how long it took whenever it was told to end."""
    arguments = [str(file), local.api_url, local.gateway_url, local.token, str(KILLS)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bot.killed_digests", *arguments, cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    places = json.dumps([(channel.guild_id, channel.id) for channel in channels])
    try:
        async with asyncio.timeout(TIMEOUT_S):
            printed, problems = await process.communicate(places.encode())
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, problems.decode()
    return [float(line) for line in printed.decode().splitlines()]


async def test_whenever_the_process_is_killed_every_item_is_posted_in_every_channel_once(tmp_path: Path) -> None:
    file = tmp_path / "signals.db"
    async with LocalDiscord(identify_interval_s=0, clock=Clock()) as local:
        guilds = [local.add_guild(f"Guild {number}", ["one", "two", "three"]) for number in range(CHANNELS // 3)]
        channels = [channel for guild in guilds for channel in guild.channels.values()]
        ended_s = await kill(local, file, channels)
        assert local.violations == []
    assert len(ended_s) == 3
    assert max(ended_s) < ENDS_WITHIN_S
    for channel in channels:
        messages = list(channel.messages.values())
        assert len(messages) == -(-ITEMS // LIMIT)
        read = "\n".join(text_of(message) for message in messages)
        assert Counter({signal.url: read.count(f"({signal.url})") for signal in found(ITEMS).signals}) == Counter(
            {signal.url: 1 for signal in found(ITEMS).signals}
        )
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        runs = Counter(state for (state,) in connection.execute("SELECT state FROM runs"))
        assert runs == {"sent": WORKFLOWS * CHANNELS}
        (parts,) = connection.execute("SELECT count(*) FROM parts WHERE state != 'sent'").fetchone()
        assert parts == 0
