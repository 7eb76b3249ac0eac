"""Typing: commands completed option by option, and plain text."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import FilePayload, Locator, expect

from tests.sandbox.page.harness import CAPTURED, Harness, longest_task_ms
from tests.sandbox.page.samples import BOT, GENERAL, USERS

pytestmark = pytest.mark.asyncio(loop_scope="session")


def option(name: str, kind: int = 3, **more: Any) -> dict[str, Any]:
    """An option of a command."""
    return {"name": name, "type": kind, "description": f"The {name}", **more}


def command(name: str, *options: dict[str, Any]) -> dict[str, Any]:
    """A chat command, registered."""
    return {"id": name, "type": 1, "name": name, "description": f"About {name}", "options": list(options)}


GIVE = command(
    "give",
    option("who", 6, required=True),
    option(
        "what", choices=[{"name": "A cake", "value": "cake"}, {"name": "A tea pot", "value": "pot"}], required=True
    ),
    option("count", 4, min_value=1, max_value=9),
    option("price", 10),
    option("note", min_length=2, max_length=5),
    option("gift", 5),
    option("place", 7, channel_types=[5]),
    option("role", 8),
)
FIND = command("find", option("limit", 4), option("title", autocomplete=True))
SEND_FILE = command("upload", option("file", 11, required=True), option("note"))
GROUPED = command("server", {"type": 2, "name": "role", "description": "Roles", "options": [
    {"type": 1, "name": "add", "description": "Adds a role", "options": [option("name", required=True)]},
]})  # fmt: skip


async def begin(harness: Harness, *commands: dict[str, Any], **more: Any) -> None:
    """A composer that knows these commands; without any, the bot's own."""
    await harness.begin(**({"commands": list(commands)} if commands else {}), **more)
    await harness.mount()


async def type_in(harness: Harness, text: str, *keys: str) -> None:
    await harness.tab.keyboard.type(text)
    for key in keys:
        await harness.tab.keyboard.press(key)


def options_shown(harness: Harness) -> Locator:
    return harness.tab.get_by_role("option")


def field(harness: Harness, name: str) -> Locator:
    """The field of an option."""
    return harness.tab.locator(f"[data-key='composer-{name}']")


def problem(harness: Harness) -> Locator:
    return harness.tab.locator(".option-error:not(:empty)")


async def sent(harness: Harness) -> tuple[str, Any]:
    """The one command that was sent: its name, and its options as an interaction carries them."""
    await expect(harness.tab.locator(".command-line")).to_have_count(0)
    ((definition, options),) = await harness.calls("onCommand")
    return definition["name"], options


async def values_sent(harness: Harness) -> dict[str, Any]:
    _, options = await sent(harness)
    return {one["name"]: one["value"] for one in options}


# -- finding a command


async def test_a_slash_lists_every_command_and_typing_narrows_it(harness: Harness) -> None:
    await begin(harness)
    await type_in(harness, "/")
    await expect(options_shown(harness).first).to_contain_text("/signals reddit")
    await expect(options_shown(harness).first).to_contain_text("Posts from Reddit")
    leaves = sum(
        max(1, sum(inner["type"] == 1 for inner in known.get("options", ()))) for known in CAPTURED["commands"]
    )
    await expect(options_shown(harness)).to_have_count(leaves)
    await type_in(harness, "config s")
    await expect(options_shown(harness)).to_contain_text(["/config show", "/config set"])
    await type_in(harness, "xyz")
    await expect(options_shown(harness)).to_have_count(0)


async def test_it_is_a_combobox_with_a_list(harness: Harness) -> None:
    await begin(harness)
    box = harness.tab.get_by_role("combobox", name="Message #general")
    await expect(box).to_have_attribute("aria-expanded", "false")
    await type_in(harness, "/", "ArrowDown")
    await expect(box).to_have_attribute("aria-expanded", "true")
    active = harness.tab.get_by_role("option", selected=True)
    await expect(active).to_contain_text("/signals twitter")
    assert await box.get_attribute("aria-activedescendant") == await active.get_attribute("id")
    listbox = harness.tab.get_by_role("listbox", name="Suggestions")
    assert await box.get_attribute("aria-controls") == await listbox.get_attribute("id")
    await type_in(harness, "", "Escape")
    await expect(box).to_have_attribute("aria-expanded", "false")


