"""Somebody at the demo's page."""

from __future__ import annotations

import re

from playwright.async_api import Locator, expect
from playwright.async_api import Page as Tab

from benchmarks.browsing import send_command

ANSWER_MS = 20_000


class Person:
    """Somebody at the page: reads what is shown, and types and presses as people do."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.composer = tab.locator("#composer").get_by_role("combobox").last

    async def act_as(self, name: str) -> None:
        await self.tab.locator("#people label").filter(has_text=name).click()
        await expect(self.tab.get_by_role("radio", name=name)).to_be_checked()

    async def go(self, channel: str, server: str | None = None) -> None:
        if server is not None:
            await self.tab.get_by_role("button", name=server).click()
        await self.tab.get_by_role("button", name=re.compile(f"^{channel},")).click()

    async def send(self, command: str) -> None:
        """Complete the command with Enter, send it with Enter."""
        await send_command(self.tab, command, timeout_ms=ANSWER_MS)

    @property
    def last(self) -> Locator:
        return self.tab.get_by_role("article").last

    async def answered(self) -> Locator:
        """The last message, when it is a whole answer."""
        await expect(self.last).to_contain_text("stories found", timeout=ANSWER_MS)
        return self.last

    async def press(self, button: str, message: Locator | None = None) -> None:
        await (message or self.last).get_by_role("button", name=button).click()

    async def choose(self, menu: str, option: str) -> None:
        await self.last.get_by_role("combobox", name=menu).click()
        await self.tab.get_by_role("option", name=option).click()

    async def open_panel(self, name: str) -> None:
        await self.tab.get_by_role("tab", name=name).click()
