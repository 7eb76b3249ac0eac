"""A server's own feeds, by command and over the wire: looked at, kept, read for that server and for nobody else."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import format_datetime
from html import escape
from typing import Any

import pytest

from agents.events import utc_now
from bot import opml
from bot.feeds import key
from bot.guild_settings import DEFAULTS, MOST_FEEDS, Feed, GuildSettings
from bot.settings import Settings
from sandbox import wire
from sandbox.exchange import Exchange, InteractionKind
from sandbox.guilds import Channel, Guild, User
from sandbox.messages import Attachment, Message
from sandbox.server import LocalDiscord
from tests.bot import config_scene
from tests.bot.conftest import connected_bot
from tests.bot.scene import Scene, answer_to, custom_ids, text_of, until
from tests.upstreams import Upstream, hang, redirect, reply_feed, reply_html, status

Run = Callable[..., Any]


def rss(title: str, *stories: str) -> str:
    """A feed whose stories are an hour old."""
    when = format_datetime(utc_now() - timedelta(hours=1))
    items = "".join(
        f"<item><title>{escape(story)}</title><link>https://stories.example/{number}/{escape(title)}</link>"
        f"<guid>urn:{escape(title)}:{number}</guid><pubDate>{when}</pubDate></item>"
        for number, story in enumerate(stories)
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>{escape(title)}</title>{items}</channel></rss>'


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A site with the operator's feed and two others."""
    async with Upstream() as site:
        site.on("/usual", reply_feed(rss("Usual", "Ordinary morning in the capital")))
        site.on("/birds", reply_feed(rss("Birds", "Herons return to the northern marshes")))
        site.on("/chess", reply_feed(rss("Chess", "Endgame tables grow to eight pieces")))
        yield site


class Town:
    """A bot with the real news source, a server with an admin and a member, and other servers where wanted."""

    def __init__(self, scene: Scene, site: Upstream) -> None:
        self.scene = scene
        self.site = site
        self.local = scene.local
        self.admin = owner(scene.guild)

    async def say(self, line: str, user: User | None = None, channel: Channel | None = None) -> str:
        """Type a command as the admin; what the private answer ends up saying."""
        exchange = await self.scene.type(line, user or self.admin, channel)
        return await self.ended(exchange)

    async def send(self, path: str, options: dict[str, str], user: User, channel: Channel | None = None) -> str:
        """Send a command that Discord's client would not offer."""
        given = [{"name": name, "type": 3, "value": value} for name, value in options.items()]
        return await self.ended(await self.local.send_command(user, channel or self.scene.channel, path, given))

    async def ended(self, exchange: Exchange) -> str:
        message = await exchange.wait_message(predicate=is_the_end)
        assert exchange.ephemeral
        assert len(exchange.messages) == 1
        return text_of(message).replace("\\", "")

    async def news(self, user: User | None = None, channel: Channel | None = None) -> str:
        """What a member is told by ``/signals news``."""
        return text_of(await self.scene.answer("/signals news", user, channel))

    async def upload(self, body: bytes, user: User | None = None, name: str = "feeds.opml") -> Exchange:
        """``/feeds import`` with a file."""
        file_id = self.local.world.snowflakes.next()
        url = f"{self.local.http_url}/attachments/{file_id}/{name}"
        file = Attachment(file_id, name, "text/x-opml", body, url)
        self.local.world.keep_file(file)
        option = {"name": "file", "type": 11, "value": str(file_id)}
        command = next(one for one in self.local.commands.all() if one["name"] == "feeds")
        data = {
            "id": command["id"],
            "name": "feeds",
            "type": 1,
            "options": [{"name": "import", "type": 1, "options": [option]}],
            "resolved": {"attachments": {str(file_id): wire.attachment(file)}},
        }
        return await self.local.send_command(user or self.admin, self.scene.channel, "feeds import", data=data)

    async def feeds(self, guild: Guild | None = None) -> list[str]:
        """The addresses that are kept, without the site."""
        stored = await self.scene.parts.guilds.get((guild or self.scene.guild).id)
        return [feed.url.removeprefix(self.site.url("")) for feed in stored.settings.feeds]

    async def set(self, settings: GuildSettings, guild: Guild | None = None) -> None:
        guild_id = (guild or self.scene.guild).id
        guilds = self.scene.parts.guilds
        version = (await guilds.get(guild_id)).version
        await guilds.save(guild_id, settings, expected_version=version, actor_id=1, action="test")

    def other_guild(self) -> tuple[Guild, User]:
        """Another server with the bot in it, and somebody there who administers it."""
        guild = self.local.add_guild("Elsewhere", ["general"])
        return guild, owner(guild)


