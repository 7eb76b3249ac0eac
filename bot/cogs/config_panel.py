"""``/config panel``: the settings as a form of menus and text fields.

All that it knows is in the ids of its controls, so that it works after a restart, for whoever may configure.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord

from agents.errors import InvalidOption
from bot.cards import config as cards
from bot.cards.card import Card
from bot.cards.config import ValueChange
from bot.cards.custom_ids import ConfigControl
from bot.cogs import forms
from bot.cogs.admins import Admins
from bot.configuring import Admin, Overtaken, Saved
from bot.delivery.places import Place, acknowledge
from bot.failures import tell
from bot.guild_settings import SettingSpec


class ConfigPanel:
    """Opens the form and serves its controls."""

    def __init__(self, admins: Admins, session: aiohttp.ClientSession) -> None:
        self._admins = admins
        self._configuring = admins.configuring
        self._session = session
        self.presses: dict[str, Callable[[discord.Interaction, ConfigControl], Awaitable[None]]] = {
            "pick": self._pick,
            "put": self._put,
            "edit": self._edit,
            "default": self._default,
        }
        """What serves each verb of a control's id."""

    async def open(self, interaction: discord.Interaction, *, private: bool) -> None:
        """Show the form, to the person alone or to everybody in the channel."""

        async def answer(admin: Admin) -> None:
            place = await acknowledge(interaction, self._session, private=private)
            await place.edit(self._card(admin, None))

        await self._admins.serve(interaction, answer)

    async def _pick(self, interaction: discord.Interaction, control: ConfigControl) -> None:
        """A setting was chosen: show it with what changes it."""

        async def answer(admin: Admin, place: Place) -> None:
            (field,) = forms.chosen(interaction) or ("",)
            await place.edit(self._card(admin, self._spec(field)))

        await self._admins.press(interaction, control, answer)

    async def _put(self, interaction: discord.Interaction, control: ConfigControl) -> None:
        """A value was chosen in a menu, or typed into the form."""

        async def answer(admin: Admin, place: Place) -> None:
            spec = self._unchanged(admin, control)
            typed = forms.typed(interaction)
            if typed is None:
                chosen = forms.chosen(interaction)
                typed = ", ".join(chosen) if chosen else spec.typed(())
            await self._save(admin, place, spec, self._configuring.with_value(admin.settings, spec, typed))

        await self._admins.press(interaction, control, answer)

    async def _default(self, interaction: discord.Interaction, control: ConfigControl) -> None:
        """Back to the default."""

        async def answer(admin: Admin, place: Place) -> None:
            spec = self._unchanged(admin, control)
            await self._save(admin, place, spec, admin.settings.changed(**{spec.field: spec.default}))

        await self._admins.press(interaction, control, answer)

    async def _edit(self, interaction: discord.Interaction, control: ConfigControl) -> None:
        """Open a text field with what holds now."""

        async def answer(admin: Admin) -> None:
            spec = self._unchanged(admin, control)
            now = spec.typed(spec.of(admin.settings))
            if len(now) > cards.LONGEST_FORM:
                await tell(interaction, cards.form_too_long())
                return
            await forms.open_form(
                interaction,
                str(ConfigControl("put", admin.guild.id, control.detail)),
                title=f"Set {spec.name}",
                label=spec.name,
                help_line=spec.help,
                placeholder=spec.range,
                value=now,
                longest=cards.LONGEST_FORM,
                many_lines=len(now) > forms.LONGEST_PLACEHOLDER or isinstance(spec.default, tuple),
            )

        await self._admins.serve(interaction, answer, control)

    async def _save(self, admin: Admin, place: Place, spec: SettingSpec, settings: Any) -> None:
        def draw(saved: Saved) -> Card:
            after = Admin(admin.guild, admin.user_id, saved.after)
            return self._card(after, spec, saved.changes)

        await self._admins.change(admin, place, settings, "panel", draw)

    def _card(self, admin: Admin, chosen: SettingSpec | None, saved: tuple[ValueChange, ...] | None = None) -> Card:
        specs, guild = tuple(self._configuring.specs.values()), admin.guild

        def exists(known_id: int) -> bool:
            return guild.get_channel_or_thread(known_id) is not None or guild.get_role(known_id) is not None

        return cards.panel_card(specs, admin.settings, guild.id, chosen, saved, exists)

    def _spec(self, field: str) -> SettingSpec:
        spec = self._configuring.spec_of_field(field)
        if spec is None:
            raise InvalidOption("setting", "There is no such setting any more. Open a new /config panel.")
        return spec

    def _unchanged(self, admin: Admin, control: ConfigControl) -> SettingSpec:
        """The setting of a control, if it is as it was when the control was drawn.

        Else somebody's list would be replaced by one made from an older list. Raises ``Overtaken``.
        """
        field, _, seen = control.detail.partition(".")
        spec = self._spec(field)
        if seen != cards.digest(admin.settings, spec):
            now = spec.of(admin.settings)
            raise Overtaken((ValueChange(spec, now, now),))
        return spec
