"""The demo's page: how soon it answers on a fresh clone, how long it blocks the browser, how soon it paints."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, Page

from benchmarks.browsing import ROOT, find_chromium, running_browser, running_demo, send_command
from benchmarks.figure import Measured, NotMeasurable, Size
from sandbox.page.controls import Bot, BotState, Controls
from sandbox.page.server import Page as ServedPage
from sandbox.page.stage import Stage, set_up
from sandbox.server import LocalDiscord

NAME = "page"
CLONE_LIMIT_S = 60.0
TASK_LIMIT_MS = 50.0
PAINT_LIMIT_MS = 200.0
MESSAGES = 200
_PAIRS = {Size.FULL: 15, Size.TINY: 1}
_RUNS = {Size.FULL: 3, Size.TINY: 1}
_MESSAGES = {Size.FULL: MESSAGES, Size.TINY: 20}
_TYPED = "/signals reddit query:what is new in the world of compilers, and who says so?"
_EMPTY = "<!doctype html><html lang=en><meta charset=utf-8><title>Empty</title><body>.</body></html>"


async def measure(size: Size) -> list[Measured]:
    """All three, in one browser."""
    path = find_chromium()
    if path is None:
        raise NotMeasurable("No Chromium is installed: apt-get install chromium, or name one in CHROMIUM.")
    async with running_browser(path) as browser:
        return [await _from_clone(browser, size), await _tasks(browser, size), await _paint(browser, size)]


# -- from the first command to an answer


async def _from_clone(browser: Browser, size: Size) -> Measured:
    """``make demo`` in a fresh clone; the tiny one starts the demo of this directory instead."""
    arguments = ("--port", "0", "--no-browser")
    if size is Size.TINY:
        took = await _until_answered(browser, running_demo(*arguments, "--quick"))
    else:
        with TemporaryDirectory(prefix="signals-scout-clone-") as folder:
            clone = Path(folder) / "clone"
            await _clone(clone)
            command = ("make", "demo", f"ARGS={' '.join(arguments)}")
            demo = running_demo(command=command, folder=clone, variables=_with_uv(), quiet=True)
            took = await _until_answered(browser, demo)
    served_s, answered_s = took
    figure = "page: from make demo on a fresh clone, packages in uv's cache, to /signals reddit answered"
    return Measured(figure, answered_s, CLONE_LIMIT_S, "s", f"the page was served after {served_s:.1f} s")


async def _until_answered(browser: Browser, demo: AbstractAsyncContextManager[str]) -> tuple[float, float]:
    """Seconds until the page was served, and until it had answered."""
    began = time.monotonic()
    async with demo as address:
        served_s = time.monotonic() - began
        page = await browser.new_page()
        await page.goto(address)
        await send_command(page, "/signals reddit", timeout_ms=60_000)
        await page.get_by_text("stories found").first.wait_for(timeout=60_000)
        answered_s = time.monotonic() - began
        await page.close()
    return served_s, answered_s


async def _clone(where: Path) -> None:
    process = await asyncio.create_subprocess_exec("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(where))
    if await process.wait() != 0:
        raise RuntimeError("the repository could not be cloned")


def _with_uv() -> dict[str, str]:
    """The environment, with the uv that is here on the path: fetching it is not what is measured."""
    return {**os.environ, "PATH": f"{ROOT / '.uv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}


# -- the main thread


async def _tasks(browser: Browser, size: Size) -> Measured:
    """The longest task while a command is typed, and while messages arrive and are scrolled through."""
    longest: dict[str, float] = {}
    longest_wall_ms = 0.0
    async with LocalDiscord(validate=False) as discord:
        stage = set_up(discord)
        discord.commands.replace_all(None, json.loads(_COMMANDS))
        async with ServedPage(discord, stage, Controls(discord, {}, Bot(BotState.RUNNING))) as served:
            for _ in range(_RUNS[size]):
                page = await browser.new_page(viewport={"width": 1280, "height": 900})
                await page.goto(served.url)
                await page.locator("#composer").get_by_role("combobox").last.click()
                for what, work in (("typing", _type), ("scrolling", _scroll)):
                    await browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
                    await work(page, discord, stage, _MESSAGES[size])
                    trace = json.loads(await browser.stop_tracing())
                    for cpu_ms, wall_ms in _main_thread(trace):
                        longest[what] = max(longest.get(what, 0.0), cpu_ms)
                        longest_wall_ms = max(longest_wall_ms, wall_ms)
                await page.close()
    figure = f"page: longest task of the main thread, typing and while {MESSAGES} messages come and are scrolled"
    each = ", ".join(f"{what} {ms:.0f} ms" for what, ms in longest.items())
    details = (
        f"processor time, of {_RUNS[size]} runs: {each}; with all that it waited for others {longest_wall_ms:.0f} ms"
    )
    return Measured(figure, max(longest.values()), TASK_LIMIT_MS, "ms", details)


async def _type(page: Page, _: LocalDiscord, __: Stage, ___: int) -> None:
    await page.keyboard.type(_TYPED, delay=15)
    for _key in range(len(_TYPED)):
        await page.keyboard.press("Backspace")


async def _scroll(page: Page, discord: LocalDiscord, stage: Stage, messages: int) -> None:
    """Answers as large as the bot's arrive; meanwhile and afterwards somebody scrolls up and down."""
    channel = stage.servers[0].first_text_channel()
    seen = page.locator("#log article")
    before = await seen.count()
    await page.mouse.move(600, 400)
    for number in range(messages):
        await discord.say(stage.people[number % 2], channel, _TEXT.format(number=number))
        if number % 10 == 0:
            await page.mouse.wheel(0, -400)
    await page.wait_for_function(
        "wanted => document.querySelectorAll('#log article').length >= wanted", arg=before + messages
    )
    for step in range(40):
        await page.mouse.wheel(0, -900 if step < 20 else 900)
        await asyncio.sleep(0.016)


