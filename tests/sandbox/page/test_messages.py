"""Messages as people see them: markdown, embeds, components, and what strangers may write."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.sandbox.page import samples
from tests.sandbox.page.harness import CAPTURED, WEAK_CONTRASTS, Harness, longest_task_ms
from tests.sandbox.page.samples import GENERAL, USERS, button, message, row, select, text

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA = USERS["ada"]
NOW_S = 1_795_372_000
"""Shortly after the captured messages were sent."""

QUOTE = '<blockquote class="md-quote">{}</blockquote>'.format
MENTION = '<span class="mention">{}</span>'.format
PARAGRAPH = '<div class="md-p">{}</div>'.format
LINK = '<a title="{0}" class="md-link" href="{0}" target="_blank" rel="noopener noreferrer">{1}</a>'.format

MARKDOWN = {
    "**b** *i* _i_ __u__ ~~s~~ ***bi***": PARAGRAPH(
        "<strong>b</strong> <em>i</em> <em>i</em> <u>u</u> <s>s</s> <strong><em>bi</em></strong>"
    ),
    "**bold with *italics* within**": PARAGRAPH("<strong>bold with <em>italics</em> within</strong>"),
    "snake_case_name and 2*3*4": PARAGRAPH("snake_case_name and 2<em>3</em>4"),
    r"\*not\* \_this\_ \[or](that)": PARAGRAPH("*not* _this_ [or](that)"),
    "`a**b**` and ``a`b``": PARAGRAPH(
        '<code class="md-inline-code">a**b**</code> and <code class="md-inline-code">a`b</code>'
    ),
    "**open and `open": PARAGRAPH("**open and `open"),
    "[a](https://a.example/x_(y)) b": PARAGRAPH(f"{LINK('https://a.example/x_(y)', 'a')} b"),
    "see https://a.example/p?q=1, then": PARAGRAPH(
        f"see {LINK('https://a.example/p?q=1', 'https://a.example/p?q=1')}, then"
    ),
    "(https://a.example/)": PARAGRAPH(f"({LINK('https://a.example/', 'https://a.example/')})"),
    "[https://good.example](https://evil.example)": PARAGRAPH(
        f"[{LINK('https://good.example/', 'https://good.example')}]({LINK('https://evil.example/', 'https://evil.example')})"
    ),
    "# one\n## two\n### three\n#### none\n#none": (
        '<h4 class="md-heading md-h1">one</h4><h5 class="md-heading md-h2">two</h5>'
        '<h6 class="md-heading md-h3">three</h6>'
        + PARAGRAPH("#### none\n#none")
    ),
    "-# small\nafter": '<small class="md-subtext">small</small>' + PARAGRAPH("after"),
    "> a\n> b\nc": QUOTE(PARAGRAPH("a\nb")) + PARAGRAPH("c"),
    ">>> a\nb": QUOTE(PARAGRAPH("a\nb")),
    "- a\n  - b\n- c\n3. d": (
        '<div class="md-lists"><ul class="md-list"><li>a<ul class="md-list"><li>b</li></ul></li><li>c</li></ul>'
        '<ol class="md-list" start="3"><li>d</li></ol></div>'
    ),
    "x ```py\nprint('*')\n``` y": (
        PARAGRAPH("x ")
        + '<pre class="md-code" tabindex="0"><code data-language="py">print(\'*\')</code></pre>'
        + PARAGRAPH(" y")
    ),
    "a\n\nb": PARAGRAPH("a\n\nb"),
    "@everyone": PARAGRAPH("@everyone"),
    "<@404> <@&404> <#404>": PARAGRAPH(
        f"{MENTION('&lt;@404&gt;')} {MENTION('@unknown-role')} {MENTION('#unknown')}"
    ),
    f"<@{ADA['id']}> <:wave:123456>": PARAGRAPH(
        '<span class="mention" title="ada">@ada</span> '
        '<span class="md-emoji" role="img" aria-label="wave">:wave:</span>'
    ),
    "<t:99999999999999999>": PARAGRAPH('<time class="timestamp">Invalid Date</time>'),
}  # fmt: skip

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "<javascript:alert(1)>",
    '[x](https://a.example/"onmouseover="alert(1))',
    "\u202edesrever **\u2066 <@1>",
    "|| ||\u0000 \x1b[31m",
)

SLOW = (
    "*",
    "**",
    "_",
    "`",
    "[",
    "||",
    "~~",
    "> ",
    "- ",
    "(",
    "https://a.example/)",
    "[a](",
    "`` ` ",
    "* a ",
    "__a",
    "\\",
    "<t:",
    "  - a\n",
)


async def test_markdown_reads_as_in_discord(harness: Harness) -> None:
    drawn = await harness.tab.evaluate("texts => texts.map((text) => harness.markdown(text))", list(MARKDOWN))
    assert dict(zip(MARKDOWN, drawn, strict=True)) == MARKDOWN


async def test_titles_read_no_blocks(harness: Harness) -> None:
    drawn = await harness.tab.evaluate("harness.markdown('# **a**', {inline: true})")
    assert drawn == "# <strong>a</strong>"


async def test_strangers_text_makes_no_element_and_no_script(harness: Harness) -> None:
    embeds = [
        {"title": text, "description": text, "footer": {"text": text}, "fields": [{"name": text, "value": text}]}
        for text in HOSTILE
    ]
    author = {**ADA, "id": "666", "username": HOSTILE[0], "global_name": HOSTILE[0]}
    buttons = [button(text[:80], custom_id=str(number)) for number, text in enumerate(HOSTILE[:5])]
    await harness.draw(
        *(message(content=text, author=author, embeds=[embed]) for text, embed in zip(HOSTILE, embeds, strict=True))
    )
    await harness.draw(
        message(components=[row(*buttons), row({"type": 2, "style": 5, "label": "go", "url": "javascript:alert(1)"})])
    )
    log = harness.tab.locator("#log")
    assert (
        await log.locator("img, script, iframe, [onerror], [onmouseover], [href^='javascript' i], [src]").count() == 0
    )
    for hostile in HOSTILE[:5]:
        await expect(log.get_by_text(hostile, exact=True).first).to_be_visible()


async def test_no_text_takes_long_to_read(harness: Harness) -> None:
    texts = [*((piece * 4000)[:4000] for piece in SLOW), "[" * 3998 + "](", "`" * 3000 + "a`" * 500]
    assert await longest_task_ms(harness.tab, "texts => harness.readAll(texts)", texts) < 50


async def test_every_part_of_an_embed_is_drawn(harness: Harness) -> None:
    await harness.draw(message(embeds=[samples.FULL_EMBED]))
    embed = harness.tab.locator(".embed")
    for words in ("A provider", "An author", "A title", "One", "Alone", "A footer"):
        await expect(embed.get_by_text(words, exact=True)).to_be_visible()
    await expect(embed.get_by_role("link", name="A title")).to_have_attribute("href", "https://example.com/title")
    await expect(embed.get_by_role("listitem")).to_have_text(["a list", "of two"])
    assert await embed.evaluate("node => getComputedStyle(node).borderInlineStartColor") == "rgb(47, 165, 114)"
    inline = embed.locator(".embed-field")
    boxes = [await inline.nth(index).bounding_box() for index in range(4)]
    tops = [round(box["y"]) for box in boxes if box is not None]
    assert tops[0] == tops[1] == tops[2] < tops[3]


async def test_pictures_of_others_are_named_and_not_loaded(harness: Harness) -> None:
    """That nothing was asked of another machine, the fixture checks."""
    await harness.draw(message(embeds=[samples.FULL_EMBED]))
    away = harness.tab.locator(".embed-image")
    await expect(away).to_contain_text("A chart of nothing")
    await expect(away).to_contain_text("example.com, not loaded")
    assert await harness.tab.locator("img").count() == 0


async def test_an_attached_picture_has_its_description_and_stands_only_once(harness: Harness) -> None:
    chart = {
        "id": "1",
        "filename": "icon.svg",
        "size": 100,
        "url": "/static/icon.svg",
        "content_type": "image/svg+xml",
        "description": "Votes by hour",
    }
    await harness.draw(
        message(attachments=[chart], embeds=[{"title": "With it", "image": {"url": "/static/icon.svg"}}])
    )
    await harness.draw(message(attachments=[chart | {"filename": "SPOILER_icon.svg"}]))
    shown = harness.tab.get_by_role("img", name="Votes by hour")
    await expect(shown).to_have_count(1)
    await harness.tab.get_by_role("button", name="Spoiler").click()
    await expect(shown).to_have_count(2)


async def test_a_file_says_its_name_and_size(harness: Harness) -> None:
    await harness.draw(
        message(
            attachments=[{"id": "1", "filename": "settings.json", "size": 2_500_000, "url": "/files/1/settings.json"}]
        )
    )
    await expect(harness.tab.locator(".file")).to_contain_text("2.38 MB")
    await expect(harness.tab.get_by_role("link", name="settings.json")).to_have_attribute("download", "settings.json")


async def test_components_of_both_kinds_are_drawn(harness: Harness) -> None:
    await harness.draw(samples.SECOND)
    tab = harness.tab
    for name in ("Open", "Primary", "Secondary", "Success", "Danger"):
        await expect(tab.get_by_role("button", name=name)).to_be_enabled()
    await expect(tab.get_by_role("button", name="Disabled")).to_be_disabled()
    await expect(tab.get_by_role("link", name="A page")).to_have_attribute("href", "https://example.com/page")
    await expect(tab.get_by_role("heading", name="A heading")).to_be_visible()
    await expect(tab.get_by_role("combobox")).to_have_count(2)
    await expect(tab.locator(".file")).to_contain_text("2.00 KB")
    await expect(tab.locator("hr")).to_have_count(1)
    await expect(tab.locator(".component-unknown")).to_have_count(0)


async def test_what_is_of_no_known_kind_is_named(harness: Harness) -> None:
    await harness.draw(message(components=[{"type": 99}]))
    await expect(harness.tab.locator(".component-unknown")).to_contain_text("type 99")


async def test_a_press_is_pending_until_it_is_acknowledged_and_counts_once(harness: Harness) -> None:
    await harness.answer(onComponent={"held": True})
    pressed = message(components=[row(button("Go"))])
    await harness.draw(pressed)
    go = harness.tab.get_by_role("button", name="Go")
    await go.click()
    await expect(go).to_have_attribute("aria-busy", "true")
    await go.click()
    await harness.release()
    await expect(go).not_to_have_attribute("aria-busy", "true")
    ((message_given, component, *values),) = await harness.calls("onComponent")
    assert (message_given["id"], component["custom_id"], values) == (pressed["id"], "Go", [None])


async def test_a_failed_press_says_so_until_the_next_one(harness: Harness) -> None:
    await harness.answer(onComponent={"queue": [{"error": "This interaction failed"}, {}]})
    await harness.draw(message(components=[row(button("Go"))]))
    failed = harness.tab.get_by_text("This interaction failed")
    await harness.tab.get_by_role("button", name="Go").click()
    await expect(failed).to_be_visible()
    await harness.tab.get_by_role("button", name="Go").click()
    await expect(failed).to_have_count(0)


async def test_a_failure_shows_in_a_message_that_was_edited_meanwhile(harness: Harness) -> None:
    await harness.answer(onComponent={"held": True, "error": "This interaction failed"})
    pressed = message(components=[row(button("Go"))])
    await harness.draw(pressed)
    await harness.tab.get_by_role("button", name="Go").click()
    await harness.tab.evaluate("message => harness.redraw(message)", pressed | {"content": "edited"})
    await harness.release()
    await expect(harness.tab.get_by_text("This interaction failed")).to_be_visible()


# -- menus


async def chosen(harness: Harness, count: int = 1) -> list[Any]:
    """The values of each choice, as soon as there are so many."""
    await harness.tab.wait_for_function(
        "count => harness.calls.filter(([name]) => name === 'onComponent').length >= count", arg=count
    )
    return [values for _, _, values in await harness.calls("onComponent")]


def menu(harness: Harness) -> Locator:
    return harness.tab.get_by_role("combobox")


async def test_one_text_is_chosen_by_pointer_or_by_keys_and_stays_shown(harness: Harness) -> None:
    await harness.draw(message(components=[row(select(placeholder="A colour"))]))
    await menu(harness).click()
    await expect(harness.tab.get_by_role("option")).to_contain_text(
        ["RedAll of red", "GreenAll of green", "BlueAll of blue"]
    )
    await harness.tab.get_by_role("option", name="Green").click()
    await expect(menu(harness)).to_have_value("Green")
    await expect(menu(harness)).to_have_attribute("aria-expanded", "false")
    await menu(harness).press("ArrowDown")
    await menu(harness).press("ArrowDown")
    await menu(harness).press("Enter")
    assert await chosen(harness, 2) == [["green"], ["blue"]]


async def test_a_menu_left_with_escape_keeps_what_was_chosen(harness: Harness) -> None:
    options = [{"label": "Red", "value": "red", "default": True}, {"label": "Blue", "value": "blue"}]
    await harness.draw(message(components=[row(select(options=options))]))
    await menu(harness).click()
    await harness.tab.keyboard.type("bl")
    await expect(harness.tab.get_by_role("option")).to_have_count(1)
    await menu(harness).press("Escape")
    await expect(menu(harness)).to_have_value("Red")
    assert await harness.calls("onComponent") == []


async def test_several_are_sent_when_the_menu_closes_and_only_if_they_are_enough(harness: Harness) -> None:
    await harness.draw(message(components=[row(select(min_values=2, max_values=2))]))
    await menu(harness).click()
    await harness.tab.get_by_role("option", name="Red").click()
    await menu(harness).press("Tab")
    await expect(harness.tab.locator(".select-chip")).to_have_count(0)
    await menu(harness).click()
    await harness.tab.get_by_role("option", name="Red").click()
    await harness.tab.get_by_role("option", name="Blue").click()
    await expect(harness.tab.get_by_role("option", name="Green")).to_be_disabled()
    await menu(harness).press("Tab")
    assert await chosen(harness) == [["red", "blue"]]


@pytest.mark.parametrize(
    ("kind", "typed", "shown", "value"),
    [
        (5, "bo", "@bob", USERS["bob"]["id"]),
        (6, "every", "@everyone", CAPTURED["roles"][0]["id"]),
        (7, "@ad", "@ada", ADA["id"]),
        (8, "#gen", "#general", GENERAL["id"]),
    ],
)
async def test_people_roles_and_channels_are_found_by_typing(
    harness: Harness, kind: int, typed: str, shown: str, value: str
) -> None:
    await harness.draw(message(components=[row(select(kind))]))
    await menu(harness).click()
    await harness.tab.keyboard.type(typed)
    await menu(harness).press("Enter")
    await expect(menu(harness)).to_have_value(shown)
    assert await chosen(harness) == [[value]]


async def test_a_menu_of_channels_offers_only_its_types_and_can_be_emptied(harness: Harness) -> None:
    news = next(channel for channel in CAPTURED["channels"] if channel["type"] == 5)
    default = [{"id": news["id"], "type": "channel"}]
    await harness.draw(message(components=[row(select(8, channel_types=[5], min_values=0, default_values=default))]))
    await expect(menu(harness)).to_have_value("📣 announcements")
    await menu(harness).click()
    await expect(harness.tab.get_by_role("option")).to_have_count(1)
    await menu(harness).press("Escape")
    await harness.tab.get_by_role("button", name="Clear").click()
    assert await chosen(harness) == [[]]


# -- around what is said


async def test_who_used_which_command_who_sees_it_and_that_it_was_edited(harness: Harness) -> None:
    await harness.draw(CAPTURED["refused"] | {"edited_timestamp": samples.SENT})
    tab = harness.tab
    await expect(tab.locator(".message-why")).to_have_text("bob used /signals reddit")
    await expect(tab.get_by_text("(edited)")).to_be_visible()
    await expect(tab.get_by_text("Only you can see this")).to_be_visible()
    await tab.get_by_role("button", name="Dismiss message").click()
    await tab.get_by_role("button", name="/signals reddit").click()
    assert [given["id"] for (given,) in await harness.calls("onDismiss")] == [CAPTURED["refused"]["id"]]
    assert await harness.calls("onPrefill") == [["/signals reddit "]]


async def test_thinking_and_not_responding(harness: Harness) -> None:
    await harness.draw(message(flags=samples.LOADING), message(failed="The application did not respond"))
    await expect(harness.tab.get_by_text("Signals Scout is thinking…")).to_be_visible()
    await expect(harness.tab.get_by_text("The application did not respond")).to_be_visible()


async def test_an_answer_to_a_message_leads_to_it(harness: Harness) -> None:
    original = message(author=ADA, content="the original")
    await harness.begin(messages=None)
    await harness.tab.evaluate(
        "original => { harness.context.messages = new Map([[original.id, original]]); }", original
    )
    await harness.draw(original, message(content="reply", message_reference={"message_id": original["id"]}))
    await harness.tab.get_by_role("button", name="the original").click()
    await expect(harness.tab.locator(f"[data-message-id='{original['id']}']")).to_be_focused()


async def test_who_is_mentioned_sees_it(harness: Harness) -> None:
    await harness.draw(message(content=f"<@{ADA['id']}>", mentions=[ADA]), message(content="hello"))
    await expect(harness.tab.locator(".mentions-me")).to_have_count(1)


async def test_mentions_of_channels_and_commands_can_be_pressed(harness: Harness) -> None:
    await harness.draw(message(content=f"<#{GENERAL['id']}> </signals news:1>"))
    await harness.tab.get_by_role("button", name="#general").click()
    await harness.tab.get_by_role("button", name="/signals news").click()
    assert await harness.calls("onOpenChannel") == [[GENERAL["id"]]]
    assert await harness.calls("onPrefill") == [["/signals news "]]


async def test_times_are_told_from_now_and_go_on(harness: Harness) -> None:
    await harness.begin(now=NOW_S * 1000)
    styles = " ".join(f"<t:{NOW_S - 7200}{style}>" for style in ("", ":t", ":T", ":d", ":D", ":F", ":R"))
    await harness.draw(message(content=styles, timestamp="2026-11-21T12:00:00+00:00"))
    shown = [told.replace(",", "") for told in await harness.tab.locator(".timestamp").all_text_contents()]
    assert shown == [
        "22 November 2026 at 16:26",
        "16:26",
        "16:26:40",
        "22/11/2026",
        "22 November 2026",
        "Sunday 22 November 2026 at 16:26",
        "2 hours ago",
    ]
    await expect(harness.tab.locator(".message-time")).to_have_text("Yesterday at 12:00")
    await harness.tab.evaluate("now => harness.tick(now)", (NOW_S + 90_000) * 1000)
    await expect(harness.tab.locator(".timestamp").last).to_have_text("1 day ago")
    await expect(harness.tab.locator(".message-time")).to_have_text("21/11/2026, 12:00")


# -- how it looks

EVERYTHING = (
    message(
        author=ADA, content="**Words** `code` ||spoiler|| https://a.example <@1> <t:1795370000:R>\n> quote\n-# small"
    ),
    CAPTURED["answer"],
    CAPTURED["refused"],
    CAPTURED["panel_limit"],
    message(embeds=[samples.FULL_EMBED]),
    samples.SECOND,
    message(flags=samples.LOADING),
    message(failed="The application did not respond"),
)


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_all_text_can_be_read(harness: Harness, theme: str) -> None:
    """The contrast of every text against what is behind it is 4.5 to 1 or more (WCAG AA)."""
    await harness.tab.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    await harness.draw(*EVERYTHING)
    assert await harness.tab.evaluate(WEAK_CONTRASTS) == []


async def test_nothing_is_wider_than_a_phone(harness: Harness) -> None:
    long = "averylongwordwithoutanyspace" * 20
    await harness.tab.set_viewport_size({"width": 390, "height": 800})
    wide = message(
        content=f"{long} `{long}`\n```\n{long}\n```",
        embeds=[{"title": long, "description": long, "fields": [{"name": long, "value": long}]}],
        components=[row(*(button(long[:80], custom_id=str(number)) for number in range(5)))],
        author={**ADA, "global_name": long[:32]},
        attachments=[{"id": "1", "filename": long, "size": 1, "url": "/files/1/x"}],
    )  # fmt: skip
    await harness.draw(*EVERYTHING, wide, message(components=[text(long)], flags=samples.COMPONENTS_V2))
    assert await harness.tab.evaluate("() => document.getElementById('scroll').scrollWidth") <= 390


async def test_two_hundred_messages_scroll_without_a_long_task(harness: Harness) -> None:
    many = [CAPTURED["answer"] | {"id": str(number)} for number in range(200)]
    await harness.draw(*many)
    assert await longest_task_ms(harness.tab, "() => harness.scrollThrough()") < 50
