"""Our bot and the bare one, each a process of its own against a local Discord in a process of its own.

Linux only: the processor time of another process is read from its clock.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.figure import Ratios
from bot.demo_bot import end_process
from sandbox.upstreams import SampleUpstreams

GUILDS = 8
PEOPLE_PER_GUILD = 4
START_TIMEOUT_S = 60.0
LOAD_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 15.0
_ROOT = Path(__file__).resolve().parent.parent
_BARE_BOT = Path(__file__).with_name("bare_bot.py")
_NOBODY_WAITS = {
    "USER_COOLDOWN_S": "0",
    "USER_BURST": "10000",
    "GUILD_CONCURRENCY": "100",
    "GUILD_QUEUE": "1000",
    "MAX_CONCURRENCY": "1000",
}
"""Refusals and waiting in line would be cheaper than answers."""
_INHERITED = ("PATH", "HOME", "LANG", "TZ")
"""All that the processes inherit: an operator's own variables must not change what is measured."""


class DidNotWork(Exception):
    """A bot or the local Discord did not do what the measurement needs."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of commands cost and how long it took."""

    cpu_s: float
    """Processor time of the bot's process, all threads, user and system."""
    acknowledged_s: list[float]
    answered_s: list[float]


class Bot:
    """A bot's process and the local Discord that it is connected to."""

    def __init__(
        self, process: asyncio.subprocess.Process, control: "Control", people: list[tuple[str, str]], line: str
    ) -> None:
        # The clock of another process, as clock_getcpuclockid(3) makes it: in nanoseconds, where /proc has ticks.
        self._clock = (~process.pid << 3) | 2
        self._control = control
        self._people = people
        self._line = line

    async def load(self, times: int, in_flight: int) -> Load:
        """Type the command so many times and wait for every answer; raises ``DidNotWork`` if one is missing."""
        before = time.clock_gettime(self._clock)
        told = await self._control.post(
            "load", {"people": self._people, "line": self._line, "times": times, "in_flight": in_flight}
        )
        cpu_s = time.clock_gettime(self._clock) - before
        if told["unanswered"] or told["unacknowledged"]:
            raise DidNotWork(f"{self._line}: {told['unanswered']} of {times} were not answered")
        return Load(cpu_s, told["acknowledged_s"], told["answered_s"])

    async def card(self) -> dict[str, Any]:
        """The embed and buttons of the answer, once it is cached."""
        await self.load(1, 1)
        user, channel = self._people[0]
        told = await self._control.post(
            "type", {"user": user, "channel": channel, "line": self._line, "wait": "message"}
        )
        return _card(told["messages"][0])


@dataclass(frozen=True, slots=True)
class Control:
    """The local Discord's control interface, over HTTP."""

    session: aiohttp.ClientSession
    url: str

    async def post(self, action: str, body: dict[str, Any]) -> Any:
        async with self.session.post(f"{self.url}/{action}", json=body) as response:
            told = await response.json()
            if response.status != 200:
                raise DidNotWork(f"{action}: {told}")
            return told

    async def get(self, what: str) -> Any:
        async with self.session.get(f"{self.url}/{what}") as response:
            return await response.json()


def _card(message: dict[str, Any]) -> dict[str, Any]:
    """What a person sees of a message, however its sender wrote it."""
    embed = message["embeds"][0]
    buttons = [button for row in message["components"] for button in row["components"]]
    return {
        "title": embed["title"],
        "description": embed["description"],
        "colour": embed["color"],
        "fields": [[field["name"], field["value"]] for field in embed.get("fields", ())],
        "footer": embed["footer"]["text"],
        "buttons": [
            {
                "label": button["label"],
                "custom_id": button["custom_id"],
                "emoji": button["emoji"]["name"],
                "style": button["style"],
                "disabled": button.get("disabled", False),
            }
            for button in buttons
        ],
    }