@pytest.fixture
async def start(
    local: LocalDiscord, settings: Callable[..., Settings], addresses_restored: None, upstream: Upstream
) -> Run:
    def started(**changes: Any) -> Any:
        return connected_bot(
            local, settings(news_feeds=(upstream.url("/usual"),), fetch_allow=upstream.allow, **changes)
        )

    return started


@pytest.fixture
async def town(start: Run, upstream: Upstream) -> AsyncIterator[Town]:
    async with start() as scene:
        yield Town(scene, upstream)


# -- adding


async def test_a_feed_that_is_added_is_what_people_are_shown_here_and_nobody_elsewhere(town: Town) -> None:
    other, stranger = town.other_guild()
    await until(lambda: town.scene.bot.get_guild(other.id))
    assert "Ordinary morning" in await town.news()
    said = await town.say(f"/feeds add address:{town.site.url('/birds')}")
    assert "Feed added" in said
    assert "Birds" in said
    assert "Herons return" in said
    assert "1 of at most 50" in said
    assert len(town.site.seen("/birds")) == 1
    answer = await town.news()
    assert "Herons return" in answer
    assert "Ordinary morning" not in answer
    assert "Herons" not in await town.news(stranger, other.first_text_channel())
    assert "Herons" not in await town.news(channel=town.local.dm(town.scene.ada))


async def test_equal_questions_of_two_servers_cost_one_fetch_and_different_feeds_are_kept_apart(town: Town) -> None:
    other, stranger = town.other_guild()
    await until(lambda: town.scene.bot.get_guild(other.id))
    there = other.first_text_channel()
    await town.news()
    await town.news(stranger, there)
    assert len(town.site.seen("/usual")) == 1
    await town.set(DEFAULTS.changed(feeds=(Feed(url=town.site.url("/birds")),), muted=("marshes",)))
    await town.set(DEFAULTS.changed(feeds=(Feed(url=town.site.url("/birds")),)), other)
    assert "Herons" not in await town.news()
    assert "Herons" in await town.news(stranger, there)
    assert len(town.site.seen("/birds")) == 1
    await town.set(DEFAULTS.changed(feeds=(Feed(url=town.site.url("/chess")),)), other)
    answer = await town.news(stranger, there)
    assert "Endgame" in answer
    assert "Herons" not in answer
    assert "Endgame" not in await town.news()


async def test_a_removed_feed_is_not_read_when_an_older_question_is_asked_again(town: Town) -> None:
    await town.set(DEFAULTS.changed(feeds=(Feed(url=town.site.url("/birds")),)))
    message = await town.scene.answer("/signals news")
    assert "Herons" in text_of(message)
    await town.set(DEFAULTS.changed(feeds=(Feed(url=town.site.url("/chess")),)))
    again = text_of(await answer_to(await town.scene.press(message, custom_ids(message)["Ask again"])))
    assert "Endgame" in again
    assert "Herons" not in again
    kept = await town.scene.parts.answers.get(custom_ids(message)["Ask again"].split(":")[-1])
    assert kept is not None
    assert "birds" not in str(kept.question), "an address can hold a key"


async def test_a_web_page_leads_to_its_feed_and_a_moved_feed_to_its_new_place(town: Town) -> None:
    links = "".join(
        f'<link rel="alternate" type="application/rss+xml" href="{href}">' for href in ("moved", "/chess")
    )
    town.site.on("/blog/", reply_html(f"<!doctype html><html><head>{links}</head></html>"))
    town.site.on("/blog/moved", redirect("/birds", 301))
    said = await town.say(f"/feeds add address:{town.site.url('/blog/')}")
    assert "Birds" in said
    assert "names other feeds too" in said
    assert "/chess" in said
    assert await town.feeds() == ["/birds"]


