"""Commands that stand in a message's menu rather than being typed."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.lines import CommandSyntaxError
from sandbox.people import NotClickable
from sandbox.server import LocalDiscord

from .clients import Place, Rest, register, settle

ON_MESSAGE: dict[str, Any] = {"name": "Explain this", "type": 3}
ON_PERSON: dict[str, Any] = {"name": "Who is it", "type": 2}
TYPED: dict[str, Any] = {"name": "ask", "description": "Ask"}


@pytest.fixture
def place(local: LocalDiscord) -> Place:
    return settle(local)


async def ids(rest: Rest, *definitions: dict[str, Any]) -> list[str]:
    """Of the commands, registered for everywhere."""
    answer = await register(rest, list(definitions))
    assert answer.status == 200, answer.body
    return [command["id"] for command in answer.body]


async def test_a_command_on_a_message_carries_the_message(local: LocalDiscord, rest: Rest, place: Place) -> None:
    (explain,) = await ids(rest, ON_MESSAGE)
    local.install_for(place.user)
    message = await local.say(place.user, place.channel, "hello")
    exchange = await local.use_on_message(place.user, message, explain)
    data, key = exchange.payload["data"], str(message.id)
    assert (data["id"], data["name"], data["type"], data["target_id"]) == (explain, "Explain this", 3, key)
    assert data["resolved"]["messages"][key]["content"] == "hello"
    assert exchange.payload["authorizing_integration_owners"] == {"0": str(place.guild.id)}


async def test_a_command_that_is_not_found_is_refused(local: LocalDiscord, rest: Rest, place: Place) -> None:
    explain, manage = await ids(
        rest, ON_MESSAGE, {"name": "Manage this", "type": 3, "default_member_permissions": "32"}
    )
    message = await local.say(place.user, place.channel, "hello")
    for command_id in (manage, "1"):
        with pytest.raises(CommandSyntaxError, match="finds no such command on messages"):
            await local.use_on_message(place.user, message, command_id)
    place.guild.overwrite(place.channel, place.user, deny={"use_application_commands"})
    with pytest.raises(CommandSyntaxError, match="may not use commands"):
        await local.use_on_message(place.user, message, explain)


async def test_a_servers_own_command_is_not_found_in_another(local: LocalDiscord, rest: Rest, place: Place) -> None:
    path = f"/applications/{local.application_id}/guilds/{place.guild.id}/commands"
    explain = (await rest("PUT", path, [ON_MESSAGE])).body[0]["id"]
    other = local.add_guild("Other")
    other.add_member(place.user)
    here = await local.say(place.user, place.channel, "hello")
    there = await local.say(place.user, other.first_text_channel(), "hello")
    exchange = await local.use_on_message(place.user, here, explain)
    assert exchange.payload["data"]["guild_id"] == str(place.guild.id)
    with pytest.raises(CommandSyntaxError, match="finds no such command"):
        await local.use_on_message(place.user, there, explain)


async def test_each_type_is_used_in_its_own_way_only(local: LocalDiscord, rest: Rest, place: Place) -> None:
    known = await ids(rest, TYPED, ON_PERSON, ON_MESSAGE)
    ask, who, explain = known
    message = await local.say(place.user, place.channel, "hello")
    assert [command["id"] for command in local.findable(place.user, place.channel)] == known
    for command_id in (ask, who):
        with pytest.raises(CommandSyntaxError, match="finds no such command on messages"):
            await local.use_on_message(place.user, message, command_id)
    for command_id in (who, explain):
        with pytest.raises(CommandSyntaxError, match="not offered"):
            await local.use_command(place.user, place.channel, command_id, [])
    with pytest.raises(CommandSyntaxError, match=r"known: /ask$"):
        await local.type_command(place.user, place.channel, "/Explain this")


async def test_what_somebody_does_not_see_has_no_menu_for_them(local: LocalDiscord, rest: Rest, place: Place) -> None:
    _, explain = await ids(rest, TYPED, ON_MESSAGE)
    other = local.add_user("other")
    place.guild.add_member(other)
    asked = await local.type_command(place.user, place.channel, "/ask")
    callback = f"/interactions/{asked.interaction_id}/{asked.token}/callback"
    await rest("POST", callback, {"type": 4, "data": {"content": "only you", "flags": 64}})
    answer = await asked.wait_message()
    assert (await local.use_on_message(place.user, answer, explain)).payload["data"]["target_id"] == str(answer.id)
    with pytest.raises(NotClickable, match="does not see"):
        await local.use_on_message(other, answer, explain)
    await rest("DELETE", f"/webhooks/{local.application_id}/{asked.token}/messages/@original")
    with pytest.raises(NotClickable, match="gone"):
        await local.use_on_message(place.user, answer, explain)


async def test_its_answers_say_on_what_it_was_used_and_which_came_first(
    local: LocalDiscord, rest: Rest, place: Place
) -> None:
    (explain,) = await ids(rest, ON_MESSAGE)
    message = await local.say(place.user, place.channel, "hello")
    used = await local.use_on_message(place.user, message, explain)
    callback = f"/interactions/{used.interaction_id}/{used.token}/callback"
    await rest("POST", callback, {"type": 4, "data": {"content": "first"}})
    webhook = f"/webhooks/{local.application_id}/{used.token}"
    first = (await rest("GET", f"{webhook}/messages/@original")).body
    second = (await rest("POST", webhook, {"content": "second"})).body
    assert [one["interaction_metadata"]["target_message_id"] for one in (first, second)] == [str(message.id)] * 2
    assert first["message_reference"]["message_id"] == str(message.id)
    assert "original_response_message_id" not in first["interaction_metadata"]
    assert second["interaction_metadata"]["original_response_message_id"] == first["id"]
    assert "message_reference" not in second
