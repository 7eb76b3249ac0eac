"""The unmodified discord.py client cannot tell the difference."""

from __future__ import annotations

import asyncio
import io
import zlib
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from sandbox.faults import Fault
from sandbox.intents import DIRECT_MESSAGES, GUILD_MESSAGES, GUILDS
from sandbox.messages import MessageFlags
from sandbox.server import LocalDiscord

from .clients import new_bot, settle
from .conftest import Connect


def add_signals(bot: commands.AutoShardedBot) -> None:
    group = app_commands.Group(name="signals", description="Signals")

    @group.command(name="reddit", description="From Reddit")
    async def reddit(
        interaction: discord.Interaction[Any], query: str = "", limit: app_commands.Range[int, 1, 25] = 10
    ) -> None:
        await interaction.response.defer()
        view = discord.ui.View()
        view.add_item(discord.ui.Button(label="Next", custom_id="next"))
        embed = discord.Embed(title="Signals", description=f"{query} {limit}")
        await interaction.edit_original_response(content="done", embed=embed, view=view)
        await interaction.followup.send("aside", ephemeral=True)

    bot.tree.add_command(group)


class ZlibContext:
    """What discord.py uses where zstandard is not installed."""

    COMPRESSION_TYPE = "zlib-stream"

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def decompress(self, data: bytes, /) -> str:
        assert data.endswith(b"\x00\x00\xff\xff")
        return self._stream.decompress(data).decode()


@pytest.mark.parametrize("context", [discord.utils._ActiveDecompressionContext, ZlibContext])
async def test_a_slash_command_from_end_to_end(
    local: LocalDiscord, connect: Connect, monkeypatch: pytest.MonkeyPatch, context: type
) -> None:
    monkeypatch.setattr(discord.utils, "_ActiveDecompressionContext", context)
    place = settle(local)
    bot = new_bot()
    add_signals(bot)
    await connect(bot)
    assert [guild.name for guild in bot.guilds] == ["Test"]
    assert [channel.name for channel in bot.guilds[0].text_channels] == ["general", "signals"]

    await bot.tree.sync()
    exchange = await local.type_command(place.user, place.channel, "/signals reddit query:rust in linux limit:7")
    assert await exchange.wait_acknowledged()
    assert exchange.deferred
    assert not exchange.ephemeral
    answer = await exchange.wait_message()
    assert answer.content == "done"
    assert answer.embeds[0]["description"] == "rust in linux 7"
    assert [MessageFlags(version.flags) for version in answer.edits] == [MessageFlags.LOADING, MessageFlags(0)]
    aside = await exchange.wait_message(predicate=lambda message: message.ephemeral)
    assert (aside.content, exchange.messages) == ("aside", [answer, aside])
    assert local.violations == []


async def test_what_the_registry_gives_back_is_what_discord_py_sent(local: LocalDiscord, connect: Connect) -> None:
    bot = await connect(new_bot())
    add_signals(bot)
    await bot.tree.sync()
    again = await bot.tree.sync()
    fetched = await bot.tree.fetch_commands()
    assert [command.id for command in again] == [command.id for command in fetched]
    assert [option.name for option in fetched[0].options] == ["reddit"]


