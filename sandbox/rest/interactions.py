"""Callbacks and follow-ups: how a bot answers an interaction.

https://discord.com/developers/docs/interactions/receiving-and-responding
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox import posting, wire
from sandbox.backend import Backend
from sandbox.command_rules import check_choice
from sandbox.component_rules import check_modal
from sandbox.errors import FieldError, InvalidForm, JsonObject, refusal
from sandbox.exchange import ACKNOWLEDGE_S, TOKEN_LIFE_S, CallbackKind, Exchange, InteractionKind
from sandbox.guilds import Channel
from sandbox.messages import Message, MessageFlags
from sandbox.rest.call import NO_CONTENT, Call, Reply

_ALLOWED: dict[InteractionKind, tuple[CallbackKind, ...]] = {
    InteractionKind.COMMAND: (CallbackKind.MESSAGE, CallbackKind.DEFERRED_MESSAGE, CallbackKind.MODAL),
    InteractionKind.COMPONENT: (
        CallbackKind.MESSAGE,
        CallbackKind.DEFERRED_MESSAGE,
        CallbackKind.DEFERRED_UPDATE,
        CallbackKind.UPDATE,
        CallbackKind.MODAL,
    ),
    InteractionKind.AUTOCOMPLETE: (CallbackKind.CHOICES,),
    InteractionKind.MODAL: (
        CallbackKind.MESSAGE,
        CallbackKind.DEFERRED_MESSAGE,
        CallbackKind.DEFERRED_UPDATE,
        CallbackKind.UPDATE,
    ),
}


def callback(backend: Backend, call: Call) -> Reply:
    """Acknowledge an interaction: once, within 3 s, with a callback that its type allows."""
    exchange = backend.exchanges.by_id(call.id("interaction_id"))
    now = backend.clock.monotonic()
    if exchange is None or exchange.token != call.params["interaction_token"]:
        raise refusal(10062)
    if exchange.callback_kind is not None:
        raise refusal(40060)
    if now - exchange.created_at > ACKNOWLEDGE_S:
        raise refusal(10062)
    body = call.form()
    kind = _callback_kind(exchange, body)
    data = body.get("data") or {}
    if not isinstance(data, dict):
        raise InvalidForm([FieldError(("data",), "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")])
    _ACTIONS[kind](backend, call, exchange, data)
    exchange.callback, exchange.callback_kind = body, kind
    exchange.acknowledged_after_s = now - exchange.created_at
    exchange.acknowledged.set()
    exchange.note()
    backend.activity.tell("interaction.acknowledged", exchange)
    if exchange.original is not None and kind in (CallbackKind.MESSAGE, CallbackKind.DEFERRED_MESSAGE):
        posting.announce(backend, exchange.original, "MESSAGE_CREATE")
    return Reply(200, _resource(exchange, kind)) if call.flag("with_response") else NO_CONTENT


def _callback_kind(exchange: Exchange, body: JsonObject) -> CallbackKind:
    try:
        kind = CallbackKind(int(body["type"]))
    except (KeyError, TypeError, ValueError):
        raise InvalidForm(
            [FieldError(("type",), "BASE_TYPE_CHOICES", "Value must be one of {4, 5, 6, 7, 8, 9, 10, 12}.")]
        ) from None
    allowed = kind in _ALLOWED.get(exchange.kind, ())
    needs_message = kind in (CallbackKind.DEFERRED_UPDATE, CallbackKind.UPDATE) and exchange.source is None
    if not allowed or needs_message:
        message = f"Interaction callback type {int(kind)} is not allowed for this interaction"
        raise InvalidForm([FieldError(("type",), "INTERACTION_CALLBACK_TYPE_INVALID", message)])
    return kind


def _say(backend: Backend, call: Call, exchange: Exchange, data: JsonObject) -> None:
    made = posting.draft(backend, call, data, None, ("data",))
    exchange.original = _response(backend, exchange, made)


def _think(backend: Backend, _: Call, exchange: Exchange, data: JsonObject) -> None:
    flags = data.get("flags") or 0
    if not isinstance(flags, int) or flags & ~MessageFlags.EPHEMERAL:
        message = "A deferral may carry the ephemeral flag only"
        raise InvalidForm([FieldError(("data", "flags"), "MESSAGE_FLAGS_INVALID", message)])
    exchange.original = _response(backend, exchange, None, flags=flags | MessageFlags.LOADING)


def _promise_update(_: Backend, __: Call, exchange: Exchange, ___: JsonObject) -> None:
    exchange.original = exchange.source


def _update(backend: Backend, call: Call, exchange: Exchange, data: JsonObject) -> None:
    assert exchange.source is not None
    made = posting.draft(backend, call, data, exchange.source, ("data",))
    exchange.original = exchange.source
    posting.edit(backend, exchange.source, made)
    exchange.add(exchange.source)


def _offer_choices(backend: Backend, _: Call, exchange: Exchange, data: JsonObject) -> None:
    choices = data.get("choices")
    at = ("data", "choices")
    if not isinstance(choices, list):
        raise InvalidForm([FieldError(at, "BASE_TYPE_REQUIRED", "This field is required")])
    if len(choices) > 25:
        raise InvalidForm([FieldError(at, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")])
    kind = _focused_kind(exchange.payload["data"].get("options"))
    errors: list[FieldError] = []
    for index, choice in enumerate(choices):
        errors += check_choice(choice if isinstance(choice, dict) else {}, kind, (*at, index))
    if errors:
        raise InvalidForm(errors)
    exchange.choices = choices
    backend.activity.tell("choices", exchange)


def _focused_kind(options: Any) -> int:
    for option in options or ():
        if option.get("focused"):
            return int(option["type"])
        inner = _focused_kind(option.get("options"))
        if inner:
            return inner
    return 0


def _open_modal(backend: Backend, _: Call, exchange: Exchange, data: JsonObject) -> None:
    errors = list(check_modal(data, ("data",)))
    if errors:
        raise InvalidForm(errors)
    exchange.modal = data
    backend.activity.tell("modal", exchange)


def _pong(_: Backend, __: Call, ___: Exchange, ____: JsonObject) -> None:
    """Nothing comes of it."""


_ACTIONS: dict[CallbackKind, Callable[[Backend, Call, Exchange, JsonObject], None]] = {
    CallbackKind.PONG: _pong,
    CallbackKind.MESSAGE: _say,
    CallbackKind.DEFERRED_MESSAGE: _think,
    CallbackKind.DEFERRED_UPDATE: _promise_update,
    CallbackKind.UPDATE: _update,
    CallbackKind.CHOICES: _offer_choices,
    CallbackKind.MODAL: _open_modal,
}


def _response(backend: Backend, exchange: Exchange, made: posting.Draft | None, *, flags: int = 0) -> Message:
    """A message of the bot's that answers the exchange: a webhook's, with the interaction's name on it."""
    bot = backend.world.bot
    user = wire.user(exchange.user)
    metadata: JsonObject = {
        "id": str(exchange.interaction_id),
        "type": int(exchange.kind),
        "user": user,
        "authorizing_integration_owners": exchange.payload["authorizing_integration_owners"],
    }
    legacy: JsonObject | None = None
    reference: JsonObject | None = None
    if exchange.original is not None:
        metadata["original_response_message_id"] = str(exchange.original.id)
    if exchange.kind is InteractionKind.COMMAND:
        name = _full_name(exchange.payload["data"])
        legacy = {"id": str(exchange.interaction_id), "type": 2, "name": name, "user": user}
        metadata |= {"name": name, "command_type": exchange.payload["data"].get("type", 1)}
        if "target_id" in exchange.payload["data"]:
            metadata["target_message_id"] = exchange.payload["data"]["target_id"]
            reference = _reference(exchange.channel, metadata["target_message_id"])
    elif exchange.source is not None:
        metadata["interacted_message_id"] = str(exchange.source.id)
    message = posting.create(
        backend,
        exchange.channel,
        bot,
        made,
        flags=flags,
        kind=20 if exchange.kind is InteractionKind.COMMAND else 19 if exchange.source else 0,
        application_id=backend.application_id,
        webhook_id=backend.application_id,
        metadata=metadata,
        legacy_interaction=legacy,
        reference=reference if exchange.original is None else None,
        visible_to=exchange.user.id,
    )
    exchange.add(message)
    return message


