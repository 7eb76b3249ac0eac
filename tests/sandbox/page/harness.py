"""The page's modules in a browser without the page: drawn and typed into as tests say, callbacks noted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser
from playwright.async_api import Page as Tab

from sandbox.page.guard import Guard
from sandbox.page.server import STATIC

HERE = Path(__file__).parent
CAPTURED: dict[str, Any] = json.loads((HERE / "captured.json").read_text())
"""What the bot registered and answered in the local Discord, as Discord's JSON."""

WEAK_CONTRASTS = (HERE / "contrasts.js").read_text()
"""Evaluated in a window: its texts that cannot be read well, none where all is right."""

PATIENCE_MS = 5_000


class Harness:
    """A window with the modules in it (``tab``); ada, who owns the server, looks at #general."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    async def begin(self, **more: Any) -> None:
        """Give the modules the captured server; ``more`` replaces parts of the context."""
        users, channels = CAPTURED["users"], CAPTURED["channels"]
        known = {
            "me": next(user for user in users if user["username"] == "ada"),
            "bot": next(user for user in users if user["bot"]),
            "channel": channels[0],
            **{name: CAPTURED[name] for name in ("channels", "roles", "users", "commands")},
        }
        await self.tab.evaluate("given => harness.begin(given)", known | more)

    async def draw(self, *messages: dict[str, Any], **options: Any) -> None:
        """Append the messages to the log."""
        await self.tab.evaluate("([all, how]) => all.forEach(one => harness.draw(one, how))", [messages, options])

    async def mount(self) -> None:
        """Put a composer below the log, and the focus into it."""
        await self.tab.evaluate("() => { harness.mount(); harness.composer.focus(); }")

    async def answer(self, **answers: Any) -> None:
        """What callbacks give from now on; see harness.js."""
        await self.tab.evaluate("given => Object.assign(harness.answers, given)", answers)

    async def release(self, index: int | None = None) -> None:
        """Let held callbacks go on."""
        await self.tab.evaluate("index => harness.release(index)", index)

    async def calls(self, name: str) -> list[list[Any]]:
        """What a callback was given, each time."""
        made: list[list[Any]] = await self.tab.evaluate("() => harness.calls")
        return [given for called, given in made if called == name]


async def longest_task_ms(tab: Tab, script: str, argument: Any = None) -> float:
    """Evaluate the script; how long the longest task of the main thread kept it meanwhile.

    Counted in the thread's own time, so that a busy machine does not lengthen it.
    """
    browser = tab.context.browser
    assert browser is not None
    await browser.start_tracing(page=tab, categories=["toplevel"])
    await tab.evaluate(script, argument)
    events = json.loads(await browser.stop_tracing())["traceEvents"]
    names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    tasks: list[float] = [
        event["tdur"] / 1000
        for event in events
        if event["name"].endswith("RunTask") and names.get(event["tid"]) == "CrRendererMain" and "tdur" in event
    ]
    assert tasks, "nothing was traced"
    return max(tasks)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def harness_url() -> AsyncIterator[str]:
    """Where the modules are served, with the headers of the page itself."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(HERE / (request.match_info["name"] or "harness.html"))

    app = web.Application(middlewares=[Guard("127.0.0.1").middleware])
    app.router.add_static("/static/", STATIC)
    app.router.add_get("/{name:(?:harness\\.(?:js|css))?}", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@dataclass(frozen=True, slots=True)
class Window:
    """A window with the modules loaded, and what went wrong in it."""

    tab: Tab
    wrong: list[str]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def window(browser: Browser, harness_url: str) -> AsyncIterator[Window]:
    """The one window of all tests of the modules."""
    context = await browser.new_context(locale="en-GB", timezone_id="Europe/London")
    tab = await context.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda line: wrong.append(line.text) if line.type in {"error", "warning"} else None)
    tab.on("request", lambda request: None if request.url.startswith(harness_url) else wrong.append(request.url))
    # Somebody must listen from the beginning: else the first dialog may open before it is caught.
    tab.on("filechooser", lambda _: None)
    await tab.goto(harness_url)
    await tab.wait_for_function("window.harness !== undefined")
    yield Window(tab, wrong)
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def harness(window: Window) -> AsyncIterator[Harness]:
    """The window, empty; nothing may go wrong in it, be refused by the policy, or be asked of another machine."""
    await window.tab.set_viewport_size({"width": 1000, "height": 800})
    await window.tab.evaluate("harness.clear()")
    await window.tab.mouse.move(0, 0)
    made = Harness(window.tab)
    await made.begin()
    yield made
    wrong, window.wrong[:] = list(window.wrong), []
    assert wrong == []
