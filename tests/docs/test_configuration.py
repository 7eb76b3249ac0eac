"""docs/configuration.md has every setting and every command as the code has them."""

import re
from pathlib import Path

from agents.scout import SCOUT_CONFIG
from agents.sources import build_sources
from bot.cogs.config import ConfigCog
from bot.guild_settings import Operator, settings_of
from bot.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def usual_operator() -> Operator:
    """Who changed nothing in the environment."""
    fields = Settings.model_fields
    settings = Settings.model_construct(**{name: field.get_default() for name, field in fields.items()})
    return Operator(
        sources={source.spec.name: source.spec.title for source in build_sources(settings)},
        concurrency=settings.guild_concurrency,
        cooldown_s=settings.user_cooldown_s,
        cache_ttl_s=SCOUT_CONFIG.cache_ttl_s,
        subreddits=settings.reddit_subreddits,
    )


def test_every_setting_is_there_with_its_default_range_and_help() -> None:
    table = TEXT.partition("| setting | default |")[2].partition("\n\n")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{spec.name}` | {spec.show(spec.default)} | {spec.range} | {spec.help} |"
        for spec in settings_of(usual_operator())
    ]


def test_every_command_is_there() -> None:
    named = set(re.findall(r"`/config ([a-z]+)`", TEXT.partition("## Settings")[0]))
    assert named == {command.name for command in ConfigCog.__cog_app_commands__}
