"""Registers the commands with Discord, only when they changed: there is a daily quota on creations."""

from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import app_commands

from agents import telemetry

_log = telemetry.logger("bot.registration")
_COMPARED = (
    "name", "description", "type", "options", "nsfw", "default_member_permissions", "contexts", "integration_types",
)  # fmt: skip
_OPTION_DEFAULTS: Mapping[str, Any] = {
    "required": False, "choices": [], "options": [], "autocomplete": False, "channel_types": [],
}  # fmt: skip


async def register_commands(tree: app_commands.CommandTree[Any], application_id: int) -> bool:
    """Send the tree's commands if what Discord has differs from them; True when they were sent.

    Raises ``discord.HTTPException``.
    """
    wanted = [command.to_dict(tree) for command in tree.get_commands()]
    present = await tree.client.http.get_global_commands(application_id)
    if normalised(wanted) == normalised(present):
        _log.info("commands unchanged", commands=len(wanted))
        return False
    await tree.sync()
    _log.info("commands registered", commands=len(wanted))
    return True


def normalised(definitions: Sequence[Mapping[str, Any]]) -> dict[tuple[int, str], dict[str, Any]]:
    """Definitions with Discord's defaults written out, so that equal commands are equal however they came."""
    commands = [_command(definition) for definition in definitions]
    return {(command["type"], command["name"]): command for command in commands}


def _command(definition: Mapping[str, Any]) -> dict[str, Any]:
    command = {name: definition.get(name) for name in _COMPARED}
    command["type"] = int(definition.get("type") or discord.AppCommandType.chat_input.value)
    command["description"] = definition.get("description") or ""  # those of a message's menu have none
    command["nsfw"] = bool(definition.get("nsfw"))
    permissions = definition.get("default_member_permissions")
    command["default_member_permissions"] = None if permissions is None else str(permissions)
    for name in ("contexts", "integration_types"):
        command[name] = sorted(definition.get(name) or ())
    command["options"] = [_option(option) for option in definition.get("options") or ()]
    return command


def _option(definition: Mapping[str, Any]) -> dict[str, Any]:
    option: dict[str, Any] = {**_OPTION_DEFAULTS, **definition}
    option["options"] = [_option(nested) for nested in definition.get("options") or ()]
    option["choices"] = [{"name": choice["name"], "value": choice["value"]} for choice in option["choices"] or ()]
    return {name: value for name, value in option.items() if value is not None and not name.endswith("localizations")}
