"""The demo, as a person runs it: the real bot in a process of its own, lines typed, buttons pressed."""

import os
import subprocess
import sys
from pathlib import Path

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
    ran = demo("--quick", typed=lines)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    pressed = ran.stdout.split("you press 2", 1)[1].split("you press 9", 1)[0]
    assert "Page 2/2" in pressed
    assert "There is no button 9" in ran.stdout
    assert "/signals needs one of" in ran.stdout
    assert "Commands begin with /" in ran.stdout
    assert "best 1 shown" in ran.stdout
    assert "What the marks mean" in ran.stdout
