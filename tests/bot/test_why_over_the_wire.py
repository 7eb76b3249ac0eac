"""Every answer can be asked why: what is in it, what is not, and what more there is about a message."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from agents.errors import UnexpectedContent
from agents.events import utc_now
from agents.source import Scan
from bot.answer import Answer
from sandbox.exchange import Exchange
from sandbox.messages import Message
from tests.bot.config_scene import admin_of, config
from tests.bot.conftest import Start
from tests.bot.scene import FakeSource, Scene, answer_to, custom_ids, found, text_of, until


async def on_message(scene: Scene, message: Message, name: str, **who: Any) -> Exchange:
    """Choose a command of a message's menu."""
    command = next(one for one in scene.local.commands.all() if one["name"] == name)
    exchange = await scene.local.use_on_message(who.get("user", scene.ada), message, command["id"])
    assert await exchange.wait_acknowledged()
    return exchange


async def private_words(exchange: Exchange) -> str:
    """What is said at the end, to nobody else."""
    message = await exchange.wait_message(predicate=lambda one: bool(one.embeds))
    assert message.ephemeral
    return text_of(message)


async def test_what_is_in_the_answer_is_explained_by_the_parts_of_its_score(scene: Scene) -> None:
    await scene.answer("/signals reddit")
    words = await private_words(await scene.type("/why link:https://example.com/reddit/3?utm_source=x"))
    assert "Why this item" in words
    assert "votes" in words
    assert "freshness" in words
    assert "Place " in words


