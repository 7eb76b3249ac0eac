"""Digests by command and over the wire: made, changed, tried out, posted, looked back at; by admins only."""

import asyncio
from typing import Any
from unittest.mock import AsyncMock

import pytest

from agents.errors import NotFound
from agents.source import Scan
from bot.guild_settings import DEFAULTS
from bot.store.errors import NotSaved, SaveUnknown
from bot.subscription import Grouping, State
from sandbox import wire
from sandbox.faults import Fault
from sandbox.guilds import Channel
from sandbox.messages import Message
from tests.bot.conftest import Start
from tests.bot.digest_town import WAIT_S, Town, control, labels, plain
from tests.bot.scene import FakeSource, Scene, found, text_of, until

COMMANDS: tuple[tuple[str, dict[str, str]], ...] = (
    ("add", {"channel": "1"}), ("edit", {"digest": "News"}), ("list", {}), ("pause", {"digest": "News"}),
    ("resume", {"digest": "News"}), ("remove", {"digest": "News"}), ("preview", {"digest": "News"}),
    ("run", {"digest": "News"}), ("history", {}),
)  # fmt: skip


@pytest.fixture
async def town(scene: Scene) -> Town:
    return Town(scene)


async def made(town: Town, options: str = "") -> None:
    """A digest called News in the first channel."""
    assert "Made · News" in await town.say(f"/digest add channel:general name:News {options}")


# -- making and changing


async def test_a_digest_is_made_with_the_servers_zone_and_what_was_chosen(town: Town) -> None:
    guilds = town.scene.parts.guilds
    zone = DEFAULTS.changed(time_zone="Europe/Berlin")
    await guilds.save(town.guild.id, zone, expected_version=0, actor_id=1, action="set")
    said = await town.say(
        "/digest add channel:general sources:reddit subreddit=python, news query:type checkers name:Types "
        "every:weekday at:7 quiet:22:00-06:00 limit:5 min_score:0.4 grouping:story chart:True when_empty:True"
    )
    for words in (
        "Made · Types",
        "Monday to Friday at 07:00 (Europe/Berlin)",
        "Reddit subreddit=python, News",
        "next <t:",
    ):
        assert words in said
    (one,) = await town.subscriptions()
    plan = one.plan
    assert [(source.name, dict(source.options)) for source in plan.sources] == [
        ("reddit", {"subreddit": "python"}), ("news", {}),
    ]  # fmt: skip
    assert (plan.query, plan.limit, plan.min_score, plan.grouping) == ("type checkers", 5, 0.4, Grouping.STORY)
    assert (plan.schedule.at, plan.schedule.days, plan.schedule.timezone) == (
        "07:00",
        (0, 1, 2, 3, 4),
        "Europe/Berlin",
    )
    assert plan.chart
    assert plan.when_empty
    assert one.due_at is not None


async def test_it_gets_a_free_name_when_none_is_given(town: Town) -> None:
    for name in ("rust", "rust 2", "Reddit"):
        options = "sources:reddit" if name == "Reddit" else "query:rust"
        assert f"Made · {name}" in await town.say(f"/digest add channel:general {options}")


async def test_a_taken_name_and_one_too_many_are_refused_with_what_to_do(town: Town) -> None:
    await made(town)
    assert "Choose another name" in await town.say("/digest add channel:general name:news")
    await town.say("/digest add channel:general name:Other")
    assert "Choose another name" in await town.say("/digest edit digest:Other name:News")
    for number in range(23):
        await town.say(f"/digest add channel:general name:n{number}")
    assert "Remove one with /digest remove" in await town.say("/digest add channel:general name:last")
    assert len(await town.subscriptions()) == 25
    listed = await town.say("/digest list")
    assert "Digests of this server (25)" in listed
    assert "n22" in listed