@pytest.mark.parametrize("command", ["add", "test"])
@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{closed}/",
        "http://localhost:{closed}/",
        "http://2130706433:{closed}/",
        "http://0x7f.1:{closed}/",
        "http://[::1]:{closed}/",
        "http://[::ffff:127.0.0.1]:{closed}/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "https://user:secret@news.example/feed",
        "javascript:alert(1)",
        "no address at all",
        "https://",
        "\u202ehttps://news.example",
        "x" * 500,
    ],
)
async def test_a_refused_address_is_told_without_naming_it_and_never_connected_to(
    town: Town, command: str, address: str
) -> None:
    async with Upstream() as closed:
        typed = address.format(closed=closed.port)
        said = await town.send(f"feeds {command}", {"address": typed}, town.admin)
        assert closed.connections == 0
    assert not re.search(r"127\.|localhost|169\.254|passwd|secret|::1|213070|xxxx", said)
    assert re.search("No feed was added|cannot be read", said)
    assert await town.feeds() == []


async def test_what_cannot_be_read_is_not_saved_and_said_why(town: Town) -> None:
    town.site.on("/page", reply_html())
    town.site.on("/broken", status(500))
    assert "names no feed" in await town.say(f"/feeds add address:{town.site.url('/page')}")
    assert "error of its own" in await town.say(f"/feeds add address:{town.site.url('/broken')}")
    assert "no such page" in await town.say(f"/feeds add address:{town.site.url('/missing')}")
    assert await town.feeds() == []


async def test_a_test_reads_once_and_keeps_nothing(town: Town) -> None:
    said = await town.say(f"/feeds test address:{town.site.url('/birds')}")
    assert "can be read" in said
    assert "Herons return" in said
    assert await town.feeds() == []
    assert len(town.site.seen("/birds")) == 1


async def test_a_feed_that_is_there_already_is_said_and_not_asked_again(town: Town) -> None:
    await town.set(DEFAULTS.changed(feeds=(Feed(url=town.site.url("/birds"), title="Birds"),)))
    assert "has it already: Birds" in await town.say(f"/feeds add address:{town.site.url('/birds/#top')}")
    assert town.site.seen("/birds") == []
    town.site.on("/old", redirect("/birds", 308))
    assert "has it already" in await town.say(f"/feeds add address:{town.site.url('/old')}")
    assert await town.feeds() == ["/birds"]


async def test_no_more_feeds_than_a_server_may_have(town: Town) -> None:
    await town.set(DEFAULTS.changed(feeds=many(town, MOST_FEEDS)))
    said = await town.say(f"/feeds add address:{town.site.url('/birds')}")
    assert "This server has 50 feeds" in said
    assert town.site.seen("/birds") == []


async def test_two_admins_who_add_at_once_both_get_what_they_wanted(town: Town) -> None:
    lines = [f"/feeds add address:{town.site.url(path)}" for path in ("/birds", "/chess")]
    said = await asyncio.gather(*map(town.say, lines))
    assert all("Feed added" in each for each in said)
    assert sorted(await town.feeds()) == ["/birds", "/chess"]


async def test_looking_at_feeds_counts_like_asking(start: Run, upstream: Upstream) -> None:
    async with start(user_cooldown_s=30) as scene:
        town = Town(scene, upstream)
        await town.set(DEFAULTS.changed(cooldown_s=0))  # a server's own does not open the way to others' sites
        await town.say(f"/feeds add address:{town.site.url('/birds')}")
        for line in (f"add address:{town.site.url('/chess')}", f"test address:{town.site.url('/chess')}"):
            assert "again in" in await town.say(f"/feeds {line}")
        file = opml.write([opml.Outline(town.site.url("/chess"), "Chess")], "")
        assert "again in" in await town.ended(await town.upload(file))
        assert town.site.seen("/chess") == []


# -- what is there


