"""The state that a local Discord holds: users, servers, direct messages and what was posted in them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable

from sandbox import permissions, wire
from sandbox.clock import Clock
from sandbox.errors import refusal
from sandbox.guilds import Announce, Channel, ChannelKind, Guild, User
from sandbox.messages import Attachment, Message
from sandbox.snowflakes import Snowflakes

FILES_KEPT = 64
"""Uploaded files that can still be fetched; the oldest go first."""


class World:
    """Users, servers and channels by id. Knows no transport; ``announce`` carries changes to the gateway."""

    def __init__(self, clock: Clock, bot: User, snowflakes: Snowflakes, announce: Announce) -> None:
        self.clock = clock
        self.snowflakes = snowflakes
        self.bot = bot
        self.users: dict[int, User] = {bot.id: bot}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.installed_for: set[int] = set()
        self._dms: dict[int, Channel] = {}
        self._files: OrderedDict[str, Attachment] = OrderedDict()
        self._announce = announce

    def add_user(self, name: str, *, is_bot: bool = False) -> User:
        """A new account."""
        user = User(self.snowflakes.next(), name, is_bot)
        self.users[user.id] = user
        return user

    def add_guild(
        self,
        name: str,
        channels: Iterable[str] = ("general",),
        *,
        owner: User | None = None,
        with_bot: bool = True,
        bot_permissions: int | Collection[str] = 0,
    ) -> Guild:
        """A new server with text channels of these names; the bot joins unless ``with_bot`` is False."""
        guild = Guild(
            name,
            owner=owner or self.add_user(f"owner of {name}"),
            bot=self.bot,
            clock=self.clock,
            snowflakes=self.snowflakes,
            announce=self._announce,
            register=self._register,
            with_bot=with_bot,
            bot_permissions=bot_permissions,
        )
        # Its first channels come with GUILD_CREATE, not as events of their own.
        guild.available = False
        for channel in channels:
            guild.add_channel(channel)
        guild.available = True
        self.guilds[guild.id] = guild
        if with_bot:
            self._announce("GUILD_CREATE", wire.guild_create(guild, joined=True), guild.id)
        return guild

    def remove_guild(self, guild: Guild) -> None:
        """The bot is thrown out, or the server deleted."""
        if self.guilds.pop(guild.id, None) is None:
            return
        for channel in guild.channels.values():
            self.channels.pop(channel.id, None)
        if guild.with_bot:
            self._announce("GUILD_DELETE", {"id": str(guild.id)}, guild.id)

    def delete_channel(self, channel: Channel) -> None:
        """Delete the channel and everything in it."""
        if channel.guild is None:
            self._dms.pop(0 if channel.recipient is None else channel.recipient.id, None)
        else:
            gone = [c.id for c in channel.guild.channels.values() if c.parent_id == channel.id and c.is_thread]
            channel.guild.remove_channel(channel)
            for thread_id in gone:
                self.channels.pop(thread_id, None)
        self.channels.pop(channel.id, None)

    def dm(self, user: User) -> Channel:
        """The direct messages between the bot and the user; the same channel each time."""
        channel = self._dms.get(user.id)
        if channel is None:
            channel = Channel(self.snowflakes.next(), ChannelKind.DM, "", recipient=user)
            self._dms[user.id] = channel
            self._register(channel)
        return channel

    def dm_between(self, user: User, other: User) -> Channel:
        """Direct messages between two people, where only a user installation brings the bot."""
        channel = Channel(
            self.snowflakes.next(), ChannelKind.DM, "", recipient=other, owner_id=user.id, with_bot=False
        )
        self._register(channel)
        return channel

    def _register(self, channel: Channel) -> None:
        self.channels[channel.id] = channel

    def permissions_of(self, user_id: int, channel: Channel) -> int:
        """What the user may do in the channel."""
        if channel.guild is None:
            return permissions.DIRECT
        return permissions.in_channel(channel.guild, channel, user_id)

    def bot_channel(self, channel_id: int | None, needed: int = permissions.VIEW_CHANNEL) -> Channel:
        """The channel, if the bot sees it and may do ``needed`` there; otherwise 10003, 50001 or 50013."""
        channel = None if channel_id is None else self.channels.get(channel_id)
        if channel is None:
            raise refusal(10003)
        if not channel.with_bot:
            raise refusal(50001)
        if channel.guild is not None:
            if not channel.guild.with_bot or channel.guild.id not in self.guilds:
                raise refusal(50001)
            granted = permissions.in_channel(channel.guild, channel, self.bot.id)
            if not granted & permissions.VIEW_CHANNEL:
                raise refusal(50001)
            if needed & ~granted:
                raise refusal(50013)
        return channel

    def bot_guild(self, guild_id: int | None) -> Guild:
        """The guild, if the bot is in it; otherwise 10004."""
        guild = None if guild_id is None else self.guilds.get(guild_id)
        if guild is None or not guild.with_bot:
            raise refusal(10004)
        return guild

    def bot_guilds(self) -> list[Guild]:
        """Every guild that the bot is in, oldest first."""
        return [guild for guild in self.guilds.values() if guild.with_bot]

    def keep_file(self, attachment: Attachment) -> None:
        """Make the file fetchable under its URL's path."""
        self._files[f"{attachment.id}/{attachment.filename}"] = attachment
        while len(self._files) > FILES_KEPT:
            self._files.popitem(last=False)

    def file(self, name: str) -> Attachment | None:
        """The file kept under ``id/filename``."""
        return self._files.get(name)

    def file_by_id(self, file_id: str) -> Attachment | None:
        """The file kept under this id."""
        return next((file for file in self._files.values() if str(file.id) == file_id), None)

    def find_message(self, message_id: int) -> Message | None:
        """The message, wherever it stands."""
        for channel in self.channels.values():
            message = channel.messages.get(message_id)
            if message is not None:
                return message
        return None
