"""``/config``: what a server sets for itself, by command; the form is in ``config_panel``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from bot.cards import config as cards
from bot.cards import custom_ids, limits
from bot.cards.card import Card
from bot.cards.custom_ids import ConfigControl
from bot.cogs.admins import Admins, ChannelId, for_admins, hand_on, tell_privately
from bot.cogs.config_panel import ConfigPanel
from bot.cogs.files import LooksShown, UploadRefused, download, show_file
from bot.configuring import Admin, CannotHold, Configuring, Saved
from bot.delivery.places import Place
from bot.feeds import NotAdded, Readable, ServerFeeds
from bot.guild_settings import (
    DEFAULTS,
    LARGEST_IMPORT,
    GuildSettings,
    ImportRefused,
    Kind,
    SettingSpec,
    import_settings,
)
from bot.recent import Recent
from bot.store.guilds import undoing

MOST_PENDING = 100
"""Imports that wait for their confirmation; the oldest are forgotten."""
_CHANNEL_SETTINGS = (
    app_commands.Choice(name="log_channel: the channel where admins are told", value="log_channel"),
    app_commands.Choice(name="ask_channels: add a channel where members may ask", value="add"),
    app_commands.Choice(name="ask_channels: remove one again", value="remove"),
)

_KINDS = discord.ChannelType
Channel = app_commands.Transform[
    int,
    ChannelId(_KINDS.text, _KINDS.news, _KINDS.voice, _KINDS.stage_voice, _KINDS.forum, _KINDS.public_thread),
]
Press = Callable[[discord.Interaction, ConfigControl], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PendingImport:
    """A file that was read and waits to be confirmed."""

    user_id: int
    settings: GuildSettings
    version: int
    """What the shown difference was made against."""


@for_admins
class ConfigCog(commands.GroupCog, name="config", description="This server's settings"):
    """Shows and changes settings, for those who may."""

    def __init__(self, configuring: Configuring, feeds: ServerFeeds, session: aiohttp.ClientSession) -> None:
        self._configuring = configuring
        self._feeds = feeds
        self._admins = Admins(configuring, session)
        self._panel = ConfigPanel(self._admins, session)
        self._pending: Recent[str, PendingImport] = Recent(MOST_PENDING)
        self._presses: dict[str, Press] = {
            "history": self._turn_history,
            "undo": self._undo_before,
            "apply": self._apply,
            "discard": self._discard,
            **self._panel.presses,
        }

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Presses and forms: matched by their ids, so that they work after a restart and nothing is remembered."""
        await hand_on(interaction, custom_ids.CONFIG_FAMILY, custom_ids.parse_config, self._presses)

    # -- show

    @app_commands.command(name="show", description="Every setting, its value and what it does; only you see it")
    @app_commands.describe(setting="One setting in full")
    async def show(self, interaction: discord.Interaction, setting: str | None = None) -> None:
        """One private card."""

        async def answer(admin: Admin, place: Place) -> None:
            if setting is not None:
                await place.edit(cards.setting_card(self._configuring.spec(setting), admin.settings))
                return
            specs = tuple(self._configuring.specs.values())
            await place.edit(cards.settings_card(specs, admin.settings, certain=admin.current.certain))

        await self._admins.command(interaction, answer)

    # -- set and reset

    @app_commands.command(name="set", description="Change a setting")
    @app_commands.describe(
        setting="Which setting", value="Its new value; lists are comma separated, none empties them"
    )
    async def change(self, interaction: discord.Interaction, setting: str, value: str) -> None:
        """Typed and validated; says old and new."""

        async def answer(admin: Admin, place: Place) -> None:
            spec = self._configuring.spec(setting)
            await self._set(admin, place, spec, value)

        await self._admins.command(interaction, answer)

    @app_commands.command(name="channel", description="Choose the log channel, or where members may ask")
    @app_commands.describe(setting="Which setting", channel="The channel")
    @app_commands.choices(setting=list(_CHANNEL_SETTINGS))
    async def channel(
        self,
        interaction: discord.Interaction,
        setting: str,
        channel: Channel,
    ) -> None:
        """Discord's own picker for channels."""

        async def answer(admin: Admin, place: Place) -> None:
            if setting == "log_channel":
                await self._set(admin, place, self._configuring.spec("log_channel"), str(channel))
                return
            spec, asked = self._configuring.spec("ask_channels"), admin.settings.ask_channel_ids
            others = tuple(one for one in asked if one != channel)
            wanted = (*asked, channel) if setting == "add" else others
            await self._set(admin, place, spec, spec.typed(wanted))

        await self._admins.command(interaction, answer)

    @app_commands.command(name="role", description="Choose a role whose members may configure the bot, too")
    @app_commands.describe(role="The role")
    async def role(self, interaction: discord.Interaction, role: discord.Role) -> None:
        """Discord's own picker for roles."""

        async def answer(admin: Admin, place: Place) -> None:
            await self._set(admin, place, self._configuring.spec("config_role"), str(role.id))

        await self._admins.command(interaction, answer)

    @app_commands.command(name="reset", description="Set a setting, or all of them, back to the default")
    @app_commands.describe(setting="Which setting; leave out for all of them")
    async def reset(self, interaction: discord.Interaction, setting: str | None = None) -> None:
        """Back to the default."""

        async def answer(admin: Admin, place: Place) -> None:
            if setting is None:
                settings = DEFAULTS
            else:
                spec = self._configuring.spec(setting)
                settings = admin.settings.changed(**{spec.field: spec.default})
            await self._admins.change(admin, place, settings, "reset", _drawn)

        await self._admins.command(interaction, answer)

    async def _set(self, admin: Admin, place: Place, spec: SettingSpec, typed: str) -> None:
        settings = self._configuring.with_value(admin.settings, spec, typed)
        await self._admins.change(admin, place, settings, "set", _drawn)

    # -- history and undo

    @app_commands.command(name="history", description="Who changed what, and when")
    async def history(self, interaction: discord.Interaction) -> None:
        """Newest first, in pages."""

        async def answer(admin: Admin, place: Place) -> None:
            await place.edit(await self._history(admin, None))

        await self._admins.command(interaction, answer)

    async def _turn_history(self, interaction: discord.Interaction, control: ConfigControl) -> None:
        before, _, _ = control.detail.partition(".")

        async def answer(admin: Admin, place: Place) -> None:
            await place.edit(await self._history(admin, _version(before)))

        await self._admins.press(interaction, control, answer)

    async def _history(self, admin: Admin, before: int | None) -> Card:
        page = cards.HISTORY_PAGE
        entries = await self._configuring.store.history(admin.guild.id, page + 1, before or None)
        shown = entries[:page]
        newest = shown[0].version if shown else 0
        return cards.history_card(
            tuple(map(self._configuring.past, shown)),
            admin.settings.time_zone,
            guild_id=admin.guild.id,
            newer=newest + page + 1 if newest < admin.current.version else None,
            older=shown[-1].version if len(entries) > page else None,
        )

    @app_commands.command(name="undo", description="Take back the newest change; again, the one before it")
    async def undo(self, interaction: discord.Interaction) -> None:
        """Itself a change in the history."""

        async def answer(admin: Admin, place: Place) -> None:
            await self._undo(admin, place)

        await self._admins.command(interaction, answer)

    async def _undo_before(self, interaction: discord.Interaction, control: ConfigControl) -> None:
        """Pass over a change that cannot be taken back, if the settings are as they were when that was said."""
        before, _, seen = control.detail.partition(".")

        async def answer(admin: Admin, place: Place) -> None:
            await self._undo(admin, place, before=_version(before), version=_version(seen))

        await self._admins.press(interaction, control, answer)

    async def _undo(
        self, admin: Admin, place: Place, *, before: int | None = None, version: int | None = None
    ) -> None:
        found = await self._configuring.taking_back(admin, before)
        if found is None:
            await place.edit(cards.nothing_to_undo(left=before is not None))
            return
        if found.settings == found.admin.settings:
            where = f"{found.version}.{found.admin.current.version}"
            await place.edit(cards.not_undone_card(found.past, found.problems, admin.guild.id, where))
            return

        def draw(saved: Saved) -> Card:
            return cards.undone_card(found.past, saved.changes, found.problems)

        action = undoing(found.version)
        await self._admins.change(found.admin, place, found.settings, action, draw, version=version)

    # -- export and import

    @app_commands.command(name="export", description="The settings as a file; only you see it")
    async def export(self, interaction: discord.Interaction) -> None:
        """JSON, for ``/config import``."""

        async def answer(admin: Admin, _place: Place) -> None:
            body = admin.settings.export().encode()
            await show_file(interaction, cards.export_card(), f"settings-{admin.guild.id}.json", body)

        await self._admins.command(interaction, answer)

    @app_commands.command(name="import", description="Settings from an exported file; shows what would change first")
    @app_commands.describe(file="A file made by /config export, at most 64 kB")
    async def import_(self, interaction: discord.Interaction, file: discord.Attachment) -> None:
        """Validated as a whole, its new feeds read once, confirmed by a button."""

        async def answer(admin: Admin, place: Place) -> None:
            try:
                wanted = import_settings(await download(file, LARGEST_IMPORT), self._configuring.operator)
                self._configuring.check(admin, wanted)
                readable = await self._feeds.readable(admin, wanted.feeds, LooksShown(place))
            except (ImportRefused, CannotHold) as refused:
                await place.edit(cards.import_refused(refused.problems))
            except (UploadRefused, NotAdded) as refused:
                await place.edit(cards.import_refused((str(refused),)))
            else:
                await place.edit(self._to_confirm(admin, wanted, readable))

        with self._feeds.heard():
            await self._admins.command(interaction, answer)

    def _to_confirm(self, admin: Admin, wanted: GuildSettings, readable: Readable) -> Card:
        settings = wanted.changed(feeds=readable.feeds)
        changes = self._configuring.difference(admin.settings, settings)
        left_out = [(each.name, each.sentence) for each in readable.left_out]
        if not changes:
            return cards.nothing_to_import(left_out)
        pending = PendingImport(admin.user_id, settings, admin.current.version)
        content = f"{admin.guild.id} {pending.user_id} {pending.version} {settings.dump()}".encode()
        ticket = blake2b(content, digest_size=10).hexdigest()
        self._pending.put(ticket, pending)
        return cards.import_card(changes, admin.guild.id, f"{ticket}.{admin.user_id}", left_out)

    async def _apply(self, interaction: discord.Interaction, control: ConfigControl) -> None:
        async def answer(admin: Admin, place: Place) -> None:
            pending = self._take(admin, control)
            if pending is None:
                await place.edit(cards.import_over())
                return
            await self._admins.change(admin, place, pending.settings, "import", _drawn, version=pending.version)

        await self._confirmed(interaction, control, answer)

    async def _discard(self, interaction: discord.Interaction, control: ConfigControl) -> None:
        async def answer(admin: Admin, place: Place) -> None:
            known = self._take(admin, control) is not None
            await place.edit(cards.import_discarded() if known else cards.import_over())

        await self._confirmed(interaction, control, answer)

    async def _confirmed(
        self,
        interaction: discord.Interaction,
        control: ConfigControl,
        work: Callable[[Admin, Place], Awaitable[None]],
    ) -> None:
        _, _, owner_id = control.detail.partition(".")
        if owner_id != str(interaction.user.id):
            await tell_privately(interaction, cards.import_foreign())
            return
        await self._admins.press(interaction, control, work)

    def _take(self, admin: Admin, control: ConfigControl) -> PendingImport | None:
        """A pending import, once."""
        ticket, _, _ = control.detail.partition(".")
        pending = self._pending.get(ticket)
        self._pending.forget(ticket)
        return pending if pending is not None and pending.user_id == admin.user_id else None

    # -- the form

    @app_commands.command(name="panel", description="The settings as a form to click through")
    @app_commands.describe(shared="Post it here for everybody who may configure; everybody here can read it then")
    async def panel(self, interaction: discord.Interaction, shared: bool = False) -> None:
        """Works for as long as the message stands."""
        await self._panel.open(interaction, private=not shared)

    # -- suggestions

    @show.autocomplete("setting")
    @reset.autocomplete("setting")
    async def suggest_any(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Settings whose name has what was typed."""
        return await self._suggest_settings(interaction, typed, settable_only=False)

    @change.autocomplete("setting")
    async def suggest_settable(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Settings that can be typed."""
        return await self._suggest_settings(interaction, typed, settable_only=True)

    @change.autocomplete("value")
    async def suggest_value(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Known values, and what holds now."""
        admin = await self._admins.admitted(interaction)
        spec = self._configuring.specs.get(str(interaction.namespace.setting or "").strip().lower())
        if admin is None or spec is None or not spec.settable:
            return []
        now = spec.typed(spec.of(admin.settings))
        offered = {value: _label(value, value == now) for value in (now, *_values(spec, typed))}
        wanted = typed.strip().lower()
        fitting = [
            app_commands.Choice(name=label, value=value)
            for value, label in offered.items()
            if wanted in value.lower() and len(label) <= limits.SUGGESTION
        ]
        return fitting[: limits.SUGGESTIONS]

    async def _suggest_settings(
        self, interaction: discord.Interaction, typed: str, *, settable_only: bool
    ) -> list[app_commands.Choice[str]]:
        if await self._admins.admitted(interaction) is None:
            return []
        wanted = typed.strip().lower()
        fitting = [
            app_commands.Choice(name=f"{spec.name}: {spec.help}"[: limits.SUGGESTION], value=spec.name)
            for spec in self._configuring.specs.values()
            if wanted in spec.name and (spec.settable or not settable_only)
        ]
        return fitting[: limits.SUGGESTIONS]


def _version(digits: str) -> int | None:
    """A version from a button's id; anybody can send any."""
    return int(digits) if digits.isdecimal() and len(digits) < 10 else None


def _drawn(saved: Saved) -> Card:
    given_role = any(change.spec.kind is Kind.ROLE and change.new for change in saved.changes)
    return cards.changed_card(saved.changes, cards.ROLE_HINT if given_role else cards.UNDO_HINT)


def _values(spec: SettingSpec, typed: str) -> tuple[str, ...]:
    """Known values; for a list, each after those that were typed already."""
    if spec.kind is not Kind.TEXTS or "," not in typed:
        return spec.choices
    before, _, _ = typed.rpartition(",")
    return tuple(f"{before}, {choice}" for choice in spec.choices if choice != "all")


def _label(value: str, holds: bool) -> str:
    return f"{value} (now)" if holds else value
