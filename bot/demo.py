"""``python -m bot demo``: the unmodified bot against a Discord and sources on this machine.

People use it on a page in their browser (``sandbox.page``), or in the terminal (``bot.demo_terminal``).
"""

import asyncio
import os
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bot import demo_sources
from bot.demo_bot import START_TIMEOUT_S, BotProcess, traces_to
from bot.demo_terminal import HELP, Talk, converse
from bot.demo_workflow import WorkflowSender
from sandbox.page.controls import Bot, BotState, Controls, Source
from sandbox.page.guard import is_loopback
from sandbox.page.server import Page
from sandbox.page.stage import set_up
from sandbox.server import LocalDiscord
from sandbox.upstreams import SampleUpstreams

ANSWERED, NOT_ANSWERED, BAD_ARGUMENT = 0, 1, 2
FIRST_LINE = "/signals reddit"
PORT = 8420
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - only recognised here
LATENCY_S = {
    "reddit": 1.4, "hackernews": 0.6, "news": 2.2, "bluesky": 0.5, "mastodon": 0.9, "github": 0.7,
    "stackexchange": 0.4, "lobsters": 0.8, "youtube": 0.6, "arxiv": 1.1, "gdelt": 1.3,
}  # fmt: skip
"""So that progress can be seen; real upstreams take about as long."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says. ``port`` None: the usual one if it is free, else any."""

    terminal: bool = False
    once: bool = False
    quick: bool = False
    live: bool = False
    host: str = "127.0.0.1"
    port: int | None = None
    open_browser: bool = True


def run_demo(options: DemoOptions) -> int:
    """Run until the person has had enough. Returns the exit status."""
    try:
        return asyncio.run(_demo(options))
    except KeyboardInterrupt:
        print()
        return ANSWERED
    except asyncio.CancelledError:  # by a signal
        return NOT_ANSWERED


def _end_on_signals() -> None:
    """Cancel the task that calls this, once, so that the bot ends with it: also when the terminal is closed."""
    task = asyncio.current_task()
    assert task is not None

    def end() -> None:
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What the bot is put into; ``live``: the sources that are the real ones."""

    discord: LocalDiscord
    upstreams: SampleUpstreams
    folder: Path
    live: Collection[str]
    quick: bool

    def bot(self, on_end: Callable[[], None], more: Mapping[str, str], *, movable_clock: bool = False) -> BotProcess:
        """The bot's process, not yet started."""
        environment = demo_sources.environment(self.upstreams, self.live) | {
            "DISCORD_TOKEN": self.discord.token,
            "DISCORD_API_URL": self.discord.api_url,
            "DISCORD_GATEWAY_URL": self.discord.gateway_url,
            "DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / 'signals.db'}",
            "X_SPEND_FILE": str(self.folder / "x-spend.json"),
            "TEXT_COMMANDS": "true",
            "HTTP_PORT": "0",
            "USER_COOLDOWN_S": "0" if self.quick else "1",
        }
        return BotProcess(environment | dict(more), self.folder / "bot.log", on_end, movable_clock=movable_clock)

    def sources(self) -> dict[str, Source]:
        """The upstreams by name, as the page shows them."""
        behaviours = self.upstreams.behaviours
        return {
            name: Source(title, None if name in self.live else behaviours[name])
            for name, title in demo_sources.TITLES.items()
        }

    def say_where(self) -> None:
        print("Signals Scout demo: a Discord on this machine, the real bot.")
        real = [title for name, title in demo_sources.TITLES.items() if name in self.live]
        samples = [title for name, title in demo_sources.TITLES.items() if name not in self.live]
        if real:
            print(f"Real sources: {', '.join(real)}. Samples: {', '.join(samples)}.")
        else:
            print("All stories are samples.")
        print(f"The bot's log: {self.folder / 'bot.log'}\n", flush=True)