async def test_what_is_not_in_the_answer_is_explained_by_what_left_it_out(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    signals = found(12).signals
    old = signals[0].model_copy(
        update={"id": "reddit:old", "url": "https://old.example/", "timestamp": utc_now() - timedelta(days=3)}
    )
    sources["reddit"].outcome = Scan((*signals, old))
    answer = await scene.answer("/signals reddit limit:5")
    assert "old.example" not in text_of(answer)
    assert "older than the last 24 hours" in await private_words(await scene.type("/why link:https://old.example"))
    cut = next(signal.url for signal in reversed(signals) if signal.url not in str(answer.embeds))
    words = await private_words(await scene.type(f"/why link:{cut}"))
    assert "5 others come first" in words
    assert "made of:" in words


async def test_the_discussion_of_what_is_not_in_the_answer_is_a_link_to_it_too(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    sources["reddit"].outcome = Scan(
        tuple(
            one.model_copy(update={"discussion_url": f"https://talk.example/{number}"})
            for number, one in enumerate(found(9).signals)
        )
    )
    answer = await scene.answer("/signals reddit limit:5")
    cut = next(n for n in range(9) if f"/reddit/{n})" not in str(answer.embeds))
    assert "5 others come first" in await private_words(await scene.type(f"/why link:https://talk.example/{cut}/"))


async def test_what_gave_way_to_others_is_told_so(scene: Scene, sources: dict[str, FakeSource]) -> None:
    others = found(12).signals[:6]
    loud = tuple(signal.model_copy(update={"author": "loud"}) for signal in found(12).signals[6:])
    sources["reddit"].outcome = Scan((*others, *loud))
    answer = await scene.answer("/signals reddit limit:5")
    crowded = next(signal.url for signal in reversed(loud) if signal.url not in str(answer.embeds))
    words = await private_words(await scene.type(f"/why link:{crowded}"))
    assert "three stories of its author or its site come before it" in words


async def test_what_is_not_safe_for_work_is_not_named_where_it_is_not_for(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    sources["reddit"].outcome = Scan(
        tuple(one.model_copy(update={"title": f"Bare {one.title}"}) for one in found(4, nsfw=True).signals)
    )
    adult = scene.guild.add_channel("adult", nsfw=True)
    await until(lambda: scene.bot.get_channel(adult.id))
    assert "Saved" in await config(scene, "set setting:nsfw value:on", admin_of(scene))
    answer = await scene.answer("/signals reddit limit:2", channel=adult)
    urls = [f"https://www.example.com/reddit/{number}" for number in range(4)]
    shown, cut = (next(url for url in urls if (url in str(answer.embeds)) is there) for there in (True, False))
    assert "Bare" in await private_words(await scene.type(f"/why link:{cut}", channel=adult))
    words = await private_words(await scene.type(f"/why link:{cut}"))
    assert "It was found, but 2 others come first" in words
    assert "Bare" not in words
    assert "not safe for work" in await private_words(await scene.type(f"/why link:{shown}"))


async def test_links_are_looked_for_beside_the_loop(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()
    account_of = Answer.account_of

    def watched(answer: Answer, link: str) -> object:
        threads.add(threading.get_ident())
        return account_of(answer, link)

    monkeypatch.setattr(Answer, "account_of", watched)
    await scene.answer("/signals reddit")
    assert "No source gave" in await private_words(await scene.type("/why link:https://nowhere.example/"))
    assert threads
    assert threading.get_ident() not in threads


async def test_what_no_source_gave_is_said_to_be_unseen(scene: Scene) -> None:
    link = "/why link:https://nowhere.example/"
    assert "There is no answer" in await private_words(await scene.type(link))
    await scene.answer("/signals reddit")
    assert "No source gave" in await private_words(await scene.type(link))


async def test_what_is_no_address_is_refused_in_words(scene: Scene) -> None:
    for typed in ("hello", "javascript:alert(1)", "ftp://a.example", "https://"):
        exchange = await scene.send("why", [{"name": "link", "type": 3, "value": typed}])
        assert "link is the address of a page" in await private_words(exchange)


async def test_answers_are_explained_after_a_restart_and_never_elsewhere(start: Start) -> None:
    async with start() as scene:
        message = await scene.answer("/signals reddit")
    async with start() as scene:
        link = "/why link:https://example.com/reddit/3"
        assert "Why this item" in await private_words(await scene.type(link))
        assert "Why this item" in await private_words(await on_message(scene, message, "Why these items"))
        other = scene.local.add_guild("Other", ["general"])
        other.add_member(scene.ada)
        exchange = await scene.type(link, channel=other.first_text_channel())
        assert "There is no answer" in await private_words(exchange)


async def test_the_menu_explains_answers_and_only_those(scene: Scene) -> None:
    message = await scene.answer("/signals reddit")
    exchange = await on_message(scene, message, "Why these items", user=scene.person("bob"))
    assert "Why this item" in await private_words(exchange)
    shown = await exchange.wait_message(predicate=lambda one: bool(one.components))
    menu = shown.components[0]["components"][0]["custom_id"]
    chosen = await scene.local.click(exchange.user, shown, menu, values=["2"])
    assert await chosen.wait_acknowledged()
    said = await scene.local.say(scene.ada, scene.channel, "hello there")
    assert "Not an answer of mine" in await private_words(await on_message(scene, said, "Why these items"))


async def test_an_empty_answer_says_what_was_left_out(scene: Scene, sources: dict[str, FakeSource]) -> None:
    sources["reddit"].outcome = found(3, timestamp=utc_now() - timedelta(days=2))
    message = await scene.answer("/signals reddit")
    words = await private_words(await on_message(scene, message, "Why these items"))
    assert "3 items: older than the timeframe" in words


async def test_related_stories_are_searched_by_the_telling_words_of_a_message(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    said = await scene.local.say(
        scene.person("bob"), scene.channel, "I think the borrow checker in Rust is what people want"
    )
    answered = await answer_to(await on_message(scene, said, "Find related"))
    assert answered.ephemeral
    assert "borrow checker rust" in text_of(answered)
    assert {source.asked[0].query for source in sources.values()} == {"borrow checker rust"}


async def test_related_to_an_answer_is_what_its_first_story_tells(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    message = await scene.answer("/signals reddit")
    await answer_to(await on_message(scene, message, "Find related"))
    first = str(message.embeds[0]["description"]).partition("[")[2].partition("]")[0]
    assert sources["news"].asked[0].query is not None
    assert set(sources["news"].asked[0].query.split()) <= set(first.casefold().split())


async def test_related_to_another_page_of_an_answer_is_what_its_own_first_story_tells(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    message = await scene.answer("/signals reddit")
    await scene.press(message, custom_ids(message)["Next"])
    assert "**6.**" in text_of(message)
    await answer_to(await on_message(scene, message, "Find related"))
    first = text_of(message).partition("**6.** [")[2].partition("]")[0]
    assert set((sources["news"].asked[0].query or "-").split()) <= set(first.casefold().split())


async def test_related_to_a_bare_link_is_what_its_preview_tells(scene: Scene, sources: dict[str, FakeSource]) -> None:
    said = await scene.local.say(scene.ada, scene.channel, "https://example.org/quantum")
    said.embeds.append({"title": "Borrow checker explained", "description": "By somebody"})
    await answer_to(await on_message(scene, said, "Find related"))
    assert sources["news"].asked[0].query == "borrow checker explained"


async def test_a_message_without_telling_words_is_not_searched_for(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    said = await scene.local.say(scene.ada, scene.channel, "the of and it is <@1> https://example.org")
    assert "Nothing to search for" in await private_words(await on_message(scene, said, "Find related"))
    assert sources["reddit"].asked == []


async def test_trends_are_a_picture_with_words_and_the_words_that_stand_out(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    before = found(30, timestamp=utc_now() - timedelta(days=3)).signals
    quakes = tuple(
        signal.model_copy(
            update={
                "id": f"reddit:q{n}",
                "title": f"quake {n} damage {signal.title}",
                "url": f"https://q.example/{n}",
            }
        )
        for n, signal in enumerate(found(6).signals)
    )
    for source in sources.values():
        source.outcome = Scan(before)
    sources["reddit"].outcome = Scan((*before, *quakes))
    exchange = await scene.type("/trends timeframe:24h")
    message = await exchange.wait_message(predicate=lambda one: bool(one.attachments))
    assert not message.ephemeral
    assert message.attachments[0].filename == "trends.png"
    assert "Chart of" in (message.attachments[0].description or "")
    words = text_of(message)
    assert "Trends" in words
    assert "**quake** in 6 titles, none before" in words
    assert "Reddit" in words


async def test_trends_without_anything_from_before_say_so(scene: Scene) -> None:
    exchange = await scene.type("/trends")
    message = await exchange.wait_message(predicate=lambda one: bool(one.attachments))
    assert "The sources gave nothing from before to compare with" in text_of(message)


async def test_trends_when_no_source_answers_say_so(scene: Scene, sources: dict[str, FakeSource]) -> None:
    for source in sources.values():
        source.outcome = UnexpectedContent("It sent garbage.")
    exchange = await scene.type("/trends")
    message = await exchange.wait_message(predicate=lambda one: bool(one.attachments))
    assert "No source could answer just now" in text_of(message)


async def test_trends_of_nothing_say_so(scene: Scene, sources: dict[str, FakeSource]) -> None:
    for source in sources.values():
        source.outcome = Scan(())
    exchange = await scene.type("/trends query:unheard-of")
    message = await exchange.wait_message(predicate=lambda one: bool(one.embeds))
    assert "Nothing was found" in text_of(message)
