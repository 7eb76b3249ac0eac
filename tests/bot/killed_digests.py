"""A bot that is killed again and again while it sends digests, now and then told to end, at last left alone.

Run as a script with a database's file, the addresses and the token of a local Discord, and a number of kills; reads
guild and channel ids, as JSON, from its input. Prints how long each process took that was told to end; fails when one
ended with anything but 0. Forks from one thread, with everything imported.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from agents.events import WorkflowStarted, utc_now
from agents.source import Source
from bot.app import assembled, run
from bot.client import SignalsBot
from bot.settings import Settings
from bot.store.outbox import Origin
from bot.subscription import Plan
from tests.bot.scene import FakeSource, found

WORKFLOWS = 3
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

    def unfinished(self) -> bool:
        with closing(sqlite3.connect(self.file)) as connection:
            finished = connection.execute("SELECT count(*) FROM workflows WHERE finished_at IS NOT NULL")
            return bool(finished.fetchone()[0] < WORKFLOWS)


def sources(_settings: object) -> tuple[Source, ...]:
    source = FakeSource("reddit", "Reddit")
    source.outcome = found(ITEMS)
    return (source,)


async def begin(address: Address, places: Sequence[tuple[int, int]]) -> None:
    """Digests in all channels, and workflows for them."""
    async with assembled(address.settings()) as parts:
        later = utc_now() + timedelta(days=1)
        for guild_id, channel_id in places:
            plan = Plan(name=f"Digest {channel_id}", channel_id=channel_id, limit=LIMIT)
            await parts.subscriptions.add(guild_id, plan, later, 1)
        for _ in range(WORKFLOWS):
            await parts.outbox.accept(WorkflowStarted(), Origin.COMMAND)


class Life:
    """A process of the bot, and what can be read once it is connected."""

    def __init__(self, address: Address) -> None:
        self._connected, write = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            try:
                with patch("bot.app.SignalsBot", lambda *given, **named: _bot(write, *given, **named)):
                    asyncio.run(run(address.settings()))
            except BaseException:  # noqa: BLE001 - a child must not go on as its parent
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.close(write)

    def connected(self) -> None:
        """Wait until then."""
        os.read(self._connected, 1)

    def kill(self) -> None:
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._connected)

    def end(self) -> None:
        """As an operator would; prints the seconds that it took."""
        began = time.monotonic()
        os.kill(self._process, signal.SIGTERM)
        _, status = os.waitpid(self._process, 0)
        os.close(self._connected)
        sys.stdout.write(f"{time.monotonic() - began:.2f}\n")
        if status:
            sys.exit(f"it ended with status {os.waitstatus_to_exitcode(status)}")


def _bot(said: int, *given: Any, **named: Any) -> SignalsBot:
    bot = SignalsBot(*given, **named)
    bot._connection.guild_ready_timeout = 0.01

    async def on_ready() -> None:
        os.write(said, b"!")

    bot.add_listener(on_ready)
    return bot


def main() -> None:
    address, kills = Address(*sys.argv[1:5]), int(sys.argv[5])
    places = json.loads(sys.stdin.read())
    chance = random.Random(kills)
    with patch("agents.assembly.build_sources", sources):
        asyncio.run(begin(address, places))
        for number in range(kills):
            life = Life(address)
            if number % 5 != 4:
                life.connected()
            time.sleep(chance.uniform(0.0, LONGEST_S))
            life.kill()
            if number % 5 == 0:
                told = Life(address)
                told.connected()
                time.sleep(chance.uniform(0.0, LONGEST_S))
                told.end()
        last = Life(address)
        last.connected()
        while address.unfinished():
            time.sleep(0.05)
        last.end()


if __name__ == "__main__":
    main()
