"""What the documents say is so: links lead somewhere, tables agree with the code, guides show code that runs."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import discord
import pytest
from pydantic import SecretStr

import agents
from bot.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(chain(ROOT.glob("*.md"), ROOT.glob("docs/**/*.md")))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def named(document: Path) -> str:
    return str(document.relative_to(ROOT))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def rows(text: str) -> list[list[str]]:
    """Every table's rows, cell by cell."""
    lines = (line for line in text.splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_code(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_leads_to_what_is_there(document: Path) -> None:
    text = without_code(document.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), f"{named(document)} links to {target}"
        assert found.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(found.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_file_named_in_code_is_there(document: Path) -> None:
    text = without_code(document.read_text(encoding="utf-8"))
    for name in re.findall(r"`((?:agents|bot|sandbox|tests|docs|benchmarks)/[\w/.]+\.(?:py|md|svg))`", text):
        assert (ROOT / name).is_file(), f"{named(document)} names {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_python_in_guides_is_python_that_tests_run(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"(?:<!-- from (\S+) -->\n)?```python\n(.*?)\n```", text, flags=re.DOTALL)
    for source, code in blocks:
        assert source, f"{named(document)} shows code that is in no file: {code[:60]}"
        assert code in text_of(source), f"{named(document)} shows code that {source} has not: {code[:60]}"


def default_of(name: str) -> list[str]:
    value = Settings.model_fields[name].default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, bool):
        return [str(value).lower()]
    return [f"{value:g}" if isinstance(value, float) else str(value)] if value != "" else []


def test_the_configuration_table_has_every_variable_with_its_default() -> None:
    table = {row[0].strip("`"): row[1] for row in rows(text_of("README.md")) if re.fullmatch(r"`[A-Z_]+`", row[0])}
    expected = {name.upper(): default_of(name) for name in Settings.model_fields}
    assert {name: re.findall(r"`([^`]*)`", cell) for name, cell in table.items()} == expected


def test_the_invitation_asks_for_exactly_the_permissions_that_are_named() -> None:
    (asked,) = re.findall(r"permissions=(\d+)", text_of("README.md"))
    needed = discord.Permissions(
        view_channel=True,
        send_messages=True,
        embed_links=True,
        send_messages_in_threads=True,
        attach_files=True,
        read_message_history=True,
    )
    assert int(asked) == needed.value


def test_every_dependency_has_its_reason_and_its_trap() -> None:
    extra, dev = PROJECT["project"]["optional-dependencies"]["otel"], PROJECT["dependency-groups"]["dev"]
    wanted = [*PROJECT["project"]["dependencies"], *extra, *dev]
    declared = sorted(re.split(r"[\[<>=]", requirement)[0] for requirement in wanted)
    listed = [row for row in rows(text_of("docs/dependencies.md")) if row[0].startswith("`")]
    assert sorted(row[0].strip("`") for row in listed) == declared
    assert all(len(row) == 3 and row[1] and row[2] for row in listed)


def test_the_version_is_one_and_its_changes_are_told() -> None:
    version = PROJECT["project"]["version"]
    assert version == agents.__version__
    assert f"## {version}" in text_of("CHANGELOG.md")


def test_the_readme_begins_with_a_picture_and_the_two_commands() -> None:
    text = text_of("README.md")
    picture, demo, test = text.index("docs/images/demo.png"), text.index("make demo"), text.index("make test")
    assert picture < demo < test < text.index("## In your own server")


def test_no_document_needs_the_internet_to_be_seen() -> None:
    for document in DOCUMENTS:
        images = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", document.read_text(encoding="utf-8"))
        assert not [image for image in images if "://" in image], named(document)


def test_every_log_line_to_watch_for_is_one_that_the_code_writes() -> None:
    table = text_of("docs/operations.md").partition("| to watch |")[2].partition("\n\n")[0]
    named_lines = [line for row in rows(table) for line in re.findall(r"`([^`]+)`", row[0])]
    code = "".join(path.read_text() for room in ("agents", "bot") for path in (ROOT / room).rglob("*.py"))
    assert len(named_lines) > 20
    assert [line for line in named_lines if f'"{line}' not in code] == []