async def test_it_is_changed_paused_resumed_and_removed_and_history_tells_by_whom(town: Town) -> None:
    await made(town)
    said = await town.say("/digest edit digest:News limit:5 query:rust")
    assert "limit: 10 → 5" in said.replace("`", "")
    assert "query: none → “rust”" in said.replace("`", "")
    assert "It is so already" in await town.say("/digest edit digest:News limit:5")
    assert "Paused · News" in await town.say("/digest pause digest:News")
    assert "already" in await town.say("/digest pause digest:News")
    (one,) = await town.subscriptions()
    assert (one.state, one.due_at) == (State.PAUSED, None)
    assert "Goes on · News" in await town.say("/digest resume digest:News")
    (one,) = await town.subscriptions()
    assert one.state is State.ACTIVE
    assert one.due_at is not None
    asked = await town.message("/digest remove digest:News")
    assert "Remove News?" in plain(asked)
    before = text_of(asked)
    assert "Kept" in await town.changed_by(await town.press(asked, "Keep it"), asked, before)
    asked = await town.message("/digest remove digest:News")
    before = text_of(asked)
    assert "Removed · News" in await town.changed_by(await town.press(asked, "Remove it"), asked, before)
    assert await town.subscriptions() == ()
    history = await town.say("/digest history")
    for word in ("removed", "resumed", "paused", "changed", "added"):
        assert f"<@{town.admin.id}> {word} **News**" in history


async def test_what_was_changed_meanwhile_is_not_removed(town: Town) -> None:
    await made(town)
    asked = await town.message("/digest remove digest:News")
    await town.say("/digest edit digest:News limit:3")
    pressed = await town.press(asked, "Remove it")
    said = plain(await pressed.wait_message(predicate=lambda message: message is not asked and not message.loading))
    assert "changed in the meantime" in said
    assert len(await town.subscriptions()) == 1


async def test_the_log_channel_is_told(town: Town) -> None:
    log = town.guild.add_channel("log")
    await town.known(log)
    await town.say(f"/config channel setting:log_channel channel:{log.name}")
    await made(town, "query:rust")
    await town.say("/digest edit digest:News limit:3")
    told = "\n".join(plain(one) for one in town.posts(log))
    assert f"<@{town.admin.id}> added the digest **News**" in told
    assert "10 → 3" in told


async def test_what_cannot_be_is_refused_in_words_and_nothing_is_made(town: Town) -> None:
    refused = {
        "at:25:00": "08:30",
        "timezone:Mars/Olympus": "Europe/Berlin",
        "cron:* * * * *": "15 minutes",
        "cron:0 8 * * * every:hour": "leave every",
        "every:fortnight": "every takes",
        "days:someday": "mon, wed, fri",
        "sources:redit": "There is no source",
        "sources:reddit subreddit=a b": "is no subreddit",
        "quiet:always": "22:00-07:00",
        "tag:5": "is no forum",
    }
    for options, told in refused.items():
        assert told in await town.say(f"/digest add channel:general {options}"), options
    assert await town.subscriptions() == ()


async def test_what_discords_client_would_not_send_is_refused_too(town: Town) -> None:
    sent: tuple[dict[str, Any], ...] = (
        {"limit": 0}, {"limit": 26}, {"limit": "many"}, {"min_score": 7}, {"name": ""}, {"name": "x" * 61},
        {"query": "x" * 201}, {"grouping": "colour"}, {"sources": 5}, {"role": "1"},
    )  # fmt: skip
    for options in sent:
        said = await town.send("digest add", {"channel": str(town.scene.channel.id), **options})
        assert "went wrong" not in said, options
    assert await town.subscriptions() == ()


async def test_a_digest_that_is_not_there_is_told_with_those_that_are(town: Town) -> None:
    assert "/setup" in await town.say("/digest pause digest:Sports")
    await made(town)
    assert "There are: News" in await town.say("/digest pause digest:Sports")


# -- permissions


LACKING: tuple[tuple[str, list[str], str, str], ...] = (
    ("text", ["view_channel"], "", "View Channel"),
    ("text", ["send_messages", "embed_links"], "", "Send Messages and Embed Links"),
    ("announcement", ["send_messages"], "", "Send Messages"),
    ("text", ["attach_files"], "chart:True", "Attach Files (only for the chart)"),
    ("text", ["mention_everyone"], "role:crew", "Mention @everyone, @here, and All Roles"),
    ("forum", ["send_messages"], "", "Create Posts"),
)


