"""How a request's body becomes a message, or changes one: rules, uploads, mentions, announcements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox import wire
from sandbox.backend import Backend
from sandbox.errors import FieldError, InvalidForm, JsonObject, refusal
from sandbox.guilds import Channel, User
from sandbox.messages import Attachment, Message, MessageFlags
from sandbox.permissions import MENTION_EVERYONE
from sandbox.rest.call import Call, Upload
from sandbox.rules import check_layout, check_message, is_empty
from sandbox.snowflakes import parse_snowflake

_USER_MENTION = re.compile(r"<@!?([0-9]{1,20})>")
_ROLE_MENTION = re.compile(r"<@&([0-9]{1,20})>")
_SETTABLE_BY_CREATE = (
    MessageFlags.SUPPRESS_EMBEDS
    | MessageFlags.EPHEMERAL
    | MessageFlags.SUPPRESS_NOTIFICATIONS
    | MessageFlags.COMPONENTS_V2
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a body asks a message to be; None leaves what an edited message has."""

    content: str | None
    embeds: list[JsonObject] | None
    components: list[JsonObject] | None
    flags: int | None
    attachments: tuple[Attachment, ...] | None
    allowed_mentions: JsonObject | None
    other: bool


def draft(
    backend: Backend, call: Call, body: JsonObject, before: Message | None, at: tuple[str | int, ...] = ()
) -> Draft:
    """Check the body against every rule and read it; raises InvalidForm or 50006.

    ``before`` is the message to be edited; a field that the body lacks keeps what it has.
    """
    errors = list(check_message(body, at))
    if errors:
        raise InvalidForm(errors)
    made = _read(backend, call, body, before)
    content = _either(made.content, before.content if before else "")
    embeds = _either(made.embeds, before.embeds if before else [])
    components = _either(made.components, before.components if before else [])
    flags = (made.flags or 0) | (before.flags & MessageFlags.COMPONENTS_V2 if before else 0)
    errors = list(check_layout(content, embeds, components, flags, at=at, has_poll=bool(body.get("poll"))))
    if errors:
        raise InvalidForm(errors)
    files = len(_either(made.attachments, before.attachments if before else ()))
    if is_empty(content, embeds, components, files, other=made.other):
        raise refusal(50006)
    return made


