"""What the bot may do is computed from what the gateway tells, and every change that matters is heard of."""

import asyncio
from collections.abc import AsyncIterator

import discord
import pytest

from agents.events import utc_now
from bot.delivery.access import ClientAccess
from bot.schedule import first_due
from bot.subscription import Plan, State
from sandbox.guilds import Channel, Overwrite
from sandbox.permissions import EVERYONE, MENTION_EVERYONE, SEND_MESSAGES
from tests.bot.conftest import Start
from tests.bot.scene import Scene, until

HISTORY = "read_message_history"


@pytest.fixture
async def access(scene: Scene) -> ClientAccess:
    return ClientAccess(scene.bot)


def may_post(scene: Scene, access: ClientAccess, channel: Channel, **more: object) -> bool:
    plan = Plan.model_validate({"name": "x", "channel_id": channel.id, **more})
    return access.may_post(scene.guild.id, plan)


async def test_history_is_read_only_where_it_surely_can_be(scene: Scene, access: ClientAccess) -> None:
    thread = scene.guild.add_channel("thread", "thread", parent=scene.channel)
    await until(lambda: scene.bot.get_channel(thread.id))
    for channel in (scene.channel, thread):
        assert access.may_read_back(scene.guild.id, channel.id)
        assert not access.may_read_back(scene.guild.id + 1, channel.id), "another server's channel is nobody's here"
    scene.guild.overwrite(scene.channel, scene.guild.everyone, deny=[HISTORY])
    await until(lambda: not access.may_read_back(scene.guild.id, scene.channel.id))
    assert not access.may_read_back(scene.guild.id, thread.id)
    assert not access.may_read_back(scene.guild.id, 1)


async def test_an_outage_leaves_nothing_known(scene: Scene, access: ClientAccess) -> None:
    scene.guild.set_unavailable()
    await until(lambda: access.may_read_back(scene.guild.id, scene.channel.id) is None)
    assert not may_post(scene, access, scene.channel)
    assert list(access.notice_places(scene.guild.id)) == []
    assert access.owner_id(scene.guild.id) is None
    scene.guild.restore()
    await until(lambda: may_post(scene, access, scene.channel))


async def test_an_archived_thread_takes_digests_unless_something_is_lacking(
    scene: Scene, access: ClientAccess
) -> None:
    thread = scene.guild.add_channel("thread", "thread", parent=scene.channel)
    await until(lambda: scene.bot.get_channel(thread.id))
    plan = Plan(name="x", channel_id=thread.id)
    assert not await access.is_archived_thread(scene.guild.id, plan), "it is open"
    scene.guild.update_channel(thread, archived=True)
    await until(lambda: not may_post(scene, access, thread))
    assert await access.is_archived_thread(scene.guild.id, plan)
    assert not await access.is_archived_thread(scene.guild.id, Plan(name="x", channel_id=1))
    assert not await access.is_archived_thread(1, plan)
    scene.guild.overwrite(scene.channel, scene.guild.everyone, deny=["send_messages_in_threads"])
    await until(lambda: not _in_threads(scene))
    assert not await access.is_archived_thread(scene.guild.id, plan)


def _in_threads(scene: Scene) -> bool:
    channel = scene.bot.get_channel(scene.channel.id)
    assert isinstance(channel, discord.TextChannel)
    return channel.permissions_for(channel.guild.me).send_messages_in_threads


async def test_a_role_that_cannot_be_mentioned_keeps_no_digest_away(scene: Scene, access: ClientAccess) -> None:
    scene.guild.update_role(scene.guild.everyone, permissions=EVERYONE & ~MENTION_EVERYONE)
    assert may_post(scene, access, scene.channel, role_id=4711)


async def test_places_for_admins_come_in_order_and_only_where_the_bot_may_post(
    scene: Scene, access: ClientAccess
) -> None:
    staff, closed = scene.guild.add_channel("staff"), scene.guild.add_channel("closed")
    scene.guild.overwrite(closed, scene.guild.everyone, deny=["embed_links"])
    scene.guild.set_special_channels(public_updates=staff, system=closed)
    await until(lambda: next(access.notice_places(scene.guild.id), None) == staff.id)
    assert list(access.notice_places(scene.guild.id)) == [staff.id, scene.channel.id]
    assert access.owner_id(scene.guild.id) == scene.guild.owner_id


@pytest.fixture
async def suspended(start: Start, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Scene, str]]:
    """A bot whose one digest was suspended in the life before, because its channel shuts it out."""
    monkeypatch.setattr("bot.delivery.reviving.GATHER_S", 0.0)
    async with start() as scene:
        plan = Plan(name="Morning", channel_id=scene.channel.id)
        due_at = first_due(plan.schedule, utc_now())
        one = await scene.parts.subscriptions.add(scene.guild.id, plan, due_at, scene.ada.id)
        await scene.parts.subscriptions.suspend(one.id, "no")
        scene.guild.overwrite(scene.channel, scene.guild.everyone, deny=["send_messages"])
    async with start() as scene:
        await asyncio.sleep(0.05)
        assert await state(scene, one.id) is State.SUSPENDED
        yield scene, one.id


async def state(scene: Scene, subscription_id: str) -> State:
    one = await scene.parts.subscriptions.get(subscription_id)
    assert one is not None
    return one.state


@pytest.mark.parametrize("change", ["overwrite", "role of the bot", "roles of the bot", "an outage ends"])
async def test_a_digest_resumes_when_the_gateway_tells_that_access_is_back(
    suspended: tuple[Scene, str], change: str
) -> None:
    scene, subscription_id = suspended
    guild, channel = scene.guild, scene.channel
    if change == "overwrite":
        guild.overwrite(channel, guild.everyone)
    elif change == "role of the bot":
        guild.set_bot_permissions(["administrator"])
    elif change == "roles of the bot":
        trusted = guild.add_role("trusted")
        channel.overwrites.append(Overwrite(trusted.id, 0, allow=SEND_MESSAGES))
        guild.update_channel(channel)
        known = scene.bot.get_channel(channel.id)
        assert isinstance(known, discord.TextChannel)
        await until(lambda: len(known.overwrites) == 2)
        await asyncio.sleep(0.05)
        assert await state(scene, subscription_id) is State.SUSPENDED
        guild.set_member_roles(scene.local.bot_user, [trusted])
    else:
        guild.set_unavailable()
        channel.overwrites = []
        guild.restore()
    async with asyncio.timeout(5):
        while await state(scene, subscription_id) is not State.ACTIVE:
            await asyncio.sleep(0.01)