@pytest.mark.parametrize("key", ["Enter", "Tab"])
async def test_a_command_is_taken_from_the_list_and_sent(harness: Harness, key: str) -> None:
    await begin(harness)
    await type_in(harness, "/", "ArrowDown", "ArrowDown", key)
    await expect(harness.tab.locator(".command-name")).to_have_text("/signals news")
    await type_in(harness, "", "Enter")
    assert await sent(harness) == ("signals", [{"name": "news", "type": 1, "options": []}])
    await expect(harness.tab.get_by_role("combobox", name="Message #general")).to_be_focused()


async def test_a_command_is_taken_by_pointer(harness: Harness) -> None:
    await begin(harness)
    await type_in(harness, "/he")
    await options_shown(harness).first.click()
    await harness.tab.get_by_role("button", name="Send").click()
    assert await sent(harness) == ("help", [])


async def test_a_line_typed_in_full_is_understood(harness: Harness) -> None:
    await begin(harness)
    await type_in(harness, "/signals reddit query:rust or go timeframe:7D limit:5", "Enter")
    assert await sent(harness) == (
        "signals",
        [
            {
                "name": "reddit",
                "type": 1,
                "options": [
                    {"name": "query", "type": 3, "value": "rust or go"},
                    {"name": "timeframe", "type": 3, "value": "7d"},
                    {"name": "limit", "type": 4, "value": 5},
                ],
            }
        ],
    )


async def test_groups_nest_as_interactions_carry_them(harness: Harness) -> None:
    await begin(harness, GROUPED)
    await type_in(harness, "/server role add mods", "Enter")
    add = {"name": "add", "type": 1, "options": [{"name": "name", "type": 3, "value": "mods"}]}
    assert await sent(harness) == ("server", [{"name": "role", "type": 2, "options": [add]}])


async def test_a_line_can_be_put_in_for_a_person(harness: Harness) -> None:
    await begin(harness)
    await harness.tab.evaluate("harness.composer.prefill('/signals reddit query:x')")
    await expect(field(harness, "query")).to_be_focused()
    await type_in(harness, "yz", "Enter")
    _, (reddit,) = await sent(harness)
    assert reddit["options"] == [{"name": "query", "type": 3, "value": "xyz"}]


# -- options


async def test_what_is_required_is_marked_asked_for_first_and_said_where_it_is_missing(harness: Harness) -> None:
    await begin(harness, GIVE)
    await type_in(harness, "/give ")
    await expect(field(harness, "who")).to_be_focused()
    await expect(field(harness, "who")).to_have_attribute("aria-required", "true")
    await expect(harness.tab.locator(".option-required")).to_have_count(2)
    await expect(harness.tab.get_by_placeholder("+6 optional")).to_be_visible()
    await type_in(harness, "", "Escape", "Enter")
    await expect(problem(harness)).to_have_text(["This option is required. Give it a value."] * 2)
    await expect(field(harness, "who")).to_have_attribute("aria-invalid", "true")
    await expect(field(harness, "who")).to_be_focused()
    assert await harness.calls("onCommand") == []
    await type_in(harness, "bo", "Enter")
    await expect(field(harness, "what")).to_be_focused()
    await type_in(harness, "tea", "Tab", "Enter")
    assert await values_sent(harness) == {"who": USERS["bob"]["id"], "what": "pot"}


async def test_only_choices_can_be_chosen(harness: Harness) -> None:
    await begin(harness, GIVE)
    await type_in(harness, "/give who:@ada what:")
    await expect(options_shown(harness)).to_have_text(["A cake", "A tea pot"])
    await type_in(harness, "a pie", "Enter")
    await expect(problem(harness)).to_have_text("Choose one of the list.")
    await field(harness, "what").fill("a CAKE")
    await type_in(harness, "", "Enter", "Enter")
    assert await values_sent(harness) == {"who": USERS["ada"]["id"], "what": "cake"}


