"""`python -m bot run` as a process: it drains and ends with status 0, or says in a line why it does not start."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.__main__ import main
from sandbox.server import LocalDiscord
from sandbox.upstreams import SampleUpstreams
from sandbox.upstreams.faults import Fault
from tests.bot.scene import until

ROOT = Path(__file__).parents[2]
SECRET = "MTIz.secret.abcdef"


@asynccontextmanager
async def process(tmp_path: Path, environment: dict[str, str]) -> AsyncIterator[Process]:
    """The bot as an operator starts it; killed if the test ends first."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run",
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), **environment}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


def environment(local: LocalDiscord, upstreams: SampleUpstreams, tmp_path: Path) -> dict[str, str]:
    return {
        "DISCORD_TOKEN": local.token,
        "DISCORD_API_URL": local.api_url,
        "DISCORD_GATEWAY_URL": local.gateway_url,
        "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/data/answers.db",
        "HTTP_PORT": "0",
        **upstreams.env(),
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_answer_under_way_finish_and_ends_with_status_0(
    local: LocalDiscord, tmp_path: Path, number: signal.Signals
) -> None:
    guild, ada = local.add_guild("Test"), local.add_user("ada")
    guild.add_member(ada)
    async with (
        SampleUpstreams(latency_s={"hackernews": 0.4}) as upstreams,
        process(tmp_path, environment(local, upstreams, tmp_path)) as bot,
    ):
        await until(lambda: local.commands.all() and local.gateway.sessions, 20)
        # What cannot be answered in time must not keep the process.
        if number is signal.SIGINT:
            upstreams.behaviours["reddit"].fault = Fault.SLOW
        stuck = await local.type_command(ada, guild.first_text_channel(), "/signals reddit")
        assert await stuck.wait_acknowledged()
        grace = local.add_user("grace")
        guild.add_member(grace)
        asked = await local.type_command(grace, guild.first_text_channel(), "/signals hackernews")
        assert await asked.wait_acknowledged()
        began = time.monotonic()
        bot.send_signal(number)
        message = await asked.wait_message(predicate=lambda shown: bool(shown.components))
        assert "▰" in str(message.embeds)
        out, err = await asyncio.wait_for(bot.communicate(), 10)
        assert bot.returncode == 0, err.decode()
        assert time.monotonic() - began < 10
        assert (await stuck.wait_message()).components
    said = (out + err).decode()
    assert "Traceback" not in said
    assert local.token not in said
    assert (tmp_path / "data" / "answers.db").exists()


SLOW_TO_IMPORT = """
import os, signal, sys, threading, time
import bot.__main__ as program

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "bot.app":
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
            time.sleep(5)

sys.meta_path.insert(0, Slow())
sys.exit(program.main(["run"]))
"""


async def test_a_signal_while_it_starts_ends_it_with_status_0_too(tmp_path: Path) -> None:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SLOW_TO_IMPORT,
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "DISCORD_TOKEN": SECRET}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(started.communicate(), 20)
    assert (started.returncode, out, err) == (0, b"", b"")


async def test_a_wrong_token_is_one_line_that_names_the_variable(local: LocalDiscord, tmp_path: Path) -> None:
    async with SampleUpstreams() as upstreams:
        asked = environment(local, upstreams, tmp_path) | {"DISCORD_TOKEN": SECRET, "LOG_LEVEL": "ERROR"}
        async with process(tmp_path, asked) as bot:
            out, err = await asyncio.wait_for(bot.communicate(), 20)
    assert bot.returncode == 1
    assert out == b""
    (line,) = err.decode().splitlines()
    assert line.startswith("DISCORD_TOKEN: ")
    assert "developer portal" in line
    assert SECRET not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DISCORD_TOKEN", ""),
        ("DISCORD_TOKEN", f"{SECRET}\n"),
        ("TEXT_COMMANDS", "perhaps"),
        ("DISCORD_API_URL", "discord.com"),
        ("LOG_LEVEL", "LOUD"),
        ("FETCH_ALLOW", "everything"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_bad_environment_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    value: str,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    monkeypatch.setenv(name, value)
    if command == "check" and not value:
        return  # it tells that, among the rest
    assert main([command]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith(f"{name}: ")
    assert SECRET not in line


def test_a_bad_argument_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fly"])
    assert ended.value.code == 2
