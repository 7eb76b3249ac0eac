"""The outbox: workflows, their runs, the messages of each run, and what every subscription has shown.

A workflow is *accepted* (a row, so that it is not lost), then *begun* (in one transaction a run for each subscription
that it concerns). A run is *asking* until its messages are written down whole, in one transaction (its *parts*, with
their bodies). A part is sent, certainly not sent, or unknown; what it shows counts as seen in the transaction that
says that it was sent. Whatever is killed in between goes on from there.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol

from agents.events import WorkflowFinished, WorkflowStarted
from bot.subscription import Subscription

KEEP_SEEN = timedelta(days=30)
KEEP_HISTORY = timedelta(days=30)
"""Of finished workflows with their runs and parts."""
SCHEDULE_LEASE = "schedule"
"""Who holds it may call ``accept_due``."""


def nonce_of(workflow_id: str, subscription_id: str, number: int) -> str:
    """What Discord knows a part by: 24 hex digits, always the same for the same part."""
    return blake2b(f"{workflow_id}\x1f{subscription_id}\x1f{number}".encode(), digest_size=12).hexdigest()


class Origin(StrEnum):
    """Where a workflow came from."""

    SCHEDULE = "schedule"
    COMMAND = "command"
    WEBHOOK = "webhook"
    AGENT = "agent"


class RunState(StrEnum):
    """How a run stands; ``ASKING`` and ``SENDING`` are under way, the others final."""

    ASKING = "asking"
    SENDING = "sending"
    SENT = "sent"
    EMPTY = "empty"
    FAILED = "failed"
    HELD = "held"
    """Whether a part was posted cannot be found out; it is not sent again by itself."""
    CANCELLED = "cancelled"
    """Its subscription was paused or removed, or its server left, before it was sent."""

    @property
    def final(self) -> bool:
        """Whether nothing more happens to it."""
        return self not in {RunState.ASKING, RunState.SENDING}


class PartState(StrEnum):
    """How a message of the outbox stands."""

    WAITING = "waiting"
    """Certainly not sent."""
    SENDING = "sending"
    """Begun; as long as nothing else is noted, nobody knows whether it was posted."""
    SENT = "sent"
    HELD = "held"
    DEAD = "dead"
    """Refused for good; kept for ``/digest history``."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a workflow that was to be accepted."""

    workflow_id: str
    new: bool
    """False: it was known already, and nothing was written."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as stored."""

    id: str
    event: WorkflowStarted
    origin: Origin
    name: str
    """What people call it; may be empty."""
    guild_id: int | None
    """The one server that it may concern; None: all."""
    accepted_at: datetime
    begun: bool
    finished_at: datetime | None
    counts: Mapping[RunState, int]
    """Of its runs."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one workflow is to one subscription."""

    id: int
    workflow_id: str
    subscription: Subscription
    """As it is now, not as it was."""
    event: WorkflowStarted
    """The workflow's; its sources and query, if any, go before the plan's."""
    state: RunState
    since: datetime | None
    """When the last run before it that was sent, or had nothing new, started, UTC; None: there is none."""
    started_at: datetime


@dataclass(frozen=True, slots=True)
class SeenItem:
    """What a subscription has shown: the page's identity and the words of the title."""

    key: str
    """At most 64 characters."""
    title: str
    """As shown, for finding near-identical ones; at most 300 characters."""


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a run, whole: what is sent is what is written here."""

    run_id: int
    number: int
    """From 0."""
    subscription_id: str
    guild_id: int
    channel_id: int
    forum: bool
    """A new post in a forum instead of a message."""
    nonce: str
    """At most 25 characters, made from the workflow, the subscription and the number; also in ``custom_id``s of the
    body, by which the message is found again."""
    body: str
    """JSON as Discord's API takes it, without nonce."""
    chart: bytes | None
    """A PNG to be attached as ``chart.png``."""
    seen: tuple[SeenItem, ...]
    """What counts as seen once it is sent."""
    state: PartState = PartState.WAITING
    attempts: int = 0
    tried_at: datetime | None = None
    """When it was first begun, UTC."""
    not_before: datetime | None = None
    """When it may be tried (again), UTC."""
    message_id: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a run came to: its parts, or none when there is nothing to be sent."""

    run_id: int
    parts: tuple[Part, ...]
    items: int
    """Shown in the parts."""
    left: int
    """New, but more than fit: they stay unseen and come with the next digest."""
    note: str = ""
    """A sentence for the history, such as which sources failed."""
    left_over: str | None = None
    """Of what is left, what the next digest would not find again; it takes the place of what was kept before.
    None: that stays."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run for ``/digest history``."""

    run_id: int
    subscription_id: str
    subscription_name: str
    workflow_id: str
    origin: Origin
    state: RunState
    items: int
    left: int
    note: str
    started_at: datetime
    finished_at: datetime | None


