"""For every setting: an admin sets it by command, and somebody sees something else than before."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.events import utc_now
from agents.fetch.request import Fetch
from agents.signal import Signal
from agents.source import Question, Scan
from bot.guild_settings import settings_of
from sandbox.guilds import Channel, User
from sandbox.messages import Message
from tests.bot.config_scene import admin_of, config, posted, send, told
from tests.bot.conftest import Start
from tests.bot.scene import FakeSource, Scene, answer_to, custom_ids, found, text_of, until
from tests.bot.test_guild_settings import OPERATOR

Sources = dict[str, FakeSource]


@pytest.fixture
def root(scene: Scene) -> User:
    """Somebody with Manage Server."""
    return admin_of(scene)


async def put(scene: Scene, root: User, setting: str, value: str) -> None:
    """Set something, successfully."""
    assert "Saved" in await config(scene, f"set setting:{setting} value:{value}", root)


async def asked(scene: Scene, line: str, channel: Channel | None = None) -> str:
    """What ada reads when she asks."""
    return text_of(await scene.answer(line, channel=channel))


async def denied(scene: Scene, line: str, user: User | None = None, channel: Channel | None = None) -> str:
    """What somebody privately reads who may not ask that."""
    return await told(scene, await scene.type(line, user, channel))


def story(title: str, **changes: Any) -> Signal:
    """A story of just now."""
    return found(
        1, title=title, id=f"reddit:{title}", url=f"https://example.com/{title.replace(' ', '-')}", **changes
    ).signals[0]


def test_every_setting_has_a_test_here() -> None:
    elsewhere = {"feeds"}  # in test_feeds_over_the_wire
    tested = {match[1] for name in globals() if (match := re.fullmatch(r"test_([a-z_]+?)__.*", name))}
    assert {spec.name for spec in settings_of(OPERATOR)} - elsewhere == tested


async def test_sources__one_that_is_off_is_not_asked(scene: Scene, root: User, sources: Sources) -> None:
    assert "Reddit, Hacker News, News ·" in await asked(scene, "/signals all")
    await put(scene, root, "sources", "reddit, hackernews")
    assert "Reddit, Hacker News ·" in await asked(scene, "/signals all query:amber")
    assert len(sources["news"].asked) == 1
    assert "News is switched off in this server" in await denied(scene, "/signals news")


async def test_default_source__is_asked_by_a_bare_mention(start: Start) -> None:
    async with start(text_commands=True) as scene:
        root = admin_of(scene)

        async def mentioned() -> str:
            before = set(scene.channel.messages)
            await scene.local.say(scene.ada, scene.channel, "<@bot>")

            def answers() -> list[Message]:
                new = [one for number, one in scene.channel.messages.items() if number not in before]
                return [one for one in new if one.author.is_bot and one.components]

            await until(answers)
            return text_of(answers()[0])

        assert "Signals · Reddit" in await mentioned()
        await put(scene, root, "default_source", "hackernews")
        assert "Signals · Hacker News" in await mentioned()


async def test_timeframe__is_that_of_a_question_that_does_not_say(scene: Scene, root: User) -> None:
    assert "last 24 hours" in await asked(scene, "/signals reddit")
    await put(scene, root, "timeframe", "7d")
    assert "last 7 days" in await asked(scene, "/signals reddit")
    assert "last hour" in await asked(scene, "/signals reddit timeframe:1h")


async def test_limit__is_how_many_there_are(scene: Scene, root: User) -> None:
    assert "best 10 shown" in await asked(scene, "/signals reddit")
    await put(scene, root, "limit", "3")
    assert "best 3 shown" in await asked(scene, "/signals reddit")
    assert "best 8 shown" in await asked(scene, "/signals reddit limit:8")


async def test_min_score__leaves_out_what_has_less(scene: Scene, root: User, sources: Sources) -> None:
    words = ("Alpha one", "Beta two", "Gamma three", "Delta four", "Epsilon five")
    aged = enumerate(words)
    sources["reddit"].outcome = Scan(
        tuple(story(word, timestamp=utc_now() - timedelta(hours=4 * number)) for number, word in aged)
    )
    shown = re.findall(r"[▰▱]{5} (\d\.\d\d)", await asked(scene, "/signals reddit limit:5"))
    middle = shown[2]
    assert shown[0] > middle
    await put(scene, root, "min_score", middle)
    now = re.findall(r"[▰▱]{5} (\d\.\d\d)", await asked(scene, "/signals reddit limit:5"))
    assert now
    assert min(now) >= middle
    await put(scene, root, "min_score", "1")
    assert "Nothing found" in await asked(scene, "/signals reddit")


@pytest.fixture
def echoing(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reddit's one story tells where it was read."""

    async def echo(question: Question, fetch: Fetch) -> Scan:
        return found(1, title=f"from {question.options.get('subreddit', 'anywhere')}")

    monkeypatch.setattr(sources["reddit"], "scan", echo)


@pytest.mark.usefixtures("echoing")
async def test_subreddits__are_where_reddit_is_read(scene: Scene, root: User) -> None:
    assert "from anywhere" in await asked(scene, "/signals reddit")
    await put(scene, root, "subreddits", "r/rust, python")
    assert "from python+rust" in await asked(scene, "/signals reddit")
    assert "from golang" in await asked(scene, "/signals reddit subreddit:golang")


