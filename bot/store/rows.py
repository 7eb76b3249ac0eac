"""Rows of digests' tables as the values that everybody else knows, and back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from pydantic import ValidationError
from sqlalchemy import Row

from agents.events import WorkflowStarted
from agents.telemetry import logger
from bot.store.outbox import Part, PartState, SeenItem
from bot.subscription import Plan, State, Subscription, dump, load

_log = logger("bot.store")
load_event = lru_cache(maxsize=64)(WorkflowStarted.model_validate_json)
"""A workflow's event as stored; every run of it comes with it."""


@lru_cache(maxsize=4096)
def load_plan(body: str) -> Plan:
    """A plan as stored; the same ones are read again and again.

    What is no longer valid (a time zone may vanish from the world) is at its default: that must not cost a server
    its digest.
    """
    try:
        return load(body)
    except ValidationError as error:
        bad = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
    _log.warning("a stored plan is no longer valid", fields=sorted(bad))
    kept = {name: value for name, value in orjson.loads(body).items() if name not in bad}
    return Plan.model_validate(kept)


def seconds(moment: datetime | None) -> float | None:
    """Since 1970."""
    return None if moment is None else moment.timestamp()


def moment(stored: float | None) -> datetime | None:
    """Aware, UTC."""
    return None if stored is None else datetime.fromtimestamp(stored, UTC)


def name_key(plan: Plan) -> str:
    """Equal for names that differ in case only."""
    return plan.name.casefold()


def subscription_of(row: Row[Any]) -> Subscription:
    """From a row that has all columns of the table."""
    return Subscription(
        id=row.id,
        guild_id=row.guild_id,
        plan=load_plan(row.plan),
        version=row.version,
        state=State(row.state),
        due_at=moment(row.due_at),
        ran_at=moment(row.ran_at),
        failures=row.failures,
        problem=row.problem,
    )


def subscription_row(subscription: Subscription, position: int) -> dict[str, object]:
    """All columns of the table."""
    return {
        "id": subscription.id,
        "guild_id": subscription.guild_id,
        "position": position,
        "name": subscription.plan.name,
        "name_key": name_key(subscription.plan),
        "plan": dump(subscription.plan),
        "version": subscription.version,
        "state": subscription.state.value,
        "due_at": seconds(subscription.due_at),
        "ran_at": seconds(subscription.ran_at),
        "failures": subscription.failures,
        "problem": subscription.problem,
    }


def dump_seen(items: Sequence[SeenItem]) -> str:
    """As JSON."""
    return orjson.dumps([(item.key, item.title) for item in items]).decode()


def load_seen(stored: str) -> tuple[SeenItem, ...]:
    """What ``dump_seen`` wrote."""
    return tuple(SeenItem(key, title) for key, title in orjson.loads(stored))


def part_row(part: Part) -> dict[str, object]:
    """All columns of the table, for one that waits to be sent."""
    return {
        "run_id": part.run_id,
        "number": part.number,
        "subscription_id": part.subscription_id,
        "guild_id": part.guild_id,
        "channel_id": part.channel_id,
        "forum": part.forum,
        "nonce": part.nonce,
        "body": part.body,
        "chart": part.chart,
        "seen": dump_seen(part.seen),
        "state": PartState.WAITING.value,
        "attempts": 0,
        "tried_at": None,
        "not_before": seconds(part.not_before),
        "sent_at": None,
        "message_id": None,
        "problem": "",
    }


def part_of(row: Row[Any]) -> Part:
    """From a row that has all columns of the table."""
    return Part(
        run_id=row.run_id,
        number=row.number,
        subscription_id=row.subscription_id,
        guild_id=row.guild_id,
        channel_id=row.channel_id,
        forum=row.forum,
        nonce=row.nonce,
        body=row.body,
        chart=row.chart,
        seen=load_seen(row.seen),
        state=PartState(row.state),
        attempts=row.attempts,
        tried_at=moment(row.tried_at),
        not_before=moment(row.not_before),
        message_id=row.message_id,
        problem=row.problem,
    )
