"""``/help``: what the bot can do, on one card."""

from typing import Any

from discord.ext import commands

from bot.asking import Asking
from bot.cards.help import help_card
from bot.cogs.signals import everywhere
from bot.delivery.places import as_discord


class HelpCog(commands.Cog, name="help"):
    """Explains."""

    def __init__(self, bot: commands.Bot | commands.AutoShardedBot, asking: Asking) -> None:
        self._bot = bot
        self._asking = asking
        self._command = self._build()

    async def cog_load(self) -> None:
        """Add the command."""
        self._bot.add_command(self._command)

    async def cog_unload(self) -> None:
        """Take the command away again."""
        self._bot.remove_command(self._command.name)

    def _build(self) -> commands.HybridCommand[Any, ..., Any]:
        async def show(ctx: commands.Context[Any]) -> None:
            card = help_card(tuple(self._asking.specs.values()), self._asking.unavailable)
            await ctx.send(**as_discord(card), ephemeral=True)

        described = commands.hybrid_command(name="help", description="What I can do, and what the marks mean")
        command: commands.HybridCommand[Any, ..., Any] = described(everywhere(show))
        return command