async def compare(pairs: int, commands: int, in_flight: int, value: Callable[[Load], float]) -> Ratios:
    """What ``value`` says of batches of so many commands, ours against the bare bot's, in batches that take turns."""
    ours: list[float] = []
    reference: list[float] = []
    async with running_bots() as bots:
        for bot in bots:
            await bot.load(commands, in_flight)
        for pair in range(pairs):
            for bot in bots if pair % 2 else reversed(bots):
                load = await bot.load(commands, in_flight)
                (ours if bot is bots[0] else reference).append(value(load))
    return Ratios(ours, reference)


@asynccontextmanager
async def running_bots(folder: Path | None = None) -> AsyncIterator[tuple[Bot, Bot]]:
    """Ours and the bare one, connected, their answers cached; logs go to ``folder`` (default: a temporary one)."""
    async with AsyncExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-benchmark-")))
        timeout = aiohttp.ClientTimeout(total=LOAD_TIMEOUT_S)
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        upstreams = await stack.enter_async_context(SampleUpstreams())
        settings = {
            **upstreams.env(),
            **_NOBODY_WAITS,
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'signals.db'}",
            "HTTP_PORT": "0",
        }
        ours = await _bot(stack, session, folder, "ours", ["-m", "bot", "run"], "/signals reddit", settings)
        card = await ours.card()
        path = folder / "card.json"
        path.write_text(json.dumps(card), encoding="utf-8")
        bare = await _bot(stack, session, folder, "bare", [str(_BARE_BOT), str(path)], "/signals", {})
        if await bare.card() != card:
            raise DidNotWork("the bare bot does not answer with the same card")
        yield ours, bare


async def _bot(
    stack: AsyncExitStack,
    session: aiohttp.ClientSession,
    folder: Path,
    name: str,
    program: list[str],
    line: str,
    settings: dict[str, str],
) -> Bot:
    """Start a local Discord and a bot that is connected to it."""
    kept = {variable: os.environ[variable] for variable in _INHERITED if variable in os.environ}
    environment = {**kept, "PYTHONPATH": str(_ROOT)}
    discord = await stack.enter_async_context(
        _process(["-m", "sandbox", "--no-validate", "--no-limits"], environment, folder, f"{name}-discord")
    )
    assert discord.stdout is not None
    said = json.loads(await asyncio.wait_for(discord.stdout.readline(), START_TIMEOUT_S))
    control = Control(session, said["control_url"])
    people = await _people(control)
    environment |= {
        **settings,
        "DISCORD_TOKEN": said["token"],
        "DISCORD_API_URL": said["api_url"],
        "DISCORD_GATEWAY_URL": said["gateway_url"],
    }
    process = await stack.enter_async_context(_process(program, environment, folder, name))
    await _connected(control, process, folder / f"{name}.log")
    return Bot(process, control, people, line)


async def _people(control: Control) -> list[tuple[str, str]]:
    """People in several servers, each with the channel that they type in."""
    people = []
    for number in range(GUILDS):
        guild = await control.post("guilds", {"name": f"server {number}"})
        channel = guild["channels"][0]["id"]
        for person in range(PEOPLE_PER_GUILD):
            user = await control.post("users", {"name": f"person {number}.{person}", "guilds": [guild["id"]]})
            people.append((user["id"], channel))
    return people


async def _connected(control: Control, process: asyncio.subprocess.Process, log: Path) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while process.returncode is None:
                state = await control.get("state")
                if state["sessions"] and state["commands"].get("global"):
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        pass
    said = await asyncio.to_thread(log.read_text, errors="replace")
    raise DidNotWork(f"the bot did not start: {said[-2000:]}")


@asynccontextmanager
async def _process(
    arguments: list[str], environment: dict[str, str], folder: Path, name: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process in a folder of its own (so that no .env is read), ended at the end."""
    with (folder / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments,
            env=environment, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        await end_process(process, STOP_TIMEOUT_S)
