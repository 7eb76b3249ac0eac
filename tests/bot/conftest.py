"""A bot in front of a local Discord, over the wire, with sources that do as they are told."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route

from agents.source import Source
from bot.app import assembled, delivering, load_cogs
from bot.client import SignalsBot
from bot.gateway import set_addresses
from bot.settings import Settings
from sandbox.clock import Clock
from sandbox.server import LocalDiscord
from tests.bot.scene import FakeSource, Scene, may_mention, usual_sources

Start = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
def sources() -> dict[str, FakeSource]:
    """What the bot asks: each answers at once until told otherwise."""
    return usual_sources()


@pytest.fixture
def faked(sources: dict[str, FakeSource], monkeypatch: pytest.MonkeyPatch) -> None:
    """The scout is made with the fake sources instead of the real ones."""

    def build(_settings: object) -> tuple[Source, ...]:
        return tuple(sources.values())

    monkeypatch.setattr("agents.assembly.build_sources", build)


@pytest.fixture
def addresses_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """``set_addresses`` changes the client's classes; not beyond a test."""
    monkeypatch.setattr(Route, "BASE", Route.BASE)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", DiscordWebSocket.DEFAULT_GATEWAY)


@pytest.fixture
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Nothing is logged as an error that the test did not look at (and clear)."""
    yield caplog
    errors = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert [(record.name, record.getMessage(), record.exc_text) for record in errors] == []


@pytest.fixture
async def local(quiet_log: pytest.LogCaptureFixture) -> AsyncIterator[LocalDiscord]:
    """A local Discord; at the end no request may have broken a rule, or been able to mention anybody."""
    async with LocalDiscord(identify_interval_s=0, clock=Clock()) as server:
        yield server
        assert server.violations == []
        assert may_mention(server.requests) == []


@pytest.fixture
def settings(tmp_path: Path, local: LocalDiscord, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings that lead to the local Discord; cooldown off unless asked for."""
    monkeypatch.chdir(tmp_path)

    def make(**changes: Any) -> Settings:
        values: dict[str, Any] = {
            "discord_token": local.token,
            "discord_api_url": local.api_url,
            "discord_gateway_url": local.gateway_url,
            "database_url": f"sqlite+aiosqlite:///{tmp_path}/answers.db",
            "user_cooldown_s": 0,
            "http_port": 0,
            **changes,
        }
        return Settings(_env_file=None, **values)

    return make


@pytest.fixture
def start(local: LocalDiscord, settings: Callable[..., Settings], faked: None, addresses_restored: None) -> Start:
    """Starts a bot, connected and with its commands registered; several lives of one bot share the database."""

    def started(
        prepare: Callable[[SignalsBot], None] | None = None, **changes: Any
    ) -> AbstractAsyncContextManager[Scene]:
        return connected_bot(local, settings(**changes), prepare)

    return started


@asynccontextmanager
async def connected_bot(
    local: LocalDiscord, settings: Settings, prepare: Callable[[SignalsBot], None] | None = None
) -> AsyncIterator[Scene]:
    """A bot with all its parts, in front of the local Discord; its client's addresses must be restored afterwards."""
    set_addresses(settings.discord_api_url, settings.discord_gateway_url)
    async with assembled(settings) as parts:
        bot = SignalsBot(lambda loading: load_cogs(loading, parts), text_commands=settings.text_commands)
        bot._connection.guild_ready_timeout = 0.01
        if prepare is not None:
            prepare(bot)
        scene = Scene(local, parts, bot)
        async with delivering(parts, bot):
            connected = asyncio.create_task(_run(bot, local.token))
            try:
                await scene.settled(connected)
                yield scene
            finally:
                await bot.close()
                connected.cancel()
                await asyncio.wait((connected,), timeout=2)
        if not connected.cancelled() and (error := connected.exception()) is not None:
            raise error


async def _run(bot: SignalsBot, token: str) -> None:
    await bot.login(token)
    await bot.connect()


@pytest.fixture
async def scene(start: Start) -> AsyncIterator[Scene]:
    """A bot with its defaults, but without cooldown."""
    async with start() as made:
        yield made