@pytest.mark.parametrize(
    ("name", "typed", "said", "mended", "value"),
    [
        ("count", "10", "Write a number, 1 to 9.", "9", 9),
        ("count", "1.5", "Write a whole number.", "1", 1),
        ("price", "dear", "Write a number.", "-2.5", -2.5),
        ("note", "a", "Write 2 to 5 characters; these are 1.", "ab", "ab"),
        ("note", "👍👍👍👍👍👍", "Write 2 to 5 characters; these are 6.", "👍👍👍👍👍", "👍👍👍👍👍"),
        ("gift", "maybe", "Choose one of the list.", "true", True),
        ("place", "general", "Choose a channel of the list.", "announcements", CAPTURED["channels"][1]["id"]),
        ("role", "nobody", "Choose a role of the list.", "@everyone", CAPTURED["roles"][0]["id"]),
    ],
)
async def test_what_an_option_does_not_take_is_said_at_it(
    harness: Harness, name: str, typed: str, said: str, mended: str, value: object
) -> None:
    await begin(harness, GIVE)
    await type_in(harness, f"/give who:@ada what:cake {name}:{typed}", "Escape", "Enter")
    await expect(problem(harness)).to_have_text(said)
    await expect(field(harness, name)).to_be_focused()
    assert await harness.calls("onCommand") == []
    await field(harness, name).fill(mended)
    await expect(problem(harness)).to_have_count(0)
    await type_in(harness, "", "Escape", "Enter")
    assert (await values_sent(harness))[name] == value


async def test_channels_are_offered_by_their_types(harness: Harness) -> None:
    await begin(harness, GIVE)
    await type_in(harness, "/give place:")
    await expect(options_shown(harness)).to_have_count(1)
    await type_in(harness, "", "Enter")
    await expect(field(harness, "place")).to_have_value("#announcements")


async def test_further_options_are_found_by_name_and_taken_away_by_backspace(harness: Harness) -> None:
    await begin(harness)
    await type_in(harness, "/signals reddit ")
    await expect(options_shown(harness)).to_contain_text(["query", "subreddit", "sort", "timeframe", "limit"])
    await type_in(harness, "lim", "Tab")
    await expect(field(harness, "limit")).to_be_focused()
    await type_in(harness, "5", "Backspace")
    await expect(field(harness, "limit")).to_have_value("")
    await type_in(harness, "", "Backspace")
    await expect(field(harness, "limit")).to_have_count(0)
    await type_in(harness, "nothing", "Enter")
    await expect(harness.tab.locator(".popup-error")).to_contain_text("There is no option “nothing”")
    assert await harness.calls("onCommand") == []


async def test_backspace_leads_back_to_the_commands_name(harness: Harness) -> None:
    await begin(harness)
    await type_in(harness, "/signals reddit ", "Backspace")
    box = harness.tab.get_by_role("combobox", name="Message #general")
    await expect(box).to_have_text("/signals reddit")
    await expect(box).to_be_focused()
    await type_in(harness, "", *["Backspace"] * 6)
    await type_in(harness, "news ")
    await expect(harness.tab.locator(".command-name")).to_have_text("/signals news")


async def test_escape_closes_the_list_then_the_command(harness: Harness) -> None:
    await begin(harness)
    await type_in(harness, "/signals reddit query:a")
    await type_in(harness, "", "Escape")
    await expect(field(harness, "query")).to_be_focused()
    await type_in(harness, "", "Escape")
    await expect(harness.tab.get_by_role("combobox", name="Message #general")).to_have_text("")


async def test_arrows_and_tab_lead_from_option_to_option(harness: Harness) -> None:
    await begin(harness)
    await type_in(harness, "/signals reddit query:ab limit:5", "ArrowLeft", "ArrowLeft")
    await expect(field(harness, "query")).to_be_focused()
    await type_in(harness, "", "Tab")
    await expect(field(harness, "limit")).to_be_focused()
    await type_in(harness, "", "ArrowRight", "ArrowRight")
    await expect(harness.tab.get_by_placeholder("+3 optional")).to_be_focused()


async def test_a_file_goes_with_a_command(harness: Harness) -> None:
    await begin(harness, SEND_FILE)
    await type_in(harness, "/upload ", "Enter")
    await expect(problem(harness)).to_have_text("Choose a file.")
    file = FilePayload(name="settings.json", mimeType="application/json", buffer=b"{}")
    async with harness.tab.expect_file_chooser() as chooser:
        await harness.tab.keyboard.press("Space")
    await (await chooser.value).set_files(file)
    await expect(field(harness, "file")).to_have_value("settings.json")
    await type_in(harness, "", "Enter")
    assert await values_sent(harness) == {"file": "file settings.json"}


# -- live completion


