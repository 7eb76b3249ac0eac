"""What a digest asks: which sources, how far back, and with what its server has settled."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.events import Requester, SignalsRequested, SourceRequest, WorkflowStarted
from agents.signal import Timeframe
from bot.answer import Question
from bot.asking import request_for
from bot.guild_settings import GuildSettings, Operator
from bot.schedule import next_run
from bot.subscription import REQUESTER_KIND, Plan, Schedule, Subscription

MOST_FOUND = 1000
"""Signals asked for, so that those which were seen do not hide those which are new."""
COVERED = 1.25
"""A digest looks so many times as far back as its last run is away: what came late is not missed."""


@dataclass(frozen=True, slots=True)
class Spot:
    """What is to be known about the channel of a digest."""

    forum: bool = False
    age_restricted: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for one digest."""

    question: Question
    """As its plan puts it."""
    request: SignalsRequested
    """With what its server has settled; the same for all digests that can share an answer (see ``key``)."""
    key: str
    """Equal for requests that any answer serves equally."""
    since: datetime
    """From when on what is new counts; older items that nobody saw are new as well."""
    min_score: float
    spot: Spot


class NothingToAsk(Exception):
    """Every source of a digest is off. ``names``: of those that it would ask; empty: there is none at all."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__("nothing to ask")
        self.names = tuple(names)


def wanted(
    subscription: Subscription,
    event: WorkflowStarted,
    settings: GuildSettings,
    operator: Operator,
    spot: Spot,
    *,
    unavailable: Collection[str],
    since: datetime | None,
    now: datetime,
) -> Wanted:
    """What a digest asks now, ``since``: its last run. The workflow's sources and query, if any, go before its own.

    Raises ``NothingToAsk``.
    """
    plan = subscription.plan
    distance = usual_distance(plan.schedule, now)
    question = Question(
        sources=_sources(plan, event, settings, operator, unavailable),
        query=event.query or plan.query,
        timeframe=timeframe_for(max(distance, now - since) if since else distance),
        limit=plan.limit,
    )
    request = request_for(
        question.model_copy(update={"limit": MOST_FOUND}),
        settings,
        operator,
        Requester(kind=REQUESTER_KIND, tenant=str(subscription.guild_id)),
        age_restricted=spot.age_restricted,
        deadline=now,
    ).model_copy(update={"min_score": 0.0})
    return Wanted(
        question=question,
        request=request,
        key=request.model_dump_json(include={"sources", "query", "timeframe", "filters", "max_age_s"}),
        since=since or now - distance,
        min_score=settings.min_score if plan.min_score is None else plan.min_score,
        spot=spot,
    )


def timeframe_for(distance: timedelta) -> Timeframe:
    """The shortest that covers the time between two runs and some more; at most a month."""
    return next((frame for frame in Timeframe if frame.delta >= COVERED * distance), Timeframe.MONTH)


def usual_distance(schedule: Schedule, now: datetime) -> timedelta:
    """Between two runs that follow one another."""
    following = next_run(schedule, now)
    return next_run(schedule, following) - following


def looks_back_to(schedule: Schedule, now: datetime) -> datetime:
    """From when on the next digest finds what is new, if it runs when it should after one that runs now."""
    following = next_run(schedule, now)
    return following - timeframe_for(max(usual_distance(schedule, following), following - now)).delta


def _sources(
    plan: Plan, event: WorkflowStarted, settings: GuildSettings, operator: Operator, unavailable: Collection[str]
) -> tuple[SourceRequest, ...]:
    """What is named, without what the server has off; what the operator has off is asked, so that it says why."""
    available = tuple(name for name in operator.sources if name not in unavailable)
    on = settings.sources_on(available)
    named = event.sources or plan.sources
    kept = tuple(one for one in named if one.name in on or one.name not in available)
    if not named:
        kept = tuple(SourceRequest(name=name) for name in on)
    if not kept:
        raise NothingToAsk([one.name for one in named])
    return kept