async def test_buttons_selects_modals_and_autocomplete(local: LocalDiscord, connect: Connect) -> None:
    place = settle(local)
    bot = new_bot()

    class Ask(discord.ui.Modal, title="Ask"):
        answer: discord.ui.TextInput[Any] = discord.ui.TextInput(label="What", custom_id="what")

        async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
            await interaction.response.send_message(f"asked {self.answer.value}")

    class Panel(discord.ui.View):
        def __init__(self) -> None:
            super().__init__(timeout=None)

        @discord.ui.button(label="Next", custom_id="next")
        async def turn(self, interaction: discord.Interaction[Any], _: discord.ui.Button[Any]) -> None:
            await interaction.response.edit_message(content="page 2")

        @discord.ui.button(label="Later", custom_id="later")
        async def later(self, interaction: discord.Interaction[Any], _: discord.ui.Button[Any]) -> None:
            await interaction.response.defer()
            await interaction.edit_original_response(content="later")

        @discord.ui.button(label="Ask", custom_id="ask")
        async def ask(self, interaction: discord.Interaction[Any], _: discord.ui.Button[Any]) -> None:
            await interaction.response.send_modal(Ask())

        @discord.ui.select(custom_id="pick", options=[discord.SelectOption(label="A", value="a")])
        async def pick(self, interaction: discord.Interaction[Any], select: discord.ui.Select[Any]) -> None:
            await interaction.response.send_message(f"picked {select.values[0]}", ephemeral=True)

    @bot.tree.command(name="panel", description="Panel")
    async def panel(interaction: discord.Interaction[Any], what: str = "") -> None:
        await interaction.response.send_message("page 1", view=Panel())

    @panel.autocomplete("what")
    async def suggest(_: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{typed}st", value=f"{typed}st")]

    await connect(bot)
    await bot.tree.sync()
    choices = await local.autocomplete(place.user, place.channel, "/panel what:ru")
    assert choices == [{"name": "rust", "value": "rust"}]

    message = await (await local.type_command(place.user, place.channel, "/panel what:rust")).wait_message()
    turned = await local.click(place.user, message, 1)
    assert await turned.wait_message() is message
    assert message.content == "page 2"
    assert message.edited_at is not None
    later = await local.click(place.user, message, "later")
    assert (await later.wait_message()).content == "later"
    assert later.deferred
    picked = await local.select(place.user, message, 4, ["A"])
    answer = await picked.wait_message()
    assert (answer.content, answer.ephemeral, answer.visible_to) == ("picked a", True, place.user.id)
    asked = await local.click(place.user, message, "ask")
    await asked.wait_acknowledged()
    submitted = await local.submit_modal(place.user, asked, {"what": "why"})
    assert (await submitted.wait_message()).content == "asked why"
    assert local.violations == []


async def test_options_resolve_and_permissions_arrive(local: LocalDiscord, connect: Connect) -> None:
    place = settle(local)
    place.guild.add_member(local.add_user("grace"), permissions={"manage_guild"})
    boss = next(member.user for member in place.guild.members.values() if member.user.name == "grace")
    bot = new_bot()
    seen: list[Any] = []

    @bot.tree.command(name="give", description="Give")
    async def give(
        interaction: discord.Interaction[Any], who: discord.Member, where: discord.TextChannel, role: discord.Role
    ) -> None:
        seen.append((who.name, where.name, role.name, interaction.permissions.manage_guild))
        seen.append(
            (interaction.app_permissions.send_messages, interaction.filesize_limit, interaction.context.guild)
        )
        await interaction.response.send_message("ok")

    await connect(bot)
    await bot.tree.sync()
    exchange = await local.type_command(boss, place.channel, "/give who:@ada where:#signals role:@everyone")
    await exchange.wait_message()
    assert seen == [("ada", "signals", "@everyone", True), (True, 10 * 1024 * 1024, True)]


async def test_direct_messages_and_user_installations(local: LocalDiscord, connect: Connect) -> None:
    elsewhere = local.add_guild("Elsewhere", with_bot=False)
    user = local.add_user("ada", installed=True)
    elsewhere.add_member(user)
    bot = new_bot()
    seen: list[Any] = []

    @bot.tree.command(name="help", description="Help")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def help_(interaction: discord.Interaction[Any]) -> None:
        seen.append((interaction.is_guild_integration(), interaction.is_user_integration(), interaction.guild_id))
        await interaction.response.send_message("help")

    await connect(bot)
    await bot.tree.sync()
    for channel in (local.dm(user), elsewhere.first_text_channel()):
        assert (await (await local.type_command(user, channel, "/help")).wait_message()).content == "help"
    # In direct messages the guild installation's owner is "0", which discord.py takes for none.
    assert seen[1] == (False, True, elsewhere.id)
    assert seen[0][2] is None
    with pytest.raises(discord.Forbidden):
        await bot.http.send_message(
            elsewhere.first_text_channel().id, params=discord.http.handle_message_parameters("no")
        )


async def test_messages_threads_files_and_permissions(local: LocalDiscord, connect: Connect) -> None:
    place = settle(local)
    forum = place.guild.add_channel("ideas", "forum")
    news = place.guild.add_channel("news", "announcement")
    secret = place.guild.add_channel("secret")
    place.guild.overwrite(secret, place.guild.everyone, deny={"view_channel"})
    mute = place.guild.add_channel("mute")
    place.guild.overwrite(mute, place.guild.everyone, deny={"send_messages"})
    bot = await connect(new_bot())

    def channel(found: Any) -> Any:
        return bot.get_channel(found.id)

    sent = await channel(place.channel).send(
        "one", file=discord.File(io.BytesIO(b"body"), "a.txt", description="a file")
    )
    assert (sent.attachments[0].size, sent.attachments[0].description) == (4, "a file")
    assert await sent.attachments[0].read() == b"body"
    await sent.edit(content="two")
    assert (await channel(place.channel).fetch_message(sent.id)).content == "two"
    thread = await sent.create_thread(name="about two")
    await thread.send("in the thread")
    post = await channel(forum).create_thread(name="idea", content="first")
    assert post.message.content == "first"
    published = await channel(news).send("news")
    await published.publish()
    assert news.messages[published.id].flags & MessageFlags.CROSSPOSTED
    with pytest.raises(discord.HTTPException) as again:
        await published.publish()
    assert again.value.code == 40033
    await sent.delete()
    with pytest.raises(discord.NotFound):
        await channel(place.channel).fetch_message(sent.id)
    with pytest.raises(discord.Forbidden) as unseen:
        await channel(secret).send("no")
    with pytest.raises(discord.Forbidden) as unsent:
        await channel(mute).send("no")
    assert (unseen.value.code, unsent.value.code) == (50001, 50013)
    assert local.violations == []


async def test_text_commands_by_mention_and_only_with_the_intents(local: LocalDiscord, connect: Connect) -> None:
    place = settle(local)
    heard: list[tuple[int, str]] = []
    quiet, talking = new_bot(), new_bot(intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True))
    for index, bot in enumerate((quiet, talking)):

        async def on_message(message: discord.Message, index: int = index) -> None:
            heard.append((index, message.content))

        bot.add_listener(on_message)

    @talking.command()
    async def ping(context: commands.Context[Any]) -> None:
        await context.reply("pong")

    await connect(quiet)
    await connect(talking)
    assert [identify.intents for identify in local.gateway.identifies] == [
        GUILDS,
        GUILDS | GUILD_MESSAGES | DIRECT_MESSAGES,
    ]
    await local.say(place.user, place.channel, "nobody is meant")
    await local.say(place.user, place.channel, "<@bot> ping")
    await local.say(place.user, local.dm(place.user), "hello")
    while len(heard) < 4:
        await asyncio.sleep(0.005)
    mention = f"<@{local.application_id}> ping"
    assert {(1, ""), (1, mention), (1, "hello"), (1, "pong")} == set(heard)


