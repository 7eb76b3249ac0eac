"""What ``/digest`` suggests while somebody types: pure, but for what the client knows of the server."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import discord
from discord import app_commands

from agents.source import SourceSpec
from bot.cards import limits
from bot.guild_settings import time_zones
from bot.subscription import LONGEST_NAME, State, Subscription
from bot.typed_plan import CLEARABLE, DAY_NAMES, DAYS, EVERY

_STATES = {State.PAUSED: " (paused)", State.SUSPENDED: " (suspended)"}

Choices = list[app_commands.Choice[str]]


def digests(known: Iterable[Subscription], typed: str) -> Choices:
    """By name; chosen by id, so that one may be renamed meanwhile."""
    return _fitting({one.id: f"{one.plan.name}{_STATES.get(one.state, '')}" for one in known}, typed)


def sources(specs: Mapping[str, SourceSpec], typed: str) -> Choices:
    """Sources after those that were typed already; for one that was, its options with an example."""
    before, comma, last = typed.rpartition(",")
    kept = f"{before}, " if comma else ""
    named = {part.split()[0].lower() for part in before.split(",") if part.strip()}
    offered = {} if kept else {"all": "all that are on"}
    for spec in specs.values():
        if spec.name not in named:
            offered[f"{kept}{spec.name}"] = f"{kept}{spec.name}"
            offered |= {
                text: text
                for option in spec.options
                if option.example and (text := f"{kept}{spec.name} {option.name}={option.example}")
            }
    wanted = last.strip().lower()
    return [
        app_commands.Choice(name=label, value=value)
        for value, label in offered.items()
        if wanted in label[len(kept) :].lower() and len(label) <= limits.SUGGESTION
    ][: limits.SUGGESTIONS]


def zones(server_zone: str, typed: str, now: datetime) -> Choices:
    """Time zones with their time; the server's and the plain one first."""
    wanted = typed.strip().lower().replace(" ", "_")
    known = dict.fromkeys((server_zone, "UTC", *time_zones().values()))
    fitting = [zone for zone in known if wanted in zone.lower()][: limits.SUGGESTIONS]
    return [
        app_commands.Choice(name=f"{zone} (now {now.astimezone(ZoneInfo(zone)):%H:%M})", value=zone)
        for zone in fitting
    ]


def every(typed: str) -> Choices:
    """Rhythms, with what they mean."""
    return _fitting({word: f"{word}: {meaning.replace('`', '')}" for word, meaning in EVERY.items()}, typed)


def times(typed: str) -> Choices:
    """Full hours, and half ones once an hour was typed."""
    hours = [f"{hour:02}:{minute}" for hour in range(24) for minute in ("00", "30")]
    wanted = typed.strip()
    if not wanted:
        return [app_commands.Choice(name=hour, value=hour) for hour in hours if hour.endswith("00")]
    return [
        app_commands.Choice(name=hour, value=hour)
        for hour in hours
        if hour.startswith(wanted) or hour.lstrip("0").startswith(wanted)
    ][: limits.SUGGESTIONS]


def days(typed: str) -> Choices:
    """Words for several days, and days after those that were typed already."""
    before, comma, last = typed.rpartition(",")
    kept = f"{before.strip()}, " if comma else ""
    offered = [] if kept else list(DAYS)
    offered += [f"{kept}{day[:3].lower()}" for day in DAY_NAMES if day[:3].lower() not in before.lower()]
    wanted = last.strip().lower()
    return [
        app_commands.Choice(name=text, value=text)
        for text in offered
        if wanted in text[len(kept) :] and len(text) <= limits.SUGGESTION
    ][: limits.SUGGESTIONS]


def names(typed: str, query: str, sources_given: str) -> Choices:
    """What was typed, and a name after what the digest looks for."""
    about = query.strip() or sources_given.strip() or "News"
    kept = dict.fromkeys(name for name in (typed.strip(), about) if 0 < len(name) <= LONGEST_NAME)
    wanted = typed.strip().casefold()
    return [app_commands.Choice(name=name, value=name) for name in kept if wanted in name.casefold()]


def tags(guild: discord.Guild, channel_id: int | None, typed: str) -> Choices:
    """Of a forum."""
    channel = None if channel_id is None else guild.get_channel(channel_id)
    if not isinstance(channel, discord.ForumChannel):
        return []
    return _fitting({"none": "none", **{str(tag.id): tag.name for tag in channel.available_tags}}, typed)


def channel_given(interaction: discord.Interaction) -> int | None:
    """The channel among options that are still being filled in, where nothing is resolved yet."""
    data: Any = interaction.data or {}
    for option in _leaves(data.get("options")):
        if option.get("name") == "channel" and str(option.get("value", "")).isdecimal():
            return int(option["value"])
    return None


def _leaves(options: Any) -> Iterable[Mapping[str, Any]]:
    for option in options if isinstance(options, list) else ():
        if isinstance(option, dict):
            yield option
            yield from _leaves(option.get("options"))


def clearable(typed: str) -> Choices:
    """Options after those that were typed already."""
    before, comma, last = typed.rpartition(",")
    kept = f"{before.strip()}, " if comma else ""
    named = {part.strip() for part in before.split(",")}
    return [
        app_commands.Choice(name=f"{kept}{name}", value=f"{kept}{name}")
        for name in CLEARABLE
        if name not in named and last.strip().lower() in name
    ]


def _fitting(offered: Mapping[str, str], typed: str) -> Choices:
    """By value and label."""
    wanted = typed.strip().casefold()
    found: Sequence[tuple[str, str]] = [
        (value, label) for value, label in offered.items() if wanted in label.casefold() or wanted == value.casefold()
    ]
    return [
        app_commands.Choice(name=label[: limits.SUGGESTION], value=value)
        for value, label in found[: limits.SUGGESTIONS]
    ]
