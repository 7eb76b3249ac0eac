"""Which servers the bot is in, kept in step with a store that is not always there."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
from discord.ext import commands

from bot.cogs.guilds import GuildsCog
from bot.store.errors import NotSaved
from bot.store.guilds import GuildStore
from tests.bot import samples
from tests.bot.scene import until


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.cogs.guilds.PAUSE_S", 0)
    monkeypatch.setattr("bot.cogs.guilds.RETRY_S", 0.01)


class Client:
    """In some servers, and ready when it is told to be."""

    def __init__(self, *guild_ids: int, shard_ids: list[int] | None = None) -> None:
        self.guilds = [SimpleNamespace(id=guild_id) for guild_id in guild_ids]
        self.shard_ids = shard_ids
        self.is_ready = asyncio.Event()

    async def wait_until_ready(self) -> None:
        await self.is_ready.wait()


class Failing:
    """How the store is away for some calls."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.present: list[set[int]] = []

    async def reconcile(self, present: Collection[int], at: object) -> None:
        self.present.append(set(present))
        self._fail()

    async def fail(self, *_: object) -> None:
        self._fail()

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise NotSaved("away")


@asynccontextmanager
async def running(client: Client, failing: Failing) -> AsyncIterator[GuildsCog]:
    store = create_autospec(GuildStore, instance=True)
    store.reconcile.side_effect = failing.reconcile
    store.mark_removed.side_effect = store.unmark.side_effect = failing.fail
    bot: Any = client
    cog = GuildsCog(bot, store, now=lambda: samples.NOON)
    await cog.cog_load()
    try:
        yield cog
    finally:
        await cog.cog_unload()


async def test_all_servers_are_compared_when_ready_and_until_it_is_stored() -> None:
    client, failing = Client(1, 2), Failing(2)
    client.is_ready.set()
    async with running(client, failing) as cog:
        await cog.on_ready()
        await until(lambda: len(failing.present) == 3)
        await asyncio.sleep(0.03)
    assert failing.present == [{1, 2}] * 3


async def test_a_removal_that_was_not_stored_is_found_out_later() -> None:
    client, failing = Client(1), Failing(1)
    client.is_ready.set()
    async with running(client, failing) as cog:
        guild: Any = SimpleNamespace(id=2)
        await cog.on_guild_remove(guild)
        await until(lambda: failing.present == [{1}])


async def test_nothing_is_compared_before_all_servers_are_known() -> None:
    client, failing = Client(1), Failing(1)
    async with running(client, failing) as cog:
        guild: Any = SimpleNamespace(id=1)
        await cog.on_guild_join(guild)
        await asyncio.sleep(0.03)
        assert failing.present == []
        client.guilds.append(SimpleNamespace(id=3))
        client.is_ready.set()
        await until(lambda: failing.present == [{1, 3}])


async def test_a_process_with_some_of_the_shards_judges_no_servers_of_others() -> None:
    client, failing = Client(1, shard_ids=[0]), Failing(0)
    client.is_ready.set()
    async with running(client, failing) as cog:
        await cog.on_ready()
        await asyncio.sleep(0.02)
    assert failing.present == []


async def test_it_ends_while_it_waits_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client, failing = Client(1), Failing(100)
    client.is_ready.set()
    async with running(client, failing) as cog:
        monkeypatch.setattr("bot.cogs.guilds.RETRY_S", 60)
        await cog.on_ready()
        await until(lambda: failing.present)
    assert len(failing.present) == 1


def test_it_is_a_cog_of_any_bot() -> None:
    assert issubclass(GuildsCog, commands.Cog)
