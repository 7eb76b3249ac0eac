"""Callbacks, follow-ups, and what the person sees of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sandbox.clock import Clock
from sandbox.exchange import Exchange, InteractionKind
from sandbox.people import NotClickable
from sandbox.server import LocalDiscord

from .clients import Answer, Place, Rest, settle

BUTTONS: list[dict[str, Any]] = [
    {
        "type": 1,
        "components": [
            {"type": 2, "style": 1, "label": "Next", "custom_id": "next"},
            {"type": 2, "style": 5, "label": "Open", "url": "https://example.com"},
            {"type": 2, "style": 1, "label": "Off", "custom_id": "off", "disabled": True},
        ],
    }
]


@pytest.fixture
async def local() -> AsyncIterator[LocalDiscord]:
    async with LocalDiscord(clock=Clock()) as server:
        yield server


@pytest.fixture
def place(local: LocalDiscord) -> Place:
    return settle(local)


class Bot:
    """Answers one exchange over REST."""

    def __init__(self, rest: Rest, exchange: Exchange) -> None:
        self.rest = rest
        self.exchange = exchange

    async def callback(self, kind: int, data: Any = None, *, query: str = "?with_response=1") -> Answer:
        body = {"type": kind} if data is None else {"type": kind, "data": data}
        path = f"/interactions/{self.exchange.interaction_id}/{self.exchange.token}/callback{query}"
        return await self.rest("POST", path, body)

    async def hook(self, method: str, tail: str = "", body: Any = None) -> Answer:
        return await self.rest(
            method, f"/webhooks/{self.rest.local.application_id}/{self.exchange.token}{tail}", body
        )


@pytest.fixture
async def bot(rest: Rest, local: LocalDiscord, place: Place) -> Bot:
    return Bot(rest, await local.send_command(place.user, place.channel, "signals reddit"))


async def test_a_callback_with_response(bot: Bot, place: Place) -> None:
    answer = await bot.callback(4, {"content": "hello", "flags": 64})
    message = await bot.exchange.wait_message()
    assert answer.status == 200
    assert answer.body["interaction"] == {
        "id": str(bot.exchange.interaction_id),
        "type": 2,
        "channel_id": str(place.channel.id),
        "guild_id": str(place.guild.id),
        "response_message_id": str(message.id),
        "response_message_loading": False,
        "response_message_ephemeral": True,
    }
    assert answer.body["resource"]["message"]["interaction_metadata"]["name"] == "signals reddit"
    assert answer.headers["Content-Type"] == "application/json"
    assert (bot.exchange.ephemeral, bot.exchange.deferred, bot.exchange.callback) == (
        True,
        False,
        {"type": 4, "data": {"content": "hello", "flags": 64}},
    )


async def test_only_the_first_acknowledgement_counts(bot: Bot) -> None:
    assert (await bot.callback(5, query="")).status == 204
    again = await bot.callback(4, {"content": "too late"})
    assert (again.status, again.body["code"]) == (400, 40060)


async def test_three_seconds_to_acknowledge(bot: Bot, local: LocalDiscord) -> None:
    local.clock.advance(3.1)
    late = await bot.callback(5)
    assert (late.status, late.body) == (404, {"message": "Unknown interaction", "code": 10062})
    assert not bot.exchange.acknowledged.is_set()
    assert (await bot.hook("POST", body={"content": "x"})).body["code"] == 10015


async def test_a_wrong_token_is_an_unknown_interaction(bot: Bot, rest: Rest) -> None:
    answer = await rest("POST", f"/interactions/{bot.exchange.interaction_id}/wrong/callback", {"type": 5})
    assert answer.body["code"] == 10062


async def test_a_token_lives_fifteen_minutes(bot: Bot, local: LocalDiscord) -> None:
    await bot.callback(5)
    local.clock.advance(880)
    assert (await bot.hook("PATCH", "/messages/@original", {"content": "in time"})).status == 200
    local.clock.advance(30)
    answer = await bot.hook("PATCH", "/messages/@original", {"content": "late"})
    assert (answer.status, answer.body) == (401, {"message": "Invalid Webhook Token", "code": 50027})


@pytest.mark.parametrize("flags", [0, 64])
async def test_the_deferral_decides_who_sees_the_answer(bot: Bot, flags: int) -> None:
    await bot.callback(5, {"flags": flags})
    assert bot.exchange.messages[0].loading
    first = await bot.hook("POST", body={"content": "first", "flags": 64 - flags})
    message = await bot.exchange.wait_message()
    assert (message.content, message.ephemeral) == ("first", bool(flags))
    assert first.body["id"] == str(message.id)
    second = await bot.hook("POST", body={"content": "second", "flags": 64})
    assert second.body["flags"] & 64
    assert [m.content for m in bot.exchange.messages] == ["first", "second"]


@pytest.mark.parametrize("flags", [1 << 15, 4, 64 | 1 << 15])
async def test_a_deferral_may_carry_the_ephemeral_flag_only(bot: Bot, flags: int) -> None:
    answer = await bot.callback(5, {"flags": flags})
    assert (answer.status, answer.body["code"]) == (400, 50035)
    assert len(bot.rest.local.violations) == 1
    assert not bot.exchange.acknowledged.is_set()


async def test_original_and_follow_ups_are_read_edited_and_deleted(bot: Bot) -> None:
    await bot.callback(4, {"content": "one"})
    followed = (await bot.hook("POST", body={"content": "two"})).body
    assert (await bot.hook("GET", "/messages/@original")).body["content"] == "one"
    edited = await bot.hook("PATCH", f"/messages/{followed['id']}", {"content": "three"})
    assert edited.body["edited_timestamp"] is not None
    assert (await bot.hook("DELETE", "/messages/@original")).status == 204
    assert (await bot.hook("GET", "/messages/@original")).body["code"] == 10008
    assert bot.exchange.messages[0].deleted
    bot.rest.local.clock.advance(2)
    assert (await bot.hook("GET", "/messages/123")).body["code"] == 10008
    assert [version.content for version in bot.exchange.messages[1].edits] == ["two", "three"]


async def test_a_follow_up_needs_an_acknowledged_interaction_and_its_application(bot: Bot, rest: Rest) -> None:
    assert (await bot.hook("POST", body={"content": "x"})).body["code"] == 10015
    assert (await rest("POST", f"/webhooks/1/{bot.exchange.token}", {"content": "x"})).body["code"] == 10015
    assert (await rest("POST", f"/webhooks/{rest.local.application_id}/wrong", {"content": "x"})).body[
        "code"
    ] == 50027


@pytest.mark.parametrize("kind", [1, 6, 7, 8, 12, 99, "x", None])
async def test_callback_types_that_a_command_does_not_allow(bot: Bot, kind: Any) -> None:
    answer = await bot.callback(kind, {"content": "x", "choices": []})
    assert (answer.status, answer.body["code"]) == (400, 50035)


async def test_who_may_click_what(bot: Bot, rest: Rest, local: LocalDiscord, place: Place) -> None:
    await bot.callback(4, {"content": "x", "components": BUTTONS, "flags": 64})
    message = await bot.exchange.wait_message()
    stranger = local.add_user("eve")
    place.guild.add_member(stranger)
    for user, which, reason in (
        (stranger, "next", "does not see"),
        (place.user, "off", "disabled"),
        (place.user, "nothing", "there are: 1 'Next', 2 'Off'"),
        (place.user, 3, "no component 3"),
    ):
        with pytest.raises(NotClickable, match=reason):
            await local.click(user, message, which)
    forged = await local.click(stranger, message, "forged", forge=True)
    assert forged.payload["data"] == {"custom_id": "forged", "component_type": 2, "id": 1}
    clicked = await local.click(place.user, message, 1)
    assert clicked.payload["data"]["custom_id"] == "next"
    assert clicked.payload["message"]["id"] == str(message.id)


async def test_an_update_changes_the_clicked_message(bot: Bot, rest: Rest, local: LocalDiscord, place: Place) -> None:
    await bot.callback(4, {"content": "one", "components": BUTTONS})
    message = await bot.exchange.wait_message()
    clicked = Bot(rest, await local.click(place.user, message, "next"))
    answer = await clicked.callback(7, {"content": "two", "components": []})
    assert answer.body["resource"]["message"]["id"] == str(message.id)
    assert (message.content, message.components, clicked.exchange.messages) == ("two", [], [message])


async def test_the_same_interaction_can_arrive_twice(local: LocalDiscord, place: Place, bot: Bot) -> None:
    again = await local.send_command(
        place.user, place.channel, "signals reddit", interaction_id=bot.exchange.interaction_id
    )
    assert again is bot.exchange


async def test_raw_options_and_overrides_go_as_they_are(local: LocalDiscord, place: Place) -> None:
    exchange = await local.send_command(
        place.user, place.channel, "signals nowhere", [{"name": "limit", "type": 3, "value": []}], locale="de"
    )
    assert exchange.payload["locale"] == "de"
    assert exchange.payload["data"]["options"] == [
        {"name": "nowhere", "type": 1, "options": [{"name": "limit", "type": 3, "value": []}]}
    ]


async def test_direct_messages_and_their_owners(local: LocalDiscord) -> None:
    user = local.add_user("ada")
    there = await local.send_command(user, local.dm(user), "help")
    assert (there.payload["context"], there.payload["authorizing_integration_owners"]) == (1, {"0": "0"})
    assert there.payload["user"]["id"] == str(user.id)
    assert "guild_id" not in there.payload
    local.install_for(user)
    between = local.world.dm_between(user, local.add_user("grace"))
    private = await local.send_command(user, between, "help")
    assert (private.payload["context"], private.payload["authorizing_integration_owners"]) == (2, {"1": str(user.id)})


async def test_autocomplete_answers_at_most_25_choices(local: LocalDiscord, place: Place, rest: Rest) -> None:
    option = {"name": "query", "type": 3, "value": "ru", "focused": True}
    exchange = await local.send_command(
        place.user, place.channel, "signals", [option], kind=InteractionKind.AUTOCOMPLETE
    )
    bot = Bot(rest, exchange)
    many = [{"name": str(n), "value": str(n)} for n in range(26)]
    assert (await bot.callback(8, {"choices": many})).status == 400
    assert (await bot.callback(8, {"choices": [{"name": "x" * 101, "value": "x"}]})).status == 400
    assert (await bot.callback(8, {"choices": [{"name": "a", "value": 1}]})).status == 400
    answer = await bot.callback(8, {"choices": many[:25]})
    assert answer.status == 200
    assert exchange.choices == many[:25]


async def test_clients_without_credentials_can_answer(bot: Bot, local: LocalDiscord) -> None:
    path = f"{local.api_url}/interactions/{bot.exchange.interaction_id}/{bot.exchange.token}/callback"
    async with aiohttp.ClientSession() as session, session.post(path, json={"type": 5}) as response:
        assert response.status == 204
