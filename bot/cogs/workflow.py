"""``/workflow``: start all digests of a server at once, and look at what was started."""

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents.events import LONGEST_QUERY, WorkflowStarted
from bot.asking import typed_text
from bot.cards import runs
from bot.cogs import digest_suggestions as suggestions
from bot.cogs.admins import Admins, for_admins
from bot.cogs.starting import Starting
from bot.configuring import Admin, Configuring
from bot.delivery.places import Place
from bot.store.outbox import Outbox
from bot.subscribing import Subscribing
from bot.subscription import LONGEST_NAME


@for_admins
class WorkflowCog(commands.GroupCog, name="workflow", description="All digests of this server at once"):
    """For those who may configure, and for their own server only."""

    def __init__(
        self,
        configuring: Configuring,
        subscribing: Subscribing,
        starting: Starting,
        outbox: Outbox,
        session: aiohttp.ClientSession,
    ) -> None:
        self._subscribing = subscribing
        self._starting = starting
        self._outbox = outbox
        self._admins = Admins(configuring, session)

    @app_commands.command(name="start", description="Post every active digest of this server now")
    @app_commands.describe(
        name="What it is called in the history",
        sources="Ask these instead of what each digest asks, comma separated",
        query="Look for this instead of what each digest looks for",
    )
    async def start(
        self,
        interaction: discord.Interaction,
        name: app_commands.Range[str, 1, LONGEST_NAME] | None = None,
        sources: str | None = None,
        query: app_commands.Range[str, 1, LONGEST_QUERY] | None = None,
    ) -> None:
        """Says how far it is, and what became of it."""

        async def answer(admin: Admin, place: Place) -> None:
            event = WorkflowStarted(
                sources=self._subscribing.sources(admin, sources),
                query=typed_text("query", query, LONGEST_QUERY),
                guild_ids=(str(admin.guild.id),),
            )
            self._starting.admit(admin)
            await self._starting.all_of(admin, event, place, " ".join((name or "").split()))

        await self._admins.command(interaction, answer)

    @app_commands.command(name="history", description="The newest workflows, and what became of their digests")
    async def history(self, interaction: discord.Interaction) -> None:
        """Of this server only."""

        async def answer(admin: Admin, place: Place) -> None:
            newest = await self._outbox.workflows(admin.guild.id, runs.WORKFLOWS_SHOWN)
            await place.edit(runs.workflows_card(newest))

        await self._admins.command(interaction, answer)

    @start.autocomplete("sources")
    async def suggest_sources(self, interaction: discord.Interaction, typed: str) -> suggestions.Choices:
        """Sources, after those that were typed already."""
        admin = await self._admins.admitted(interaction)
        return [] if admin is None else suggestions.sources(self._subscribing.on(admin), typed)