def _either(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def _read(backend: Backend, call: Call, body: JsonObject, before: Message | None) -> Draft:
    attachments = _attachments(backend, call.files, body.get("attachments"), before)
    embeds = _given(body, "embeds", list)
    if embeds and attachments:
        embeds = [_with_attached_images(embed, attachments) for embed in embeds]
    return Draft(
        content=_given(body, "content", str),
        embeds=embeds,
        components=_given(body, "components", list),
        flags=body.get("flags"),
        attachments=attachments,
        allowed_mentions=body.get("allowed_mentions"),
        other=bool(body.get("sticker_ids") or body.get("poll") or _is_forward(body)),
    )


def _is_forward(body: JsonObject) -> bool:
    reference = body.get("message_reference")
    return isinstance(reference, dict) and reference.get("type") == 1


def _given(body: JsonObject, name: str, kind: type) -> Any:
    """The field; its empty value for an explicit null, None where the body lacks it."""
    if name not in body:
        return None
    value = body[name]
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise InvalidForm([FieldError((name,), "BASE_TYPE_CONVERT", f"Must be a {kind.__name__}.")])
    return value


def _attachments(
    backend: Backend, files: Sequence[Upload], listed: Any, before: Message | None
) -> tuple[Attachment, ...] | None:
    """What the message has attached afterwards; None where nothing is said of it."""
    if listed is None and not files:
        return None
    known = {attachment.id: attachment for attachment in before.attachments} if before else {}
    entries = listed if isinstance(listed, list) else []
    described = {str(entry.get("id")): entry for entry in entries if isinstance(entry, dict)}
    kept = [known[i] for entry in described if (i := parse_snowflake(entry)) in known]
    if listed is None:
        kept = list(known.values())
    made = [_upload(backend, sent, described) for sent in files]
    if len(kept) + len(made) > 10:
        raise InvalidForm([FieldError(("attachments",), "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")])
    return (*kept, *made)


def _upload(backend: Backend, sent: Upload, described: dict[str, JsonObject]) -> Attachment:
    entry = described.get(sent.field.removeprefix("files[").removesuffix("]"), {})
    filename = str(entry.get("filename") or sent.filename or "file")
    return upload(backend, filename, sent.content_type, sent.body, entry.get("description"))


def upload(
    backend: Backend, filename: str, content_type: str, body: bytes, description: str | None = None
) -> Attachment:
    """Keep a file; raises 40005 where it is too large."""
    if len(body) > backend.max_attachment_bytes:
        raise refusal(40005)
    name = re.sub(r"[^\w.-]", "_", filename)
    file_id = backend.world.snowflakes.next()
    url = f"{backend.files_url()}/{file_id}/{name}"
    kept = Attachment(file_id, name, content_type, body, url, description)
    backend.world.keep_file(kept)
    return kept


def _with_attached_images(embed: JsonObject, attachments: tuple[Attachment, ...]) -> JsonObject:
    """The embed with ``attachment://`` replaced by where the file can be fetched."""
    urls = {f"attachment://{attachment.filename}": attachment.url for attachment in attachments}
    changed = dict(embed)
    for name in ("image", "thumbnail"):
        inner = embed.get(name)
        if isinstance(inner, dict) and inner.get("url") in urls:
            changed[name] = {**inner, "url": urls[inner["url"]]}
    return changed


def create(
    backend: Backend,
    channel: Channel,
    author: User,
    made: Draft | None = None,
    *,
    message_id: int | None = None,
    **fields: Any,
) -> Message:
    """A new message in the channel, from a draft or empty; not yet announced."""
    made_id = backend.world.snowflakes.next() if message_id is None else message_id
    message = Message(made_id, channel, author, backend.clock.utc(), **fields)
    if made is not None:
        _apply(backend, message, made)
        message.flags |= (made.flags or 0) & _SETTABLE_BY_CREATE
    channel.remember(message)
    message.record(backend.clock.monotonic())
    return message


def edit(backend: Backend, message: Message, made: Draft) -> None:
    """Change the message as the draft says, mark it edited, and announce it."""
    was_loading = message.loading
    _apply(backend, message, made)
    if made.flags is not None:
        keep = message.flags & ~MessageFlags.SUPPRESS_EMBEDS
        message.flags = keep | made.flags & (MessageFlags.SUPPRESS_EMBEDS | MessageFlags.COMPONENTS_V2)
    message.flags &= ~MessageFlags.LOADING
    if not was_loading:
        message.edited_at = backend.clock.utc()
    message.record(backend.clock.monotonic())
    announce(backend, message, "MESSAGE_UPDATE")


def _apply(backend: Backend, message: Message, made: Draft) -> None:
    if made.content is not None:
        message.content = made.content
        _resolve_mentions(backend, message, made.allowed_mentions)
    if made.embeds is not None:
        message.embeds = [_stored_embed(embed) for embed in made.embeds if embed]
    if made.components is not None:
        message.components = numbered(made.components)
    if made.attachments is not None:
        message.attachments = made.attachments


def _stored_embed(embed: JsonObject) -> JsonObject:
    return {**embed, "type": "rich"}


def numbered(components: list[JsonObject]) -> list[JsonObject]:
    """The components with the ids that Discord gives to those that have none, counting from 1."""
    count = 0

    def numbered_one(component: JsonObject) -> JsonObject:
        nonlocal count
        count += 1
        result = {**component, "id": component.get("id") or count}
        if isinstance(component.get("components"), list):
            result["components"] = [numbered_one(inner) for inner in component["components"]]
        if isinstance(component.get("accessory"), dict):
            result["accessory"] = numbered_one(component["accessory"])
        return result

    return [numbered_one(component) for component in components]


def _resolve_mentions(backend: Backend, message: Message, allowed: JsonObject | None) -> None:
    """Whom the content pings, within what ``allowed`` permits; without it everybody mentioned."""
    message.mentioned, message.mentioned_roles, message.mentions_everyone = (), (), False
    if "@" not in message.content:
        return
    parse = ("users", "roles", "everyone") if allowed is None else allowed.get("parse") or ()
    named_users = None if allowed is None or "users" in parse else {str(i) for i in allowed.get("users") or ()}
    named_roles = None if allowed is None or "roles" in parse else {str(i) for i in allowed.get("roles") or ()}
    users = [i for i in _USER_MENTION.findall(message.content) if named_users is None or i in named_users]
    roles = [i for i in _ROLE_MENTION.findall(message.content) if named_roles is None or i in named_roles]
    found = (backend.world.users.get(int(i)) for i in dict.fromkeys(users))
    message.mentioned = tuple(user for user in found if user is not None)
    may = backend.world.permissions_of(message.author.id, message.channel) & MENTION_EVERYONE
    known = {} if message.channel.guild is None else message.channel.guild.roles
    message.mentioned_roles = tuple(
        role.id for i in dict.fromkeys(roles) if (role := known.get(int(i))) and (may or role.mentionable)
    )
    pings = "@everyone" in message.content or "@here" in message.content
    message.mentions_everyone = bool(pings and "everyone" in parse and may)


def announce(backend: Backend, message: Message, event: str) -> None:
    """Tell listeners in the process and, unless it is ephemeral, the gateway."""
    kind = "message.created" if event == "MESSAGE_CREATE" else "message.edited"
    backend.activity.tell(kind, message)
    if message.ephemeral or not message.channel.with_bot or not backend.gateway.sessions:
        return
    if message.channel.guild is not None and not message.channel.guild.with_bot:
        return
    data = wire.message(message)
    if message.channel.guild is not None:
        data["guild_id"] = str(message.channel.guild.id)
        member = message.channel.guild.members.get(message.author.id)
        if member is not None:
            data["member"] = wire.member(member, with_user=False)
    without = None if shows_content(backend, message) else hidden(data)
    backend.gateway.dispatch(event, data, message.channel.guild_id, without_content=without)


def shows_content(backend: Backend, message: Message) -> bool:
    """Whether a bot without the message content intent reads the content: direct, its own, mentioning it."""
    bot = backend.world.bot
    return message.channel.guild is None or message.author is bot or bot in message.mentioned


def hidden(data: JsonObject) -> JsonObject:
    """A message object without what the message content intent covers."""
    return {**data, "content": "", "embeds": [], "attachments": [], "components": []}


def delete(backend: Backend, message: Message) -> None:
    """Take the message away, and announce it."""
    message.deleted = True
    message.channel.messages.pop(message.id, None)
    message.touch()
    backend.activity.tell("message.deleted", message)
    if message.ephemeral or (message.channel.guild is not None and not message.channel.guild.with_bot):
        return
    data: JsonObject = {"id": str(message.id), "channel_id": str(message.channel.id)}
    if message.channel.guild is not None:
        data["guild_id"] = str(message.channel.guild.id)
    backend.gateway.dispatch("MESSAGE_DELETE", data, message.channel.guild_id)
