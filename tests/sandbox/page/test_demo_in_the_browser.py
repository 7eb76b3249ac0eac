"""``python -m bot demo`` as a person uses it: the real bot behind the page, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from .person import ANSWER_MS, Person

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_command_is_completed_sent_and_its_answer_paged_through(person: Person) -> None:
    await person.composer.click()
    await person.tab.keyboard.type("/sig")
    offered = person.tab.get_by_role("listbox").get_by_role("option")
    await expect(offered.filter(has_text="/signals reddit")).to_be_visible(timeout=ANSWER_MS)
    await person.tab.keyboard.type("nals reddit")
    await person.tab.keyboard.press("Enter")
    await expect(offered.filter(has_text="subreddit")).to_be_visible()
    await person.tab.keyboard.press("Enter")
    answer = await person.answered()
    await expect(answer).to_contain_text("Max used /signals reddit")
    await expect(answer).to_contain_text("Page 1/2")
    await expect(answer.get_by_role("link").first).to_contain_text("(sample)")
    await person.press("Next")
    await expect(person.last).to_contain_text("Page 2/2")
    await person.press("Previous")
    await expect(person.last).to_contain_text("Page 1/2")


async def test_a_setting_changed_on_the_panel_changes_the_answer(person: Person) -> None:
    await person.go("general", "Night Shift")
    await person.act_as("Olga")
    await person.send("/signals hackernews")
    await expect(await person.answered()).to_contain_text("best 10 shown")
    await person.send("/config panel")
    await person.choose("Choose a setting", "limit")
    await person.press("Change")
    form = person.tab.get_by_role("dialog")
    await form.get_by_role("textbox").fill("3")
    await form.get_by_role("button", name="Submit").click()
    await expect(form).to_have_count(0)
    await expect(person.last).to_contain_text("3")
    await person.send("/signals hackernews")
    await expect(await person.answered()).to_contain_text("best 3 shown")


async def test_a_member_is_offered_no_settings_and_refused_where_the_server_shows_them(person: Person) -> None:
    await person.go("after-dark")
    await person.composer.click()
    await person.tab.keyboard.type("/config")
    await expect(person.tab.get_by_role("option").filter(has_text="/config")).to_have_count(0)
    await person.tab.keyboard.press("Escape")
    await person.composer.fill("")
    await person.open_panel("Try")
    opened = person.tab.get_by_label("Every member finds every command")
    await opened.check()
    try:
        await person.send("/config panel")
        await expect(person.last).to_contain_text("Manage Server", timeout=ANSWER_MS)
        await expect(person.last).to_contain_text("Only you can see this")
    finally:
        await opened.uncheck()


async def test_buttons_work_after_the_bot_was_restarted(person: Person) -> None:
    await person.go("Read it in the morning")
    await person.send("/signals reddit")
    await person.answered()
    await person.open_panel("Try")
    await person.tab.get_by_role("button", name="Restart the bot").click()
    await expect(person.tab.get_by_text("The bot is starting.")).to_be_visible()
    await expect(person.tab.get_by_text("The bot is running.")).to_be_visible(timeout=30_000)
    await person.press("Next")
    await expect(person.last).to_contain_text("Page 2/2", timeout=ANSWER_MS)


@pytest.mark.parametrize("how", ["Cut it", "End the session"])
async def test_a_dropped_gateway_is_survived(person: Person, how: str) -> None:
    await person.act_as("Ada")
    await person.go("staff")
    gateway = person.tab.get_by_role("region", name="Gateway")
    await gateway.get_by_text("Gateway, newest first").click()
    again = gateway.get_by_text("READY" if how == "End the session" else "RESUMED")
    before = await again.count()
    await person.open_panel("Try")
    await person.tab.get_by_role("button", name=how).click()
    await person.open_panel("Inspect")
    await expect(again).to_have_count(before + 1, timeout=ANSWER_MS)
    await person.send("/signals hackernews")
    await person.answered()


async def test_the_inspector_shows_traffic_and_spans_of_the_interaction(person: Person) -> None:
    await person.go("general")
    await person.send("/signals news")
    await person.answered()
    traffic = person.tab.get_by_role("region", name="What happened")
    await expect(traffic.get_by_text("INTERACTION_CREATE")).to_be_visible()
    await expect(traffic.get_by_text("POST callback: deferred message")).to_be_visible()
    await expect(traffic.get_by_text("PATCH webhook/@original").first).to_be_visible()
    spans = traffic.get_by_role("table")
    for name in ("command.signals", "signals.request", "source.scan", "fetch"):
        await expect(spans.get_by_text(name).first).to_be_visible()


async def test_spans_of_a_command_under_way_stand_with_its_traffic(person: Person) -> None:
    await person.act_as("Olga")
    await person.go("ideas", "Night Shift")
    await person.go("Read it in the morning")
    await person.open_panel("Try")
    source = person.tab.get_by_label("Lobsters", exact=True)
    await source.select_option("slow")
    try:
        await person.send("/signals lobsters")
        await person.open_panel("Inspect")
        happened = person.tab.get_by_role("region", name="What happened")
        await expect(happened.get_by_role("table").get_by_text("acknowledge")).to_be_visible(timeout=ANSWER_MS)
        await expect(happened.get_by_text("INTERACTION_CREATE")).to_be_visible()
        await expect(person.last).to_contain_text("looking")
    finally:
        await person.open_panel("Try")
        await source.select_option("works")


async def test_a_failing_source_is_seen_in_the_answer(person: Person) -> None:
    await person.act_as("Olga")
    await person.go("staff")
    await person.open_panel("Try")
    source = person.tab.get_by_label(
        "X", exact=True
    )  # no other test reads it: it is left alone for a while afterwards
    await source.select_option("error")
    try:
        await person.send("/signals twitter")
        await expect(person.last).to_contain_text("How the sources did", timeout=ANSWER_MS)
        await expect(person.last).to_contain_text("No source could answer")
    finally:
        await source.select_option("works")


async def test_a_message_is_explained_through_its_menu_with_keys_alone(person: Person) -> None:
    tab, keys = person.tab, person.tab.keyboard
    await person.go("after-dark", "Night Shift")
    await person.send("/signals reddit")
    await person.answered()
    answer = tab.get_by_role("article").filter(has_text="stories found")
    opener = answer.get_by_role("button", name="Apps for this message")
    await expect(opener).to_have_css("opacity", "0")
    await answer.get_by_role("button", name="/signals reddit").focus()
    await keys.press("Shift+Tab")
    await expect(opener).to_be_focused()
    await expect(opener).to_have_css("opacity", "1")
    await keys.press("Enter")
    items = tab.get_by_role("menu", name="Apps for this message").get_by_role("menuitem")
    await expect(items).to_have_text(["Why these items", "Find related"])
    await keys.press("f")
    await expect(items.last).to_be_focused()
    await keys.press("ArrowDown")
    await expect(items.first).to_be_focused()
    await keys.press("Enter")
    await expect(items).to_have_count(0)
    await expect(person.last).to_contain_text("Max used Why these items", timeout=ANSWER_MS)
    await expect(person.last).to_contain_text("Why this item", timeout=ANSWER_MS)
    await expect(person.last).to_contain_text("Only you can see this")
    await expect(person.last.get_by_role("button", name="Apps for this message")).to_have_count(0)
    await expect(opener).to_be_focused()
