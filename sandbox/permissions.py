"""Permission bits, and how Discord computes what a member may do in a channel.

https://discord.com/developers/docs/topics/permissions#permission-hierarchy
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.guilds import Channel, Guild, Overwrite

KICK_MEMBERS = 1 << 1
BAN_MEMBERS = 1 << 2
ADMINISTRATOR = 1 << 3
MANAGE_CHANNELS = 1 << 4
MANAGE_GUILD = 1 << 5
ADD_REACTIONS = 1 << 6
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MENTION_EVERYONE = 1 << 17
USE_EXTERNAL_EMOJIS = 1 << 18
CONNECT = 1 << 20
SPEAK = 1 << 21
CHANGE_NICKNAME = 1 << 26
MANAGE_ROLES = 1 << 28
MANAGE_WEBHOOKS = 1 << 29
USE_APPLICATION_COMMANDS = 1 << 31
MANAGE_THREADS = 1 << 34
CREATE_PUBLIC_THREADS = 1 << 35
CREATE_PRIVATE_THREADS = 1 << 36
SEND_MESSAGES_IN_THREADS = 1 << 38
USE_EXTERNAL_APPS = 1 << 50

NAMES: dict[str, int] = {
    name.lower(): bit for name, bit in list(globals().items()) if name.isupper() and isinstance(bit, int)
}
"""Bits by their lower-case names, as in ``manage_guild``."""

ALL = (1 << 53) - 1
"""What an owner or administrator has."""

EVERYONE = (
    ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | MENTION_EVERYONE
    | USE_EXTERNAL_EMOJIS
    | CONNECT
    | SPEAK
    | CHANGE_NICKNAME
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | CREATE_PRIVATE_THREADS
    | SEND_MESSAGES_IN_THREADS
    | USE_EXTERNAL_APPS
)
"""What @everyone has in a new server."""

DIRECT = EVERYONE & ~(CREATE_PUBLIC_THREADS | CREATE_PRIVATE_THREADS | SEND_MESSAGES_IN_THREADS)
"""What either side may do in a direct message."""


def to_bits(permissions: int | Collection[str]) -> int:
    """Bits from bits or from lower-case names; KeyError for a name that is not in ``NAMES``."""
    if isinstance(permissions, int):
        return permissions
    bits = 0
    for name in permissions:
        bits |= NAMES[name]
    return bits


def in_guild(guild: Guild, user_id: int) -> int:
    """What the user may do in the guild as a whole; 0 for somebody who is not a member."""
    member = guild.members.get(user_id)
    if member is None:
        return 0
    if guild.owner_id == user_id:
        return ALL
    bits = guild.roles[guild.id].permissions
    for role_id in member.roles:
        role = guild.roles.get(role_id)
        if role is not None:
            bits |= role.permissions
    return ALL if bits & ADMINISTRATOR else bits


def in_channel(guild: Guild, channel: Channel, user_id: int) -> int:
    """What the user may do in the channel: roles, then overwrites (everyone, roles together, the member)."""
    bits = in_guild(guild, user_id)
    if not bits or bits & ADMINISTRATOR:
        return bits
    # A thread has no overwrites of its own: its parent's count.
    home = guild.channels.get(channel.parent_id or 0, channel) if channel.is_thread else channel
    if home.overwrites:
        bits = _overwritten(bits, home.overwrites, guild.id, guild.members[user_id].roles, user_id)
    return bits if bits & VIEW_CHANNEL else 0


def _overwritten(
    bits: int, overwrites: Collection[Overwrite], everyone_id: int, roles: Collection[int], user_id: int
) -> int:
    by_id = {overwrite.id: overwrite for overwrite in overwrites}
    everyone = by_id.get(everyone_id)
    if everyone is not None:
        bits = bits & ~everyone.deny | everyone.allow
    allow = deny = 0
    for role_id in roles:
        overwrite = by_id.get(role_id)
        if overwrite is not None:
            allow |= overwrite.allow
            deny |= overwrite.deny
    bits = bits & ~deny | allow
    own = by_id.get(user_id)
    return bits if own is None else bits & ~own.deny | own.allow