def _reference(channel: Channel, message_id: str) -> JsonObject:
    """To the message of whose menu the command was; only the first answer carries it."""
    place = {} if channel.guild is None else {"guild_id": str(channel.guild.id)}
    return {"type": 0, "message_id": message_id, "channel_id": str(channel.id), **place}


def _full_name(data: JsonObject) -> str:
    parts = [str(data.get("name", ""))]
    options = data.get("options") or []
    while options and options[0].get("type") in (1, 2):
        parts.append(str(options[0]["name"]))
        options = options[0].get("options") or []
    return " ".join(parts)


def _resource(exchange: Exchange, kind: CallbackKind) -> JsonObject:
    original = exchange.original
    interaction: JsonObject = {
        "id": str(exchange.interaction_id),
        "type": int(exchange.kind),
        "channel_id": str(exchange.channel.id),
    }
    if exchange.channel.guild is not None:
        interaction["guild_id"] = str(exchange.channel.guild.id)
    body: JsonObject = {"interaction": interaction}
    if original is not None and kind not in (CallbackKind.CHOICES, CallbackKind.MODAL):
        interaction |= {
            "response_message_id": str(original.id),
            "response_message_loading": original.loading,
            "response_message_ephemeral": original.ephemeral,
        }
        body["resource"] = {"type": int(kind), "message": wire.message(original)}
    elif kind is not CallbackKind.CHOICES:
        body["resource"] = {"type": int(kind)}
    return body


