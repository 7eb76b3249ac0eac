"""Changing what a server set for itself: who may, whether it can hold, saving it, telling the log channel."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import discord

from agents import telemetry
from agents.errors import InvalidOption
from bot.cards import config as cards
from bot.cards.card import Card
from bot.cards.config import PastChange, ValueChange
from bot.delivery.places import PLACE_FAULTS
from bot.guild_settings import GuildSettings, Operator, SettingSpec, beyond, settings_of
from bot.store.errors import NotSaved
from bot.store.guilds import UNDO, AuditEntry, Conflict, GuildStore, is_undo
from bot.store.settings_memory import Versioned

ANNOUNCE_TIMEOUT_S = 10.0
_NAMES = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "send_messages_in_threads": "Send Messages in Threads",
    "embed_links": "Embed Links",
}
"""Permissions as Discord's own settings call them."""

Post = Callable[[int, str | None, Card], Awaitable[bool]]
"""Post in a channel for a tenant; False when there is no such channel of that tenant or the bot may not."""

_log = telemetry.logger("bot.configuring")


class MayNotConfigure(Exception):
    """Whoever asks for it may not configure the bot here; ``guild_id`` is None outside of servers."""

    def __init__(self, guild_id: int | None, role_id: int | None) -> None:
        super().__init__("may not configure")
        self.guild_id = guild_id
        self.role_id = role_id


class OtherServer(Exception):
    """A form or button of one server, used in another."""


class CannotHold(Exception):
    """Settings that cannot work in this server; ``problems`` are sentences for people, at least one."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Overtaken(Exception):
    """Somebody else saved meanwhile; ``changes`` have what holds now as old, and what was wanted as new."""

    def __init__(self, changes: tuple[ValueChange, ...]) -> None:
        super().__init__("the settings were changed meanwhile")
        self.changes = changes


@dataclass(frozen=True, slots=True)
class Admin:
    """Somebody who may configure a server, and what holds there."""

    guild: discord.Guild
    user_id: int
    current: Versioned

    @property
    def settings(self) -> GuildSettings:
        """What holds."""
        return self.current.settings


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a change."""

    admin: Admin
    after: Versioned
    action: str
    changes: tuple[ValueChange, ...]
    """Empty: it was so already."""


@dataclass(frozen=True, slots=True)
class TakingBack:
    """What taking back a change would come to today."""

    version: int
    """The one that the change made."""
    past: PastChange
    admin: Admin
    """With what holds now."""
    settings: GuildSettings
    """To be saved; what holds now, where nothing of the change can be taken back."""
    problems: tuple[str, ...]
    """Why some of it stays as it is, in sentences."""


