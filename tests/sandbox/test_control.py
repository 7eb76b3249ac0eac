"""The local Discord from another process: HTTP, a websocket, and ``python -m sandbox``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from sandbox.server import LocalDiscord

from .clients import Answer, Place, Rest, Shard, register, settle


@pytest.fixture
def place(local: LocalDiscord) -> Place:
    return settle(local)


Control = Callable[..., Awaitable[Any]]


@pytest.fixture
async def control(local: LocalDiscord) -> AsyncIterator[Control]:
    async with aiohttp.ClientSession() as session:

        async def send(path: str, body: Any = None, *, status: int = 200, **kwargs: Any) -> Any:
            method = "GET" if body is None else "POST"
            url = f"{local.http_url}/sandbox/{path}"
            async with session.request(method, url, json=body, **kwargs) as response:
                assert response.status == status, await response.text()
                return await response.json() if response.content_type == "application/json" else None

        yield send


async def test_a_command_typed_over_http(local: LocalDiscord, place: Place, rest: Rest, control: Control) -> None:
    await register(rest)
    shard = await Shard(rest.session, local).open()
    await shard.identify()
    answering = asyncio.create_task(_answer(shard, rest))
    told = await control(
        "type", {"user": "ada", "channel": "general", "line": "/signals reddit query:x", "wait": "message"}
    )
    await answering
    assert told["messages"][0]["content"] == "hello"
    assert (
        told["acknowledged"],
        told["deferred"],
        told["ephemeral"],
        told["visible_to"] if "x" in told else None,
    ) == (
        True,
        False,
        True,
        None,
    )
    again = await control(f"exchanges/{told['interaction_id']}")
    assert again["messages"] == told["messages"]
    assert again["messages"][0]["visible_to"] == str(place.user.id)
    clicked = await control(
        "click", {"user": str(place.user.id), "message": told["messages"][0]["id"], "component": 1}
    )
    assert clicked["kind"] == "component"


async def _answer(shard: Shard, rest: Rest) -> Answer:
    asked = await shard.event("INTERACTION_CREATE")
    row = {"type": 1, "components": [{"type": 2, "style": 1, "label": "x", "custom_id": "x"}]}
    data = {"content": "hello", "flags": 64, "components": [row]}
    return await rest("POST", f"/interactions/{asked['id']}/{asked['token']}/callback", {"type": 4, "data": data})


async def test_state_and_logs(local: LocalDiscord, place: Place, control: Control, rest: Rest) -> None:
    guild = await control("guilds", {"name": "Made over HTTP", "channels": ["a", "b"], "members": ["ada"]})
    await control("channels", {"guild": guild["id"], "name": "ideas", "kind": "forum"})
    user = await control("users", {"name": "grace", "guilds": [guild["id"]], "permissions": 32})
    said = await control("say", {"user": "grace", "channel": "a", "text": "hi <@bot>"})
    assert said["mentions"][0]["id"] == str(local.application_id)
    state = await control("state")
    assert [g["name"] for g in state["guilds"]] == ["Test", "Made over HTTP"]
    assert [c["name"] for c in state["guilds"][1]["channels"]] == ["a", "b", "ideas"]
    assert user["id"] in [member["user"]["id"] for member in state["guilds"][1]["members"]]
    await rest.post(place.channel, content="")
    assert (await control("requests"))[-1]["status"] == 400
    await rest.post(place.channel, content="x" * 2001)
    assert (await control("violations"))[0]["field"] == "content"
    assert len(await control(f"channels/{said['channel_id']}/messages")) == 1


async def test_faults_and_gateway(local: LocalDiscord, place: Place, control: Control, rest: Rest) -> None:
    await control("faults", {"kind": "status", "route": "/messages$", "status": 503})
    assert (await rest.post(place.channel, content="x")).status == 503
    assert (await control("faults"))[0]["struck"] == 1
    await control("faults/clear", {})
    shard = await Shard(rest.session, local).open()
    await shard.identify()
    assert await control("gateway/reconnect", {}) == {"told": 1}
    assert await control("gateway/drop", {"code": 4009}) == {"closed": 1}
    assert await shard.close_code() == 4009
    before = local.clock.monotonic()
    await control("clock/advance", {"seconds": 60})
    assert local.clock.monotonic() >= before + 60
    await control("reset", {})
    assert (local.guilds, local.requests, local.violations) == ((), [], [])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("type", {}),
        ("type", {"user": "nobody", "channel": "general", "line": "/x"}),
        ("type", {"user": "ada", "channel": "general", "line": "/x"}),
        ("click", {"user": "ada", "message": "1", "component": 1}),
        ("faults", {"kind": "nonsense"}),
        ("faults", {"unknown": 1}),
        ("say", [1]),
    ],
)
@pytest.mark.usefixtures("place")
async def test_what_cannot_be_done_is_said(control: Control, path: str, body: Any) -> None:
    assert (await control(path, body, status=400))["error"]


async def test_strangers_are_refused(control: Control) -> None:
    await control("state", status=403, headers={"Host": "evil.example"})
    await control("state", status=403, headers={"Origin": "https://evil.example"})
    await control("say", {}, status=403, headers={"Origin": "https://evil.example"})


async def test_the_stream_tells_what_happens(local: LocalDiscord, place: Place, rest: Rest) -> None:
    async with rest.session.ws_connect(f"{local.http_url}/sandbox/events") as stream:
        await local.say(place.user, place.channel, "heard")
        told = await asyncio.wait_for(stream.receive_json(), 1)
        assert (told["kind"], told["subject"]["content"]) == ("message.created", "heard")


async def test_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", "--no-limits", "--no-validate", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = json.loads(await asyncio.wait_for(process.stdout.readline(), 10))
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bot {said['token']}"}
        async with session.get(f"{said['api_url']}/gateway/bot", headers=headers) as response:
            assert (await response.json())["url"] == said["gateway_url"]
        async with session.get(f"{said['control_url']}/state") as response:
            assert (await response.json())["guilds"][0]["id"] == said["guild_id"]
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 5) == 0
