"""The demo, as a person runs it: the real bot in a process of its own, lines typed, buttons pressed."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.demo_sources import ADDRESSES

ROOT = Path(__file__).parents[2]


def demo(
    *arguments: str, typed: str = "", variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "demo", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **(variables or {})},
        check=False,
    )


def test_once_shows_an_exchange_and_ends_well_also_where_no_real_source_can_be_reached() -> None:
    nowhere = dict.fromkeys(ADDRESSES.values(), "http://127.0.0.1:9/")
    ran = demo("--once", "--live", variables=nowhere)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    thinking, looking, answer = (
        ran.stdout.index(words) for words in ("is thinking", "Reddit: looking", "stories found")
    )
    assert ran.stdout.index("acknowledged after") < thinking < looking < answer
    assert "No real source can be reached" in ran.stdout
    assert "All stories are samples." in ran.stdout
    assert "(sample)" in ran.stdout
    assert ran.stderr == ""


def test_a_person_goes_on_typing_and_presses_buttons_by_their_numbers() -> None:
    lines = "2\n9\n/signals all query:python\n/signals nope\nnonsense\n@signals hackernews limit: 1\n"
    lines += "!nope\n!why\n/help\nquit\n"
    ran = demo("--terminal", "--quick", typed=lines)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    pressed = ran.stdout.split("you press 2", 1)[1].split("you press 9", 1)[0]
    assert "Page 2/2" in pressed
    assert "There is no button 9" in ran.stdout
    assert "/signals needs one of" in ran.stdout
    assert "Commands begin with /" in ran.stdout
    assert "best 1 shown" in ran.stdout
    assert "A message's menu has: !" in ran.stdout
    explained = ran.stdout.split("you type !why", 1)[1].split("you type /help", 1)[0]
    assert "used Why these items" in explained
    assert "Why this item" in explained
    assert "What the marks mean" in ran.stdout


def listening(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "demo", "--quick", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
    )


def line_with(words: str, ran: subprocess.Popen[str]) -> str:
    assert ran.stdout is not None
    for line in ran.stdout:
        if words in line:
            return line
    pytest.fail(f"it ended without saying {words!r}")


def bot_of(ran: subprocess.Popen[str]) -> str:
    """The process id of the bot, as soon as there is one."""
    children = Path(f"/proc/{ran.pid}/task/{ran.pid}/children")
    deadline = time.monotonic() + 15
    while not children.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return children.read_text().split()[0]


@pytest.mark.parametrize(
    ("number", "arguments", "words"),
    [
        (signal.SIGTERM, ["--terminal"], "thinking"),
        (signal.SIGHUP, ["--terminal"], "thinking"),
        (signal.SIGTERM, ["--port", "0"], "Open "),
    ],
)
def test_no_bot_stays_behind_when_it_is_ended_or_its_terminal_closed(
    number: signal.Signals, arguments: list[str], words: str, tmp_path: Path
) -> None:
    with listening(*arguments, folder=tmp_path) as ran:
        line_with(words, ran)
        bot = bot_of(ran)
        ran.send_signal(number)
        ran.send_signal(number)
        assert ran.wait(15) == 1
    assert not Path(f"/proc/{bot}").exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_what_is_no_port_is_said_to_be_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["demo", f"--port={port}"])
    assert ended.value.code == 2
    assert f"{port} is no port: those are 0 to 65535" in capsys.readouterr().err


def answer_of(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, ""


def test_others_need_the_key_that_is_printed_and_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with listening("--host", "0.0.0.0", "--port", "0", folder=tmp_path) as ran:
        url = line_with("Open ", ran).split()[1].replace("0.0.0.0", "127.0.0.1")
        port = url.split(":")[2].partition("/")[0]
        assert "?key=" in url
        assert answer_of(url.partition("?")[0])[0] == 403
        taken = demo("--port", port, "--no-browser")
        assert taken.returncode == 2
        assert "--port" in taken.stdout
        ran.terminate()
        ran.wait(15)
