"""``.env.example`` lists every variable with its default and its one line of explanation, and nothing else."""

import re
from pathlib import Path

import pytest

from bot.settings import Settings

EXAMPLE = Path(__file__).parents[1] / ".env.example"
VARIABLE = re.compile(r"(?:# )?([A-Z][A-Z0-9_]*)=(.*)")


def listed() -> dict[str, tuple[str, str]]:
    """By variable: the default and the line above it."""
    lines = EXAMPLE.read_text().splitlines()
    found = [(place, match) for place, line in enumerate(lines) if (match := VARIABLE.fullmatch(line))]
    return {match[1]: (match[2], lines[place - 1].removeprefix("# ")) for place, match in found}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither variables nor a ``.env`` from outside."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_it_lists_every_variable_once_and_no_other() -> None:
    names = [match[1] for line in EXAMPLE.read_text().splitlines() if (match := VARIABLE.fullmatch(line))]
    assert sorted(names) == sorted(name.upper() for name in Settings.model_fields)


def test_every_explanation_is_the_one_in_the_code() -> None:
    explained = {name: explanation for name, (_, explanation) in listed().items()}
    assert explained == {name.upper(): field.description for name, field in Settings.model_fields.items()}


@pytest.mark.usefixtures("bare")
def test_what_it_shows_are_the_defaults(tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.write_text("".join(f"{name}={value}\n" for name, (value, _) in listed().items()))
    read = Settings(_env_file=shown)
    assert read == Settings()
    # An empty value is the default whatever that is, so it must be shown where there is one.
    empty = {name for name, (value, _) in listed().items() if not value}
    content = {name.upper(): value for name, value in Settings().model_dump(mode="json").items()}
    assert empty == {name for name, value in content.items() if value == ""}


@pytest.mark.usefixtures("bare")
def test_copied_as_it_is_it_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(EXAMPLE.read_text())
    assert Settings() == Settings(_env_file=None)