def _main_thread(trace: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """For each task of the page's main thread its processor time, and how long it took altogether, in ms."""
    events = trace["traceEvents"]
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    for event in events:
        is_task = event.get("name") in {"RunTask", "ThreadControllerImpl::RunTask"} and event.get("ph") == "X"
        if is_task and (event["pid"], event["tid"]) in mains:
            yield event.get("tdur", 0) / 1000, event["dur"] / 1000


# -- the first paint


async def _paint(browser: Browser, size: Size) -> Measured:
    """Each time in a browser without a past, the page and an empty one in turns."""
    ours: list[float] = []
    empty: list[float] = []
    async with LocalDiscord(validate=False) as discord:
        controls = Controls(discord, {}, Bot(BotState.RUNNING))
        async with ServedPage(discord, set_up(discord), controls) as served, _EmptyPage() as other:
            for pair in range(_PAIRS[size]):
                both = [(served.url, ours), (other.url, empty)]
                for url, times in both if pair % 2 else reversed(both):
                    times.append(await _first_paint_ms(browser, url))
    later = [mine - theirs for mine, theirs in zip(ours, empty, strict=True)]
    details = (
        f"{median(ours):.0f} ms against {median(empty):.0f} ms; {len(later)} pairs, the worst {max(later):.0f} ms"
    )
    figure = "page: first paint, later than an empty page's in the same browser"
    return Measured(figure, max(median(later), 0.1), PAINT_LIMIT_MS, "ms", details)


async def _first_paint_ms(browser: Browser, url: str) -> float:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(url)
    found = await page.wait_for_function("performance.getEntriesByName('first-paint')[0]?.startTime")
    first: float = await found.json_value()
    await context.close()
    return first


class _EmptyPage:
    """Serves next to nothing."""

    async def __aenter__(self) -> "_EmptyPage":
        app = web.Application()
        app.router.add_get("/", self._serve)
        app.router.add_get("/favicon.ico", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, _: web.Request) -> web.Response:
        return web.Response(text=_EMPTY, content_type="text/html")


_TEXT = (
    "**{number}. [A headline of ordinary length about something](https://example.com/{number})**\n"
    "> quoted, with `code` and *emphasis* · <t:1700000000:R>\n-# small print under it ||and a spoiler||"
)
_COMMANDS = json.dumps(
    [
        {
            "name": "signals",
            "description": "What is fresh and worth knowing, ranked",
            "options": [
                {
                    "name": name,
                    "description": "Posts",
                    "type": 1,
                    "options": [
                        {"name": "query", "description": "Words to look for", "type": 3},
                        {"name": "limit", "description": "How many", "type": 4},
                    ],
                }
                for name in ("reddit", "hackernews", "news", "twitter", "all")
            ],
        }
    ]
)
