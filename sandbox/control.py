"""The local Discord driven over HTTP: JSON under ``/sandbox``, for another process or, later, a page.

POST bodies name users, channels, guilds and messages by id (a string of digits) or, where unambiguous, by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from sandbox import wire
from sandbox.activity import Happening
from sandbox.errors import JsonObject
from sandbox.exchange import Exchange
from sandbox.faults import Fault
from sandbox.guilds import Channel, User
from sandbox.lines import CommandSyntaxError
from sandbox.load import type_again_and_again
from sandbox.messages import Message
from sandbox.people import NotClickable

if TYPE_CHECKING:
    from sandbox.server import LocalDiscord

STREAM_QUEUED = 1_000
"""Happenings that wait for a slow reader of the stream; one more, and it is cut off."""

LONGEST_WAIT_S = 60.0

_Found = TypeVar("_Found")
_Action = Callable[[JsonObject], Awaitable[Any]]


class Control:
    """The HTTP side of ``LocalDiscord``'s methods. Answers 400 with ``{"error": …}`` to what they refuse."""

    def __init__(self, discord: LocalDiscord) -> None:
        self._discord = discord

    def routes(self) -> list[web.RouteDef]:
        """Everything under ``/sandbox``."""
        actions: dict[str, _Action] = {
            "type": self._type,
            "send": self._send,
            "load": self._load,
            "click": self._click,
            "modal": self._modal,
            "autocomplete": self._autocomplete,
            "say": self._say,
            "guilds": self._add_guild,
            "channels": self._add_channel,
            "users": self._add_user,
            "faults": self._add_fault,
            "faults/clear": self._clear_faults,
            "gateway/drop": self._drop,
            "gateway/reconnect": self._reconnect,
            "gateway/invalid_session": self._invalid_session,
            "clock/advance": self._advance,
            "reset": self._reset,
        }
        looks: dict[str, Callable[[web.Request], Any]] = {
            "state": lambda _: self.state(),
            "commands": lambda _: self._discord.commands.all(),
            "requests": lambda _: [asdict(record) for record in self._discord.requests],
            "violations": lambda _: [asdict(violation) for violation in self._discord.violations],
            "faults": lambda _: [asdict(fault) for fault in self._discord.faults],
        }
        return [
            *(web.post(f"/sandbox/{name}", self._acting(action)) for name, action in actions.items()),
            *(web.get(f"/sandbox/{name}", self._looking(look)) for name, look in looks.items()),
            web.get("/sandbox/exchanges/{id}", self._exchange),
            web.get("/sandbox/channels/{id}/messages", self._messages),
            web.get("/sandbox/events", self._stream),
        ]

    def _acting(self, action: _Action) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            _check_origin(request)
            try:
                body = orjson.loads(await request.read() or b"{}")
                if not isinstance(body, dict):
                    raise TypeError("the body is a JSON object")  # noqa: TRY301
                return _json(await action(body))
            except KeyError as error:
                return _json({"error": f"missing or unknown: {error.args[0]}"}, 400)
            except (CommandSyntaxError, NotClickable, LookupError, TypeError, ValueError) as error:
                return _json({"error": str(error)}, 400)

        return handle

    def _looking(self, look: Callable[[web.Request], Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            _check_origin(request)
            return _json(look(request))

        return handle

    # -- looking

    def state(self) -> JsonObject:
        """Everything that there is: addresses, guilds with channels and members, users, commands, connections."""
        discord = self._discord
        return {
            "api_url": discord.api_url,
            "gateway_url": discord.gateway_url,
            "application_id": str(discord.application_id),
            "bot": wire.user(discord.bot_user),
            "users": [wire.user(user) for user in discord.world.users.values()],
            "guilds": [
                {
                    **wire.guild_create(guild),
                    "members": [wire.member(member) for member in guild.members.values()],
                    "available": guild.available,
                    "with_bot": guild.with_bot,
                }
                for guild in discord.guilds
            ],
            "commands": {str(scope or "global"): discord.commands.all(scope) for scope in discord.commands.scopes()},
            "sessions": [
                {
                    "shard": [session.shard_id, session.shard_count],
                    "intents": session.intents,
                    "connected": session.connection is not None,
                }
                for session in discord.gateway.sessions
            ],
        }

    async def _messages(self, request: web.Request) -> web.Response:
        _check_origin(request)
        channel = self._channel(request.match_info["id"])
        return _json([message_json(message) for message in channel.messages.values()])

    async def _exchange(self, request: web.Request) -> web.Response:
        """An exchange; ``?wait=acknowledged|message&timeout_s=5`` waits for it to get so far."""
        _check_origin(request)
        exchange = self._discord.backend.exchanges.by_id(int(request.match_info["id"]))
        if exchange is None:
            return _json({"error": "no such exchange"}, 404)
        await _wait(exchange, dict(request.query))
        return _json(exchange_json(exchange))

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        """A websocket of everything that happens, as JSON: kind, at, and what it concerns."""
        _check_origin(request)
        socket = web.WebSocketResponse(timeout=0.5)
        await socket.prepare(request)
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue(STREAM_QUEUED)

        def hear(happening: Happening) -> None:
            if waiting.full():
                # None, in place of what cannot be kept, ends the stream.
                waiting.get_nowait()
                waiting.put_nowait(None)
            else:
                waiting.put_nowait(orjson.dumps(happening_json(happening)))

        unsubscribe = self._discord.subscribe(hear)
        closed = asyncio.create_task(_until_closed(socket, waiting))
        self._discord.own(closed)
        try:
            while (frame := await waiting.get()) is not None:
                await socket.send_str(frame.decode())
        except ConnectionError:
            pass
        finally:
            unsubscribe()
            closed.cancel()
        await socket.close()
        return socket

    # -- acting

    async def _type(self, body: JsonObject) -> JsonObject:
        user, channel = self._user(body["user"]), self._channel(body["channel"])
        return await self._told(await self._discord.type_command(user, channel, str(body["line"])), body)

    async def _send(self, body: JsonObject) -> JsonObject:
        user, channel = self._user(body["user"]), self._channel(body["channel"])
        overrides = body.get("overrides") or {}
        options = body.get("options") or []
        exchange = await self._discord.send_command(user, channel, str(body["name"]), options, **overrides)
        return await self._told(exchange, body)

    async def _load(self, body: JsonObject) -> JsonObject:
        """``people`` is a list of ``[user, channel]``; answers when the last one is answered."""
        people = [(self._user(user), self._channel(channel)) for user, channel in body["people"]]
        report = await type_again_and_again(
            self._discord, people, str(body["line"]), times=int(body["times"]), in_flight=int(body["in_flight"])
        )
        return asdict(report)

    async def _click(self, body: JsonObject) -> JsonObject:
        user, message = self._user(body["user"]), self._message(body["message"])
        which = body["component"]
        if not isinstance(which, (str, int)):
            raise TypeError("component is a custom id or a number")
        forge = bool(body.get("forge"))
        if "values" in body:
            exchange = await self._discord.select(user, message, which, list(body["values"]), forge=forge)
        else:
            exchange = await self._discord.click(user, message, which, forge=forge)
        return await self._told(exchange, body)

    async def _modal(self, body: JsonObject) -> JsonObject:
        opened = self._discord.backend.exchanges.by_id(int(body["exchange"]))
        if opened is None:
            raise LookupError("no such exchange")
        exchange = await self._discord.submit_modal(self._user(body["user"]), opened, dict(body["values"]))
        return await self._told(exchange, body)

    async def _autocomplete(self, body: JsonObject) -> JsonObject:
        user, channel = self._user(body["user"]), self._channel(body["channel"])
        return {"choices": await self._discord.autocomplete(user, channel, str(body["line"]))}

    async def _say(self, body: JsonObject) -> JsonObject:
        user, channel = self._user(body["user"]), self._channel(body["channel"])
        return message_json(await self._discord.say(user, channel, str(body["text"])))

    async def _told(self, exchange: Exchange, body: JsonObject) -> JsonObject:
        await _wait(exchange, body)
        return exchange_json(exchange)

    async def _add_guild(self, body: JsonObject) -> JsonObject:
        channels = body.get("channels") or ["general"]
        guild = self._discord.add_guild(str(body["name"]), channels, with_bot=bool(body.get("with_bot", True)))
        for name in body.get("members") or ():
            guild.add_member(self._user(name))
        return wire.guild_create(guild)

    async def _add_channel(self, body: JsonObject) -> JsonObject:
        guild = self._discord.world.guilds[int(body["guild"])]
        channel = guild.add_channel(str(body["name"]), str(body.get("kind", "text")), nsfw=bool(body.get("nsfw")))
        return wire.channel(channel)

    async def _add_user(self, body: JsonObject) -> JsonObject:
        user = self._discord.add_user(str(body["name"]), installed=bool(body.get("installed")))
        for guild_id in body.get("guilds") or ():
            self._discord.world.guilds[int(guild_id)].add_member(user, permissions=int(body.get("permissions", 0)))
        return {**wire.user(user), "dm": str(self._discord.dm(user).id)}

    async def _add_fault(self, body: JsonObject) -> JsonObject:
        return asdict(self._discord.faults.add(Fault(**body)))

    async def _clear_faults(self, _: JsonObject) -> JsonObject:
        self._discord.faults.clear()
        return {}

    async def _drop(self, body: JsonObject) -> JsonObject:
        return {"closed": self._discord.gateway.drop(int(body.get("code", 4000)), shard_id=body.get("shard"))}

    async def _reconnect(self, body: JsonObject) -> JsonObject:
        return {"told": self._discord.gateway.reconnect(shard_id=body.get("shard"))}

    async def _invalid_session(self, body: JsonObject) -> JsonObject:
        told = self._discord.gateway.invalid_session(
            resumable=bool(body.get("resumable")), shard_id=body.get("shard")
        )
        return {"told": told}

    async def _advance(self, body: JsonObject) -> JsonObject:
        self._discord.clock.advance(float(body["seconds"]))
        return {}

    async def _reset(self, _: JsonObject) -> JsonObject:
        self._discord.reset()
        return {}

    # -- finding

    def _user(self, name: object) -> User:
        users = self._discord.world.users
        if str(name).isdigit() and int(str(name)) in users:
            return users[int(str(name))]
        return _only([user for user in users.values() if user.name == name], f"user {name}")

    def _channel(self, name: object) -> Channel:
        channels = self._discord.world.channels
        if str(name).isdigit() and int(str(name)) in channels:
            return channels[int(str(name))]
        bare = str(name).lstrip("#")
        return _only([channel for channel in channels.values() if channel.name == bare], f"channel {name}")

    def _message(self, message_id: object) -> Message:
        message = self._discord.world.find_message(int(str(message_id)))
        if message is None:
            raise LookupError(f"no message {message_id}")
        return message


def _only(found: list[_Found], what: str) -> _Found:
    if len(found) != 1:
        raise LookupError(f"{'no' if not found else 'more than one'} {what}")
    return found[0]


async def _wait(exchange: Exchange, how: JsonObject) -> None:
    """Wait as the request says; what does not come in time is seen in the answer."""
    timeout_s = min(float(how.get("timeout_s", 5.0)), LONGEST_WAIT_S)
    match how.get("wait"):
        case "acknowledged":
            await exchange.wait_acknowledged(timeout_s)
        case "message":
            try:
                await exchange.wait_message(timeout_s)
            except TimeoutError:
                return


async def _until_closed(socket: web.WebSocketResponse, waiting: asyncio.Queue[bytes | None]) -> None:
    """Read (and ignore) what the reader of the stream sends, until it goes; then end the stream."""
    async for _ in socket:
        continue
    if not waiting.full():
        waiting.put_nowait(None)


def message_json(message: Message) -> JsonObject:
    """A message for the control interface: Discord's object, who sees it, and every version."""
    versions = [
        {"at": v.at, "content": v.content, "embeds": v.embeds, "components": v.components, "flags": int(v.flags)}
        for v in message.edits
    ]
    visible = None if message.visible_to is None or not message.ephemeral else str(message.visible_to)
    return {**wire.message(message), "edits": versions, "visible_to": visible, "deleted": message.deleted}


def exchange_json(exchange: Exchange) -> JsonObject:
    """An exchange for the control interface."""
    return {
        "interaction_id": str(exchange.interaction_id),
        "kind": exchange.kind.name.lower(),
        "user": wire.user(exchange.user),
        "channel_id": str(exchange.channel.id),
        "line": exchange.line,
        "delivered": exchange.delivered,
        "acknowledged": exchange.acknowledged.is_set(),
        "acknowledged_after_s": exchange.acknowledged_after_s,
        "deferred": exchange.deferred,
        "ephemeral": exchange.ephemeral,
        "callback": exchange.callback,
        "messages": [message_json(message) for message in exchange.messages],
        "choices": exchange.choices,
        "modal": exchange.modal,
    }


def happening_json(happening: Happening) -> JsonObject:
    """A happening for the stream; gateway frames only by their kind."""
    subject = happening.subject
    told: Any = None
    if isinstance(subject, Exchange):
        told = exchange_json(subject)
    elif isinstance(subject, Message):
        told = message_json(subject)
    elif happening.kind in ("request", "violation"):
        told = asdict(subject)
    return {"kind": happening.kind, "at": happening.at, "subject": told}


def _json(value: Any, status: int = 200) -> web.Response:
    body = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(body=body, status=status, content_type="application/json")


def _check_origin(request: web.Request) -> None:
    """Refuse other sites' pages: a browser on this machine could otherwise be made to act here."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="this interface serves its own page only")
