"""Application commands as the bot registers them: what is stored, compared and counted.

https://discord.com/developers/docs/interactions/application-commands
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.clock import Clock
from sandbox.command_rules import check_command, check_set
from sandbox.errors import InvalidForm, JsonObject, refusal
from sandbox.snowflakes import Snowflakes

CREATIONS_A_DAY = 200
"""New commands that one guild (or the application globally) may register in a day."""

_DAY_S = 86_400.0


class Registry:
    """Commands by scope: None for global, a guild's id for its own. Stored as Discord answers them."""

    def __init__(self, clock: Clock, snowflakes: Snowflakes, application_id: int) -> None:
        self._clock = clock
        self._snowflakes = snowflakes
        self._application_id = application_id
        self._scopes: dict[int | None, dict[int, JsonObject]] = {}
        self._created_at: dict[int | None, list[float]] = {}

    def all(self, guild_id: int | None = None) -> list[JsonObject]:
        """The commands of one scope, in the order of their registration."""
        return list(self._scopes.get(guild_id, {}).values())

    def visible(self, guild_id: int | None) -> list[JsonObject]:
        """What a person finds: the guild's own first, then global ones."""
        return ([] if guild_id is None else self.all(guild_id)) + self.all()

    def scopes(self) -> list[int | None]:
        """Scopes that have commands."""
        return [scope for scope, commands in self._scopes.items() if commands]

    def get(self, guild_id: int | None, command_id: int | None) -> JsonObject:
        """The command, or 10063."""
        command = None if command_id is None else self._scopes.get(guild_id, {}).get(command_id)
        if command is None:
            raise refusal(10063)
        return command

    def replace_all(self, guild_id: int | None, definitions: Iterable[JsonObject]) -> list[JsonObject]:
        """Bulk overwrite: the scope holds exactly these afterwards; known names keep their ids and cost no quota."""
        wanted = list(definitions)
        errors = check_set(wanted)
        if errors:
            raise InvalidForm(errors)
        before = {_identity(command): command for command in self.all(guild_id)}
        self._spend(guild_id, sum(1 for command in wanted if _identity(command) not in before))
        after = [self._stored(guild_id, command, before.get(_identity(command))) for command in wanted]
        self._scopes[guild_id] = {int(command["id"]): command for command in after}
        return after

    def upsert(self, guild_id: int | None, definition: JsonObject) -> tuple[JsonObject, bool]:
        """Create one, or overwrite the one of that name; says whether it is new."""
        errors = check_command(definition, ())
        if errors:
            raise InvalidForm(errors)
        before = {_identity(command): command for command in self.all(guild_id)}
        known = before.get(_identity(definition))
        if known is None:
            if len(before) >= 130:
                raise refusal(30032)
            self._spend(guild_id, 1)
        stored = self._stored(guild_id, definition, known)
        self._scopes.setdefault(guild_id, {})[int(stored["id"])] = stored
        return stored, known is None

    def patch(self, guild_id: int | None, command_id: int | None, changes: JsonObject) -> JsonObject:
        """Change one command's fields."""
        known = self.get(guild_id, command_id)
        merged = {**known, **changes, "type": known["type"]}
        errors = check_command(merged, ())
        if errors:
            raise InvalidForm(errors)
        stored = self._stored(guild_id, merged, known)
        self._scopes[guild_id][int(stored["id"])] = stored
        return stored

    def delete(self, guild_id: int | None, command_id: int | None) -> None:
        """Remove one command."""
        command = self.get(guild_id, command_id)
        del self._scopes[guild_id][int(command["id"])]

    def clear(self) -> None:
        """Forget every command and the quota spent."""
        self._scopes.clear()
        self._created_at.clear()

    def _spend(self, guild_id: int | None, count: int) -> None:
        now = self._clock.monotonic()
        recent = [at for at in self._created_at.get(guild_id, []) if now - at < _DAY_S]
        if len(recent) + count > CREATIONS_A_DAY:
            raise refusal(30034)
        self._created_at[guild_id] = recent + [now] * count

    def _stored(self, guild_id: int | None, definition: JsonObject, known: JsonObject | None) -> JsonObject:
        """The command with Discord's defaults filled in; the version changes only if something else did."""
        permissions = definition.get("default_member_permissions")
        stored: JsonObject = {
            "id": str(self._snowflakes.next()) if known is None else known["id"],
            "application_id": str(self._application_id),
            "version": "" if known is None else known["version"],
            "default_member_permissions": None if permissions is None else str(permissions),
            "type": definition.get("type") or 1,
            "name": definition["name"],
            "name_localizations": definition.get("name_localizations"),
            "description": definition.get("description") or "",
            "description_localizations": definition.get("description_localizations"),
            "nsfw": bool(definition.get("nsfw", False)),
            "integration_types": definition.get("integration_types") or [0],
        }
        if guild_id is None:
            stored["contexts"] = definition.get("contexts")
            contexts = stored["contexts"]
            stored["dm_permission"] = definition.get("dm_permission", True) if contexts is None else 1 in contexts
        else:
            stored["guild_id"] = str(guild_id)
            stored["contexts"] = None
        if definition.get("options"):
            stored["options"] = [_option(option) for option in definition["options"]]
        if stored != known:
            stored["version"] = str(self._snowflakes.next())
        return stored


def _identity(command: JsonObject) -> tuple[Any, Any]:
    return command.get("type") or 1, command["name"]


def _option(option: JsonObject) -> JsonObject:
    """An option without its empty defaults, as Discord gives it back."""
    kept = {
        key: value
        for key, value in option.items()
        if value is not None and not (key in ("required", "autocomplete") and value is False)
    }
    for absent_when_empty in ("choices", "options", "channel_types"):
        if kept.get(absent_when_empty) == []:
            del kept[absent_when_empty]
    if "options" in kept:
        kept["options"] = [_option(inner) for inner in kept["options"]]
    return kept