@pytest.mark.usefixtures("echoing")
async def test_subreddits__are_those_of_now_when_an_older_question_is_asked_again(scene: Scene, root: User) -> None:
    await put(scene, root, "subreddits", "python")
    usual, named = await scene.answer("/signals reddit"), await scene.answer("/signals reddit subreddit:golang")
    assert "from python" in text_of(usual)
    await put(scene, root, "subreddits", "rust")
    for message, now in ((usual, "from rust"), (named, "from golang")):
        assert now in text_of(await answer_to(await scene.press(message, custom_ids(message)["Ask again"])))


async def test_raise__lifts_what_has_the_word_and_says_why(scene: Scene, root: User, sources: Sources) -> None:
    plain, wanted = story("Alpha beta news"), story("Gamma ray burst", timestamp=utc_now() - timedelta(minutes=30))
    sources["reddit"].outcome = Scan((plain, wanted))
    said = await asked(scene, "/signals reddit")
    assert said.index("Alpha") < said.index("Gamma")
    assert "wanted word" not in said
    await put(scene, root, "raise", "gamma ray")
    said = await asked(scene, "/signals reddit")
    assert said.index("Gamma") < said.index("Alpha")
    assert said.count("wanted word") == 1


async def test_mute__leaves_out_what_has_the_word(scene: Scene, root: User, sources: Sources) -> None:
    sources["reddit"].outcome = Scan((story("Alpha beta news"), story("Crypto coins rise")))
    assert "Crypto" in await asked(scene, "/signals reddit")
    await put(scene, root, "mute", "crypto")
    said = await asked(scene, "/signals reddit")
    assert "Crypto" not in said
    assert "Alpha" in said
    other = scene.local.add_guild("Other")
    other.add_member(scene.ada)
    assert "Crypto" in await asked(scene, "/signals reddit", other.first_text_channel()), "one cache, no mixing"


async def test_private_answers__are_seen_by_the_asker_alone(scene: Scene, root: User) -> None:
    assert not (await scene.answer("/signals reddit")).ephemeral
    await put(scene, root, "private_answers", "on")
    assert (await scene.answer("/signals reddit")).ephemeral


async def test_private_answers__are_not_given_to_a_mention_that_everybody_would_see(
    start: Start, sources: Sources
) -> None:
    async with start(text_commands=True) as scene:
        await put(scene, admin_of(scene), "private_answers", "on")
        for text in ("<@bot> signals reddit", "<@bot>"):
            await scene.local.say(scene.ada, scene.channel, text)
        await until(lambda: len(posted(scene, scene.channel)) == 2)
        for said in posted(scene, scene.channel):
            assert "Answers are private in this server" in said
        assert not sources["reddit"].asked
        dm = scene.local.dm(scene.ada)
        await scene.local.say(scene.ada, dm, "<@bot> signals reddit")
        await until(lambda: any(message.components for message in dm.messages.values()))


async def test_time_zone__is_that_of_the_history(scene: Scene, root: User) -> None:
    await put(scene, root, "limit", "3")
    (entry,) = await scene.parts.guilds.history(scene.guild.id, 1)
    assert f"{entry.at:%H:%M}** · <@{root.id}>" in await config(scene, "history", root)
    await put(scene, root, "time_zone", "Asia/Kathmandu")
    said = await config(scene, "history", root)
    assert f"{entry.at.astimezone(ZoneInfo('Asia/Kathmandu')):%H:%M}** · <@{root.id}>" in said
    assert "Times are of Asia/Kathmandu" in said


async def test_cooldown__makes_people_wait(scene: Scene, root: User) -> None:
    await asked(scene, "/signals reddit")
    await asked(scene, "/signals reddit")
    await put(scene, root, "cooldown", "60")
    await asked(scene, "/signals reddit")
    assert re.search(r"again in (59|60) seconds", await denied(scene, "/signals reddit"))


async def test_concurrency__is_how_many_are_worked_on_at_once(scene: Scene, root: User, sources: Sources) -> None:
    async def at_once(name: str) -> int:
        gate = sources[name].gate = asyncio.Event()
        exchanges = [await scene.type(f"/signals {name} query:{word}") for word in ("amber", "birch", "cedar")]
        for exchange in exchanges:
            assert await exchange.wait_acknowledged()
        await asyncio.sleep(0.03)
        working = len(sources[name].asked)
        gate.set()
        for exchange in exchanges:
            await answer_to(exchange)
        return working

    assert await at_once("reddit") == 3
    await put(scene, root, "concurrency", "1")
    assert await at_once("hackernews") == 1


