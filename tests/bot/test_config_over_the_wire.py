"""/config over the wire: who may, what is taken, what is refused in words, and that both leave the truth behind."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.signal import Timeframe
from bot.guild_settings import DEFAULTS, GuildSettings, settings_of
from bot.store.errors import SaveUnknown
from sandbox import wire
from sandbox.exchange import Exchange, InteractionKind
from sandbox.faults import Fault
from sandbox.guilds import User
from sandbox.messages import Message
from tests.bot.config_scene import (
    admin_of,
    answer_of,
    callbacks,
    config,
    exported,
    posted,
    send,
    set_raw,
    stored,
    told,
    upload,
)
from tests.bot.conftest import Start
from tests.bot.scene import Scene, custom_ids, text_of, until

ONLY_ADMINS = "Members with the permission Manage Server may do this"


@pytest.fixture
def root(scene: Scene) -> User:
    """Somebody with Manage Server."""
    return admin_of(scene)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Another program holds the write lock of the bot's database."""
    with closing(sqlite3.connect(directory / "answers.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


# -- show


async def test_show_has_every_setting_with_its_value_default_and_help_on_one_private_card(
    scene: Scene, root: User
) -> None:
    await config(scene, "set setting:limit value:7", root)
    said = await config(scene, "show", root)
    for spec in settings_of(scene.bot.cogs["config"]._configuring.operator):  # type: ignore[attr-defined]
        assert f"`{spec.name}`" in said
        assert spec.help in said
        assert f"default: {spec.show(spec.default)}" in said
    assert "`limit`\n7\n" in said


async def test_show_one_has_all_of_it(scene: Scene, root: User) -> None:
    words = [f"word{number}" for number in range(60)]
    await set_raw(scene, root, "mute", ", ".join(words))
    assert " more\n" in await config(scene, "show", root)
    said = await config(scene, "show setting:mute", root)
    assert all(word in said for word in words)
    assert "There is no setting" in await config(scene, "show setting:colour", root)


# -- set


async def test_set_says_old_and_new_and_holds_after_a_restart_and_for_nobody_else(start: Start) -> None:
    async with start() as scene:
        root = admin_of(scene)
        said = await config(scene, "set setting:limit value:5", root)
        assert "`limit`: 10 → 5" in said
        said = await config(scene, "set setting:limit value:6", root)
        assert "`limit`: 5 → 6" in said
        assert "Nothing to change" in await config(scene, "set setting:limit value:6", root)
    async with start() as scene:
        assert "`limit`\n6" in await config(scene, "show", root)
        other = scene.local.add_guild("Other", owner=root)
        await until(lambda: scene.bot.get_guild(other.id) is not None)
        assert "`limit`\n10" in await config(scene, "show", root, other.first_text_channel())


BAD = [
    ("limit", "99", "from 1 to 25"),
    ("limit", "ten", "whole number"),
    ("min_score", "2", "from 0 to 1"),
    ("concurrency", "4", "from 1 to 3"),
    ("cache", "59", "from 60 to 3600"),
    ("cooldown", "3601", "from 0 to 3600"),
    ("nsfw", "perhaps", "on or off"),
    ("timeframe", "2h", "24h"),
    ("sources", "gopher", "reddit"),
    ("time_zone", "Mars/X", "no time zone"),
    ("time_zone", "../../etc/passwd", "no time zone"),
    ("limit", "'; DROP TABLE guild_settings; --", "whole number"),
    ("mute", "x" * 6000, "at most 60"),
    ("limit", "x" * 6000, "6000 characters"),
    ("limit", "🚀", "whole number"),
    ("mute", "🚀", "cannot be part"),
    ("mute", "\u202ednib\u202c", "invisible"),
    ("limit", "5\u200f", "invisible"),
    ("raise", "(a+)+$", "cannot be part"),
    ("limit", " ", "empty"),
    ("log_channel", "#general", "a channel of this server"),
    ("config_role", "@everyone", "a role of this server"),
    ("feeds", "https://example.org/feed", "/feeds add"),
    ("colour", "red", "There is no setting"),
    ("@everyone [x](https://evil.example)", "5", "There is no setting"),
]


async def test_what_cannot_be_is_refused_in_words_and_nothing_changes(scene: Scene, root: User) -> None:
    for setting, value, words in BAD:
        said = await set_raw(scene, root, setting, value)
        assert words in said.replace("\\", ""), (setting, value[:40])
        assert stored(scene) == DEFAULTS
    assert await scene.parts.guilds.history(scene.guild.id, 1) == ()


async def test_values_of_another_type_are_refused(scene: Scene, root: User) -> None:
    for value in (5, 5.5, True, None, ["5"], {"a": 1}):
        assert "takes text" in await send(scene, "set", root, {"setting": "limit", "value": value})
    assert (await scene.parts.guilds.get(scene.guild.id)).settings == DEFAULTS


# -- who may


async def refused(scene: Scene, user: User, **more: Any) -> None:
    """Every command is refused privately, and nothing changes."""
    before = await scene.parts.guilds.get(scene.guild.id)
    for path, options in (
        ("show", {}),
        ("set", {"setting": "limit", "value": "5"}),
        ("reset", {}),
        ("history", {}),
        ("undo", {}),
        ("export", {}),
        ("panel", {}),
    ):
        assert ONLY_ADMINS[:40] in await send(scene, path, user, options, **more)
    assert await scene.parts.guilds.get(scene.guild.id) == before


async def test_without_manage_server_nothing_is_shown_or_changed(scene: Scene) -> None:
    await refused(scene, scene.ada)


async def test_permissions_of_nothing_are_nothing(scene: Scene, root: User) -> None:
    await config(scene, "set setting:limit value:7", root)
    member = {**wire.member(scene.guild.members[root.id]), "permissions": "0"}
    await refused(scene, root, member=member)


async def test_administrators_and_owners_may(scene: Scene) -> None:
    boss = scene.local.add_user("boss")
    scene.guild.add_member(boss, permissions=["administrator"])
    assert "Settings of this server" in await config(scene, "show", boss)


async def test_a_role_can_be_given_the_right_and_loses_it_again(scene: Scene, root: User) -> None:
    role = scene.guild.add_role("editors")
    await until(lambda: scene.bot.get_guild(scene.guild.id).get_role(role.id))  # type: ignore[union-attr]
    said = await config(scene, "role role:editors", root)
    assert f"<@&{role.id}>" in said
    assert "Integrations" in said
    assert f"with the role <@&{role.id}>" in await send(scene, "show", scene.ada)
    scene.guild.set_member_roles(scene.ada, [role])
    assert "`limit`: 10 → 5" in await send(scene, "set", scene.ada, {"setting": "limit", "value": "5"})
    await config(scene, "reset setting:config_role", root)
    await refused(scene, scene.ada)


async def test_in_direct_messages_and_where_only_a_user_installed_it_there_is_nothing_to_configure(
    scene: Scene, root: User
) -> None:
    assert "Only in a server" in await send(scene, "show", root, channel=scene.local.dm(root))
    scene.local.install_for(root)
    elsewhere = scene.local.add_guild("Elsewhere", with_bot=False, owner=root)
    said = await send(scene, "set", root, {"setting": "limit", "value": "5"}, channel=elsewhere.first_text_channel())
    assert "Only in a server" in said
    assert scene.parts.guilds.peek(elsewhere.id) is None


# -- channels and roles


async def test_a_channel_is_chosen_with_the_picker_and_channels_for_asking_are_added_and_removed(
    scene: Scene, root: User
) -> None:
    news = scene.guild.add_channel("news")
    await until(lambda: scene.bot.get_channel(news.id))
    general = scene.channel
    assert f"none → <#{general.id}>" in await config(scene, "channel setting:log_channel channel:#general", root)
    assert f"everywhere → <#{general.id}>" in await config(scene, "channel setting:add channel:#general", root)
    assert f"<#{general.id}>, <#{news.id}>" in await config(scene, "channel setting:add channel:#news", root)
    assert "Nothing to change" in await config(scene, "channel setting:add channel:#news", root)
    assert f"→ <#{news.id}>" in await config(scene, "channel setting:remove channel:#general", root)
    assert f"<#{news.id}> → everywhere" in await config(scene, "channel setting:remove channel:#news", root)
    assert stored(scene) == DEFAULTS.changed(log_channel_id=general.id)


@pytest.mark.parametrize("setting", ["log_channel", "ask_channels"])
async def test_a_channel_that_cannot_be_used_is_refused_with_the_missing_permission(
    scene: Scene, root: User, setting: str
) -> None:
    other = scene.local.add_guild("Other").first_text_channel()
    channels = {name: scene.guild.add_channel(name) for name in ("gone", "hidden", "mute", "plain")}
    category = scene.guild.add_channel("area", "category")
    everyone = scene.guild.everyone
    scene.guild.overwrite(channels["hidden"], everyone, deny=["view_channel"])
    scene.guild.overwrite(channels["mute"], everyone, deny=["send_messages", "embed_links"])
    scene.guild.overwrite(channels["plain"], everyone, deny=["embed_links"])
    await until(lambda: scene.bot.get_channel(category.id))
    scene.local.delete_channel(channels["gone"])
    last = scene.guild.add_channel("last")
    await until(lambda: scene.bot.get_channel(last.id))
    for channel, words in (
        (other, "no channel"),
        (channels["gone"], "no channel"),
        (channels["hidden"], "#hidden I lack View Channel"),
        (channels["mute"], "#mute I lack Send Messages and Embed Links"),
        (channels["plain"], "#plain I lack Embed Links"),
        (category, "takes no messages"),
    ):
        said = await set_raw(scene, root, setting, f"<#{channel.id}>")
        assert words in said.replace("\\", "")
        picked = {"setting": "log_channel" if setting == "log_channel" else "add", "channel": str(channel.id)}
        said = await send(scene, "channel", root, picked, kinds={"channel": 7})
        assert words in said.replace("\\", "")
    assert stored(scene) == DEFAULTS
    assert "Saved" in await set_raw(scene, root, setting, f"<#{last.id}>")


async def test_threads_and_forums_are_judged_by_their_own_permission(scene: Scene, root: User) -> None:
    forum = scene.guild.add_channel("ideas", "forum")
    thread = scene.guild.add_channel("side", "thread", parent=scene.channel)
    await until(lambda: scene.bot.get_channel(thread.id))
    assert "takes no messages" in await set_raw(scene, root, "log_channel", str(forum.id))
    assert "Saved" in await set_raw(scene, root, "ask_channels", str(forum.id))
    assert "Saved" in await set_raw(scene, root, "log_channel", str(thread.id))
    scene.guild.overwrite(scene.channel, scene.guild.everyone, deny=["send_messages_in_threads"])
    other = scene.guild.add_channel("other", "thread", parent=scene.channel)
    await until(lambda: scene.bot.get_channel(other.id))
    said = await set_raw(scene, root, "log_channel", str(other.id))
    assert "I lack Send Messages in Threads" in said


async def test_a_role_that_cannot_be_is_refused(scene: Scene, root: User) -> None:
    assert "no role 5" in (await set_raw(scene, root, "config_role", "5"))
    assert "everybody" in await set_raw(scene, root, "config_role", str(scene.guild.id))
    assert "no role 5" in await send(scene, "role", root, {"role": "5"}, kinds={"role": 8})
    assert stored(scene) == DEFAULTS


# -- reset, history, undo


async def test_reset_sets_one_or_all_back(scene: Scene, root: User) -> None:
    await config(scene, "set setting:limit value:5", root)
    await config(scene, "set setting:nsfw value:on", root)
    assert "`limit`: 5 → 10" in await config(scene, "reset setting:limit", root)
    assert stored(scene) == DEFAULTS.changed(nsfw=True)
    await config(scene, "set setting:timeframe value:7d", root)
    said = await config(scene, "reset", root)
    assert "`timeframe`: 7d → 24h" in said
    assert "`nsfw`: on → off" in said
    assert stored(scene) == DEFAULTS
    assert "There is no setting" in await config(scene, "reset setting:colour", root)


async def test_history_tells_who_what_and_when_in_the_servers_time_zone_in_pages(scene: Scene, root: User) -> None:
    assert "nothing was changed" in await config(scene, "history", root)
    grace = admin_of(scene, "grace")
    for limit in range(11, 18):
        await config(scene, f"set setting:limit value:{limit}", root)
    await config(scene, "set setting:time_zone value:Asia/Kolkata", grace)
    message = await answer_of(scene, "history", root)
    first = text_of(message)
    assert f"<@{grace.id}>" in first
    assert "`time_zone`: UTC → Asia/Kolkata" in first
    assert "`limit`: 16 → 17" in first
    assert "12 → 13" not in first
    (entry,) = await scene.parts.guilds.history(scene.guild.id, 1)
    assert f"**{entry.at.astimezone(ZoneInfo('Asia/Kolkata')):%Y-%m-%d %H:%M}**" in first
    await scene.press(message, custom_ids(message)["Older"], root)
    await until(lambda: "12 → 13" in text_of(message))
    assert "16 → 17" not in text_of(message)
    await scene.press(message, custom_ids(message)["Newer"], root)
    await until(lambda: text_of(message) == first)


async def test_undo_takes_back_change_after_change_and_says_so(scene: Scene, root: User) -> None:
    await config(scene, "set setting:limit value:5", root)
    await config(scene, "set setting:limit value:6", root)
    await config(scene, "set setting:nsfw value:on", root)
    said = await config(scene, "undo", root)
    assert "`nsfw`: on → off" in said
    assert f"<@{root.id}>" in said
    assert "once more" in said
    assert "`limit`: 6 → 5" in await config(scene, "undo", root)
    assert "`limit`: 5 → 10" in await config(scene, "undo", root)
    assert "Nothing to take back" in await config(scene, "undo", root)
    assert "undo" in await config(scene, "history", root)
    assert stored(scene) == DEFAULTS


async def spare_gone(scene: Scene, root: User) -> None:
    """The log channel was one that is deleted now; before that, the limit was changed."""
    spare = scene.guild.add_channel("spare")
    await until(lambda: scene.bot.get_channel(spare.id))
    await config(scene, "set setting:limit value:5", root)
    await set_raw(scene, root, "log_channel", str(spare.id))
    await set_raw(scene, root, "log_channel", "none")
    scene.local.delete_channel(spare)
    await until(lambda: scene.bot.get_channel(spare.id) is None)


async def test_what_cannot_be_as_it_was_is_said_and_the_change_before_it_can_be_taken_back(
    scene: Scene, root: User
) -> None:
    await spare_gone(scene, root)
    message = await answer_of(scene, "undo", root)
    assert "Cannot be taken back" in text_of(message)
    assert "no channel" in text_of(message)
    assert stored(scene) == DEFAULTS.changed(limit=5)
    pressed = await scene.press(message, custom_ids(message)["Take back the one before it"], root)
    await until(lambda: "`limit`: 5 → 10" in text_of(message))
    assert callbacks(scene, pressed) == 1
    assert stored(scene) == DEFAULTS
    message = await answer_of(scene, "undo", root)
    assert "Cannot be taken back" in text_of(message), "again: it was not taken back"
    await scene.press(message, custom_ids(message)["Take back the one before it"], root)
    await until(lambda: "nothing else was changed" in text_of(message))
    assert stored(scene) == DEFAULTS


async def test_what_changed_meanwhile_is_not_passed_over_with_what_cannot_be_taken_back(
    scene: Scene, root: User
) -> None:
    await spare_gone(scene, root)
    message = await answer_of(scene, "undo", root)
    button = custom_ids(message)["Take back the one before it"]
    assert ONLY_ADMINS in await told(scene, await scene.press(message, button, scene.ada, forge=True))
    await config(scene, "set setting:limit value:8", root)
    assert "`limit` is 8." in await told(scene, await scene.press(message, button, root))
    assert stored(scene) == DEFAULTS.changed(limit=8)
    forged = f"c1:undo:{scene.guild.id}:nothing.x"
    await scene.press(message, forged, root, forge=True)
    await until(lambda: "`limit`: 8 → 5" in text_of(message))


async def test_of_a_change_of_several_settings_what_can_be_is_taken_back(scene: Scene, root: User) -> None:
    spare = scene.guild.add_channel("spare")
    await until(lambda: scene.bot.get_channel(spare.id))
    await config(scene, "set setting:limit value:5", root)
    await set_raw(scene, root, "log_channel", str(spare.id))
    await config(scene, "reset", root)
    scene.local.delete_channel(spare)
    await until(lambda: scene.bot.get_channel(spare.id) is None)
    said = await config(scene, "undo", root)
    assert "Taken back in part" in said
    assert "`limit`: 10 → 5" in said
    assert f"no channel {spare.id}" in said
    assert "`limit`: 5 → 10" in await config(scene, "undo", root), "the setting of the channel is so already"
    assert stored(scene) == DEFAULTS


async def test_undo_keeps_to_what_the_operator_allows_now_and_to_what_is_valid_now(
    start: Start, tmp_path: Path
) -> None:
    async with start(guild_concurrency=5) as scene:
        root = admin_of(scene)
        for line in ("concurrency value:5", "time_zone value:Asia/Kolkata", "time_zone value:UTC"):
            await config(scene, f"set setting:{line}", root)
        await config(scene, "reset setting:concurrency", root)
    with closing(sqlite3.connect(tmp_path / "answers.db")) as other, other:
        other.execute("UPDATE guild_changes SET old = replace(old, 'Asia/Kolkata', 'Mars/X')")
    async with start(guild_concurrency=2) as scene:
        message = await answer_of(scene, "undo", root)
        assert "concurrency takes a whole number from 1 to 2" in text_of(message)
        await scene.press(message, custom_ids(message)["Take back the one before it"], root)
        await until(lambda: "no longer a valid value" in text_of(message))
        await scene.press(message, custom_ids(message)["Take back the one before it"], root)
        await until(lambda: "nothing else was changed" in text_of(message))
        assert stored(scene) == DEFAULTS
        assert "Saved" in await config(scene, "set setting:concurrency value:2", root)
        assert "`concurrency`: 2 → 2" in await config(scene, "undo", root), "back to the operator's"


# -- at the same time, and with the database in trouble


async def test_two_admins_at_once_both_get_a_true_answer(scene: Scene, root: User, tmp_path: Path) -> None:
    grace = admin_of(scene, "grace")
    await scene.parts.guilds.get(scene.guild.id)
    with locked(tmp_path):
        exchanges = [await scene.type("/config set setting:limit value:5", root)]
        exchanges.append(await scene.type("/config set setting:limit value:6", grace))
        for exchange in exchanges:
            await exchange.wait_acknowledged()
        await asyncio.sleep(0.05)
    answers = [await told(scene, exchange) for exchange in exchanges]
    now = stored(scene).limit
    winner = next(answer for answer in answers if "Saved" in answer)
    loser = next(answer for answer in answers if "Not saved" in answer)
    assert f"10 → {now}" in winner
    assert f"`limit` is {now}." in loser
    assert "repeat it" in loser
    assert len(await scene.parts.guilds.history(scene.guild.id, 10)) == 1


HOLDS_THE_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


@asynccontextmanager
async def locked_elsewhere(directory: Path, seconds: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process holds the write lock for so long."""
    arguments = (sys.executable, "-c", HOLDS_THE_LOCK, str(directory / "answers.db"), str(seconds))
    holder = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"locked\n"
        yield holder
    finally:
        if holder.returncode is None:
            holder.kill()
        await holder.wait()


async def in_time(scene: Scene, line: str, user: User) -> str:
    """What a command is answered, which was acknowledged within Discord's 3 s."""
    exchange = await scene.type(line, user)
    said = await told(scene, exchange)
    assert exchange.acknowledged_after_s is not None
    assert exchange.acknowledged_after_s < 3
    return said


async def test_with_the_database_locked_for_ten_seconds_commands_are_acknowledged_in_time_and_told_the_truth(
    scene: Scene, root: User, tmp_path: Path
) -> None:
    grace = admin_of(scene, "grace")
    await config(scene, "set setting:nsfw value:on", root)
    told_then: list[str] = []
    async with locked_elsewhere(tmp_path, 10) as holder:
        while holder.returncode is None:
            said, undone, shown = await asyncio.gather(
                in_time(scene, f"/config set setting:limit value:{len(told_then) + 11}", root),
                in_time(scene, "/config undo", grace),
                in_time(scene, "/config show", grace),
            )
            told_then += (said, undone)
            assert "Settings of this server" in shown
            assert "amber" in text_of(await scene.answer("/signals reddit")), "asking needs nothing to be written"
    refused = [one for one in told_then if "Nothing was saved" in one]
    assert refused[:4] == told_then[:4], "two rounds at least, whatever the machine is busy with"
    assert any("another program holds the database" in one for one in refused)
    made = [one for one in told_then if "Saved" in one or "Taken back" in one]
    assert len(await scene.parts.guilds.history(scene.guild.id, 20)) == 1 + len(made)
    assert len(refused) + len(made) + sum("Somebody else changed" in one for one in told_then) == len(told_then)
    assert "→ 25" in await config(scene, "set setting:limit value:25", root)
    assert scene.parts.database.fault is None


async def test_when_nobody_knows_whether_it_was_saved_that_is_said(
    scene: Scene, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_off(*_given: object, **_named: object) -> None:
        raise SaveUnknown("The database broke off while saving: the disk does not work as it should.")

    monkeypatch.setattr(scene.parts.guilds, "save", break_off)
    said = await config(scene, "set setting:limit value:5", root)
    assert "Perhaps saved" in said
    assert "/config show" in said


async def test_settings_that_cannot_be_read_are_shown_as_such_and_not_overwritten(
    start: Start, tmp_path: Path
) -> None:
    async with start() as scene:
        root = admin_of(scene)
        await config(scene, "set setting:limit value:5", root)
    async with start() as scene:
        with closing(sqlite3.connect(tmp_path / "answers.db")) as other:
            other.execute("ALTER TABLE guild_settings RENAME TO away")
            assert "cannot be asked" in await config(scene, "show", root)
            assert "Nothing was saved" in await config(scene, "set setting:nsfw value:on", root)
            assert "could not be read" in await config(scene, "undo", root)
            other.execute("ALTER TABLE away RENAME TO guild_settings")
        assert "`limit`\n5" in await config(scene, "show", root)


# -- export and import


async def test_what_is_exported_can_be_imported_after_confirmation(scene: Scene, root: User) -> None:
    await config(scene, "set setting:limit value:5", root)
    await config(scene, "set setting:mute value:crypto", root)
    exchange = await scene.type("/config export", root)
    message = await exchange.wait_message()
    assert message.ephemeral
    (file,) = message.attachments
    assert file.filename == f"settings-{scene.guild.id}.json"
    await config(scene, "reset", root)
    offered = await (await upload(scene, root, file.body)).wait_message()
    assert "`limit`: 10 → 5" in text_of(offered)
    assert stored(scene) == DEFAULTS, "not before it is confirmed"
    await scene.press(offered, custom_ids(offered)["Import"], root)
    await until(lambda: "Saved" in text_of(offered))
    assert offered.components == []
    assert stored(scene) == GuildSettings(limit=5, muted=("crypto",))


async def test_an_export_that_cannot_be_handed_over_in_time_is_said_in_its_place(
    scene: Scene, root: User, quiet_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.cogs.files.EDIT_TIMEOUT_S", 0.05)
    for command in ("/config export", "/feeds export"):
        scene.local.faults.add(Fault("hang", r"/webhooks/.*/messages/@original"))
        assert "Try again in a moment" in await told(scene, await scene.type(command, root))
        assert len([record for record in quiet_log.records if record.exc_info]) == 1
        quiet_log.clear()
        exchange = await scene.type(command, root)
        assert len((await exchange.wait_message()).attachments) == 1


async def offer(scene: Scene, root: User) -> Message:
    """An import that waits to be confirmed."""
    offered = await (await upload(scene, root, exported(limit=5, nsfw=True))).wait_message()
    assert "Import this?" in text_of(offered)
    return offered


NO_EXPORTS = [
    (b"{", "no JSON"),
    (b"\xff\xfe\x00", "UTF-8"),
    (b"x" * 5 * 2**20, "5,120 kB"),
    (exported() * 20_000, "kB"),
    (b'{"schema_version": 2, "limit": 5}', "version 2"),
    (b'{"limit": 5}', "version"),
    (exported(limit=5, colour="red"), "no setting “colour”"),
    (exported(limit=5, time_zone="Mars/X"), "no time zone"),
    (exported(limit=5, concurrency=50), "from 1 to 3"),
    (exported(limit=5, sources=["gopher"]), "no source “gopher”"),
    (exported(limit=5, log_channel_id="7"), "no channel 7"),
    (exported(limit=5, config_role_id="7"), "no role 7"),
    (exported(limit=5, raised=["@everyone [x](https://evil.example)"]), "cannot be part"),
]


async def test_a_file_that_cannot_be_imported_is_refused_as_a_whole(scene: Scene, root: User) -> None:
    for body, words in NO_EXPORTS:
        said = await told(scene, await upload(scene, root, body))
        assert words in said.replace("\\", ""), body[:40]
        assert "Nothing was changed" in said
        assert stored(scene) == DEFAULTS


async def test_a_large_file_is_refused_before_it_is_fetched_and_one_that_is_gone_in_words(
    scene: Scene, root: User
) -> None:
    said = await told(scene, await upload(scene, root, b"{}", size=5 * 2**20, kept=False))
    assert "5,120 kB" in said
    said = await told(scene, await upload(scene, root, b"{}", kept=False))
    assert "could not be fetched" in said


async def test_an_import_that_changes_nothing_has_nothing_to_confirm(scene: Scene, root: User) -> None:
    assert "Nothing to change" in await told(scene, await upload(scene, root, exported()))


async def test_only_who_uploaded_can_confirm_and_only_once(scene: Scene, root: User) -> None:
    grace = admin_of(scene, "grace")
    offered = await offer(scene, root)
    button = custom_ids(offered)["Import"]
    assert "Only who uploaded" in await told(scene, await scene.press(offered, button, grace, forge=True))
    assert "Only who uploaded" in await told(scene, await scene.press(offered, button, scene.ada, forge=True))
    assert stored(scene) == DEFAULTS
    await scene.press(offered, button, root)
    await until(lambda: "Saved" in text_of(offered))
    await scene.press(offered, button, root, forge=True)
    await until(lambda: "This import is over" in text_of(offered))
    assert len(await scene.parts.guilds.history(scene.guild.id, 10)) == 1


async def test_who_lost_the_right_meanwhile_cannot_confirm(scene: Scene, root: User) -> None:
    offered = await offer(scene, root)
    scene.guild.set_member_roles(root, [])
    said = await told(scene, await scene.press(offered, custom_ids(offered)["Import"], root))
    assert ONLY_ADMINS in said
    assert stored(scene) == DEFAULTS


async def test_an_import_is_not_applied_over_what_changed_meanwhile(scene: Scene, root: User) -> None:
    offered = await offer(scene, root)
    await config(scene, "set setting:limit value:8", admin_of(scene, "grace"))
    said = await told(scene, await scene.press(offered, custom_ids(offered)["Import"], root))
    assert "`limit` is 8." in said
    assert stored(scene) == DEFAULTS.changed(limit=8)


async def test_an_import_is_not_applied_to_what_was_set_after_everything_was_deleted(
    scene: Scene, root: User
) -> None:
    await config(scene, "set setting:limit value:8", root)
    offered = await offer(scene, root)
    await scene.parts.guilds.delete_guild(scene.guild.id)
    await config(scene, "set setting:limit value:9", root)
    said = await told(scene, await scene.press(offered, custom_ids(offered)["Import"], root))
    assert "`limit` is 9." in said
    assert stored(scene) == DEFAULTS.changed(limit=9)


async def test_discarded_means_nothing_changes(scene: Scene, root: User) -> None:
    offered = await offer(scene, root)
    await scene.press(offered, custom_ids(offered)["Discard"], root)
    await until(lambda: "Discarded" in text_of(offered))
    assert stored(scene) == DEFAULTS


async def test_after_a_restart_an_import_is_over_and_history_still_turns(start: Start) -> None:
    async with start() as scene:
        root = admin_of(scene)
        for limit in range(11, 18):
            await config(scene, f"set setting:limit value:{limit}", root)
        offered = await offer(scene, root)
        history = await answer_of(scene, "history", root)
    async with start() as scene:
        await scene.press(offered, custom_ids(offered)["Import"], root)
        await until(lambda: "This import is over" in text_of(offered))
        assert stored(scene) == DEFAULTS.changed(limit=17)
        await scene.press(history, custom_ids(history)["Older"], root)
        await until(lambda: "10 → 11" in text_of(history))


# -- buttons pressed by others, elsewhere, twice, forged


async def every_control(scene: Scene, root: User) -> list[tuple[Message, str]]:
    """Each button and menu there is that shows, changes or deletes something of a server."""
    await spare_gone(scene, root)
    for limit in range(11, 18):
        await config(scene, f"set setting:limit value:{limit}", root)
    panel = await answer_of(scene, "panel shared:true", root)
    menu = panel.components[0]["components"][0]["custom_id"]
    await scene.local.select(root, panel, menu, ["limit"])
    await until(lambda: len(panel.components) > 1)
    history, offered = await answer_of(scene, "history", root), await offer(scene, root)
    deleting = await (await scene.type("/privacy delete", root)).wait_message()
    messages = (panel, history, offered, deleting)
    found = [(one, item["custom_id"]) for one in messages for row in one.components for item in row["components"]]
    version = (await scene.parts.guilds.get(scene.guild.id)).version
    return [*found, (history, f"c1:undo:{scene.guild.id}:{version}.{version}")]


async def test_whoever_may_not_and_wherever_they_do_not_belong_controls_do_nothing(scene: Scene, root: User) -> None:
    controls = await every_control(scene, root)
    assert {custom_id.split(":")[1] for _, custom_id in controls} == {
        *("pick", "edit", "default", "history", "apply", "discard", "undo", "guild")
    }
    before = await scene.parts.guilds.get(scene.guild.id)
    texts = [text_of(message) for message, _ in controls]
    other = scene.local.add_guild("Other", owner=root)  # the gateway may not have told of it yet
    powerless = {**wire.member(scene.guild.members[root.id]), "permissions": "0"}
    refusals = ("Only for admins", "another server", "Only in a server", "Only who uploaded")
    for message, custom_id in controls:
        for more in (
            {"user": scene.ada},
            {"user": root, "member": powerless},
            {"user": root, "channel": other.first_text_channel()},
            {"user": root, "channel": scene.local.dm(root)},
        ):
            user: Any = more.pop("user")
            said = await told(scene, await scene.press(message, custom_id, user, forge=True, **more))
            assert any(refusal in said for refusal in refusals), (custom_id, said)
    assert await scene.parts.guilds.get(scene.guild.id) == before
    assert [text_of(message) for message, _ in controls] == texts


async def test_a_control_pressed_twice_at_once_acts_once_and_answers_both_times(scene: Scene, root: User) -> None:
    offered = await offer(scene, root)
    button = custom_ids(offered)["Import"]
    presses = [await scene.local.click(root, offered, button, forge=True) for _ in range(2)]
    for pressed in presses:
        assert await pressed.wait_acknowledged()
    await until(lambda: stored(scene) == GuildSettings(limit=5, nsfw=True))
    await until(lambda: text_of(offered) and not offered.components)
    assert [callbacks(scene, pressed) for pressed in presses] == [1, 1]
    assert len(await scene.parts.guilds.history(scene.guild.id, 10)) == 1


@pytest.fixture
async def history(scene: Scene, root: User) -> Message:
    """Two pages of changes."""
    for limit in range(11, 18):
        await config(scene, f"set setting:limit value:{limit}", root)
    return await answer_of(scene, "history", root)


async def test_a_button_pressed_by_somebody_else_or_elsewhere_shows_nothing(
    scene: Scene, root: User, history: Message
) -> None:
    older = custom_ids(history)["Older"]
    before = text_of(history)
    assert ONLY_ADMINS in await told(scene, await scene.press(history, older, scene.ada, forge=True))
    other = scene.local.add_guild("Other", owner=root)  # the gateway may not have told of it yet
    pressed = await scene.press(history, older, root, forge=True, channel=other.first_text_channel())
    assert "belongs to another server" in await told(scene, pressed)
    pressed = await scene.press(history, older, root, forge=True, channel=scene.local.dm(root))
    assert "Only in a server" in await told(scene, pressed)
    assert text_of(history) == before


async def test_in_a_server_that_the_client_has_not_heard_of_a_button_is_refused(
    scene: Scene, root: User, history: Message
) -> None:
    other = scene.local.add_guild("Other", owner=root)
    await until(lambda: scene.bot.get_guild(other.id) is not None)
    other.set_unavailable()
    await until(lambda: scene.bot.get_guild(other.id) is None or scene.bot.get_guild(other.id).unavailable)  # type: ignore[union-attr]
    other.available = True  # so that the interaction is delivered
    pressed = await scene.press(
        history, custom_ids(history)["Older"], root, forge=True, channel=other.first_text_channel()
    )
    assert "belongs to another server" in await told(scene, pressed)


async def test_the_same_press_delivered_twice_is_answered_once(scene: Scene, root: User, history: Message) -> None:
    pressed = await scene.press(history, custom_ids(history)["Older"], root)
    await until(lambda: "10 → 11" in text_of(history))
    again = await scene.local.click(
        root, history, custom_ids(history)["Newer"], interaction_id=pressed.interaction_id
    )
    assert again is pressed
    await config(scene, "show", root)
    assert callbacks(scene, pressed) == 1


async def test_a_forged_id_gets_a_clear_answer(scene: Scene, root: User, history: Message) -> None:
    here = scene.guild.id
    for forged in (
        "c1:",
        "c1:history:x:0.older",
        f"c1:nothing:{here}:",
        f"c1:history:{here}:0.older\n",
        "c2:pick:1:",
    ):
        said = await told(scene, await scene.press(history, forged, root, forge=True))
        assert "does nothing any more" in said


# -- the log channel


async def test_changes_are_told_in_the_log_channel_in_one_line_that_mentions_nobody(scene: Scene, root: User) -> None:
    logs = scene.guild.add_channel("logs")
    await until(lambda: scene.bot.get_channel(logs.id))
    await set_raw(scene, root, "log_channel", str(logs.id))
    await set_raw(scene, root, "mute", "@everyone, C_x_")
    await config(scene, "undo", root)
    await set_raw(scene, root, "log_channel", "none")
    await config(scene, "set setting:limit value:5", root)
    await until(lambda: len(posted(scene, logs)) >= 4)
    told_there = posted(scene, logs)
    assert f"<@{root.id}> (set): `log_channel`: none → <#{logs.id}>" in told_there[0]
    assert "`mute`: none → @\u200beveryone, C\\_x\\_" in told_there[1]
    assert "(undo)" in told_there[2]
    assert f"<#{logs.id}> → none" in told_there[3], "that it is turned off is told as well"
    assert len(told_there) == 4
    assert not any(message.mentions_everyone for message in logs.messages.values())


async def test_a_log_channel_that_is_gone_costs_nothing_but_a_line_in_the_log(
    scene: Scene, root: User, quiet_log: pytest.LogCaptureFixture
) -> None:
    logs = scene.guild.add_channel("logs")
    await until(lambda: scene.bot.get_channel(logs.id))
    await set_raw(scene, root, "log_channel", str(logs.id))
    scene.guild.overwrite(logs, scene.guild.everyone, deny=["send_messages"])
    assert "Saved" in await config(scene, "set setting:limit value:5", root)
    await until(lambda: "could not post" in quiet_log.text)
    scene.local.delete_channel(logs)
    await until(lambda: scene.bot.get_channel(logs.id) is None)
    assert "Saved" in await config(scene, "set setting:limit value:6", root)


# -- autocomplete, registration


async def names(scene: Scene, user: User, line: str) -> list[str]:
    return [str(choice["value"]) for choice in await scene.local.autocomplete(user, scene.channel, line)]


async def test_names_and_known_values_are_suggested(scene: Scene, root: User) -> None:
    assert "limit" in await names(scene, root, "/config set setting:")
    assert "feeds" not in await names(scene, root, "/config set setting:")
    assert "feeds" in await names(scene, root, "/config show setting:")
    assert await names(scene, root, "/config set setting:tim") == ["timeframe", "time_zone"]
    frames = ["24h", *(frame for frame in Timeframe if frame != "24h")]
    assert await names(scene, root, "/config set setting:timeframe value:") == frames, "first what holds"
    assert "Europe/Berlin" in await names(scene, root, "/config set setting:time_zone value:berl")
    assert len(await names(scene, root, "/config set setting:time_zone value:e")) == 25
    assert await names(scene, root, "/config set setting:nsfw value:o") == ["off", "on"]
    assert "reddit, news" in await names(scene, root, "/config set setting:sources value:reddit, n")
    await config(scene, "set setting:mute value:crypto", root)
    assert await names(scene, root, "/config set setting:mute value:") == ["crypto"], "to be edited"
    await set_raw(scene, root, "mute", ", ".join(f"word{number}" for number in range(90)))
    assert await names(scene, root, "/config set setting:mute value:") == []
    assert await names(scene, root, "/config set setting:nothing value:x") == []


async def test_nothing_is_suggested_to_those_who_may_not(scene: Scene, root: User) -> None:
    await config(scene, "set setting:mute value:secretword", root)
    options = [
        {"name": "setting", "type": 3, "value": "mute"},
        {"name": "value", "type": 3, "value": "", "focused": True},
    ]
    asked: Exchange = await scene.local.send_command(
        scene.ada, scene.channel, "config set", options, kind=InteractionKind.AUTOCOMPLETE
    )
    assert await asked.wait_choices() == []


async def test_discord_is_told_that_only_admins_of_servers_see_it(scene: Scene) -> None:
    (command,) = [one for one in scene.local.commands.all() if one["name"] == "config"]
    assert command["default_member_permissions"] == str(1 << 5)
    assert command["contexts"] == [0]
    assert command["integration_types"] == [0]
