"""The values that everything here is about: a signal, where it stands elsewhere, and the timeframe asked for."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the calendar in UTC") from error


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An aware moment, always turned to UTC."""

UnitInterval = Annotated[float, Field(ge=0.0, le=1.0)]


class Frozen(BaseModel):
    """A value: immutable, JSON round-trip, fields of a newer version ignored."""

    # JSON has no infinity: it would come back as null.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Timeframe(StrEnum):
    """How far back a question looks, as people type it."""

    HOUR = "1h"
    SIX_HOURS = "6h"
    DAY = "24h"
    TWO_DAYS = "48h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def delta(self) -> timedelta:
        """Its length."""
        return _LENGTHS[self]

    @property
    def label(self) -> str:
        """In words, as in "the last 6 hours"."""
        return _LABELS[self]


_LENGTHS = {
    Timeframe.HOUR: timedelta(hours=1),
    Timeframe.SIX_HOURS: timedelta(hours=6),
    Timeframe.DAY: timedelta(hours=24),
    Timeframe.TWO_DAYS: timedelta(hours=48),
    Timeframe.WEEK: timedelta(days=7),
    Timeframe.MONTH: timedelta(days=30),
}
_LABELS = {
    Timeframe.HOUR: "last hour",
    Timeframe.SIX_HOURS: "last 6 hours",
    Timeframe.DAY: "last 24 hours",
    Timeframe.TWO_DAYS: "last 2 days",
    Timeframe.WEEK: "last 7 days",
    Timeframe.MONTH: "last 30 days",
}


class Engagement(Frozen):
    """What a source counts about an item, each at least 0; what it does not tell is None, never 0.

    ``points`` is the source's main vote (Reddit score, HN points, X likes); it may be negative on no source.
    """

    points: int | None = Field(default=None, ge=0)
    comments: int | None = Field(default=None, ge=0)
    shares: int | None = Field(default=None, ge=0)
    views: int | None = Field(default=None, ge=0)

    @property
    def known(self) -> bool:
        """Whether the source told anything at all."""
        return (self.points, self.comments, self.shares, self.views) != (None, None, None, None)


class ScoreParts(Frozen):
    """Why a signal has its score: each part in [0, 1] or None where unknown, and the formula's version."""

    engagement: UnitInterval | None = None
    recency: UnitInterval | None = None
    relevance: UnitInterval | None = None
    raised: bool = False
    """Whether it was lifted because it has a word that the asker wants more of."""
    corroboration: UnitInterval | None = None
    """How many sources tell the story: 0 for one, 0.5 for two, 0.75 for three; None where that was not looked at."""
    formula: int = 1


class Reason(StrEnum):
    """Why a signal that a source gave is not in an answer."""

    OLDER = "older than the timeframe"
    NSFW = "not safe for work"
    MUTED = "has a muted word"
    UNASKED = "not what the query asks for"
    MERGED = "another signal tells the same story"
    WEAK = "below the least score"
    CROWDED = "three of its author or site come before it"
    YIELDED = "gave its place to a source that had none"
    CUT = "beyond the limit"


class LeftOut(Frozen):
    """A signal that a source gave and that is not in the answer."""

    source: str
    title: str
    """At most 100 characters."""
    url: str
    discussion_url: str | None = None
    nsfw: bool = False
    """Whether it, or what it tells the same story as, is not safe for work."""
    reason: Reason
    detail: str = ""
    """The title of the story that stands for it; else empty."""
    score: UnitInterval | None = None
    """None where it was left out before it was scored."""
    parts: ScoreParts | None = None


class Trend(StrEnum):
    """How a signal moved since the same question was answered before."""

    NEW = "new"
    RISING = "rising"
    FADING = "fading"


class AlsoIn(Frozen):
    """The same story somewhere else: which source, the place within it (``r/python``), its address and votes."""

    source: str
    origin: str | None = None
    url: str
    points: int | None = None


class Signal(Frozen):
    """One item worth knowing.

    All texts are plain (no markup, control or bidirectional characters, see ``agents.text``) but not escaped
    for any display.
    """

    id: str
    """Stable per source: ``reddit:t3_abc``, ``hackernews:123``; the same item always has the same one."""
    source: str
    title: str
    url: str
    """Canonical http or https address of what the item is about."""
    discussion_url: str | None = None
    """Where people talk about it, when that is another page than ``url``."""
    origin: str | None = None
    """The place within the source: ``r/python``, a feed's title."""
    author: str | None = None
    excerpt: str | None = None
    timestamp: UtcDatetime
    engagement: Engagement = Engagement()
    nsfw: bool = False
    score: UnitInterval = 0.0
    parts: ScoreParts = ScoreParts()
    also_in: tuple[AlsoIn, ...] = ()
    trend: Trend | None = None
    """Against what the same question showed before; None where it stands as it stood, or nothing was shown."""
