"""``/trends``: how much there is of something over time, and which words stand out."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents import telemetry
from agents.events import LONGEST_QUERY, SignalsResponse
from agents.signal import Signal, Timeframe
from bot import chart
from bot.answer import Question
from bot.asking import ALL, Asking
from bot.cards.trends import MOST_WORDS, Word, trends_card
from bot.cogs.files import show_file
from bot.cogs.signals import everywhere, origin_of
from bot.delivery.places import Place, acknowledge
from bot.failures import answer_failure

MOST_FOUND = 1000
"""Stories that a trend is made of, at most."""
_CHOICES = [
    app_commands.Choice(name=timeframe.label, value=timeframe.value)
    for timeframe in (Timeframe.SIX_HOURS, Timeframe.DAY, Timeframe.TWO_DAYS, Timeframe.WEEK)
]

WordsOf = Callable[[Sequence[str], Sequence[str], int], tuple[Word, ...]]
"""Words that stand out in titles against others, the most surprising first, at most so many."""


class TrendsCog(commands.Cog, name="trends"):
    """Asks every source twice: for the time that is looked at, and for what it is compared with."""

    def __init__(self, asking: Asking, words_of: WordsOf, session: aiohttp.ClientSession) -> None:
        self._asking = asking
        self._words_of = words_of
        self._session = session

    @everywhere
    @app_commands.command(name="trends", description="A chart of how much is told, and the words that stand out")
    @app_commands.describe(
        query="Words to look for; leave out for everything", timeframe="How far back (default 24h)"
    )
    @app_commands.choices(timeframe=_CHOICES)
    async def trends(
        self,
        interaction: discord.Interaction,
        query: app_commands.Range[str, 1, LONGEST_QUERY] | None = None,
        timeframe: str | None = None,
    ) -> None:
        """One card over one picture."""
        place: Place | None = None

        async def begin(_question: Question, private: bool) -> Place:
            nonlocal place
            place = await acknowledge(interaction, self._session, private=private)
            return place

        with telemetry.span("command.trends", {"interaction_id": str(interaction.id)}):
            try:
                await self._show(interaction, query, timeframe, begin)
            except Exception as error:  # noqa: BLE001 - told to the person, and logged unless it was expected
                await answer_failure(interaction, error, place)

    async def _show(
        self,
        interaction: discord.Interaction,
        query: str | None,
        timeframe: str | None,
        begin: Callable[[Question, bool], Awaitable[Place]],
    ) -> None:
        origin = origin_of(interaction)
        settings = await self._asking.settings_of(origin)
        given = {"query": query, "timeframe": timeframe or Timeframe.DAY.value}
        question = self._asking.question(ALL, given, settings).model_copy(update={"limit": MOST_FOUND})
        usual = Timeframe.MONTH if question.timeframe is Timeframe.WEEK else Timeframe.WEEK
        compared = question.model_copy(update={"timeframe": usual})
        response, before = await self._asking.collect((question, compared), origin, settings, begin)
        since = response.occurred_at - question.timeframe.delta
        older = _titles(_older(before, since))
        words = await asyncio.to_thread(self._words_of, _titles(response.signals), older, MOST_WORDS)
        titles = {name: spec.title for name, spec in self._asking.specs.items()}
        card = trends_card(question, response, words if older else None, f"the {usual.label}", titles)
        drawn = await chart.draw(response.signals, since, response.occurred_at, settings.time_zone, titles)
        await show_file(interaction, card, "trends.png", drawn.png, alt=drawn.alt)


def _older(response: SignalsResponse, since: datetime) -> tuple[Signal, ...]:
    """What was published before."""
    return tuple(signal for signal in response.signals if signal.timestamp < since)


def _titles(signals: Sequence[Signal]) -> list[str]:
    return [signal.title for signal in signals]
