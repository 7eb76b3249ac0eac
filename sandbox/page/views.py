"""What browsers are told of servers, people and messages: Discord's own JSON, and what only the page needs."""

from __future__ import annotations

from sandbox import wire
from sandbox.errors import JsonObject
from sandbox.guilds import Channel, Guild, User
from sandbox.messages import Message
from sandbox.page.stage import standing
from sandbox.server import LocalDiscord

MESSAGES_SHOWN = 200
"""Of each channel, the newest."""


def message(value: Message) -> JsonObject:
    """A message; ``visible_to`` is the only person who sees it, where it is ephemeral."""
    only = value.visible_to if value.ephemeral else None
    return {**wire.message(value), "loading": value.loading, "visible_to": None if only is None else str(only)}


def messages(channel: Channel) -> list[JsonObject]:
    """The newest of the channel, oldest first."""
    return [message(known) for known in list(channel.messages.values())[-MESSAGES_SHOWN:]]


def guild(value: Guild) -> JsonObject:
    """A server with its channels, threads and members."""
    return {
        **wire.guild(value),
        "channels": [wire.channel(channel) for channel in value.channels.values()],
        "members": [wire.member(member) for member in value.members.values()],
        "commands_for_all": value.commands_for_all,
        "with_bot": value.with_bot,
    }


def person(discord: LocalDiscord, user: User) -> JsonObject:
    """Somebody to act as: what they are in each server, and what they may do in each channel."""
    world = discord.world
    dm = discord.dm(user)
    channels = [dm, *(channel for known in discord.guilds for channel in known.channels.values())]
    return {
        **wire.user(user),
        "standing": {str(known.id): standing(known, user) for known in discord.guilds},
        "dm": str(dm.id),
        "permissions": {str(channel.id): str(world.permissions_of(user.id, channel)) for channel in channels},
        "finds": {
            str(channel.id): [command["id"] for command in discord.findable(user, channel)] for channel in channels
        },
    }


def commands(discord: LocalDiscord) -> JsonObject:
    """Every command that the bot registered, by id."""
    return {command["id"]: command for scope in discord.commands.scopes() for command in discord.commands.all(scope)}
