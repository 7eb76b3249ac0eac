"""Files that people upload and are given, and how far reading what an upload names is."""

import asyncio
import io
from collections.abc import Callable
from time import monotonic

import discord

from bot.cards.card import Card
from bot.cards.feeds import looking_card
from bot.delivery.places import EDIT_TIMEOUT_S, PLACE_FAULTS, Place, as_discord

DOWNLOAD_TIMEOUT_S = 20.0
PROGRESS_PAUSE_S = 2.0


class UploadRefused(Exception):
    """What was uploaded was not read; ``str()`` is a sentence for people."""


async def download(file: discord.Attachment, most_bytes: int) -> bytes:
    """What was uploaded; what is larger is not fetched. Raises ``UploadRefused``."""
    if not isinstance(file, discord.Attachment):  # the client makes something else of one that Discord did not send
        raise UploadRefused("There is no file with it. Upload one.")
    if file.size > most_bytes:
        raise UploadRefused(f"The file has {file.size / 1024:,.0f} kB; at most {most_bytes / 1024:,.0f} kB are read.")
    try:
        async with asyncio.timeout(DOWNLOAD_TIMEOUT_S):
            return await file.read()
    except PLACE_FAULTS as error:
        raise UploadRefused("The file could not be fetched from Discord. Upload it again.") from error


async def show_file(
    interaction: discord.Interaction, card: Card, name: str, body: bytes, *, alt: str | None = None
) -> None:
    """Put a file and the card that goes with it in the place of “is thinking…”. Raises one of ``PLACE_FAULTS``.

    ``alt``: what a picture shows, in words.
    """
    async with asyncio.timeout(EDIT_TIMEOUT_S):
        await interaction.edit_original_response(
            **as_discord(card, editing=True),
            attachments=[discord.File(io.BytesIO(body), filename=name, description=alt)],
        )


class LooksShown:
    """Shows how many feeds were looked at, not too often; that it cannot be shown stops nothing."""

    def __init__(self, place: Place, clock: Callable[[], float] = monotonic) -> None:
        self._place = place
        self._clock = clock
        self._next_at = clock()

    async def __call__(self, done: int, total: int) -> None:
        """Told after each look."""
        if done == total or self._clock() < self._next_at:
            return
        self._next_at = self._clock() + PROGRESS_PAUSE_S
        try:
            await self._place.edit(looking_card(done, total))
        except PLACE_FAULTS:
            self._next_at = float("inf")
