"""Where a message can be put: drawn cards turned into what Discord's API and its client take."""

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import discord
from discord.http import Route
from discord.webhook.async_ import async_context

from agents import telemetry
from bot.cards.card import Card

EDIT_TIMEOUT_S = 30.0
ACKNOWLEDGE_TIMEOUT_S = 4.0
"""Discord waits 3 s: what takes longer holds a place in the line for nothing."""
_ACKNOWLEDGED = 40060
"""Discord's code for an interaction that was acknowledged before."""
_EDIT_ATTEMPTS = 3
PLACE_FAULTS = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)
"""What showing a card raises when Discord, the network or time is the reason."""


class Place(Protocol):
    """A message that was begun and is edited until it holds the answer."""

    async def edit(self, card: Card) -> None:
        """Show the card instead of what is there. Doing it twice is the same as once."""
        ...


@dataclass(frozen=True, slots=True)
class InteractionPlace:
    """The deferred answer to an interaction; its token lives 15 minutes.

    Edits go through the client's webhook adapter (its retries and rate limits) with the body as drawn: building
    the client's own embeds and views first would cost more than drawing, and it would keep every view for ever.
    """

    application_id: int
    token: str
    session: aiohttp.ClientSession

    async def edit(self, card: Card) -> None:
        """See ``Place``. Raises one of ``PLACE_FAULTS`` when it cannot be done."""
        payload = card.payload()
        async with asyncio.timeout(EDIT_TIMEOUT_S):
            for attempt in range(_EDIT_ATTEMPTS):
                try:
                    message: object = await async_context.get().edit_original_interaction_response(
                        self.application_id, self.token, session=self.session, payload=payload
                    )
                    if isinstance(message, dict):
                        return
                    raise aiohttp.ClientPayloadError("what answered was not Discord: no message")
                except aiohttp.ClientError:  # dropped, truncated or garbage; the client does not retry these
                    if attempt == _EDIT_ATTEMPTS - 1:
                        raise
                    await asyncio.sleep(0.5 * 2**attempt)


async def acknowledge(
    interaction: discord.Interaction, session: aiohttp.ClientSession, *, private: bool = False, update: bool = False
) -> InteractionPlace:
    """Acknowledge at once; the answer replaces “is thinking…”. ``private`` decides who will see it, for good.

    With ``update`` the answer replaces the message whose button was pressed, which stays as it is until then. Raises
    one of ``PLACE_FAULTS``.

    As the client's own ``defer``, which asks for the message in return and reads it, though nobody looks at it.
    """
    types = discord.InteractionResponseType
    deferred = types.deferred_message_update if update else types.deferred_channel_message
    route = _callback(interaction)
    payload: dict[str, Any] = {"type": deferred.value}
    if private and not update:
        payload["data"] = {"flags": discord.MessageFlags(ephemeral=True).value}
    # Ends long before what is done for the interaction, and so tells at once whose trace this is.
    with telemetry.span("acknowledge", {"interaction_id": str(interaction.id)}):
        await _deferred(route, session, payload)
    interaction.response._response_type = deferred  # noqa: SLF001 - there is no public way to note it
    return InteractionPlace(interaction.application_id, interaction.token, session)


async def _deferred(route: Route, session: aiohttp.ClientSession, payload: dict[str, Any]) -> None:
    async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT_S):
        try:
            await async_context.get().request(route, session=session, payload=payload)
        except aiohttp.ClientError:  # the connection broke: whether it had arrived, a second attempt tells
            try:
                await async_context.get().request(route, session=session, payload=payload)
            except discord.HTTPException as error:
                if error.code != _ACKNOWLEDGED:
                    raise


async def answer_privately(interaction: discord.Interaction, card: Card) -> None:
    """Answer an interaction that was not acknowledged yet; only the person sees it. Raises one of ``PLACE_FAULTS``.

    As the client's own ``send_message``, which makes models of the card and of the message that it asks for in
    return: half of what a refusal would cost, and a flood is a thousand of them.
    """
    payload = {
        "type": discord.InteractionResponseType.channel_message.value,
        "data": {**card.payload(), "flags": discord.MessageFlags(ephemeral=True).value},
    }
    session = interaction._session  # noqa: SLF001 - the client's own: ours has admitted questions to answer
    await async_context.get().request(_callback(interaction), session=session, payload=payload)
    interaction.response._response_type = discord.InteractionResponseType.channel_message  # noqa: SLF001 - see above


def _callback(interaction: discord.Interaction) -> Route:
    return Route(
        "POST",
        "/interactions/{webhook_id}/{webhook_token}/callback",
        webhook_id=interaction.id,
        webhook_token=interaction.token,
    )


@dataclass(frozen=True, slots=True)
class MessagePlace:
    """A message of the bot's own in a channel."""

    message: discord.Message

    async def edit(self, card: Card) -> None:
        """See ``Place``."""
        async with asyncio.timeout(EDIT_TIMEOUT_S):
            await self.message.edit(**as_discord(card, editing=True))


def as_discord(card: Card, *, editing: bool = False) -> dict[str, Any]:
    """A card as keyword arguments for the client's own send and edit methods; it can mention nobody.

    The client's own default for mentions is not sent with edits of messages. Menus are only drawn by
    ``InteractionPlace``.
    """
    assert not card.selects
    drawn: dict[str, Any] = {
        "embed": discord.Embed.from_dict(card.embed.payload()),
        "allowed_mentions": discord.AllowedMentions.none(),
    }
    if card.rows:
        drawn["view"] = _view(card)
    elif editing:
        drawn["view"] = None
    return drawn


def _view(card: Card) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for number, row in enumerate(card.rows):
        for button in row:
            view.add_item(
                discord.ui.Button(
                    label=button.label,
                    custom_id=button.custom_id,
                    url=button.url,
                    emoji=button.emoji,
                    style=discord.ButtonStyle(int(button.style)),
                    disabled=button.disabled,
                    row=number,
                )
            )
    view.stop()  # presses are matched by pattern, for ever; the client need not remember this view
    return view
