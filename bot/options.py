"""What arrives as a command's options, checked before the client reads it: it checks neither shape nor type."""

from typing import Any

from discord import AppCommandOptionType, app_commands

from agents.errors import InvalidOption

_TAKES: dict[AppCommandOptionType, tuple[type | tuple[type, ...], str]] = {
    AppCommandOptionType.string: (str, "text"),
    AppCommandOptionType.integer: (int, "a whole number"),
    AppCommandOptionType.boolean: (bool, "true or false"),
    AppCommandOptionType.number: ((int, float), "a number"),
}
"""By kind of option, the values that it may have. Other kinds have ids, as text, of what Discord has resolved."""
_CHAT_INPUT = 1


def check_options(tree: app_commands.CommandTree[Any], data: Any) -> None:
    """Raise ``InvalidOption`` for a value that is not of its option's type.

    Raises ``app_commands.CommandNotFound`` for what cannot be read at all, and ``CommandSignatureMismatch`` for
    options that the command does not have. Ranges and choices are not looked at.
    """
    try:
        if data.get("type", _CHAT_INPUT) == _CHAT_INPUT:
            _check(tree, data)
    except (AttributeError, KeyError, TypeError) as error:
        raise app_commands.CommandNotFound("?", []) from error


def _check(tree: app_commands.CommandTree[Any], data: Any) -> None:
    command = tree.get_command(data["name"])
    options = data.get("options", ())
    while isinstance(command, app_commands.Group) and options:
        command, options = command.get_command(options[0]["name"]), options[0].get("options", ())
    if not isinstance(command, app_commands.Command):
        raise app_commands.CommandNotFound(data["name"], [])
    for option in options:
        parameter = command.get_parameter(option["name"])
        if parameter is None:
            raise app_commands.CommandSignatureMismatch(command)
        types, words = _TAKES.get(parameter.type, (str, "something else"))
        is_boolean = parameter.type is AppCommandOptionType.boolean
        value = option["value"]
        fits = isinstance(value, types) and isinstance(value, bool) == is_boolean
        if option["type"] != parameter.type.value or not fits:
            raise InvalidOption(parameter.name, f"{parameter.name} takes {words}.")
