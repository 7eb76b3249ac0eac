"""The page itself in a real browser; the test plays the bot."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from playwright.async_api import BrowserContext, WebSocketRoute, expect
from playwright.async_api import Page as Tab

from benchmarks.browsing import send_command
from sandbox import posting
from sandbox.guilds import Channel
from sandbox.messages import Message
from sandbox.page.controls import Bot, BotState, Controls
from sandbox.page.server import Page
from sandbox.page.stage import set_up
from sandbox.server import LocalDiscord
from sandbox.upstreams import Fault as SourceFault
from tests.sandbox.clients import Rest, register

from .conftest import Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_shows_what_is_said(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    channel = scene.stage.servers[0].first_text_channel()
    await scene.discord.say(scene.stage.people[1], channel, "**Hello** there")
    await expect(tab.get_by_role("article").last).to_contain_text("Hello there")
    await expect(tab.get_by_role("article").last.locator("strong")).to_have_text("Hello")


def button(content: str = "Page 1") -> posting.Draft:
    """A message of the bot's with a button under it."""
    row = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Next", "custom_id": "next"}]}
    return posting.Draft(content, None, [row], None, None, None, other=False)


def say(scene: Scene, channel: Channel, made: posting.Draft, **fields: Any) -> Message:
    """Say something as the bot."""
    backend = scene.discord.backend
    message = posting.create(backend, channel, scene.discord.bot_user, made, **fields)
    posting.announce(backend, message, "MESSAGE_CREATE")
    return message


async def test_two_browsers_see_the_same_each_as_whom_they_chose(
    scene: Scene, tab: Tab, context: BrowserContext
) -> None:
    other = await context.browser.new_context() if context.browser else context
    second = await other.new_page()
    for window in (tab, second):
        await window.goto(scene.page.url)
    await second.locator("#people label").filter(has_text="Ada").click()
    general = scene.stage.servers[0].first_text_channel()
    say(scene, general, button("For all"))
    say(scene, general, button("For Ada"), flags=64, visible_to=scene.stage.people[1].id)
    await expect(second.get_by_role("article").last).to_contain_text("For Ada")
    await expect(second.get_by_role("article").last).to_contain_text("Only you can see this")
    await expect(tab.get_by_role("article")).to_have_count(1)
    await expect(tab.get_by_role("article")).to_contain_text("For all")
    await other.close()


async def test_who_lost_the_server_goes_on_where_they_left_off(scene: Scene, tab: Tab) -> None:
    sockets: list[WebSocketRoute] = []

    def pass_on(opened: WebSocketRoute) -> None:
        sockets.append(opened)
        opened.connect_to_server()

    await tab.route_web_socket("**/ws*", pass_on)
    await tab.goto(scene.page.url)
    general = scene.stage.servers[0].first_text_channel()
    say(scene, general, button("One"))
    await expect(tab.get_by_role("article")).to_have_count(1)
    await tab.get_by_role("article").evaluate("element => element.classList.add('kept')")
    await sockets[0].close()
    say(scene, general, button("Two"))
    await expect(tab.get_by_role("article")).to_have_count(2)
    await expect(tab.locator("article.kept")).to_contain_text("One")
    await expect(tab.locator("#connection")).to_be_empty()
    assert "epoch=" in sockets[-1].url


