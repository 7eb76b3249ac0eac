"""All ways to make and change a server's digests end here: checked, saved, told to the log channel, scheduled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import discord

from agents.errors import InvalidOption
from agents.events import SourceRequest, WorkflowStarted, utc_now
from agents.source import SourceSpec
from bot import targets
from bot.cards import plans as cards
from bot.cards.plans import Names
from bot.configuring import Admin, CannotHold, Configuring
from bot.schedule import first_due
from bot.store.outbox import Origin, Outbox
from bot.store.subscriptions import NameTaken, SubscriptionOvertaken, Subscriptions, TooMany
from bot.subscription import LONGEST_NAME, MOST_SUBSCRIPTIONS, Plan, Schedule, State, Subscription, changed
from bot.typed_plan import TypedPlan, apply, sources
from bot.workflows import Emit, start

_OVERTAKEN = (
    "Somebody else changed or removed this digest in the meantime. Look at it with /digest list, and repeat your "
    "change if you still want it."
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A digest as it was saved."""

    subscription: Subscription
    hints: tuple[str, ...]
    """Sentences about what would work better."""


class Subscribing:
    """Makes, changes and starts digests of one server, for those who may configure it.

    Whatever cannot be done raises ``InvalidOption``, ``NotConfigured`` or ``CannotHold`` with sentences for people,
    or ``StoreError``; nothing is changed then, unless it is ``SaveUnknown``.
    """

    def __init__(
        self,
        configuring: Configuring,
        subscriptions: Subscriptions,
        outbox: Outbox,
        emit: Emit,
        specs: Mapping[str, SourceSpec],
        unavailable: Mapping[str, str],
        rescheduled: Callable[[], None],
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.specs = specs
        self.titles = {name: spec.title for name, spec in specs.items()}
        self._unavailable = unavailable
        self._configuring = configuring
        self._subscriptions = subscriptions
        self._outbox = outbox
        self._emit = emit
        self._rescheduled = rescheduled
        self._now = now

    def names(self, admin: Admin) -> Names:
        """What sources and tags are called."""
        return Names(self.titles, targets.tag_names(admin.guild))

    def unavailable(self, admin: Admin) -> Mapping[str, str]:
        """Why sources cannot be asked in a server, by name: the operator or its admins have them off."""
        on = admin.settings.sources_on(tuple(self.specs))
        off = "{} is switched off in this server. Switch it on with /config set sources, or leave it out."
        return {name: off.format(title) for name, title in self.titles.items() if name not in on} | dict(
            self._unavailable
        )

    def on(self, admin: Admin) -> Mapping[str, SourceSpec]:
        """The sources that can be asked in a server."""
        off = self.unavailable(admin)
        return {name: spec for name, spec in self.specs.items() if name not in off}

    async def all_of(self, admin: Admin) -> tuple[Subscription, ...]:
        """The server's, in the order in which they were made."""
        return await self._subscriptions.of_guild(admin.guild.id)

    async def find(self, admin: Admin, typed: str) -> Subscription:
        """One of the server's, by its id or its name."""
        known = await self.all_of(admin)
        word = " ".join(typed.split()).casefold()
        for one in known:
            if word == one.id or word == one.plan.name.casefold():
                return one
        named = ", ".join(one.plan.name for one in known[:10])
        there_are = f"There are: {named}." if known else "There is none yet; /setup makes one."
        raise InvalidOption("digest", f"There is no digest “{typed[:60]}” here. {there_are}")

    async def add(self, admin: Admin, typed: TypedPlan) -> Kept:
        """Make one; it gets a name that is free if none was typed."""
        assert typed.channel_id is not None
        schedule = Schedule(timezone=admin.settings.time_zone)
        empty = Plan(name="-", channel_id=typed.channel_id, schedule=schedule)
        plan = apply(typed, empty, self.specs, self.unavailable(admin))
        if typed.name is None:
            plan = changed(plan, {"name": free_name(plan, await self.all_of(admin), self.titles)})
        thread = await self._check(admin, plan)
        try:
            due_at = first_due(plan.schedule, self._now())
            made = await self._subscriptions.add(admin.guild.id, plan, due_at, admin.user_id)
        except (NameTaken, TooMany) as error:
            raise CannotHold((_why(error, plan),)) from error
        self._rescheduled()
        await self._announce(admin, "add", plan, [f"`{name}`: {value}" for name, value in self._facts(admin, plan)])
        return Kept(made, targets.warnings(admin.guild, plan, thread))

    async def edit(self, admin: Admin, before: Subscription, typed: TypedPlan) -> Kept:
        """Change one; one that was suspended goes on when nothing is lacking any more."""
        plan = apply(typed, before.plan, self.specs, self.unavailable(admin))
        if plan == before.plan and before.state is not State.SUSPENDED:
            return Kept(before, targets.warnings(admin.guild, plan))
        thread = await self._check(admin, plan)
        state = State.PAUSED if before.state is State.PAUSED else State.ACTIVE
        same = plan.schedule == before.plan.schedule and before.state is state
        due_at = before.due_at if same else self._due(plan, state)
        after = await self._change(admin, before, plan, state, due_at, "edit")
        await self._announce(admin, "edit", plan, cards.difference(before.plan, plan, self.names(admin)))
        return Kept(after, targets.warnings(admin.guild, plan, thread))

    async def pause(self, admin: Admin, before: Subscription) -> Subscription:
        """Stop one until it is resumed."""
        return await self._turn(admin, before, State.PAUSED, "pause")

    async def resume(self, admin: Admin, before: Subscription) -> Subscription:
        """Let one go on that was paused or suspended; its next run is the schedule's next."""
        await self._check(admin, before.plan)
        return await self._turn(admin, before, State.ACTIVE, "resume")

    async def remove(self, admin: Admin, before: Subscription) -> None:
        """Remove one for good."""
        try:
            await self._subscriptions.remove(before, actor_id=admin.user_id)
        except SubscriptionOvertaken as error:
            raise CannotHold((_OVERTAKEN,)) from error
        self._rescheduled()
        await self._announce(admin, "remove", before.plan, ())

    async def start(
        self,
        admin: Admin,
        event: WorkflowStarted,
        *,
        name: str = "",
    ) -> None:
        """Start a workflow for the server's own digests only, whatever the event says."""
        await start(
            self._outbox, self._emit, event, Origin.COMMAND, name=name[:LONGEST_NAME], guild_id=admin.guild.id
        )

    def sources(self, admin: Admin, typed: str | None) -> tuple[SourceRequest, ...]:
        """Sources that somebody typed; empty: all that are on."""
        if typed is None:
            return ()
        return sources(typed, self.specs, self.unavailable(admin))

    async def problems(self, admin: Admin, plan: Plan) -> tuple[str, ...]:
        """Why a digest could not be posted as planned, in sentences that name the fix."""
        return targets.problems(admin.guild, plan, await targets.archived(admin.guild, plan.channel_id))

    async def _check(self, admin: Admin, plan: Plan) -> discord.Thread | None:
        """The archived thread that it is posted in, if it is one."""
        thread = await targets.archived(admin.guild, plan.channel_id)
        found = targets.problems(admin.guild, plan, thread)
        if found:
            raise CannotHold(found)
        return thread

    async def _turn(self, admin: Admin, before: Subscription, state: State, action: str) -> Subscription:
        after = await self._change(admin, before, before.plan, state, self._due(before.plan, state), action)
        await self._announce(admin, action, before.plan, ())
        return after

    async def _change(
        self, admin: Admin, before: Subscription, plan: Plan, state: State, due_at: datetime | None, action: str
    ) -> Subscription:
        try:
            after = await self._subscriptions.change(
                before, plan, state, due_at, actor_id=admin.user_id, action=action
            )
        except SubscriptionOvertaken as error:
            raise CannotHold((_OVERTAKEN,)) from error
        except NameTaken as error:
            raise CannotHold((_why(error, plan),)) from error
        self._rescheduled()
        return after

    def _due(self, plan: Plan, state: State) -> datetime | None:
        return first_due(plan.schedule, self._now()) if state is State.ACTIVE else None

    def _facts(self, admin: Admin, plan: Plan) -> list[tuple[str, str]]:
        told = cards.facts(plan, self.names(admin))
        return [(name, told[name]) for name in ("channel", "when", "sources", "query") if told[name] != "none"]

    async def _announce(self, admin: Admin, action: str, plan: Plan, lines: Sequence[str]) -> None:
        channel_id = admin.settings.log_channel_id
        if channel_id is not None:
            card = cards.announcement(admin.user_id, action, plan.name, lines)
            await self._configuring.tell_log_channel(admin.guild.id, channel_id, card)


def free_name(plan: Plan, known: Sequence[Subscription], titles: Mapping[str, str]) -> str:
    """What a digest is called that was given no name: after its words or sources, numbered where that is taken."""
    named = plan.query or ", ".join(titles.get(source.name, source.name) for source in plan.sources) or "Digest"
    taken = {one.plan.name.casefold() for one in known}
    base = named[: LONGEST_NAME - 4].strip()
    names = (base, *(f"{base} {number}" for number in range(2, MOST_SUBSCRIPTIONS + 3)))
    return next(name for name in names if name.casefold() not in taken)


def _why(error: NameTaken | TooMany, plan: Plan) -> str:
    if isinstance(error, TooMany):
        return f"This server has {MOST_SUBSCRIPTIONS} digests already. Remove one with /digest remove first."
    return f"There is a digest “{plan.name}” here already. Choose another name, or change it with /digest edit."
