"""A bot's process with digests in many channels of a local Discord, which enforces its limits and checks every body.

The local Discord and the upstreams are in this process, the bot is ``python -m bot run`` in one of its own. Digests
are stored before it starts; workflows are started as strangers start them, by a signed ``POST /events``.
"""

import asyncio
import base64
import json
import os
import secrets
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from agents.events import WorkflowFinished, utc_now
from bot.demo_bot import free_port
from bot.demo_workflow import signed
from bot.store.database import Database
from bot.store.sql_subscriptions import SqlSubscriptions
from bot.subscription import MOST_SUBSCRIPTIONS, Plan
from sandbox.activity import Happening
from sandbox.guilds import Channel, User
from sandbox.messages import Message
from sandbox.server import LocalDiscord
from sandbox.upstreams import SampleUpstreams

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
_ROOT = Path(__file__).resolve().parent.parent
_NOBODY_WAITS = {"USER_COOLDOWN_S": "0", "USER_BURST": "10000", "GUILD_CONCURRENCY": "100", "GUILD_QUEUE": "1000"}
_INHERITED = ("PATH", "HOME", "LANG", "TZ")
_ADDED_AT_ONCE = 250
_UNFINISHED = "SELECT id FROM workflows WHERE finished_at IS NULL"


class DidNotWork(Exception):
    """The bot did not do what the measurement needs."""


@dataclass(slots=True)
class Seen:
    """What the local Discord saw of the bot."""

    posted: list[tuple[float, Message]] = field(default_factory=list)
    """Messages in channels, with the time of the monotonic clock at which they were there."""
    statuses: Counter[int] = field(default_factory=Counter)
    """Of answers to requests that make messages; 0: none was sent, or another than Discord's."""
    acknowledged: int = 0

    def hear(self, happening: Happening) -> None:
        """For ``LocalDiscord.subscribe``."""
        if happening.kind == "message.created" and happening.subject.nonce is not None:
            self.posted.append((happening.at, happening.subject))
        elif happening.kind == "request" and happening.subject.path.endswith("/messages"):
            self.statuses[happening.subject.status if happening.subject.fault is None else 0] += 1

    @property
    def times(self) -> Counter[str]:
        """How often each message of an outbox is there, by its nonce."""
        return Counter(str(message.nonce) for _, message in self.posted)


