"""Users, servers, channels, roles and members: the values, and the verbs that announce their changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from sandbox import wire
from sandbox.clock import Clock
from sandbox.errors import JsonObject
from sandbox.messages import Message
from sandbox.permissions import EVERYONE, to_bits
from sandbox.snowflakes import Snowflakes

MESSAGES_KEPT = 500
"""Messages that a channel remembers; the oldest go first."""


class ChannelKind(IntEnum):
    """Discord's channel types."""

    TEXT = 0
    DM = 1
    VOICE = 2
    GROUP_DM = 3
    CATEGORY = 4
    ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    THREAD = 11
    PRIVATE_THREAD = 12
    STAGE = 13
    FORUM = 15
    MEDIA = 16


@dataclass(slots=True, eq=False)
class User:
    """An account, a bot's or a person's."""

    id: int
    name: str
    is_bot: bool = False

    @property
    def mention(self) -> str:
        """The text that mentions this user."""
        return f"<@{self.id}>"


@dataclass(slots=True, eq=False)
class Role:
    """A role; the one whose id is the guild's is @everyone. ``managed`` belongs to an integration."""

    id: int
    name: str
    permissions: int
    position: int = 1
    managed_by: int | None = None
    mentionable: bool = False
    """Whether anybody may mention it, without the permission to mention all roles."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A forum's tag; only those who may manage threads set a ``moderated`` one."""

    id: int
    name: str
    moderated: bool = False


@dataclass(slots=True)
class Overwrite:
    """A channel's exception for a role (kind 0) or a member (kind 1)."""

    id: int
    kind: int
    allow: int = 0
    deny: int = 0


@dataclass(slots=True, eq=False)
class Member:
    """A user in a guild; ``roles`` are role ids without @everyone."""

    user: User
    joined_at: str
    roles: set[int] = field(default_factory=set)
    nick: str | None = None


@dataclass(slots=True, eq=False, repr=False)
class Channel:
    """A channel or thread of a guild, or a direct message (``guild`` is None, ``recipient`` the person)."""

    id: int
    kind: ChannelKind
    name: str
    guild: Guild | None = None
    recipient: User | None = None
    parent_id: int | None = None
    nsfw: bool = False
    topic: str | None = None
    position: int = 0
    owner_id: int | None = None
    created_at: str = ""
    archived: bool = False
    locked: bool = False
    overwrites: list[Overwrite] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    """A forum's."""
    requires_tag: bool = False
    applied_tags: tuple[int, ...] = ()
    """A forum post's."""
    messages: OrderedDict[int, Message] = field(default_factory=OrderedDict)
    last_message_id: int | None = None
    with_bot: bool = True

    def __repr__(self) -> str:
        return f"<Channel {self.id} {self.kind.name} {self.name!r}>"

    @property
    def guild_id(self) -> int | None:
        """The guild's id, None for direct messages."""
        return None if self.guild is None else self.guild.id

    @property
    def is_thread(self) -> bool:
        """Whether this is a thread or a forum's post."""
        return self.kind in (ChannelKind.ANNOUNCEMENT_THREAD, ChannelKind.THREAD, ChannelKind.PRIVATE_THREAD)

    @property
    def takes_messages(self) -> bool:
        """Whether messages can be posted here; forums take posts (threads), categories nothing."""
        return self.kind not in (ChannelKind.CATEGORY, ChannelKind.FORUM, ChannelKind.MEDIA)

    @property
    def mention(self) -> str:
        """The text that links to this channel."""
        return f"<#{self.id}>"

    def remember(self, message: Message) -> None:
        """Keep the message, and forget the oldest beyond ``MESSAGES_KEPT``."""
        self.messages[message.id] = message
        self.last_message_id = message.id
        while len(self.messages) > MESSAGES_KEPT:
            self.messages.popitem(last=False)


Announce = Callable[[str, JsonObject, "int | None"], None]
"""Takes an event's name, its data and the guild that it belongs to."""