async def test_the_list_names_all_and_what_is_removed_is_gone(town: Town) -> None:
    assert "no feeds of its own" in await town.say("/feeds list")
    await town.set(DEFAULTS.changed(feeds=(Feed(url=town.site.url("/birds"), title="Birds"), *many(town, 2))))
    assert "Birds" in await town.say("/feeds list")
    (choice,) = await town.local.autocomplete(town.admin, town.scene.channel, "/feeds remove feed:bir")
    assert choice["name"].startswith("Birds (")
    said = await town.send("feeds remove", {"feed": choice["value"]}, town.admin)
    assert "Feed removed" in said
    assert "2 left" in said
    assert await town.feeds() == ["/0", "/1"]
    assert "Feed removed" in await town.say(f"/feeds remove feed:{town.site.url('/0')}")
    assert "no such feed" in await town.say("/feeds remove feed:birds")
    assert await town.feeds() == ["/1"]
    assert "Feed removed" in await town.say("/feeds remove feed:FEED 1")
    assert "None are left" not in await town.say("/feeds list")


async def test_suggestions_stay_within_discords_limits_and_tell_nobody_else(town: Town) -> None:
    long = tuple(Feed(url=f"{town.site.url('/')}{number}/{'x' * 400}", title="t" * 100) for number in range(50))
    await town.set(DEFAULTS.changed(feeds=long))
    choices = await town.local.autocomplete(town.admin, town.scene.channel, "/feeds remove feed:t")
    assert len(choices) == 25
    assert choices[0]["value"] == key(long[0])
    assert "Feed removed" in await town.send("feeds remove", {"feed": choices[0]["value"]}, town.admin)
    assert "feeds" in (await town.say("/feeds list")).lower()
    town.scene.guild.update_role(town.scene.guild.everyone, permissions=["view_channel", "use_application_commands"])
    found = await suggestions_for(town, town.scene.ada)
    assert found == []


async def test_the_log_channel_is_told_what_changed(town: Town) -> None:
    channel = town.scene.guild.add_channel("log")
    await town.set(DEFAULTS.changed(log_channel_id=channel.id))
    await town.say(f"/feeds add address:{town.site.url('/birds')}")
    await until(lambda: any("Birds" in text_of(message) for message in channel.messages.values()))
    assert any("(feeds add)" in text_of(message) for message in channel.messages.values())


# -- who may


async def test_only_who_may_configure_may_touch_feeds(town: Town) -> None:
    role = town.scene.guild.add_role("editors")
    await town.set(DEFAULTS.changed(config_role_id=role.id))
    editor = town.scene.person("eve")
    town.scene.guild.set_member_roles(editor, [role])
    address = {"address": town.site.url("/birds")}
    for path, options in (
        ("feeds add", address),
        ("feeds test", address),
        ("feeds remove", {"feed": "x"}),
        ("feeds list", {}),
        ("feeds export", {}),
    ):
        assert "Only for admins" in await town.send(path, options, town.scene.ada)
    assert "Only for admins" in await town.ended(await town.upload(b"<opml/>", town.scene.ada))
    assert town.site.requests == []
    assert "Feed added" in await town.send("feeds add", address, editor)


async def test_feeds_belong_to_servers(town: Town) -> None:
    address = {"address": town.site.url("/birds")}
    said = await town.send("feeds add", address, town.scene.ada, town.local.dm(town.scene.ada))
    assert "Only in a server" in said
    elsewhere = town.local.add_guild("Without the bot", with_bot=False)
    town.local.install_for(owner(elsewhere))
    said = await town.send("feeds add", address, owner(elsewhere), elsewhere.first_text_channel())
    assert "Only in a server" in said
    assert town.site.requests == []


# -- lists


