"""Somebody who types, clicks and chooses: makes interactions and sends them to the bot."""

from __future__ import annotations

from typing import Any

from sandbox import permissions, posting, wire
from sandbox.backend import Backend
from sandbox.component_rules import SELECTS, walk
from sandbox.errors import JsonObject
from sandbox.exchange import Exchange, InteractionKind, new_token
from sandbox.guilds import Channel, Guild, User
from sandbox.lines import (
    ATTACHMENT,
    CHANNEL,
    MENTIONABLE,
    ROLE,
    USER,
    CommandSyntaxError,
    Typed,
    mentioned_id,
    read_line,
    read_options,
)
from sandbox.messages import Message

TYPED, ON_MESSAGES = 1, 3
"""The types of commands that are typed, and that stand in a message's menu; 2 stand in a person's."""


class NotClickable(LookupError):
    """The message has no such component, or nobody could press it; the message says which there are."""


class People:
    """Acts for any user. Every action gives the Exchange that it started; nothing here waits for the bot."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    # -- commands

    def type_command(self, user: User, channel: Channel, line: str) -> Exchange:
        """Send the typed command; CommandSyntaxError where Discord's client would not let the user."""
        typed = read_line(line, self._typeable(user, channel), self._resolver(channel))
        return self._send_typed(user, channel, typed, InteractionKind.COMMAND, line)

    def autocomplete(self, user: User, channel: Channel, line: str) -> Exchange:
        """Ask for suggestions for the last option of a line that is still being typed."""
        typed = read_line(line, self._typeable(user, channel), self._resolver(channel), partial=True)
        return self._send_typed(user, channel, typed, InteractionKind.AUTOCOMPLETE, line)

    def use_command(
        self, user: User, channel: Channel, command_id: str, options: list[JsonObject], *, partial: bool = False
    ) -> Exchange:
        """Send a command whose options were filled in one by one; ``partial`` asks for suggestions.

        Raises CommandSyntaxError, which names the option that is to blame.
        """
        command = next((c for c in self._typeable(user, channel) if c["id"] == command_id), None)
        if command is None:
            raise CommandSyntaxError("this command is not offered to you here")
        typed = read_options(command, options, self._resolver(channel), partial=partial)
        kind = InteractionKind.AUTOCOMPLETE if partial else InteractionKind.COMMAND
        return self._send_typed(user, channel, typed, kind, written(typed))

    def _send_typed(self, user: User, channel: Channel, typed: Typed, kind: InteractionKind, line: str) -> Exchange:
        data: JsonObject = {
            "id": typed.command["id"],
            "name": typed.command["name"],
            "type": 1,
            "options": typed.options,
        }
        if "guild_id" in typed.command:
            data["guild_id"] = typed.command["guild_id"]
        resolved = self._resolved(typed.options, channel)
        if resolved:
            data["resolved"] = resolved
        installed = self._installed(typed.command, user, channel)
        return self._send(user, channel, kind, data, line=line, authorizing_integration_owners=installed)

    def _installed(self, command: JsonObject, user: User, channel: Channel) -> dict[str, str]:
        """Who installed the application; only installations that the command is offered for are named."""
        installed = self._owners(user, channel)
        return {kind: installed[kind] for kind in map(str, command["integration_types"]) if kind in installed}

    def send_command(
        self,
        user: User,
        channel: Channel,
        name_path: str,
        options_raw: list[JsonObject] | None = None,
        *,
        kind: InteractionKind = InteractionKind.COMMAND,
        **overrides: Any,
    ) -> Exchange:
        """Send a command as it stands, unchecked: ``name_path`` is "signals reddit", options as Discord writes them.

        ``overrides`` replace fields of the interaction, ``interaction_id`` and ``token`` among them; the id of
        an earlier interaction repeats it.
        """
        name, *path = name_path.removeprefix("/").split()
        options = list(options_raw or [])
        kinds = (2, 1) if len(path) == 2 else (1,) * len(path)
        for part, part_kind in reversed(list(zip(path, kinds, strict=True))):
            options = [{"name": part, "type": part_kind, "options": options}]
        known = {command["name"]: command for command in self._backend.commands.visible(channel.guild_id)}
        command_id = known.get(name, {}).get("id", str(self._backend.world.snowflakes.next()))
        data = {"id": command_id, "name": name, "type": 1, "options": options}
        return self._send(user, channel, kind, data, line=f"/{name_path.removeprefix('/')}", **overrides)

    def use_on_message(self, user: User, message: Message, command_id: str) -> Exchange:
        """Choose a command of a message's menu.

        Raises CommandSyntaxError where the user does not find it, NotClickable where they do not see the message.
        """
        channel = message.channel
        _check_seen(user, message)
        found = (one for one in self.findable(user, channel) if one["type"] == ON_MESSAGES)
        command = next((one for one in found if one["id"] == command_id), None)
        if command is None:
            raise CommandSyntaxError(f"{user.name} finds no such command on messages here")
        data: JsonObject = {
            "id": command["id"],
            "name": command["name"],
            "type": ON_MESSAGES,
            "target_id": str(message.id),
            "resolved": {"messages": {str(message.id): wire.message(message)}},
        }
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        installed = self._installed(command, user, channel)
        line = f"{command['name']} (on a message)"
        return self._send(
            user, channel, InteractionKind.COMMAND, data, line=line, authorizing_integration_owners=installed
        )

    def findable(self, user: User, channel: Channel) -> list[JsonObject]:
        """Commands of every type that the user finds here: by context, installation, permissions and age.

        Raises CommandSyntaxError where the user may use none at all.
        """
        granted = self._backend.world.permissions_of(user.id, channel)
        if channel.guild is not None and not granted & permissions.USE_APPLICATION_COMMANDS:
            raise CommandSyntaxError(f"{user.name} may not use commands in #{channel.name}")
        found = self._backend.commands.visible(channel.guild_id)
        return [command for command in found if self._finds(command, user, channel, granted)]

    def _typeable(self, user: User, channel: Channel) -> list[JsonObject]:
        return [command for command in self.findable(user, channel) if command["type"] == TYPED]

    def _finds(self, command: JsonObject, user: User, channel: Channel, granted: int) -> bool:
        context = self._context(channel)
        contexts = command.get("contexts")
        if contexts is not None and context not in contexts:
            return False
        installed = self._owners(user, channel)
        if not any(str(kind) in installed for kind in command["integration_types"]):
            return False
        needed = command.get("default_member_permissions")
        if channel.guild is not None and needed is not None and not channel.guild.commands_for_all:
            bits = int(needed)
            allowed = granted & permissions.ADMINISTRATOR or (bits and granted & bits == bits)
            if not allowed:
                return False
        return not command.get("nsfw") or channel.nsfw

    def _resolver(self, channel: Channel) -> Any:
        def resolve(kind: int, text: str) -> int | None:
            wanted = mentioned_id(text)
            bare = text.lstrip("@#").lower()
            for candidate_kind, candidate_id, name in self._candidates(channel):
                fits = kind in (candidate_kind, MENTIONABLE) and not (
                    kind == MENTIONABLE and candidate_kind == CHANNEL
                )
                if fits and (candidate_id == wanted or name.lower() == bare):
                    return candidate_id
            return None

        return resolve

    def _candidates(self, channel: Channel) -> list[tuple[int, int, str]]:
        if channel.guild is None:
            return [(USER, user.id, user.name) for user in self._backend.world.users.values()]
        guild = channel.guild
        return [
            *((USER, member.user.id, member.user.name) for member in guild.members.values()),
            *((CHANNEL, known.id, known.name) for known in guild.channels.values()),
            *((ROLE, role.id, role.name.lstrip("@")) for role in guild.roles.values()),
        ]

    def _resolved(self, options: list[JsonObject], channel: Channel) -> JsonObject:
        """The objects behind ids among the options."""
        resolved: JsonObject = {}
        for option in options:
            if "options" in option:
                return self._resolved(option["options"], channel)
            if option["type"] in (USER, CHANNEL, ROLE, MENTIONABLE) and not option.get("focused"):
                self._resolve_into(resolved, int(option["value"]), channel)
            elif option["type"] == ATTACHMENT:
                self._attach(resolved, option)
        return resolved

    def _attach(self, resolved: JsonObject, option: JsonObject) -> None:
        file = self._backend.world.file_by_id(str(option["value"]))
        if file is None:
            raise CommandSyntaxError("the file is not here any more; choose it again", str(option["name"]))
        resolved.setdefault("attachments", {})[str(file.id)] = wire.attachment(file)

    def _resolve_into(self, resolved: JsonObject, found_id: int, channel: Channel) -> None:
        guild, world, key = channel.guild, self._backend.world, str(found_id)
        if found_id in world.users:
            resolved.setdefault("users", {})[key] = wire.user(world.users[found_id])
            if guild is not None and found_id in guild.members:
                member = wire.member(guild.members[found_id], with_user=False)
                member["permissions"] = str(world.permissions_of(found_id, channel))
                resolved.setdefault("members", {})[key] = member
        elif guild is not None and found_id in guild.channels:
            known = guild.channels[found_id]
            may = permissions.in_channel(guild, known, self._backend.world.bot.id)
            resolved.setdefault("channels", {})[key] = {**wire.channel(known), "permissions": str(may)}
        elif guild is not None and found_id in guild.roles:
            resolved.setdefault("roles", {})[key] = wire.role(guild.roles[found_id])

    # -- components and modals

    def click(
        self,
        user: User,
        message: Message,
        which: str | int,
        *,
        values: list[str] | None = None,
        forge: bool = False,
        channel: Channel | None = None,
        **overrides: Any,
    ) -> Exchange:
        """Press a button, or choose ``values`` of a select.

        ``which`` is a custom id, or the number that a person sees (1 is the first component). Raises
        NotClickable for what a person could not press; ``forge`` sends any custom id all the same.
        """
        found = _component(message, which)
        if forge and isinstance(which, str):
            found = found or {"type": 3 if values is not None else 2, "custom_id": which, "id": 1}
        if found is None:
            raise NotClickable(f"no component {which!r}; there are: {_names(message)}")
        if not forge:
            self._check_clickable(user, message, found)
        data: JsonObject = {
            "custom_id": found.get("custom_id"),
            "component_type": found["type"],
            "id": found.get("id", 1),
        }
        if found["type"] in SELECTS:
            data["values"] = _chosen(found, values or [], forge=forge)
        return self._send(
            user, channel or message.channel, InteractionKind.COMPONENT, data, source=message, **overrides
        )

    def _check_clickable(self, user: User, message: Message, component: JsonObject) -> None:
        _check_seen(user, message)
        if component.get("disabled"):
            raise NotClickable(f"{_name(component)} is disabled")

    def submit_modal(
        self,
        user: User,
        exchange: Exchange,
        values: dict[str, Any],
        *,
        custom_id: str | None = None,
        **overrides: Any,
    ) -> Exchange:
        """Fill in and send the modal that ``exchange`` opened; ``values`` by the inputs' custom ids."""
        if exchange.modal is None:
            raise NotClickable("no modal is open")
        data: JsonObject = {
            "custom_id": custom_id or exchange.modal["custom_id"],
            "components": [_filled(component, values) for component in exchange.modal["components"]],
        }
        return self._send(user, exchange.channel, InteractionKind.MODAL, data, source=exchange.source, **overrides)

    # -- text

    def say(self, user: User, channel: Channel, text: str, *, reply_to: Message | None = None) -> Message:
        """Post ``text`` as the user; the bot hears of it as far as its intents go."""
        made = posting.Draft(text, None, None, None, None, None, other=False)
        reference = None
        if reply_to is not None:
            reference = {"type": 0, "message_id": str(reply_to.id), "channel_id": str(channel.id)}
        message = posting.create(self._backend, channel, user, made, kind=19 if reply_to else 0, reference=reference)
        posting.announce(self._backend, message, "MESSAGE_CREATE")
        return message

    # -- the interaction itself

    def _send(
        self,
        user: User,
        channel: Channel,
        kind: InteractionKind,
        data: JsonObject,
        /,
        *,
        source: Message | None = None,
        line: str = "",
        interaction_id: int | None = None,
        token: str | None = None,
        **overrides: Any,
    ) -> Exchange:
        backend = self._backend
        repeated = backend.exchanges.by_id(interaction_id)
        exchange = repeated or Exchange(
            interaction_id=interaction_id or backend.world.snowflakes.next(),
            token=token or new_token(),
            kind=kind,
            user=user,
            channel=channel,
            created_at=backend.clock.monotonic(),
            payload={},
            source=source,
            line=line,
        )
        payload = self._payload(exchange, data)
        payload.update(overrides)
        exchange.payload = payload
        if repeated is None:
            backend.exchanges.add(exchange)
            backend.activity.tell("interaction.created", exchange)
        guild_id = channel.guild_id if channel.guild is not None and channel.guild.with_bot else None
        reached = backend.gateway.dispatch("INTERACTION_CREATE", payload, guild_id)
        exchange.delivered = reached > 0
        return exchange

    def _payload(self, exchange: Exchange, data: JsonObject) -> JsonObject:
        backend, channel, user = self._backend, exchange.channel, exchange.user
        payload: JsonObject = {
            "id": str(exchange.interaction_id),
            "application_id": str(backend.application_id),
            "type": int(exchange.kind),
            "token": exchange.token,
            "version": 1,
            "data": data,
            "channel": {**wire.channel(channel), "permissions": str(backend.world.permissions_of(user.id, channel))},
            "channel_id": str(channel.id),
            "app_permissions": str(self._app_permissions(channel)),
            "locale": "en-US",
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": self._owners(user, channel),
            "context": self._context(channel),
            "attachment_size_limit": backend.max_attachment_bytes,
        }
        if exchange.source is not None:
            payload["message"] = wire.message(exchange.source)
        if channel.guild is None:
            payload["user"] = wire.user(user)
        else:
            payload |= self._guild_fields(user, channel, channel.guild)
        return payload

    def _guild_fields(self, user: User, channel: Channel, guild: Guild) -> JsonObject:
        member = guild.members.get(user.id)
        if member is None:
            raise CommandSyntaxError(f"{user.name} is not a member of {guild.name}")
        granted = self._backend.world.permissions_of(user.id, channel)
        return {
            "guild_id": str(guild.id),
            "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "member": {**wire.member(member), "permissions": str(granted)},
        }

    def _app_permissions(self, channel: Channel) -> int:
        if channel.guild is not None and not channel.guild.with_bot:
            return permissions.EMBED_LINKS | permissions.ATTACH_FILES | permissions.MENTION_EVERYONE
        return self._backend.world.permissions_of(self._backend.world.bot.id, channel)

    def _context(self, channel: Channel) -> int:
        """0 in a guild, 1 in direct messages with the bot, 2 in other private channels."""
        if channel.guild is not None:
            return 0
        return 1 if channel.with_bot else 2

    def _owners(self, user: User, channel: Channel) -> dict[str, str]:
        """Who installed the application: "0" the guild ("0" in its direct messages), "1" the user."""
        owners: dict[str, str] = {}
        if channel.guild is not None and channel.guild.with_bot:
            owners["0"] = str(channel.guild.id)
        elif channel.guild is None and channel.with_bot:
            owners["0"] = "0"
        if user.id in self._backend.world.installed_for:
            owners["1"] = str(user.id)
        return owners


