"""The page itself in a real browser; the test plays the bot."""

from __future__ import annotations

import pytest
from playwright.async_api import Page as Tab
from playwright.async_api import expect

from .conftest import Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_shows_what_is_said(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    channel = scene.stage.servers[0].first_text_channel()
    await scene.discord.say(scene.stage.people[1], channel, "**Hello** there")
    await expect(tab.get_by_role("article").last).to_contain_text("Hello there")
    await expect(tab.get_by_role("article").last.locator("strong")).to_have_text("Hello")