async def _demo(options: DemoOptions) -> int:
    _end_on_signals()
    live = await demo_sources.reachable() if options.live else set()
    if options.live and not live:
        print("No real source can be reached from here, so these are samples.")
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(LocalDiscord())
        latency_s = {} if options.quick else LATENCY_S
        upstreams = await stack.enter_async_context(SampleUpstreams(latency_s=latency_s))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-scout-")))
        around = _Surroundings(discord, upstreams, folder, live, options.quick)
        if options.terminal or options.once:
            return await _in_terminal(around, stack, once=options.once)
        return await _on_page(around, stack, options)


async def _in_terminal(around: _Surroundings, stack: AsyncExitStack, *, once: bool) -> int:
    guild = around.discord.add_guild("Sample server")
    channel = guild.first_text_channel()
    person = around.discord.add_user("you")
    guild.add_member(person)
    around.say_where()
    ended = asyncio.Event()
    bot = await stack.enter_async_context(around.bot(ended.set, {}))
    if not await _registered(around.discord, bot):
        _say_that_it_did_not_start(bot)
        return NOT_ANSWERED
    talk = Talk(around.discord, channel, person)
    stack.callback(around.discord.subscribe(talk.on_happening))
    answered = await talk.say(FIRST_LINE)
    if not once:
        print(HELP)
        await converse(talk, ended)
    return ANSWERED if answered else NOT_ANSWERED


async def _on_page(around: _Surroundings, stack: AsyncExitStack, options: DemoOptions) -> int:
    behind = Bot(log=str(around.folder / "bot.log"))
    controls = Controls(around.discord, around.sources(), behind)
    stage = set_up(around.discord)

    def page_on(port: int) -> Page:
        return Page(around.discord, stage, controls, host=options.host, port=port, on_key=_say_next_key)

    try:
        page = await stack.enter_async_context(page_on(PORT if options.port is None else options.port))
    except OSError as error:
        if options.port is not None or not is_loopback(options.host):
            print(f"The page cannot be served there: {error.strerror}. Choose another --port or --host.")
            return BAD_ARGUMENT
        page = await stack.enter_async_context(page_on(0))
    workflows = WorkflowSender()
    environment = traces_to(page.spans_url) | workflows.environment()
    bot = around.bot(lambda: behind.now(BotState.ENDED), environment, movable_clock=True)

    async def settle() -> bool:
        is_there = await _registered(around.discord, bot)
        behind.now(BotState.RUNNING if is_there else BotState.ENDED)
        return is_there

    async def restart() -> None:
        behind.now(BotState.STARTING)
        await bot.restart()
        await settle()

    behind.restart = restart
    behind.start_workflow = workflows.send
    behind.advance = bot.advance
    around.say_where()
    print(f"Open  {page.url}  in a browser. Ctrl-C ends.\n", flush=True)
    if options.host in _EVERYWHERE:
        print(f"From another machine, put the name of this one in place of {options.host}.\n", flush=True)
    await stack.enter_async_context(bot)
    if options.open_browser and _has_screen():
        await asyncio.to_thread(webbrowser.open, page.url)
    if not await settle():
        _say_that_it_did_not_start(bot)
        return NOT_ANSWERED
    await asyncio.Event().wait()
    return ANSWERED


def _say_next_key(key: str) -> None:
    print(f"That key is used up. The next browser enters with  ?key={key}", flush=True)


def _say_that_it_did_not_start(bot: BotProcess) -> None:
    print("The bot did not start. Its log ends:\n")
    print(bot.last_lines())


def _has_screen() -> bool:
    """Whether a browser can open a window: without one, a browser of text would take the terminal."""
    if not sys.stdout.isatty():
        return False
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


async def _registered(discord: LocalDiscord, bot: BotProcess) -> bool:
    """Wait until the bot is connected and its commands are known."""
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not (_is_connected(discord) and discord.commands.all()):
                if not bot.runs:
                    return False
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return True


def _is_connected(discord: LocalDiscord) -> bool:
    return any(session.connection is not None for session in discord.gateway.sessions)
