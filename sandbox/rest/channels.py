"""Channels, their messages and threads."""

from __future__ import annotations

from sandbox import permissions, posting, wire
from sandbox.backend import Backend
from sandbox.errors import FieldError, InvalidForm, JsonObject, refusal
from sandbox.guilds import Channel, ChannelKind
from sandbox.messages import Message, MessageFlags
from sandbox.permissions import (
    ATTACH_FILES,
    CREATE_PUBLIC_THREADS,
    EMBED_LINKS,
    MANAGE_CHANNELS,
    MANAGE_MESSAGES,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
)
from sandbox.rest.call import NO_CONTENT, Call, Reply
from sandbox.snowflakes import parse_snowflake

MOST_TAGS = 5
"""Of one forum post."""
NONCES_KEPT = 10_000
"""Nonces remembered; the oldest go first."""


def get(backend: Backend, call: Call) -> Reply:
    """A channel that the bot sees."""
    return Reply(200, wire.channel(backend.world.bot_channel(call.id("channel_id"))))


def delete(backend: Backend, call: Call) -> Reply:
    """Delete a channel, or close a direct message."""
    channel = backend.world.bot_channel(call.id("channel_id"), MANAGE_CHANNELS)
    data = wire.channel(channel)
    if channel.guild is not None:
        backend.world.delete_channel(channel)
    return Reply(200, data)


def _postable(backend: Backend, call: Call, body: JsonObject) -> Channel:
    """The channel, if the bot may post this there."""
    channel = backend.world.bot_channel(call.id("channel_id"))
    if not channel.takes_messages:
        raise refusal(50008)
    if channel.is_thread and channel.locked:
        raise refusal(50083)
    if channel.guild is None:
        return channel
    needed = SEND_MESSAGES_IN_THREADS if channel.is_thread else SEND_MESSAGES
    return backend.world.bot_channel(channel.id, _needed(call, body, needed))


def _needed(call: Call, message: JsonObject, least: int) -> int:
    """The permissions that posting this message takes."""
    needed = least
    if message.get("embeds"):
        needed |= EMBED_LINKS
    if call.files:
        needed |= ATTACH_FILES
    return needed


def create_message(backend: Backend, call: Call) -> Reply:
    """Post; with ``enforce_nonce`` a second time within the window gives the first message back."""
    body = call.form()
    channel = _postable(backend, call, body)
    earlier = _same_nonce(backend, body)
    if earlier is not None:
        return Reply(200, wire.message(earlier))
    made = posting.draft(backend, call, body, None)
    if (made.flags or 0) & MessageFlags.EPHEMERAL:
        reason = "Only responses to interactions are ephemeral"
        raise InvalidForm([FieldError(("flags",), "MESSAGE_FLAGS_INVALID", reason)])
    message = posting.create(
        backend, channel, backend.world.bot, made, nonce=body.get("nonce"), reference=_reference(channel, body)
    )
    _unarchive(channel)
    _remember_nonce(backend, message)
    posting.announce(backend, message, "MESSAGE_CREATE")
    return Reply(200, wire.message(message))


def _unarchive(channel: Channel) -> None:
    if channel.is_thread and channel.archived and channel.guild is not None:
        channel.guild.update_channel(channel, archived=False)