class Outbox(Protocol):
    """Workflows and what is to be sent for them.

    Whatever asks the database raises ``Unreadable``, and whatever changes it ``NotSaved`` or ``SaveUnknown``.
    Each method that changes something is one transaction, and doing it twice is the same as once.
    """

    async def accept(
        self,
        event: WorkflowStarted,
        origin: Origin,
        *,
        name: str = "",
        guild_id: int | None = None,
        webhook_id: str | None = None,
    ) -> Accepted:
        """Write a workflow down, unless its id, or the ``webhook_id`` (kept for 7 days), is known already."""
        ...

    async def accept_due(
        self, event: WorkflowStarted, due: Mapping[str, datetime | None], now: datetime, owner: str
    ) -> Accepted | None:
        """Write a workflow of the schedule down and move the next runs of its subscriptions (by id), together.

        None, and nothing written, when ``owner`` does not hold ``SCHEDULE_LEASE`` or none of them is due now.
        """
        ...

    async def begin(self, workflow_id: str) -> int:
        """Make a run for each active subscription that it concerns; how many there are. Sets their ``ran_at``.

        Those exactly of ``subscription_ids`` if there are any, else those of ``guild_ids``, else all; within the
        workflow's ``guild_id`` always. Subscriptions that are suspended count as active only when named.
        The schedule makes no run where an earlier one of its own is still asking: after an outage, one is enough.
        With ``digests`` false there are none, and the workflow is finished.
        """
        ...

    async def begin_next(self, workflows: int, runs: int) -> int:
        """Begin the oldest that were not begun, at most so many and none beyond so many runs; how many these were."""
        ...

    async def unbegun(self, limit: int = 100) -> tuple[str, ...]:
        """Workflows that were accepted and not begun, oldest first."""
        ...

    async def asking(self, limit: int, after_id: int = 0) -> tuple[Run, ...]:
        """Runs whose messages are not written yet, in order of their ids.

        A run waits until those before it of the same subscription have come to an end: what they show is not new.
        """
        ...

    async def still_asking(self, run_ids: Collection[int]) -> frozenset[int]:
        """Those of them whose messages are still to be written: neither cancelled nor deleted meanwhile."""
        ...

    async def seen(self, subscription_ids: Collection[str], since: datetime) -> Mapping[str, tuple[SeenItem, ...]]:
        """What each of them has shown since then."""
        ...

    async def left_over(self, subscription_ids: Collection[str]) -> Mapping[str, str]:
        """What the last run of each kept (``Rendered.left_over``), where it kept anything."""
        ...

    async def write(self, rendered: Sequence[Rendered]) -> None:
        """Write the parts of runs that are still ``ASKING``; those without parts become ``EMPTY``.

        Runs whose subscription is no longer active become ``CANCELLED`` instead.
        """
        ...

    async def fail(self, run_ids: Collection[int], note: str) -> None:
        """Runs that cannot be made become ``FAILED``, with a sentence that says why."""
        ...

    async def claim(self, now: datetime, limit: int, busy_channels: Collection[int]) -> tuple[Part, ...]:
        """Parts to be sent, now ``SENDING``, at most one a channel and in a run only the first that is not sent.

        None for channels in ``busy_channels``; the server that was served least recently first.
        """
        ...

    async def begin_post(self, run_id: int, number: int) -> bool:
        """A forum's post that was claimed is about to be made. Who is told False may not: somebody else has it."""
        ...

    async def return_post(self, run_id: int, number: int) -> bool:
        """A forum's post that was claimed and certainly not begun: ``WAITING`` again; False: it was begun."""
        ...

    async def interrupted(self) -> tuple[Part, ...]:
        """Parts that are ``SENDING``; for the start, when they are what another process left unknown."""
        ...

    async def sent(self, parts: Mapping[tuple[int, int], int], now: datetime) -> None:
        """Parts, by run and number, that were posted, with their message ids; what they show is seen now.

        A run whose last part this was becomes ``SENT`` and its subscription's failures 0. One that was cancelled
        meanwhile stays so.
        """
        ...

    async def not_sent(self, run_id: int, number: int, not_before: datetime, problem: str) -> None:
        """A part that was certainly not posted: ``WAITING`` again, until then; gone if its run was cancelled."""
        ...

    async def unknown(self, run_id: int, number: int, not_before: datetime, problem: str) -> None:
        """A part of which nobody knows stays ``SENDING``, to be settled from then on."""
        ...

    async def rebuild(self, run_id: int, number: int, body: str) -> None:
        """Another body, without chart, for a part that Discord refused; ``WAITING`` again."""
        ...

    async def hold(self, run_id: int, number: int, problem: str) -> None:
        """Nobody will know whether a part was posted: it, those after it, and its run are ``HELD``."""
        ...

    async def dead(self, run_id: int, number: int, problem: str, *, refused_access: bool) -> int:
        """A part was refused for good: it and those after it are ``DEAD``, its run ``FAILED``.

        Returns the subscription's failures in a row; 0 when it is gone.

        ``refused_access``: the channel, not the message, is the reason; counts as a failure of the subscription.
        """
        ...

    async def finish(self, now: datetime) -> tuple[WorkflowFinished, ...]:
        """Workflows all of whose runs are final and that were not finished yet; they are now. Some at a time."""
        ...

    async def workflows(self, guild_id: int, limit: int) -> tuple[Workflow, ...]:
        """The newest that concern a server, counting only its runs."""
        ...

    async def history(
        self,
        guild_id: int,
        limit: int,
        before_id: int | None = None,
        *,
        subscription_id: str | None = None,
        state: RunState | None = None,
    ) -> tuple[PastRun, ...]:
        """Runs of a server, newest first; of one subscription, or that stand so, alone if that is said."""
        ...

    async def purge(self, now: datetime) -> None:
        """Forget seen items and history older than 30 days, and webhook ids older than 7."""
        ...