async def test_what_the_bot_lacks_in_a_channel_is_named_and_nothing_is_made(town: Town) -> None:
    town.guild.add_role("crew")
    for number, (kind, denied, options, told) in enumerate(LACKING):
        place = town.guild.add_channel(f"place{number}", kind)
        await town.known(place)
        await town.allowed(place, deny=denied, user=town.local.bot_user)
        assert told in await town.say(f"/digest add channel:place{number} {options}"), kind
    assert await town.subscriptions() == ()


async def test_channels_of_other_kinds_take_no_digest(town: Town) -> None:
    for kind in ("voice", "media", "category"):
        place = town.guild.add_channel(kind, kind)
        await town.known(place)
        assert "takes no digests" in await send_to(town, place, {"channel": str(place.id)})
    assert await town.subscriptions() == ()


async def send_to(town: Town, place: Channel, raw: dict[str, str]) -> str:
    """A channel that Discord's picker would not offer."""
    option = {"name": "channel", "type": 7, "value": raw["channel"]}
    data = {
        "id": "1", "name": "digest", "type": 1, "options": [{"name": "add", "type": 1, "options": [option]}],
        "resolved": {"channels": {raw["channel"]: {**wire.channel(place), "permissions": "0"}}},
    }  # fmt: skip
    command = next(one for one in town.local.commands.all() if one["name"] == "digest")
    data["id"] = command["id"]
    exchange = await town.local.send_command(town.admin, town.scene.channel, "digest add", [], data=data)
    return plain(await town.ended(exchange))


async def test_threads_need_their_own_permission_and_locked_ones_more(town: Town) -> None:
    thread = town.guild.add_channel("talk", "thread", parent=town.scene.channel)
    await town.known(thread)
    bot = town.local.bot_user
    await town.allowed(town.scene.channel, deny=["send_messages_in_threads"], user=bot)
    assert "Send Messages in Threads" in await town.say("/digest add channel:talk name:News")
    await town.allowed(town.scene.channel, deny=[], user=bot)
    assert "Made · News" in await town.say("/digest add channel:talk name:News")
    town.guild.update_channel(thread, locked=True)
    await until(lambda: town.scene.bot.get_guild(town.guild.id).get_thread(thread.id).locked)  # type: ignore[union-attr]
    assert "is locked. Unlock it" in await town.say("/digest add channel:talk name:Other")


async def test_an_archived_thread_takes_digests_and_a_post_opens_it_again(town: Town) -> None:
    thread = town.guild.add_channel("talk", "thread", parent=town.scene.channel)
    await town.known(thread)
    home = town.scene.bot.get_guild(town.guild.id)
    assert home is not None
    town.guild.update_channel(thread, archived=True)
    await until(lambda: home.get_thread(thread.id) is None)
    assert "Made · News" in await town.say("/digest add channel:talk name:News sources:reddit")
    assert "⚠️" not in await town.say("/digest list digest:News")
    await town.say("/digest pause digest:News")
    assert "Goes on" in await town.say("/digest resume digest:News")
    await town.allowed(town.scene.channel, deny=["send_messages_in_threads"], user=town.local.bot_user)
    assert "Send Messages in Threads" in await town.say("/digest edit digest:News limit:3")
    await town.allowed(town.scene.channel, deny=[], user=town.local.bot_user)
    assert "Posted" in await town.say("/digest run digest:News")
    assert (len(town.posts(thread)), thread.archived) == (1, False)
    town.guild.update_channel(thread, archived=True, locked=True)
    await until(lambda: home.get_thread(thread.id) is None)
    assert "is locked. Unlock it" in await town.say("/digest edit digest:News limit:4")
    town.guild.update_channel(thread, locked=False)
    town.local.faults.add(Fault("status", f"^/channels/{thread.id}$", status=403))
    assert "no such channel" in await town.say("/digest edit digest:News limit:4")


async def test_without_read_message_history_it_is_made_with_a_warning(town: Town) -> None:
    await town.allowed(town.scene.channel, deny=["read_message_history"])
    said = await town.say("/digest add channel:general name:News")
    assert "Made · News" in said
    assert "⚠️ In #general I lack Read Message History" in said


