"""Text commands: by mention over the wire, and the same cogs on a plain bot, driven by dpytest."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import discord
import pytest
from discord.ext import commands

from agents.errors import Unreachable
from bot.app import assembled, load_cogs
from bot.failures import answer_failure
from bot.settings import Settings
from sandbox.guilds import Channel
from sandbox.messages import Message
from tests.bot.conftest import Start
from tests.bot.scene import FakeSource, Scene, custom_ids, text_of, until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # an invalid escape in its source; its kind differs between Pythons
    from discord.ext import test as dpytest

Sources = dict[str, FakeSource]

# -- over the wire


@pytest.fixture
async def reading(start: Start) -> AsyncIterator[Scene]:
    """A bot that reads messages which mention it."""
    async with start(text_commands=True) as scene:
        yield scene


async def said(scene: Scene, text: str, channel: Channel | None = None) -> Message:
    """What the bot says to a message in the end: an answer with buttons, or a notice."""
    place = channel or scene.channel
    before = set(place.messages)
    await scene.local.say(scene.ada, place, text)

    def answers() -> list[Message]:
        new = [message for number, message in place.messages.items() if number not in before]
        return [message for message in new if message.author.is_bot and _is_final(message)]

    await until(answers)
    (message,) = answers()
    return message


def _is_final(message: Message) -> bool:
    return bool(message.components) or "…" not in text_of(message)


async def test_a_mention_with_flags_is_answered_in_the_channel(reading: Scene, sources: Sources) -> None:
    message = await said(
        reading, "<@bot> signals reddit query: amber reddit timeframe: 7d limit: 3 subreddit: Python"
    )
    (question,) = sources["reddit"].asked
    assert (question.query, question.timeframe, dict(question.options)) == (
        "amber reddit",
        "7d",
        {"subreddit": "python"},
    )
    assert "last 7 days" in text_of(message)
    assert list(custom_ids(message)) == ["Ask again"]


async def test_what_stands_before_the_first_flag_is_the_query(reading: Scene, sources: Sources) -> None:
    await said(reading, "<@bot> signals hackernews amber story limit: 6")
    assert sources["hackernews"].asked[0].query == "amber story"


@pytest.mark.parametrize("text", ["<@bot>", " <@bot> ", "<@bot> signals"])
async def test_a_bare_mention_asks_the_default_source(reading: Scene, sources: Sources, text: str) -> None:
    message = await said(reading, text)
    assert len(sources["reddit"].asked) == 1
    assert "Reddit" in text_of(message)


async def test_pages_of_a_text_answer_turn_for_who_asked(reading: Scene) -> None:
    message = await said(reading, "<@bot> signals reddit limit: 12")
    await reading.press(message, custom_ids(message)["Next"])
    assert "Page 2/3" in text_of(message)
    pressed = await reading.press(message, custom_ids(message)["Next"], reading.person("grace"))
    assert pressed.ephemeral


async def test_in_direct_messages_it_is_the_same(reading: Scene, sources: Sources) -> None:
    message = await said(reading, "<@bot> signals all", reading.local.dm(reading.ada))
    assert "Signals" in text_of(message)
    answer = await reading.parts.answers.get(custom_ids(message)["Ask again"].split(":")[-1])
    assert answer is not None
    assert answer.tenant == f"user:{reading.ada.id}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<@bot> signals reddit timeframe: 2d", "timeframe is one of 1h, 6h, 24h, 48h, 7d, 30d"),
        ("<@bot> signals reddit limit: many", "limit is a whole number from 1 to 25"),
        ("<@bot> signals reddit limit: 26", "limit is a whole number from 1 to 25"),
        ("<@bot> signals reddit limit: " + "9" * 1900, "limit is a whole number from 1 to 25"),
        ("<@bot> signals reddit limit: -1", "limit is a whole number from 1 to 25"),
        ("<@bot> signals reddit limit: ²", "limit is a whole number from 1 to 25"),
        ("<@bot> signals reddit sort: worst", "sort is new or top"),
        ("<@bot> signals reddit limit:", "limit"),
        ("<@bot> signals reddit limit: 1 limit: 2", "more than once"),
        ("<@bot> signals reddit query: " + "x" * 201, "at most 200 characters"),
        ("<@bot> signals myspace", "no source “myspace”"),
        ("<@bot> wolves", "do not know this command"),
    ],
)
async def test_what_cannot_be_understood_is_answered_in_words(
    reading: Scene, text: str, words: str, sources: Sources
) -> None:
    message = await said(reading, text)
    assert words in text_of(message)
    assert not any(source.asked for source in sources.values())
    assert len(reading.channel.messages) == 2


@pytest.mark.parametrize("text", ["hello", "signals reddit", "<@1> signals reddit"])
async def test_other_peoples_talk_is_left_alone(reading: Scene, text: str) -> None:
    await reading.local.say(reading.ada, reading.channel, text)
    await said(reading, "<@bot> help")
    assert len(reading.channel.messages) == 3


async def test_help_explains_by_mention_too(reading: Scene) -> None:
    assert "/signals all" in text_of(await said(reading, "<@bot> help"))


async def test_progress_and_answer_are_edits_of_one_message(
    reading: Scene, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.delivery.answers.EDIT_PAUSE_S", 0.02)
    sources["reddit"].gate = asyncio.Event()
    await reading.local.say(reading.ada, reading.channel, "<@bot> signals all")
    await until(lambda: len(reading.channel.messages) == 2)
    message = list(reading.channel.messages.values())[-1]
    await until(lambda: "12 found" in text_of(message))
    sources["reddit"].gate.set()
    await until(lambda: message.components)
    assert len(reading.channel.messages) == 2


async def test_a_failure_takes_the_place_of_what_was_begun(
    reading: Scene, quiet_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug in drawing")

    monkeypatch.setattr(reading.parts.cards, "card", broken)
    await reading.local.say(reading.ada, reading.channel, "<@bot> signals reddit")
    await until(lambda: "our fault" in "".join(map(text_of, reading.channel.messages.values())))
    assert len(reading.channel.messages) == 2
    assert len([record for record in quiet_log.records if record.exc_info]) == 1
    quiet_log.clear()


@pytest.mark.parametrize("denied", ["send_messages", "embed_links", "view_channel"])
async def test_where_it_may_not_answer_nothing_breaks(
    reading: Scene, denied: str, quiet_log: pytest.LogCaptureFixture
) -> None:
    mute = reading.guild.add_channel("mute")
    reading.guild.overwrite(mute, reading.guild.everyone, deny={denied})
    for text in ("<@bot> signals reddit", "<@bot>", "<@bot> wolves"):
        await reading.local.say(reading.ada, mute, text)
    assert "Reddit" in text_of(await said(reading, "<@bot> signals reddit"))
    assert not [record for record in quiet_log.records if record.exc_info]


async def test_without_text_commands_a_mention_is_not_even_heard(scene: Scene, sources: Sources) -> None:
    await scene.local.say(scene.ada, scene.channel, "<@bot> signals reddit")
    await scene.answer("/signals news")
    assert sources["reddit"].asked == []


# -- the same cogs on a plain bot


class PlainBot(commands.Bot):
    """What dpytest can drive: one shard, members known."""

    async def on_command_error(self, context: commands.Context[Any], error: commands.CommandError, /) -> None:
        await answer_failure(context, error)


@pytest.fixture
async def plain(settings: Callable[..., Settings], faked: None) -> AsyncIterator[PlainBot]:
    asked = discord.Intents(guilds=True, guild_messages=True, members=True, message_content=True)
    bot = PlainBot(
        commands.when_mentioned,
        help_command=None,
        intents=asked,
        allowed_mentions=discord.AllowedMentions.none(),
    )
    async with assembled(settings()) as parts:
        await bot._async_setup_hook()
        await load_cogs(bot, parts)
        dpytest.configure(bot, members=["ada"])
        yield bot
        await dpytest.empty_queue()


def mention(bot: commands.Bot) -> str:
    assert bot.user is not None
    return f"<@{bot.user.id}>"


async def shown(bot: commands.Bot) -> discord.Embed:
    """The embed of the message that the bot sent, as it stands now."""
    sent = dpytest.get_message()
    channel = bot.get_channel(sent.channel.id)
    assert isinstance(channel, discord.TextChannel)
    (embed,) = (await channel.fetch_message(sent.id)).embeds
    return embed


async def test_dpytest_routes_to_the_source_named(plain: PlainBot, sources: Sources) -> None:
    await dpytest.message(f"{mention(plain)} signals news query: amber timeframe: 7d")
    embed = await shown(plain)
    assert "News" in str(embed.title)
    assert "amber" in str(embed.title)
    assert [len(source.asked) for source in sources.values()] == [0, 0, 1]


async def test_dpytest_a_bare_mention_asks_the_default_source(plain: PlainBot, sources: Sources) -> None:
    await dpytest.message(mention(plain))
    assert "Reddit" in str((await shown(plain)).title)
    assert dpytest.sent_queue.empty()


async def test_dpytest_embeds_say_how_each_source_did(plain: PlainBot, sources: Sources) -> None:
    sources["news"].outcome = Unreachable("News cannot be reached.")
    await dpytest.message(f"{mention(plain)} signals all")
    embed = await shown(plain)
    assert "News cannot be reached" in str(embed.fields[0].value)
    assert "▰" in str(embed.description)


async def test_dpytest_help_is_one_card(plain: PlainBot) -> None:
    await dpytest.message(f"{mention(plain)} help")
    assert "Signals Scout" in str((await shown(plain)).title)
    assert dpytest.sent_queue.empty()


async def test_dpytest_an_unknown_command_is_answered(plain: PlainBot) -> None:
    with pytest.raises(commands.CommandNotFound):
        await dpytest.message(f"{mention(plain)} wolves")
    assert "do not know" in str((await shown(plain)).title)


async def test_dpytest_a_channel_where_it_may_not_send_does_not_break_it(
    plain: PlainBot, quiet_log: pytest.LogCaptureFixture
) -> None:
    config = dpytest.get_config()
    other = dpytest.backend.make_text_channel("other", config.guilds[0])
    channel = plain.get_channel(config.channels[0].id)
    await dpytest.set_permission_overrides(config.guilds[0].default_role, channel, send_messages=False)
    await dpytest.message(f"{mention(plain)} signals reddit", channel=channel)
    assert dpytest.sent_queue.empty()
    await dpytest.message(f"{mention(plain)} signals reddit", channel=other)
    assert "Reddit" in str((await shown(plain)).title)
    assert not [record for record in quiet_log.records if record.exc_info]