async def test_typing_fast_asks_the_bot_once_and_sends_what_was_picked(harness: Harness) -> None:
    await begin(harness, FIND)
    await harness.answer(onAutocomplete={"value": [{"name": "Rust in Action", "value": "isbn-1"}]})
    await type_in(harness, "/find limit:3 title:rus")
    await options_shown(harness).get_by_text("Rust in Action").wait_for()
    ((_, options, focused),) = await harness.calls("onAutocomplete")
    assert focused == "title"
    assert options == [
        {"name": "limit", "type": 4, "value": 3},
        {"name": "title", "type": 3, "value": "rus", "focused": True},
    ]
    await type_in(harness, "", "Enter")
    await expect(field(harness, "title")).to_have_value("Rust in Action")
    await type_in(harness, "", "Enter")
    assert await values_sent(harness) == {"limit": 3, "title": "isbn-1"}


async def test_an_answer_that_comes_late_is_dropped(harness: Harness) -> None:
    await begin(harness, FIND)
    early, late = {"name": "Early", "value": "e"}, {"name": "Late", "value": "l"}
    await harness.answer(
        onAutocomplete={"queue": [{"held": True, "value": [early]}, {"held": True, "value": [late]}]}
    )
    await type_in(harness, "/find title:a")
    await harness.tab.wait_for_function("() => harness.waiting.length === 1")
    await type_in(harness, "b")
    await harness.tab.wait_for_function("() => harness.waiting.length === 2")
    await harness.release(1)
    await expect(options_shown(harness)).to_have_text(["Late"])
    await harness.release()
    await expect(options_shown(harness)).to_have_text(["Late"])


async def test_what_was_typed_is_sent_where_the_bot_suggests_nothing_or_fails(harness: Harness) -> None:
    await begin(harness, FIND)
    await harness.answer(onAutocomplete={"error": "no"})
    await type_in(harness, "/find title:my own")
    await expect(harness.tab.get_by_text("Loading options failed")).to_be_visible()
    await type_in(harness, "", "Enter")
    assert await values_sent(harness) == {"title": "my own"}


# -- sending


async def test_a_refusal_is_said_at_its_option_and_keeps_what_was_written(harness: Harness) -> None:
    await begin(harness)
    await harness.answer(onCommand={"error": "No such place.", "option": "subreddit"})
    await type_in(harness, "/signals reddit query:a subreddit:b", "Enter")
    await expect(problem(harness)).to_have_text("No such place.")
    await expect(field(harness, "subreddit")).to_be_focused()
    await harness.answer(onCommand={"error": "The bot is not here."})
    await type_in(harness, "", "Enter")
    await expect(harness.tab.get_by_text("The bot is not here.")).to_be_visible()
    await expect(field(harness, "query")).to_have_value("a")


async def test_a_command_is_sent_once_however_often_enter_is_pressed(harness: Harness) -> None:
    await begin(harness)
    await harness.answer(onCommand={"held": True})
    await type_in(harness, "/help ", "Enter", "Enter", "Enter")
    await harness.release()
    assert await sent(harness) == ("help", [])


async def test_what_is_typed_while_a_command_is_on_its_way_is_kept(harness: Harness) -> None:
    await begin(harness)
    await harness.answer(onCommand={"held": True, "error": "The bot is not here."})
    await type_in(harness, "/help ", "Enter")
    await type_in(harness, "next")
    await harness.release()
    await expect(harness.tab.get_by_text("The bot is not here.")).to_be_visible()
    await expect(harness.tab.locator(".composer-text")).to_have_text("next")


async def test_text_that_was_refused_is_put_back_with_its_mentions(harness: Harness) -> None:
    await begin(harness)
    await harness.answer(onSay={"queue": [{"error": "Not now."}, {}]})
    await type_in(harness, "hello @Sig", "Enter", "Enter")
    await expect(harness.tab.get_by_text("Not now.")).to_be_visible()
    await expect(harness.tab.locator(".composer-text .mention")).to_have_text("@Signals Scout")
    await type_in(harness, "", "Enter")
    assert await harness.calls("onSay") == [[f"hello <@{BOT['id']}>"]] * 2


async def test_text_is_sent_with_mentions_as_discord_writes_them(harness: Harness) -> None:
    await begin(harness)
    await type_in(harness, "hello @Sig")
    await expect(options_shown(harness).first).to_contain_text("Signals Scout")
    await type_in(harness, "", "Enter")
    await type_in(harness, "in #gen", "Tab", "Shift+Enter")
    await type_in(harness, "news", "Enter")
    assert await harness.calls("onSay") == [[f"hello <@{BOT['id']}> in <#{GENERAL['id']}> \nnews"]]
    await expect(harness.tab.locator(".composer-text")).to_have_text("")