async def test_a_server_that_was_started_anew_is_gone_on_with_as_the_same_person_in_the_same_place(
    scene: Scene, tab: Tab
) -> None:
    await tab.goto(scene.page.url)
    await tab.locator("#people label").filter(has_text="Ada").click()
    await tab.get_by_role("button", name="Night Shift").click()
    await tab.get_by_role("button", name="after-dark").click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("after-dark")
    async with LocalDiscord(identify_interval_s=0) as discord:
        controls = Controls(discord, {}, Bot(BotState.RUNNING))
        async with Page(discord, set_up(discord), controls) as again:
            with_kept = await tab.context.storage_state()
            (kept,) = with_kept["origins"]
            # As if it were at the same address: its storage holds the same when the page begins.
            place = json.dumps([again.url, kept["localStorage"][0]["name"], kept["localStorage"][0]["value"]])
            await tab.add_init_script(
                f"const [url, name, value] = {place}; if (location.href === url) localStorage.setItem(name, value);"
            )
            await tab.goto(again.url)
            await expect(tab.get_by_role("radio", name="Ada")).to_be_checked()
            await expect(tab.get_by_role("heading", level=1)).to_have_text("after-dark")
            await expect(tab.get_by_role("heading", level=2, name="Night Shift")).to_be_visible()
            await tab.goto("about:blank")


