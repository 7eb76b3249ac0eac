"""A digest from its making to its buttons, by the demo's real bot, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from .person import ANSWER_MS, Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_digest_is_made_in_four_choices_arrives_and_its_buttons_work(person: Person) -> None:
    await person.act_as("Ada")
    await person.send("/setup")
    await expect(person.last).to_contain_text("A digest in four choices", timeout=ANSWER_MS)
    await person.choose("1. Where", "news")
    await expect(person.last).to_contain_text("#news", timeout=ANSWER_MS)
    sources = person.last.get_by_role("combobox", name="2. Which sources")
    await sources.click()
    for name in ("News", "Hacker News"):
        await person.tab.get_by_role("option", name=name, exact=True).click()
    await sources.press("Tab")
    await expect(person.last).to_contain_text("Sources: News, Hacker News", timeout=ANSWER_MS)
    await person.press("Make it and post the first one")
    await expect(person.last).to_contain_text("It runs daily at 08:00 (UTC)", timeout=ANSWER_MS)

    await person.go("news")
    digest = person.tab.get_by_role("article").filter(has_text="roll over into the next digest").first
    await expect(digest).to_be_visible(timeout=ANSWER_MS)
    await expect(digest.get_by_role("heading", name="Hacker News", exact=True)).to_be_visible()
    await person.press("Why these?", digest)
    await expect(person.last).to_contain_text("Why this item", timeout=ANSWER_MS)
    await expect(person.last).to_contain_text("Only you can see this")

    await person.press("Mute a word", digest)
    form = person.tab.get_by_role("dialog", name="Mute a word")
    await form.get_by_role("textbox").fill("zeppelin")
    await form.get_by_role("button", name="Submit").click()
    await expect(person.last).to_contain_text("zeppelin", timeout=ANSWER_MS)
    await expect(form).to_have_count(0)

    await person.open_panel("Try")
    await person.tab.get_by_role("button", name="Send workflow:started").click()
    await expect(person.tab.get_by_text("The bot started workflow")).to_be_visible(timeout=ANSWER_MS)
    second = person.tab.get_by_role("article").filter(has_text="Why these?").nth(1)
    await expect(second).to_contain_text("new ·", timeout=ANSWER_MS)


async def test_a_digest_that_a_bot_was_restarted_after_still_has_its_buttons(person: Person) -> None:
    await person.go("general", "Night Shift")
    await person.act_as("Olga")
    await person.send("/setup")
    await person.choose("1. Where", "general")
    await expect(person.last).to_contain_text("#general", timeout=ANSWER_MS)
    await person.press("Make it and post the first one")
    digest = person.tab.get_by_role("article").filter(has_text="Why these?").last
    await expect(digest).to_be_visible(timeout=ANSWER_MS)
    await person.open_panel("Try")
    await person.tab.get_by_role("button", name="Restart the bot").click()
    await expect(person.tab.get_by_text("The bot is starting.")).to_be_visible()
    await expect(person.tab.get_by_text("The bot is running.")).to_be_visible(timeout=30_000)
    await person.press("Why these?", digest)
    await expect(person.last).to_contain_text("Why this item", timeout=ANSWER_MS)
