"""Routes, errors in Discord's shape, commands, messages and nonces."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sandbox.clock import Clock
from sandbox.messages import MessageFlags
from sandbox.server import LocalDiscord

from .clients import COMMANDS, Answer, Place, Rest, register, settle


@pytest.fixture
async def local() -> AsyncIterator[LocalDiscord]:
    async with LocalDiscord(clock=Clock(), enforce_limits=False) as server:
        yield server


@pytest.fixture
def place(local: LocalDiscord) -> Place:
    return settle(local)


async def test_addresses(rest: Rest, local: LocalDiscord) -> None:
    assert (await rest("GET", "/gateway")).body == {"url": local.gateway_url}
    answer = (await rest("GET", "/gateway/bot")).body
    assert answer["session_start_limit"]["max_concurrency"] == 1
    assert (await rest("GET", "/users/@me")).body["id"] == str(local.application_id)
    assert (await rest("GET", "/applications/@me")).body == (await rest("GET", "/oauth2/applications/@me")).body


@pytest.mark.parametrize("authorization", ["", "Bot wrong", "wrong", "Bearer token"])
async def test_a_wrong_token(rest: Rest, authorization: str) -> None:
    answer = await rest("GET", "/users/@me", headers={"Authorization": authorization})
    assert (answer.status, answer.body) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_unknown_places(rest: Rest, place: Place) -> None:
    app = f"/applications/{rest.local.application_id}"
    for method, path, status, code in (
        ("GET", "/nowhere", 404, 0),
        ("PUT", "/users/@me", 405, 0),
        ("GET", "/channels/1", 404, 10003),
        ("GET", "/channels/x", 404, 10003),
        ("GET", "/guilds/1", 404, 10004),
        ("GET", "/users/1", 404, 10013),
        ("GET", f"/guilds/{place.guild.id}/members/1", 404, 10007),
        ("GET", f"/guilds/{place.guild.id}/members", 403, 50001),
        ("GET", f"/channels/{place.channel.id}/messages/1", 404, 10008),
        ("GET", f"{app}/commands/1", 404, 10063),
        ("GET", f"{app}/guilds/1/commands", 403, 50001),
        ("POST", f"/channels/{place.channel.id}/messages", 400, 50006),
    ):
        answer = await rest(method, path)
        assert (answer.status, answer.body["code"]) == (status, code), path


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        ({"Content-Type": "application/json"}, b"{"),
        ({"Content-Type": "application/json"}, b"[]"),
        ({"Content-Type": "text/plain"}, b"{}"),
    ],
)
async def test_bodies_that_are_no_json(rest: Rest, place: Place, headers: dict[str, str], data: bytes) -> None:
    answer = await rest("POST", f"/channels/{place.channel.id}/messages", headers=headers, data=data)
    assert answer.status == 400
    assert answer.body["code"] in (50109, 50035)


async def test_commands_are_replaced_compared_and_counted(rest: Rest, local: LocalDiscord) -> None:
    first = (await register(rest)).body
    second = (await register(rest)).body
    assert first == second
    changed = [{**COMMANDS[0], "description": "Other"}, *COMMANDS[1:]]
    third = (await register(rest, changed)).body
    assert third[0]["id"] == first[0]["id"]
    assert third[0]["version"] != first[0]["version"]
    assert third[1] == first[1]
    listed = (await rest("GET", f"/applications/{local.application_id}/commands")).body
    assert [command["name"] for command in listed] == ["signals", "give", "admin"]
    assert (listed[0]["contexts"], listed[0]["integration_types"], listed[2]["dm_permission"]) == (None, [0], False)
    assert await _registered(rest, []) == 0


async def _registered(rest: Rest, definitions: list[dict[str, Any]]) -> int:
    answer = await rest("PUT", f"/applications/{rest.local.application_id}/commands", definitions)
    return len(answer.body) if answer.status == 200 else -answer.status


async def test_200_creations_a_day(rest: Rest, local: LocalDiscord, place: Place) -> None:
    def named(start: int) -> list[dict[str, Any]]:
        return [{"name": f"c{n}", "description": "x"} for n in range(start, start + 100)]

    assert await _registered(rest, named(0)) == 100
    assert await _registered(rest, named(0)) == 100
    assert await _registered(rest, named(100)) == 100
    assert await _registered(rest, named(101)) == -429
    path = f"/applications/{local.application_id}/guilds/{place.guild.id}/commands"
    assert len((await rest("PUT", path, named(0))).body) == 100
    local.clock.advance(86_400)
    assert await _registered(rest, named(101)) == 100


async def test_single_commands(rest: Rest, local: LocalDiscord, place: Place) -> None:
    for base in (
        f"/applications/{local.application_id}/commands",
        f"/applications/{local.application_id}/guilds/{place.guild.id}/commands",
    ):
        created = await rest("POST", base, COMMANDS[1])
        again = await rest("POST", base, COMMANDS[1])
        assert (created.status, again.status) == (201, 200)
        path = f"{base}/{created.body['id']}"
        assert (await rest("PATCH", path, {"description": "Changed"})).body["description"] == "Changed"
        assert (await rest("GET", path)).body["description"] == "Changed"
        assert (await rest("DELETE", path)).status == 204
        assert (await rest("GET", path)).status == 404


async def test_a_nonce_is_enforced_for_a_while(rest: Rest, local: LocalDiscord, place: Place) -> None:
    first = (await rest.post(place.channel, content="a", nonce="n1", enforce_nonce=True)).body
    second = (await rest.post(place.channel, content="b", nonce="n1", enforce_nonce=True)).body
    assert (second["id"], second["content"], second["nonce"]) == (first["id"], "a", "n1")
    assert (await rest.post(place.channel, content="c", nonce="n1")).body["id"] != first["id"]
    local.clock.advance(200)
    assert (await rest.post(place.channel, content="d", nonce="n1", enforce_nonce=True)).body["id"] != first["id"]
    assert (await rest.post(place.channel, content="x", nonce="n" * 26)).body["code"] == 50035


async def test_whose_messages_may_be_changed(rest: Rest, local: LocalDiscord, place: Place) -> None:
    spoken = await local.say(place.user, place.channel, "mine")
    path = f"/channels/{place.channel.id}/messages/{spoken.id}"
    assert (await rest("PATCH", path, {"content": "x"})).body["code"] == 50005
    assert (await rest("DELETE", path)).body["code"] == 50013
    place.guild.set_bot_permissions({"manage_messages"})
    assert (await rest("DELETE", path)).status == 204


async def test_history_hides_what_needs_the_content_intent(rest: Rest, local: LocalDiscord, place: Place) -> None:
    await local.say(place.user, place.channel, "hidden")
    await local.say(place.user, place.channel, "to <@bot>")
    own = (await rest.post(place.channel, content="own")).body
    listed = (await rest("GET", f"/channels/{place.channel.id}/messages")).body
    assert [message["content"] for message in listed] == ["own", f"to {local.bot_user.mention}", ""]
    before = (await rest("GET", f"/channels/{place.channel.id}/messages?limit=1&before={own['id']}")).body
    assert [message["id"] for message in before] == [listed[1]["id"]]
    after = (await rest("GET", f"/channels/{place.channel.id}/messages?after={listed[1]['id']}")).body
    assert [message["id"] for message in after] == [own["id"]]
    assert (await rest("GET", f"/channels/{place.channel.id}/messages?limit=101")).status == 400


async def test_mentions_ping_only_whom_they_may(rest: Rest, local: LocalDiscord, place: Place) -> None:
    text = f"{place.user.mention} @everyone"

    async def pinged(**body: Any) -> tuple[list[str], bool]:
        answer = (await rest.post(place.channel, content=text, **body)).body
        return [user["username"] for user in answer["mentions"]], answer["mention_everyone"]

    assert await pinged() == (["ada"], True)
    assert await pinged(allowed_mentions={"parse": []}) == ([], False)
    assert await pinged(allowed_mentions={"parse": [], "users": [str(place.user.id)]}) == (["ada"], False)
    place.guild.update_role(place.guild.everyone, permissions={"view_channel", "send_messages"})
    assert await pinged() == (["ada"], False)


async def test_files(rest: Rest, local: LocalDiscord, place: Place) -> None:
    def form(size: int) -> aiohttp.FormData:
        data = aiohttp.FormData(quote_fields=False)
        data.add_field(
            "payload_json",
            '{"embeds": [{"image": {"url": "attachment://a.png"}}], "attachments": [{"id": 0, "filename": "a.png"}]}',
        )
        data.add_field("files[0]", io.BytesIO(b"x" * size), filename="a.png", content_type="image/png")
        return data

    path = f"/channels/{place.channel.id}/messages"
    message = (await rest("POST", path, data=form(10))).body
    assert message["attachments"][0]["size"] == 10
    assert message["embeds"][0]["image"]["url"] == message["attachments"][0]["url"]
    async with rest.session.get(message["attachments"][0]["url"]) as response:
        assert (await response.read(), response.headers["Content-Type"]) == (b"x" * 10, "image/png")
    large = await rest("POST", path, data=form(10 * 1024 * 1024 + 1))
    assert (large.status, large.body["code"]) == (413, 40005)
    edited = await rest("PATCH", f"{path}/{message['id']}", {"attachments": [], "content": "none"})
    assert edited.body["attachments"] == []


async def test_threads_and_forums(rest: Rest, place: Place) -> None:
    forum = place.guild.add_channel("forum", "forum")
    assert (await rest.post(forum, content="x")).body["code"] == 50008
    post = await rest("POST", f"/channels/{forum.id}/threads", {"name": "idea", "message": {"content": "x"}})
    assert (post.status, post.body["parent_id"], post.body["message"]["content"]) == (201, str(forum.id), "x")
    assert (await rest("POST", f"/channels/{forum.id}/threads", {"name": "idea", "message": {}})).status == 400
    assert post.body["message"]["id"] == post.body["id"], "the first message of a post has the post's id"
    message = (await rest.post(place.channel, content="x")).body
    thread = await rest("POST", f"/channels/{place.channel.id}/messages/{message['id']}/threads", {"name": "about"})
    assert thread.body["id"] == message["id"]
    archived = place.guild.add_channel("old", "thread", parent=place.channel)
    place.guild.update_channel(archived, archived=True)
    assert (await rest.post(archived, content="back")).status == 200
    assert not archived.archived
    place.guild.update_channel(archived, locked=True)
    assert (await rest.post(archived, content="x")).body["code"] == 50083


async def test_a_post_in_a_forum_needs_the_permission_to_send_and_none_to_make_threads(
    rest: Rest, place: Place
) -> None:
    forum = place.guild.add_channel("forum", "forum")
    body = {"name": "idea", "message": {"content": "x"}}
    place.guild.overwrite(forum, place.guild.everyone, deny=["create_public_threads"])
    assert (await rest("POST", f"/channels/{forum.id}/threads", body)).status == 201
    place.guild.overwrite(forum, place.guild.everyone, deny=["send_messages"])
    assert (await rest("POST", f"/channels/{forum.id}/threads", body)).body["code"] == 50013


async def test_a_role_is_called_where_it_is_allowed_and_the_bot_may(rest: Rest, place: Place) -> None:
    place.guild.overwrite(place.channel, place.guild.everyone, deny=["mention_everyone"])
    closed, open_to_all = place.guild.add_role("closed"), place.guild.add_role("open", mentionable=True)
    content = f"<@&{closed.id}> <@&{open_to_all.id}>"
    both = {"parse": [], "roles": [str(closed.id), str(open_to_all.id)]}
    assert (await rest.post(place.channel, content=content, allowed_mentions={"parse": []})).body[
        "mention_roles"
    ] == []
    told = (await rest.post(place.channel, content=content, allowed_mentions=both)).body
    assert told["mention_roles"] == [str(open_to_all.id)]
    place.guild.overwrite(place.channel, place.guild.everyone, allow=["mention_everyone"])
    told = (await rest.post(place.channel, content=content, allowed_mentions=both)).body
    assert told["mention_roles"] == [str(closed.id), str(open_to_all.id)]


async def test_a_forums_posts_have_its_tags(rest: Rest, place: Place) -> None:
    forum = place.guild.add_channel("forum", "forum")
    news, staff = place.guild.add_tag(forum, "news"), place.guild.add_tag(forum, "staff", moderated=True)
    path = f"/channels/{forum.id}/threads"

    async def post(*tags: object) -> Answer:
        return await rest("POST", path, {"name": "x", "message": {"content": "x"}, "applied_tags": list(tags)})

    assert (await post(str(news.id))).body["applied_tags"] == [str(news.id)]
    assert (await post("1")).body["code"] == 10087
    assert (await post(str(staff.id))).body["code"] == 40066
    place.guild.set_bot_permissions(["manage_threads"])
    assert (await post(str(staff.id))).status == 201
    assert (await post()).status == 201
    place.guild.add_tag(forum, "must", required=True)
    assert (await post()).body["code"] == 40067
    assert [tag["name"] for tag in (await rest("GET", f"/channels/{forum.id}")).body["available_tags"]] == [
        "news", "staff", "must",
    ]  # fmt: skip


async def test_a_guild_names_the_channels_that_discord_itself_posts_in(rest: Rest, place: Place) -> None:
    path = f"/guilds/{place.guild.id}"
    assert (await rest("GET", path)).body["system_channel_id"] is None
    staff = place.guild.add_channel("staff")
    place.guild.set_special_channels(system=place.channel, public_updates=staff)
    told = (await rest("GET", path)).body
    assert (told["system_channel_id"], told["public_updates_channel_id"]) == (str(place.channel.id), str(staff.id))


async def test_direct_messages(rest: Rest, local: LocalDiscord, place: Place) -> None:
    opened = (await rest("POST", "/users/@me/channels", {"recipient_id": str(place.user.id)})).body
    assert opened["id"] == str(local.dm(place.user).id)
    assert (await rest.post(local.dm(place.user), content="hello")).status == 200
    assert (await rest("POST", "/users/@me/channels", {"recipient_id": "1"})).body["code"] == 10013
    between = local.world.dm_between(place.user, local.add_user("eve"))
    assert (await rest.post(between, content="x")).body["code"] == 50001


async def test_components_v2_is_for_good(rest: Rest, place: Place) -> None:
    shown = [{"type": 17, "components": [{"type": 10, "content": "text"}, {"type": 14}]}]
    flags = int(MessageFlags.COMPONENTS_V2)
    plain = (await rest.post(place.channel, content="x", embeds=[{"title": "t"}])).body
    path = f"/channels/{place.channel.id}/messages/"
    refused = await rest("PATCH", path + plain["id"], {"components": shown, "flags": flags})
    assert set(refused.body["errors"]) == {"content", "embeds"}
    cleared = {"components": shown, "flags": flags, "content": None, "embeds": []}
    assert (await rest("PATCH", path + plain["id"], cleared)).body["flags"] == flags
    again = await rest("PATCH", path + plain["id"], {"content": "x"})
    assert again.status == 400
    assert (await rest.post(place.channel, components=shown)).status == 400


async def test_requests_are_logged(rest: Rest, local: LocalDiscord, place: Place) -> None:
    await rest.post(place.channel, content="x")
    record = local.requests[-1]
    assert (record.method, record.route, record.body, record.status) == (
        "POST",
        "/channels/{channel_id}/messages",
        {"content": "x"},
        200,
    )


async def test_listeners_hear_everything_until_they_leave(rest: Rest, local: LocalDiscord, place: Place) -> None:
    heard: list[str] = []
    leave = local.subscribe(lambda happening: heard.append(happening.kind))
    message = (await rest.post(place.channel, content="x")).body
    await rest("PATCH", f"/channels/{place.channel.id}/messages/{message['id']}", {"content": "y"})
    await local.send_command(place.user, place.channel, "help")
    leave()
    await rest.post(place.channel, content="unheard")
    assert heard == ["message.created", "request", "message.edited", "request", "interaction.created"]