class Town:
    """Many channels with a digest each, and one bot for them, in one life after another."""

    def __init__(self, folder: Path, discord: LocalDiscord, upstreams: SampleUpstreams) -> None:
        self.folder = folder
        self.discord = discord
        self.upstreams = upstreams
        self.seen = Seen()
        self.channels: list[Channel] = []
        self.people: list[tuple[User, Channel]] = []
        self.process: asyncio.subprocess.Process | None = None
        self._secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self._port = free_port()
        discord.subscribe(self.seen.hear)

    @property
    def database(self) -> Path:
        """The bot's."""
        return self.folder / "signals.db"

    async def settle(self, channels: int, per_guild: int = MOST_SUBSCRIPTIONS, **plan: Any) -> None:
        """Servers with channels, and a digest in each; all ask the same. Nothing is due for a day."""
        url = f"sqlite+aiosqlite:///{self.database}"
        for number in range(-(-channels // per_guild)):
            names = [f"digest-{one}" for one in range(min(per_guild, channels - number * per_guild))]
            guild = self.discord.add_guild(f"server {number}", names)
            person = self.discord.add_user(f"person {number}")
            guild.add_member(person)
            self.people.append((person, guild.first_text_channel()))
            self.channels += guild.channels.values()
        async with Database(url) as database, SqlSubscriptions(database, save_timeout_s=60.0) as subscriptions:
            for start in range(0, channels, _ADDED_AT_ONCE):
                async with asyncio.TaskGroup() as adding:
                    for channel in self.channels[start : start + _ADDED_AT_ONCE]:
                        assert channel.guild is not None
                        chosen = Plan.model_validate({"name": channel.name, "channel_id": channel.id, **plan})
                        due_at = utc_now() + timedelta(days=1)
                        adding.create_task(subscriptions.add(channel.guild.id, chosen, due_at, 1))

    async def start(self, *, wait: bool = True) -> None:
        """Start a bot; with ``wait`` return when it is connected and listens."""
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {
            **self.upstreams.env(),
            **_NOBODY_WAITS,
            "PYTHONPATH": str(_ROOT),
            "DATABASE_URL": f"sqlite+aiosqlite:///{self.database}",
            "DISCORD_TOKEN": self.discord.token,
            "DISCORD_API_URL": self.discord.api_url,
            "DISCORD_GATEWAY_URL": self.discord.gateway_url,
            "HTTP_PORT": str(self._port),
            "WEBHOOK_SECRET": self._secret,
        }
        with (self.folder / "bot.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run",
                env=environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if wait:
            await self._ready()

    async def _ready(self) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while self.process is not None and self.process.returncode is None:
                    if await self._get("/readyz") == 200:
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        raise DidNotWork(f"the bot did not start: {self.said()[-2000:]}")

    async def _get(self, path: str) -> int:
        try:
            async with aiohttp.ClientSession() as session, session.get(self._url(path)) as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0

    async def post_event(self, webhook_id: str, **data: Any) -> str | None:
        """Start a workflow; its id, or None when nobody answered. Doing it twice is the same as once."""
        body = json.dumps({"type": "workflow:started", "data": data})
        headers = signed(self._secret, webhook_id, body)
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                session.post(self._url("/events"), data=body, headers=headers) as answer,
            ):
                said = await answer.json(content_type=None)
                if answer.status == 503:
                    return None
                if answer.status != 202:
                    raise DidNotWork(f"POST /events: {answer.status} {said}")
                return str(said["workflow_id"])
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{path}"

    async def posted(self, messages: int, timeout_s: float) -> None:
        """Wait until so many digests are there in all."""
        try:
            async with asyncio.timeout(timeout_s):
                while len(self.seen.posted) < messages:
                    if self.process is None or self.process.returncode is not None:
                        raise DidNotWork(f"the bot ended: {self.said()[-2000:]}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return

    async def ended(self, timeout_s: float) -> WorkflowFinished:
        """Wait until every workflow has ended, as the bot's database says; what became of all of them together."""
        counts: Counter[str] = Counter()
        try:
            async with asyncio.timeout(timeout_s):
                while await asyncio.to_thread(self._rows, _UNFINISHED):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pass
        for state, count in self._rows("SELECT state, count(*) FROM runs GROUP BY state"):
            counts[state] = count
        return WorkflowFinished(
            workflow_id="all",
            sent=counts["sent"],
            empty=counts["empty"],
            failed=counts["failed"],
            held=counts["held"],
        )

    def integrity(self) -> str:
        """What SQLite says about the database."""
        ((said,),) = self._rows("PRAGMA integrity_check")
        return str(said)

    def _rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    async def end(self, number: signal.Signals) -> tuple[int, float]:
        """End the bot's process; its status, and how many seconds that took."""
        assert self.process is not None
        began = time.monotonic()
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(STOP_TIMEOUT_S):
            status = await self.process.wait()
        return status, time.monotonic() - began

    def said(self) -> str:
        """What the bot logged in all its lives."""
        return (self.folder / "bot.log").read_text(encoding="utf-8", errors="replace")


@asynccontextmanager
async def town(folder: Path | None = None, *, enforce_limits: bool = True) -> AsyncIterator[Town]:
    """An empty town; its bot, if one runs, is ended at the end. ``folder`` (else a temporary one) has the files."""
    async with AsyncExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signals-benchmark-")))
        discord = await stack.enter_async_context(
            LocalDiscord(identify_interval_s=0, enforce_limits=enforce_limits, session_starts=10_000)
        )
        made = Town(folder, discord, await stack.enter_async_context(SampleUpstreams()))
        stack.push_async_callback(_ended, made)
        yield made


async def _ended(made: Town) -> None:
    if made.process is not None and made.process.returncode is None:
        made.process.kill()
        await made.process.wait()


def share(good: int, of: int) -> float:
    """How much of it is as it must be; 1 only when all is."""
    return good / of if of else 0.0


def once(times: Counter[str], expected: int) -> float:
    """How many of the expected messages are there exactly once, as a share; below 1 also when there are others."""
    good = sum(1 for count in times.values() if count == 1)
    return share(good, max(expected, len(times)))


def percentile(values: Sequence[float], part: float) -> float:
    """The value that ``part`` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(part * len(ordered)) - 1))]
