"""What all that configures a server has in common: check who, acknowledge, answer whatever goes wrong."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import aiohttp
import discord

from agents import telemetry
from bot.cards.card import Card
from bot.configuring import Admin, Configuring, Saved
from bot.delivery.places import Place, acknowledge
from bot.failures import answer_failure
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
