"""Digests that are started by hand, for somebody who waits for what becomes of them."""

from collections.abc import Sequence

from agents.events import WorkflowStarted
from bot.admission import Admission, Refusal, Ticket
from bot.asking import NotNow
from bot.cards import runs
from bot.cards.card import Card
from bot.configuring import Admin
from bot.delivery.places import Place
from bot.following import Following
from bot.store.outbox import Workflow
from bot.subscribing import Subscribing
from bot.subscription import Subscription


def admitted(admission: Admission, admin: Admin) -> Ticket:
    """A place in the server's line, as for a question. Raises ``NotNow``."""
    settings = admin.settings
    ticket = admission.ask(
        str(admin.guild.id), str(admin.user_id), permits=settings.concurrency, cooldown_s=settings.cooldown_s
    )
    if isinstance(ticket, Refusal):
        raise NotNow(ticket)
    return ticket


class Starting:
    """Starts a workflow, shows its progress, and then what became of it."""

    def __init__(self, subscribing: Subscribing, following: Following, admission: Admission) -> None:
        self._subscribing = subscribing
        self._following = following
        self._admission = admission

    def admit(self, admin: Admin) -> None:
        """Whether the person may start something now; what follows is the outbox's work. Raises ``NotNow``."""
        admitted(self._admission, admin).release()

    async def one(
        self, admin: Admin, one: Subscription, place: Place, *, lines: Sequence[str] = (), hints: Sequence[str] = ()
    ) -> None:
        """A single digest, now; ``lines`` and ``hints`` are told with what became of it."""
        event = WorkflowStarted(guild_ids=(str(admin.guild.id),), subscription_ids=(one.id,))
        ended = await self._run(admin, event, place, one.plan.name)
        run = await self._following.run_of(admin.guild.id, event.workflow_id) if ended is not None else None
        await place.edit(
            runs.still_under_way() if run is None else runs.run_card(run, one.plan.channel_id, lines, hints)
        )

    async def all_of(self, admin: Admin, event: WorkflowStarted, place: Place, name: str) -> None:
        """A workflow for all active digests of the server."""
        ended = await self._run(admin, event, place, name)
        await place.edit(runs.still_under_way() if ended is None else runs.workflow_card(ended))

    async def _run(self, admin: Admin, event: WorkflowStarted, place: Place, name: str) -> Workflow | None:
        shown: list[Card] = []

        async def show(workflow: Workflow | None) -> None:
            card = runs.making_card(workflow)
            if [card] != shown[-1:]:
                shown.append(card)
                await place.edit(card)

        with self._following.expecting(event.workflow_id):
            await self._subscribing.start(admin, event, name=name)
            return await self._following.end(admin.guild.id, event.workflow_id, show)