async def test_an_edit_keeps_the_keyboards_place(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    message = say(scene, scene.stage.servers[0].first_text_channel(), button())
    pressed = tab.get_by_role("button", name="Next")
    await pressed.focus()
    posting.edit(scene.discord.backend, message, button("Page 2"))
    await expect(tab.get_by_role("article")).to_contain_text("Page 2")
    await expect(pressed).to_be_focused()


async def test_the_menu_of_a_message_opens_where_it_is_asked_for_and_closes_again(scene: Scene, tab: Tab) -> None:
    known: list[dict[str, Any]] = [
        {"name": "ask", "description": "Ask"},
        {"name": "Who is it", "type": 2},
        {"name": "Explain this", "type": 3},
        {"name": "Find more", "type": 3},
    ]
    general = scene.stage.servers[0].first_text_channel()
    await tab.goto(scene.page.url)
    message = say(scene, general, button("[a link](https://example.com) and words"))
    article, items = tab.get_by_role("article"), tab.get_by_role("menuitem")
    opener = article.get_by_role("button", name="Apps")
    await expect(article).to_be_visible()
    await expect(opener).to_have_count(0)
    async with aiohttp.ClientSession() as session:
        await register(Rest(session, scene.discord), known)
    await expect(opener).to_have_count(1)
    await article.hover()
    await opener.click()
    await expect(opener).to_have_attribute("aria-expanded", "true")
    await expect(items).to_have_text(["Explain this", "Find more"])
    await tab.keyboard.press("ArrowUp")
    await expect(items.last).to_be_focused()
    posting.edit(scene.discord.backend, message, button("[a link](https://example.com) and other words"))
    await expect(article).to_contain_text("other words")
    await tab.keyboard.press("Escape")
    await expect(items).to_have_count(0)
    await expect(opener).to_be_focused()
    for _ in range(2):
        await opener.click()
    await expect(items).to_have_count(0)
    await expect(opener).to_have_attribute("aria-expanded", "false")
    await article.get_by_text("APP").click(button="right")
    await expect(items.first).to_be_focused()
    await tab.locator("#channel-name").click()
    await expect(items).to_have_count(0)
    await article.get_by_role("link").click(button="right")
    await expect(items).to_have_count(0)
    await tab.keyboard.press("Escape")
    await tab.keyboard.type("/")
    await expect(tab.get_by_role("option")).to_have_count(1)
    await tab.get_by_role("button", name="news,").click()
    say(scene, next(one for one in scene.stage.servers[0].channels.values() if one.name == "news"), button("Told"))
    await expect(article).to_contain_text("Told")
    await expect(opener).to_have_count(0)


async def test_what_is_chosen_for_a_message_is_sent_and_what_went_wrong_is_told(scene: Scene, tab: Tab) -> None:
    scene.discord.commands.replace_all(None, [{"name": "Explain this", "type": 3}])
    scene.discord.activity.tell("world.changed", {})
    await tab.goto(scene.page.url)
    message = say(scene, scene.stage.servers[0].first_text_channel(), button())
    explain = tab.get_by_role("menuitem", name="Explain this")
    await tab.get_by_role("article").click(button="right")
    await explain.click()
    failed = tab.get_by_role("article").last
    await expect(failed).to_contain_text("used Explain this")
    await expect(failed).to_contain_text("The application did not respond")
    await tab.get_by_role("article").first.get_by_text("Page 1").click(button="right")
    await expect(explain).to_be_focused()
    posting.delete(scene.discord.backend, message)
    await expect(tab.get_by_role("article")).to_have_count(1)
    await explain.click()
    await expect(tab.locator("#told")).to_have_text("This message is gone.")
    await expect(tab.get_by_role("region", name="Messages")).to_be_focused()


async def test_the_theme_is_changed_on_a_phone_too(scene: Scene, tab: Tab) -> None:
    await tab.set_viewport_size({"width": 390, "height": 700})
    await tab.goto(scene.page.url)
    theme = tab.get_by_role("button", name="Theme")
    await expect(theme).to_have_count(0)
    await tab.get_by_role("button", name="Servers and channels").click()
    for name in ("dark", "light"):
        await theme.click()
        await expect(tab.locator("html")).to_have_attribute("data-theme", name)


async def test_what_nobody_acknowledges_is_said_to_have_failed(scene: Scene, tab: Tab) -> None:
    title = {"name": "title", "description": "Which", "type": 3, "autocomplete": True}
    known: list[dict[str, Any]] = [
        {"name": "ask", "description": "Ask"},
        {"name": "find", "description": "Finds", "options": [title]},
    ]
    scene.discord.commands.replace_all(None, known)
    scene.discord.activity.tell("world.changed", {})
    await tab.goto(scene.page.url)
    await send_command(tab, "/ask")
    await tab.keyboard.type("/find title:a")
    await expect(tab.get_by_text("Loading options failed")).to_be_visible()
    await tab.keyboard.press("Escape")
    failed = tab.get_by_role("article").last
    await expect(failed).to_contain_text("The application did not respond")
    await failed.get_by_role("button", name="Dismiss").click()
    await expect(tab.get_by_role("article")).to_have_count(0)


async def test_channels_that_somebody_does_not_see_are_not_shown(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    staff = tab.get_by_role("button", name="staff, text channel")
    await expect(tab.get_by_role("button", name="after-dark, age-restricted text channel")).to_be_visible()
    await expect(staff).to_have_count(0)
    people = tab.locator("#people label")
    await people.filter(has_text="Ada").click()
    await staff.click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("staff")
    await people.filter(has_text="Max").click()
    await expect(tab.get_by_role("heading", level=1)).to_have_text("general")


async def test_where_somebody_may_not_write_the_page_says_so(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    await tab.get_by_role("button", name="news, announcement channel").click()
    composer = tab.locator("#composer").get_by_role("combobox", name="Max may not write in this channel.")
    await expect(composer).to_be_disabled()


async def test_a_forum_shows_posts_and_takes_new_ones(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    await tab.get_by_role("button", name="ideas, forum").click()
    await expect(tab.locator(".forum").get_by_role("button", name="Read it in the morning")).to_be_visible()
    await tab.get_by_label("Title of a new post").fill("Fewer words")
    await tab.keyboard.press("Enter")
    await expect(tab.get_by_role("heading", level=1)).to_have_text("Fewer words")
    posts = tab.locator(".forum li")
    await tab.get_by_role("button", name="ideas, forum").click()
    await expect(posts).to_contain_text(["Fewer words", "Read it in the morning"])
    older = next(one for one in scene.stage.servers[0].channels.values() if one.name == "Read it in the morning")
    say(scene, older, button())
    await tab.get_by_role("button", name="general, text").click()
    await tab.get_by_role("button", name="ideas, forum").click()
    await expect(posts).to_contain_text(["Read it in the morning", "Fewer words"])


async def test_what_sources_were_asked_is_counted_without_closing_a_menu(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    await tab.get_by_role("tab", name="Try").click()
    menu = tab.get_by_label("Reddit", exact=True)
    await menu.evaluate("element => element.dataset.same = 'yes'")
    await expect(tab.locator("#requests-reddit")).to_have_text("0 requests")
    scene.reddit.requests = 3
    exported = ExportTraceServiceRequest()
    exported.resource_spans.add().scope_spans.add().spans.add(name="fetch")
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{scene.page.spans_url}/v1/traces", data=exported.SerializeToString())
        assert answer.status == 200
    await expect(tab.locator("#requests-reddit")).to_have_text("3 requests")
    await expect(menu).to_have_attribute("data-same", "yes")
    await menu.select_option("error")
    await expect(tab.get_by_label("Reddit", exact=True)).to_have_value("error")
    assert scene.reddit.fault is SourceFault.ERROR


async def test_a_setting_that_is_refused_goes_back_to_what_it_was(scene: Scene, tab: Tab) -> None:
    sockets: list[WebSocketRoute] = []

    def cut_off(opened: WebSocketRoute) -> None:
        sockets.append(opened)
        server = opened.connect_to_server()
        opened.on_message(lambda sent: None if "fail_source" in str(sent) else server.send(sent))

    await tab.route_web_socket("**/ws*", cut_off)
    await tab.goto(scene.page.url)
    await tab.get_by_role("tab", name="Try").click()
    menu = tab.get_by_label("Reddit", exact=True)
    await menu.select_option("error")
    await sockets[0].close()
    await expect(menu).to_have_value("none")
    await expect(tab.locator("#told")).to_contain_text("lost its connection")


async def test_times_that_are_shown_move_with_the_clock_at_once(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    moment = int(scene.discord.clock.time()) - 7_300
    say(scene, scene.stage.servers[0].first_text_channel(), button(f"<t:{moment}:R>"))
    await expect(tab.locator(".timestamp")).to_have_text("2 hours ago")
    await tab.get_by_role("tab", name="Try").click()
    await tab.get_by_role("button", name="+ 1 h", exact=True).click()
    await expect(tab.locator(".timestamp")).to_have_text("3 hours ago", timeout=2_000)
    await expect(tab.locator("#told")).to_have_text("The clock is 60 minutes ahead.")
    await tab.get_by_role("button", name="Make it fail").click()
    await expect(tab.locator("#told")).to_have_text("Discord will answer 500 for everything: the next request.")


async def test_times_of_the_day_read_as_in_discord(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    shown = await tab.evaluate(
        """async () => {
          const { formatTimestamp } = await import("/static/timestamps.js");
          return formatTimestamp(new Date(2026, 0, 5, 7, 5).getTime() / 1000, "t", 0);
        }"""
    )
    assert shown.replace("\u202f", " ") == "7:05 AM"


async def test_a_channel_with_something_new_is_marked_until_it_is_read(scene: Scene, tab: Tab) -> None:
    await tab.goto(scene.page.url)
    await expect(tab.get_by_role("radio").first).to_be_visible()
    night_shift = scene.stage.servers[1]
    say(scene, night_shift.first_text_channel(), button())
    await tab.get_by_role("button", name="Night Shift, unread").click()
    await expect(tab.get_by_role("button", name="Night Shift", exact=True)).to_be_visible()
    await expect(tab.get_by_role("article")).to_contain_text("Page 1")


async def test_who_reads_older_messages_is_not_torn_away(scene: Scene, tab: Tab) -> None:
    general = scene.stage.servers[0].first_text_channel()
    for number in range(60):
        say(scene, general, button(f"Message {number}"))
    await tab.goto(scene.page.url)
    await expect(tab.get_by_text("Message 59", exact=True)).to_be_in_viewport()
    await expect(tab.get_by_role("article")).to_have_count(60)
    await tab.locator("#scroll").hover()
    await tab.mouse.wheel(0, -2000)
    await expect(tab.get_by_text("Message 59", exact=True)).not_to_be_in_viewport()
    before = await tab.locator("#scroll").evaluate("element => element.scrollTop")
    say(scene, general, button("Newest"))
    newer = tab.get_by_role("button", name="Newer messages")
    await expect(newer).to_be_visible()
    assert abs(await tab.locator("#scroll").evaluate("element => element.scrollTop") - before) < 2
    await newer.click()
    await expect(tab.get_by_text("Newest", exact=True)).to_be_in_viewport()
    await expect(newer).to_be_hidden()


async def test_who_sends_something_is_taken_to_it(scene: Scene, tab: Tab) -> None:
    general = scene.stage.servers[0].first_text_channel()
    scene.discord.commands.replace_all(None, [{"name": "ask", "description": "Ask"}])
    scene.discord.activity.tell("world.changed", {})
    for number in range(60):
        say(scene, general, button(f"Message {number}"))
    await tab.goto(scene.page.url)
    await expect(tab.get_by_role("article")).to_have_count(60)
    for sent, shown in (("hello", "hello"), ("/ask", "did not respond")):
        await tab.locator("#scroll").hover()
        await tab.mouse.wheel(0, -2000)
        await expect(tab.get_by_role("article").last).not_to_be_in_viewport()
        if sent.startswith("/"):
            await send_command(tab, sent)
        else:
            await tab.locator("#composer").get_by_role("combobox").fill(sent)
            await tab.keyboard.press("Enter")
        await expect(tab.get_by_role("article").last).to_contain_text(shown)
        await expect(tab.get_by_role("article").last).to_be_in_viewport()


async def test_a_phones_width_holds_everything(scene: Scene, tab: Tab) -> None:
    await tab.set_viewport_size({"width": 360, "height": 700})
    await tab.goto(scene.page.url)
    say(scene, scene.stage.servers[0].first_text_channel(), button("word " * 60 + "x" * 300))
    await expect(tab.get_by_role("article")).to_be_visible()
    assert await tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert await tab.locator("#scroll").evaluate("element => element.scrollWidth <= element.clientWidth")
    servers = tab.get_by_role("button", name="Night Shift")
    await expect(servers).to_have_count(0)
    await tab.get_by_role("button", name="Servers and channels").click()
    await servers.click()
    await expect(servers).to_have_count(0)
    await tab.get_by_role("button", name="Inspect & try").click()
    await expect(tab.get_by_role("tab", name="Inspect")).to_be_focused()
    await tab.keyboard.press("Escape")
    await expect(tab.get_by_role("button", name="Inspect & try")).to_be_focused()


async def test_dark_and_light_follow_the_machine_or_the_choice(scene: Scene, tab: Tab) -> None:
    async def background() -> str:
        return str(await tab.evaluate("getComputedStyle(document.body).backgroundColor"))

    await tab.emulate_media(color_scheme="dark")
    await tab.goto(scene.page.url)
    dark = await background()
    await tab.emulate_media(color_scheme="light")
    light = await background()
    assert dark != light
    choice = tab.get_by_role("button", name="Theme")
    await choice.click()
    assert await background() == dark
    await tab.reload()
    assert await background() == dark
    await choice.click()
    await tab.emulate_media(color_scheme="dark")
    assert await background() == light


async def test_nothing_is_fetched_from_elsewhere(scene: Scene, tab: Tab) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    embed = {"title": "Story", "image": {"url": "https://elsewhere.example/a.png"}, "type": "rich"}
    made = posting.Draft("![x](https://elsewhere.example/b.png)", [embed], None, None, None, None, other=False)
    await tab.goto(scene.page.url)
    say(scene, scene.stage.servers[0].first_text_channel(), made)
    await expect(tab.get_by_role("article")).to_contain_text("elsewhere.example")
    assert [url for url in asked if not url.startswith(scene.page.url)] == []
