"""Guilds, their channels, roles and members."""

from __future__ import annotations

from sandbox import wire
from sandbox.backend import Backend
from sandbox.errors import refusal
from sandbox.guilds import Guild
from sandbox.intents import GUILD_MEMBERS
from sandbox.rest.call import Call, Reply


def _guild(backend: Backend, call: Call) -> Guild:
    return backend.world.bot_guild(call.id("guild_id"))


def get(backend: Backend, call: Call) -> Reply:
    """The guild."""
    guild = _guild(backend, call)
    data = wire.guild(guild)
    if call.flag("with_counts"):
        data |= {"approximate_member_count": len(guild.members), "approximate_presence_count": 1}
    return Reply(200, data)


def channels(backend: Backend, call: Call) -> Reply:
    """The guild's channels, without threads."""
    return Reply(200, [wire.channel(c) for c in _guild(backend, call).channels.values() if not c.is_thread])


def active_threads(backend: Backend, call: Call) -> Reply:
    """The guild's threads that are not archived."""
    threads = [c for c in _guild(backend, call).channels.values() if c.is_thread and not c.archived]
    return Reply(200, {"threads": [wire.channel(thread) for thread in threads], "members": []})


def roles(backend: Backend, call: Call) -> Reply:
    """The guild's roles."""
    return Reply(200, [wire.role(role) for role in _guild(backend, call).roles.values()])


def member(backend: Backend, call: Call) -> Reply:
    """One member."""
    found = _guild(backend, call).members.get(call.id("user_id") or 0)
    if found is None:
        raise refusal(10007)
    return Reply(200, wire.member(found))


def members(backend: Backend, call: Call) -> Reply:
    """Every member; needs the privileged members intent."""
    guild = _guild(backend, call)
    if not backend.gateway.privileged_intents & GUILD_MEMBERS:
        raise refusal(50001)
    return Reply(200, [wire.member(found) for found in guild.members.values()])