class Configuring:
    """All ways to change settings end here: commands, forms, imports."""

    def __init__(self, store: GuildStore, operator: Operator, post: Post) -> None:
        self.store = store
        self.operator = operator
        self.specs = {spec.name: spec for spec in settings_of(operator)}
        self._by_field = {spec.field: spec for spec in self.specs.values()}
        self._post = post

    async def admit(self, interaction: discord.Interaction, of_guild_id: int | None = None) -> Admin:
        """Who may: Manage Server, or the role that the server chose.

        Raises ``MayNotConfigure``, and ``OtherServer`` where ``of_guild_id`` is given and is another server.
        Judged by what the interaction itself says about its author: what Discord lets people see is only a hint,
        buttons can be pressed by anybody, and nothing else is known about members.
        """
        guild, user = interaction.guild, interaction.user
        if guild is None or not interaction.is_guild_integration() or not isinstance(user, discord.Member):
            raise MayNotConfigure(None, None)
        current = await self.store.get(guild.id)
        may, role_id = interaction.permissions, current.settings.config_role_id
        # The client's own list of roles has only those that its cache knows the guild to have.
        has_role = role_id is not None and user._roles.has(role_id)  # noqa: SLF001
        if not (may.manage_guild or may.administrator or has_role):
            raise MayNotConfigure(guild.id, role_id)
        if of_guild_id not in {None, guild.id}:
            raise OtherServer
        return Admin(guild, user.id, current)

    def spec(self, name: str) -> SettingSpec:
        """A setting by the name that somebody typed. Raises ``InvalidOption``."""
        found = self.specs.get(name.strip().lower())
        if found is None:
            raise InvalidOption("setting", f"There is no setting “{name[:40]}”. There are: {', '.join(self.specs)}.")
        return found

    def spec_of_field(self, field: str) -> SettingSpec | None:
        """A setting by the model's name."""
        return self._by_field.get(field)

    def with_value(self, settings: GuildSettings, spec: SettingSpec, typed: str) -> GuildSettings:
        """The settings with one changed to what somebody typed. Raises ``InvalidOption``."""
        try:
            return settings.changed(**{spec.field: spec.parse(typed)})
        except ValueError as error:
            raise InvalidOption(spec.name, str(error)) from error

    def difference(self, old: GuildSettings, new: GuildSettings) -> tuple[ValueChange, ...]:
        """What changes, in the order in which people see settings."""
        return tuple(
            ValueChange(spec, spec.of(old), spec.of(new))
            for spec in self.specs.values()
            if spec.of(old) != spec.of(new)
        )

    def past(self, entry: AuditEntry) -> PastChange:
        """An entry of the history, for people."""
        changes = (
            ValueChange(self._by_field[change.field], change.old, change.new)
            for change in entry.changes
            if change.field in self._by_field
        )
        return PastChange(entry.at, entry.actor_id, _command(entry.action), tuple(changes))

    async def taking_back(self, admin: Admin, before: int | None = None) -> TakingBack | None:
        """What becomes of the newest change (of versions less than ``before``) when it is taken back; None: no such.

        What it set before may not be possible any more: a channel is gone, the operator allows less. Changes whose
        former values hold already are passed over. Raises ``Unreadable``.
        """
        undoable = await self.store.undoable(admin.guild.id, before)
        admin = replace(admin, current=undoable.current)
        for entry in undoable.entries:
            settings, problems = self._without(admin, entry)
            if problems or settings != admin.settings:
                return TakingBack(entry.version, self.past(entry), admin, settings, problems)
        return None

    def _without(self, admin: Admin, entry: AuditEntry) -> tuple[GuildSettings, tuple[str, ...]]:
        """Settings without a change, as far as that is possible, and why not further."""
        settings, problems = admin.settings, list[str]()
        for change in entry.changes:
            former = settings.changed(**{change.field: change.old})
            found = self._problems(admin.guild, settings, former)
            if change.lost:
                found = (f"{self._by_field[change.field].name}: what it was before is no longer a valid value.",)
            problems += found
            settings = settings if found else former
        return settings, tuple(problems)

    def check(self, admin: Admin, settings: GuildSettings) -> None:
        """Look whether what is new in settings can hold in this server. Raises ``CannotHold``."""
        problems = self._problems(admin.guild, admin.settings, settings)
        if problems:
            raise CannotHold(problems)

    def _problems(self, guild: discord.Guild, old: GuildSettings, new: GuildSettings) -> tuple[str, ...]:
        too_much = (
            problem
            for field, problems in beyond(new, self.operator).items()
            if getattr(old, field) != getattr(new, field)
            for problem in problems
        )
        return (*too_much, *_unusable(guild, old, new))

    async def save(self, admin: Admin, settings: GuildSettings, action: str, version: int | None = None) -> Saved:
        """Save them if what ``admin`` saw (or ``version``) still holds.

        Raises ``CannotHold``, ``Overtaken``, ``NotSaved`` or ``SaveUnknown``.
        """
        if not admin.current.certain:
            raise NotSaved("Nothing was saved: the database cannot be asked just now.")
        self.check(admin, settings)
        expected = admin.current.version if version is None else version
        changes = self.difference(admin.settings, settings)
        try:
            after = await self.store.save(
                admin.guild.id, settings, expected_version=expected, actor_id=admin.user_id, action=action
            )
        except Conflict as conflict:
            raise Overtaken(self._overtaken(changes, conflict.current.settings)) from conflict
        return Saved(admin, after, action, changes)

    def _overtaken(self, changes: tuple[ValueChange, ...], now: GuildSettings) -> tuple[ValueChange, ...]:
        return tuple(ValueChange(change.spec, change.spec.of(now), change.new) for change in changes)

    async def announce(self, saved: Saved) -> None:
        """Tell the log channel, if there is one or was until now; that it cannot be told is logged only."""
        channel_id = saved.after.settings.log_channel_id or saved.admin.settings.log_channel_id
        if channel_id is None or not saved.changes:
            return
        card = cards.announcement(saved.admin.user_id, _command(saved.action), saved.changes)
        await self.tell_log_channel(saved.admin.guild.id, channel_id, card)

    async def tell_log_channel(self, guild_id: int, channel_id: int, card: Card) -> None:
        """Post there what admins should know; that it cannot be told is logged only."""
        try:
            async with asyncio.timeout(ANNOUNCE_TIMEOUT_S):
                await self._post(channel_id, str(guild_id), card)
        except PLACE_FAULTS as error:
            _log.warning("the log channel could not be told", channel_id=channel_id, error=type(error).__name__)