async def test_cache__is_how_old_an_answer_may_be(
    scene: Scene, root: User, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = scene.parts.scout._guard._cache
    clock: Callable[[], float] = cache._clock
    late_s = 0.0
    monkeypatch.setattr(cache, "_clock", lambda: clock() + late_s)
    await asked(scene, "/signals reddit")
    sources["reddit"].outcome = found(1, title="Fresh from the press")
    late_s = 120.0
    assert "Fresh" not in await asked(scene, "/signals reddit"), "the operator lets it be 300 seconds old"
    await put(scene, root, "cache", "60")
    assert "Fresh" in await asked(scene, "/signals reddit")
    await put(scene, root, "cache", "3600")
    sources["reddit"].outcome = found(1, title="Even fresher")
    late_s = 3000.0
    assert "Even fresher" not in await asked(scene, "/signals reddit")


async def test_nsfw__is_shown_in_age_restricted_channels_only(scene: Scene, root: User, sources: Sources) -> None:
    sources["reddit"].outcome = Scan((story("Alpha beta news"), story("Bare facts", nsfw=True)))
    adult = scene.guild.add_channel("adult", nsfw=True)
    await until(lambda: scene.bot.get_channel(adult.id))
    assert "Bare" not in await asked(scene, "/signals reddit")
    assert "Bare" not in await asked(scene, "/signals reddit", adult)
    await put(scene, root, "nsfw", "on")
    assert "Bare" not in await asked(scene, "/signals reddit")
    assert "Bare" in await asked(scene, "/signals reddit", adult)
    message = await scene.answer("/signals reddit", channel=adult)
    thread = scene.guild.add_channel("in it", "thread", parent=adult)
    await until(lambda: scene.bot.get_channel(thread.id))
    assert "Bare" in await asked(scene, "/signals reddit", thread)
    again = await answer_to(await scene.press(message, custom_ids(message)["Ask again"]))
    assert "Bare" in text_of(again)


async def test_nsfw__items_of_an_older_answer_are_not_turned_to_where_they_are_no_longer_shown(
    scene: Scene, root: User, sources: Sources
) -> None:
    titles = ("Alpha one", "Beta two", "Gamma three", "Delta four", "Epsilon five", "Zeta six")
    sources["reddit"].outcome = Scan(tuple(story(f"Bare {title}", nsfw=True) for title in titles))
    adult = scene.guild.add_channel("adult", nsfw=True)
    await until(lambda: scene.bot.get_channel(adult.id))
    await put(scene, root, "nsfw", "on")
    message = await scene.answer("/signals reddit", channel=adult)
    await scene.press(message, custom_ids(message)["Next"])
    assert "Page 2/2" in text_of(message)
    await put(scene, root, "nsfw", "off")
    said = await told(scene, await scene.press(message, custom_ids(message)["Previous"]))
    assert "not safe for work" in said
    assert "Page 2/2" in text_of(message)
    pressed = await scene.press(message, custom_ids(message)["Previous"], scene.person("grace"))
    assert "Bare" not in await told(scene, pressed)
    await put(scene, root, "nsfw", "on")
    pressed = await scene.press(message, custom_ids(message)["Previous"], forge=True, channel=scene.channel)
    assert "Bare" not in await told(scene, pressed), "whatever an interaction says, its channel decides"


async def test_log_channel__is_where_changes_are_told(scene: Scene, root: User) -> None:
    await put(scene, root, "limit", "3")
    assert posted(scene, scene.channel) == []
    await put(scene, root, "log_channel", f"<#{scene.channel.id}>")
    await put(scene, root, "limit", "4")
    await until(lambda: len(posted(scene, scene.channel)) == 2)
    assert "`limit`: 3 → 4" in posted(scene, scene.channel)[1]


async def test_config_role__lets_its_members_configure(scene: Scene, root: User) -> None:
    role = scene.guild.add_role("editors")
    scene.guild.set_member_roles(scene.ada, [role])
    await until(lambda: scene.bot.get_guild(scene.guild.id).get_role(role.id))  # type: ignore[union-attr]
    assert "Only for admins" in await send(scene, "show", scene.ada)
    await put(scene, root, "config_role", f"<@&{role.id}>")
    assert "Settings of this server" in await send(scene, "show", scene.ada)


async def test_ask_channels__are_where_members_may_ask(scene: Scene, root: User) -> None:
    ask = scene.guild.add_channel("ask")
    thread = scene.guild.add_channel("thread", "thread", parent=ask)
    await until(lambda: scene.bot.get_channel(thread.id))
    message = await scene.answer("/signals reddit")
    await put(scene, root, "ask_channels", f"<#{ask.id}>")
    assert f"ask me in <#{ask.id}>" in await denied(scene, "/signals reddit")
    pressed = await scene.press(message, custom_ids(message)["Ask again"])
    assert f"ask me in <#{ask.id}>" in await told(scene, pressed)
    assert "Signals" in await asked(scene, "/signals reddit", ask)
    assert "Signals" in await asked(scene, "/signals reddit", thread)


async def test_nothing_of_it_holds_in_direct_messages_or_after_a_reset(scene: Scene, root: User) -> None:
    await put(scene, root, "limit", "3")
    await put(scene, root, "timeframe", "7d")
    assert "best 10 shown" in await asked(scene, "/signals reddit", scene.local.dm(scene.ada))
    await config(scene, "reset", root)
    said = await asked(scene, "/signals reddit")
    assert "best 10 shown" in said
    assert "last 24 hours" in said
