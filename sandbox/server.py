"""The local Discord, put together and served on loopback."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from sandbox import posting
from sandbox.activity import Activity, Listener
from sandbox.backend import Backend
from sandbox.clock import Clock
from sandbox.connection import Connection
from sandbox.control import Control
from sandbox.definitions import Registry
from sandbox.errors import JsonObject
from sandbox.exchange import Exchange, Exchanges
from sandbox.faults import Faults
from sandbox.gateway import Gateway
from sandbox.guilds import Channel, Guild, User
from sandbox.lines import CommandSyntaxError
from sandbox.messages import Attachment, Message
from sandbox.openapi import OpenApi, find_document, judge_by
from sandbox.people import People
from sandbox.ratelimits import INVALID_REQUESTS, RateLimits
from sandbox.rest.pipeline import MAX_BODY_BYTES, Pipeline, RequestRecord, Violation
from sandbox.snowflakes import Snowflakes
from sandbox.world import World

HOST = "127.0.0.1"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class LocalDiscord:
    """A Discord on 127.0.0.1, as an async context manager.

    ``openapi`` "auto" looks for the document beside the project, None does without; ``validate`` False
    turns the document's check off whatever is there. ``enforce_limits`` False sends no rate-limit headers
    and refuses nobody. ``clock`` can be advanced by tests: tokens, nonces, windows and quotas follow it.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        openapi: Path | Literal["auto"] | None = "auto",
        validate: bool = True,
        enforce_limits: bool = True,
        clock: Clock | None = None,
        token: str | None = None,
        bot_name: str = "Signals Scout",
        identify_interval_s: float = 5.0,
        heartbeat_interval_s: float = 41.25,
        max_concurrency: int = 1,
        session_starts: int = 1_000,
        shards: int = 1,
        privileged_intents: int = 0,
        nonce_window_s: float = 180.0,
        max_attachment_bytes: int = 10 * 1024 * 1024,
        global_a_second: int = 50,
        invalid_requests: int = INVALID_REQUESTS,
    ) -> None:
        self.clock = clock or Clock()
        self.activity = Activity(self.clock)
        self._port = port
        snowflakes = Snowflakes(self.clock)
        self.application_id = snowflakes.next()
        self.bot_user = User(self.application_id, bot_name, is_bot=True)
        self.gateway = Gateway(
            self.clock,
            self.activity,
            identify_interval_s=identify_interval_s,
            heartbeat_interval_s=heartbeat_interval_s,
            max_concurrency=max_concurrency,
            session_starts=session_starts,
            shards=shards,
            privileged_intents=privileged_intents,
            on_token_reset=self._take_token_away,
        )
        self.world = World(self.clock, self.bot_user, snowflakes, self._announce)
        self.faults = Faults()
        self.limits = RateLimits(
            self.clock, enabled=enforce_limits, global_a_second=global_a_second, invalid_requests=invalid_requests
        )
        self._registry = Registry(self.clock, snowflakes, self.application_id)
        self.backend = Backend(
            world=self.world,
            gateway=self.gateway,
            commands=self._registry,
            exchanges=Exchanges(),
            activity=self.activity,
            clock=self.clock,
            application_id=self.application_id,
            application_name=bot_name,
            gateway_url=lambda: self.gateway_url,
            files_url=lambda: f"{self.http_url}/attachments",
            nonce_window_s=nonce_window_s,
            max_attachment_bytes=max_attachment_bytes,
        )
        self._people = People(self.backend)
        document = _document(openapi) if validate else None
        self._pipeline = Pipeline(
            self.backend, self.limits, self.faults, document, token or new_bot_token(self.bot_user)
        )
        self._runner: web.AppRunner | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # -- life

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/gateway", self._serve_gateway)
        app.router.add_get("/gateway/", self._serve_gateway)
        app.router.add_route("*", "/api/{version:v[0-9]+}/{path:.*}", self._serve_rest)
        app.router.add_get("/attachments/{name:.*}", self._serve_file)
        app.middlewares.append(_loopback_only)
        app.router.add_routes(Control(self).routes())
        # Cancelling handlers with their clients would undo what a dropped request was to do: only hangs end early.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipeline.close()
        for connection in tuple(self.gateway.connections):
            connection.close(1001, "Going away")
        if self._runner is not None:
            # Connections end with their close frame; whoever does not answer it is cut.
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=0.3)
            for connection in tuple(self.gateway.connections):
                connection.sever()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
            await self._runner.cleanup()
            self._runner = None

    def own(self, task: asyncio.Task[None]) -> None:
        """Keep the task until it is done; what is left when the server closes is cancelled."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def reset(self) -> None:
        """Forget servers, commands, faults, requests, violations and counts; users and connections stay."""
        for guild in self.guilds:
            self.remove_guild(guild)
        self._registry.clear()
        self.faults.clear()
        self.limits.reset()
        self._pipeline.forget()

    # -- addresses

    @property
    def port(self) -> int:
        """The port; 0 before the server has started on any free one."""
        return self._port

    @property
    def http_url(self) -> str:
        """The server's own address."""
        return f"http://{HOST}:{self._port}"

    @property
    def api_url(self) -> str:
        """The REST base."""
        return f"{self.http_url}/api/v10"

    @property
    def gateway_url(self) -> str:
        """The gateway's address, also the one to resume at."""
        return f"ws://{HOST}:{self._port}/gateway"

    @property
    def token(self) -> str:
        """The bot's token."""
        return self._pipeline.token

    def reset_token(self) -> str:
        """Give the bot a new token; the old one is refused from now on."""
        self._pipeline.token = new_bot_token(self.bot_user)
        return self._pipeline.token

    def _take_token_away(self) -> None:
        self.reset_token()

    # -- the world

    def add_guild(
        self,
        name: str,
        channels: Iterable[str] = ("general",),
        *,
        owner: User | None = None,
        with_bot: bool = True,
        bot_permissions: int | Collection[str] = 0,
    ) -> Guild:
        """A server with text channels of these names; without the bot only user installations reach it."""
        return self.world.add_guild(name, channels, owner=owner, with_bot=with_bot, bot_permissions=bot_permissions)

    def remove_guild(self, guild: Guild) -> None:
        """The bot is thrown out."""
        self.world.remove_guild(guild)

    def delete_channel(self, channel: Channel) -> None:
        """Delete a channel and what is under it."""
        self.world.delete_channel(channel)

    def add_user(self, name: str, *, installed: bool = False) -> User:
        """A person; ``installed`` for whom the bot is installed, so that its commands follow them everywhere."""
        user = self.world.add_user(name)
        if installed:
            self.install_for(user)
        return user

    def install_for(self, user: User) -> None:
        """The user installs the bot for themselves."""
        self.world.installed_for.add(user.id)

    def dm(self, user: User) -> Channel:
        """The direct messages between the user and the bot."""
        return self.world.dm(user)

    def bot_guilds(self) -> list[Guild]:
        """Guilds that the bot is in."""
        return self.world.bot_guilds()

    @property
    def guilds(self) -> tuple[Guild, ...]:
        """Every server."""
        return tuple(self.world.guilds.values())

    @property
    def commands(self) -> Registry:
        """What the bot registered: ``commands.all()`` the global ones, ``commands.all(guild.id)`` a guild's."""
        return self._registry

    # -- people

    async def type_command(self, user: User, channel: Channel, line: str) -> Exchange:
        """Type ``/name sub option:value``; CommandSyntaxError says what Discord's client would not send."""
        return self._people.type_command(user, channel, line)

    async def send_command(
        self,
        user: User,
        channel: Channel,
        name_path: str,
        options_raw: list[JsonObject] | None = None,
        **overrides: Any,
    ) -> Exchange:
        """Send a command unchecked, for input that no client would send; see ``People.send_command``."""
        return self._people.send_command(user, channel, name_path, options_raw, **overrides)

    async def use_command(self, user: User, channel: Channel, command_id: str, options: list[JsonObject]) -> Exchange:
        """Send a command whose options were filled in one by one; CommandSyntaxError names the one to blame."""
        return self._people.use_command(user, channel, command_id, options)

    async def use_on_message(self, user: User, message: Message, command_id: str) -> Exchange:
        """Choose a command of a message's menu; CommandSyntaxError where the user does not find it."""
        return self._people.use_on_message(user, message, command_id)

    async def suggest(
        self, user: User, channel: Channel, command_id: str, options: list[JsonObject], *, timeout_s: float = 3.0
    ) -> list[JsonObject] | None:
        """Suggestions for the option that is ``focused``; None where the bot did not answer in time."""
        exchange = self._people.use_command(user, channel, command_id, options, partial=True)
        await exchange.wait_acknowledged(timeout_s)
        return exchange.choices

    def findable(self, user: User, channel: Channel) -> list[JsonObject]:
        """The commands that the user finds there; none where the user may use none."""
        try:
            return self._people.findable(user, channel)
        except CommandSyntaxError:
            return []

    async def click(
        self, user: User, message: Message, custom_id_or_index: str | int, *, forge: bool = False, **overrides: Any
    ) -> Exchange:
        """Press a button by custom id or by its number from 1; see ``People.click``."""
        return self._people.click(user, message, custom_id_or_index, forge=forge, **overrides)

    async def select(
        self,
        user: User,
        message: Message,
        custom_id_or_index: str | int,
        values: list[str],
        *,
        forge: bool = False,
        **overrides: Any,
    ) -> Exchange:
        """Choose values (or labels) in a select."""
        return self._people.click(user, message, custom_id_or_index, values=values, forge=forge, **overrides)

    async def submit_modal(
        self, user: User, exchange: Exchange, values: dict[str, Any], **overrides: Any
    ) -> Exchange:
        """Fill in the modal that the exchange opened."""
        return self._people.submit_modal(user, exchange, values, **overrides)

    async def autocomplete(
        self, user: User, channel: Channel, line: str, *, timeout_s: float = 3.0
    ) -> list[JsonObject]:
        """Suggestions for the last option of the line; empty where none came in time."""
        return await self._people.autocomplete(user, channel, line).wait_choices(timeout_s)

    async def say(self, user: User, channel: Channel, text: str, *, reply_to: Message | None = None) -> Message:
        """Post as the user; ``<@bot>`` in the text stands for a mention of the bot."""
        spoken = text.replace("<@bot>", self.bot_user.mention)
        return self._people.say(user, channel, spoken, reply_to=reply_to)

    # -- what is known afterwards

    @property
    def requests(self) -> list[RequestRecord]:
        """The latest REST requests, oldest first."""
        return list(self._pipeline.requests)

    @property
    def violations(self) -> list[Violation]:
        """Rules that requests' bodies broke, the first thousand; clear the list to start over."""
        return self._pipeline.violations

    @property
    def violation_count(self) -> int:
        """How many there were since the start or the last ``reset``, also those that are not kept."""
        return self._pipeline.violation_count

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear of everything that happens, at once; the returned function ends it."""
        return self.activity.subscribe(listener)

    # -- transport

    def upload(self, filename: str, content_type: str, body: bytes) -> Attachment:
        """Keep a file that a person chose, for a command's option; ApiError 40005 where it is too large."""
        return posting.upload(self.backend, filename, content_type, body)

    def _announce(self, event: str, data: JsonObject, guild_id: int | None) -> None:
        self.activity.tell("world.changed", data, event=event, guild_id=guild_id)
        self.gateway.dispatch(event, data, guild_id)

    async def _serve_gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0.5, max_msg_size=1 << 20, compress=False, autoping=True)
        await socket.prepare(request)
        serving = asyncio.create_task(Connection(socket, request, self.gateway, self).run())
        self.own(serving)
        await serving
        return socket

    async def _serve_rest(self, request: web.Request) -> web.StreamResponse:
        return await self._pipeline.serve(request, "/" + request.match_info["path"])

    async def _serve_file(self, request: web.Request) -> web.Response:
        found = self.world.file(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        headers = {"Content-Type": found.content_type, "Content-Disposition": "attachment"}
        return web.Response(body=found.body, headers=headers)


def new_bot_token(bot: User) -> str:
    """A token in Discord's form: three parts, the first of which is the bot's id."""
    return f"{bot.id}.{secrets.token_urlsafe(6)}.{secrets.token_urlsafe(27)}"


def _document(openapi: Path | str | None) -> OpenApi | None:
    path = find_document() if openapi == "auto" else openapi
    return None if path is None else judge_by(Path(path))


@web.middleware
async def _loopback_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse names that only pretend to be this machine (DNS rebinding)."""
    host = request.host
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name not in _LOOPBACK:
        return web.Response(status=403, text="this server answers on loopback only")
    return await handler(request)
