"""Modals: what they hold, what they refuse, and where the focus goes."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.sandbox.page import samples
from tests.sandbox.page.harness import CAPTURED, Harness
from tests.sandbox.page.samples import USERS, button, message, row, select

pytestmark = pytest.mark.asyncio(loop_scope="session")


def label(title: str, component: dict[str, Any], description: str | None = None) -> dict[str, Any]:
    """A label around one control."""
    return {"type": 18, "label": title, "description": description, "component": component}


def field(custom_id: str = "field", style: int = 1, **more: Any) -> dict[str, Any]:
    """A text field."""
    return {"type": 4, "custom_id": custom_id, "style": style, **more}


def modal(*components: dict[str, Any]) -> dict[str, Any]:
    """A modal of these."""
    return {"title": "A form", "custom_id": "form", "components": list(components)}


COLOURS = [{"label": name.title(), "value": name} for name in ("red", "green")]


async def show(harness: Harness, *components: dict[str, Any]) -> None:
    await harness.tab.evaluate("modal => harness.modal(modal)", modal(*components))


async def submitted(harness: Harness) -> dict[str, Any]:
    """What the one submission held."""
    await expect(harness.tab.get_by_role("dialog")).to_have_count(0)
    ((_, fields),) = await harness.calls("onModalSubmit")
    return dict(fields)


async def test_the_bots_own_form_is_filled_in_and_sent_by_enter(harness: Harness) -> None:
    await harness.tab.evaluate("modal => harness.modal(modal)", CAPTURED["modal"])
    await expect(harness.tab.get_by_role("dialog", name="Set limit")).to_be_visible()
    entry = harness.tab.get_by_role("textbox", name="limit")
    await expect(entry).to_be_focused()
    await expect(entry).to_have_value("10")
    await entry.fill("3")
    await entry.press("Enter")
    assert await submitted(harness) == {"value": "3"}


async def test_every_control_is_read(harness: Harness) -> None:
    await show(
        harness,
        {"type": 10, "content": "**Read** this"},
        row(field("old", label="Old style")),
        label("Colour", select(3, "colour", options=COLOURS)),
        label("Person", select(5, "person")),
        label("Choice", {"type": 21, "custom_id": "radio", "options": COLOURS}),
    )
    tab = harness.tab
    await expect(tab.locator("dialog strong")).to_have_text("Read")
    await tab.get_by_role("textbox", name="Old style").fill("words")
    await tab.get_by_role("combobox", name="Colour").click()
    await tab.get_by_role("option", name="Green").click()
    await tab.get_by_role("combobox", name="Person").fill("bob")
    await tab.keyboard.press("Enter")
    await tab.get_by_role("radio", name="Red").check()
    await tab.get_by_role("button", name="Submit").click()
    assert await submitted(harness) == {
        "old": "words",
        "colour": ["green"],
        "person": [USERS["bob"]["id"]],
        "radio": "red",
    }


async def test_boxes_and_files_are_read(harness: Harness) -> None:
    await show(
        harness,
        label("Several", {"type": 22, "custom_id": "boxes", "options": COLOURS}),
        label("Sure", {"type": 23, "custom_id": "sure", "default": True}),
        label("Files", {"type": 19, "custom_id": "files", "max_values": 2}),
    )
    tab = harness.tab
    await tab.get_by_role("checkbox", name="Green").check()
    await tab.locator("input[type=file]").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"})
    await tab.get_by_role("button", name="Submit").click()
    assert await submitted(harness) == {"boxes": ["green"], "sure": True, "files": ["file a.txt"]}


@pytest.mark.parametrize(
    ("component", "entered", "problem"),
    [
        (field(), "", "This field is required."),
        (field(min_length=3), "ab", "Write at least 3 characters; these are 2."),
        (field(style=2, max_length=3), "abcd", "Write at most 3 characters; these are 4."),
        (field(max_length=1), "👩‍👩‍👧", "Write at most 1 characters; these are 5."),
    ],
)
async def test_what_is_wrong_is_said_at_the_field_until_it_is_mended(
    harness: Harness, component: dict[str, Any], entered: str, problem: str
) -> None:
    await show(harness, label("Words", component))
    entry = harness.tab.get_by_role("textbox", name="Words")
    await entry.fill(entered)
    await harness.tab.get_by_role("button", name="Submit").click()
    await expect(harness.tab.locator(".field-error")).to_have_text(problem)
    await expect(entry).to_be_focused()
    await expect(entry).to_have_attribute("aria-invalid", "true")
    assert await harness.calls("onModalSubmit") == []
    await entry.fill("abc" if "least" in problem else "a")
    await expect(harness.tab.locator(".field-error")).to_have_text("")


async def test_what_need_not_be_filled_in_can_be_left_empty(harness: Harness) -> None:
    await show(
        harness,
        label("Words", field(required=False, min_length=5)),
        label("Colour", select(3, "colour", options=COLOURS, required=False)),
    )
    await harness.tab.get_by_role("button", name="Submit").click()
    assert await submitted(harness) == {"field": "", "colour": []}


async def test_a_menu_that_must_be_used_says_so(harness: Harness) -> None:
    await show(harness, label("Colour", select(3, "colour", options=COLOURS)))
    await harness.tab.get_by_role("button", name="Submit").click()
    await expect(harness.tab.locator(".field-error")).to_have_text("Choose something.")


async def test_a_refusal_keeps_the_form_with_what_was_written(harness: Harness) -> None:
    await harness.answer(onModalSubmit={"error": "Something went wrong. Try again."})
    await show(harness, label("Words", field()))
    await harness.tab.get_by_role("textbox", name="Words").fill("kept")
    await harness.tab.get_by_role("button", name="Submit").click()
    await expect(harness.tab.get_by_role("alert").filter(has_text="Something went wrong")).to_be_visible()
    await expect(harness.tab.get_by_role("textbox", name="Words")).to_have_value("kept")
    await expect(harness.tab.get_by_role("button", name="Submit")).to_be_enabled()


async def test_it_is_sent_once_however_often_it_is_pressed(harness: Harness) -> None:
    await harness.answer(onModalSubmit={"held": True})
    await show(harness, label("Words", field(value="a")))
    await harness.tab.get_by_role("textbox").press("Enter")
    await harness.tab.get_by_role("textbox").press("Enter")
    await harness.release()
    assert await submitted(harness) == {"field": "a"}


@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "message drawn anew"])
async def test_the_focus_stays_in_it_and_goes_back_to_the_button(harness: Harness, edited: bool) -> None:
    pressed = message(components=[row(button("Change"))])
    await harness.draw(pressed)
    await harness.tab.get_by_role("button", name="Change").focus()
    await show(harness, label("Words", field()))
    for _ in range(8):
        await harness.tab.keyboard.press("Tab")
        outside = "document.activeElement !== document.body && !document.activeElement.closest('dialog')"
        assert not await harness.tab.evaluate(outside)
    if edited:
        changed = pressed | {"components": [row(button("Change", custom_id="another"))]}
        await harness.tab.evaluate("message => harness.redraw(message)", changed)
    await harness.tab.keyboard.press("Escape")
    await expect(harness.tab.get_by_role("dialog")).to_have_count(0)
    await expect(harness.tab.get_by_role("button", name="Change")).to_be_focused()
    assert await harness.calls("onModalSubmit") == []


async def test_escape_closes_an_open_menu_before_the_form(harness: Harness) -> None:
    await show(harness, label("Colour", select(3, "colour", options=COLOURS)))
    await harness.tab.get_by_role("combobox", name="Colour").click()
    await harness.tab.keyboard.press("Escape")
    await expect(harness.tab.get_by_role("option")).to_have_count(0)
    await expect(harness.tab.get_by_role("dialog")).to_be_visible()


async def test_strangers_words_stay_words_and_fit_a_phone(harness: Harness) -> None:
    await harness.tab.set_viewport_size({"width": 390, "height": 800})
    hostile = "<img src=x onerror=alert(1)>\u202e" + "x" * 60
    await harness.tab.evaluate(
        "modal => harness.modal(modal)", modal(label(hostile, field(placeholder=hostile))) | {"title": hostile}
    )
    dialog = harness.tab.get_by_role("dialog")
    assert await dialog.locator("img").count() == 0
    await expect(dialog.get_by_role("heading")).to_contain_text("<img src=x onerror=alert(1)>")
    box = await dialog.bounding_box()
    assert box is not None
    assert box["width"] <= 390
    assert samples.BOT["username"] in await dialog.inner_text()
