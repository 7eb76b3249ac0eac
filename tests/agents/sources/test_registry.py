"""No source is half there: each module is registered, kept apart from others, documented, and tested in its shape."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from agents.settings import SourceSettings
from agents.sources import build_sources

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "agents/sources"
MODULES = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
SPECS = {type(source).__module__.rpartition(".")[2]: source.spec for source in build_sources(SourceSettings())}
"""What each registered source declares, by its module."""


def imports(module: str) -> set[str]:
    """The modules of this package that one uses."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.removeprefix("agents.sources.") for name in names} & MODULES


def rows(name: str) -> list[list[str]]:
    """Every table's rows of a document, cell by cell."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]


def test_every_module_is_a_registered_source_or_a_part_of_one() -> None:
    reached: set[str] = set()
    ahead = set(SPECS)
    while ahead:
        module = ahead.pop()
        reached.add(module)
        ahead |= imports(module) - reached
    assert MODULES - reached == set(), "register it in agents/sources/__init__.py"


def test_sources_are_kept_apart_by_the_import_rules() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (apart,) = (contract["modules"] for contract in contracts if contract["type"] == "independence")
    assert sorted(apart) == sorted(f"agents.sources.{module}" for module in SPECS)


def test_names_are_those_of_the_modules() -> None:
    assert [spec.name for spec in SPECS.values()] == list(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_its_docstring_names_the_pages_that_it_follows_and_what_errors_look_like(name: str) -> None:
    """Of its module, or of those that are parts of it alone (``reddit_api``)."""
    own = [module for module in MODULES if module == name or module.startswith(f"{name}_")]
    sources = [ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8")) for module in own]
    told = "\n".join(ast.get_docstring(source) or "" for source in sources)
    assert re.search(r'^Facts\b[^"]*"[^"]{5,}" ', told, re.MULTILINE), (
        'write "Facts:" and the API\'s page by its title'
    )
    assert re.search(r"^Errors\b.*\w", told, re.MULTILINE), 'write "Errors" and what they look like'


@pytest.mark.parametrize("name", SPECS)
def test_the_readme_tells_people_how_to_ask_it(name: str) -> None:
    found = [row for row in rows("README.md") if row[0] == f"`/signals {name}`"]
    assert len(found) == 1, f"give `/signals {name}` a row in README.md's list of commands"
    assert found[0][1]


@pytest.mark.parametrize("name", SPECS)
def test_the_documents_tell_what_it_reads_and_grants_with_an_example(name: str) -> None:
    found = [row for row in rows("docs/sources.md") if row[0] == f"`{name}`"]
    assert len(found) == 2, f"give `{name}` a row in each of the two tables of docs/sources.md"
    about, patience = found
    assert all(about)
    assert all(patience)
    (example,) = re.findall(rf"`/signals {name}( [^`]+)`", about[2])
    typed = dict(part.split(":", 1) for part in example.split())
    typed.pop("query", None)
    assert SPECS[name].parse_options(typed) or not typed
    variables = re.findall(r"`([A-Z_]{5,})`", " ".join(about))
    assert set(variables) <= {field.upper() for field in SourceSettings.model_fields}


def test_the_documents_tell_of_no_other() -> None:
    told = {row[0].strip("`") for row in rows("docs/sources.md") if row[0].startswith("`")}
    assert told == set(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_its_own_tests_read_recorded_answers_or_change_every_part_of_one(name: str) -> None:
    """Recorded ones lie in ../shared; ``mutated`` takes an answer of the upstream's own shape and breaks it."""
    path = Path(__file__).with_name(f"test_{name}.py")
    assert path.exists(), f"write {path.name}"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & {"recorded", "mutated"}, f"read recorded answers or mutate one in {path.name}"


@pytest.mark.parametrize("name", SPECS)
def test_what_it_declares_fits_commands_and_help(name: str) -> None:
    spec = SPECS[name]
    assert re.fullmatch(r"[a-z]{1,32}", spec.name)
    assert 0 < len(spec.help) <= 100
    assert spec.limits or name == "news"
    for option in spec.options:
        assert re.fullmatch(r"[a-z0-9_-]{1,32}", option.name)
        assert 0 < len(option.help) <= 100
        assert len(option.choices) <= 25
        assert not option.example or option.parse(option.example)
        assert all(option.parse(choice) == choice for choice in option.choices)
