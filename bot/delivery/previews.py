"""A digest shown to one person: its own messages, but private, and mentioning nobody."""

import asyncio
import io
import json
from typing import Any

import aiohttp
import discord
from discord.webhook.async_ import async_context

from bot.cards.digest import CHART_NAME, Digest, parts
from bot.cards.plans import preview_words
from bot.delivery.places import EDIT_TIMEOUT_S

MARK = "preview"
"""In place of a nonce: nothing is ever looked for by it."""


async def show_preview(
    interaction: discord.Interaction, session: aiohttp.ClientSession, digest: Digest, chart: bytes | None
) -> bool:
    """Put it in the place of “is thinking…”; False when it would be silence. Raises one of ``PLACE_FAULTS``."""
    bodies = [body.body.get("message", body.body) for body in parts(digest, lambda _: MARK)]
    adapter = async_context.get()
    for number, body in enumerate(bodies):
        payload: dict[str, Any] = {**body, "content": "", "allowed_mentions": {"parse": []}}
        file = None
        if "attachments" in body and chart is not None:
            file = discord.File(io.BytesIO(chart), filename=CHART_NAME)
        else:
            payload.pop("attachments", None)
        async with asyncio.timeout(EDIT_TIMEOUT_S):
            if number == 0:
                payload["content"] = preview_words(digest)
                await adapter.edit_original_interaction_response(
                    interaction.application_id, interaction.token, session=session, **_form(payload, file)
                )
            else:
                payload["flags"] = discord.MessageFlags(ephemeral=True).value
                await adapter.execute_webhook(
                    interaction.application_id, interaction.token, session=session, **_form(payload, file)
                )
    return bool(bodies)


def _form(payload: dict[str, Any], file: discord.File | None) -> dict[str, Any]:
    if file is None:
        return {"payload": payload}
    multipart = [
        {"name": "payload_json", "value": json.dumps(payload)},
        {"name": "files[0]", "value": file.fp, "filename": file.filename, "content_type": "image/png"},
    ]
    return {"multipart": multipart, "files": [file]}
