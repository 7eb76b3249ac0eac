"""How a workflow starts, whoever wants one: it is written down, so that it is not lost, and then announced."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from agents import telemetry
from agents.errors import BusError
from agents.events import WORKFLOW_STARTED, Topic, WorkflowStarted
from bot.store.outbox import Accepted, Origin

Emit = Callable[[Topic[WorkflowStarted], WorkflowStarted], Awaitable[None]]
"""The bus's ``emit``."""
_log = telemetry.logger("bot.workflows")


class Accepts(Protocol):
    """What of the outbox is needed here."""

    async def accept(
        self,
        event: WorkflowStarted,
        origin: Origin,
        *,
        name: str = "",
        guild_id: int | None = None,
        webhook_id: str | None = None,
    ) -> Accepted:
        """See ``bot.store.outbox.Outbox``."""
        ...


async def start(
    outbox: Accepts,
    emit: Emit,
    event: WorkflowStarted,
    origin: Origin,
    *,
    name: str = "",
    guild_id: int | None = None,
    webhook_id: str | None = None,
) -> Accepted:
    """Accept it and, unless it is known already, announce it. Raises as ``Outbox.accept`` does."""
    accepted = await outbox.accept(event, origin, name=name, guild_id=guild_id, webhook_id=webhook_id)
    if accepted.new:
        await announce(emit, event)
    return accepted


async def announce(emit: Emit, event: WorkflowStarted) -> None:
    """Put an accepted workflow on the bus; one that finds no room there is begun all the same, a little later."""
    try:
        await emit(WORKFLOW_STARTED, event)
    except BusError as error:
        _log.warning("a workflow could not be announced", workflow_id=event.workflow_id, error=str(error))
