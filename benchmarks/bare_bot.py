"""The reference: a bare discord.py bot whose one command defers, builds the card that it was given and edits.

Run as a script with the card (a message's embed and buttons, as JSON) in the file that its one argument names.
It does what discord.py's own examples do, and nothing else: no options, no cache, no log line of its own.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL


class BareBot(commands.AutoShardedBot):
    """Configured as leanly as discord.py allows, so that the comparison is not in our favour."""

    def __init__(self, card: dict[str, Any]) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self._card = card

    async def setup_hook(self) -> None:
        @app_commands.command(name="signals", description="The same answer again and again")
        async def signals(interaction: discord.Interaction) -> None:
            await interaction.response.defer(thinking=True)
            await interaction.edit_original_response(embed=build_embed(self._card), view=build_view(self._card))

        self.tree.add_command(signals)
        await self.tree.sync()


def build_embed(card: dict[str, Any]) -> discord.Embed:
    embed = discord.Embed(title=card["title"], description=card["description"], colour=card["colour"])
    for name, value in card["fields"]:
        embed.add_field(name=name, value=value, inline=False)
    embed.set_footer(text=card["footer"])
    return embed


def build_view(card: dict[str, Any]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for button in card["buttons"]:
        view.add_item(
            discord.ui.Button(
                label=button["label"],
                custom_id=button["custom_id"],
                emoji=button["emoji"],
                style=discord.ButtonStyle(button["style"]),
                disabled=button["disabled"],
            )
        )
    view.stop()  # else discord.py keeps every view for ever, and grows slower with each
    return view


def main() -> None:
    Route.BASE = os.environ["DISCORD_API_URL"]
    DiscordWebSocket.DEFAULT_GATEWAY = URL(os.environ["DISCORD_GATEWAY_URL"])
    card = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    BareBot(card).run(os.environ["DISCORD_TOKEN"], log_level=logging.INFO)


if __name__ == "__main__":
    main()
