"""The demo, as a person runs it: the real bot in a process of its own, lines typed, buttons pressed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def demo(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "demo", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        check=False,
    )


def test_once_shows_an_exchange_and_ends_well() -> None:
    ran = demo("--once")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    thinking, looking, answer = (
        ran.stdout.index(words) for words in ("is thinking", "Reddit: looking", "stories found")
    )
    assert ran.stdout.index("acknowledged after") < thinking < looking < answer
    assert "samples" in ran.stdout
    assert ran.stderr == ""


def test_a_person_goes_on_typing_and_presses_buttons_by_their_numbers() -> None:
    lines = "2\n9\n/signals all query:python\n/signals nope\nnonsense\n@signals hackernews limit: 1\n/help\nquit\n"
    ran = demo("--terminal", "--quick", typed=lines)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    pressed = ran.stdout.split("you press 2", 1)[1].split("you press 9", 1)[0]
    assert "Page 2/2" in pressed
    assert "There is no button 9" in ran.stdout
    assert "/signals needs one of" in ran.stdout
    assert "Commands begin with /" in ran.stdout
    assert "best 1 shown" in ran.stdout
    assert "What the marks mean" in ran.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_bot_stays_behind_when_it_is_ended_or_its_terminal_closed(number: signal.Signals, tmp_path: Path) -> None:
    ran = subprocess.Popen(
        [sys.executable, "-m", "bot", "demo", "--terminal", "--quick"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
    )
    with ran:
        assert ran.stdin is not None
        assert ran.stdout is not None
        for line in ran.stdout:
            if "thinking" in line:
                break
        (bot,) = Path(f"/proc/{ran.pid}/task/{ran.pid}/children").read_text().split()
        ran.send_signal(number)
        ran.send_signal(number)
        assert ran.wait(15) == 1
    assert not Path(f"/proc/{bot}").exists()
    assert list(tmp_path.iterdir()) == []
