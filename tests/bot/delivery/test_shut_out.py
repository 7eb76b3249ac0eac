"""The page of a ban stops whatever would be asked of Discord, wherever it was seen first."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import discord
import pytest
from discord.http import Route

from bot.delivery.pacing import BAN_S, Pacer
from bot.delivery.shut_out import Banned, InteractionRequests, guard_client
from bot.demo_bot import free_port
from bot.settings import Settings
from sandbox.faults import Fault
from sandbox.server import LocalDiscord
from tests.bot.delivery.virtual_time import VirtualClock
from tests.bot.ingress.test_over_the_wire import running
from tests.bot.scene import until

Ask = Callable[[], Any]
MakeSettings = Callable[..., Settings]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def pacer(clock: VirtualClock) -> Pacer:
    return Pacer(clock)


@pytest.fixture(params=["interactions", "the client"])
async def ask(
    request: pytest.FixtureRequest, pacer: Pacer, local: LocalDiscord, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ask]:
    """Asks something as one of those."""
    monkeypatch.setattr(Route, "BASE", local.api_url)
    guild = local.add_guild("Test", ["general"])
    route = Route("GET", "/channels/{channel_id}", channel_id=guild.first_text_channel().id)
    if request.param == "interactions":
        async with aiohttp.ClientSession() as session:
            adapter = InteractionRequests(pacer)
            yield lambda: adapter.request(route, session, auth_token=local.token)
        return
    async with discord.Client(intents=discord.Intents.none()) as client:
        guard_client(client.http, pacer)
        await client.login(local.token)
        yield lambda: client.http.request(route)


async def test_whoever_sees_the_page_stops_everything_for_ten_minutes_and_says_so_once(
    ask: Ask, pacer: Pacer, local: LocalDiscord, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    local.faults.add(Fault("rate_limit", "/channels/", count=2, via=False))
    with pytest.raises(Banned):
        await ask()
    asked = len(local.requests)
    for _ in range(3):
        with pytest.raises(Banned):
            await ask()
    assert len(local.requests) == asked
    assert pacer.paused_s == pacer.shut_out_s == BAN_S
    pacer.shut_out()
    assert [record.levelname for record in caplog.records if "shuts this address out" in record.getMessage()] == [
        "ERROR"
    ]
    clock.now_s += BAN_S
    with pytest.raises(Banned):
        await ask()
    assert len(local.requests) == asked + 1, "the second page"
    clock.now_s += BAN_S
    assert (await ask())["name"] == "general"
    caplog.clear()


async def test_another_limit_or_refusal_stops_nothing(ask: Ask, pacer: Pacer, local: LocalDiscord) -> None:
    local.faults.add(Fault("rate_limit", "/channels/", retry_after_s=0.01))
    local.faults.add(Fault("status", "/channels/", status=403, body={"code": 50001, "message": "no"}))
    with pytest.raises(discord.Forbidden):
        await ask()
    assert pacer.shut_out_s == 0
    assert (await ask())["name"] == "general"


async def test_in_a_running_bot_a_page_leaves_commands_unanswered_and_asks_for_nothing_more(
    local: LocalDiscord,
    settings: MakeSettings,
    faked: None,
    addresses_restored: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    guild = local.add_guild("Test", ["general"])
    person = local.add_user("ada")
    guild.add_member(person)
    async with running(settings(http_port=free_port())) as bot:
        await bot.until_ready()
        await until(local.commands.all, 10)
        local.faults.add(Fault("rate_limit", "/callback", via=False))
        first = await local.type_command(person, guild.first_text_channel(), "/signals reddit")
        await until(lambda: any(one.fault for one in local.requests), 10)
        asked = len(local.requests)
        second = await local.type_command(person, guild.first_text_channel(), "/signals news")
        await asyncio.sleep(0.1)
        assert len(local.requests) == asked
        assert first.acknowledged_after_s is second.acknowledged_after_s is None
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
            "Discord shuts this address out; nothing is asked of it for a while"
        ]
        caplog.clear()