async def test_a_list_is_taken_over_and_what_cannot_be_read_is_named(town: Town) -> None:
    town.site.on("/dead", status(404))
    await town.set(DEFAULTS.changed(feeds=(Feed(url=town.site.url("/chess")),)))
    outlines = [
        opml.Outline(town.site.url("/birds"), "My birds"),
        opml.Outline(town.site.url("/birds/"), "Twice"),
        opml.Outline(town.site.url("/chess"), "Chess"),
        opml.Outline(town.site.url("/dead"), "Dead blog"),
        opml.Outline("http://10.0.0.1/", "Intranet"),
        opml.Outline("gopher://old.example", "Gopher"),
    ]
    said = await town.ended(await town.upload(opml.write(outlines, "mine")))
    assert "1 added" in said
    assert "My birds" in said
    assert "1 known already" in said
    assert "3 left out" in said
    assert re.search(r"Dead blog.*no such page", said)
    assert re.search(r"Intranet.*public", said)
    assert "10.0" not in said
    assert await town.feeds() == ["/chess", "/birds"]
    assert len(town.site.seen("/birds")) == 1
    assert town.site.seen("/chess") == []


async def test_a_list_that_does_not_fit_changes_nothing_and_asks_nobody(town: Town) -> None:
    await town.set(DEFAULTS.changed(feeds=many(town, 48)))
    outlines = [opml.Outline(town.site.url(f"/new{number}"), "") for number in range(3)]
    said = await town.ended(await town.upload(opml.write(outlines, "")))
    assert "This server has 48 feeds, and these would be 3 more" in said
    assert town.site.requests == []
    assert len(await town.feeds()) == 48


async def test_an_import_shows_how_far_it_is(town: Town) -> None:
    outlines = [opml.Outline(town.site.url(path), "") for path in ("/birds", "/chess", "/usual")]
    exchange = await town.upload(opml.write(outlines, ""))
    assert "3 added" in await town.ended(exchange)
    assert exchange.original is not None
    assert re.search(r"Looked at [12] of 3", str(exchange.original.edits))


async def test_one_list_at_a_time_and_stopping_ends_it_in_words_with_nothing_added(town: Town) -> None:
    town.site.on("/slow", hang())
    outlines = [opml.Outline(town.site.url(path), "") for path in ("/birds", "/slow")]
    first = await town.upload(opml.write(outlines, ""))
    await until(lambda: town.site.seen("/slow"))
    assert "already" in await town.ended(await town.upload(opml.write(outlines, "")))
    alone = await town.scene.type(f"/feeds test address:{town.site.url('/slow')}", town.admin)
    await until(lambda: len(town.site.seen("/slow")) == 2)
    await town.scene.bot.close()
    assert "restarting" in await town.ended(first)
    assert "restarting" in await town.ended(alone)
    assert await town.feeds() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no OPML"),
        (b"{}", "no OPML"),
        (b"<rss/>", "no OPML"),
        (b'<!DOCTYPE opml [<!ENTITY a "b">]><opml>&a;</opml>', "document type"),
        (b"<opml>" + b"<outline>" * 1000, "nested"),
        (b"x" * (5 * 2**20), "5,120 kB"),
        (b"<opml/>", "Nothing new"),
    ],
)
async def test_other_files_are_refused_in_words(town: Town, body: bytes, said: str) -> None:
    assert said in await town.ended(await town.upload(body))
    assert await town.feeds() == []
    assert town.site.requests == []


async def test_what_is_exported_is_what_another_server_imports(town: Town) -> None:
    feeds = (
        Feed(url=town.site.url("/birds?a=1&b=2"), title='Tits & "Co" <b>'),
        Feed(url=town.site.url("/chess")),
    )
    await town.set(DEFAULTS.changed(feeds=feeds))
    exchange = await town.scene.type("/feeds export", town.admin)
    message: Message = await exchange.wait_message()
    assert exchange.ephemeral
    (file,) = message.attachments
    assert file.filename.endswith(".opml")
    await town.set(DEFAULTS)
    assert "2 added" in await town.ended(await town.upload(file.body))
    stored = (await town.scene.parts.guilds.get(town.scene.guild.id)).settings.feeds
    assert [feed.url for feed in stored] == [feed.url for feed in feeds]
    assert stored[0].title == feeds[0].title


# -- feeds of imported settings


async def offered(town: Town, *feeds: Feed, **settings: Any) -> Message:
    """What ``/config import`` of settings with these feeds ends with."""
    body = config_scene.exported(feeds=[feed.model_dump() for feed in feeds], **settings)
    exchange = await config_scene.upload(town.scene, town.admin, body)
    message = await exchange.wait_message(predicate=is_the_end)
    assert exchange.ephemeral
    return message


