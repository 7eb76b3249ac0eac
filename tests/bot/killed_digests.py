"""A bot that is killed again and again while it sends digests, and at last left alone until all is done.

Run as a script with a database's file, the addresses and the token of a local Discord, and a number of kills; reads
guild and channel ids, as JSON, from its input. Prints the end of each workflow, as JSON. Forks from one thread, with
everything imported.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from unittest.mock import patch

from agents.events import WORKFLOW_FINISHED, WORKFLOW_STARTED, WorkflowFinished, WorkflowStarted, utc_now
from agents.source import Source
from bot.app import Parts, assembled, delivering, load_cogs
from bot.client import SignalsBot
from bot.gateway import set_addresses
from bot.settings import Settings
from bot.subscription import Plan
from tests.bot.scene import FakeSource, found

WORKFLOWS = ("first", "second", "third")
ITEMS, LIMIT = 7, 3
"""So the third workflow shows one item."""
LONGEST_S = 0.8
"""Of a life after it is connected, when digests begin to be sent; some end while they start."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where everything is."""

    file: str
    api_url: str
    gateway_url: str
    token: str

    def settings(self) -> Settings:
        return Settings(
            _env_file=None,
            discord_token=self.token,
            discord_api_url=self.api_url,
            discord_gateway_url=self.gateway_url,
            database_url=f"sqlite+aiosqlite:///{self.file}",
            http_port=0,
        )


def sources(_settings: object) -> tuple[Source, ...]:
    source = FakeSource("reddit", "Reddit")
    source.outcome = found(ITEMS)
    return (source,)


async def subscribe(address: Address, places: Sequence[tuple[int, int]]) -> None:
    """Digests in all channels, and three workflows for them."""
    async with assembled(address.settings()) as parts:
        for guild_id, channel_id in places:
            await parts.subscriptions.add(
                guild_id,
                Plan(name=f"Digest {channel_id}", channel_id=channel_id, limit=LIMIT),
                utc_now() + timedelta(days=1),
                1,
            )


async def live(address: Address, said: int, *, to_the_end: bool) -> None:
    """``said`` is written to when digests are about to be sent."""
    set_addresses(address.api_url, address.gateway_url)
    async with assembled(address.settings()) as parts:
        bot = SignalsBot(lambda loading: load_cogs(loading, parts), text_commands=False)
        bot._connection.guild_ready_timeout = 0.01
        ending = asyncio.create_task(_end(parts))
        async with delivering(parts, bot), bot:
            for workflow_id in WORKFLOWS:
                await parts.bus.emit(WORKFLOW_STARTED, WorkflowStarted(workflow_id=workflow_id))
            connected = asyncio.create_task(bot.start(address.token))
            await asyncio.sleep(0)
            await bot.wait_until_ready()
            os.write(said, b"!")
            await ending if to_the_end else await asyncio.Event().wait()
            await bot.close()
            await connected


async def _end(parts: Parts) -> None:
    """Wait until every workflow has ended, in this life or before."""
    changed = asyncio.Event()

    async def on_workflow_finished(event: WorkflowFinished) -> None:
        changed.set()

    parts.bus.subscribe(WORKFLOW_FINISHED, on_workflow_finished)
    while await _unfinished(parts):
        await changed.wait()
        changed.clear()


async def _unfinished(parts: Parts) -> int:
    async with parts.database.reading(5) as connection:
        finished = "SELECT count(*) FROM workflows WHERE finished_at IS NOT NULL"
        return len(WORKFLOWS) - int((await connection.exec_driver_sql(finished)).scalar_one())


def forked(address: Address, *, to_the_end: bool) -> tuple[int, int]:
    """The process, and what can be read when it is about to send."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(live(address, write, to_the_end=to_the_end))
        except BaseException:  # noqa: BLE001 - a child must not go on as its parent
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(write)
    return child, read


def killed(address: Address, *, early_s: float | None, after_s: float) -> None:
    """One life, killed while it starts or while it sends."""
    child, read = forked(address, to_the_end=False)
    if early_s is None:
        os.read(read, 1)
        time.sleep(after_s)
    else:
        time.sleep(early_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)


def main() -> None:
    address, kills = Address(*sys.argv[1:5]), int(sys.argv[5])
    places = json.loads(sys.stdin.read())
    chance = random.Random(kills)
    with patch("agents.assembly.build_sources", sources):
        asyncio.run(subscribe(address, places))
        for number in range(kills):
            early_s = chance.uniform(0.0, 1.0) if number % 4 == 3 else None
            killed(address, early_s=early_s, after_s=chance.uniform(0.0, LONGEST_S))
        _, status = os.waitpid(forked(address, to_the_end=True)[0], 0)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
