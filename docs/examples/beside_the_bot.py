"""``python -m docs.examples.beside_the_bot WORD GUILD_ID CHANNEL_ID``: the bot, and an agent on its bus."""

import asyncio
import sys

from agents import telemetry
from agents.events import Requester
from bot.app import assembled, delivering, load_cogs
from bot.client import SignalsBot
from bot.gateway import set_addresses
from bot.settings import Settings
from docs.examples.first_agent import WordWatch


async def run(settings: Settings, word: str, guild_id: str, channel_id: str) -> None:
    """Run both until cancelled."""
    set_addresses(settings.discord_api_url, settings.discord_gateway_url)
    requester = Requester(kind="agent", tenant=guild_id, reply_to=f"channel:{channel_id}")
    async with assembled(settings) as parts, WordWatch(parts.bus, word, requester):
        bot = SignalsBot(lambda loading: load_cogs(loading, parts), text_commands=settings.text_commands)
        async with delivering(parts, bot), bot:
            await bot.start(settings.discord_token.get_secret_value())


if __name__ == "__main__":
    settings = Settings()
    telemetry.set_up_logging(settings.log_level, as_json=settings.log_format == "json")
    asyncio.run(run(settings, *sys.argv[1:4]))
