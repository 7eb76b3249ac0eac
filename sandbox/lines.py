"""What a person types, read against the registered commands as Discord's own client reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.errors import JsonObject

SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(1, 12)

_OPTION = re.compile(r"([-_'\w]+):")
_MENTION = re.compile(r"<(?:@[!&]?|#)([0-9]{1,20})>")
_LARGEST = 2**53


class CommandSyntaxError(ValueError):
    """The line is not one that Discord's client would send; the message says why, to a person.

    ``option`` names the option that is to blame, where it is one.
    """

    def __init__(self, message: str, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


@dataclass(frozen=True, slots=True)
class Typed:
    """A line that was understood: the command, and its options as the interaction carries them."""

    command: JsonObject
    options: list[JsonObject]


Resolve = Callable[[int, str], "int | None"]
"""Finds the user, channel or role (option type) of a name; None where there is none."""


def read_line(line: str, commands: Iterable[JsonObject], resolve: Resolve, *, partial: bool = False) -> Typed:
    """Understand ``/name sub option:value``; ``partial`` is a line still being typed (autocomplete).

    Raises CommandSyntaxError for whatever Discord's client would not send.
    """
    text = line.strip() if not partial else line.lstrip()
    if not text.startswith("/"):
        raise CommandSyntaxError("a command begins with a slash, as in /help")
    name, _, rest = text[1:].partition(" ")
    chat = [command for command in commands if command.get("type", 1) == 1]
    command = next((command for command in chat if command["name"] == name), None)
    if command is None:
        known = ", ".join(f"/{command['name']}" for command in chat) or "none is registered"
        raise CommandSyntaxError(f"there is no command /{name}; known: {known}")
    path, holder, rest = _descend(command, rest)
    options = _read_options(
        rest, holder.get("options") or [], " ".join(["/" + name, *path]), resolve, partial=partial
    )
    for part, kind in reversed(list(zip(path, _kinds(len(path)), strict=True))):
        options = [{"name": part, "type": kind, "options": options}]
    return Typed(command, options)


def read_options(
    command: JsonObject, given: Iterable[JsonObject], resolve: Resolve, *, partial: bool = False
) -> Typed:
    """Understand options that were filled in one by one, nested as an interaction nests them; values may be text.

    Each value is held to its option's rules. ``partial`` is a command still being filled in: what is wrong or
    missing so far is left out. Raises CommandSyntaxError, which names the option.
    """
    return Typed(command, _read_given(command, given, f"/{command['name']}", resolve, partial=partial))


def _read_given(
    holder: JsonObject, given: Iterable[JsonObject], typed: str, resolve: Resolve, *, partial: bool
) -> list[JsonObject]:
    known = {option["name"]: option for option in holder.get("options") or ()}
    result: list[JsonObject] = []
    for entry in given:
        name = str(entry.get("name"))
        option = known.get(name)
        if option is None:
            raise CommandSyntaxError(f"{typed} has no option {name!r}", name)
        read: JsonObject = {"name": name, "type": option["type"]}
        if option["type"] in (SUBCOMMAND, GROUP):
            inner = entry.get("options") or ()
            read["options"] = _read_given(option, inner, f"{typed} {name}", resolve, partial=partial)
        elif partial and entry.get("focused"):
            read |= {"value": str(entry.get("value", "")), "focused": True}
        else:
            try:
                read["value"] = _given_value(option, entry.get("value", ""), typed, resolve)
            except CommandSyntaxError as error:
                if partial:
                    continue
                raise CommandSyntaxError(str(error), name) from None
        result.append(read)
    _check_whole(known, result, typed, partial=partial)
    return result


def _check_whole(known: dict[str, JsonObject], given: list[JsonObject], typed: str, *, partial: bool) -> None:
    if partial:
        return
    names = {option["name"] for option in given}
    for name, option in known.items():
        if option.get("required") and name not in names:
            raise CommandSyntaxError(f"{name} is required", name)
    if not given and any(option["type"] in (SUBCOMMAND, GROUP) for option in known.values()):
        raise CommandSyntaxError(f"{typed} needs one of: {', '.join(known)}")


def _given_value(option: JsonObject, value: object, typed: str, resolve: Resolve) -> Any:
    if option["type"] == ATTACHMENT:
        return str(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return _value(option, text, typed, resolve)


def _kinds(depth: int) -> tuple[int, ...]:
    return (GROUP, SUBCOMMAND) if depth == 2 else (SUBCOMMAND,) * depth


def _descend(command: JsonObject, rest: str) -> tuple[list[str], JsonObject, str]:
    """Follow group and subcommand names; gives them, what holds the options, and the rest of the line."""
    path: list[str] = []
    holder = command
    while any(option["type"] in (SUBCOMMAND, GROUP) for option in holder.get("options") or ()):
        word, _, remaining = rest.strip().partition(" ")
        inner = next((option for option in holder["options"] if option["name"] == word), None)
        if inner is None:
            known = ", ".join(option["name"] for option in holder["options"])
            typed = " ".join(["/" + command["name"], *path])
            raise CommandSyntaxError(f"{typed} needs one of: {known}")
        path.append(word)
        holder, rest = inner, remaining
    return path, holder, rest


def _read_options(
    text: str, known: list[JsonObject], typed: str, resolve: Resolve, *, partial: bool
) -> list[JsonObject]:
    by_name = {option["name"]: option for option in known}
    values = _split(text, by_name, typed)
    result: list[JsonObject] = []
    for index, (name, value) in enumerate(values):
        option = by_name[name]
        entry: JsonObject = {"name": name, "type": option["type"]}
        if partial and index == len(values) - 1:
            if not option.get("autocomplete"):
                raise CommandSyntaxError(f"{name} of {typed} offers no suggestions")
            entry |= {"value": value, "focused": True}
        else:
            entry["value"] = _value(option, value, typed, resolve)
        result.append(entry)
    given = {name for name, _ in values}
    missing = [option["name"] for option in known if option.get("required") and option["name"] not in given]
    if missing and not partial:
        raise CommandSyntaxError(f"{typed} needs {', '.join(missing)}: write {missing[0]}:…")
    return result


def _split(text: str, by_name: dict[str, JsonObject], typed: str) -> list[tuple[str, str]]:
    """Cut the line into names and texts; a text runs on to the next known option, or stands in quotes."""
    found: list[tuple[str, str]] = []
    rest = text.lstrip()
    while rest:
        match = _OPTION.match(rest)
        name = match.group(1) if match else rest.split()[0]
        if match is None or name not in by_name:
            known = ", ".join(f"{option}:" for option in by_name) or "it takes none"
            raise CommandSyntaxError(f"{typed} has no option {name!r}; known: {known}")
        if any(name == earlier for earlier, _ in found):
            raise CommandSyntaxError(f"{name} is given twice")
        value, rest = _take_value(rest[match.end() :], by_name)
        found.append((name, value))
    return found


def _take_value(text: str, by_name: dict[str, JsonObject]) -> tuple[str, str]:
    stripped = text.lstrip()
    if stripped.startswith('"'):
        quoted = re.match(r'"((?:[^"\\]|\\.)*)"', stripped, re.DOTALL)
        if quoted is not None:
            return re.sub(r"\\(.)", r"\1", quoted.group(1)), stripped[quoted.end() :].lstrip()
    for match in re.finditer(r"(?:^|\s)([-_'\w]+):", text):
        if match.group(1) in by_name:
            return text[: match.start()].strip(), text[match.start() :].lstrip()
    return text.strip(), ""


def _value(option: JsonObject, text: str, typed: str, resolve: Resolve) -> Any:
    """The text as the option's type; within its choices, lengths and bounds."""
    name, kind = option["name"], option["type"]
    if text == "":
        raise CommandSyntaxError(f"{name} of {typed} is empty")
    if option.get("choices"):
        return _choice(option, text)
    match kind:
        case 3:
            return _text(option, text)
        case 4 | 10:
            return _number(option, text)
        case 5:
            if text.lower() not in ("true", "false"):
                raise CommandSyntaxError(f"{name} is True or False")
            return text.lower() == "true"
        case 6 | 7 | 8 | 9:
            found = resolve(kind, text)
            if found is None:
                raise CommandSyntaxError(f"{name}: {text!r} is nobody and nothing that is known here")
            return str(found)
    raise CommandSyntaxError(f"{name} cannot be typed in a line; send it raw")


def _choice(option: JsonObject, text: str) -> Any:
    for choice in option["choices"]:
        if text.lower() in (str(choice["name"]).lower(), str(choice["value"]).lower()):
            return choice["value"]
    known = ", ".join(str(choice["name"]) for choice in option["choices"])
    raise CommandSyntaxError(f"{option['name']} is one of: {known}")


def _text(option: JsonObject, text: str) -> str:
    shortest, longest = option.get("min_length") or 0, option.get("max_length") or 6_000
    if not shortest <= len(text) <= longest:
        raise CommandSyntaxError(f"{option['name']} has {shortest} to {longest} characters")
    return text


def _number(option: JsonObject, text: str) -> int | float:
    whole = option["type"] == INTEGER
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        raise CommandSyntaxError(f"{option['name']} is a {'whole ' if whole else ''}number") from None
    least, most = option.get("min_value", -_LARGEST), option.get("max_value", _LARGEST)
    if not least <= value <= most:
        raise CommandSyntaxError(f"{option['name']} is between {least} and {most}")
    return value


def mentioned_id(text: str) -> int | None:
    """The identifier in a mention or in digits alone."""
    match = _MENTION.fullmatch(text)
    if match is not None:
        return int(match.group(1))
    return int(text) if text.isdigit() else None