def _command(action: str) -> str:
    """By which command a change was made."""
    return UNDO if is_undo(action) else action


def _unusable(guild: discord.Guild, old: GuildSettings, new: GuildSettings) -> Iterator[str]:
    """Why new channels and roles cannot be used, from what the gateway told about the server.

    Neither the interaction's ``app_permissions`` (those of the channel it came from) nor the permissions of resolved
    channels (those of the person) say what the bot may do elsewhere; so it is computed from roles and overwrites.
    """
    channels = {*new.ask_channel_ids} - {*old.ask_channel_ids}
    asks_for_role = new.config_role_id not in {None, old.config_role_id}
    logs_elsewhere = new.log_channel_id is not None and new.log_channel_id != old.log_channel_id
    if guild.unavailable and (channels or asks_for_role or logs_elsewhere):
        yield "Discord does not tell me about this server just now, so I cannot check channels and roles. Try later."
        return
    if new.log_channel_id is not None and logs_elsewhere:
        yield from _channel_problems(guild, new.log_channel_id, "log_channel")
    for channel_id in (one for one in new.ask_channel_ids if one in channels):
        yield from _channel_problems(guild, channel_id, "ask_channels")
    if new.config_role_id is not None and asks_for_role:
        yield from _role_problems(guild, new.config_role_id)


def _channel_problems(guild: discord.Guild, channel_id: int, setting: str) -> Iterator[str]:
    channel = guild.get_channel_or_thread(channel_id)
    if channel is None:
        yield f"{setting}: there is no channel {channel_id} in this server, or I lack View Channel there."
        return
    posts_apart = isinstance(channel, discord.ForumChannel)
    if isinstance(channel, discord.CategoryChannel) or (posts_apart and setting == "log_channel"):
        yield f"{setting}: #{channel.name} takes no messages; choose a text channel."
        return
    in_threads = posts_apart or isinstance(channel, discord.Thread)
    writes = "send_messages_in_threads" if in_threads else "send_messages"
    may = channel.permissions_for(guild.me)
    lacking = [name for name in ("view_channel", writes, "embed_links") if not getattr(may, name)]
    if "view_channel" in lacking:  # without which nothing else counts
        lacking = ["view_channel"]
    if lacking:
        names = " and ".join(_NAMES[name] for name in lacking)
        yield f"{setting}: in #{channel.name} I lack {names}. Give it to me there, or choose another channel."


def _role_problems(guild: discord.Guild, role_id: int) -> Iterator[str]:
    role = guild.get_role(role_id)
    if role is None:
        yield f"config_role: there is no role {role_id} in this server."
    elif role.is_default():
        yield "config_role: @everyone would let everybody configure the bot; choose another role."