async def test_a_role_that_anybody_may_mention_needs_no_permission_and_everyone_is_none(town: Town) -> None:
    town.guild.add_role("open", mentionable=True)
    await town.allowed(town.scene.channel, deny=["mention_everyone"], user=town.local.bot_user)
    assert "Made · News" in await town.say("/digest add channel:general name:News role:open")
    assert "cannot mention @everyone" in await town.say("/digest add channel:general name:All role:everyone")


async def test_a_forum_that_wants_a_tag_is_asked_for_one_of_its_own(town: Town) -> None:
    forum = town.guild.add_channel("ideas", "forum")
    tag = town.guild.add_tag(forum, "daily", required=True)
    staff = town.guild.add_tag(forum, "staff", moderated=True)
    await town.known(forum)
    assert "wants a tag" in await town.say("/digest add channel:ideas name:News")
    assert "has no such tag" in await town.say("/digest add channel:ideas name:News tag:5")
    assert "Only moderators" in await town.say(f"/digest add channel:ideas name:News tag:{staff.id}")
    assert "Made · News" in await town.say(f"/digest add channel:ideas name:News tag:{tag.id}")


async def test_a_suspended_digest_goes_on_once_it_is_mended(town: Town) -> None:
    await made(town)
    (one,) = await town.subscriptions()
    await town.scene.parts.subscriptions.suspend(one.id, "I cannot see the channel.")
    assert "⛔ **News**" in await town.say("/digest list")
    assert "I cannot see the channel." in await town.say("/digest list digest:News")
    other = town.guild.add_channel("other")
    await town.known(other)
    assert "▶️" in await town.say("/digest edit digest:News channel:other")
    (one,) = await town.subscriptions()
    assert (one.state, one.problem, one.plan.channel_id) == (State.ACTIVE, "", other.id)


