"""The servers and the people that the page begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox import permissions
from sandbox.guilds import Channel, Guild, User
from sandbox.server import LocalDiscord

_ADMIN = ("manage_guild", "manage_channels", "manage_messages", "manage_roles", "kick_members")


@dataclass(frozen=True, slots=True)
class Stage:
    """Whom one can act as, in the order in which they are offered. The first person is a member like any other."""

    people: Sequence[User]
    servers: Sequence[Guild]


def set_up(discord: LocalDiscord) -> Stage:
    """Two servers, so that it can be seen that they are separate, and three people with different rights in each.

    Olga owns both. Ada may manage the first, and is a member of the second like any other. Max is a member of both.
    """
    member, admin, owner = (discord.add_user(name) for name in ("Max", "Ada", "Olga"))
    discord.install_for(member)
    servers = [_server(discord, name, owner, member) for name in ("Tea House", "Night Shift")]
    moderators = servers[0].add_role("Moderators", permissions=_ADMIN)
    servers[0].add_member(admin, roles=[moderators])
    servers[0].overwrite(_named(servers[0], "staff"), moderators, allow=("view_channel",))
    servers[0].overwrite(_named(servers[0], "news"), moderators, allow=("send_messages",))
    servers[1].add_member(admin)
    for person in (member, admin, owner):
        discord.dm(person)
    return Stage((member, admin, owner), servers)


def _server(discord: LocalDiscord, name: str, owner: User, member: User) -> Guild:
    """One server with a channel of each kind that makes a difference to a bot."""
    server = discord.add_guild(name, channels=(), owner=owner)
    server.add_channel("general", topic="The place to ask: type / to see what there is")
    news = server.add_channel("news", "announcement", topic="Only those who manage the server write here")
    server.overwrite(news, server.everyone, deny=("send_messages",))
    ideas = server.add_channel("ideas", "forum", topic="One post for each idea")
    server.add_channel("Read it in the morning", "thread", parent=ideas, owner=owner)
    server.add_channel("after-dark", nsfw=True, topic="Age-restricted")
    staff = server.add_channel("staff", topic="Only who manages the server sees this")
    server.overwrite(staff, server.everyone, deny=("view_channel",))
    own = discord.bot_user
    server.overwrite(staff, own, allow=("view_channel",))
    server.overwrite(news, own, allow=("send_messages",))
    server.add_member(member)
    return server


def standing(guild: Guild, user: User) -> str:
    """What the user is there: owner, admin (who may manage the server), member, or nothing: an empty string."""
    granted = permissions.in_guild(guild, user.id)
    if guild.owner_id == user.id:
        return "owner"
    if granted & (permissions.MANAGE_GUILD | permissions.ADMINISTRATOR):
        return "admin"
    return "member" if granted else ""


def _named(guild: Guild, name: str) -> Channel:
    return next(channel for channel in guild.channels.values() if channel.name == name)
