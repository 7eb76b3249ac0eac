"""What changes of a subscription or of a server mean for runs under way, and all that digests keep about a server."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.outbox import PartState, RunState
from bot.store.schema import (
    PARTS,
    REMOVED_GUILDS,
    RUNS,
    SERVED_GUILDS,
    SUBSCRIPTION_CHANGES,
    SUBSCRIPTIONS,
    WORKFLOWS,
)

T = TypeVar("T")

UNDER_WAY = (RunState.ASKING.value, RunState.SENDING.value)
LEFT_GUILDS = select(REMOVED_GUILDS.c.guild_id)
"""Servers that the bot is gone from: nothing is due there, and nothing is begun."""


async def cancel_runs(connection: AsyncConnection, wanted: ColumnElement[bool], now: datetime) -> None:
    """Cancel those of the ``wanted`` runs that are under way, with their parts that were not begun.

    A part that is being sent stays until it is known what became of it: it may have been shown.
    """
    found = await connection.execute(select(RUNS.c.id).where(wanted, RUNS.c.state.in_(UNDER_WAY)))
    run_ids = found.scalars().all()
    for some in in_pieces(run_ids):
        await connection.execute(
            delete(PARTS).where(PARTS.c.run_id.in_(some), PARTS.c.state == PartState.WAITING.value)
        )
        await connection.execute(
            update(RUNS)
            .where(RUNS.c.id.in_(some))
            .values(state=RunState.CANCELLED.value, finished_at=now.timestamp())
        )


async def cancel_runs_of_guilds(connection: AsyncConnection, guild_ids: Sequence[int], now: datetime) -> None:
    """The bot is gone from these servers."""
    for some in in_pieces(guild_ids):
        await cancel_runs(connection, RUNS.c.guild_id.in_(some), now)


async def delete_digests(connection: AsyncConnection, guild_id: int) -> None:
    """Delete all that digests keep about a server; of workflows of all servers, its id."""
    for table in (PARTS, RUNS, SUBSCRIPTIONS, SUBSCRIPTION_CHANGES, SERVED_GUILDS, WORKFLOWS):
        await connection.execute(delete(table).where(table.c.guild_id == guild_id))
    named = f'"{guild_id}"'
    forget = func.replace(WORKFLOWS.c.event, named, '"0"')  # not left out: without any, it would be all servers
    await connection.execute(update(WORKFLOWS).where(WORKFLOWS.c.event.contains(named)).values(event=forget))


async def guilds_with_digests(connection: AsyncConnection) -> set[int]:
    """Servers about which digests keep anything."""
    return {
        guild_id
        for column in (SUBSCRIPTIONS.c.guild_id, SUBSCRIPTION_CHANGES.c.guild_id, RUNS.c.guild_id)
        for guild_id in (await connection.execute(select(column).distinct())).scalars()
    }


async def count_digests(connection: AsyncConnection, guild_id: int) -> tuple[int, int, int]:
    """Of a server: subscriptions, their changes written down, and runs."""
    counts = [
        (await connection.execute(select(func.count()).where(table.c.guild_id == guild_id))).scalar_one()
        for table in (SUBSCRIPTIONS, SUBSCRIPTION_CHANGES, RUNS)
    ]
    return counts[0], counts[1], counts[2]


def in_pieces(keys: Sequence[T], size: int = 500) -> list[Sequence[T]]:
    """No statement may name more than some thousand values."""
    return [keys[start : start + size] for start in range(0, len(keys), size)]
