"""One guild floods the bot; another guild's single question must hardly notice.

Everything behind the client is real: asking, admission with its default bounds, bus, scout, guard, delivery, cards.
The sources only take time, and every question is another one, so that no cache answers it.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

from agents.bus.memory import MemoryBus
from agents.events import SIGNALS_PROGRESS, SIGNALS_RESPONSE
from agents.fetch.http import HttpFetch
from agents.resilience.guard import ResilienceConfig, ScanGuard
from agents.scout import SignalsScout
from benchmarks.discovery import Slow
from benchmarks.figure import TIMES, Measured, Ratios, Size
from bot.admission import Admission
from bot.answer import Answer, Question
from bot.asking import Asking, NotNow, Origin
from bot.cards.answer import AnswerCards
from bot.cards.card import Card
from bot.delivery.answers import AnswerDelivery
from bot.guild_settings import DEFAULTS, Operator

NAME = "fairness"
LIMIT = 2.0
FLOOD = 1000
_PAIRS = {Size.FULL: 11, Size.TINY: 1}
_AGAIN_S = 0.05
"""Who is refused asks again after this long, for as long as the flood lasts."""


class _Page:
    """Where an answer is shown; remembers the last card."""

    def __init__(self) -> None:
        self.shown: list[Card] = []

    async def edit(self, card: Card) -> None:
        self.shown.append(card)


class _Kept:
    def put(self, answer: Answer) -> None:
        """Nothing is read back here."""


async def measure(size: Size) -> list[Measured]:
    """Guild B's time beside the flood against its time alone, taken in turns."""
    alone, beside = [], []
    async with AsyncExitStack() as stack:
        asking = await _asking(stack)
        for pair in range(_PAIRS[size]):
            alone.append(await _question_of_b(asking, pair, "alone"))
            flood = asyncio.create_task(_flood(asking, pair))
            await asyncio.sleep(0.1)
            beside.append(await _question_of_b(asking, pair, "beside"))
            flood.cancel()
            await asyncio.wait((flood,))
    ratios = Ratios(beside, alone)
    figure = f"guild B's one question while guild A sends {FLOOD:,}, against idle"
    return [Measured(figure, ratios.median, LIMIT, TIMES, ratios.details(1000, "ms"))]


async def _asking(stack: AsyncExitStack) -> Asking:
    bus, source = MemoryBus(), Slow("slow")
    fetch = await stack.enter_async_context(HttpFetch(user_agent="benchmark"))
    scout = SignalsScout(bus, [source], ScanGuard(fetch, ResilienceConfig(), limits={}))
    await stack.enter_async_context(scout)
    titles = {source.spec.name: source.spec.title}
    delivery = AnswerDelivery(bus.emit, AnswerCards(titles), titles, _Kept(), _nowhere)
    bus.subscribe(SIGNALS_PROGRESS, delivery.on_progress)
    bus.subscribe(SIGNALS_RESPONSE, delivery.on_response)
    operator = Operator(sources=titles)
    return Asking([source.spec], {}, Admission(cooldown_s=0.0), delivery, operator=operator, answer_timeout_s=20.0)


async def _nowhere(*_place: Any) -> bool:
    return False


async def _question_of_b(asking: Asking, pair: int, query: str) -> float:
    started = time.perf_counter()
    page = await _ask(asking, "2", pair, f"{query} {pair}")
    assert page.shown
    return time.perf_counter() - started


async def _ask(asking: Asking, guild: str, user_id: int, query: str) -> _Page:
    page = _Page()

    async def begin(_question: Question, _private: bool) -> _Page:
        return page

    question = asking.question("slow", {"query": query}, DEFAULTS)
    await asking.ask(question, Origin(guild, user_id, int(guild)), DEFAULTS, begin)
    return page


async def _flood(asking: Asking, pair: int) -> None:
    """A thousand people of guild A, each with questions of their own, who do not take no for an answer."""

    async def insist(person: int) -> None:
        for attempt in count():
            try:
                await _ask(asking, "1", person + 1000, f"flood {pair} {person} {attempt}")
            except NotNow:
                await asyncio.sleep(_AGAIN_S)

    async with asyncio.TaskGroup() as people:
        for person in range(FLOOD):
            people.create_task(insist(person))
