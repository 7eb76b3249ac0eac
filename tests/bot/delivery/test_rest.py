"""One request, once, over real connections: what comes back is told whole, and what does not is told as that."""

from collections.abc import AsyncIterator

import pytest

from bot.delivery.outcomes import Sent, Unknown, of_reply
from bot.delivery.rest import DiscordRest, NoReply, NotReached
from sandbox.clock import Clock
from sandbox.faults import Fault
from sandbox.guilds import Guild
from sandbox.server import LocalDiscord
from tests.bot.delivery.fakes import body_of

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 5000


@pytest.fixture
async def local() -> AsyncIterator[LocalDiscord]:
    async with LocalDiscord(clock=Clock()) as server:
        yield server
        assert server.violations == []


@pytest.fixture
def guild(local: LocalDiscord) -> Guild:
    return local.add_guild("Test", ["general"])


@pytest.fixture
async def rest(local: LocalDiscord) -> AsyncIterator[DiscordRest]:
    async with DiscordRest(local.api_url, local.token) as made:
        yield made


def path(guild: Guild) -> str:
    return f"/channels/{guild.first_text_channel().id}/messages"


async def test_a_message_is_made_once_per_nonce(rest: DiscordRest, guild: Guild) -> None:
    body = {**body_of("n1"), "nonce": "n1", "enforce_nonce": True}
    first = await rest.request("POST", path(guild), body, timeout_s=5)
    second = await rest.request("POST", path(guild), body, timeout_s=5)
    assert (first.status, first.body["id"]) == (200, second.body["id"])
    assert len(guild.first_text_channel().messages) == 1
    assert first.headers["via"]


async def test_a_chart_is_attached_and_shown(rest: DiscordRest, guild: Guild) -> None:
    body = {
        **body_of("n1"),
        "embeds": [{"title": "x", "image": {"url": "attachment://chart.png"}}],
        "attachments": [{"id": 0, "filename": "chart.png", "description": "a line that rises"}],
    }
    reply = await rest.request("POST", path(guild), body, png=PNG, timeout_s=5)
    (message,) = guild.first_text_channel().messages.values()
    (file,) = message.attachments
    assert (file.filename, file.body, file.description) == ("chart.png", PNG, "a line that rises")
    assert message.embeds[0]["image"]["url"] == file.url
    assert isinstance(of_reply(reply), Sent)


async def test_a_forums_post_has_its_chart_too(rest: DiscordRest, guild: Guild) -> None:
    forum = guild.add_channel("forum", "forum")
    body = {"name": "Digest", "message": {**body_of("n1"), "attachments": [{"id": 0, "filename": "chart.png"}]}}
    reply = await rest.request("POST", f"/channels/{forum.id}/threads", body, png=PNG, timeout_s=5)
    (post,) = (channel for channel in guild.channels.values() if channel.is_thread)
    assert of_reply(reply) == Sent(post.id)
    assert post.messages[post.id].attachments[0].body == PNG


@pytest.mark.parametrize("status", [500, 502, 503, 520, 522])
async def test_a_failing_server_is_asked_once(
    rest: DiscordRest, local: LocalDiscord, guild: Guild, status: int
) -> None:
    local.faults.add(Fault("status", status=status, count=None))
    reply = await rest.request("POST", path(guild), body_of("n1"), timeout_s=5)
    assert isinstance(of_reply(reply), Unknown)
    assert len(local.requests) == 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncate", "hang", "hang_after"])
async def test_what_breaks_off_is_no_reply_and_is_not_repeated(
    rest: DiscordRest, local: LocalDiscord, guild: Guild, kind: str
) -> None:
    await rest.request("GET", "/users/@me", timeout_s=5)  # so that a connection is there to be dropped
    local.faults.add(Fault(kind, count=None))
    with pytest.raises(NoReply) as raised:
        await rest.request("POST", path(guild), body_of("n1"), timeout_s=0.1)
    assert not isinstance(raised.value, NotReached)
    assert len(local.requests) == 2


async def test_nobody_listening_is_certainly_not_reached(guild: Guild, local: LocalDiscord) -> None:
    async with DiscordRest("http://127.0.0.1:9/api/v10", "x") as nowhere:
        with pytest.raises(NotReached):
            await nowhere.request("POST", path(guild), body_of("n1"), timeout_s=5)


async def test_a_page_is_never_taken_for_json(rest: DiscordRest, local: LocalDiscord, guild: Guild) -> None:
    local.faults.add(Fault("garbage", status=200))
    reply = await rest.request("POST", path(guild), body_of("n1"), timeout_s=5)
    assert (reply.status, reply.body) == (200, None)


async def test_a_limit_is_told_at_once_and_slept_through_by_nobody(
    rest: DiscordRest, local: LocalDiscord, guild: Guild
) -> None:
    local.faults.add(Fault("rate_limit", retry_after_s=3600))
    reply = await rest.request("POST", path(guild), body_of("n1"), timeout_s=5)
    assert (reply.status, reply.body["retry_after"]) == (429, 3600)
    local.faults.add(Fault("rate_limit", retry_after_s=1, via=False))
    assert "via" not in (await rest.request("POST", path(guild), body_of("n1"), timeout_s=5)).headers


async def test_a_token_that_was_reset(rest: DiscordRest, local: LocalDiscord, guild: Guild) -> None:
    local.reset_token()
    assert (await rest.request("POST", path(guild), body_of("n1"), timeout_s=5)).status == 401


async def test_an_empty_bucket_says_for_how_long(rest: DiscordRest, guild: Guild) -> None:
    rests = [(await rest.request("POST", path(guild), body_of("n1"), timeout_s=5)).rest_s for _ in range(5)]
    assert rests[:4] == [0, 0, 0, 0]
    assert 4 < rests[4] <= 5
