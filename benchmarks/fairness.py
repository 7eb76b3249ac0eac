"""One guild floods the bot over the gateway; another guild's single question must hardly notice.

The bot is ``python -m bot run`` in a process of its own, with its default bounds on people and guilds. The local
Discord, the upstreams and all who type are in this process, so that the flood's work on this side, which would be
Discord's, stands on the other core and delays the question too: that is counted against the bot.
"""

import asyncio
import gc
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count, cycle, product
from pathlib import Path

from benchmarks.figure import TIMES, Measured, Ratios, Size
from benchmarks.two_bots import START_TIMEOUT_S, DidNotWork
from bot.cards.card import Colour
from bot.demo_bot import BotProcess
from sandbox.exchange import Exchange
from sandbox.guilds import Guild, User
from sandbox.messages import Message
from sandbox.server import LocalDiscord
from sandbox.upstreams import SampleUpstreams

NAME = "fairness"
LIMIT = 2.0
FLOOD = 1000
LATENCY_S = 0.3
"""Of each upstream; real ones take as long and longer."""
ANSWER_TIMEOUT_S = 30.0
_SOURCES = ("news", "hackernews", "reddit")
"""In turns: three requests of a question go to one host; two that spend its tokens; one that does."""
_PAIRS = {Size.FULL: 9, Size.TINY: 1}
_PEOPLE = {Size.FULL: FLOOD, Size.TINY: 5}
_INSISTING_S = {Size.FULL: 1.5, Size.TINY: 0.05}


async def measure(size: Size) -> list[Measured]:
    """Guild B's time alone, right behind the flood, and in the midst of it, one after the other."""
    alone, behind, amid = [], [], []
    under_way = []
    async with _running(_PEOPLE[size]) as town:
        for source in _SOURCES:
            await town.question(source)  # starts what is started once
        for _, source in zip(range(_PAIRS[size]), cycle(_SOURCES), strict=False):
            alone.append(await town.question(source))
            async with town.flooded(source):
                behind.append(await town.question(source))
                await asyncio.sleep(_INSISTING_S[size])
                under_way.append(len(town.waiting))
                amid.append(await town.question(source))
    figures = {
        f"guild B's one question right behind {FLOOD:,} of guild A, against idle": behind,
        f"guild B's one question while guild A keeps {FLOOD:,} under way, against idle": amid,
    }
    least = f"; at least {min(under_way):,} under way"
    return [
        Measured(f"{NAME}: {figure}", (ratios := Ratios(times, alone)).median, LIMIT, TIMES,
                 ratios.details(1000, "ms") + (least if times is amid else ""))
        for figure, times in figures.items()
    ]  # fmt: skip


class _Town:
    """Guild A with a flood's worth of people, and guild B with one."""

    def __init__(self, discord: LocalDiscord, people: int) -> None:
        self._discord = discord
        self._a, self._b = discord.add_guild("A"), discord.add_guild("B")
        self._people = [self._person(self._a, f"a{number}") for number in range(people)]
        self._numbers = count()
        self._fresh = {source: product(("7d", "30d"), _WORDS) for source in _SOURCES}
        self.waiting: set[Exchange] = set()
        """What guild A's people have asked and have not been told yet."""

    def _person(self, guild: Guild, name: str) -> User:
        person = self._discord.add_user(name)
        guild.add_member(person)
        return person

    async def question(self, source: str) -> float:
        """Somebody in guild B asks what nobody has asked before, and finds something; how long that took."""
        timeframe, word = next(self._fresh[source])
        somebody = self._person(self._b, f"b{next(self._numbers)}")
        exchange = await self._type(somebody, self._b, f"/signals {source} query:{word} timeframe:{timeframe}")
        message = await exchange.wait_message(ANSWER_TIMEOUT_S, _is_told)
        took_s = self._discord.clock.monotonic() - exchange.created_at
        if not message.embeds or message.embeds[0].get("color") != Colour.ANSWERED:
            raise DidNotWork(f"guild B was not answered: {message.embeds}")
        return took_s

    @asynccontextmanager
    async def flooded(self, source: str) -> AsyncIterator[None]:
        """All people of guild A have typed, each something else; whoever is told asks again, until the block ends."""
        ended = asyncio.Event()
        gc.collect()
        gc.disable()  # this process's own pauses would be taken for the bot's
        try:
            async with asyncio.TaskGroup() as flood:
                for person in self._people:
                    flood.create_task(self._insist(person, source, ended))
                await asyncio.sleep(0)
                if len(self.waiting) != len(self._people):
                    raise DidNotWork("not all of the flood was sent")
                try:
                    yield
                finally:
                    ended.set()
        finally:
            gc.enable()

    async def _insist(self, person: User, source: str, ended: asyncio.Event) -> None:
        while not ended.is_set():
            exchange = await self._type(person, self._a, f"/signals {source} query:flood {next(self._numbers)}")
            self.waiting.add(exchange)
            try:
                if await exchange.wait_acknowledged():
                    await exchange.wait_message(ANSWER_TIMEOUT_S, _is_told)
            finally:
                self.waiting.remove(exchange)

    async def _type(self, person: User, guild: Guild, line: str) -> Exchange:
        return await self._discord.type_command(person, guild.first_text_channel(), line)


_WORDS = ("python", "rust", "packaging", "open", "build", "sample", "files", "power")
"""Found in every source's sample stories."""


def _is_told(message: Message) -> bool:
    """An answer, or a refusal that only the person sees; neither "is thinking" nor progress."""
    return bool(message.components) or (message.ephemeral and not message.loading)


@asynccontextmanager
async def _running(people: int) -> AsyncIterator[_Town]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-benchmark-")))
        discord = await stack.enter_async_context(LocalDiscord(validate=False, enforce_limits=False))
        upstreams = await stack.enter_async_context(SampleUpstreams(latency_s=dict.fromkeys(_SOURCES, LATENCY_S)))
        town = _Town(discord, people)
        environment = upstreams.env() | {
            "DISCORD_TOKEN": discord.token,
            "DISCORD_API_URL": discord.api_url,
            "DISCORD_GATEWAY_URL": discord.gateway_url,
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'signals.db'}",
            "HTTP_PORT": "0",
        }
        bot = await stack.enter_async_context(BotProcess(environment, folder / "bot.log"))
        await _connected(discord, bot)
        yield town


async def _connected(discord: LocalDiscord, bot: BotProcess) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while bot.runs:
                if discord.gateway.sessions and discord.commands.all():
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        pass
    raise DidNotWork(f"the bot did not start: {bot.last_lines()}")
