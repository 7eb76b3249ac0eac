"""The events and their topics: the vocabulary that agents and the bot share.

Every event is a frozen value with an id, an aware UTC time, its schema's version and the W3C trace context in
which it was emitted. Fields that an older process does not know are ignored, so old and new run side by side.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import Field

from agents import telemetry
from agents.signal import Frozen, LeftOut, Signal, Timeframe, UnitInterval, UtcDatetime

LONGEST_QUERY = 200
"""Characters of what is looked for."""


def new_id() -> str:
    """128 random bits in hex: ids of events, requests and workflows."""
    return os.urandom(16).hex()


def utc_now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


class Event(Frozen):
    """What every event carries."""

    event_id: str = Field(default_factory=new_id)
    occurred_at: UtcDatetime = Field(default_factory=utc_now)
    schema_version: int = 1
    traceparent: str | None = Field(default_factory=telemetry.traceparent)
    """W3C Trace Context header of the span in which it was made; None outside any trace."""


class SourceRequest(Frozen):
    """A source's name and its options as text, such as ``reddit`` with ``{"subreddit": "python+rust"}``."""

    name: str
    options: Mapping[str, str] = Field(default_factory=dict)


class Requester(Frozen):
    """Who asks. All but ``kind`` is opaque to agents: the tenant is a guild, ``reply_to`` a place to answer."""

    kind: str
    tenant: str | None = None
    reply_to: str | None = None


class Filters(Frozen):
    """What must not be in the answer, and what is wanted more than other things.

    Words and phrases match whole and without regard to case, in the title or the excerpt.
    """

    nsfw: bool = False
    """Whether items marked as not safe for work may be shown."""
    muted: tuple[str, ...] = ()
    """Words or phrases; an item that has one is left out."""
    raised: tuple[str, ...] = ()
    """Words or phrases; an item that has one scores higher."""


class SourceStatus(StrEnum):
    """How one source went."""

    OK = "ok"
    EMPTY = "empty"
    CACHED = "cached"
    STALE = "stale"
    LIMITED = "limited"
    FAILED = "failed"
    TIMED_OUT = "timed out"

    @property
    def answered(self) -> bool:
        """Whether the source gave an answer, be it an empty or an old one."""
        return self in {SourceStatus.OK, SourceStatus.EMPTY, SourceStatus.CACHED, SourceStatus.STALE}


class SourceReport(Frozen):
    """How one source went in one request."""

    source: str
    status: SourceStatus
    count: int = Field(default=0, ge=0)
    """Signals that it found within the timeframe, before ranking and the limit."""
    duration_s: float = Field(default=0.0, ge=0)
    sentence: str = ""
    """For people: what happened and what may be done; empty where there is nothing to say."""
    fetched_at: UtcDatetime | None = None
    """When what is shown was fetched; older than the request for cached and stale answers."""
    retry_after_s: float | None = None


class SignalsRequested(Event):
    """Somebody asks for signals; answered by exactly one ``SignalsResponse`` of the same ``request_id``."""

    request_id: str = Field(default_factory=new_id)
    requester: Requester
    sources: tuple[SourceRequest, ...] = (SourceRequest(name="reddit"),)
    query: str | None = Field(default=None, max_length=LONGEST_QUERY)
    timeframe: Timeframe = Timeframe.DAY
    limit: int = Field(default=10, ge=1, le=1000)
    min_score: UnitInterval = 0.0
    filters: Filters = Filters()
    max_age_s: float | None = Field(default=None, ge=0)
    """How old a cached answer may be; None: as old as the agent's TTL allows."""
    deadline: UtcDatetime | None = None
    """When the asker stops waiting; None: the agent's own time-out."""


class SignalsProgress(Event):
    """One source of a request is done."""

    request_id: str
    requester: Requester
    report: SourceReport
    done: int
    total: int


class SignalsDiscovered(Event):
    """A fresh scan found signals; not emitted for cached answers."""

    agent_id: str
    signals: tuple[Signal, ...]
    count: int
    timestamp: UtcDatetime = Field(default_factory=utc_now)


class SignalsResponse(Event):
    """The one answer to a request: signals best first, and one report per source asked."""

    request_id: str
    requester: Requester
    signals: tuple[Signal, ...] = ()
    provider: str
    reports: tuple[SourceReport, ...] = ()
    query: str | None = None
    timeframe: Timeframe = Timeframe.DAY
    found: int = 0
    """Distinct stories found before the limit was applied."""
    left_out: tuple[LeftOut, ...] = ()
    """What came nearest to being shown, and why it is not; at most 150."""
    error: str | None = None
    """A sentence for people when the request as a whole could not be served."""


class WorkflowStarted(Event):
    """A workflow begins: digests are made from it, and agents may discover unasked."""

    workflow_id: str = Field(default_factory=new_id, min_length=1, max_length=100)
    auto_discovery: bool = False
    """Whether agents discover unasked: in ``reddit`` and ``twitter`` unless sources are named."""
    digests: bool = True
    """Whether the bot makes digests."""
    sources: tuple[SourceRequest, ...] = Field(default=(), max_length=20)
    """Asked instead of those that a digest has; empty: each its own."""
    query: str | None = Field(default=None, max_length=LONGEST_QUERY)
    """Asked instead of the one that a digest has; None: each its own."""
    guild_ids: tuple[str, ...] = Field(default=(), max_length=10_000)
    """Whose digests are made, unless single ones are named; empty: those of all."""
    subscription_ids: tuple[str, ...] = Field(default=(), max_length=10_000)
    """Exactly these digests are made; empty: every active one."""


class WorkflowFinished(Event):
    """What became of a workflow: subscriptions sent, with nothing new, failed, held back."""

    workflow_id: str
    sent: int = 0
    empty: int = 0
    failed: int = 0
    held: int = 0


E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Topic(Generic[E]):
    """A name on the bus and the one model that its events have."""

    name: str
    model: type[E]


SIGNALS_REQUESTED = Topic("signals:requested", SignalsRequested)
SIGNALS_PROGRESS = Topic("signals:progress", SignalsProgress)
SIGNALS_DISCOVERED = Topic("signals:discovered", SignalsDiscovered)
SIGNALS_RESPONSE = Topic("signals:response", SignalsResponse)
WORKFLOW_STARTED = Topic("workflow:started", WorkflowStarted)
WORKFLOW_FINISHED = Topic("workflow:finished", WorkflowFinished)

TOPICS: tuple[Topic[Any], ...] = (
    SIGNALS_REQUESTED,
    SIGNALS_PROGRESS,
    SIGNALS_DISCOVERED,
    SIGNALS_RESPONSE,
    WORKFLOW_STARTED,
    WORKFLOW_FINISHED,
)
