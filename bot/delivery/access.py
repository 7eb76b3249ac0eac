"""What the bot may do in a channel, as the gateway told: roles and overwrites, computed; nothing is asked for."""

from collections.abc import Iterator

import discord

from bot.subscription import Plan
from bot.targets import archived, problems


class ClientAccess:
    """Looks into the client's cache. What is not there, or belongs to a server in an outage, may not be used."""

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    @property
    def bot_id(self) -> int:
        """The bot's own user id; only once it is connected."""
        assert self._client.user is not None
        return self._client.user.id

    def may_read_back(self, guild_id: int, channel_id: int) -> bool | None:
        """Whether it surely sees what was posted there; None while its server is in an outage."""
        guild = self._client.get_guild(guild_id)
        if guild is not None and guild.unavailable:
            return None
        channel = None if guild is None else guild.get_channel_or_thread(channel_id)
        if channel is None:
            return False
        try:
            may = channel.permissions_for(channel.guild.me)
        except discord.ClientException:  # a thread whose parent is not known
            return False
        return may.view_channel and may.read_message_history

    def may_post(self, guild_id: int, plan: Plan) -> bool:
        """Whether a digest of this plan would be taken; a role that cannot be mentioned keeps none away."""
        guild = self._guild(guild_id)
        return guild is not None and _takes(guild, plan)

    async def is_archived_thread(self, guild_id: int, plan: Plan) -> bool:
        """Whether a digest of this plan would be taken by an archived thread, of which the gateway does not tell."""
        guild = self._guild(guild_id)
        thread = None if guild is None else await archived(guild, plan.channel_id)
        return guild is not None and thread is not None and _takes(guild, plan, thread)

    def notice_places(self, guild_id: int) -> Iterator[int]:
        """Channels for those who look after a server, the most fitting first."""
        guild = self._guild(guild_id)
        if guild is None:
            return
        for channel in dict.fromkeys((guild.public_updates_channel, guild.system_channel, *guild.text_channels)):
            if channel is not None:
                may = channel.permissions_for(guild.me)
                if may.view_channel and may.send_messages and may.embed_links:
                    yield channel.id

    def owner_id(self, guild_id: int) -> int | None:
        """Whose server it is; None where that is not known."""
        guild = self._guild(guild_id)
        return None if guild is None else guild.owner_id

    def _guild(self, guild_id: int) -> discord.Guild | None:
        guild = self._client.get_guild(guild_id)
        return None if guild is None or guild.unavailable else guild


def _takes(guild: discord.Guild, plan: Plan, thread: discord.Thread | None = None) -> bool:
    try:
        return not problems(guild, plan.model_copy(update={"role_id": None}), thread)
    except discord.ClientException:  # a thread whose parent is not known
        return False
