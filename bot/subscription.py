"""What a server subscribes to: which digest, where, and when it runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agents.events import LONGEST_QUERY, SourceRequest
from agents.signal import UnitInterval
from bot import cron
from bot.guild_settings import MOST_SIGNALS, time_zones

REQUESTER_KIND = "digest"
"""Of the requests that digests make: their responses are for nobody else."""
MOST_SUBSCRIPTIONS = 25
"""Of one server."""
LONGEST_NAME = 60
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


def _clock_time(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        raise ValueError("a time of day is written as 08:30 or 17:00")
    return value


def _zone(value: str) -> str:
    known = time_zones().get(value.strip().lower())
    if known is None:
        raise ValueError("is no IANA time zone, such as Europe/Berlin or UTC")
    return known


ClockTime = Annotated[str, AfterValidator(_clock_time)]
"""``HH:MM``, 24 hours."""
Zone = Annotated[str, AfterValidator(_zone)]
"""An IANA time zone's name, as the database spells it."""
CronExpression = Annotated[str, Field(max_length=100), AfterValidator(cron.checked)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Every(StrEnum):
    """How often a digest runs."""

    HOUR = "hourly"
    DAY = "daily"
    CRON = "cron"


class QuietHours(_Value):
    """From and to in the schedule's time zone, over midnight where ``until`` is earlier; never equal."""

    since: ClockTime
    until: ClockTime

    @model_validator(mode="after")
    def _not_always(self) -> Self:
        if self.since == self.until:
            raise ValueError("quiet hours begin and end at different times")
        return self


class Schedule(_Value):
    """When a digest runs. What is not needed for ``every`` stands at its default."""

    every: Every = Every.DAY
    at: ClockTime = "08:00"
    """Daily: the local time. Hourly: its minutes count."""
    days: tuple[int, ...] = ()
    """Daily: on which weekdays, Monday 0 to Sunday 6, sorted; empty: on all."""
    cron: CronExpression | None = None
    """Five fields; at most one run per 15 minutes."""
    timezone: Zone = "UTC"
    quiet: QuietHours | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.every is Every.CRON) != (self.cron is not None):
            raise ValueError("a cron schedule, and no other, has a cron expression")
        if list(self.days) != sorted({day for day in self.days if 0 <= day <= 6}):
            raise ValueError("days are Monday (0) to Sunday (6), each once, in order")
        return self


class Grouping(StrEnum):
    """How the items of a digest are arranged."""

    SOURCE = "source"
    STORY = "story"


class Plan(_Value):
    """All that an admin chooses about a digest; what is valid, whoever made it."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    """Unique in its server, without regard to case."""
    channel_id: int = Field(ge=1)
    """A text or announcement channel, a thread, or a forum (which gets a post per digest)."""
    sources: tuple[SourceRequest, ...] = Field(default=(), max_length=10)
    """Empty: those that the server has on at the time."""
    query: str | None = Field(default=None, max_length=LONGEST_QUERY)
    schedule: Schedule = Schedule()
    limit: int = Field(default=10, ge=1, le=MOST_SIGNALS)
    min_score: UnitInterval | None = None
    """None: the server's setting."""
    role_id: int | None = Field(default=None, ge=1)
    """Mentioned by each digest, and nobody else ever is."""
    grouping: Grouping = Grouping.SOURCE
    chart: bool = False
    when_empty: bool = False
    """True: a line says that there is nothing new; False: silence."""
    tag_id: int | None = Field(default=None, ge=1)
    """Of a forum's posts."""


class State(StrEnum):
    """Whether a subscription runs."""

    ACTIVE = "active"
    PAUSED = "paused"
    """By an admin, until an admin resumes it."""
    SUSPENDED = "suspended"
    """By the bot, since Discord refused its posts; resumes by itself when access returns."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A plan of a server, and how it stands."""

    id: str
    """16 hex digits."""
    guild_id: int
    plan: Plan
    version: int
    """Grows by one with each change by people."""
    state: State
    due_at: datetime | None
    """When the schedule starts it next, UTC; None: not while it is paused."""
    ran_at: datetime | None
    """When its newest workflow started, UTC."""
    failures: int
    """Runs that Discord refused for good, in a row."""
    problem: str
    """A sentence about the last refusal; empty while all is well."""


def dump(plan: Plan) -> str:
    """As JSON for the database: what differs from the defaults."""
    return plan.model_dump_json(exclude_defaults=True)


def load(body: str) -> Plan:
    """From the database. Raises ``ValueError``."""
    return Plan.model_validate_json(body)


def changed(plan: Plan, values: Mapping[str, Any]) -> Plan:
    """The plan with some values replaced, checked as a whole. Raises ``ValueError``."""
    return Plan.model_validate({**plan.model_dump(), **values})
