"""The whole page without a mouse, without sight of the screen, and with tired eyes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page as Tab
from playwright.async_api import expect

from tests.sandbox.clients import Rest, register
from tests.sandbox.page import samples
from tests.sandbox.page.conftest import Scene
from tests.sandbox.page.harness import CAPTURED, WEAK_CONTRASTS
from tests.sandbox.page.person import ANSWER_MS, Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMELESS = re.compile(
    r"^\s*- (?:button|link|combobox|textbox|checkbox|radio|tab|img|listbox|dialog)(?: \[[^]]*\])*:?$", re.MULTILINE
)
TOLD = "() => [...document.querySelectorAll('[role=status]')].map((one) => one.textContent).filter(Boolean)"


class Bot:
    """Says things in #general through Discord's API, as a bot does."""

    def __init__(self, scene: Scene, rest: Rest) -> None:
        self._channel = scene.stage.servers[0].first_text_channel()
        self.rest = rest

    async def say(self, **body: Any) -> str:
        """Post; gives the message's id."""
        answer = await self.rest.post(self._channel, **body)
        assert answer.status == 200, answer.body
        return str(answer.body["id"])

    async def edit(self, message_id: str, **body: Any) -> None:
        answer = await self.rest("PATCH", f"/channels/{self._channel.id}/messages/{message_id}", body)
        assert answer.status == 200, answer.body


@pytest_asyncio.fixture(loop_scope="session")
async def bot(scene: Scene) -> AsyncIterator[Bot]:
    """A bot that has registered the real one's commands."""
    async with aiohttp.ClientSession() as session:
        rest = Rest(session, scene.discord)
        known = [
            {name: one[name] for name in ("name", "description", "options") if name in one}
            for one in CAPTURED["commands"]
        ]
        assert (await register(rest, known)).status == 200
        yield Bot(scene, rest)


async def opened(tab: Tab, scene: Scene) -> None:
    await tab.goto(scene.page.url)
    await expect(tab.get_by_role("radio").first).to_be_visible()


# -- without a mouse


async def test_a_setting_is_changed_with_keys_alone_and_the_focus_is_never_lost(person: Person) -> None:
    tab, keys = person.tab, person.tab.keyboard
    await person.go("general", "Night Shift")
    await tab.get_by_role("radio", checked=True).focus()
    await keys.press("ArrowDown")
    await keys.press("ArrowDown")
    await expect(tab.get_by_role("radio", name="Olga")).to_be_checked()
    await keys.type("/config panel ")
    await expect(tab.locator("#composer .command-name")).to_have_text("/config panel", timeout=ANSWER_MS)
    await keys.press("Enter")
    menu = person.last.get_by_role("combobox", name="Choose a setting")
    await expect(menu).to_be_visible(timeout=ANSWER_MS)
    await keys.press("Shift+Tab")
    await keys.press("Shift+Tab")
    await expect(menu).to_be_focused()
    await keys.press("ArrowDown")
    await keys.type("min_score")
    await keys.press("Enter")
    change = person.last.get_by_role("button", name="Change")
    await expect(change).to_be_visible(timeout=ANSWER_MS)
    await expect(menu).to_be_focused()
    await keys.press("Tab")
    await expect(change).to_be_focused()
    await keys.press("Enter")
    entry = tab.get_by_role("dialog").get_by_role("textbox")
    await expect(entry).to_be_focused(timeout=ANSWER_MS)
    await keys.press("ControlOrMeta+a")
    await keys.type("0.1")
    await keys.press("Enter")
    await expect(tab.get_by_role("dialog")).to_have_count(0)
    await expect(person.last).to_contain_text("0 → 0.1", timeout=ANSWER_MS)
    await expect(change).to_be_focused()


async def test_whoever_begins_to_type_types_a_message(scene: Scene, bot: Bot, tab: Tab) -> None:
    await opened(tab, scene)
    await tab.get_by_role("button", name=re.compile("^after-dark")).click()
    await tab.keyboard.type("/hel")
    await expect(tab.get_by_role("option").first).to_contain_text("/help")
    await expect(tab.locator(".composer-text")).to_have_text("/hel")


async def test_the_composer_can_be_left_with_tab_in_both_directions(scene: Scene, bot: Bot, tab: Tab) -> None:
    await opened(tab, scene)
    box = tab.locator(".composer-text")
    for key in ("Tab", "Shift+Tab"):
        await box.focus()
        await tab.keyboard.press(key)
        await expect(box).not_to_be_focused()


