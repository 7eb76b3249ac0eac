"""*Find related* in a message's menu: searches for what the message talks about."""

import re
from collections.abc import Callable, Iterator

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents import telemetry
from agents.events import LONGEST_QUERY
from bot.answer import Question
from bot.asking import ALL, Asking
from bot.cards import notices
from bot.cogs.signals import everywhere, origin_of
from bot.delivery.places import Place, acknowledge
from bot.failures import answer_failure, tell

MOST_WORDS = 3
"""Sources want all words of a query: more would find nothing."""
_LOOKED_AT = 2000
_STORY = re.compile(r"^\*\*\d+\.\*\* \[?(?P<title>.*?)(?:\]\(.*)?$", re.MULTILINE)

TellingWords = Callable[[str, int], tuple[str, ...]]
"""Words that say what a text is about, in its order, at most so many."""


class RelatedCog(commands.Cog, name="related"):
    """Asks every source for the telling words of a message; only who asked sees the answer."""

    def __init__(
        self,
        bot: commands.Bot | commands.AutoShardedBot,
        asking: Asking,
        telling_words: TellingWords,
        session: aiohttp.ClientSession,
    ) -> None:
        self._bot = bot
        self._asking = asking
        self._telling_words = telling_words
        self._session = session
        self._menu = everywhere(app_commands.ContextMenu(name="Find related", callback=self._find))

    async def cog_load(self) -> None:
        """Add the menu's command."""
        self._bot.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Take it away again."""
        self._bot.tree.remove_command(self._menu.name, type=self._menu.type)

    async def _find(self, interaction: discord.Interaction, message: discord.Message) -> None:
        place: Place | None = None

        async def begin(_question: Question, _private: bool) -> Place:
            nonlocal place
            place = await acknowledge(interaction, self._session, private=True)
            return place

        with telemetry.span("command.related", {"interaction_id": str(interaction.id)}):
            try:
                words = next(filter(None, (self._telling_words(text, MOST_WORDS) for text in _texts(message))), ())
                if not words:
                    await tell(interaction, notices.nothing_to_search())
                    return
                origin = origin_of(interaction)
                settings = await self._asking.settings_of(origin)
                query = " ".join(words)[:LONGEST_QUERY]
                question = self._asking.question(ALL, {"query": query, "timeframe": "7d"}, settings)
                await self._asking.ask(question, origin, settings, begin)
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(interaction, error, place)


def _texts(message: discord.Message) -> Iterator[str]:
    """What was written, then what the embeds say: people post bare links, and answers of ours are embeds."""
    yield message.content[:_LOOKED_AT]
    for embed in message.embeds:
        yield _first_story(f"{embed.title or ''}\n{embed.description or ''}")[:_LOOKED_AT]


def _first_story(text: str) -> str:
    """The title of the first story, where there are numbered ones as in our answers, or the whole text."""
    story = _STORY.search(text)
    return story["title"].replace("\\", "") if story else text
