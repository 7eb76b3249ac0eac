"""``/setup``: a new admin's first digest, in four choices.

What was chosen so far is in the ids of the card's controls, so that it works after a restart.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from agents.errors import InvalidOption
from agents.events import utc_now
from bot.cards import setup as cards
from bot.cards.card import Card
from bot.cards.custom_ids import PlanControl
from bot.cards.setup import HOURLY, TIMES, Chosen
from bot.cogs import forms
from bot.cogs.admins import Admins, for_admins
from bot.cogs.starting import Starting
from bot.configuring import Admin, CannotHold, Configuring
from bot.delivery.places import Place
from bot.guild_settings import time_zones
from bot.recent import Recent
from bot.subscribing import Subscribing
from bot.subscription import Plan
from bot.typed_plan import TypedPlan

_REMEMBERED = 1000
_LONGEST_ZONE = 40


class SetupForm:
    """Draws the card and serves its controls."""

    def __init__(
        self,
        configuring: Configuring,
        subscribing: Subscribing,
        starting: Starting,
        session: aiohttp.ClientSession,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._admins = Admins(configuring, session)
        self._subscribing = subscribing
        self._starting = starting
        self._now = now
        self._making: Recent[int, bool] = Recent(_REMEMBERED)
        """Messages whose digest is being made: a second press, before the card has changed, makes no other."""
        self.presses: dict[str, Callable[[discord.Interaction, PlanControl], Awaitable[None]]] = {
            "channel": self._channel,
            "sources": self._sources,
            "time": self._time,
            "zone": self._zone,
            "typezone": self._ask_zone,
            "putzone": self._zone,
            "make": self._make,
        }
        """What serves each verb of a control's id."""

    async def open(self, interaction: discord.Interaction) -> None:
        """Show it with nothing but a zone and a time chosen."""

        async def answer(admin: Admin, place: Place) -> None:
            await place.edit(await self._card(admin, Chosen(None, (), "08:00", admin.settings.time_zone)))

        await self._admins.command(interaction, answer)

    async def _channel(self, interaction: discord.Interaction, control: PlanControl) -> None:
        (chosen,) = forms.chosen(interaction)[:1] or ("",)
        channel_id = int(chosen) if chosen.isdecimal() and len(chosen) < 20 else None
        await self._changed(interaction, control, lambda before: replace(before, channel_id=channel_id))

    async def _sources(self, interaction: discord.Interaction, control: PlanControl) -> None:
        chosen = tuple(name for name in self._subscribing.specs if name in forms.chosen(interaction))
        await self._changed(interaction, control, lambda before: replace(before, sources=chosen))

    async def _time(self, interaction: discord.Interaction, control: PlanControl) -> None:
        (chosen,) = forms.chosen(interaction)[:1] or ("",)
        await self._changed(
            interaction, control, lambda before: replace(before, time=chosen) if chosen in TIMES else before
        )

    async def _zone(self, interaction: discord.Interaction, control: PlanControl) -> None:
        """Picked or typed."""
        (chosen,) = forms.chosen(interaction)[:1] or (forms.typed(interaction) or "",)

        def change(before: Chosen) -> Chosen:
            zone = time_zones().get(chosen.strip().lower().replace(" ", "_"))
            if zone is None:
                raise InvalidOption(
                    "timezone", f"“{chosen[:40]}” is no time zone; these are named as in Europe/Berlin or UTC."
                )
            return replace(before, zone=zone)

        await self._changed(interaction, control, change)

    async def _ask_zone(self, interaction: discord.Interaction, control: PlanControl) -> None:
        """Opens a form."""

        async def ask(admin: Admin) -> None:
            before = self._read(admin, control)
            await forms.open_form(
                interaction,
                str(PlanControl("putzone", admin.guild.id, control.detail)),
                title="Another time zone",
                label="Time zone",
                help_line="An IANA name: a continent and a city",
                placeholder="Europe/Berlin",
                value=before.zone,
                longest=_LONGEST_ZONE,
            )

        await self._admins.serve(interaction, ask, control)

    async def _changed(
        self, interaction: discord.Interaction, control: PlanControl, change: Callable[[Chosen], Chosen]
    ) -> None:
        async def answer(admin: Admin, place: Place) -> None:
            await place.edit(await self._card(admin, change(self._read(admin, control))))

        await self._admins.press(interaction, control, answer)

    async def _make(self, interaction: discord.Interaction, control: PlanControl) -> None:
        """Make it, post the first one, say what became of it."""
        message_id = interaction.message.id if interaction.message is not None else 0

        async def answer(admin: Admin, place: Place) -> None:
            if self._making.get(message_id):
                return
            chosen = self._read(admin, control)
            if chosen.channel_id is None:
                raise InvalidOption("channel", "Choose a channel first.")
            self._starting.admit(admin)
            self._making.put(message_id, True)
            try:
                made = await self._subscribing.add(admin, _typed(chosen))
            except CannotHold as error:
                self._making.forget(message_id)
                await place.edit(await self._card(admin, chosen, error.problems))
                return
            except BaseException:
                self._making.forget(message_id)
                raise
            told = (cards.made_words(made.subscription),)
            await self._starting.one(admin, made.subscription, place, lines=told, hints=made.hints)

        await self._admins.press(interaction, control, answer)

    def _read(self, admin: Admin, control: PlanControl) -> Chosen:
        chosen = cards.read(control.detail, tuple(self._subscribing.on(admin)))
        if chosen is None:
            raise InvalidOption("setup", "This card is of another version. Use /setup again.")
        return chosen

    async def _card(self, admin: Admin, chosen: Chosen, problems: Sequence[str] = ()) -> Card:
        if chosen.channel_id is not None and not problems:
            problems = await self._subscribing.problems(admin, Plan(name="-", channel_id=chosen.channel_id))
        titles = {name: spec.title for name, spec in self._subscribing.on(admin).items()}
        return cards.setup_card(chosen, titles, admin.guild.id, admin.settings.time_zone, self._now(), problems)


def _typed(chosen: Chosen) -> TypedPlan:
    hourly = chosen.time == HOURLY
    return TypedPlan(
        channel_id=chosen.channel_id,
        sources=", ".join(chosen.sources) or None,
        every="hour" if hourly else "day",
        at=None if hourly else chosen.time,
        timezone=chosen.zone,
    )


class SetupCog(commands.Cog, name="setup"):
    """Opens the form; its presses are among ``/digest``'s."""

    def __init__(self, form: SetupForm) -> None:
        self._form = form

    @for_admins
    @app_commands.command(
        name="setup", description="A digest in four choices: where, what, when, time zone; posts the first"
    )
    async def setup(self, interaction: discord.Interaction) -> None:
        """Private, for those who may configure."""
        await self._form.open(interaction)
