"""Clients without a library in between: REST over aiohttp, and the gateway frame by frame."""

from __future__ import annotations

import asyncio
import sys
import zlib
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import orjson
from discord.ext import commands

from sandbox.guilds import Channel, Guild, User
from sandbox.server import LocalDiscord


@dataclass
class Answer:
    status: int
    headers: Any
    body: Any


class Rest:
    def __init__(self, session: aiohttp.ClientSession, local: LocalDiscord) -> None:
        self.session = session
        self.local = local

    async def __call__(self, method: str, path: str, json: Any = None, **kwargs: Any) -> Answer:
        headers = {"Authorization": f"Bot {self.local.token}", **kwargs.pop("headers", {})}
        if json is not None:
            kwargs["data"] = orjson.dumps(json)
            headers["Content-Type"] = "application/json"
        url = self.local.api_url + path
        async with self.session.request(method, url, headers=headers, **kwargs) as response:
            raw = await response.read()
            body = orjson.loads(raw) if response.headers.get("Content-Type") == "application/json" else raw
            return Answer(response.status, response.headers, body)

    async def post(self, channel: Channel, **body: Any) -> Answer:
        return await self("POST", f"/channels/{channel.id}/messages", body)


class Shard:
    """One gateway connection, spoken by hand."""

    def __init__(self, session: aiohttp.ClientSession, local: LocalDiscord, compress: str = "") -> None:
        self.session = session
        self.local = local
        self.compress = compress
        self.seq: int | None = None
        self.session_id = ""
        self._inflate: Any = None

    async def open(self, query: str = "?v=10&encoding=json") -> Shard:
        if self.compress:
            query += f"&compress={self.compress}"
        self.socket = await self.session.ws_connect(self.local.gateway_url + query)
        if self.compress == "zlib-stream":
            self._inflate = zlib.decompressobj().decompress
        elif self.compress == "zstd-stream":
            self._inflate = _zstd()
        return self

    async def frame(self, timeout_s: float = 2) -> dict[str, Any]:
        message = await asyncio.wait_for(self.socket.receive(), timeout_s)
        if message.type is aiohttp.WSMsgType.BINARY:
            data = orjson.loads(self._inflate(message.data))
        elif message.type is aiohttp.WSMsgType.TEXT:
            data = orjson.loads(message.data)
        else:
            raise ConnectionError(self.socket.close_code)
        assert isinstance(data, dict)
        if data.get("s") is not None:
            self.seq = data["s"]
        return data

    async def event(self, name: str) -> dict[str, Any]:
        while True:
            frame = await self.frame()
            if frame.get("t") == name:
                found = frame["d"]
                assert isinstance(found, dict)
                return found

    async def send(self, op: int, data: Any) -> None:
        await self.socket.send_str(orjson.dumps({"op": op, "d": data}).decode())

    async def identify(self, intents: int = 1, **more: Any) -> dict[str, Any]:
        assert (await self.frame())["op"] == 10
        await self.send_identify(intents, **more)
        ready = await self.event("READY")
        self.session_id = ready["session_id"]
        return ready

    async def send_identify(self, intents: Any = 1, **more: Any) -> None:
        properties = {"os": "test", "browser": "test", "device": "test"}
        data = {"token": self.local.token, "properties": properties, "intents": intents, **more}
        await self.send(2, data)

    async def close_code(self) -> int | None:
        while True:
            try:
                await self.frame()
            except ConnectionError:
                return self.socket.close_code

    async def silent(self, within_s: float = 0.03) -> bool:
        """Whether nothing comes; only good for the last look, since it gives a frame up."""
        try:
            await self.frame(within_s)
        except TimeoutError:
            return True
        return False


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdDecompressor().decompress
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj().decompress


@dataclass
class Place:
    """A guild with a channel and somebody in it."""

    guild: Guild
    channel: Channel
    user: User


def settle(local: LocalDiscord, name: str = "ada", **kwargs: Any) -> Place:
    guild = local.add_guild("Test", ["general", "signals"], **kwargs)
    user = local.add_user(name)
    guild.add_member(user)
    return Place(guild, guild.first_text_channel(), user)


def new_bot(**options: Any) -> commands.AutoShardedBot:
    """An unmodified client, as slim as a slash-command bot would have it."""
    options.setdefault("intents", discord.Intents(guilds=True))
    return commands.AutoShardedBot(
        command_prefix=commands.when_mentioned,
        guild_ready_timeout=0.02,
        member_cache_flags=discord.MemberCacheFlags.none(),
        chunk_guilds_at_startup=False,
        **options,
    )


COMMANDS: list[dict[str, Any]] = [
    {
        "name": "signals",
        "description": "Signals",
        "options": [
            {
                "type": 1,
                "name": "reddit",
                "description": "From Reddit",
                "options": [
                    {"type": 3, "name": "query", "description": "What", "max_length": 20},
                    {"type": 3, "name": "subreddit", "description": "Where", "autocomplete": True},
                    {
                        "type": 3,
                        "name": "timeframe",
                        "description": "When",
                        "choices": [{"name": "one day", "value": "24h"}, {"name": "7d", "value": "7d"}],
                    },
                    {"type": 4, "name": "limit", "description": "Many", "min_value": 1, "max_value": 25},
                ],
            }
        ],
    },
    {
        "name": "give",
        "description": "Give",
        "options": [
            {"type": 6, "name": "who", "description": "Who", "required": True},
            {"type": 7, "name": "where", "description": "Where"},
            {"type": 8, "name": "role", "description": "Role"},
            {"type": 5, "name": "sure", "description": "Sure"},
            {"type": 10, "name": "ratio", "description": "Ratio"},
        ],
    },
    {"name": "admin", "description": "Admins only", "default_member_permissions": "32", "contexts": [0]},
]


async def register(rest: Rest, definitions: list[dict[str, Any]] | None = None) -> Answer:
    return await rest("PUT", f"/applications/{rest.local.application_id}/commands", definitions or COMMANDS)
