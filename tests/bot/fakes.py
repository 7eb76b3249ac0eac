"""What stands behind the parts of the bot when they are tested alone."""

import asyncio

from agents.events import SignalsRequested, Topic
from bot.answer import Answer
from bot.cards.card import Card


async def unheard(_topic: Topic[SignalsRequested], _event: SignalsRequested) -> None:
    """Publishes to nobody."""


async def nowhere(_channel_id: int, _tenant: str | None, _card: Card) -> bool:
    """Posts nothing."""
    return False


class Kept:
    """Answers that were kept, in order."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def put(self, answer: Answer) -> None:
        self.answers.append(answer)


class Shown:
    """A place that remembers what it showed, and when; each edit takes a moment, or fails."""

    def __init__(self, *failures: Exception) -> None:
        self.cards: list[Card] = []
        self.at: list[float] = []
        self._failures = list(failures)

    async def edit(self, card: Card) -> None:
        await asyncio.sleep(0)
        if self._failures:
            raise self._failures.pop(0)
        self.cards.append(card)
        self.at.append(asyncio.get_running_loop().time())
