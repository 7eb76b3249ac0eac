"""The JSON that Discord writes for users, guilds, channels and messages: pure functions of the values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.clock import iso
from sandbox.errors import JsonObject

if TYPE_CHECKING:
    from sandbox.guilds import Channel, Guild, Member, Role, User
    from sandbox.messages import Attachment, Message

_REQUIRE_TAG = 1 << 4
"""A forum's flag."""

__all__ = ["attachment", "channel", "guild", "guild_create", "iso", "member", "message", "role", "user"]


def user(value: User) -> JsonObject:
    """A user object."""
    return {
        "id": str(value.id),
        "username": value.name,
        "discriminator": "0000" if value.is_bot else "0",
        "global_name": None if value.is_bot else value.name,
        "avatar": None,
        "bot": value.is_bot,
        "public_flags": 0,
        "avatar_decoration_data": None,
        "primary_guild": None,
    }


def member(value: Member, *, with_user: bool = True) -> JsonObject:
    """A guild member object; messages carry it without the user."""
    data: JsonObject = {
        "roles": [str(role_id) for role_id in sorted(value.roles)],
        "joined_at": value.joined_at,
        "nick": value.nick,
        "avatar": None,
        "banner": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "premium_since": None,
        "communication_disabled_until": None,
    }
    if with_user:
        data["user"] = user(value.user)
    return data


def role(value: Role) -> JsonObject:
    """A role object; permissions go as a string of decimal bits."""
    data: JsonObject = {
        "id": str(value.id),
        "name": value.name,
        "permissions": str(value.permissions),
        "position": value.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "managed": value.managed_by is not None,
        "mentionable": value.mentionable,
        "flags": 0,
    }
    if value.managed_by is not None:
        data["tags"] = {"bot_id": str(value.managed_by)}
    return data


def channel(value: Channel) -> JsonObject:
    """A channel object of any kind: guild channel, thread or direct message."""
    data: JsonObject = {
        "id": str(value.id),
        "type": int(value.kind),
        "last_message_id": None if value.last_message_id is None else str(value.last_message_id),
        "flags": _REQUIRE_TAG if value.requires_tag else 0,
    }
    if value.guild is None:
        data["recipients"] = [] if value.recipient is None else [user(value.recipient)]
        return data
    data |= {
        "guild_id": str(value.guild.id),
        "name": value.name,
        "parent_id": None if value.parent_id is None else str(value.parent_id),
        "rate_limit_per_user": 0,
        "nsfw": value.nsfw,
    }
    return data | (_thread_fields(value) if value.is_thread else _channel_fields(value))


def _channel_fields(value: Channel) -> JsonObject:
    fields: JsonObject = {
        "topic": value.topic,
        "position": value.position,
        "permission_overwrites": [
            {"id": str(o.id), "type": o.kind, "allow": str(o.allow), "deny": str(o.deny)} for o in value.overwrites
        ],
    }
    if value.kind in (2, 13):
        fields |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None}
    if value.kind in (15, 16):
        fields |= {
            "available_tags": [
                {
                    "id": str(tag.id),
                    "name": tag.name,
                    "moderated": tag.moderated,
                    "emoji_id": None,
                    "emoji_name": None,
                }
                for tag in value.tags
            ],
            "default_reaction_emoji": None,
            "default_sort_order": None,
            "default_forum_layout": 0,
            "template": "",
        }
    return fields


def _thread_fields(value: Channel) -> JsonObject:
    return {
        "owner_id": str(value.owner_id),
        "message_count": len(value.messages),
        "total_message_sent": len(value.messages),
        "member_count": 1,
        "applied_tags": list(map(str, value.applied_tags)),
        "thread_metadata": {
            "archived": value.archived,
            "archive_timestamp": value.created_at,
            "auto_archive_duration": 1440,
            "locked": value.locked,
            "create_timestamp": value.created_at,
            **({"invitable": True} if value.kind == 12 else {}),
        },
    }


def guild(value: Guild) -> JsonObject:
    """A guild object as GET /guilds/{id} answers it."""
    return {
        "id": str(value.id),
        "name": value.name,
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "banner": None,
        "description": None,
        "owner_id": str(value.owner_id),
        "region": "deprecated",
        "afk_channel_id": None,
        "afk_timeout": 300,
        "system_channel_id": None if value.system_channel_id is None else str(value.system_channel_id),
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": (
            None if value.public_updates_channel_id is None else str(value.public_updates_channel_id)
        ),
        "safety_alerts_channel_id": None,
        "widget_enabled": False,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw": False,
        "nsfw_level": 0,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "preferred_locale": "en-US",
        "vanity_url_code": None,
        "max_members": 500_000,
        "max_video_channel_users": 25,
        "features": [],
        "emojis": [],
        "stickers": [],
        "roles": [role(value) for value in value.roles.values()],
        "incidents_data": None,
    }


def guild_create(value: Guild, *, joined: bool = False) -> JsonObject:
    """A guild as the GUILD_CREATE event carries it; of its members only the bot, as without the members intent.

    ``joined`` is for a guild that is new to the bot: clients tell a join by the absence of ``unavailable``.
    """
    own = value.members.get(value.bot_id)
    known: JsonObject = {} if joined else {"unavailable": False}
    return (
        guild(value)
        | known
        | {
            "joined_at": value.joined_at,
            "large": False,
            "member_count": len(value.members),
            "members": [] if own is None else [member(own)],
            "channels": [channel(c) for c in value.channels.values() if not c.is_thread],
            "threads": [channel(c) for c in value.channels.values() if c.is_thread and not c.archived],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }
    )


def attachment(value: Attachment) -> JsonObject:
    """An attachment object."""
    data: JsonObject = {
        "id": str(value.id),
        "filename": value.filename,
        "size": value.size_bytes,
        "url": value.url,
        "proxy_url": value.url,
        "content_type": value.content_type,
    }
    if value.description is not None:
        data["description"] = value.description
    return data


def message(value: Message) -> JsonObject:
    """A message object as REST answers it; the gateway adds guild_id and member."""
    data: JsonObject = {
        "id": str(value.id),
        "channel_id": str(value.channel.id),
        "author": user(value.author),
        "content": value.content,
        "timestamp": iso(value.timestamp),
        "edited_timestamp": None if value.edited_at is None else iso(value.edited_at),
        "tts": value.tts,
        "mention_everyone": value.mentions_everyone,
        "mentions": [user(mentioned) for mentioned in value.mentioned],
        "mention_roles": [str(role_id) for role_id in value.mentioned_roles],
        "attachments": [attachment(a) for a in value.attachments],
        "embeds": value.embeds,
        "components": value.components,
        "pinned": False,
        "type": value.kind,
        "flags": value.flags,
    }
    if value.nonce is not None:
        data["nonce"] = value.nonce
    if value.application_id is not None:
        data["application_id"] = str(value.application_id)
    if value.webhook_id is not None:
        data["webhook_id"] = str(value.webhook_id)
    if value.metadata is not None:
        data["interaction_metadata"] = value.metadata
    if value.legacy_interaction is not None:
        data["interaction"] = value.legacy_interaction
    if value.reference is not None:
        data["message_reference"] = value.reference
    return data
