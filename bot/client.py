"""The gateway client: what it listens to, how it fails, how it stops."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from agents import telemetry
from agents.errors import InvalidOption
from bot.delivery.places import PLACE_FAULTS
from bot.failures import answer_failure
from bot.gateway import guard_parsers
from bot.options import check_options
from bot.registration import register_commands
from bot.tasks import beside

LoadCogs = Callable[["SignalsBot"], Awaitable[None]]
REGISTER_PAUSES_S = (10.0, 60.0, 600.0)
_log = telemetry.logger("bot.client")


class SignalsTree(app_commands.CommandTree[Any]):
    """The slash commands; what fails here is answered like everywhere else."""

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Called by discord.py before it reads the options; where that fails it would tell nobody."""
        if interaction.type is not discord.InteractionType.application_command:
            return True
        try:
            check_options(self, interaction.data)
        except (InvalidOption, app_commands.AppCommandError) as error:
            await answer_failure(interaction, error)
            return False
        return True

    async def on_error(self, interaction: discord.Interaction, error: app_commands.AppCommandError, /) -> None:
        """Called by discord.py."""
        if interaction.type is not discord.InteractionType.autocomplete:
            await answer_failure(interaction, error)


def intents(*, text_commands: bool) -> discord.Intents:
    """What Discord is asked to send: servers, and with text commands messages too; nothing privileged."""
    return discord.Intents(guilds=True, guild_messages=text_commands, dm_messages=text_commands)


class SignalsBot(commands.AutoShardedBot):
    """The client that the bot runs as: no member cache, no message cache, mentions nobody."""

    def __init__(self, load_cogs: LoadCogs, *, text_commands: bool) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            tree_cls=SignalsTree,
            intents=intents(text_commands=text_commands),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self._load_cogs = load_cogs
        self._registering: asyncio.Task[None] | None = None
        guard_parsers(self)

    def dispatch(self, event_name: str, /, *args: Any, **kwargs: Any) -> None:
        """Tell listeners, but not of slash commands: the tree has those, and each listener costs a task each time."""
        if event_name != "interaction" or args[0].type is not discord.InteractionType.application_command:
            super().dispatch(event_name, *args, **kwargs)

    @property
    def fault(self) -> str | None:
        """None while every shard is connected; else why not, for whoever runs the bot."""
        if not self.is_ready() or self.is_closed():
            return "not connected to Discord yet" if not self.is_closed() else "disconnected from Discord"
        down = [number for number, shard in self.shards.items() if shard.is_closed()]
        return f"connecting to Discord anew (shards {', '.join(map(str, down))})" if down else None

    async def setup_hook(self) -> None:
        """Called by discord.py between log-in and the gateway."""
        await self._load_cogs(self)
        self._registering = beside(self._register(), "register-commands")

    async def _register(self) -> None:
        """Beside the connection: answering commands that are registered already need not wait for this."""
        assert self.application_id is not None
        for pause_s in (*REGISTER_PAUSES_S, None):
            try:
                await register_commands(self.tree, self.application_id)
            except PLACE_FAULTS:
                _log.exception(
                    "commands could not be registered; those registered before still work", again_in_s=pause_s
                )
                if pause_s is not None:
                    await asyncio.sleep(pause_s)
            else:
                return

    async def on_ready(self) -> None:
        """Say who we are."""
        _log.info("connected", user=str(self.user), guilds=len(self.guilds), shards=self.shard_count)

    async def on_command_error(self, context: commands.Context[Any], error: commands.CommandError, /) -> None:
        """Called by discord.py for text and hybrid commands."""
        await answer_failure(context, error)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Called by discord.py when a listener raised."""
        _log.exception("listener failed", listener=event_method)

    async def close(self) -> None:
        """Disconnect; safe to call twice."""
        if self._registering is not None:
            self._registering.cancel()
        await super().close()