async def test_guilds_come_and_go(local: LocalDiscord, connect: Connect) -> None:
    place = settle(local)
    bot = await connect(new_bot())
    seen: list[str] = []
    for name in ("guild_join", "guild_remove", "guild_available", "guild_unavailable", "guild_channel_delete"):

        async def note(*_: Any, name: str = name) -> None:
            seen.append(name)

        bot.add_listener(note, f"on_{name}")
    other = local.add_guild("Other")
    place.guild.set_unavailable()
    place.guild.restore()
    local.delete_channel(place.channel)
    local.remove_guild(other)
    while len(seen) < 5:
        await asyncio.sleep(0.005)
    assert sorted(seen) == [
        "guild_available",
        "guild_channel_delete",
        "guild_join",
        "guild_remove",
        "guild_unavailable",
    ]


@pytest.mark.parametrize("way", ["drop", "sever", "reconnect", "resumable"])
async def test_the_client_resumes_and_misses_nothing(local: LocalDiscord, connect: Connect, way: str) -> None:
    settle(local)
    bot = await connect(new_bot())
    joined: list[str] = []

    async def on_guild_join(guild: discord.Guild) -> None:
        joined.append(guild.name)

    bot.add_listener(on_guild_join)
    match way:
        case "drop":
            local.gateway.drop(4000)
        case "sever":
            local.gateway.sever()
        case "reconnect":
            local.gateway.reconnect()
        case _:
            local.gateway.invalid_session(resumable=True)
    local.add_guild("While away")
    async with asyncio.timeout(5):
        while not joined:
            await asyncio.sleep(0.01)
    assert joined == ["While away"]
    assert len(local.gateway.identifies) == 1


async def test_sharding_by_what_the_gateway_says(
    local: LocalDiscord, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_pause(*_: Any, **__: Any) -> None:
        return None

    local.gateway.shards = 3
    guilds = [local.add_guild(f"Guild {number}") for number in range(6)]
    bot = new_bot()
    monkeypatch.setattr(bot, "before_identify_hook", no_pause)
    await connect(bot)
    assert bot.shard_count == 3
    assert {guild.id: guild.shard_id for guild in bot.guilds} == {g.id: (g.id >> 22) % 3 for g in guilds}
    assert {guild.shard_id for guild in bot.guilds} == {0, 1, 2}


async def test_it_waits_out_a_429_and_takes_one_without_via_for_a_ban(local: LocalDiscord, connect: Connect) -> None:
    place = settle(local)
    bot = await connect(new_bot())
    channel: Any = bot.get_channel(place.channel.id)
    waited = local.faults.add(Fault("rate_limit", "/messages$", retry_after_s=0.02))
    await channel.send("after a pause")
    assert waited.struck == 1
    local.faults.add(Fault("rate_limit", "/messages$", via=False))
    with pytest.raises(discord.HTTPException) as banned:
        await channel.send("banned")
    assert banned.value.status == 429


async def test_privileged_intents_are_refused(local: LocalDiscord, connect: Connect) -> None:
    with pytest.raises(AssertionError, match="privileged intents"):
        await connect(new_bot(intents=discord.Intents(guilds=True, message_content=True)))


async def test_an_invalid_session_starts_anew_at_the_default_gateway(
    local: LocalDiscord, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_pause(*_: Any, **__: Any) -> None:
        return None

    settle(local)
    bot = new_bot()
    monkeypatch.setattr(bot, "before_identify_hook", no_pause)
    await connect(bot)
    local.gateway.invalid_session()
    async with asyncio.timeout(5):
        while len(local.gateway.identifies) < 2:
            await asyncio.sleep(0.01)
    assert len(local.gateway.sessions) == 1


async def test_what_breaks_a_rule_is_raised_with_its_field(local: LocalDiscord, connect: Connect) -> None:
    place = settle(local)
    bot = await connect(new_bot())
    channel: Any = bot.get_channel(place.channel.id)
    with pytest.raises(discord.HTTPException, match=r"In embeds\.0\.description: Must be 4096 or fewer in length\."):
        await channel.send(embed=discord.Embed(description="x" * 4097))
    assert [violation.field for violation in local.violations] == ["embeds.0.description"]
