"""Digests from the schedule or an agent to the channel, by a whole bot before a local Discord."""

import asyncio
from datetime import timedelta
from typing import Any

import discord
import pytest

from agents.events import (
    SIGNALS_DISCOVERED,
    WORKFLOW_STARTED,
    SignalsDiscovered,
    SourceRequest,
    WorkflowStarted,
    utc_now,
)
from bot.app import spot_of
from bot.digest_question import Spot
from bot.subscription import Subscription
from sandbox.guilds import Channel, Guild
from sandbox.messages import Message
from tests.bot.scene import FakeSource, Scene, found, text_of, until
from tests.bot.store.digest_store import ADA, plan

HOUR = timedelta(hours=1)


async def subscribe(scene: Scene, channel: Channel, *, due: bool = False, **values: Any) -> Subscription:
    guild_id = channel.guild_id
    assert guild_id is not None
    due_at = utc_now() - HOUR if due else utc_now() + HOUR
    made = plan(f"Digest {channel.name}", channel_id=channel.id, sources=({"name": "reddit"},), **values)
    return await scene.parts.subscriptions.add(guild_id, made, due_at, ADA)


async def posted(channel: Channel, count: int = 1) -> list[Message]:
    await until(lambda: len(channel.messages) >= count, timeout_s=10)
    return list(channel.messages.values())


async def test_what_is_due_is_posted_by_itself_once_and_the_next_run_is_set(scene: Scene) -> None:
    one = await subscribe(scene, scene.channel, due=True)
    scene.parts.scheduler.wake()
    (message,) = await posted(scene.channel)
    assert all(signal.title in text_of(message).replace("\\", "") for signal in found(10).signals[2:])
    known = await scene.parts.subscriptions.get(one.id)
    assert known is not None
    assert known.due_at is not None
    assert utc_now() < known.due_at <= utc_now() + 24 * HOUR
    assert known.ran_at is not None
    scene.parts.scheduler.wake()
    await asyncio.sleep(0.1)
    assert len(scene.channel.messages) == 1


async def test_an_agent_s_workflow_reaches_every_server_and_nothing_leads_nowhere(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="bot.delivery")
    other = scene.local.add_guild("Other", ["news"])
    await until(lambda: scene.bot.get_guild(other.id))
    await subscribe(scene, scene.channel)
    await subscribe(scene, other.first_text_channel())
    await scene.parts.bus.emit(WORKFLOW_STARTED, WorkflowStarted())
    await posted(scene.channel)
    await posted(other.first_text_channel())
    assert "response led nowhere" not in caplog.text


async def test_a_workflow_may_have_the_sources_looked_at_without_any_digest(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    discovered: list[SignalsDiscovered] = []

    async def on_signals_discovered(event: SignalsDiscovered) -> None:
        discovered.append(event)

    scene.parts.bus.subscribe(SIGNALS_DISCOVERED, on_signals_discovered)
    named = (SourceRequest(name="hackernews"),)
    await scene.parts.bus.emit(
        WORKFLOW_STARTED, WorkflowStarted(auto_discovery=True, digests=False, sources=named, query="rust")
    )
    await until(lambda: discovered)
    assert {signal.source for signal in discovered[0].signals} == {"hackernews"}
    assert [question.query for question in sources["hackernews"].asked] == ["rust"]
    assert sources["reddit"].asked == []


async def test_digests_stop_at_once_where_the_bot_is_removed_and_go_on_when_it_is_back(scene: Scene) -> None:
    gone = scene.local.add_guild("Gone", ["news"])
    await until(lambda: scene.bot.get_guild(gone.id))
    one = await subscribe(scene, gone.first_text_channel(), due=True)
    scene.local.remove_guild(gone)
    async with asyncio.timeout(5):
        while (await scene.parts.guilds.data_of(gone.id)).removed_at is None:
            await asyncio.sleep(0.005)
    assert await scene.parts.subscriptions.due(utc_now(), 10) == ()
    await scene.parts.bus.emit(WORKFLOW_STARTED, WorkflowStarted(subscription_ids=(one.id,)))
    await scene.parts.bus.settled()
    assert await scene.parts.outbox.history(gone.id, 10) == ()
    await scene.parts.guilds.unmark(gone.id)
    assert [each.id for each in await scene.parts.subscriptions.due(utc_now(), 10)] == [one.id]


async def test_a_forum_gets_a_post_and_only_age_restricted_channels_what_is_not_safe_for_work(scene: Scene) -> None:
    forum = scene.guild.add_channel("ideas", kind="forum")
    adults = scene.guild.add_channel("adults", nsfw=True)
    client: discord.Client = scene.bot
    await until(lambda: client.get_channel(adults.id) and client.get_channel(forum.id))
    assert spot_of(client, scene.guild.id, scene.channel.id) == Spot()
    assert spot_of(client, scene.guild.id, adults.id) == Spot(age_restricted=True)
    assert spot_of(client, scene.guild.id, forum.id) == Spot(forum=True)
    assert spot_of(client, scene.guild.id, 5) == Spot()
    assert spot_of(client, 5, 5) is None
    await subscribe(scene, forum)
    await scene.parts.bus.emit(WORKFLOW_STARTED, WorkflowStarted())
    await until(lambda: [thread for thread in threads(scene.guild) if thread.messages], timeout_s=10)
    (post,) = threads(scene.guild)
    assert post.name.startswith("Digest ideas")


def threads(guild: Guild) -> list[Channel]:
    return [channel for channel in guild.channels.values() if channel.is_thread]


async def test_a_server_in_an_outage_is_waited_for(scene: Scene) -> None:
    scene.guild.set_unavailable()
    known = scene.bot.get_guild(scene.guild.id)
    await until(lambda: known is None or known.unavailable or scene.bot.get_guild(scene.guild.id) is None)
    assert spot_of(scene.bot, scene.guild.id, scene.channel.id) is None
    scene.guild.restore()
    await until(lambda: spot_of(scene.bot, scene.guild.id, scene.channel.id) == Spot())