def _exchange(backend: Backend, call: Call) -> Exchange:
    """The exchange that a follow-up's path names: 10015 for another application, 50027 for a stale token."""
    if call.id("webhook_id") != backend.application_id:
        raise refusal(10015)
    exchange = backend.exchanges.by_token(call.params["webhook_token"])
    if exchange is None or backend.clock.monotonic() - exchange.created_at > TOKEN_LIFE_S:
        raise refusal(50027)
    if exchange.callback_kind is None:
        # Discord knows no webhook for an interaction that nobody has acknowledged.
        raise refusal(10015)
    return exchange


def _followed(backend: Backend, call: Call) -> tuple[Exchange, Message]:
    exchange = _exchange(backend, call)
    name = call.params["message_id"]
    if name == "@original":
        message = exchange.original
    else:
        message = next((m for m in exchange.messages if str(m.id) == name), None)
    if message is None or message.deleted:
        raise refusal(10008)
    return exchange, message


def follow_up(backend: Backend, call: Call) -> Reply:
    """Another message; after "… is thinking" the first one takes its place, and with it who sees it."""
    exchange = _exchange(backend, call)
    body = call.form()
    original = exchange.original
    if original is not None and original.loading and not original.deleted:
        made = posting.draft(backend, call, body, original)
        posting.edit(backend, original, made)
        return Reply(200, wire.message(original))
    made = posting.draft(backend, call, body, None)
    message = _response(backend, exchange, made)
    posting.announce(backend, message, "MESSAGE_CREATE")
    return Reply(200, wire.message(message))


def get_follow_up(backend: Backend, call: Call) -> Reply:
    """The original response or a follow-up."""
    return Reply(200, wire.message(_followed(backend, call)[1]))


def edit_follow_up(backend: Backend, call: Call) -> Reply:
    """Change the original response or a follow-up."""
    exchange, message = _followed(backend, call)
    made = posting.draft(backend, call, call.form(), message)
    posting.edit(backend, message, made)
    exchange.add(message)
    return Reply(200, wire.message(message))


def delete_follow_up(backend: Backend, call: Call) -> Reply:
    """Take the original response or a follow-up away."""
    _, message = _followed(backend, call)
    posting.delete(backend, message)
    return NO_CONTENT
