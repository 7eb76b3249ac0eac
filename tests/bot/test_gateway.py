"""The gateway breaks in every way it can; a command afterwards is answered."""

import asyncio
from typing import Any

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.client import intents
from bot.gateway import set_addresses
from sandbox.intents import DIRECT_MESSAGES, GUILD_MESSAGES, GUILDS
from tests.bot.conftest import Start
from tests.bot.scene import FakeSource, Scene, answer_to, until


@pytest.mark.parametrize("way", ["drop", "sever", "reconnect", "invalid but resumable"])
async def test_after_a_break_it_resumes_and_answers(scene: Scene, way: str, sources: dict[str, FakeSource]) -> None:
    sources["reddit"].gate = asyncio.Event()
    pending = await scene.send("signals reddit")
    (connection,) = scene.local.gateway.connections
    match way:
        case "drop":
            scene.local.gateway.drop(4000)
        case "sever":
            scene.local.gateway.sever()
        case "reconnect":
            scene.local.gateway.reconnect()
        case _:
            scene.local.gateway.invalid_session(resumable=True)
    sources["reddit"].gate.set()
    await answer_to(pending)
    await scene.answer("/signals news")
    assert len(scene.local.gateway.identifies) == 1
    assert connection not in scene.local.gateway.connections


async def test_after_an_invalid_session_it_identifies_anew_at_the_address_of_the_environment(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_pause(*_: Any, **__: Any) -> None:
        """Instead of five seconds before each identify but the first."""

    monkeypatch.setattr(scene.bot, "before_identify_hook", no_pause)
    scene.local.gateway.invalid_session()
    await until(lambda: len(scene.local.gateway.identifies) == 2, 10)
    await until(lambda: any(c.session is not None for c in scene.local.gateway.connections))
    await scene.answer("/signals reddit")


async def test_a_burst_of_one_server_holds_up_no_other_server(scene: Scene) -> None:
    other = scene.local.add_guild("Other")
    bob = scene.local.add_user("bob")
    other.add_member(bob)
    await until(lambda: scene.bot.get_guild(other.id))
    burst = [await scene.type(f"/signals reddit query:{number}") for number in range(100)]
    asked = await scene.type("/signals reddit", bob, other.first_text_channel())
    assert await asked.wait_acknowledged()
    assert asked.deferred
    assert sum(exchange.acknowledged.is_set() for exchange in burst) < 80
    for exchange in burst:
        assert await exchange.wait_acknowledged(10)
    assert sum(exchange.ephemeral for exchange in burst) > 50  # the slower the machine, the more have their turn


def test_addresses_are_set_where_the_client_looks_them_up(addresses_restored: None) -> None:
    set_addresses("http://127.0.0.1:1/api/v10", "ws://127.0.0.1:2/gateway")
    assert Route("GET", "/users/@me").url == "http://127.0.0.1:1/api/v10/users/@me"
    assert str(DiscordWebSocket.DEFAULT_GATEWAY) == "ws://127.0.0.1:2/gateway"
    set_addresses("http://127.0.0.1:3/api/v10", "")
    assert str(DiscordWebSocket.DEFAULT_GATEWAY) == "ws://127.0.0.1:2/gateway"


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("INTERACTION_CREATE", {"id": "1", "type": 2}),
        ("INTERACTION_CREATE", {"id": "1", "type": "?", "data": 5}),
        ("INTERACTION_CREATE", {}),
        ("INTERACTION_CREATE", None),
        ("INTERACTION_CREATE", [1]),
        ("GUILD_CREATE", {"name": "no id"}),
        ("GUILD_DELETE", None),
        ("CHANNEL_UPDATE", {"id": "x", "guild_id": "y", "type": 0}),
    ],
)
async def test_an_event_that_cannot_be_read_does_not_end_the_client(
    scene: Scene, quiet_log: pytest.LogCaptureFixture, event: str, data: Any
) -> None:
    for session in scene.local.gateway.sessions:
        session.push(event, data)
    await until(lambda: "could not be read" in quiet_log.text)
    assert len([record for record in quiet_log.records if record.exc_info]) == 1
    quiet_log.clear()
    await scene.answer("/signals reddit")
    assert len(scene.local.gateway.identifies) == 1


async def test_an_event_of_an_unknown_name_is_nothing(scene: Scene) -> None:
    for session in scene.local.gateway.sessions:
        session.push("SOMETHING_NEW", {"id": "1"})
    await scene.answer("/signals reddit")


@pytest.mark.parametrize(
    ("text_commands", "wanted"), [(False, GUILDS), (True, GUILDS | GUILD_MESSAGES | DIRECT_MESSAGES)]
)
async def test_it_asks_for_exactly_the_events_that_it_needs(start: Start, text_commands: bool, wanted: int) -> None:
    async with start(text_commands=text_commands) as scene:
        (identify,) = scene.local.gateway.identifies
        assert identify.intents == wanted == intents(text_commands=text_commands).value


async def test_it_keeps_neither_members_nor_messages(start: Start) -> None:
    async with start(text_commands=True) as scene:
        await scene.local.say(scene.ada, scene.channel, "<@bot> help")
        await scene.answer("/signals reddit")
        (guild,) = scene.bot.guilds
        assert {member.id for member in guild.members} <= {scene.local.bot_user.id}
        assert list(scene.bot.cached_messages) == []
        assert not scene.bot._connection.member_cache_flags.joined
        assert scene.bot.allowed_mentions is not None
        assert dict(scene.bot.allowed_mentions.to_dict()) == {"parse": []}
        assert len(scene.bot._connection._view_store._synced_message_views) == 0


async def test_servers_come_and_go(scene: Scene) -> None:
    other = scene.local.add_guild("Other")
    other.add_member(scene.ada)
    await until(lambda: scene.bot.get_guild(other.id))
    await scene.answer("/signals reddit", channel=other.first_text_channel())
    scene.local.remove_guild(other)
    await until(lambda: scene.bot.get_guild(other.id) is None)
    await scene.answer("/signals reddit")
