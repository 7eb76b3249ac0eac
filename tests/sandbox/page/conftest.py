"""One headless Chromium for all tests of the page; where none is installed they skip.

Everything here runs on one loop for the session, because the browser does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, expect
from playwright.async_api import Page as Tab

from benchmarks.browsing import find_chromium, running_browser, running_demo
from sandbox.page.controls import Bot, BotState, Controls, Source
from sandbox.page.server import Page
from sandbox.page.stage import Stage, set_up
from sandbox.server import LocalDiscord
from sandbox.upstreams import Behaviour
from tests.sandbox.page.harness import harness, harness_url, window  # noqa: F401 - fixtures

from .person import Person

_NO_BROWSER = "no Chromium is installed (Debian: apt-get install chromium; or name one in CHROMIUM)"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip(_NO_BROWSER)
    async with running_browser(path) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def address(browser: Browser) -> AsyncIterator[str]:
    """Where the page of the real demo is; one for all tests, which keep out of each other's channels."""
    async with running_demo("--quick", "--port", "0", "--no-browser") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser without any past, with a wide window."""
    made = await browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme="dark")
    made.set_default_timeout(10_000)
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(context: BrowserContext) -> AsyncIterator[Tab]:
    """A tab in which nothing may go wrong: an error of the page's own code fails the test."""
    opened = await context.new_page()
    wrong: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(message.text)

    opened.on("console", hear)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    yield opened
    await opened.close()
    assert wrong == []


@dataclass(frozen=True, slots=True)
class Scene:
    """A page in front of a local Discord that no bot is connected to: tests play the bot."""

    discord: LocalDiscord
    stage: Stage
    controls: Controls
    page: Page
    reddit: Behaviour


@pytest_asyncio.fixture(loop_scope="session")
async def scene() -> AsyncIterator[Scene]:
    async with LocalDiscord(identify_interval_s=0) as discord:
        stage = set_up(discord)
        reddit = Behaviour(0.0)
        sources = {"reddit": Source("Reddit", reddit), "news": Source("News", None)}
        controls = Controls(discord, sources, Bot(BotState.RUNNING))
        async with Page(discord, stage, controls) as page:
            yield Scene(discord, stage, controls, page, reddit)


@pytest_asyncio.fixture(loop_scope="session")
async def person(tab: Tab, address: str) -> Person:
    """Max at the demo's page."""
    await tab.goto(address)
    await expect(tab.get_by_role("radio").first).to_be_visible()
    return Person(tab)