async def test_when_the_database_does_not_save_it_that_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    store = town.scene.parts.subscriptions
    for error, told in (
        (NotSaved("Nothing was saved: the database cannot be reached."), "Nothing was saved"),
        (SaveUnknown("The database did not say whether it was saved."), "/digest list"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(type(store), "add", AsyncMock(side_effect=error))
            assert told in await town.say("/digest add channel:general name:News")
    assert "There is no digest here yet" in await town.say("/digest list")


# -- who may


async def test_members_may_nothing_of_it(town: Town) -> None:
    for command, options in COMMANDS:
        assert "Only for admins" in await town.send(f"digest {command}", options, town.ada), command


async def test_members_are_suggested_nothing(town: Town) -> None:
    await made(town)
    town.guild.commands_for_all = True
    for line in ("/digest pause digest:", "/digest add channel:general sources:", "/digest edit digest:x timezone:"):
        assert await town.local.autocomplete(town.ada, town.scene.channel, line) == []


async def test_the_role_that_may_configure_may_make_digests(town: Town) -> None:
    role = town.guild.add_role("editors")
    await town.say("/config role role:editors")
    town.guild.commands_for_all = True
    town.guild.set_member_roles(town.ada, [role])
    assert "Made · News" in await town.say("/digest add channel:general name:News", town.ada)


# -- suggestions


async def test_values_are_suggested(town: Town) -> None:
    expected = {
        "sources:": ["all that are on", "reddit", "reddit subreddit=python", "hackernews"],
        "sources:reddit, ha": ["reddit, hackernews"],
        "sources:reddit sub": ["reddit subreddit=python"],
        "timezone:berlin": ["Europe/Berlin (now "],
        "every:wee": ["weekday: Monday to Friday", "weekend: Saturday and Sunday"],
        "at:7": ["07:00", "07:30"],
        "days:": ["all", "mon-fri", "sat-sun", "mon"],
        "days:mon, w": ["mon, wed"],
        "query:rust name:": ["rust"],
    }
    for typed, first in expected.items():
        line = f"/digest add channel:general {typed}"
        names = [choice["name"] for choice in await town.local.autocomplete(town.admin, town.scene.channel, line)]
        assert len(names) >= len(first), typed
        assert all(name.startswith(wanted) for name, wanted in zip(names, first, strict=False)), names


async def test_digests_tags_and_options_to_clear_are_suggested(town: Town) -> None:
    await made(town)
    forum = town.guild.add_channel("ideas", "forum")
    tag = town.guild.add_tag(forum, "daily")
    await town.known(forum)
    (one,) = await town.subscriptions()

    async def suggested(line: str) -> list[tuple[str, str]]:
        choices = await town.local.autocomplete(town.admin, town.scene.channel, line)
        return [(choice["name"], choice["value"]) for choice in choices]

    assert await suggested("/digest pause digest:ne") == [("News", one.id)]
    assert await suggested("/digest add channel:ideas tag:da") == [("daily", str(tag.id))]
    assert ("query, role", "query, role") in await suggested("/digest edit digest:News clear:query, r")


# -- trying out and posting


async def test_a_preview_shows_what_would_come_and_marks_nothing_as_seen(town: Town) -> None:
    await made(town, "sources:reddit limit:3 chart:True")
    first = await town.message("/digest preview digest:News")
    assert first.content.startswith("**Preview**")
    assert "12 new" in plain(first)
    assert "9 roll over" in plain(first)
    (chart,) = first.attachments
    assert chart.body.startswith(b"\x89PNG")
    assert "Chart of 12 new items" in (chart.description or "")
    again = await town.message("/digest preview digest:News")
    assert "12 new" in plain(again)
    assert town.posts() == []
    assert await town.runs() == ()


async def test_a_long_preview_is_private_in_all_its_messages(town: Town, sources: dict[str, FakeSource]) -> None:
    for name in ("reddit", "hackernews"):
        sources[name].outcome = Scan(
            tuple(
                one.model_copy(update={"url": f"{one.url}/{'x' * 180}", "title": f"{one.title} {'*' * 90}"})
                for one in found(12, name).signals
            )
        )
    await made(town, "sources:reddit, hackernews limit:25")
    exchange = await town.scene.type("/digest preview digest:News", town.admin)
    first = await town.ended(exchange)
    assert "News · 1/" in plain(first)
    await until(lambda: len(exchange.messages) > 1)
    assert all(message.ephemeral for message in exchange.messages)
    assert town.posts() == []


async def test_a_preview_says_when_no_source_answered(town: Town, sources: dict[str, FakeSource]) -> None:
    sources["reddit"].outcome = NotFound("Reddit is away.", status=404)
    await made(town, "sources:reddit")
    said = await town.say("/digest preview digest:News")
    assert "nobody knows what is new" in said
    assert "Reddit is away." in said


async def test_a_preview_of_nothing_says_so(town: Town, sources: dict[str, FakeSource]) -> None:
    sources["reddit"].outcome = found(0)
    await made(town, "sources:reddit")
    assert "nothing would be posted" in await town.say("/digest preview digest:News")


async def test_run_posts_at_once_and_what_was_shown_comes_no_more(town: Town) -> None:
    await made(town, "sources:reddit, hackernews limit:20")
    said = await town.say("/digest run digest:News")
    assert f"Posted in <#{town.scene.channel.id}>: 20 items. 4 more come with the next one." in said
    posts = town.posts()
    assert "24 new" in plain(posts[0])
    assert all(label in labels(posts[-1]) for label in ("Why these?", "4 more", "Mute a word"))
    said = await town.say("/digest run digest:News")
    assert "4 items" in said
    assert "There is nothing new" in await town.say("/digest run digest:News")
    shown = "\n".join(plain(post) for post in town.posts())
    urls = [
        f"https://www.example.com/{source}/{number})" for source in ("reddit", "hackernews") for number in range(12)
    ]
    assert [shown.count(url) for url in urls] == [1] * 24
    history = await town.say("/digest history")
    assert "posted, 20 items, 4 left for the next · by command" in history
    assert "nothing new · by command" in history


async def test_history_tells_of_one_digest_or_one_outcome_page_by_page(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.cards.runs.RUNS_PAGE", 2)
    await made(town, "sources:reddit limit:25")
    assert "Made · Other" in await town.say("/digest add channel:general name:Other sources:news")
    await town.say("/digest run digest:Other")
    for _ in range(4):
        await town.say("/digest run digest:News")
    said = await town.say("/digest history digest:Other")
    assert said.startswith("Runs of Other\n✅ **Other**")
    assert "**News**" not in said
    assert "There is none." in await town.say("/digest history digest:Other outcome:failed")
    card = await town.message("/digest history digest:News outcome:empty")
    assert plain(card).startswith("Runs of News: nothing new")
    assert plain(card).count("⚪ **News**") == 2
    before = text_of(card)
    older = await town.changed_by(await town.press(card, "Older"), card, before)
    assert older.startswith("Runs of News: nothing new")
    assert older.count("⚪ **News**") == 1
    assert "✅ **News**" not in older
    assert "outcome takes posted" in await town.send("digest history", {"outcome": "lost"})
    assert "There is no digest" in await town.say("/digest history digest:Nope")


async def test_a_paused_digest_is_not_run(town: Town) -> None:
    await made(town)
    await town.say("/digest pause digest:News")
    assert "/digest resume" in await town.say("/digest run digest:News")
    assert await town.runs() == ()


async def test_sources_that_failed_are_named_in_the_digest_and_in_its_history(
    town: Town, sources: dict[str, FakeSource]
) -> None:
    sources["news"].outcome = NotFound("The feeds are away.", status=404)
    await made(town, "sources:reddit, news")
    await town.say("/digest run digest:News")
    assert "The feeds are away." in plain(town.posts()[-1])
    assert "The feeds are away." in await town.say("/digest history")


async def test_the_role_is_called_and_nobody_else(town: Town) -> None:
    role = town.guild.add_role("crew")
    await made(town, "role:crew sources:reddit")
    await town.say("/digest run digest:News")
    (post,) = town.posts()
    assert post.mentioned_roles == (role.id,)
    assert (post.mentioned, post.mentions_everyone) == ((), False)


async def test_a_forum_gets_a_post_with_its_tag(town: Town) -> None:
    forum = town.guild.add_channel("ideas", "forum")
    tag = town.guild.add_tag(forum, "daily")
    await town.known(forum)
    await town.say(f"/digest add channel:ideas name:News sources:reddit tag:{tag.id} chart:True")
    preview = await town.message("/digest preview digest:News")
    assert "a post called “News · " in plain(preview)
    assert "Posted" in await town.say("/digest run digest:News")
    (thread,) = [one for one in town.guild.channels.values() if one.parent_id == forum.id]
    assert thread.name.startswith("News · ")
    assert thread.applied_tags == (tag.id,)
    (post,) = town.posts(thread)
    assert "12 new" in plain(post)
    assert post.attachments[0].description


async def test_when_two_run_it_at_once_everything_is_shown_once(town: Town) -> None:
    await made(town, "sources:reddit limit:25")
    said = await asyncio.gather(*(town.say("/digest run digest:News") for _ in range(2)))
    assert sorted("Posted" in one for one in said) == [False, True], said
    assert len(town.posts()) == 1


# -- the buttons below


async def posted(town: Town, options: str = "sources:reddit limit:5") -> Message:
    """A digest in the first channel."""
    await made(town, options)
    await town.say("/digest run digest:News")
    return town.posts()[-1]


async def test_anybody_is_told_why_privately_item_by_item_after_a_restart_too(start: Start) -> None:
    async with start() as scene:
        town = Town(scene)
        post = await posted(town)
    async with start() as scene:
        town = Town(scene)
        asked = await town.press(post, "Why these?", town.ada)
        why = await town.ended(asked)
        assert "Why this item" in plain(why)
        assert "made of:" in plain(why)
        before = text_of(why)
        menu = control(why, "Another item")
        exchange = await town.local.select(town.ada, why, menu, ["3"])
        said = await town.changed_by(exchange, why, before)
        assert "votes" in said
        assert why.ephemeral


async def test_more_shows_the_rest_in_private_pages(town: Town) -> None:
    post = await posted(town)
    copied = await town.press(post, "7 more", town.ada)
    message = await copied.wait_message(WAIT_S)
    assert message.ephemeral
    assert "Page 2/3" in plain(message)
    assert "**6.**" in plain(message)


async def test_a_word_is_muted_by_admins_versioned_and_undone(town: Town) -> None:
    post = await posted(town)
    refused = await town.press(post, "Mute a word", town.ada)
    assert "Only for admins" in plain(await town.ended(refused))
    opened = await town.press(post, "Mute a word")
    assert await opened.wait_acknowledged()
    said = plain(await town.ended(await town.local.submit_modal(town.admin, opened, {"value": "amber, Web 3"})))
    assert "mute: none → amber, Web 3" in said.replace("`", "")
    assert text_of(post)
    stored = town.scene.parts.guilds.peek(town.guild.id)
    assert stored is not None
    assert stored.settings.muted == ("amber", "Web 3")
    assert "amber" not in (await town.say("/digest preview digest:News")).partition("Why")[0].lower()
    again = await town.press(post, "Mute a word")
    assert await again.wait_acknowledged()
    assert "so already" in plain(
        await town.ended(await town.local.submit_modal(town.admin, again, {"value": "AMBER"}))
    )
    assert "mute" in await town.say("/config history")
    await town.say("/config undo")
    stored = town.scene.parts.guilds.peek(town.guild.id)
    assert stored is not None
    assert stored.settings.muted == ()


async def test_the_right_is_looked_at_again_when_the_form_is_sent(town: Town) -> None:
    post = await posted(town)
    opened = await town.press(post, "Mute a word")
    assert await opened.wait_acknowledged()
    sent = await town.local.submit_modal(town.ada, opened, {"value": "amber"})
    assert "Only for admins" in plain(await town.ended(sent))


FORGED = (
    "d1:", "d1:why", "d1:why:x", "d1:nope:0123456789abcdef01234567:0123456789abcdef0123",
    "d1:why::0123456789abcdef0123", "d1:why:0123456789abcdef01234567:0123456789ABCDEF0123",
    "e1:", "e1:make:1:forged", "e1:nope:1:", "e1:remove::x",
)  # fmt: skip


async def test_forged_ids_do_nothing(town: Town) -> None:
    post = await posted(town)
    before = text_of(post)
    for custom_id in FORGED:
        exchange = await town.local.click(town.admin, post, custom_id, forge=True)
        said = plain(await town.ended(exchange))
        assert "does nothing any more" in said or "belongs to another server" in said, custom_id
    assert text_of(post) == before
    assert len(await town.subscriptions()) == 1


async def test_what_is_shown_elsewhere_is_not_told_here(town: Town) -> None:
    post = await posted(town)
    why = control(post, "Why these?")
    elsewhere = town.local.add_guild("Elsewhere", ["general"])
    stranger = town.owner(elsewhere)
    await until(lambda: town.scene.bot.get_guild(elsewhere.id))
    asked = await town.scene.answer("/signals reddit", stranger, elsewhere.first_text_channel())
    exchange = await town.local.click(stranger, asked, why, forge=True)
    assert "belongs elsewhere" in plain(await town.ended(exchange))


async def test_nobody_can_have_the_digest_itself_rewritten(town: Town) -> None:
    post = await posted(town)
    item = control(post, "Why these?").replace("d1:why:", "d1:item:")
    before = text_of(post)
    exchange = await town.local.select(town.ada, post, item, ["1"], forge=True)
    assert "does nothing any more" in plain(await town.ended(exchange))
    assert text_of(post) == before


async def test_a_digest_of_another_server_is_neither_found_nor_removed(town: Town) -> None:
    await made(town)
    (one,) = await town.subscriptions()
    elsewhere = town.local.add_guild("Elsewhere", ["general"])
    stranger = town.owner(elsewhere)
    await until(lambda: town.scene.bot.get_guild(elsewhere.id))
    channel = elsewhere.first_text_channel()
    assert "There is no digest" in await town.say(f"/digest pause digest:{one.id}", stranger, channel)
    asked = await town.scene.answer("/signals reddit", stranger, channel)
    for guild_id in (elsewhere.id, town.guild.id):
        exchange = await town.local.click(stranger, asked, f"e1:remove:{guild_id}:{one.id}.{one.version}", forge=True)
        said = plain(await town.ended(exchange))
        assert "There is no digest" in said or "belongs to another server" in said
    assert len(await town.subscriptions()) == 1