async def test_feeds_of_imported_settings_are_read_before_they_are_offered_and_what_cannot_be_is_named(
    town: Town,
) -> None:
    town.site.on("/dead", status(404))
    town.site.on("/old", redirect("/usual", 301))
    await town.set(DEFAULTS.changed(feeds=(Feed(url=town.site.url("/chess"), title="Chess"),)))
    message = await offered(
        town,
        Feed(url=town.site.url("/birds"), title="Birds"),
        Feed(url=town.site.url("/dead"), title="Dead blog"),
        Feed(url=town.site.url("/chess"), title="Chess"),
        Feed(url="https://10.0.0.1/feed", title="Intranet"),
        Feed(url=town.site.url("/old"), title="Moved"),
        limit=5,
    )
    said = text_of(message)
    assert "Import this?" in said
    assert re.search(r"Dead blog.*no such page", said)
    assert re.search(r"Intranet.*public", said)
    assert "10.0" not in said
    assert town.site.seen("/chess") == [], "the server has it: it was read when it was added"
    assert await town.feeds() == ["/chess"], "not before it is confirmed"
    await town.scene.press(message, custom_ids(message)["Import"], town.admin)
    await until(lambda: "Saved" in text_of(message))
    assert await town.feeds() == ["/birds", "/chess", "/usual"]
    assert config_scene.stored(town.scene).limit == 5


async def test_with_nothing_but_feeds_that_cannot_be_read_there_is_nothing_to_import(town: Town) -> None:
    message = await offered(town, Feed(url=town.site.url("/missing"), title="Gone"))
    said = text_of(message)
    assert "Nothing to change" in said
    assert re.search(r"Gone.*no such page", said)
    assert message.components == []
    assert await town.feeds() == []


async def test_what_else_is_wrong_with_a_file_is_said_before_its_feeds_are_read(town: Town) -> None:
    message = await offered(town, Feed(url=town.site.url("/birds")), log_channel_id="7")
    assert "no channel 7" in text_of(message)
    assert town.site.requests == []


async def test_stopping_ends_an_import_of_settings_in_words(town: Town) -> None:
    town.site.on("/slow", hang())
    body = config_scene.exported(feeds=[{"url": town.site.url("/slow")}])
    exchange = await config_scene.upload(town.scene, town.admin, body)
    await until(lambda: town.site.seen("/slow"))
    await town.scene.bot.close()
    assert "restarting" in await town.ended(exchange)
    assert await town.feeds() == []


async def test_importing_settings_counts_like_asking_only_where_it_asks(start: Run, upstream: Upstream) -> None:
    async with start(user_cooldown_s=30) as scene:
        town = Town(scene, upstream)
        assert "Import this?" in text_of(await offered(town, limit=5))
        assert "Import this?" in text_of(await offered(town, Feed(url=upstream.url("/birds"))))
        assert "again in" in text_of(await offered(town, Feed(url=upstream.url("/chess"))))
        assert upstream.seen("/chess") == []


def is_the_end(message: Message) -> bool:
    said = text_of(message)
    return bool(said) and "Looked at" not in said


def owner(guild: Guild) -> User:
    return guild.members[guild.owner_id].user


def many(town: Town, count: int) -> tuple[Feed, ...]:
    return tuple(Feed(url=town.site.url(f"/{number}"), title=f"Feed {number}") for number in range(count))


async def suggestions_for(town: Town, user: User) -> list[Any]:
    """What somebody would be suggested whose client offers the command nevertheless."""
    option = {"name": "feed", "type": 3, "value": "t", "focused": True}
    command = next(one for one in town.local.commands.all() if one["name"] == "feeds")
    data = {
        "id": command["id"],
        "name": "feeds",
        "type": 1,
        "options": [{"name": "remove", "type": 1, "options": [option]}],
    }
    kind = InteractionKind.AUTOCOMPLETE
    exchange = await town.local.send_command(user, town.scene.channel, "feeds remove", kind=kind, data=data)
    return await exchange.wait_choices()
