"""The gateway, frame by frame."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson
import pytest

from sandbox import intents
from sandbox.clock import Clock
from sandbox.server import LocalDiscord

from .clients import Rest, Shard, settle

# Sockets are closed at odd moments here; from Python 3.13 on the collector finds what aiohttp's client made of them.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")

NewShard = Callable[..., Shard]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
def new_shard(local: LocalDiscord, session: aiohttp.ClientSession) -> NewShard:
    def make(compress: str = "", server: LocalDiscord = local) -> Shard:
        return Shard(session, server, compress)

    return make


@pytest.mark.parametrize("compress", ["", "zlib-stream", "zstd-stream"])
async def test_hello_identify_ready_and_the_guilds(local: LocalDiscord, new_shard: NewShard, compress: str) -> None:
    guild = settle(local).guild
    shard = await new_shard(compress).open()
    ready = await shard.identify(shard=[0, 1])
    assert ready["guilds"] == [{"id": str(guild.id), "unavailable": True}]
    assert ready["user"]["id"] == ready["application"]["id"] == str(local.application_id)
    assert ready["resume_gateway_url"] == local.gateway_url
    created = await shard.event("GUILD_CREATE")
    assert [channel["name"] for channel in created["channels"]] == ["general", "signals"]
    assert created["unavailable"] is False
    assert shard.seq == 2


async def test_each_shard_gets_its_guilds(local: LocalDiscord, new_shard: NewShard) -> None:
    guilds = [local.add_guild(f"{n}") for n in range(4)]
    shards = [await new_shard().open() for _ in range(2)]
    for number, shard in enumerate(shards):
        ready = await shard.identify(shard=[number, 2])
        assert {int(g["id"]) for g in ready["guilds"]} == {g.id for g in guilds if (g.id >> 22) % 2 == number}


async def test_heartbeats_are_acknowledged_and_their_absence_closes(session: aiohttp.ClientSession) -> None:
    async with LocalDiscord(heartbeat_interval_s=0.04) as local:
        shard = await Shard(session, local).open()
        assert (await shard.frame())["d"]["heartbeat_interval"] == 40
        await shard.send(1, None)
        assert (await shard.frame())["op"] == 11
        assert await shard.close_code() == 4009


async def test_one_identify_per_key_and_interval(session: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with LocalDiscord(clock=clock, max_concurrency=2) as local:
        shards = [await Shard(session, local).open() for _ in range(3)]
        await shards[0].identify(shard=[0, 4])
        await shards[1].identify(shard=[1, 4])
        await shards[2].frame()
        await shards[2].send_identify(shard=[2, 4])
        assert await shards[2].frame() == {"op": 9, "d": False}
        clock.advance(5)
        await shards[2].send_identify(shard=[2, 4])
        assert (await shards[2].event("READY"))["shard"] == [2, 4]
        assert [identify.accepted for identify in local.gateway.identifies] == [True, True, False, True]


async def test_too_many_session_starts_reset_the_token(session: aiohttp.ClientSession) -> None:
    async with LocalDiscord(identify_interval_s=0, session_starts=1) as local:
        token = local.token
        await (await Shard(session, local).open()).identify()
        shard = await Shard(session, local).open()
        await shard.send_identify()
        assert await shard.close_code() == 4004
        assert local.token != token


async def test_a_resume_replays_what_was_missed(local: LocalDiscord, new_shard: NewShard) -> None:
    first = await new_shard().open()
    await first.identify()
    local.gateway.sever()
    await first.close_code()
    local.add_guild("One")
    local.add_guild("Two")
    second = await new_shard("zlib-stream").open()
    await second.frame()
    await second.send(6, {"token": local.token, "session_id": first.session_id, "seq": first.seq})
    names = [(frame["t"], frame["d"].get("name")) for frame in [await second.frame() for _ in range(3)]]
    assert names == [("GUILD_CREATE", "One"), ("GUILD_CREATE", "Two"), ("RESUMED", None)]
    local.add_guild("Three")
    assert (await second.event("GUILD_CREATE"))["name"] == "Three"


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_client_that_says_goodbye_cannot_resume(local: LocalDiscord, new_shard: NewShard, code: int) -> None:
    first = await new_shard().open()
    await first.identify()
    await first.socket.close(code=code)
    second = await new_shard().open()
    await second.frame()
    await second.send(6, {"token": local.token, "session_id": first.session_id, "seq": first.seq})
    assert await second.frame() == {"op": 9, "d": False}


async def test_a_client_that_closes_otherwise_can_resume(local: LocalDiscord, new_shard: NewShard) -> None:
    first = await new_shard().open()
    await first.identify()
    await first.socket.close(code=4000)
    second = await new_shard().open()
    await second.frame()
    await second.send(6, {"token": local.token, "session_id": first.session_id, "seq": first.seq})
    assert (await second.frame())["t"] == "RESUMED"


async def test_a_session_does_not_last(session: aiohttp.ClientSession) -> None:
    clock = Clock()
    async with LocalDiscord(clock=clock) as local:
        first = await Shard(session, local).open()
        await first.identify()
        local.gateway.drop(4000)
        assert await first.close_code() == 4000
        clock.advance(600)
        second = await Shard(session, local).open()
        await second.frame()
        await second.send(6, {"token": local.token, "session_id": first.session_id, "seq": first.seq})
        assert (await second.frame())["op"] == 9


async def test_identifies_can_be_refused_by_a_test(local: LocalDiscord, new_shard: NewShard) -> None:
    local.gateway.refuse_next(4000, count=2)
    for _ in range(2):
        shard = await new_shard().open()
        await shard.send_identify()
        assert await shard.close_code() == 4000
    await (await new_shard().open()).identify()


async def test_reconnect_and_invalid_session_are_told(local: LocalDiscord, new_shard: NewShard) -> None:
    shard = await new_shard().open()
    await shard.identify()
    assert local.gateway.reconnect() == 1
    assert (await shard.frame())["op"] == 7
    local.gateway.invalid_session(resumable=True)
    assert await shard.frame() == {"op": 9, "d": True}
    assert len(local.gateway.sessions) == 1
    local.gateway.invalid_session()
    assert await shard.frame() == {"op": 9, "d": False}
    assert len(local.gateway.sessions) == 0


PROPERTIES: dict[str, Any] = {"os": "", "browser": "", "device": ""}


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([{"op": 99, "d": None}], 4001),
        ([{"op": True, "d": None}], 4001),
        (["{"], 4002),
        (["[]"], 4002),
        ([{"op": 1, "d": "x" * 4096}], 4002),
        ([{"op": 3, "d": {}}], 4003),
        ([{"op": 2, "d": {"token": "wrong", "properties": PROPERTIES, "intents": 1}}], 4004),
        (["identify", "identify"], 4005),
        ([{"op": 1, "d": None}] * 121, 4008),
        ([{"op": 2, "d": {"shard": [2, 2]}}], 4010),
        ([{"op": 2, "d": {"shard": "0"}}], 4010),
        ([{"op": 2, "d": {"intents": 1 << 40}}], 4013),
        ([{"op": 2, "d": {"intents": None}}], 4013),
        ([{"op": 2, "d": {"intents": intents.MESSAGE_CONTENT}}], 4014),
        ([{"op": 2, "d": {"intents": intents.GUILD_MEMBERS}}], 4014),
    ],
)
async def test_close_codes(local: LocalDiscord, new_shard: NewShard, frames: list[Any], code: int) -> None:
    shard = await new_shard().open()
    for frame in frames:
        if frame == "identify":
            await shard.send_identify()
        elif isinstance(frame, str):
            await shard.socket.send_str(frame)
        elif frame["op"] == 2:
            base = {"token": local.token, "properties": PROPERTIES, "intents": 1}
            await shard.socket.send_str(orjson.dumps({**frame, "d": base | frame["d"]}).decode())
        else:
            await shard.socket.send_str(orjson.dumps(frame).decode())
    assert await shard.close_code() == code


@pytest.mark.parametrize(
    ("query", "code"), [("?v=6", 4012), ("?v=10&encoding=etf", 4012), ("?v=10&compress=lz4", 4002)]
)
async def test_addresses_that_are_not_served(new_shard: NewShard, query: str, code: int) -> None:
    assert await (await new_shard().open(query)).close_code() == code


async def test_a_wrong_sequence_and_a_wrong_token_on_resume(local: LocalDiscord, new_shard: NewShard) -> None:
    first = await new_shard().open()
    await first.identify()
    for token, seq, code in ((local.token, 999, 4007), ("wrong", 1, 4004)):
        other = await new_shard().open()
        await other.send(6, {"token": token, "session_id": first.session_id, "seq": seq})
        assert await other.close_code() == code


async def test_more_than_2500_guilds_need_shards(
    local: LocalDiscord, new_shard: NewShard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.connection.GUILDS_A_SHARD", 3)
    for number in range(4):
        local.add_guild(f"{number}", [])
    shard = await new_shard().open()
    await shard.send_identify()
    assert await shard.close_code() == 4011
    assert (await (await new_shard().open()).identify(shard=[0, 2]))["shard"] == [0, 2]


async def test_events_follow_the_intents(local: LocalDiscord, new_shard: NewShard) -> None:
    place = settle(local)
    shard = await new_shard().open()
    await shard.identify(intents.GUILD_MESSAGES)
    place.guild.add_role("role")
    await local.say(place.user, local.dm(place.user), "direct")
    await local.say(place.user, place.channel, "secret")
    await local.say(place.user, place.channel, "to <@bot>")
    frames = [await shard.frame() for _ in range(2)]
    assert [(frame["t"], frame["d"]["content"]) for frame in frames] == [
        ("MESSAGE_CREATE", ""),
        ("MESSAGE_CREATE", f"to {local.bot_user.mention}"),
    ]
    assert frames[1]["d"]["mentions"][0]["id"] == str(local.application_id)
    assert frames[1]["d"]["member"]["roles"] == []


async def test_the_bot_hears_of_its_own_roles_without_the_intent_for_members(
    local: LocalDiscord, new_shard: NewShard
) -> None:
    place = settle(local)
    shard = await new_shard().open()
    await shard.identify(intents.GUILDS)
    role = place.guild.add_role("role")
    place.guild.set_member_roles(place.user, [role])
    place.guild.set_member_roles(local.bot_user, [role])
    heard = await shard.event("GUILD_MEMBER_UPDATE")
    assert (heard["user"]["id"], heard["roles"]) == (str(local.application_id), [str(role.id)])


async def test_the_content_intent_gives_everything(session: aiohttp.ClientSession) -> None:
    async with LocalDiscord(privileged_intents=intents.MESSAGE_CONTENT) as local:
        place = settle(local)
        shard = await Shard(session, local).open()
        await shard.identify(intents.GUILD_MESSAGES | intents.MESSAGE_CONTENT)
        await local.say(place.user, place.channel, "open")
        assert (await shard.event("MESSAGE_CREATE"))["content"] == "open"


async def test_interactions_need_no_intent_and_no_message_event_follows(
    local: LocalDiscord, new_shard: NewShard, rest: Rest
) -> None:
    place = settle(local)
    shard = await new_shard().open()
    await shard.identify(0)
    exchange = await local.send_command(place.user, place.channel, "help")
    payload = await shard.event("INTERACTION_CREATE")
    assert exchange.delivered
    body = {"type": 4, "data": {"content": "hello"}}
    answer = await rest("POST", f"/interactions/{payload['id']}/{payload['token']}/callback", body)
    assert (answer.status, answer.body) == (204, b"")
    assert await shard.silent()


async def test_nobody_connected_means_no_answer(local: LocalDiscord) -> None:
    place = settle(local)
    exchange = await local.send_command(place.user, place.channel, "help")
    assert not exchange.delivered
    assert not await exchange.wait_acknowledged(0.01)
    with pytest.raises(TimeoutError, match="never acknowledged"):
        await exchange.wait_message(0.01)


async def test_a_reader_who_is_too_slow_is_cut_off(
    local: LocalDiscord, new_shard: NewShard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.connection.FRAMES_QUEUED", 4)
    shard = await new_shard().open()
    await shard.identify()
    for number in range(8):
        local.add_guild(f"{number}", [])
    assert await shard.close_code() == 1006
