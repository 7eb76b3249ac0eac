"""The life of a server's data: kept while the bot is there, deleted 30 days after it was removed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import discord
from discord.ext import commands

from agents import telemetry
from agents.events import utc_now
from bot.store.errors import StoreError
from bot.store.guilds import GuildStore
from bot.tasks import beside

PAUSE_S = 5.0
"""When the client is ready there is enough to do, and nothing depends on this."""
RETRY_S = 60.0
_log = telemetry.logger("bot.guilds")


class GuildsCog(commands.Cog, name="guilds"):
    """Tells the store which servers the bot is in.

    Soon after the client is ready, and again later when something could not be stored, all of them are compared:
    nobody tells what happened meanwhile. A server that is unavailable is one that the bot is in.
    """

    def __init__(
        self,
        bot: commands.Bot | commands.AutoShardedBot,
        store: GuildStore,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._bot = bot
        self._store = store
        self._now = now
        self._wanted = asyncio.Event()
        self._failed = False
        self._comparing: asyncio.Task[None] | None = None

    async def cog_load(self) -> None:
        """Begin."""
        self._comparing = beside(self._compare(), "compare-guilds")

    async def cog_unload(self) -> None:
        """End."""
        if self._comparing is not None:
            self._comparing.cancel()
            await asyncio.wait((self._comparing,))

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Every server is known now, at the start and after a new session."""
        self._want()

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was removed; not called for outages."""
        await self._keep(self._store.mark_removed(guild.id, self._now()))

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """The bot was added, for the first time or again."""
        await self._keep(self._store.unmark(guild.id))

    def _want(self) -> None:
        if getattr(self._bot, "shard_ids", None) is None:  # else other processes know the others
            self._wanted.set()

    async def _keep(self, change: Awaitable[None]) -> None:
        try:
            await change
        except StoreError as error:
            _log.warning("which servers the bot is in was not stored yet", error=str(error))
            self._failed = True
            self._want()

    async def _compare(self) -> None:
        while True:
            await self._wanted.wait()
            await self._bot.wait_until_ready()  # before, those whose turn is still to come would count as gone
            await asyncio.sleep(RETRY_S if self._failed else PAUSE_S)
            self._wanted.clear()
            self._failed = False
            await self._keep(self._store.reconcile([guild.id for guild in self._bot.guilds], self._now()))
