"""The commands and the help that the real sources make fit into what Discord takes, with room for more of them."""

from pathlib import Path

import pytest

from agents.sources import build_sources
from bot.cards.help import help_card
from bot.settings import Settings
from sandbox.command_rules import MAX_CHARACTERS, MAX_OPTIONS, characters, check_set
from tests.bot.cards.discord_rules import violations
from tests.bot.conftest import Start
from tests.bot.scene import FakeSource


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, FakeSource]:
    """Every source there is, with what it declares; none is asked."""
    made = {}
    for source in build_sources(Settings.model_construct(x_spend_file=str(tmp_path / "x.json"))):
        made[source.spec.name] = fake = FakeSource(source.spec.name, source.spec.title)
        fake.spec = source.spec
    return made


async def test_every_source_is_a_subcommand_and_the_tree_stays_within_the_limits(
    start: Start, sources: dict[str, FakeSource]
) -> None:
    async with start() as scene:
        commands = scene.local.commands.all()
    assert check_set(commands) == []
    (signals,) = (command for command in commands if command["name"] == "signals")
    assert [sub["name"] for sub in signals["options"]] == [*sources, "all"]
    assert len(signals["options"]) <= MAX_OPTIONS
    # What one more source of the usual size would take.
    largest = max(characters(sub) for sub in signals["options"])
    assert characters(signals) + largest <= MAX_CHARACTERS


def test_help_names_every_source(sources: dict[str, FakeSource]) -> None:
    specs = [source.spec for source in sources.values()]
    off = {spec.name: "x" * 100 for spec in specs[:2]}
    card = help_card(specs, off)
    assert violations(card.payload()) == []
    shown = [field.name.replace("\\", "") for field in card.embed.fields]
    assert [spec.title for spec in specs] == shown[: len(specs)]
    examples = [option for spec in specs for option in spec.options if option.example]
    values = "\n".join(field.value for field in card.embed.fields)
    assert all(f"{option.name}:{option.example}" in values for option in examples)
