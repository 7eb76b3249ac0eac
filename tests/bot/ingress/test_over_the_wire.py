"""The whole bot with its HTTP port: from a signed event to a message in a channel, and how it is in between."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from agents.events import WorkflowStarted, utc_now
from bot.__main__ import main
from bot.app import run
from bot.demo_bot import free_port
from bot.ingress.server import CannotListen
from bot.settings import Settings
from bot.store.database import Database
from bot.store.outbox import Accepted, Origin
from bot.store.sql_outbox import SqlOutbox
from bot.store.sql_subscriptions import SqlSubscriptions
from bot.subscription import Plan
from sandbox.faults import Fault
from sandbox.server import LocalDiscord
from tests.bot.ingress.port import SECRET, Port, Reply, event
from tests.bot.scene import until

MakeSettings = Callable[..., Settings]


class Running(Port):
    """A bot that runs as the command line runs it, in this process."""

    def __init__(self, number: int, task: "asyncio.Task[None]") -> None:
        self.number = number
        self.task = task

    async def until_ready(self, *, ready: bool = True) -> Reply:
        async with asyncio.timeout(10):
            while True:
                if self.task.done():
                    self.task.result()
                try:
                    reply = await self.get("/readyz")
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.01)
                    continue
                if reply.body["ready"] == ready:
                    return reply
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    task = asyncio.create_task(run(settings))
    try:
        yield Running(settings.http_port, task)
    finally:
        task.cancel()
        await asyncio.wait((task,), timeout=10)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)


async def test_a_signed_event_becomes_one_message_in_the_channel(
    local: LocalDiscord, settings: MakeSettings, faked: None, addresses_restored: None
) -> None:
    guild = local.add_guild("Test", ["general"])
    channel = guild.first_text_channel()
    chosen = settings(http_port=free_port(), webhook_secret=SECRET)
    async with Database(chosen.database_url) as database, SqlSubscriptions(database) as subscriptions:
        plan = Plan.model_validate({"name": "Digest", "channel_id": channel.id, "sources": [{"name": "reddit"}]})
        await subscriptions.add(guild.id, plan, utc_now().replace(year=utc_now().year + 1), 1)
    async with running(chosen) as bot:
        await bot.until_ready()
        first, again = await bot.post(event(), "release-1"), await bot.post(event(), "release-1")
        assert (first.status, first.body["new"], again.status, again.body["new"]) == (202, True, 202, False)
        await until(lambda: channel.messages, 10)
        await asyncio.sleep(0.1)
        assert len(channel.messages) == 1


async def test_before_it_is_connected_it_is_alive_and_not_ready_and_says_why(
    local: LocalDiscord,
    settings: MakeSettings,
    faked: None,
    addresses_restored: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("bot.app.LOGIN_PAUSES_S", (0.01,))
    local.add_guild("Test", ["general"])
    local.faults.add(Fault("status", status=503, route="^/users/@me$", count=None))
    async with running(settings(http_port=free_port())) as bot:
        reply = await bot.until_ready(ready=False)
        assert reply.body["checks"] == {
            "database": {"ready": True, "reason": ""},
            "discord": {"ready": False, "reason": "not connected to Discord yet"},
        }
        assert reply.body["notes"] == {"events": "POST /events is off: WEBHOOK_SECRET is not set"}
        assert (await bot.get("/healthz")).status == 200
        assert (await bot.post(event())).status == 404
        local.faults.clear()
        await bot.until_ready()
        local.gateway.sever()
        reply = await bot.until_ready(ready=False)
        assert reply.body["checks"]["discord"]["reason"] == "connecting to Discord anew (shards 0)"
        caplog.clear()  # the client logs that as an error


async def test_when_it_is_told_to_stop_the_port_is_closed_and_what_was_accepted_is_kept(
    local: LocalDiscord, settings: MakeSettings, faked: None, addresses_restored: None
) -> None:
    local.add_guild("Test", ["general"])
    chosen = settings(http_port=free_port(), webhook_secret=SECRET)
    async with running(chosen) as bot:
        await bot.until_ready()
        reply = await bot.post(event(subscription_ids=["0" * 16]), "msg_1")
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(8):
            await bot.task
        with pytest.raises(aiohttp.ClientConnectionError):
            await bot.get("/healthz")
    async with Database(chosen.database_url) as database, SqlOutbox(database) as outbox:
        known = await outbox.accept(WorkflowStarted(), Origin.WEBHOOK, webhook_id="msg_1")
        assert known == Accepted(reply.body["workflow_id"], new=False)


async def test_a_port_that_is_taken_ends_the_start_before_discord_is_asked(
    local: LocalDiscord, settings: MakeSettings, faked: None, addresses_restored: None
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with running(settings(http_port=taken.getsockname()[1])) as bot:
            with pytest.raises(CannotListen, match=r"HTTP_PORT: .* is taken by another program"):
                await asyncio.wait_for(bot.task, 10)
    assert local.requests == []


def test_the_command_says_so_in_one_line_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, addresses_restored: None
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        for name, value in {
            "DISCORD_TOKEN": "MTIz.secret.abcdef",
            "HTTP_PORT": str(number),
            "LOG_LEVEL": "ERROR",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("bot.app.keep_the_loop_responsive", lambda: None)
        monkeypatch.setattr("agents.telemetry.set_up_logging", lambda *_, **__: None)
        handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)}
        try:
            assert main(["run"]) == 1
        finally:
            for signum, handler in handlers.items():
                signal.signal(signum, handler)
    said = capfd.readouterr()
    (line,) = said.err.splitlines()
    assert (
        line
        == f"HTTP_PORT: 127.0.0.1:{number} is taken by another program. Set another port, or 0 to go without HTTP."
    )


def test_a_weak_secret_ends_the_start_with_one_line_that_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISCORD_TOKEN", "MTIz.secret.abcdef")
    monkeypatch.setenv("WEBHOOK_SECRET", "whsec_aHVudGVyMg==")
    assert main(["run"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("WEBHOOK_SECRET: a secret is too weak: it needs 24 random bytes or more")
    assert "aHVudGVyMg" not in line
