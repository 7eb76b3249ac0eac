"""`/signals` from the typed line to the drawn answer, every byte over the wire."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest

from agents.errors import RateLimited, Unreachable, UpstreamFailed
from bot.delivery.answers import EDIT_PAUSE_S
from bot.settings import Settings
from sandbox.server import LocalDiscord
from sandbox.upstreams import SampleUpstreams
from tests.bot.cards.discord_rules import active_markup
from tests.bot.conftest import Start, connected_bot
from tests.bot.scene import FakeSource, Scene, answer_to, custom_ids, edits, found, messages_made, text_of, until

Sources = dict[str, FakeSource]


@pytest.mark.parametrize("source", ["reddit", "hackernews", "news", "all"])
async def test_a_question_is_acknowledged_at_once_and_answered_with_buttons(scene: Scene, source: str) -> None:
    exchange = await scene.type(f"/signals {source} query:amber timeframe:7d limit:8")
    message = await answer_to(exchange)
    assert exchange.deferred
    assert exchange.acknowledged_after_s is not None
    assert exchange.acknowledged_after_s < 1
    assert not message.ephemeral
    assert list(custom_ids(message)) == ["Previous", "Next", "Ask again"]
    assert "▰" in text_of(message)
    assert "example.com" in text_of(message)


async def test_a_quick_answer_costs_one_edit(scene: Scene) -> None:
    await scene.answer("/signals all")
    assert len(edits(scene.local)) == 1
    assert len(messages_made(scene.local)) == 1


async def test_progress_is_shown_by_editing_at_most_once_a_second(
    scene: Scene, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause_s = 0.1
    monkeypatch.setattr("bot.delivery.answers.EDIT_PAUSE_S", pause_s)
    gates = {name: asyncio.Event() for name in sources}
    for name, source in sources.items():
        source.gate = gates[name]
    exchange = await scene.type("/signals all")
    for gate in gates.values():
        await asyncio.sleep(0.11)
        gate.set()
    message = await answer_to(exchange)
    shown = [record for record in edits(scene.local) if record.status == 200]
    assert 2 <= len(shown) <= 4
    pauses = [after.at - before.at for before, after in pairwise(shown)]
    assert min(pauses) >= pause_s * 0.95
    first = str(message.edits[1].embeds)
    assert all(title in first for title in ("Reddit", "Hacker News", "News"))
    assert EDIT_PAUSE_S == 1.0


async def test_every_source_that_did_not_answer_fully_is_told_in_words(scene: Scene, sources: Sources) -> None:
    sources["hackernews"].outcome = UpstreamFailed("Hacker News has a fault of its own (500).", status=500)
    sources["news"].outcome = RateLimited("News asks to wait a minute.", status=429, retry_after_s=60)
    said = text_of(await scene.answer("/signals all"))
    assert "Hacker News has a fault of its own" in said
    assert "News asks to wait a minute" in said
    assert "amber" in said


async def test_when_no_source_answers_that_is_said_too(scene: Scene, sources: Sources) -> None:
    sources["reddit"].outcome = Unreachable("Reddit cannot be reached.")
    said = text_of(await scene.answer("/signals reddit"))
    assert "No source could answer" in said
    assert "Reddit cannot be reached" in said


async def test_nothing_in_a_title_mentions_formats_links_or_reverses(scene: Scene, sources: Sources) -> None:
    nasty = "@everyone <@1> **b** [good](https://evil.example) \u202eabc || `x` https://evil.example <t:1:R> # h\n- l"
    sources["reddit"].outcome = found(3, title=nasty, origin=nasty, excerpt=nasty)
    message = await scene.answer("/signals reddit")
    embed = message.embeds[0]
    # What is ours is taken away: the numbers and subtext lines, the link around the title, and its time.
    markup = r"^\*\*\d+\.\*\* |^-# |<t:\d+:R>|\]\(https://www\.example\.com/[^)]*\)|(?<!\\)\["
    strangers = re.sub(markup, "", embed["description"], flags=re.MULTILINE)
    assert active_markup(strangers) == []
    assert not message.mentions_everyone
    assert "evil" in text_of(message)


async def test_a_source_that_is_off_says_what_to_set_and_is_left_out_of_all(start: Start, sources: Sources) -> None:
    sources["news"].off = "Set NEWS_FEEDS to use this."
    async with start() as scene:
        exchange = await scene.send("signals news")
        assert exchange.ephemeral
        assert exchange.original is not None
        assert "NEWS\\_FEEDS" in text_of(exchange.original)
        await scene.answer("/signals all")
        assert sources["news"].asked == []
        assert len(sources["reddit"].asked) == 1


async def test_a_second_equal_question_is_answered_from_the_cache(scene: Scene, sources: Sources) -> None:
    await scene.answer("/signals reddit")
    said = text_of(await scene.answer("/signals reddit", scene.person("grace")))
    assert len(sources["reddit"].asked) == 1
    assert "a moment ago" in said


async def test_options_reach_the_source_in_one_spelling(scene: Scene, sources: Sources) -> None:
    await scene.answer("/signals reddit subreddit:PyThon sort:top query:a  b")
    (question,) = sources["reddit"].asked
    assert (question.options, question.query) == ({"subreddit": "python", "sort": "top"}, "a b")


async def test_help_explains_on_one_private_card(scene: Scene) -> None:
    exchange = await scene.type("/help")
    message = await exchange.wait_message()
    assert message.ephemeral
    assert all(title in text_of(message) for title in ("Reddit", "Hacker News", "News", "/signals all"))
    said, registered = text_of(message), scene.local.commands.all()
    typed = {f"/{command['name']}" for command in registered if command["type"] == 1} - {"/help"}
    chosen = {f"*{command['name']}*" for command in registered if command["type"] != 1}
    assert [name for name in sorted(typed) if f"{name} " not in said and f"{name}`" not in said] == []
    assert [name for name in sorted(chosen) if name not in said] == []


async def test_in_direct_messages_the_defaults_hold(scene: Scene) -> None:
    message = await scene.answer("/signals reddit", channel=scene.local.dm(scene.ada))
    answer = await scene.parts.answers.get(custom_ids(message)["Ask again"].split(":")[-1])
    assert answer is not None
    assert answer.tenant == f"user:{scene.ada.id}"


async def test_it_follows_a_user_who_installed_it_to_other_servers(scene: Scene) -> None:
    bob = scene.local.add_user("bob", installed=True)
    elsewhere = scene.local.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(bob)
    message = await scene.answer("/signals reddit", bob, elsewhere.first_text_channel())
    assert "Signals" in text_of(message)


async def test_the_same_interaction_delivered_twice_runs_once(
    scene: Scene, sources: Sources, quiet_log: pytest.LogCaptureFixture
) -> None:
    sources["reddit"].gate = asyncio.Event()
    first = await scene.send("signals reddit")
    await scene.local.send_command(scene.ada, scene.channel, "signals reddit", interaction_id=first.interaction_id)
    await until(lambda: "delivered twice" in quiet_log.text)
    sources["reddit"].gate.set()
    await answer_to(first)
    assert len([record for record in scene.local.requests if record.path.endswith("/callback")]) == 1
    assert len(sources["reddit"].asked) == 1


async def test_answers_hold_with_the_defaults_of_an_operator_who_sets_a_cooldown(start: Start) -> None:
    async with start(user_cooldown_s=5) as scene:
        await scene.answer("/signals reddit")
        exchange = await scene.send("signals reddit")
        assert exchange.ephemeral
        assert exchange.original is not None
        assert re.search(r"again in [45] seconds \(<t:\d+:R>\)", text_of(exchange.original))
        await scene.answer("/signals reddit", scene.person("grace"))


# -- with the real sources, against sample upstreams


@pytest.fixture
async def real(
    local: LocalDiscord, settings: Callable[..., Settings], addresses_restored: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    """A bot with the sources that operators get."""
    async with SampleUpstreams() as upstreams:
        for name, value in upstreams.env().items():
            monkeypatch.setenv(name, value)
        async with connected_bot(local, settings()) as scene:
            yield scene


@pytest.mark.parametrize("source", ["reddit", "news", "hackernews", "all"])
async def test_real_sources_answer(real: Scene, source: str) -> None:
    exchange = await real.type(f"/signals {source} timeframe:7d")
    message = await answer_to(exchange)
    assert exchange.acknowledged_after_s is not None
    assert exchange.acknowledged_after_s < 3
    assert "▰" in text_of(message)


@pytest.mark.parametrize(
    ("feed", "private"),
    [
        ("javascript:alert(1)", True),
        ("ftp://example.com/feed", True),
        ("file:///etc/passwd", True),
        ("http://127.0.0.1:9/feed", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("http://[::ffff:10.0.0.1]/feed", False),
    ],
)
async def test_a_feed_address_that_is_refused_is_told_without_naming_one(
    real: Scene, feed: str, private: bool
) -> None:
    exchange = await real.send("signals news", [{"name": "feed", "type": 3, "value": feed}])
    message = await exchange.wait_message()
    said = text_of(message)
    assert exchange.ephemeral or not private, said
    assert not re.search(r"127\.|169\.254|10\.0|passwd", said)
    assert len(exchange.messages) == 1
    assert re.search("did not understand|refused|not allowed|may not|No source could answer", said)