class Guild:
    """A server. ``with_bot`` says whether the bot is a member; without it only user installations reach the bot."""

    def __init__(
        self,
        name: str,
        *,
        owner: User,
        bot: User,
        clock: Clock,
        snowflakes: Snowflakes,
        announce: Announce,
        register: Callable[[Channel], None],
        with_bot: bool = True,
        bot_permissions: int | Collection[str] = 0,
    ) -> None:
        self.id = snowflakes.next_guild()
        self.name = name
        self.owner_id = owner.id
        self.with_bot = with_bot
        self.available = True
        self.system_channel_id: int | None = None
        """Where Discord greets new members."""
        self.public_updates_channel_id: int | None = None
        """Where Discord tells a community's moderators."""
        self.commands_for_all = False
        """Whether the server has overridden which permissions commands ask for: everybody finds them all."""
        self.roles: dict[int, Role] = {self.id: Role(self.id, "@everyone", EVERYONE, position=0)}
        self.members: dict[int, Member] = {}
        self.channels: dict[int, Channel] = {}
        self._clock = clock
        self._snowflakes = snowflakes
        self._announce = announce
        self._register = register
        self._joined = wire.iso(clock.utc())
        self.members[owner.id] = Member(owner, self._joined)
        if with_bot:
            role = Role(snowflakes.next(), bot.name, to_bits(bot_permissions), managed_by=bot.id)
            self.roles[role.id] = role
            self.members[bot.id] = Member(bot, self._joined, {role.id})
        self.bot_id = bot.id

    @property
    def joined_at(self) -> str:
        """When the guild came to be, and the bot with it."""
        return self._joined

    def add_channel(
        self,
        name: str,
        kind: str = "text",
        *,
        nsfw: bool = False,
        parent: Channel | None = None,
        topic: str | None = None,
        owner: User | None = None,
        channel_id: int | None = None,
        applied_tags: Iterable[int] = (),
    ) -> Channel:
        """A new channel; ``kind`` is a lower-case name of ``ChannelKind``.

        A thread stands under ``parent``, without one under the first text channel.
        """
        channel_kind = ChannelKind[kind.upper()]
        channel = Channel(
            channel_id or self._snowflakes.next(),
            channel_kind,
            name,
            self,
            parent_id=None if parent is None else parent.id,
            nsfw=nsfw,
            topic=topic,
            position=len(self.channels),
            created_at=wire.iso(self._clock.utc()),
            applied_tags=tuple(applied_tags),
        )
        if channel.is_thread:
            home = parent or self.first_text_channel()
            channel.parent_id = home.id
            channel.owner_id = self.owner_id if owner is None else owner.id
        self.channels[channel.id] = channel
        self._register(channel)
        created = "THREAD_CREATE" if channel.is_thread else "CHANNEL_CREATE"
        self._tell(created, wire.channel(channel))
        return channel

    def first_text_channel(self) -> Channel:
        """The text channel that was made first; LookupError where there is none."""
        for channel in self.channels.values():
            if channel.kind is ChannelKind.TEXT:
                return channel
        raise LookupError(f"{self.name} has no text channel")

    def add_tag(self, forum: Channel, name: str, *, moderated: bool = False, required: bool = False) -> Tag:
        """A new tag for a forum's posts; ``required``: from now on each post has one."""
        tag = Tag(self._snowflakes.next(), name, moderated)
        forum.tags.append(tag)
        forum.requires_tag = forum.requires_tag or required
        self._tell("CHANNEL_UPDATE", wire.channel(forum))
        return tag

    def remove_channel(self, channel: Channel) -> None:
        """Delete the channel and, as Discord does, the threads under it."""
        if self.channels.pop(channel.id, None) is None:
            return
        for thread in [c for c in self.channels.values() if c.is_thread and c.parent_id == channel.id]:
            del self.channels[thread.id]
        deleted = "THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE"
        self._tell(deleted, wire.channel(channel))

    def set_special_channels(self, *, system: Channel | None = None, public_updates: Channel | None = None) -> None:
        """Which channels Discord itself posts in (None: none), and announce it."""
        self.system_channel_id = None if system is None else system.id
        self.public_updates_channel_id = None if public_updates is None else public_updates.id
        self._tell("GUILD_UPDATE", wire.guild(self))

    def update_channel(
        self,
        channel: Channel,
        *,
        name: str | None = None,
        nsfw: bool | None = None,
        archived: bool | None = None,
        locked: bool | None = None,
    ) -> None:
        """Change what is given, and announce it."""
        channel.name = channel.name if name is None else name
        channel.nsfw = channel.nsfw if nsfw is None else nsfw
        channel.archived = channel.archived if archived is None else archived
        channel.locked = channel.locked if locked is None else locked
        updated = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
        self._tell(updated, wire.channel(channel))

    def overwrite(
        self,
        channel: Channel,
        target: Role | User,
        *,
        allow: int | Collection[str] = 0,
        deny: int | Collection[str] = 0,
    ) -> None:
        """Set what the channel allows and denies a role or a member, replacing what was set for it."""
        kind = 0 if isinstance(target, Role) else 1
        others = [overwrite for overwrite in channel.overwrites if overwrite.id != target.id]
        channel.overwrites = [*others, Overwrite(target.id, kind, to_bits(allow), to_bits(deny))]
        self._tell("CHANNEL_UPDATE", wire.channel(channel))

    @property
    def everyone(self) -> Role:
        """The role that every member has."""
        return self.roles[self.id]

    def add_role(self, name: str, *, permissions: int | Collection[str] = 0, mentionable: bool = False) -> Role:
        """A new role above the others."""
        role = Role(self._snowflakes.next(), name, to_bits(permissions), len(self.roles), mentionable=mentionable)
        self.roles[role.id] = role
        self._tell("GUILD_ROLE_CREATE", {"guild_id": str(self.id), "role": wire.role(role)})
        return role

    def update_role(
        self, role: Role, *, name: str | None = None, permissions: int | Collection[str] | None = None
    ) -> None:
        """Change what is given, and announce it."""
        role.name = role.name if name is None else name
        role.permissions = role.permissions if permissions is None else to_bits(permissions)
        self._tell("GUILD_ROLE_UPDATE", {"guild_id": str(self.id), "role": wire.role(role)})

    def add_member(
        self,
        user: User,
        *,
        permissions: int | Collection[str] = 0,
        roles: Iterable[Role] = (),
        nick: str | None = None,
    ) -> Member:
        """Let the user in; ``permissions`` beyond @everyone's come as a role of the user's own."""
        member = Member(user, wire.iso(self._clock.utc()), {role.id for role in roles}, nick)
        if to_bits(permissions):
            member.roles.add(self.add_role(f"{user.name}'s role", permissions=permissions).id)
        self.members[user.id] = member
        self._tell("GUILD_MEMBER_ADD", {**wire.member(member), "guild_id": str(self.id)})
        return member

    def set_member_roles(self, user: User, roles: Iterable[Role]) -> None:
        """Replace the member's roles."""
        member = self.members[user.id]
        member.roles = {role.id for role in roles}
        self._tell("GUILD_MEMBER_UPDATE", {**wire.member(member), "guild_id": str(self.id)})

    def set_bot_permissions(self, permissions: int | Collection[str]) -> None:
        """What the bot's own role grants, beyond @everyone's."""
        for role in self.roles.values():
            if role.managed_by == self.bot_id:
                self.update_role(role, permissions=permissions)

    def set_unavailable(self) -> None:
        """An outage: the guild vanishes for the time being, and interactions from it with it."""
        self.available = False
        self._announce("GUILD_DELETE", {"id": str(self.id), "unavailable": True}, self.id)

    def restore(self) -> None:
        """The end of the outage."""
        self.available = True
        self._tell("GUILD_CREATE", wire.guild_create(self))

    def _tell(self, event: str, data: JsonObject) -> None:
        if self.with_bot and self.available:
            self._announce(event, data, self.id)