async def test_nothing_is_sent_while_a_word_is_being_composed(harness: Harness) -> None:
    """Enter ends a word in Japanese or Chinese; it does not send."""
    await begin(harness)
    await type_in(harness, "にほん")
    await harness.tab.evaluate(
        "how => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', how))",
        {"key": "Enter", "isComposing": True, "bubbles": True},
    )
    assert await harness.calls("onSay") == []
    await type_in(harness, "", "Enter")
    assert await harness.calls("onSay") == [["にほん"]]


async def test_a_message_that_is_too_long_is_not_sent(harness: Harness) -> None:
    await begin(harness)
    await harness.tab.evaluate("() => harness.composer.prefill('x'.repeat(2001))")
    await expect(harness.tab.locator(".composer-count")).to_have_text("-1")
    await type_in(harness, "", "Enter")
    await expect(harness.tab.get_by_role("alert").filter(has_text="at most 2000")).to_be_visible()
    await type_in(harness, "", "Backspace", "Enter")
    assert [len(text) for (text,) in await harness.calls("onSay")] == [2000]


async def test_pasted_markup_is_text(harness: Harness) -> None:
    await begin(harness)
    paste = """() => {
        const data = new DataTransfer();
        data.setData("text/html", "<img src=x onerror=alert(1)><b>bold</b>");
        data.setData("text/plain", "<img> bold");
        const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
        if (document.activeElement.dispatchEvent(event)) document.execCommand("insertText", false, "<img> bold");
    }"""
    await harness.tab.evaluate(paste)
    assert await harness.tab.locator(".composer-text *").count() == 0
    await type_in(harness, "", "Enter")
    assert await harness.calls("onSay") == [["<img> bold"]]


# -- where and as whom


async def test_who_may_not_write_is_told_why(harness: Harness) -> None:
    await begin(harness, mayWrite=False, whyNotWrite="You do not have permission to send messages here.")
    box = harness.tab.get_by_role("combobox", name="You do not have permission")
    await expect(box).to_have_attribute("aria-disabled", "true")
    await box.focus()
    await type_in(harness, "/help ", "Enter")
    assert await harness.calls("onCommand") == await harness.calls("onSay") == []


async def test_what_is_being_written_stays_with_its_channel(harness: Harness) -> None:
    await begin(harness)
    await type_in(harness, "half a thou")
    other = CAPTURED["channels"][1]
    await harness.tab.evaluate("channel => harness.turn({channel})", other)
    box = harness.tab.locator(".composer-text")
    await expect(box).to_have_text("")
    await harness.tab.evaluate("channel => harness.turn({channel})", GENERAL)
    await expect(box).to_have_text("half a thou")


async def test_a_command_being_filled_in_survives_what_happens_around_it_and_ends_with_its_command(
    harness: Harness,
) -> None:
    await begin(harness)
    await type_in(harness, "/signals reddit query:half")
    again = [{**known} for known in CAPTURED["commands"]]
    await harness.tab.evaluate("commands => harness.turn({commands})", again)
    await expect(field(harness, "query")).to_have_value("half")
    await expect(field(harness, "query")).to_be_focused()
    await harness.tab.evaluate("() => harness.turn({commands: []})")
    await expect(harness.tab.locator(".command-line")).to_have_count(0)
    await type_in(harness, "/")
    await expect(options_shown(harness)).to_have_count(0)


async def test_commands_that_arrive_while_one_is_being_typed_are_offered_at_once(harness: Harness) -> None:
    await begin(harness, GIVE)
    await type_in(harness, "/sig")
    await expect(options_shown(harness)).to_have_count(0)
    await harness.tab.evaluate("commands => harness.turn({commands})", CAPTURED["commands"])
    await expect(options_shown(harness).first).to_contain_text("/signals reddit")


async def test_typing_takes_no_long_task_however_much_there_is(harness: Harness) -> None:
    """A hundred commands of 25 subcommands, three thousand people."""
    subcommands = [{"type": 1, "name": f"s{n}", "description": "d", "options": [option("who", 6)]} for n in range(25)]
    many = [command(f"c{number}", *subcommands) for number in range(100)]
    people = [{"id": str(number), "username": f"person{number}"} for number in range(3000)]
    await begin(harness, *many, users=people)
    typing = "/c5 s1 who:person12"
    assert await longest_task_ms(harness.tab, "text => harness.typeSlowly(text)", typing) < 50
