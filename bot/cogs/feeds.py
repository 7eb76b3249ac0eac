"""``/feeds``: a server's own feeds, for those who may configure the bot."""

from collections.abc import Awaitable, Callable

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents.urls import domain
from bot import opml
from bot.cards import feeds as cards
from bot.cards import limits
from bot.cards.card import Card
from bot.cogs.admins import Admins, for_admins
from bot.cogs.files import LooksShown, UploadRefused, download, show_file
from bot.configuring import Admin, Configuring, Saved
from bot.delivery.places import Place
from bot.feeds import NotAdded, ServerFeeds, key
from bot.opml import OpmlRefused, Outline

Address = app_commands.Range[str, 1, 500]


@for_admins
class FeedsCog(commands.GroupCog, name="feeds", description="This server's own news feeds"):
    """Shows and changes feeds, for those who may."""

    def __init__(self, feeds: ServerFeeds, configuring: Configuring, session: aiohttp.ClientSession) -> None:
        self._feeds = feeds
        self._admins = Admins(configuring, session)

    async def cog_unload(self) -> None:
        """Called when the client closes: looks under way end, and those who wait are told while that is possible."""
        await self._feeds.close()

    @app_commands.command(name="add", description="Add a feed; it is read once first")
    @app_commands.describe(address="The address of an RSS, Atom or JSON feed, or of a page that names one")
    async def add(self, interaction: discord.Interaction, address: Address) -> None:
        """Look, keep, show."""

        async def answer(admin: Admin, place: Place) -> None:
            try:
                found, saved = await self._feeds.add(admin, address)
            except NotAdded as refused:
                await place.edit(cards.not_added_card(refused.sentence))
                return
            await self._show(place, cards.added_card(found, len(saved.after.settings.feeds)), saved)

        await self._look(interaction, answer)

    @app_commands.command(name="test", description="Read a feed once and show what is in it, without adding it")
    @app_commands.describe(address="The address of an RSS, Atom or JSON feed, or of a page that names one")
    async def test(self, interaction: discord.Interaction, address: Address) -> None:
        """Look and show."""

        async def answer(admin: Admin, place: Place) -> None:
            try:
                card = cards.tested_card(await self._feeds.look(admin, address))
            except NotAdded as refused:
                card = cards.not_readable_card(refused.sentence)
            await place.edit(card)

        await self._look(interaction, answer)

    @app_commands.command(name="remove", description="Remove a feed")
    @app_commands.describe(feed="Which feed; its title or address")
    async def remove(self, interaction: discord.Interaction, feed: str) -> None:
        """Forget one."""

        async def answer(admin: Admin, place: Place) -> None:
            removed, saved = await self._feeds.remove(admin, feed)
            await self._show(place, cards.removed_card(removed, len(saved.after.settings.feeds)), saved)

        await self._admins.command(interaction, answer)

    @app_commands.command(name="list", description="This server's feeds; only you see it")
    async def list_(self, interaction: discord.Interaction) -> None:
        """All on one card."""

        async def answer(admin: Admin, place: Place) -> None:
            await place.edit(cards.feeds_card(admin.settings.feeds, certain=admin.current.certain))

        await self._admins.command(interaction, answer)

    @app_commands.command(name="export", description="The feeds as an OPML file; only you see it")
    async def export(self, interaction: discord.Interaction) -> None:
        """For feed readers, and for another server."""

        async def answer(admin: Admin, _place: Place) -> None:
            feeds = admin.settings.feeds
            outlines = [Outline(feed.url, feed.title or domain(feed.url)) for feed in feeds]
            body = opml.write(outlines, f"Feeds of {admin.guild.name}")
            await show_file(interaction, cards.export_card(len(feeds)), f"feeds-{admin.guild.id}.opml", body)

        await self._admins.command(interaction, answer)

    @app_commands.command(name="import", description="Add the feeds of an OPML file; each is read once first")
    @app_commands.describe(file="An OPML file, as feed readers and /feeds export make it")
    async def import_(self, interaction: discord.Interaction, file: discord.Attachment) -> None:
        """Those that can be read, all at once."""

        async def answer(admin: Admin, place: Place) -> None:
            try:
                outlines = opml.read(await download(file, opml.LARGEST))
                imported = await self._feeds.take_over(admin, outlines, LooksShown(place))
            except (UploadRefused, OpmlRefused) as refused:
                await place.edit(cards.list_refused_card(str(refused)))
                return
            except NotAdded as refused:
                await place.edit(cards.not_added_card(refused.sentence))
                return
            after = admin.settings if imported.saved is None else imported.saved.after.settings
            left_out = [(each.name, each.sentence) for each in imported.left_out]
            card = cards.imported_card(imported.added, imported.known, left_out, len(after.feeds))
            await self._show(place, card, imported.saved)

        await self._look(interaction, answer)

    @remove.autocomplete("feed")
    async def suggest(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Feeds whose title or site has what was typed; to nobody else."""
        admin = await self._admins.admitted(interaction)
        if admin is None:
            return []
        wanted = typed.strip().casefold()
        offered = ((feed, f"{feed.title} ({domain(feed.url)})" if feed.title else feed.url)
                   for feed in admin.settings.feeds)  # fmt: skip
        fitting = [
            app_commands.Choice(name=label[: limits.SUGGESTION], value=key(feed))
            for feed, label in offered
            if wanted in label.casefold() or wanted in feed.url.casefold()
        ]
        return fitting[: limits.SUGGESTIONS]

    async def _look(self, interaction: discord.Interaction, work: Callable[[Admin, Place], Awaitable[None]]) -> None:
        """As any command, but it may take minutes."""
        with self._feeds.heard():
            await self._admins.command(interaction, work)

    async def _show(self, place: Place, card: Card, saved: Saved | None) -> None:
        """Tell the log channel too, even where the answer could not be shown."""
        try:
            await place.edit(card)
        finally:
            if saved is not None:
                await self._feeds.announce(saved)
