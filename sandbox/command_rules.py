"""The rules that a command definition must keep.

https://discord.com/developers/docs/interactions/application-commands#application-command-object
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sandbox.errors import FieldError, JsonObject

MAX_COMMANDS = {1: 100, 2: 15, 3: 15}
"""Commands of each type (chat, user, message) in one scope."""

MAX_OPTIONS = 25
MAX_CHOICES = 25
MAX_CHARACTERS = 8_000
"""Name, description, option names and descriptions and choices of one command, together."""

_NAME = re.compile(r"[-_'\w\u0900-\u097F\u0E00-\u0E7F]{1,32}")
_SUBCOMMAND, _GROUP = 1, 2
_CHOOSABLE = (3, 4, 10)

Path = tuple[str | int, ...]


def check_set(commands: Sequence[Any]) -> list[FieldError]:
    """What is wrong with a bulk overwrite, each command's errors under its index."""
    errors: list[FieldError] = []
    seen: set[tuple[int, str]] = set()
    counts = dict.fromkeys(MAX_COMMANDS, 0)
    for index, command in enumerate(commands):
        errors += check_command(command, (index,))
        if not isinstance(command, dict) or errors:
            continue
        identity = (command.get("type") or 1, command["name"])
        if identity in seen:
            errors.append(
                FieldError(
                    (index,), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"
                )
            )
        seen.add(identity)
        counts[identity[0]] = counts.get(identity[0], 0) + 1
    for kind, count in counts.items():
        if count > MAX_COMMANDS.get(kind, 0):
            message = f"Must be {MAX_COMMANDS.get(kind, 0)} or fewer in length."
            errors.append(FieldError((), "BASE_TYPE_MAX_LENGTH", message))
    return errors