def _check_seen(user: User, message: Message) -> None:
    if message.deleted:
        raise NotClickable("the message is gone")
    if message.ephemeral and message.visible_to != user.id:
        raise NotClickable(f"{user.name} does not see this message")


def written(typed: Typed) -> str:
    """The command as one would type it in a line."""
    words = [f"/{typed.command['name']}"]
    options = typed.options
    while options and "options" in options[0]:
        words.append(str(options[0]["name"]))
        options = options[0]["options"]
    return " ".join([*words, *(f"{option['name']}:{option['value']}" for option in options)])


def pressable(message: Message) -> list[JsonObject]:
    """The buttons (links have no number) and selects in the order of the numbers that a person sees, from 1."""
    there = (component for _, component in walk(message.components) if component.get("type") in (2, *SELECTS))
    return [component for component in there if component.get("custom_id")]


def _component(message: Message, which: str | int) -> JsonObject | None:
    there = pressable(message)
    if isinstance(which, int):
        return there[which - 1] if 1 <= which <= len(there) else None
    return next((component for component in there if component.get("custom_id") == which), None)


def _name(component: JsonObject) -> str:
    name = component.get("label") or component.get("placeholder") or component.get("custom_id") or "a component"
    return repr(str(name))


def _names(message: Message) -> str:
    return ", ".join(f"{n} {_name(c)}" for n, c in enumerate(pressable(message), 1)) or "none"


