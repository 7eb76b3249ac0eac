"""The clock of a demo is moved on its page: what the bot has planned comes, also after a restart."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from playwright.async_api import Page as Tab

from benchmarks.browsing import running_demo

from .person import ANSWER_MS, Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_days_digest_comes_when_a_day_passes_also_for_a_bot_that_was_restarted(
    browser: Browser, tab: Tab
) -> None:
    async with running_demo("--quick", "--port", "0", "--no-browser") as address:
        await tab.goto(address)
        person = Person(tab)
        await expect(tab.get_by_role("radio").first).to_be_visible()
        await person.act_as("Ada")
        offered = tab.get_by_role("listbox").get_by_role("option")
        await person.composer.click()
        for typed in ("/digest add", "general"):
            await tab.keyboard.type(typed)
            await expect(offered.filter(has_text=typed).first).to_be_visible(timeout=ANSWER_MS)
            await tab.keyboard.press("Enter")
        await tab.keyboard.press("Enter")
        await expect(person.last).to_contain_text("daily at 08:00", timeout=ANSWER_MS)
        digests = tab.get_by_role("article").filter(has_text="roll over into the next digest")
        await expect(digests).to_have_count(0)

        await person.open_panel("Try")
        clock = tab.get_by_role("button", name="+ 1 day")
        await clock.click()
        await expect(digests).to_have_count(1, timeout=ANSWER_MS)
        await expect(tab.get_by_text("It is 24 hours ahead.")).to_be_visible()

        await tab.get_by_role("button", name="Restart the bot").click()
        await expect(tab.get_by_text("The bot is starting.")).to_be_visible()
        await expect(tab.get_by_text("The bot is running.")).to_be_visible(timeout=30_000)
        await expect(digests).to_have_count(1)
        await clock.click()
        await expect(digests).to_have_count(2, timeout=ANSWER_MS)
        await tab.goto("about:blank")  # a page that loses its server says so on the console
