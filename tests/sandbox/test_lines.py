"""Typed lines, read as Discord's client reads them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sandbox.lines import CommandSyntaxError, read_line, read_options
from sandbox.server import LocalDiscord

from .clients import COMMANDS, Rest, register, settle


def resolve(kind: int, text: str) -> int | None:
    return {(6, "@ada"): 5, (7, "#general"): 6, (8, "@role"): 7}.get((kind, text))


def options_of(line: str) -> Any:
    typed = read_line(line, COMMANDS, resolve)
    options = typed.options
    while options and "options" in options[0]:
        options = options[0]["options"]
    return {option["name"]: option["value"] for option in options}


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("/signals reddit", {}),
        ("  /signals   reddit  ", {}),
        ("/signals reddit query:rust", {"query": "rust"}),
        ("/signals reddit query: rust in linux limit:7", {"query": "rust in linux", "limit": 7}),
        ('/signals reddit query:"limit:7 \\"x\\"" limit:7', {"query": 'limit:7 "x"', "limit": 7}),
        ("/signals reddit query:a:b http://x", {"query": "a:b http://x"}),
        ("/signals reddit timeframe:one day", {"timeframe": "24h"}),
        ("/signals reddit timeframe:7D", {"timeframe": "7d"}),
        ("/give who:@ada where:#general role:@role", {"who": "5", "where": "6", "role": "7"}),
        ("/give who:@ada sure:True ratio:0.5", {"who": "5", "sure": True, "ratio": 0.5}),
    ],
)
def test_lines_that_are_understood(line: str, options: dict[str, Any]) -> None:
    assert options_of(line) == options


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("signals", "begins with a slash"),
        ("/nothing", "no command /nothing; known: /signals, /give, /admin"),
        ("/signals", "/signals needs one of: reddit"),
        ("/signals news", "/signals needs one of: reddit"),
        ("/signals reddit nothing:1", "has no option 'nothing'; known: query:"),
        ("/signals reddit rust", "has no option 'rust'"),
        ("/signals reddit query:", "query of /signals reddit is empty"),
        ("/signals reddit query:a query:b", "given twice"),
        ("/signals reddit query:" + "x" * 21, "0 to 20 characters"),
        ("/signals reddit timeframe:8d", "one of: one day, 7d"),
        ("/signals reddit limit:0", "between 1 and 25"),
        ("/signals reddit limit:x", "whole number"),
        ("/give", "needs who"),
        ("/give who:@eve", "nobody"),
        ("/give who:@ada sure:maybe", "True or False"),
        ("/give who:@ada ratio:x", "is a number"),
    ],
)
def test_lines_that_are_not(line: str, reason: str) -> None:
    with pytest.raises(CommandSyntaxError, match=".*".join(map(_escaped, [reason]))):
        read_line(line, COMMANDS, resolve)


def _escaped(text: str) -> str:
    return text.replace("(", r"\(").replace(")", r"\)")


def test_a_line_still_being_typed() -> None:
    typed = read_line("/signals reddit query:x subreddit:ru", COMMANDS, resolve, partial=True)
    assert typed.options[0]["options"][1] == {"name": "subreddit", "type": 3, "value": "ru", "focused": True}
    empty = read_line("/signals reddit subreddit:", COMMANDS, resolve, partial=True)
    assert empty.options[0]["options"][0]["value"] == ""
    with pytest.raises(CommandSyntaxError, match="offers no suggestions"):
        read_line("/signals reddit query:x", COMMANDS, resolve, partial=True)


async def test_who_finds_which_commands(local: LocalDiscord, rest: Rest) -> None:
    place = settle(local)
    await register(rest)
    boss = local.add_user("boss")
    place.guild.add_member(boss, permissions={"manage_guild"})
    assert (await local.type_command(boss, place.channel, "/admin")).payload["data"]["name"] == "admin"
    with pytest.raises(CommandSyntaxError, match="no command /admin"):
        await local.type_command(place.user, place.channel, "/admin")
    with pytest.raises(CommandSyntaxError, match="no command /admin"):
        await local.type_command(boss, local.dm(boss), "/admin")
    elsewhere = local.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(boss)
    with pytest.raises(CommandSyntaxError, match="none is registered"):
        await local.type_command(boss, elsewhere.first_text_channel(), "/signals reddit")
    place.guild.overwrite(place.channel, place.user, deny={"use_application_commands"})
    with pytest.raises(CommandSyntaxError, match="may not use commands"):
        await local.type_command(place.user, place.channel, "/signals reddit")


async def test_only_installations_that_the_command_is_offered_for_are_named(local: LocalDiscord, rest: Rest) -> None:
    place = settle(local)
    local.install_for(place.user)
    await register(rest, [COMMANDS[1], {**COMMANDS[0], "integration_types": [0, 1]}])
    owners = []
    for line in ("/give who:ada", "/signals reddit"):
        exchange = await local.type_command(place.user, place.channel, line)
        owners.append(exchange.payload["authorizing_integration_owners"])
    guild, user = str(place.guild.id), str(place.user.id)
    assert owners == [{"0": guild}, {"0": guild, "1": user}]


async def test_permissions_arrive_as_discord_computes_them(local: LocalDiscord, rest: Rest) -> None:
    place = settle(local)
    await register(rest)
    role = place.guild.add_role("mods", permissions={"manage_messages"})
    place.guild.set_member_roles(place.user, [role])
    place.guild.overwrite(place.channel, place.guild.everyone, deny={"send_messages", "manage_messages"})
    place.guild.overwrite(place.channel, role, allow={"send_messages"})
    exchange = await local.type_command(place.user, place.channel, "/signals reddit")
    granted = int(exchange.payload["member"]["permissions"])
    assert granted & (1 << 11)
    assert not granted & (1 << 13)
    place.guild.overwrite(place.channel, place.user, deny={"send_messages"})
    again = await local.type_command(place.user, place.channel, "/signals reddit")
    assert not int(again.payload["member"]["permissions"]) & (1 << 11)
    assert int(again.payload["app_permissions"]) & (1 << 11) == 0


def by_name(name: str) -> dict[str, Any]:
    return next(command for command in COMMANDS if command["name"] == name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        ([{"name": "query", "value": "rust"}], [{"name": "query", "type": 3, "value": "rust"}]),
        ([{"name": "limit", "value": "7"}], [{"name": "limit", "type": 4, "value": 7}]),
        ([{"name": "limit", "value": 7}], [{"name": "limit", "type": 4, "value": 7}]),
        ([{"name": "timeframe", "value": "7d"}], [{"name": "timeframe", "type": 3, "value": "7d"}]),
    ],
)
def test_options_filled_in_one_by_one_are_read_like_typed_ones(given: Any, expected: Any) -> None:
    typed = read_options(by_name("signals"), [{"name": "reddit", "options": given}], resolve)
    assert typed.options == [{"name": "reddit", "type": 1, "options": expected}]


@pytest.mark.parametrize(
    ("name", "given", "option", "reason"),
    [
        ("signals", [], None, "needs one of: reddit"),
        ("signals", [{"name": "news"}], "news", "no option 'news'"),
        ("signals", [{"name": "reddit", "options": [{"name": "limit", "value": 0}]}], "limit", "between 1 and 25"),
        ("signals", [{"name": "reddit", "options": [{"name": "limit", "value": "x"}]}], "limit", "whole number"),
        ("signals", [{"name": "reddit", "options": [{"name": "query", "value": ""}]}], "query", "is empty"),
        ("signals", [{"name": "reddit", "options": [{"name": "timeframe", "value": "8d"}]}], "timeframe", "one of"),
        ("give", [], "who", "who is required"),
        ("give", [{"name": "who", "value": "nobody"}], "who", "nobody and nothing"),
    ],
)
def test_options_that_discord_would_not_send_are_refused_by_name(
    name: str, given: Any, option: str | None, reason: str
) -> None:
    with pytest.raises(CommandSyntaxError, match=re.escape(reason)) as refused:
        read_options(by_name(name), given, resolve)
    assert refused.value.option == option


def test_while_a_command_is_filled_in_what_is_wrong_so_far_is_left_out() -> None:
    given = [{"name": "limit", "value": "x"}, {"name": "query", "value": "ru", "focused": True}]
    typed = read_options(by_name("signals"), [{"name": "reddit", "options": given}], resolve, partial=True)
    assert typed.options[0]["options"] == [{"name": "query", "type": 3, "value": "ru", "focused": True}]
