"""What is kept is said, and what is deleted is gone: a server's for its admins, answers for whoever got them."""

import asyncio
from typing import Any

import pytest

from agents.events import utc_now
from bot.answer import Answer
from bot.guild_settings import DEFAULTS, Feed
from bot.store.answers import Expired
from bot.store.errors import NotSaved, SaveUnknown
from bot.store.guilds import KEEP_REMOVED
from sandbox import wire
from sandbox.exchange import Exchange
from sandbox.guilds import Channel, Guild, User
from sandbox.messages import Message
from tests.bot.conftest import Start
from tests.bot.scene import Scene, custom_ids, text_of, until

CHANGED = DEFAULTS.changed(limit=5, feeds=(Feed(url="https://a.example/feed", title="A"),))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers are compared as soon as the client is ready."""
    monkeypatch.setattr("bot.cogs.guilds.PAUSE_S", 0)


def owner(guild: Guild) -> User:
    return guild.members[guild.owner_id].user


async def shown(exchange: Exchange) -> Message:
    """The private answer, once it is there."""
    message = await exchange.wait_message(predicate=lambda said: bool(text_of(said)))
    assert exchange.ephemeral
    return message


async def say(scene: Scene, line: str, user: User, channel: Channel | None = None) -> Message:
    return await shown(await scene.type(line, user, channel))


async def press(scene: Scene, message: Message, user: User, **more: Any) -> str:
    """What is said after pressing the one button, in place of the message or privately."""
    before = text_of(message)
    exchange = await scene.press(message, 1, user, **more)
    await until(lambda: any(text_of(said) for said in exchange.messages) or text_of(message) != before)
    return "\n".join(text_of(said) for said in (exchange.messages or [message]))


async def settle(scene: Scene, guild: Guild | None = None) -> None:
    """A server with settings, a history and an answer."""
    guilds, guild_id = scene.parts.guilds, (guild or scene.guild).id
    before = (await guilds.get(guild_id)).version
    await guilds.save(guild_id, CHANGED, expected_version=before, actor_id=scene.ada.id, action="set")


async def written(scene: Scene, answers: int) -> None:
    await until(lambda: scene.parts.answers.counts.written >= answers)


async def answer_id(message: Message) -> str:
    return custom_ids(message)["Ask again"].split(":")[-1]


async def test_everybody_is_told_in_words_and_admins_in_numbers(scene: Scene) -> None:
    await settle(scene)
    await scene.answer("/signals reddit")
    await written(scene, 1)
    told = text_of(await say(scene, "/privacy show", scene.ada))
    assert "90 days" in told
    assert "7 days" in told
    assert "Right now" not in told
    told = text_of(await say(scene, "/privacy show", owner(scene.guild)))
    assert "2 settings other than the default, 1 feed" in told
    assert "2 changes in the history, the oldest from <t:" in told
    assert "1 answer or question" in told
    told = text_of(await say(scene, "/privacy show", scene.ada, scene.local.dm(scene.ada)))
    assert "without your name or id" in told
    assert "About this server" not in told


async def test_all_of_a_server_is_deleted_once_an_admin_confirms_and_the_rest_stays(scene: Scene) -> None:
    other = scene.local.add_guild("Elsewhere", ["general"])
    await until(lambda: scene.bot.get_guild(other.id))
    for guild in (scene.guild, other):
        await settle(scene, guild)
    answered = await answer_id(await scene.answer("/signals reddit limit:5"))
    kept = await answer_id(await scene.answer("/signals reddit limit:5", owner(other), other.first_text_channel()))
    await written(scene, 2)
    asking = await say(scene, "/privacy delete", owner(scene.guild))
    assert "2 settings" in text_of(asking)
    assert (await scene.parts.guilds.get(scene.guild.id)).settings == CHANGED, "only asked so far"
    said = await press(scene, asking, owner(scene.guild))
    assert "Deleted" in said
    assert "2 changes in the history" in said
    assert custom_ids_of(asking) == []
    gone = await scene.parts.guilds.data_of(scene.guild.id)
    assert (gone.current.settings, gone.current.version, gone.changes, gone.answers) == (DEFAULTS, 0, 0, 0)
    assert await scene.parts.answers.get(answered) is None
    assert (await scene.parts.guilds.get(other.id)).settings == CHANGED
    assert isinstance(await scene.parts.answers.get(kept), Answer)


def custom_ids_of(message: Message) -> list[str]:
    return [button["custom_id"] for row in message.components for button in row["components"]]


@pytest.mark.parametrize(
    ("failure", "words"),
    [(NotSaved("Nothing was saved: no."), "Nothing was deleted"), (SaveUnknown("Perhaps."), "Perhaps deleted")],
)
async def test_a_deletion_that_the_database_refuses_is_told_as_that_and_may_be_pressed_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, failure: Exception, words: str
) -> None:
    async def refuse(_whose: object) -> None:
        raise failure

    await settle(scene)
    asking = await say(scene, "/privacy delete", owner(scene.guild))
    own = await say(scene, "/privacy delete", scene.ada, scene.local.dm(scene.ada))
    with monkeypatch.context() as broken:
        broken.setattr(scene.parts.guilds, "delete_guild", refuse)
        broken.setattr(scene.parts.answers, "delete_personal", refuse)
        told = await press(scene, asking, owner(scene.guild))
        assert words in told
        assert "saved" not in told.lower()
        assert "Not all is deleted" in await press(scene, own, scene.ada)
    assert "Deleted" in await press(scene, asking, owner(scene.guild))
    assert "Deleted" in await press(scene, own, scene.ada)


async def test_only_who_may_manage_the_server_deletes_whatever_they_press(scene: Scene) -> None:
    role = scene.guild.add_role("editors")
    await settle(scene)
    guilds = scene.parts.guilds
    version = (await guilds.get(scene.guild.id)).version
    trusted = CHANGED.changed(config_role_id=role.id)
    await guilds.save(scene.guild.id, trusted, expected_version=version, actor_id=1, action="set")
    editor = scene.person("eve")
    scene.guild.set_member_roles(editor, [role])
    for nobody in (scene.ada, editor):
        assert "Only for admins" in text_of(await say(scene, "/privacy delete", nobody))
    asking = await say(scene, "/privacy delete", owner(scene.guild))
    for nobody in (scene.ada, editor):
        assert "Only for admins" in await press(scene, asking, nobody, forge=True)
    other = scene.local.add_guild("Elsewhere", ["general"], owner=owner(scene.guild))
    for place in (other.first_text_channel(), scene.local.dm(owner(scene.guild))):
        assert "another server" in await press(scene, asking, owner(scene.guild), forge=True, channel=place)
    assert (await guilds.get(scene.guild.id)).settings == trusted
    assert (await guilds.data_of(scene.guild.id)).changes


async def test_the_button_works_after_a_restart_and_twice_is_harmless(start: Start) -> None:
    async with start() as scene:
        await settle(scene)
        asking = await say(scene, "/privacy delete", owner(scene.guild))
    async with start() as scene:
        (custom_id,) = custom_ids_of(asking)
        assert "Deleted" in await press(scene, asking, owner(scene.guild))
        await scene.press(asking, custom_id, owner(scene.guild), forge=True)
        await until(lambda: "0 settings" in text_of(asking))


@pytest.mark.parametrize("custom_id", ["p1:", "p1:guild:", "p1:guild:x", "p1:all:1", "p1:user:1:2", "p1:guild:1 "])
async def test_a_forged_button_deletes_nothing(scene: Scene, custom_id: str) -> None:
    await settle(scene)
    asking = await say(scene, "/privacy delete", owner(scene.guild))
    exchange = await scene.local.click(owner(scene.guild), asking, custom_id, forge=True)
    assert "does nothing any more" in text_of(await shown(exchange))
    assert len(exchange.messages) == 1
    assert (await scene.parts.guilds.get(scene.guild.id)).settings == CHANGED


async def test_answers_outside_of_servers_are_deleted_for_who_got_them_after_a_restart_too(start: Start) -> None:
    async with start() as scene:
        grace = scene.local.add_user("grace")
        mine = await answer_id(await scene.answer("/signals reddit", channel=scene.local.dm(scene.ada)))
        hers = await answer_id(await scene.answer("/signals reddit", grace, scene.local.dm(grace)))
        here = await answer_id(await scene.answer("/signals reddit"))
        await written(scene, 3)
    async with start() as scene:
        later = await answer_id(await scene.answer("/signals news", channel=scene.local.dm(scene.ada)))
        asking = await say(scene, "/privacy delete", scene.ada, scene.local.dm(scene.ada))
        assert "not yours" in await press(scene, asking, grace, forge=True)
        said = await press(scene, asking, scene.ada)
        assert "1 answer" in said or "2 answers" in said
        assert await scene.parts.answers.get(mine) is None
        assert await scene.parts.answers.get(later) is None
        assert isinstance(await scene.parts.answers.get(hers), Answer | Expired)
        assert isinstance(await scene.parts.answers.get(here), Answer)


async def test_looking_for_ones_answers_counts_like_asking(start: Start) -> None:
    async with start(user_cooldown_s=30) as scene:
        dm = scene.local.dm(scene.ada)
        asking = await say(scene, "/privacy delete", scene.ada, dm)
        again = await say(scene, "/privacy delete", scene.ada, dm)
        assert "Deleted" in await press(scene, asking, scene.ada)
        assert "again in" in await press(scene, again, scene.ada)


# -- the life of a server's data


async def removed(scene: Scene, guild: Guild) -> bool:
    return (await scene.parts.guilds.data_of(guild.id)).removed_at is not None


async def becomes(scene: Scene, guild: Guild, expected: bool) -> None:
    async with asyncio.timeout(5):
        while await removed(scene, guild) is not expected:
            await asyncio.sleep(0.005)


async def come_back(scene: Scene, guild: Guild) -> None:
    """The bot is added to a server that it was removed from."""
    scene.local.world.guilds[guild.id] = guild
    scene.local.gateway.dispatch("GUILD_CREATE", wire.guild_create(guild, joined=True), guild.id)
    await until(lambda: scene.bot.get_guild(guild.id))


async def test_data_of_a_server_is_deleted_30_days_after_the_bot_was_removed(scene: Scene) -> None:
    await settle(scene)
    guilds, gone = scene.parts.guilds, scene.guild
    scene.local.remove_guild(gone)
    await becomes(scene, gone, True)
    await guilds.purge(utc_now() + KEEP_REMOVED * 0.99)
    assert (await guilds.get(gone.id)).settings == CHANGED
    await guilds.purge(utc_now() + KEEP_REMOVED * 1.01)
    assert (await guilds.get(gone.id)).settings == DEFAULTS
    assert not await removed(scene, gone)


async def test_who_adds_the_bot_again_in_time_finds_everything_as_it_was(scene: Scene) -> None:
    await settle(scene)
    scene.local.remove_guild(scene.guild)
    await becomes(scene, scene.guild, True)
    await come_back(scene, scene.guild)
    await becomes(scene, scene.guild, False)
    await scene.parts.guilds.purge(utc_now() + KEEP_REMOVED * 2)
    assert (await scene.parts.guilds.get(scene.guild.id)).settings == CHANGED


async def test_an_outage_of_a_server_costs_it_nothing(scene: Scene) -> None:
    await settle(scene)
    scene.guild.set_unavailable()
    await until(lambda: scene.bot.guilds[0].unavailable)
    assert not await removed(scene, scene.guild)
    scene.guild.restore()
    await until(lambda: not scene.bot.guilds[0].unavailable)
    assert not await removed(scene, scene.guild)


async def test_what_happened_while_the_bot_was_down_is_found_out_at_the_start(start: Start) -> None:
    async with start() as scene:
        gone, unavailable = scene.local.add_guild("Gone"), scene.local.add_guild("Unavailable")
        for guild in (scene.guild, gone, unavailable):
            await settle(scene, guild)
    scene.local.remove_guild(gone)
    unavailable.set_unavailable()
    async with start() as scene:
        await becomes(scene, gone, True)
        assert not await removed(scene, scene.guild)
        assert not await removed(scene, unavailable)
    scene.local.world.guilds[gone.id] = gone
    async with start() as scene:
        await becomes(scene, gone, False)


async def test_a_server_that_is_missing_after_a_new_session_is_one_that_the_bot_was_removed_from(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_pause(*_: Any, **__: Any) -> None:
        """Instead of five seconds before each identify but the first."""

    monkeypatch.setattr(scene.bot, "before_identify_hook", no_pause)
    gone = scene.local.add_guild("Gone")
    await until(lambda: scene.bot.get_guild(gone.id))
    await settle(scene, gone)
    scene.local.world.guilds.pop(gone.id)  # while nobody listens
    scene.local.gateway.invalid_session()
    await until(lambda: scene.bot.get_guild(gone.id) is None, 10)
    await becomes(scene, gone, True)
    assert scene.bot.get_guild(scene.guild.id) is not None
