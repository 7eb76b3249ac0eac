"""Registration of application commands, global and per guild."""

from __future__ import annotations

from sandbox.backend import Backend
from sandbox.errors import FieldError, InvalidForm, JsonObject, refusal
from sandbox.rest.call import NO_CONTENT, Call, Reply


def _scope(backend: Backend, call: Call) -> int | None:
    """The scope that the path names: None for global; checks the application and the guild."""
    if call.id("application_id") != backend.application_id:
        raise refusal(20001 if call.id("application_id") else 10002)
    if "guild_id" not in call.params:
        return None
    guild_id = call.id("guild_id")
    guild = None if guild_id is None else backend.world.guilds.get(guild_id)
    if guild is None or not guild.with_bot:
        raise refusal(50001)
    return guild.id


def _listed(command: JsonObject, call: Call) -> JsonObject:
    """A command as lists give it: localisations only on request."""
    if call.flag("with_localizations"):
        return command
    return {k: v for k, v in command.items() if k not in ("name_localizations", "description_localizations")}


def get_all(backend: Backend, call: Call) -> Reply:
    """Every command of the scope."""
    return Reply(200, [_listed(command, call) for command in backend.commands.all(_scope(backend, call))])


def replace_all(backend: Backend, call: Call) -> Reply:
    """Bulk overwrite."""
    scope = _scope(backend, call)
    body = [] if call.body is None else call.body
    if not isinstance(body, list):
        raise InvalidForm([FieldError((), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")])
    return Reply(200, backend.commands.replace_all(scope, body))


def create(backend: Backend, call: Call) -> Reply:
    """Create or overwrite one: 201 for a new one, 200 otherwise."""
    command, new = backend.commands.upsert(_scope(backend, call), call.form())
    return Reply(201 if new else 200, command)


def get(backend: Backend, call: Call) -> Reply:
    """One command."""
    return Reply(200, backend.commands.get(_scope(backend, call), call.id("command_id")))


def patch(backend: Backend, call: Call) -> Reply:
    """Change one command."""
    return Reply(200, backend.commands.patch(_scope(backend, call), call.id("command_id"), call.form()))


def delete(backend: Backend, call: Call) -> Reply:
    """Remove one command."""
    backend.commands.delete(_scope(backend, call), call.id("command_id"))
    return NO_CONTENT


def permissions(backend: Backend, call: Call) -> Reply:
    """A guild's overrides of who may use which command: none here."""
    _scope(backend, call)
    return Reply(200, [])
