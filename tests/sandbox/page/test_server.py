"""The page's server as browsers meet it: over the websocket, several at once, with the test as the bot."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sandbox import posting
from sandbox.exchange import Exchange
from sandbox.guilds import Channel
from sandbox.page.controls import Bot, BotState, Controls, Source
from sandbox.page.journal import FRAMES_QUEUED
from sandbox.page.server import ACTIONS_AT_ONCE, Page
from sandbox.page.stage import Stage, set_up
from sandbox.server import LocalDiscord
from sandbox.upstreams import Behaviour, Fault

COMMANDS: list[dict[str, Any]] = [
    {
        "name": "ask",
        "description": "Ask",
        "options": [
            {"name": "query", "description": "What", "type": 3, "required": True, "autocomplete": True},
            {"name": "where", "description": "Where", "type": 7},
            {"name": "file", "description": "File", "type": 11},
        ],
    },
    {"name": "manage", "description": "Manage", "default_member_permissions": "32"},
    {"name": "Explain this", "type": 3},
]


class Browser:
    """One browser: asks, and sees what is pushed."""

    def __init__(self, session: aiohttp.ClientSession, page: Page) -> None:
        self._session = session
        self._page = page
        self.seen: list[dict[str, Any]] = []
        self.epoch, self.seq = "", 0
        self._last_id = 0

    async def open(self, **query: str) -> dict[str, Any]:
        self.socket = await self._session.ws_connect(f"{self._page.url}ws", params=query)
        frame: dict[str, Any] = await self.socket.receive_json(timeout=2)
        self.epoch, self.seq = frame["epoch"], frame["seq"]
        return frame

    async def next(self) -> dict[str, Any]:
        frame: dict[str, Any] = await self.socket.receive_json(timeout=2)
        if frame["kind"] == "change":
            assert frame["seq"] == self.seq + 1
            self.seq = frame["seq"]
            self.seen.append(frame["change"])
        return frame

    async def until(self, kind: str) -> dict[str, Any]:
        """The next change of this kind."""
        while True:
            frame = await self.next()
            if frame["kind"] == "change" and frame["change"]["type"] == kind:
                return dict(frame["change"])

    async def ask(self, what: str, /, **fields: Any) -> dict[str, Any]:
        self._last_id += 1
        await self.socket.send_json({"id": self._last_id, "do": what, **fields})
        while True:
            frame = await self.next()
            if frame["kind"] == "answer" and frame["id"] == self._last_id:
                return frame


class World:
    """A page, its Discord, and the people in it by name."""

    def __init__(self, discord: LocalDiscord, stage: Stage, bot: Bot, page: Page) -> None:
        self.discord, self.stage, self.bot, self.page = discord, stage, bot, page
        self.ids = {person.name: str(person.id) for person in stage.people}
        self.reddit = Behaviour(0.0)

    def channel(self, name: str, server: int = 0) -> Channel:
        return next(c for c in self.stage.servers[server].channels.values() if c.name == name)

    def command(self, name: str) -> str:
        return next(str(command["id"]) for command in self.discord.commands.all() if command["name"] == name)

    def respond(self, exchange: Exchange, **fields: Any) -> None:
        """Say something in answer, as the bot would."""
        made = posting.Draft(fields.pop("content", ""), None, fields.pop("components", None), None, None, None, False)
        message = posting.create(
            self.discord.backend, exchange.channel, self.discord.bot_user, made, visible_to=exchange.user.id, **fields
        )
        posting.announce(self.discord.backend, message, "MESSAGE_CREATE")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with LocalDiscord(validate=False) as discord:
        stage, bot, reddit = set_up(discord), Bot(BotState.RUNNING), Behaviour(0.0)
        controls = Controls(discord, {"reddit": Source("Reddit", reddit), "news": Source("News", None)}, bot)
        async with Page(discord, stage, controls) as page:
            made = World(discord, stage, bot, page)
            made.reddit = reddit
            discord.commands.replace_all(None, COMMANDS)
            yield made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
async def browser(world: World, session: aiohttp.ClientSession) -> Browser:
    opened = Browser(session, world.page)
    await opened.open()
    return opened


async def test_several_browsers_see_the_same(world: World, session: aiohttp.ClientSession) -> None:
    browsers = [Browser(session, world.page) for _ in range(3)]
    snapshots = [await browser.open() for browser in browsers]
    for snapshot in snapshots:  # time passes from one to the next
        del snapshot["state"]["controls"]["now_ms"]
    assert snapshots[0] == snapshots[1] == snapshots[2]
    assert world.page.browsers == 3
    general = str(world.channel("general").id)
    assert (await browsers[0].ask("say", **{"as": world.ids["Max"]}, channel_id=general, text="Hello"))["ok"]
    changes = [browsers[0].seen[-1], *[await browser.until("message") for browser in browsers[1:]]]
    assert {change["message"]["content"] for change in changes} == {"Hello"}
    assert changes[0] == changes[1] == changes[2]


async def test_the_snapshot_holds_two_servers_with_every_kind_of_channel_and_three_people(
    world: World, session: aiohttp.ClientSession
) -> None:
    state = (await Browser(session, world.page).open())["state"]
    assert len(state["servers"]) == 2
    for server in state["servers"]:
        kinds = {(channel["type"], channel["nsfw"]) for channel in server["channels"]}
        assert {(0, False), (5, False), (15, False), (0, True)} <= kinds
        standings = {person["username"]: person["standing"][server["id"]] for person in state["people"]}
        first = server is state["servers"][0]
        assert standings == {"Max": "member", "Ada": "admin" if first else "member", "Olga": "owner"}


async def test_who_lost_the_connection_goes_on_where_they_left_off(
    world: World, browser: Browser, session: aiohttp.ClientSession
) -> None:
    await browser.socket.close()
    max_ = world.stage.people[0]
    for text in ("one", "two"):
        await world.discord.say(max_, world.channel("general"), text)
    again = Browser(session, world.page)
    greeted = await again.open(epoch=browser.epoch, seq=str(browser.seq))
    assert greeted["kind"] == "resumed"
    again.seq = browser.seq
    texts = [(await again.until("message"))["message"]["content"] for _ in range(2)]
    assert texts == ["one", "two"]
    other = Browser(session, world.page)
    assert (await other.open(epoch="of another server", seq="1"))["kind"] == "snapshot"
    assert (await Browser(session, world.page).open(epoch=browser.epoch, seq="nonsense"))["kind"] == "snapshot"


async def test_a_browser_that_does_not_read_is_cut_off_and_the_others_are_not(world: World, browser: Browser) -> None:
    host, port = world.page.url.removeprefix("http://").rstrip("/").split(":")
    deaf = socket.create_connection((host, int(port)))
    try:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while world.page.browsers < 2:
            await asyncio.sleep(0.01)
        text, general, max_ = "x" * 20_000, world.channel("general"), world.stage.people[0]
        for _ in range(20):
            for _ in range(FRAMES_QUEUED // 10):
                await world.discord.say(max_, general, text)
            while (await browser.until("message"))["message"]["id"] != str(general.last_message_id):
                pass
            if world.page.browsers == 1:
                break
        assert world.page.browsers == 1
    finally:
        deaf.close()
    assert (await browser.ask("say", **{"as": world.ids["Max"]}, channel_id=str(general.id), text="still here"))["ok"]


async def test_the_loop_keeps_no_task_of_a_browser_that_left(world: World, browser: Browser) -> None:
    before = asyncio.all_tasks()
    await browser.socket.send_json(
        {"id": 1, "do": "autocomplete", "as": world.ids["Max"], "channel_id": str(world.channel("general").id),
         "command_id": world.command("ask"), "options": [{"name": "query", "value": "a", "focused": True}]}
    )  # fmt: skip
    await browser.until("exchange")
    assert asyncio.all_tasks() - before
    await browser.socket.close()
    async with asyncio.timeout(2):
        while world.page.browsers or asyncio.all_tasks() - before:
            await asyncio.sleep(0.01)


async def test_one_browser_cannot_start_more_than_hands_can(world: World, browser: Browser) -> None:
    request = {
        "do": "autocomplete", "as": world.ids["Max"], "channel_id": str(world.channel("general").id),
        "command_id": world.command("ask"), "options": [{"name": "query", "value": "a", "focused": True}],
    }  # fmt: skip
    for number in range(ACTIONS_AT_ONCE + 3):
        await browser.socket.send_json({**request, "id": 100 + number})
    refused = 0
    while refused < 3:
        frame = await browser.next()
        refused += frame["kind"] == "answer" and not frame["ok"] and "Too much" in frame["error"]


@pytest.mark.parametrize("sent", ["", "nonsense", "[]", "1", '{"id": 1}', '{"id": 1, "do": "sing"}'])
async def test_nonsense_harms_nothing(world: World, browser: Browser, sent: str) -> None:
    await browser.socket.send_str(sent)
    if sent.startswith("{"):
        assert (await browser.next())["ok"] is False
    general = str(world.channel("general").id)
    assert (await browser.ask("say", **{"as": world.ids["Max"]}, channel_id=general, text="fine"))["ok"]


# -- acting


async def test_a_command_reaches_the_bot_as_discord_would_send_it(world: World, browser: Browser) -> None:
    general = world.channel("general")
    options = [{"name": "query", "value": "rust"}, {"name": "where", "value": str(general.id)}]
    answer = await browser.ask(
        "command", **{"as": world.ids["Max"]}, channel_id=str(general.id), command_id=world.command("ask"),
        options=options,
    )  # fmt: skip
    exchange = world.discord.backend.exchanges.by_id(int(answer["value"]["exchange_id"]))
    assert exchange is not None
    assert exchange.payload["member"]["user"]["username"] == "Max"
    assert exchange.payload["data"]["options"] == [
        {"name": "query", "type": 3, "value": "rust"},
        {"name": "where", "type": 7, "value": str(general.id)},
    ]
    assert str(general.id) in exchange.payload["data"]["resolved"]["channels"]
    assert any(change["type"] == "exchange" for change in browser.seen)


async def test_a_refusal_names_the_option_that_is_to_blame(world: World, browser: Browser) -> None:
    fields = {"as": world.ids["Max"], "channel_id": str(world.channel("general").id)}
    for options, blamed in (
        ([], "query"),
        ([{"name": "query", "value": "a"}, {"name": "where", "value": "9"}], "where"),
    ):
        answer = await browser.ask("command", **fields, command_id=world.command("ask"), options=options)
        assert (answer["ok"], answer["option"]) == (False, blamed)


async def test_a_command_that_somebody_may_not_use_is_neither_offered_nor_sent(
    world: World, browser: Browser, session: aiohttp.ClientSession
) -> None:
    general, manage = str(world.channel("general").id), world.command("manage")

    async def finds(name: str) -> bool:
        state = (await Browser(session, world.page).open())["state"]
        person = next(person for person in state["people"] if person["username"] == name)
        return manage in person["finds"][general]

    assert [await finds(name) for name in ("Max", "Ada", "Olga")] == [False, True, True]
    fields = {"channel_id": general, "command_id": manage, "options": []}
    refused = await browser.ask("command", **{"as": world.ids["Max"]}, **fields)
    assert (refused["ok"], refused["error"]) == (False, "This command is not offered to you here")
    guild_id = str(world.stage.servers[0].id)
    assert (await browser.ask("open_commands", guild_id=guild_id, for_all=True))["ok"]
    assert await finds("Max")
    assert (await browser.ask("command", **{"as": world.ids["Max"]}, **fields))["ok"]


async def test_a_command_is_chosen_for_a_message_by_who_may_write_there(world: World, browser: Browser) -> None:
    news, explain = world.channel("news"), world.command("Explain this")
    message = await world.discord.say(world.stage.people[0], news, "Hello")
    fields = {"channel_id": str(news.id), "message_id": str(message.id)}
    used = await browser.ask("message_command", **{"as": world.ids["Olga"]}, **fields, command_id=explain)
    exchange = world.discord.backend.exchanges.by_id(int(used["value"]["exchange_id"]))
    assert exchange is not None
    assert exchange.payload["data"]["target_id"] == str(message.id)
    for who, changed, why in (
        ("Max", {"command_id": explain}, "may not write"),
        ("Olga", {"command_id": world.command("ask")}, "finds no such command"),
        ("Olga", {"command_id": explain, "message_id": "1"}, "is gone"),
        ("Olga", {"command_id": explain, "channel_id": str(world.discord.dm(world.stage.people[1]).id)}, "not see"),
    ):
        refused = await browser.ask("message_command", **{"as": world.ids[who]}, **fields | changed)
        assert (refused["ok"], why in refused["error"]) == (False, True), refused


async def test_nobody_acts_where_they_may_not(world: World, browser: Browser) -> None:
    max_, ada = world.ids["Max"], world.ids["Ada"]
    dm_of_ada = str(world.discord.dm(world.stage.people[1]).id)
    for who, where, why in (
        (max_, str(world.channel("staff").id), "does not see"),
        (max_, dm_of_ada, "does not see"),
        (max_, str(world.channel("news").id), "may not write"),
        (max_, str(world.channel("ideas").id), "may not write"),
        (str(world.discord.bot_user.id), str(world.channel("general").id), "Nobody here"),
    ):
        answer = await browser.ask("say", **{"as": who}, channel_id=where, text="Hello")
        assert (answer["ok"], why in answer["error"]) == (False, True), answer
    assert (await browser.ask("say", **{"as": ada}, channel_id=str(world.channel("staff").id), text="Hello"))["ok"]


async def test_a_press_is_answered_when_it_is_acknowledged(world: World, browser: Browser) -> None:
    general = world.channel("general")
    exchange = await world.discord.use_command(
        world.stage.people[0], general, world.command("ask"), [{"name": "query", "value": "a"}]
    )
    button = {"type": 2, "style": 1, "label": "More", "custom_id": "more"}
    world.respond(exchange, content="Here", components=[{"type": 1, "components": [button]}])
    message = (await browser.until("message"))["message"]
    fields = {"as": world.ids["Ada"], "channel_id": message["channel_id"], "message_id": message["id"]}

    def hear(happening: Any) -> None:
        if happening.kind == "interaction.created":
            happening.subject.acknowledged.set()

    leave = world.discord.subscribe(hear)
    pressed = await browser.ask("component", **fields, custom_id="more")
    assert pressed["ok"]
    leave()
    titles = [change["exchange"]["title"] for change in browser.seen if change["type"] == "exchange"]
    assert titles[-1] == "presses More"
    assert "no component" in (await browser.ask("component", **fields, custom_id="less"))["error"].lower()


async def test_what_only_one_person_sees_is_marked_so(world: World, browser: Browser) -> None:
    exchange = await world.discord.use_command(
        world.stage.people[1], world.channel("general"), world.command("ask"), [{"name": "query", "value": "a"}]
    )
    world.respond(exchange, content="Psst", flags=64)
    assert (await browser.until("message"))["message"]["visible_to"] == world.ids["Ada"]


async def test_files_go_up_as_options_and_come_back_under_the_pages_own_address(
    world: World, browser: Browser, session: aiohttp.ClientSession
) -> None:
    headers = {"X-Filename": "caf%C3%A9.txt", "Content-Type": "text/html"}
    async with session.post(f"{world.page.url}upload", data=io.BytesIO(b"<b>hi</b>"), headers=headers) as answer:
        kept = await answer.json()
    options = [{"name": "query", "value": "a"}, {"name": "file", "value": kept["id"]}]
    answer_ = await browser.ask(
        "command", **{"as": world.ids["Max"]}, channel_id=str(world.channel("general").id),
        command_id=world.command("ask"), options=options,
    )  # fmt: skip
    exchange = world.discord.backend.exchanges.by_id(int(answer_["value"]["exchange_id"]))
    assert exchange is not None
    attached = exchange.payload["data"]["resolved"]["attachments"][kept["id"]]
    async with session.get(attached["url"]) as answer:
        assert await answer.read() == b"<b>hi</b>"
    file = world.discord.world.file_by_id(kept["id"])
    assert file is not None
    made = posting.Draft("see", None, None, None, (file,), None, other=False)
    message = posting.create(world.discord.backend, world.channel("general"), world.discord.bot_user, made)
    posting.announce(world.discord.backend, message, "MESSAGE_CREATE")
    url = (await browser.until("message"))["message"]["attachments"][0]["url"]
    assert url == f"/files/{kept['id']}/{kept['filename']}"
    async with session.get(world.page.url + url[1:]) as answer:
        assert await answer.read() == b"<b>hi</b>"
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")


async def test_too_large_a_file_is_refused(world: World, session: aiohttp.ClientSession) -> None:
    async with session.post(f"{world.page.url}upload", data=io.BytesIO(bytes(10 * 1024 * 1024 + 1))) as answer:
        assert answer.status == 413


async def test_a_forum_takes_posts(world: World, browser: Browser) -> None:
    ideas = str(world.channel("ideas").id)
    made = await browser.ask("post", **{"as": world.ids["Max"]}, channel_id=ideas, title=" A fine idea ")
    server = browser.seen[-1]["servers"][0]
    post = next(channel for channel in server["channels"] if channel["id"] == made["value"]["id"])
    assert (post["name"], post["parent_id"]) == ("A fine idea", ideas)
    assert (await browser.ask("say", **{"as": world.ids["Max"]}, channel_id=post["id"], text="Hello"))["ok"]
    general = str(world.channel("general").id)
    assert not (await browser.ask("post", **{"as": world.ids["Max"]}, channel_id=general, title="No"))["ok"]


# -- the controls


async def test_a_source_can_be_made_to_fail_unless_it_is_real(world: World, browser: Browser) -> None:
    assert (await browser.ask("fail_source", source="reddit", what="rate limited"))["ok"]
    assert world.reddit.fault is Fault.RATE_LIMITED
    assert browser.seen[-1]["controls"]["sources"]["reddit"]["fault"] == "rate limited"
    assert browser.seen[-1]["controls"]["sources"]["news"]["sample"] is False
    refused = await browser.ask("fail_source", source="news", what="error")
    assert "real one" in refused["error"]
    assert not (await browser.ask("fail_source", source="reddit", what="explode"))["ok"]


@pytest.mark.parametrize(("what", "status"), [("500", 500), ("429", 429), ("garbage", 200)])
async def test_discords_api_can_be_made_to_fail_as_often_as_one_likes(
    world: World, browser: Browser, session: aiohttp.ClientSession, what: str, status: int
) -> None:
    async def get() -> tuple[int, bool]:
        headers = {"Authorization": f"Bot {world.discord.token}"}
        async with session.get(f"{world.discord.api_url}/users/@me", headers=headers) as answer:
            return answer.status, answer.content_type == "application/json"

    assert (await browser.ask("fail_discord", what=what, where="everything", count=1))["ok"]
    (fault,) = browser.seen[-1]["controls"]["discord_faults"]
    assert fault == {"what": what, "where": "everything", "left": 1}
    assert await get() == (status, what != "garbage")
    assert (await browser.until("controls"))["controls"]["discord_faults"] == []
    assert await get() == (200, True)
    assert (await browser.ask("fail_discord", what=what, where="everything", count=None))["ok"]
    assert (await browser.ask("mend_discord"))["ok"]
    assert await get() == (200, True)
    assert not (await browser.ask("fail_discord", what=what, where="the moon", count=1))["ok"]


async def test_time_can_be_let_pass_for_discord_and_for_a_bot_whose_clock_can_be_moved(
    world: World, browser: Browser
) -> None:
    before = world.discord.clock.time()
    assert (await browser.ask("advance", seconds=900))["ok"]
    assert browser.seen[-1]["controls"]["ahead_s"] == 900
    assert not browser.seen[-1]["controls"]["bot"]["shares_clock"]
    assert 900 <= world.discord.clock.time() - before < 910
    passed: list[float] = []
    world.bot.advance = passed.append
    for seconds in (0, -5, "nan", 1e12):
        assert not (await browser.ask("advance", seconds=seconds))["ok"]
    assert passed == []
    assert (await browser.ask("advance", seconds=60))["ok"]
    assert passed == [60]
    assert browser.seen[-1]["controls"]["bot"]["shares_clock"]


async def test_the_bot_is_restarted_by_whoever_runs_it(world: World, browser: Browser) -> None:
    assert not (await browser.ask("restart_bot"))["ok"]
    assert not (await browser.ask("start_workflow"))["ok"]

    async def restart() -> None:
        world.bot.now(BotState.STARTING)
        world.bot.now(BotState.RUNNING)

    world.bot.restart = restart
    assert (await browser.ask("restart_bot"))["ok"]
    states = [change["controls"]["bot"]["state"] for change in browser.seen if change["type"] == "controls"]
    assert states == ["starting", "running"]


async def test_the_gateway_can_be_dropped_and_that_is_seen(world: World, browser: Browser) -> None:
    assert "not connected" in (await browser.ask("drop_gateway", how="close"))["error"]
    async with aiohttp.ClientSession() as session, session.ws_connect(world.discord.gateway_url) as gateway:
        assert (await gateway.receive_json())["op"] == 10
        assert (await browser.ask("drop_gateway", how="close"))["ok"]
        assert (await gateway.receive()).data == 4000
    frames: list[str] = []
    while "closed" not in "".join(frames):
        frames.append((await browser.until("frame"))["frame"]["what"])
    assert frames == ["closed with 4000"]
