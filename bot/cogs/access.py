"""Hears of everything that may change where the bot can post."""

import asyncio

import discord
from discord.ext import commands

from bot.delivery.reviving import Reviver


class AccessCog(commands.Cog, name="access"):
    """Has suspended digests of a server looked at when its channels, its roles or the bot's own roles changed.

    ``known`` is set once the client knows its servers.
    """

    def __init__(self, reviver: Reviver, known: asyncio.Event) -> None:
        self._reviver = reviver
        self._known = known

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Every server is known now; nobody tells what changed meanwhile."""
        self._known.set()
        self._reviver.look_at_all()

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """An outage ended."""
        self._reviver.look_at(guild.id)

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """The bot was added, perhaps again."""
        self._reviver.look_at(guild.id)

    @commands.Cog.listener()
    async def on_guild_channel_create(self, channel: discord.abc.GuildChannel) -> None:
        """A channel became visible, or new."""
        self._reviver.look_at(channel.guild.id)

    @commands.Cog.listener()
    async def on_guild_channel_update(self, _: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        """Its overwrites may have changed."""
        self._reviver.look_at(after.guild.id)

    @commands.Cog.listener()
    async def on_thread_join(self, thread: discord.Thread) -> None:
        """It became visible."""
        self._reviver.look_at(thread.guild.id)

    @commands.Cog.listener()
    async def on_thread_update(self, _: discord.Thread, after: discord.Thread) -> None:
        """It may have been unlocked."""
        self._reviver.look_at(after.guild.id)

    @commands.Cog.listener()
    async def on_guild_role_update(self, _: discord.Role, after: discord.Role) -> None:
        """Its permissions may have changed."""
        self._reviver.look_at(after.guild.id)

    @commands.Cog.listener()
    async def on_member_update(self, _: discord.Member, after: discord.Member) -> None:
        """Without a member cache only told of the bot itself: its roles may have changed."""
        self._reviver.look_at(after.guild.id)
