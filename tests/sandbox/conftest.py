"""A local Discord for each test, and a real discord.py client to put in front of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest
import yarl
from discord.ext import commands

from sandbox.server import LocalDiscord

from .clients import Rest


@pytest.fixture
async def local() -> AsyncIterator[LocalDiscord]:
    """A local Discord without the pause between identifies; its violations must be looked at or be none."""
    async with LocalDiscord(identify_interval_s=0) as server:
        yield server


@pytest.fixture
async def rest(local: LocalDiscord) -> AsyncIterator[Rest]:
    """A plain HTTP client that carries the bot's token."""
    async with aiohttp.ClientSession() as session:
        yield Rest(session, local)


Connect = Callable[[commands.AutoShardedBot], Awaitable[commands.AutoShardedBot]]


@pytest.fixture
async def connect(local: LocalDiscord, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """Starts unmodified clients against the local Discord and waits until they are ready."""
    monkeypatch.setattr(discord.http.Route, "BASE", local.api_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(local.gateway_url))
    running: list[tuple[commands.AutoShardedBot, asyncio.Task[Any]]] = []

    async def start(bot: commands.AutoShardedBot) -> commands.AutoShardedBot:
        ready = asyncio.Event()

        async def on_ready() -> None:
            ready.set()

        bot.add_listener(on_ready)
        task = asyncio.create_task(bot.start(local.token))
        running.append((bot, task))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiting}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert ready.is_set(), task.exception() if task.done() else "not ready in time"
        return bot

    yield start
    for bot, task in running:
        await bot.close()
        # A client that failed has said so to the test that started it.
        with contextlib.suppress(asyncio.CancelledError, discord.ClientException):
            await asyncio.wait_for(task, 2)
