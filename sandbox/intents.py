"""Which gateway events need which intents.

https://discord.com/developers/docs/events/gateway#list-of-intents
"""

from __future__ import annotations

GUILDS = 1 << 0
GUILD_MEMBERS = 1 << 1
GUILD_MODERATION = 1 << 2
GUILD_PRESENCES = 1 << 8
GUILD_MESSAGES = 1 << 9
GUILD_MESSAGE_TYPING = 1 << 11
DIRECT_MESSAGES = 1 << 12
DIRECT_MESSAGE_TYPING = 1 << 14
MESSAGE_CONTENT = 1 << 15

PRIVILEGED = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT
"""Intents that an application must have been granted."""

# Bits 17 to 19, 22 and 23 and everything from 26 on are not defined.
_DEFINED = ((1 << 17) - 1) | (1 << 20) | (1 << 21) | (1 << 24) | (1 << 25)

_IN_GUILDS: dict[str, int] = {
    **dict.fromkeys(
        (
            "GUILD_CREATE",
            "GUILD_UPDATE",
            "GUILD_DELETE",
            "GUILD_ROLE_CREATE",
            "GUILD_ROLE_UPDATE",
            "GUILD_ROLE_DELETE",
            "CHANNEL_CREATE",
            "CHANNEL_UPDATE",
            "CHANNEL_DELETE",
            "THREAD_CREATE",
            "THREAD_UPDATE",
            "THREAD_DELETE",
        ),
        GUILDS,
    ),
    "GUILD_MEMBER_ADD": GUILD_MEMBERS,
    "GUILD_MEMBER_UPDATE": GUILD_MEMBERS,
    "GUILD_MEMBER_REMOVE": GUILD_MEMBERS,
    "MESSAGE_CREATE": GUILD_MESSAGES,
    "MESSAGE_UPDATE": GUILD_MESSAGES,
    "MESSAGE_DELETE": GUILD_MESSAGES,
    "MESSAGE_DELETE_BULK": GUILD_MESSAGES,
    "TYPING_START": GUILD_MESSAGE_TYPING,
}
_IN_DIRECT_MESSAGES: dict[str, int] = {
    "MESSAGE_CREATE": DIRECT_MESSAGES,
    "MESSAGE_UPDATE": DIRECT_MESSAGES,
    "MESSAGE_DELETE": DIRECT_MESSAGES,
    "TYPING_START": DIRECT_MESSAGE_TYPING,
}


def are_valid(intents: object) -> bool:
    """Whether ``intents`` is a bit field of defined intents only (else close code 4013)."""
    return isinstance(intents, int) and not isinstance(intents, bool) and intents >= 0 and not intents & ~_DEFINED


def cover(intents: int, event: str, guild_id: int | None) -> bool:
    """Whether a session with these intents is sent the event; events that need no intent always are."""
    table = _IN_DIRECT_MESSAGES if guild_id is None else _IN_GUILDS
    needed = table.get(event)
    return needed is None or bool(intents & needed)