def _chosen(select: JsonObject, values: list[str], *, forge: bool) -> list[str]:
    if forge or select["type"] != 3:
        return values
    options = {option["value"]: option["value"] for option in select.get("options", [])}
    options |= {option["label"]: option["value"] for option in select.get("options", [])}
    unknown = [value for value in values if value not in options]
    if unknown:
        raise NotClickable(f"{unknown[0]!r} is none of: {', '.join(options)}")
    least, most = select.get("min_values", 1), select.get("max_values", 1)
    if not least <= len(values) <= most:
        raise NotClickable(f"choose {least} to {most} of: {', '.join(options)}")
    return [options[value] for value in values]


def _filled(component: JsonObject, values: dict[str, Any]) -> JsonObject:
    """A modal's component with what the person entered."""
    filled: JsonObject = {"type": component["type"], "id": component.get("id", 1)}
    if "components" in component:
        filled["components"] = [_filled(inner, values) for inner in component["components"]]
    if isinstance(component.get("component"), dict):
        filled["component"] = _filled(component["component"], values)
    custom_id = component.get("custom_id")
    if custom_id is not None:
        filled["custom_id"] = custom_id
        if component["type"] in SELECTS:
            filled["values"] = values.get(custom_id, [])
        else:
            filled["value"] = values.get(custom_id, component.get("value", ""))
    return filled
