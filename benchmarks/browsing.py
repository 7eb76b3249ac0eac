"""A real browser in front of the demo, for figures, tests and the screenshot."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 120.0
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_DEMO = (sys.executable, "-m", "bot", "demo")


def find_chromium() -> str | None:
    """Where the system's browser is; ``CHROMIUM`` in the environment names another."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@asynccontextmanager
async def running_browser(path: str) -> AsyncIterator[Browser]:
    """That Chromium, headless."""
    async with async_playwright() as playwright:
        # Root has no sandbox of its own, and containers little shared memory.
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def running_demo(
    *arguments: str,
    command: Sequence[str] = _DEMO,
    folder: Path = ROOT,
    variables: Mapping[str, str] = os.environ,
    quiet: bool = False,
) -> AsyncIterator[str]:
    """The demo as a process of its own, on any free port; gives its page's address. Ended at the end."""
    process = await asyncio.create_subprocess_exec(
        *command, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL if quiet else None,
        cwd=folder, env=dict(variables),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            found = None
            while found is None:
                line = (await process.stdout.readline()).decode()
                if not line:
                    raise RuntimeError("the demo ended before it said where its page is")
                found = re.search(r"http://\S+", line)
        yield found[0]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def send_command(page: Page, command: str, *, timeout_ms: float = 20_000) -> None:
    """Type a slash command, complete it with Enter and send it with Enter, as soon as the bot offers it."""
    await page.locator("#composer").get_by_role("combobox").last.click()
    await page.keyboard.type(command)
    offered = page.get_by_role("listbox").get_by_role("option").first
    await offered.wait_for(timeout=timeout_ms)
    await page.keyboard.press("Enter")
    await page.locator("#composer .command-name").wait_for(timeout=timeout_ms)
    await page.keyboard.press("Enter")
