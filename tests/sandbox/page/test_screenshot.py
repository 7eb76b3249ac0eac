"""The screenshot in README.md: made here, of the real demo. ``make screenshot`` puts it into the repository."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, expect

from .person import Person

SCREENSHOT = Path(__file__).parents[3] / "docs" / "images" / "demo.png"
SIZE = (1400, 860)
MOST_BYTES = 150_000


@pytest.mark.asyncio(loop_scope="session")
async def test_the_demo_is_photographed_with_an_answer_and_its_spans(browser: Browser, address: str) -> None:
    context = await browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="dark")
    try:
        tab = await context.new_page()
        await tab.goto(address)
        person = Person(tab)
        await person.go("general")
        await person.send("/signals reddit")
        await expect(await person.answered()).to_contain_text("Page 1/")
        await expect(tab.get_by_role("table").get_by_text("command.signals")).to_be_visible()
        await expect(tab.locator("#samples")).to_have_text("All stories are samples")
        taken = lightened(await tab.screenshot())
    finally:
        await context.close()
    assert len(taken) < MOST_BYTES
    if "SCREENSHOT" in os.environ:
        SCREENSHOT.write_bytes(taken)


def lightened(picture: bytes) -> bytes:
    """The picture in 256 colours, which is all that a page of flat colours needs."""
    smaller = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        smaller, "PNG", optimize=True
    )
    return smaller.getvalue()


def test_the_committed_screenshot_is_whole_and_light() -> None:
    picture = SCREENSHOT.read_bytes()
    assert len(picture) < MOST_BYTES
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == SIZE
