"""``/privacy``: what is kept about a server and about whoever asks, and deleting it."""

from collections.abc import Awaitable, Callable

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents import telemetry
from bot.admission import Admission, Refusal
from bot.asking import NotNow
from bot.cards import notices, privacy
from bot.cards.card import Card
from bot.cards.custom_ids import PRIVACY_FAMILY, PrivacyControl, parse_privacy
from bot.cogs.admins import custom_id_of
from bot.cogs.signals import origin_of
from bot.configuring import Configuring, MayNotConfigure
from bot.delivery.places import Place, acknowledge
from bot.failures import answer_failure
from bot.store.answers import AnswerStore
from bot.store.errors import SaveUnknown, StoreError
from bot.store.guilds import StoredData

Work = Callable[[], Awaitable[Card]]


@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
class PrivacyCog(commands.GroupCog, name="privacy", description="What I keep, and for how long"):
    """Shows to everybody; deletes for those whose it is: a server's data for its admins, answers for who got them."""

    def __init__(
        self, configuring: Configuring, answers: AnswerStore, admission: Admission, session: aiohttp.ClientSession
    ) -> None:
        self._configuring = configuring
        self._answers = answers
        self._admission = admission
        self._session = session

    @app_commands.command(name="show", description="What I keep about you and this server; only you see it")
    async def show(self, interaction: discord.Interaction) -> None:
        """In words; for admins with numbers."""

        async def answer() -> Card:
            in_server = origin_of(interaction).guild_id is not None
            stored = await self._stored(interaction) if in_server else None
            return privacy.show_card(stored, in_server=in_server)

        await self._answer(interaction, answer)

    @app_commands.command(
        name="delete",
        description="Delete what I keep: here about this server (for its admins), in direct messages about you",
    )
    async def delete(self, interaction: discord.Interaction) -> None:
        """Asks first."""

        async def answer() -> Card:
            guild_id = origin_of(interaction).guild_id
            if guild_id is None:
                return privacy.confirm_own_card(interaction.user.id)
            if not _may_delete(interaction):
                return privacy.admins_only_card()
            return privacy.confirm_server_card(await self._configuring.store.data_of(guild_id), guild_id)

        await self._answer(interaction, answer)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Confirmations: matched by their ids, so that they work after a restart; checked anew."""
        custom_id = custom_id_of(interaction)
        if custom_id is None or not custom_id.startswith(PRIVACY_FAMILY):
            return
        control = parse_privacy(custom_id)
        refusal = _refusal(interaction, control)

        async def answer() -> Card:
            if refusal is not None:
                return refusal
            assert control is not None
            return await (self._delete_server if control.whose == "guild" else self._delete_own)(control.id)

        await self._answer(interaction, answer, update=refusal is None and interaction.message is not None)

    async def _delete_server(self, guild_id: int) -> Card:
        try:
            stored = await self._configuring.store.data_of(guild_id)
            await self._configuring.store.delete_guild(guild_id)
        except StoreError as error:
            return privacy.server_not_deleted_card(guild_id, perhaps=isinstance(error, SaveUnknown))
        return privacy.server_deleted_card(stored)

    async def _delete_own(self, user_id: int) -> Card:
        tenant = f"user:{user_id}"
        ticket = self._admission.ask(tenant, str(user_id))  # it looks through everybody's
        if isinstance(ticket, Refusal):
            raise NotNow(ticket)
        async with ticket:
            try:
                return privacy.own_deleted_card(await self._answers.delete_personal(tenant))
            except StoreError:
                return privacy.own_not_deleted_card(user_id)

    async def _stored(self, interaction: discord.Interaction) -> StoredData | None:
        """What is kept about the server, for those who may know."""
        try:
            admin = await self._configuring.admit(interaction)
        except MayNotConfigure:
            return None
        return await self._configuring.store.data_of(admin.guild.id)

    async def _answer(self, interaction: discord.Interaction, work: Work, *, update: bool = False) -> None:
        """Acknowledge privately, work, show; whatever goes wrong is told."""
        place: Place | None = None
        with telemetry.span("privacy", {"interaction_id": str(interaction.id)}):
            try:
                place = await acknowledge(interaction, self._session, private=True, update=update)
                await place.edit(await work())
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(interaction, error, None if update else place)


def _may_delete(interaction: discord.Interaction) -> bool:
    """Manage Server itself: who changed what is deleted too, so the role that may change settings is not enough."""
    return interaction.permissions.manage_guild or interaction.permissions.administrator


def _refusal(interaction: discord.Interaction, control: PrivacyControl | None) -> Card | None:
    """Why whoever pressed may not delete that, here."""
    if control is None:
        return notices.unknown_button()
    if control.whose == "user":
        return None if control.id == interaction.user.id else privacy.foreign_card()
    if origin_of(interaction).guild_id != control.id:
        return notices.other_server()
    return None if _may_delete(interaction) else privacy.admins_only_card()
