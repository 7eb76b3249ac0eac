"""The client against a Discord that cannot be reached, refuses, or takes the token away."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from bot.app import TokenRefused, run
from bot.settings import Settings
from sandbox.faults import Fault
from sandbox.server import LocalDiscord
from tests.bot.scene import FakeSource, until


@pytest.fixture
async def running(
    local: LocalDiscord,
    settings: Callable[..., Settings],
    faked: None,
    addresses_restored: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Callable[[], asyncio.Task[None]]]:
    """Starts the whole bot as the command line does, in this process."""
    monkeypatch.setattr("bot.app.LOGIN_PAUSES_S", (0.01,))
    tasks: list[asyncio.Task[None]] = []

    def start() -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(run(settings())))
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=5)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)


def connected(local: LocalDiscord) -> bool:
    return bool(local.commands.all()) and bool(local.gateway.sessions)


def tell(number: signal.Signals) -> None:
    """Send a signal to this process, if the bot is there to catch it."""
    assert signal.getsignal(number) not in {signal.SIG_DFL, signal.default_int_handler}
    os.kill(os.getpid(), number)


async def stop(task: asyncio.Task[None]) -> None:
    tell(signal.SIGTERM)
    async with asyncio.timeout(8):
        await task


@pytest.mark.parametrize(
    "fault",
    [
        Fault("drop_before", "^/users/@me$", count=3),
        Fault("status", "^/users/@me$", status=503, count=2),
        Fault("status", "^/gateway/bot$", status=503, count=2),
    ],
    ids=lambda fault: f"{fault.kind} {fault.route}",
)
async def test_it_tries_again_until_discord_can_be_reached(
    local: LocalDiscord, running: Callable[[], asyncio.Task[None]], fault: Fault
) -> None:
    local.faults.add(fault)
    task = running()
    await until(lambda: connected(local))
    assert fault.struck == fault.count
    await stop(task)


async def test_a_token_that_discord_refuses_ends_it(
    local: LocalDiscord, running: Callable[[], asyncio.Task[None]]
) -> None:
    local.faults.add(Fault("status", "^/users/@me$", status=401))
    with pytest.raises(TokenRefused):
        await running()


async def test_a_token_that_is_reset_while_it_runs_ends_it(
    local: LocalDiscord, running: Callable[[], asyncio.Task[None]]
) -> None:
    task = running()
    await until(lambda: connected(local))
    local.reset_token()
    local.gateway.drop(4004)
    with pytest.raises(TokenRefused):
        await task


async def test_stopping_lets_an_answer_under_way_finish_and_admits_nobody_else(
    local: LocalDiscord, running: Callable[[], asyncio.Task[None]], sources: dict[str, FakeSource]
) -> None:
    sources["reddit"].gate = asyncio.Event()
    guild, ada = local.add_guild("Test"), local.add_user("ada")
    guild.add_member(ada)
    task = running()
    await until(lambda: connected(local))
    exchange = await local.type_command(ada, guild.first_text_channel(), "/signals reddit")
    assert await exchange.wait_acknowledged()
    tell(signal.SIGINT)
    await asyncio.sleep(0.05)
    refused = await local.type_command(ada, guild.first_text_channel(), "/signals news")
    assert "restarting" in str((await refused.wait_message()).embeds)
    assert refused.ephemeral
    sources["reddit"].gate.set()
    message = await exchange.wait_message(predicate=lambda shown: bool(shown.components))
    assert "amber" in str(message.embeds)
    async with asyncio.timeout(5):
        await task


async def test_an_answer_that_takes_too_long_says_that_it_was_stopped(
    local: LocalDiscord,
    running: Callable[[], asyncio.Task[None]],
    sources: dict[str, FakeSource],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.app.DRAIN_S", 0.05)
    sources["reddit"].gate = asyncio.Event()
    guild, ada = local.add_guild("Test"), local.add_user("ada")
    guild.add_member(ada)
    task = running()
    await until(lambda: connected(local))
    exchange = await local.type_command(ada, guild.first_text_channel(), "/signals reddit")
    assert await exchange.wait_acknowledged()
    waiting = []
    for name in ("bob", "grace", "heidi"):
        person = local.add_user(name)
        guild.add_member(person)
        waiting.append(await local.type_command(person, guild.first_text_channel(), "/signals reddit"))
        assert await waiting[-1].wait_acknowledged()
    tell(signal.SIGTERM)
    message = await exchange.wait_message(predicate=lambda shown: bool(shown.components))
    assert "stopped before it could answer" in str(message.embeds)
    assert "I am restarting" in str((await waiting[-1].wait_message()).embeds)  # it was still in the line
    async with asyncio.timeout(5):
        await task