def _reference(channel: Channel, body: JsonObject) -> JsonObject | None:
    reference = body.get("message_reference")
    if not isinstance(reference, dict):
        return None
    message_id = parse_snowflake(reference.get("message_id"))
    known = message_id in channel.messages
    if not known and reference.get("fail_if_not_exists", True):
        raise InvalidForm([FieldError(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")])
    kept: JsonObject = {
        "type": reference.get("type", 0),
        "message_id": str(message_id),
        "channel_id": str(channel.id),
    }
    if channel.guild is not None:
        kept["guild_id"] = str(channel.guild.id)
    return kept


def _same_nonce(backend: Backend, body: JsonObject) -> Message | None:
    nonce = body.get("nonce")
    if not body.get("enforce_nonce") or nonce in (None, ""):
        return None
    held = backend.nonces.get((backend.world.bot.id, str(nonce)))
    if held is None or backend.clock.monotonic() - held[0] > backend.nonce_window_s:
        return None
    return held[1]


def _remember_nonce(backend: Backend, message: Message) -> None:
    if message.nonce in (None, ""):
        return
    nonces = backend.nonces
    nonces[message.author.id, str(message.nonce)] = (backend.clock.monotonic(), message)
    while len(nonces) > NONCES_KEPT:
        nonces.popitem(last=False)


def list_messages(backend: Backend, call: Call) -> Reply:
    """The latest messages, newest first; ``before``, ``after``, ``around`` and ``limit`` 1-100 (default 50)."""
    channel = backend.world.bot_channel(call.id("channel_id"))
    if (
        channel.guild is not None
        and not backend.world.permissions_of(backend.world.bot.id, channel) & READ_MESSAGE_HISTORY
    ):
        # Discord answers an empty list here rather than an error.
        return Reply(200, [])
    limit = _limit(call)
    messages = [m for m in channel.messages.values() if not m.ephemeral]
    before, after = parse_snowflake(call.query.get("before")), parse_snowflake(call.query.get("after"))
    around = parse_snowflake(call.query.get("around"))
    if around is not None:
        nearest = sorted(messages, key=lambda m: abs(m.id - around))[:limit]
        messages = sorted(nearest, key=lambda m: m.id)
    elif after is not None:
        messages = [m for m in messages if m.id > after][:limit]
    elif before is not None:
        messages = [m for m in messages if m.id < before]
    return Reply(200, [_read(backend, m) for m in reversed(messages[-limit:])])


def _limit(call: Call) -> int:
    text = call.query.get("limit", "50")
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise InvalidForm([FieldError(("limit",), "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")])
    return int(text)


def _read(backend: Backend, message: Message) -> JsonObject:
    """The message as REST shows it to a bot without the message content intent."""
    data = wire.message(message)
    return data if posting.shows_content(backend, message) else posting.hidden(data)


def _message(backend: Backend, call: Call, needed: int = READ_MESSAGE_HISTORY) -> Message:
    channel = backend.world.bot_channel(call.id("channel_id"), needed)
    message = channel.messages.get(call.id("message_id") or 0)
    if message is None or message.ephemeral:
        raise refusal(10008)
    return message


def get_message(backend: Backend, call: Call) -> Reply:
    """One message."""
    return Reply(200, _read(backend, _message(backend, call)))


def edit_message(backend: Backend, call: Call) -> Reply:
    """Change a message of the bot's."""
    message = _message(backend, call, permissions.VIEW_CHANNEL)
    if message.author is not backend.world.bot:
        raise refusal(50005)
    posting.edit(backend, message, posting.draft(backend, call, call.form(), message))
    return Reply(200, wire.message(message))


def delete_message(backend: Backend, call: Call) -> Reply:
    """Take a message away: the bot's own, or any with the permission to manage messages."""
    message = _message(backend, call, permissions.VIEW_CHANNEL)
    if message.author is not backend.world.bot:
        if message.channel.guild is None:
            raise refusal(50003)
        backend.world.bot_channel(message.channel.id, MANAGE_MESSAGES)
    posting.delete(backend, message)
    return NO_CONTENT


def bulk_delete(backend: Backend, call: Call) -> Reply:
    """Take 2 to 100 messages away."""
    channel = backend.world.bot_channel(call.id("channel_id"), MANAGE_MESSAGES)
    ids = call.form().get("messages")
    if not isinstance(ids, list) or not 2 <= len(ids) <= 100:
        raise InvalidForm([FieldError(("messages",), "BASE_TYPE_BAD_LENGTH", "Must be between 2 and 100 in length.")])
    for message_id in ids:
        message = channel.messages.get(parse_snowflake(message_id) or 0)
        if message is not None:
            posting.delete(backend, message)
    return NO_CONTENT


def crosspost(backend: Backend, call: Call) -> Reply:
    """Publish a message of an announcement channel."""
    message = _message(backend, call, SEND_MESSAGES)
    if message.channel.kind is not ChannelKind.ANNOUNCEMENT:
        raise refusal(50024)
    if message.author is not backend.world.bot:
        backend.world.bot_channel(message.channel.id, MANAGE_MESSAGES)
    if message.flags & MessageFlags.CROSSPOSTED:
        raise refusal(40033)
    message.flags |= MessageFlags.CROSSPOSTED
    message.record(backend.clock.monotonic())
    posting.announce(backend, message, "MESSAGE_UPDATE")
    return Reply(200, wire.message(message))


def typing(backend: Backend, call: Call) -> Reply:
    """Show that the bot is typing."""
    channel = backend.world.bot_channel(call.id("channel_id"), SEND_MESSAGES)
    data: JsonObject = {
        "channel_id": str(channel.id),
        "user_id": str(backend.world.bot.id),
        "timestamp": int(backend.clock.time()),
    }
    if channel.guild is not None:
        data["guild_id"] = str(channel.guild.id)
    backend.gateway.dispatch("TYPING_START", data, channel.guild_id)
    return NO_CONTENT


def start_thread(backend: Backend, call: Call) -> Reply:
    """A thread in a text channel, or a post in a forum with its first message."""
    body = call.form()
    parent = backend.world.bot_channel(call.id("channel_id"))
    if parent.guild is None or parent.is_thread:
        raise refusal(50024)
    name = _thread_name(body)
    if parent.kind in (ChannelKind.FORUM, ChannelKind.MEDIA):
        return _start_post(backend, call, parent, name, body)
    backend.world.bot_channel(parent.id, VIEW_AND_THREAD)
    kind = "private_thread" if body.get("type") == ChannelKind.PRIVATE_THREAD else "thread"
    thread = parent.guild.add_channel(name, kind, parent=parent, owner=backend.world.bot)
    return Reply(201, wire.channel(thread))


VIEW_AND_THREAD = permissions.VIEW_CHANNEL | CREATE_PUBLIC_THREADS


def _thread_name(body: JsonObject) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= 100:
        raise InvalidForm([FieldError(("name",), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")])
    return name


def _start_post(backend: Backend, call: Call, forum: Channel, name: str, body: JsonObject) -> Reply:
    first = body.get("message")
    if not isinstance(first, dict):
        raise InvalidForm([FieldError(("message",), "BASE_TYPE_REQUIRED", "This field is required")])
    backend.world.bot_channel(forum.id, _needed(call, first, SEND_MESSAGES))
    tags = _applied_tags(backend, forum, body)
    made = posting.draft(backend, call, first, None, ("message",))
    assert forum.guild is not None
    thread = forum.guild.add_channel(name, "thread", parent=forum, owner=backend.world.bot, applied_tags=tags)
    message = posting.create(backend, thread, backend.world.bot, made, message_id=thread.id)
    posting.announce(backend, message, "MESSAGE_CREATE")
    return Reply(201, {**wire.channel(thread), "message": wire.message(message)})


def _applied_tags(backend: Backend, forum: Channel, body: JsonObject) -> tuple[int, ...]:
    asked = body.get("applied_tags") or []
    if not isinstance(asked, list) or len(asked) > MOST_TAGS:
        reason = f"Must be {MOST_TAGS} or fewer in length."
        raise InvalidForm([FieldError(("applied_tags",), "BASE_TYPE_MAX_LENGTH", reason)])
    known = {tag.id: tag for tag in forum.tags}
    tags = [known.get(parse_snowflake(one) or 0) for one in asked]
    chosen = [tag for tag in tags if tag is not None]
    if len(chosen) < len(tags):
        raise refusal(10087)
    if forum.requires_tag and not chosen:
        raise refusal(40067)
    granted = backend.world.permissions_of(backend.world.bot.id, forum)
    if any(tag.moderated for tag in chosen) and not granted & permissions.MANAGE_THREADS:
        raise refusal(40066)
    return tuple(tag.id for tag in chosen)


def start_thread_from_message(backend: Backend, call: Call) -> Reply:
    """A thread under a message; it has the message's id."""
    message = _message(backend, call, VIEW_AND_THREAD)
    parent = message.channel
    if parent.guild is None or parent.is_thread:
        raise refusal(50024)
    kind = "announcement_thread" if parent.kind is ChannelKind.ANNOUNCEMENT else "thread"
    thread = parent.guild.add_channel(
        _thread_name(call.form()), kind, parent=parent, owner=backend.world.bot, channel_id=message.id
    )
    message.flags |= MessageFlags.HAS_THREAD
    return Reply(201, wire.channel(thread))