async def test_dismissing_a_message_keeps_the_place_in_the_log(scene: Scene, bot: Bot, tab: Tab) -> None:
    await opened(tab, scene)
    await bot.say(content="first")
    exchange = await scene.discord.send_command(
        scene.stage.people[0], scene.stage.servers[0].first_text_channel(), "help"
    )
    callback = f"/interactions/{exchange.interaction_id}/{exchange.token}/callback"
    answer = await bot.rest("POST", callback, {"type": 4, "data": {"content": "only you", "flags": 64}})
    assert answer.status < 300
    await tab.get_by_role("button", name="Dismiss message").click()
    await expect(tab.get_by_role("article")).to_have_count(1)
    await expect(tab.get_by_role("region", name="Messages")).to_be_focused()


# -- without sight of the screen


async def test_everything_that_can_be_used_has_a_name_and_every_id_is_one_of_a_kind(
    scene: Scene, bot: Bot, tab: Tab
) -> None:
    await opened(tab, scene)
    await bot.say(embeds=[samples.FULL_EMBED])
    await bot.say(components=CAPTURED["panel_limit"]["components"], content="panel")
    await tab.keyboard.type("/")
    await expect(tab.get_by_role("option").first).to_be_visible()
    for name in ("Inspect", "Try"):
        await tab.get_by_role("tab", name=name).click()
        assert NAMELESS.findall(await tab.locator("body").aria_snapshot()) == []
    ids: list[str] = await tab.evaluate("() => [...document.querySelectorAll('[id]')].map(({id}) => id)")
    assert sorted(ids) == sorted(set(ids))


async def test_an_answer_in_progress_is_told_once_it_rests(scene: Scene, bot: Bot, tab: Tab) -> None:
    """New messages are read as they come; of one that changes every second only the last version is."""
    await tab.clock.install()
    await opened(tab, scene)
    message_id = await bot.say(content="asking")
    article = tab.get_by_role("article").last
    await expect(article).to_contain_text("asking")
    assert await article.get_attribute("aria-live") is None
    for step in ("one of three", "two of three", "all three"):
        await bot.edit(message_id, content=step)
        await expect(article).to_contain_text(step)
        assert await tab.evaluate(TOLD) == []
    await expect(article).to_have_attribute("aria-live", "off")
    await expect(tab.get_by_role("log").get_by_role("listitem")).to_have_count(0)
    await tab.clock.fast_forward(2_000)
    assert await tab.evaluate(TOLD) == ["Signals Scout changed a message: all three"]


# -- with tired eyes


async def test_every_text_of_the_page_can_be_read(scene: Scene, bot: Bot, tab: Tab) -> None:
    """The contrast of every text against what is behind it is 4.5 to 1 or more (WCAG AA)."""
    await opened(tab, scene)
    await bot.say(content=f"<#{scene.stage.servers[0].first_text_channel().id}> `code`", embeds=[samples.FULL_EMBED])
    for channel in ("news", "ideas", "general"):
        await tab.get_by_role("button", name=re.compile(f"^{channel},")).click()
        for name in ("Inspect", "Try"):
            await tab.get_by_role("tab", name=name).click()
            assert await weak_in_both_themes(tab) == []
    await tab.keyboard.type("/signals reddit limit:99")
    await tab.keyboard.press("Escape")
    await tab.keyboard.press("Enter")
    await expect(tab.locator(".option-error")).to_have_text("Write a number, 1 to 25.")
    assert await weak_in_both_themes(tab) == []


async def weak_in_both_themes(tab: Tab) -> list[str]:
    weak: list[str] = []
    for theme in ("dark", "light"):
        await tab.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        weak += await tab.evaluate(WEAK_CONTRASTS)
    return weak


async def test_no_width_makes_the_page_scroll_sideways(scene: Scene, bot: Bot, tab: Tab) -> None:
    await opened(tab, scene)
    await bot.say(embeds=CAPTURED["answer"]["embeds"], components=CAPTURED["answer"]["components"])
    await expect(tab.get_by_role("article")).to_be_visible()
    for width in (320, 390, 760, 1149):
        await tab.set_viewport_size({"width": width, "height": 700})
        for element in ("documentElement", "querySelector('#scroll')"):
            assert await tab.evaluate(f"() => document.{element}.scrollWidth") <= width
