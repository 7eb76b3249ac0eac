"""``/digest``: a server's digests, by command: made, changed, tried out, started, looked back at."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents.errors import InvalidOption
from bot.admission import Admission
from bot.cards import custom_ids, notices, plans, runs
from bot.cards.card import Card
from bot.cards.custom_ids import PlanControl
from bot.cards.digest import Digest
from bot.cards.digest_notes import nothing_to_ask
from bot.cogs import digest_suggestions as suggestions
from bot.cogs.admins import Admins, ChannelId, for_admins, hand_on
from bot.cogs.starting import Starting, admitted
from bot.configuring import Admin, CannotHold, Configuring
from bot.delivery.places import Place
from bot.delivery.previews import show_preview
from bot.digest_question import NothingToAsk
from bot.store.outbox import Outbox, RunState
from bot.store.subscriptions import Subscriptions
from bot.subscribing import Subscribing
from bot.subscription import LONGEST_NAME, State, Subscription
from bot.typed_plan import TypedPlan

Press = Callable[[discord.Interaction, PlanControl], Awaitable[None]]
Work = Callable[[Admin, Place], Awaitable[None]]
Choices = list[app_commands.Choice[str]]


class Preview(Protocol):
    """What the next digest would be."""

    @property
    def digest(self) -> Digest:
        """To be drawn."""
        ...

    @property
    def chart(self) -> bytes | None:
        """A PNG."""
        ...


Previewing = Callable[[Subscription], Awaitable[Preview]]
"""What the next digest would be, now; nothing is marked as seen. Raises ``TimeoutError`` and ``NothingToAsk``."""

_HELP = {
    "channel": "A text or announcement channel, a thread, or a forum (a post per digest)",
    "sources": "Which sources, comma separated, with options: reddit subreddit=python, news. Left out: all",
    "query": "Words to look for; leave out for the best of all",
    "every": "How often: hour, day, weekday, monday, 30 minutes, 6 hours (default day)",
    "at": "The time of day, such as 08:30 (default 08:00); for every hour its minutes count",
    "days": "On which days, such as mon, wed, fri or mon-fri",
    "timezone": "Such as Europe/Berlin (default: the server's)",
    "limit": "How many items at most, 1 to 25 (default 10)",
    "min_score": "Items that score less are left out, 0 to 1 (default: the server's)",
    "role": "A role to mention with each digest; nobody else ever is",
    "cron": "Instead of every, at and days: five fields, at most every 15 minutes",
    "quiet": "Hours without digests, such as 22:00-07:00, or none",
    "grouping": "Under each source, or one list of stories (default source)",
    "chart": "With a chart of the period",
    "when_empty": "Say so when there is nothing new (default: silence)",
    "tag": "The tag of a forum's posts",
}
_GROUPINGS = [
    app_commands.Choice(name="source: under each source", value="source"),
    app_commands.Choice(name="story: one list, best first", value="story"),
]
_OUTCOMES = [app_commands.Choice(name=words, value=state.value) for state, words in runs.OUTCOMES.items()]
Limit = app_commands.Range[int, 1, 25]
Score = app_commands.Range[float, 0, 1]
Name = app_commands.Range[str, 1, LONGEST_NAME]
_KINDS = discord.ChannelType
Channel = app_commands.Transform[
    int,
    ChannelId(
        _KINDS.text, _KINDS.news, _KINDS.forum, _KINDS.public_thread, _KINDS.private_thread, _KINDS.news_thread
    ),
]


@for_admins
class DigestCog(commands.GroupCog, name="digest", description="What is new, posted on a schedule"):
    """Serves those who may configure. ``presses`` are those of other forms in the same family, by their verbs."""

    def __init__(
        self,
        configuring: Configuring,
        subscribing: Subscribing,
        subscriptions: Subscriptions,
        outbox: Outbox,
        starting: Starting,
        previewing: Previewing,
        admission: Admission,
        session: aiohttp.ClientSession,
        presses: Mapping[str, Press],
    ) -> None:
        self._subscribing = subscribing
        self._subscriptions = subscriptions
        self._outbox = outbox
        self._starting = starting
        self._previewing = previewing
        self._admission = admission
        self._session = session
        self._admins = Admins(configuring, session)
        self._presses: dict[str, Press] = {
            "remove": self._removed,
            "keep": self._kept,
            "history": self._turn_history,
            **presses,
        }

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Presses and forms: matched by their ids, so that they work after a restart and nothing is remembered."""
        await hand_on(interaction, custom_ids.PLAN_FAMILY, custom_ids.parse_plan, self._presses)

    # -- making and changing

    @app_commands.command(name="add", description="Make a digest")
    @app_commands.describe(**_HELP, name="What it is called here")
    @app_commands.choices(grouping=_GROUPINGS)
    async def add(
        self,
        interaction: discord.Interaction,
        channel: Channel,
        sources: str | None = None,
        query: str | None = None,
        name: Name | None = None,
        every: str | None = None,
        at: str | None = None,
        days: str | None = None,
        timezone: str | None = None,
        limit: Limit | None = None,
        min_score: Score | None = None,
        role: discord.Role | None = None,
        cron: str | None = None,
        quiet: str | None = None,
        grouping: str | None = None,
        chart: bool | None = None,
        when_empty: bool | None = None,
        tag: str | None = None,
    ) -> None:
        """Checked as a whole, permissions included."""
        typed = TypedPlan(
            name=name, channel_id=channel, sources=sources, query=query, every=every, at=at, days=days,
            timezone=timezone, cron=cron, quiet=quiet, limit=limit, min_score=min_score,
            role_id=role.id if role else None, grouping=grouping, chart=chart, when_empty=when_empty, tag=tag,
        )  # fmt: skip

        async def answer(admin: Admin, place: Place) -> None:
            made = await self._subscribing.add(admin, typed)
            await place.edit(plans.plan_card(made.subscription, self._subscribing.names(admin), "Made", made.hints))

        await self._admins.command(interaction, answer)

    @app_commands.command(name="edit", description="Change a digest; what is left out stays as it is")
    @app_commands.describe(
        **_HELP, digest="Which one", name="A new name", clear="Options to be without a value again: query, role, …"
    )
    @app_commands.choices(grouping=_GROUPINGS)
    async def edit(
        self,
        interaction: discord.Interaction,
        digest: str,
        channel: Channel | None = None,
        sources: str | None = None,
        query: str | None = None,
        name: Name | None = None,
        every: str | None = None,
        at: str | None = None,
        days: str | None = None,
        timezone: str | None = None,
        limit: Limit | None = None,
        min_score: Score | None = None,
        role: discord.Role | None = None,
        cron: str | None = None,
        quiet: str | None = None,
        grouping: str | None = None,
        chart: bool | None = None,
        when_empty: bool | None = None,
        tag: str | None = None,
        clear: str | None = None,
    ) -> None:
        """Says old and new."""
        typed = TypedPlan(
            name=name, channel_id=channel, sources=sources, query=query, every=every, at=at, days=days,
            timezone=timezone, cron=cron, quiet=quiet, limit=limit, min_score=min_score,
            role_id=role.id if role else None, grouping=grouping, chart=chart, when_empty=when_empty, tag=tag,
            clear=clear,
        )  # fmt: skip

        async def answer(admin: Admin, place: Place) -> None:
            before = await self._subscribing.find(admin, digest)
            saved = await self._subscribing.edit(admin, before, typed)
            names = self._subscribing.names(admin)
            await place.edit(plans.changed_card(before.plan, saved.subscription, names, saved.hints))

        await self._admins.command(interaction, answer)

    @app_commands.command(name="pause", description="Stop a digest for a while")
    @app_commands.describe(digest="Which one")
    async def pause(self, interaction: discord.Interaction, digest: str) -> None:
        """Until it is resumed."""

        async def work(admin: Admin, one: Subscription) -> Card:
            if one.state is State.PAUSED:
                return plans.so_already(one)
            return plans.turned_card(await self._subscribing.pause(admin, one))

        await self._with(interaction, digest, work)

    @app_commands.command(name="resume", description="Let a digest that was paused or suspended go on")
    @app_commands.describe(digest="Which one")
    async def resume(self, interaction: discord.Interaction, digest: str) -> None:
        """From its next time on."""

        async def work(admin: Admin, one: Subscription) -> Card:
            if one.state is State.ACTIVE:
                return plans.so_already(one)
            return plans.turned_card(await self._subscribing.resume(admin, one))

        await self._with(interaction, digest, work)

    @app_commands.command(name="remove", description="Remove a digest for good; asks first")
    @app_commands.describe(digest="Which one")
    async def remove(self, interaction: discord.Interaction, digest: str) -> None:
        """Confirmed by a button."""

        async def work(admin: Admin, one: Subscription) -> Card:
            return plans.confirm_remove_card(one, admin.guild.id)

        await self._with(interaction, digest, work)

    async def _removed(self, interaction: discord.Interaction, control: PlanControl) -> None:
        async def answer(admin: Admin, place: Place) -> None:
            subscription_id, _, version = control.detail.partition(".")
            one = await self._subscribing.find(admin, subscription_id)
            if str(one.version) != version:
                raise CannotHold((f"{one.plan.name} was changed in the meantime. Use /digest remove again.",))
            await self._subscribing.remove(admin, one)
            await place.edit(plans.removed_card(one))

        await self._admins.press(interaction, control, answer)

    async def _kept(self, interaction: discord.Interaction, control: PlanControl) -> None:
        async def answer(_admin: Admin, place: Place) -> None:
            await place.edit(plans.kept_card())

        await self._admins.press(interaction, control, answer)

    # -- looking

    @app_commands.command(name="list", description="This server's digests; only you see it")
    @app_commands.describe(digest="Everything about one")
    async def list_(self, interaction: discord.Interaction, digest: str | None = None) -> None:
        """All on one card, or one in full."""

        async def answer(admin: Admin, place: Place) -> None:
            if digest is None:
                await place.edit(plans.list_card(await self._subscribing.all_of(admin), self._titles))
                return
            one = await self._subscribing.find(admin, digest)
            hints = await self._subscribing.problems(admin, one.plan)
            await place.edit(plans.plan_card(one, self._subscribing.names(admin), hints=hints))

        await self._admins.command(interaction, answer)

    @app_commands.command(name="preview", description="What the next digest would be; only you see it")
    @app_commands.describe(digest="Which one")
    async def preview(self, interaction: discord.Interaction, digest: str) -> None:
        """Nothing of it counts as seen."""

        async def answer(admin: Admin, place: Place) -> None:
            one = await self._subscribing.find(admin, digest)
            try:
                async with admitted(self._admission, admin):
                    previewed = await self._previewing(one)
            except NothingToAsk as error:
                await place.edit(notices.not_available(nothing_to_ask(error.names, self._titles)))
            except TimeoutError:
                await place.edit(plans.no_preview_card(one))
            else:
                if not await show_preview(interaction, self._session, previewed.digest, previewed.chart):
                    await place.edit(plans.silence_card(previewed.digest))

        await self._admins.command(interaction, answer)

    @app_commands.command(name="run", description="Post a digest now; its schedule stays as it is")
    @app_commands.describe(digest="Which one")
    async def run(self, interaction: discord.Interaction, digest: str) -> None:
        """Says what became of it."""

        async def answer(admin: Admin, place: Place) -> None:
            one = await self._subscribing.find(admin, digest)
            if one.state is State.PAUSED:
                raise CannotHold((f"{one.plan.name} is paused. Let it go on with /digest resume first.",))
            self._starting.admit(admin)
            await self._starting.one(admin, one, place)

        await self._admins.command(interaction, answer)

    @app_commands.command(name="history", description="What became of digests, and who changed what")
    @app_commands.describe(digest="Only of one (default: of all)", outcome="Only what ended so (default: all)")
    @app_commands.choices(outcome=_OUTCOMES)
    async def history(
        self, interaction: discord.Interaction, digest: str | None = None, outcome: str | None = None
    ) -> None:
        """Newest first, in pages."""

        async def answer(admin: Admin, place: Place) -> None:
            one = None if digest is None else await self._subscribing.find(admin, digest)
            page = runs.Page(subscription_id=one.id if one else None, state=_outcome(outcome))
            await place.edit(await self._history(admin, page))

        await self._admins.command(interaction, answer)

    async def _turn_history(self, interaction: discord.Interaction, control: PlanControl) -> None:
        async def answer(admin: Admin, place: Place) -> None:
            await place.edit(await self._history(admin, runs.Page.read(control.detail)))

        await self._admins.press(interaction, control, answer)

    async def _history(self, admin: Admin, page: runs.Page) -> Card:
        found = await self._outbox.history(
            admin.guild.id, runs.RUNS_PAGE + 1, page.before, subscription_id=page.subscription_id, state=page.state
        )
        told = page.before is None and page.whole
        changes = await self._subscriptions.changes(admin.guild.id, runs.CHANGES_SHOWN) if told else ()
        return runs.history_card(
            page, found[: runs.RUNS_PAGE], changes, self._subscribing.names(admin), admin.guild.id,
            older=len(found) > runs.RUNS_PAGE,
        )  # fmt: skip

    # -- suggestions

    @edit.autocomplete("digest")
    @pause.autocomplete("digest")
    @resume.autocomplete("digest")
    @remove.autocomplete("digest")
    @list_.autocomplete("digest")
    @preview.autocomplete("digest")
    @run.autocomplete("digest")
    @history.autocomplete("digest")
    async def suggest_digest(self, interaction: discord.Interaction, typed: str) -> Choices:
        """Digests whose name has what was typed."""
        admin = await self._admins.admitted(interaction)
        return [] if admin is None else suggestions.digests(await self._subscribing.all_of(admin), typed)

    @add.autocomplete("sources")
    @edit.autocomplete("sources")
    async def suggest_sources(self, interaction: discord.Interaction, typed: str) -> Choices:
        """Sources, after those that were typed already."""
        admin = await self._admins.admitted(interaction)
        return [] if admin is None else suggestions.sources(self._subscribing.on(admin), typed)

    @add.autocomplete("timezone")
    @edit.autocomplete("timezone")
    async def suggest_timezone(self, interaction: discord.Interaction, typed: str) -> Choices:
        """Time zones, the server's own first, with their time now."""
        admin = await self._admins.admitted(interaction)
        return [] if admin is None else suggestions.zones(admin.settings.time_zone, typed, interaction.created_at)

    @add.autocomplete("every")
    @edit.autocomplete("every")
    async def suggest_every(self, interaction: discord.Interaction, typed: str) -> Choices:
        """How often."""
        return suggestions.every(typed)

    @add.autocomplete("at")
    @edit.autocomplete("at")
    async def suggest_at(self, interaction: discord.Interaction, typed: str) -> Choices:
        """Full and half hours."""
        return suggestions.times(typed)

    @add.autocomplete("days")
    @edit.autocomplete("days")
    async def suggest_days(self, interaction: discord.Interaction, typed: str) -> Choices:
        """Weekdays, after those that were typed already."""
        return suggestions.days(typed)

    @add.autocomplete("name")
    async def suggest_name(self, interaction: discord.Interaction, typed: str) -> Choices:
        """After what it looks for."""
        given = interaction.namespace
        return suggestions.names(typed, str(given.query or ""), str(given.sources or ""))

    @add.autocomplete("tag")
    @edit.autocomplete("tag")
    async def suggest_tag(self, interaction: discord.Interaction, typed: str) -> Choices:
        """The tags of the chosen forum."""
        admin = await self._admins.admitted(interaction)
        if admin is None:
            return []
        channel_id = suggestions.channel_given(interaction)
        digest = str(interaction.namespace.digest or "")
        if channel_id is None and digest:
            known = await self._subscribing.all_of(admin)
            channel_id = next((one.plan.channel_id for one in known if digest in {one.id, one.plan.name}), None)
        return suggestions.tags(admin.guild, channel_id, typed)

    @edit.autocomplete("clear")
    async def suggest_clear(self, interaction: discord.Interaction, typed: str) -> Choices:
        """Options that can be without a value."""
        return suggestions.clearable(typed)

    # -- parts

    @property
    def _titles(self) -> Mapping[str, str]:
        return self._subscribing.titles

    async def _with(
        self, interaction: discord.Interaction, digest: str, work: Callable[[Admin, Subscription], Awaitable[Card]]
    ) -> None:
        """A command about one digest."""

        async def answer(admin: Admin, place: Place) -> None:
            await place.edit(await work(admin, await self._subscribing.find(admin, digest)))

        await self._admins.command(interaction, answer)


def _outcome(typed: str | None) -> RunState | None:
    found = next((state for state in runs.OUTCOMES if state.value == typed), None)
    if found is None and typed is not None:
        raise InvalidOption("outcome", f"outcome takes {', '.join(runs.OUTCOMES.values())}.")
    return found
