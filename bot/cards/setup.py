"""``/setup``: four choices on one card. What was chosen so far is in the ids of its menus, and nowhere else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from zoneinfo import ZoneInfo

from bot.cards import limits
from bot.cards.card import Button, ButtonStyle, Card, Choice, Colour, Embed, Select, SelectKind
from bot.cards.custom_ids import PlanControl
from bot.cards.limits import shorten
from bot.cards.plans import schedule_words
from bot.cards.text import clean, quoted
from bot.guild_settings import time_zones
from bot.subscription import Subscription

CHANNEL_TYPES = (0, 5, 10, 11, 12, 15)
"""Text and announcement channels, threads of both and private ones, forums."""
HOURLY = "h"
TIMES = (HOURLY, *(f"{hour:02}:00" for hour in range(24)))
ZONES = (
    "UTC", "Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Istanbul", "Africa/Lagos", "Africa/Nairobi",
    "Asia/Dubai", "Asia/Karachi", "Asia/Kolkata", "Asia/Dhaka", "Asia/Bangkok", "Asia/Shanghai", "Asia/Tokyo",
    "Australia/Sydney", "Pacific/Auckland", "Pacific/Honolulu", "America/Anchorage", "America/Los_Angeles",
    "America/Denver", "America/Chicago", "America/New_York", "America/Sao_Paulo",
)  # fmt: skip
"""Offered to be picked; any other can be typed."""
_MOST = 25


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen so far."""

    channel_id: int | None
    sources: tuple[str, ...]
    """By name; empty: all that are on."""
    time: str
    """One of ``TIMES``."""
    zone: str

    def detail(self, known: Sequence[str]) -> str:
        """For a control's id; ``known`` are the sources offered, in their order."""
        mask = sum(1 << number for number, name in enumerate(known) if name in self.sources)
        time = self.time.replace(":", "")
        return f"{self.channel_id or 0}.{_fingerprint(known)}{mask:x}.{time}.{self.zone}"


def read(detail: str, known: Sequence[str]) -> Chosen | None:
    """What ``Chosen.detail`` wrote; None when it is forged.

    Sources are all again where others are offered than when it was written.
    """
    channel, _, rest = detail.partition(".")
    sources, _, rest = rest.partition(".")
    time, _, zone = rest.partition(".")
    clock = time if time == HOURLY else f"{time[:2]}:{time[2:]}"
    known_zone = time_zones().get(zone.lower())
    if not channel.isdecimal() or clock not in TIMES or known_zone is None:
        return None
    fingerprint, digits = sources[:2], sources[2:]
    try:
        mask = int(digits, 16) if fingerprint == _fingerprint(known) and len(digits) < 8 else 0
    except ValueError:
        return None
    chosen = tuple(name for number, name in enumerate(known) if mask >> number & 1)
    return Chosen(int(channel) or None, chosen, clock, known_zone)


def _fingerprint(known: Sequence[str]) -> str:
    return blake2b(",".join(known).encode(), digest_size=1).hexdigest()


def setup_card(
    chosen: Chosen, titles: Mapping[str, str], guild_id: int, server_zone: str, now: datetime, problems: Sequence[str]
) -> Card:
    """The four choices; ``titles`` are the sources offered, ``problems`` sentences about what was chosen."""
    known = tuple(titles)
    detail = chosen.detail(known)

    def control(verb: str) -> str:
        return str(PlanControl(verb, guild_id, detail))

    selects = (
        Select(
            control("channel"), SelectKind.CHANNEL, "1. Where shall it be posted?",
            chosen=(chosen.channel_id,) if chosen.channel_id else (), channel_types=CHANNEL_TYPES,
        ),
        Select(
            control("sources"), SelectKind.TEXT, "2. Which sources? None chosen: all that are on",
            tuple(_source_choices(chosen, titles)), least=0, most=min(len(known), _MOST),
        ),
        Select(control("time"), SelectKind.TEXT, "3. When?", tuple(_time_choices(chosen))),
        Select(control("zone"), SelectKind.TEXT, "4. In which time zone?", tuple(_zones(chosen, server_zone, now))),
    )  # fmt: skip
    buttons = (
        Button("Make it and post the first one", control("make"), emoji="✅", style=ButtonStyle.PRIMARY,
               disabled=chosen.channel_id is None),
        Button("Another time zone", control("typezone"), emoji="🌍"),
    )  # fmt: skip
    usable = tuple(select for select in selects if select.kind is not SelectKind.TEXT or select.choices)
    return Card(_embed(chosen, titles, problems), (buttons,), usable)


def _embed(chosen: Chosen, titles: Mapping[str, str], problems: Sequence[str]) -> Embed:
    budget = limits.Budget()
    title = budget.fit(("A digest in four choices",), limits.TITLE)
    channel = f"<#{chosen.channel_id}>" if chosen.channel_id else "choose one below"
    named = ", ".join(quoted(titles.get(name, name), 30) for name in chosen.sources) or "all that are on"
    when = "every hour" if chosen.time == HOURLY else f"daily at {chosen.time}"
    lines = [
        f"**1. Channel**: {channel}",
        f"**2. Sources**: {named}",
        f"**3. Time**: {when}",
        f"**4. Time zone**: {quoted(chosen.zone, 60)}",
        *(f"⚠️ {quoted(problem, 300)}" for problem in problems[:4]),
        "-# Weekdays, words to look for, a role to call, a chart and more: `/digest edit` afterwards.",
    ]
    description = budget.fit(("\n".join(lines),), limits.DESCRIPTION)
    return Embed(title, description, Colour.PARTLY if problems else Colour.PENDING)


def _source_choices(chosen: Chosen, titles: Mapping[str, str]) -> Iterator[Choice]:
    for name, title in list(titles.items())[:_MOST]:
        yield Choice(shorten(clean(title) or name, 100), name, chosen=name in chosen.sources)


def _time_choices(chosen: Chosen) -> Iterator[Choice]:
    for time in TIMES:
        label = "every hour" if time == HOURLY else f"daily at {time}"
        yield Choice(label, time, chosen=time == chosen.time)


def _zones(chosen: Chosen, server_zone: str, now: datetime) -> Iterator[Choice]:
    offered = (zone for zone in dict.fromkeys((chosen.zone, server_zone, *ZONES)) if zone.lower() in time_zones())
    for zone in list(offered)[:_MOST]:
        yield Choice(zone, zone, f"now {now.astimezone(ZoneInfo(zone)):%H:%M}", zone == chosen.zone)


def made_words(made: Subscription) -> str:
    """Below what became of its first run: when it runs, and how to change it."""
    when = quoted(f"{schedule_words(made.plan.schedule)} ({made.plan.schedule.timezone})", 110)
    due = f", next <t:{int(made.due_at.timestamp())}:R>" if made.due_at is not None else ""
    return f"It runs {when}{due}.\n-# `/digest edit` changes it, `/digest list` shows how it stands."
