"""What all that configures a server has in common: check who, acknowledge, answer whatever goes wrong."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import aiohttp
import discord
from discord import app_commands

from agents import telemetry
from bot.cards import notices
from bot.cards.card import Card
from bot.configuring import Admin, Configuring, MayNotConfigure, Saved
from bot.delivery.places import PLACE_FAULTS, Place, acknowledge
from bot.failures import answer_failure, tell
from bot.guild_settings import GuildSettings

Draw = Callable[[Saved], Card]
Work = Callable[[Admin], Awaitable[None]]


class Control(Protocol):
    """What was pressed: of whose settings or digests, and what it does."""

    @property
    def verb(self) -> str:
        """What it does."""
        ...

    @property
    def guild_id(self) -> int:
        """The server's whose it is."""
        ...


C = TypeVar("C", bound=Control)


def for_admins(command: Any) -> Any:
    """A command, or a group of them, that Discord offers in servers only, and to those with Manage Server.

    Discord's own default is but a hint: ``Admins`` checks who it is.
    """
    installs = app_commands.allowed_installs(guilds=True, users=False)
    contexts = app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
    permitted = app_commands.default_permissions(manage_guild=True)
    return app_commands.guild_only()(installs(contexts(permitted(command))))


class ChannelId(app_commands.Transformer):
    """The id of a channel of these kinds; whether it is there and can be used is looked at when it is saved."""

    def __init__(self, *kinds: discord.ChannelType) -> None:
        self._kinds = list(kinds)

    @property
    def type(self) -> discord.AppCommandOptionType:
        """See ``app_commands.Transformer``, as the two after it."""
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        """What Discord's picker offers."""
        return self._kinds

    async def transform(self, interaction: discord.Interaction, value: Any, /) -> int:
        """Of whatever Discord resolved the id to, if to anything."""
        return int(value.id)


class Admins:
    """Serves those who may configure, and nobody else."""

    def __init__(self, configuring: Configuring, session: aiohttp.ClientSession) -> None:
        self.configuring = configuring
        self._session = session

    async def command(
        self, interaction: discord.Interaction, work: Callable[[Admin, Place], Awaitable[None]]
    ) -> None:
        """Acknowledge a command privately, then do its work, which edits the answer."""

        async def acknowledged(admin: Admin) -> None:
            place = await acknowledge(interaction, self._session, private=True)
            await work(admin, place)

        await self.serve(interaction, acknowledged)

    async def press(
        self,
        interaction: discord.Interaction,
        control: Control,
        work: Callable[[Admin, Place], Awaitable[None]],
    ) -> None:
        """Promise to change the message that was pressed, then do the work; anything refused is told apart."""

        async def acknowledged(admin: Admin) -> None:
            place = await acknowledge(
                interaction, self._session, private=True, update=interaction.message is not None
            )
            await work(admin, place)

        await self.serve(interaction, acknowledged, control)

    async def serve(self, interaction: discord.Interaction, work: Work, control: Control | None = None) -> None:
        """Do it for somebody who may; whatever goes wrong is told privately, and nothing is changed then."""
        attributes = {"verb": control.verb if control else "command", "interaction_id": str(interaction.id)}
        with telemetry.span("config", attributes):
            try:
                await work(await self.configuring.admit(interaction, control.guild_id if control else None))
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(interaction, error)

    async def admitted(self, interaction: discord.Interaction) -> Admin | None:
        """Who it is, if one who may; for what is refused without a word, such as suggestions."""
        try:
            return await self.configuring.admit(interaction)
        except MayNotConfigure:
            return None

    async def change(
        self,
        admin: Admin,
        place: Place,
        settings: GuildSettings,
        action: str,
        draw: Draw,
        *,
        version: int | None = None,
    ) -> None:
        """Save, show that it was, and tell the log channel even when it could not be shown."""
        saved = await self.configuring.save(admin, settings, action, version)
        try:
            await place.edit(draw(saved))
        finally:
            await self.configuring.announce(saved)


def custom_id_of(interaction: discord.Interaction) -> str | None:
    """The custom id of a press or a form; None for any other interaction."""
    if interaction.type not in {discord.InteractionType.component, discord.InteractionType.modal_submit}:
        return None
    data: Any = interaction.data or {}
    return str(data.get("custom_id", ""))


async def hand_on(
    interaction: discord.Interaction,
    family: str,
    parse: Callable[[str], C | None],
    presses: Mapping[str, Callable[[discord.Interaction, C], Awaitable[None]]],
) -> None:
    """Have a press or a form of a ``family`` of ids done by what its verb names; ids that nobody made are told so.

    Ids are all there is, so controls work after a restart and nothing is remembered.
    """
    custom_id = custom_id_of(interaction)
    if custom_id is None or not custom_id.startswith(family):
        return
    control = parse(custom_id)
    press = presses.get(control.verb) if control is not None else None
    if control is not None and press is not None:
        await press(interaction, control)
        return
    await tell_privately(interaction, notices.unknown_button())


async def tell_privately(interaction: discord.Interaction, card: Card) -> None:
    """Tell whoever pressed; that this cannot be told is logged."""
    try:
        await tell(interaction, card)
    except PLACE_FAULTS as error:
        await answer_failure(interaction, error)