def check_command(command: Any, at: Path) -> list[FieldError]:
    """What is wrong with one definition; an empty list where nothing is."""
    if not isinstance(command, dict):
        return [FieldError(at, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")]
    errors = list(_check_command(command, at))
    if not errors and (length := characters(command)) > MAX_CHARACTERS:
        message = f"Command exceeds maximum size ({MAX_CHARACTERS}): {length}"
        errors.append(FieldError(at, "APPLICATION_COMMAND_TOO_LARGE", message))
    return errors


def _check_command(command: JsonObject, at: Path) -> Iterator[FieldError]:
    kind = command.get("type") or 1
    if kind == 1:
        yield from _check_name(command, at)
        yield from _check_text(command.get("description"), 1, 100, (*at, "description"))
        yield from _check_options(command.get("options"), (*at, "options"), within=0)
    elif kind in (2, 3):
        yield from _check_text(command.get("name"), 1, 32, (*at, "name"))
        if command.get("description"):
            yield _invalid((*at, "description"), "Context menu commands cannot have description")
        if command.get("options"):
            yield _invalid((*at, "options"), "Context menu commands cannot have options")
    else:
        yield FieldError((*at, "type"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3).")
    yield from _check_unique_list(command.get("contexts"), (0, 1, 2), (*at, "contexts"))
    yield from _check_unique_list(command.get("integration_types"), (0, 1), (*at, "integration_types"))


def _invalid(at: Path, message: str) -> FieldError:
    return FieldError(at, "APPLICATION_COMMAND_INVALID", message)


def _check_name(holder: JsonObject, at: Path) -> Iterator[FieldError]:
    name = holder.get("name")
    if not isinstance(name, str):
        yield FieldError((*at, "name"), "BASE_TYPE_REQUIRED", "This field is required")
    elif not 1 <= len(name) <= 32:
        yield FieldError((*at, "name"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length.")
    elif not _NAME.fullmatch(name) or name != name.lower():
        yield FieldError((*at, "name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _check_text(text: Any, shortest: int, longest: int, at: Path) -> Iterator[FieldError]:
    if not isinstance(text, str):
        yield FieldError(at, "BASE_TYPE_REQUIRED", "This field is required")
    elif not shortest <= len(text) <= longest:
        yield FieldError(at, "BASE_TYPE_BAD_LENGTH", f"Must be between {shortest} and {longest} in length.")


def _check_unique_list(values: Any, allowed: Sequence[int], at: Path) -> Iterator[FieldError]:
    if values is None:
        return
    if not isinstance(values, list) or not values or len(set(map(str, values))) != len(values):
        yield FieldError(at, "BASE_TYPE_BAD_LENGTH", "Must be a list of unique values, at least one.")
    elif any(value not in allowed for value in values):
        yield FieldError(at, "BASE_TYPE_CHOICES", f"Value must be one of {tuple(allowed)}.")


def _check_options(options: Any, at: Path, *, within: int) -> Iterator[FieldError]:
    if options is None:
        return
    if not isinstance(options, list) or not all(isinstance(option, dict) for option in options):
        yield FieldError(at, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return
    if len(options) > MAX_OPTIONS:
        yield FieldError(at, "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_OPTIONS} or fewer in length.")
    yield from _check_option_set(options, at, within)
    for index, option in enumerate(options):
        yield from _check_option(option, (*at, index))


def _check_option_set(options: list[JsonObject], at: Path, within: int) -> Iterator[FieldError]:
    names = [option.get("name") for option in options]
    if len(set(map(str, names))) != len(names):
        yield FieldError(at, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option names must be unique")
    nested = [option.get("type") in (_SUBCOMMAND, _GROUP) for option in options]
    if any(nested) and not all(nested):
        message = "Sub-command and sub-command group option types are mutually exclusive to all other types"
        yield FieldError(at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
    nestable = {0: (_SUBCOMMAND, _GROUP), _GROUP: (_SUBCOMMAND,), _SUBCOMMAND: ()}[within]
    kinds = [option.get("type") for option in options]
    misplaced = any(kind in (_SUBCOMMAND, _GROUP) and kind not in nestable for kind in kinds)
    if misplaced or (within == _GROUP and not all(nested)):
        message = "Sub-commands cannot be nested this deep"
        yield FieldError(at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)
    optional_seen = False
    for index, option in enumerate(options):
        if option.get("required"):
            if optional_seen:
                message = "Required options must be placed before non-required options"
                yield FieldError((*at, index), "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        else:
            optional_seen = True


def _check_option(option: JsonObject, at: Path) -> Iterator[FieldError]:
    kind = option.get("type")
    if isinstance(kind, bool) or not isinstance(kind, int) or not 1 <= kind <= 11:
        yield FieldError((*at, "type"), "BASE_TYPE_CHOICES", "Value must be an option type.")
        return
    yield from _check_name(option, at)
    yield from _check_text(option.get("description"), 1, 100, (*at, "description"))
    if kind in (_SUBCOMMAND, _GROUP):
        yield from _check_options(option.get("options"), (*at, "options"), within=kind)
        return
    if option.get("options"):
        yield _invalid((*at, "options"), "Only sub-commands have options")
    yield from _check_choices(option, at)
    if option.get("autocomplete") and (option.get("choices") or kind not in _CHOOSABLE):
        message = "Autocomplete is for text and numbers without choices"
        yield FieldError((*at, "autocomplete"), "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID", message)


def _check_choices(option: JsonObject, at: Path) -> Iterator[FieldError]:
    choices = option.get("choices")
    if not choices:
        return
    at = (*at, "choices")
    if option["type"] not in _CHOOSABLE or not isinstance(choices, list):
        yield _invalid(at, "Choices are for text and numbers")
        return
    if len(choices) > MAX_CHOICES:
        yield FieldError(at, "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_CHOICES} or fewer in length.")
    for index, choice in enumerate(choices):
        if not isinstance(choice, dict):
            yield FieldError((*at, index), "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
            continue
        yield from check_choice(choice, option["type"], (*at, index))
    names = [choice.get("name") for choice in choices if isinstance(choice, dict)]
    if len(set(map(str, names))) != len(names):
        yield FieldError(at, "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_EXISTS", "Choice names must be unique")


def check_choice(choice: JsonObject, option_kind: int, at: Path) -> Iterator[FieldError]:
    """A choice of a definition or of an autocomplete answer: name 1-100, value of the option's type."""
    yield from _check_text(choice.get("name"), 1, 100, (*at, "name"))
    value = choice.get("value")
    if option_kind == 3:
        yield from _check_text(value, 1, 100, (*at, "value"))
    elif isinstance(value, bool) or not isinstance(value, int if option_kind == 4 else (int, float)):
        yield FieldError((*at, "value"), "NUMBER_TYPE_COERCE", f'Value "{value}" is not a number.')


def characters(command: JsonObject) -> int:
    """What counts towards ``MAX_CHARACTERS``; the longest localisation stands for each text."""
    total = _longest(command, "name") + _longest(command, "description")
    for option in command.get("options") or ():
        total += characters(option)
        for choice in option.get("choices") or ():
            total += _longest(choice, "name")
            value = choice.get("value")
            total += len(value) if isinstance(value, str) else 0
    return total


def _longest(holder: JsonObject, key: str) -> int:
    texts = [holder.get(key), *(holder.get(f"{key}_localizations") or {}).values()]
    return max((len(text) for text in texts if isinstance(text, str)), default=0)
