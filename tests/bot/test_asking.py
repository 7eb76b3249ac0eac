"""Asking: what may be asked, and who may ask now, seen over the wire."""

import asyncio
import re

import pytest

from agents.errors import BusFull, InvalidOption, NotConfigured, UnknownSource
from agents.signal import Timeframe
from agents.source import SourceSpec
from bot.admission import Admission
from bot.answer import Question
from bot.asking import Asking, Origin
from bot.cards.answer import AnswerCards
from bot.delivery.answers import AnswerDelivery, Publish
from bot.delivery.places import Place
from bot.guild_settings import DEFAULTS, Operator
from tests.bot.conftest import Start
from tests.bot.fakes import Kept, Shown, nowhere, unheard
from tests.bot.scene import FakeSource, Scene, answer_to, text_of, usual_sources


def asking(unavailable: dict[str, str] | None = None, publish: Publish = unheard) -> Asking:
    specs: tuple[SourceSpec, ...] = tuple(source.spec for source in usual_sources().values())
    delivery = AnswerDelivery(publish, AnswerCards({}), {}, Kept(), nowhere)
    operator = Operator(sources={spec.name: spec.title for spec in specs})
    return Asking(specs, unavailable or {}, Admission(), delivery, operator=operator, answer_timeout_s=1)


def test_what_is_left_out_has_its_default() -> None:
    question = asking().question(
        "reddit", {"query": None, "timeframe": None, "limit": None, "subreddit": None}, DEFAULTS
    )
    assert (question.query, question.timeframe, question.limit) == (None, Timeframe.DAY, 10)
    assert [(source.name, source.options) for source in question.sources] == [("reddit", {})]


def test_all_asks_every_source_that_is_not_off() -> None:
    question = asking({"news": "Set NEWS_FEEDS."}).question("all", {}, DEFAULTS)
    assert [source.name for source in question.sources] == ["reddit", "hackernews"]


def test_when_every_source_is_off_it_says_what_to_set() -> None:
    off = dict.fromkeys(usual_sources(), "Set A.")
    with pytest.raises(NotConfigured, match=r"Set A\."):
        asking(off).question("all", {}, DEFAULTS)


def test_equal_questions_are_equal_however_they_are_typed() -> None:
    one = asking().question("reddit", {"query": " rust  lang ", "timeframe": "7D", "subreddit": "Rust"}, DEFAULTS)
    other = asking().question(
        "reddit", {"query": "rust lang", "timeframe": "7d", "subreddit": "rust", "sort": " "}, DEFAULTS
    )
    assert one == other


@pytest.mark.parametrize(
    ("source", "given", "words"),
    [
        ("reddit", {"limit": 0}, "from 1 to 25"),
        ("reddit", {"limit": True}, "from 1 to 25"),
        ("reddit", {"limit": 2.0}, "from 1 to 25"),
        ("reddit", {"limit": "10"}, "from 1 to 25"),
        ("reddit", {"timeframe": "1y"}, "1h, 6h, 24h, 48h, 7d, 30d"),
        ("reddit", {"timeframe": 24}, "1h, 6h, 24h, 48h, 7d, 30d"),
        ("reddit", {"query": "x" * 201}, "200"),
        ("reddit", {"query": b"x"}, "text"),
        ("reddit", {"subreddit": "a b"}, "no subreddit"),
        ("reddit", {"colour": "red"}, "no option"),
        ("hackernews", {"subreddit": "rust"}, "no option"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(source: str, given: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidOption, match=words) as refused:
        asking().question(source, given, DEFAULTS)
    assert words in refused.value.sentence


async def test_of_several_questions_one_that_fails_is_the_reason_that_is_told() -> None:
    async def no_room(_topic: object, _request: object) -> None:
        raise BusFull("No room.")

    async def begin(_question: Question, _private: bool) -> Place:
        return Shown()

    desk = asking(publish=no_room)
    question = desk.question("reddit", {}, DEFAULTS)
    with pytest.raises(BusFull):
        await desk.collect((question, question), Origin("1", 2), DEFAULTS, begin)


def test_an_unknown_source_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownSource, match="reddit, hackernews, news, all"):
        asking().question("myspace", {}, DEFAULTS)


# -- admission, over the wire


async def test_the_fourteenth_of_a_server_is_refused_privately_before_anything_is_deferred(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    sources["reddit"].gate = asyncio.Event()
    people = [scene.person(f"p{number}") for number in range(14)]
    asked = [await scene.type(f"/signals reddit query:q{number}", user) for number, user in enumerate(people[:13])]
    for exchange in asked:
        assert await exchange.wait_acknowledged()
        assert exchange.deferred
        assert not exchange.ephemeral
    assert len(sources["reddit"].asked) <= 3
    refused = await scene.type("/signals reddit", people[13])
    message = await refused.wait_message()
    assert refused.ephemeral
    assert not refused.deferred
    assert re.search(r"Try again in about \d+ second", text_of(message))
    # Another server is served meanwhile.
    other = scene.local.add_guild("Other")
    other.add_member(scene.ada)
    await scene.answer("/signals news", channel=other.first_text_channel())
    sources["reddit"].gate.set()
    for exchange in asked:
        await answer_to(exchange)
    assert len(sources["reddit"].asked) == 13


async def test_direct_messages_and_user_installations_are_limited_per_user(
    start: Start, sources: dict[str, FakeSource]
) -> None:
    sources["reddit"].gate = asyncio.Event()
    async with start(guild_concurrency=1, guild_queue=0) as scene:
        bob = scene.local.add_user("bob", installed=True)
        elsewhere = scene.local.add_guild("Elsewhere", with_bot=False)
        elsewhere.add_member(bob)
        pending = [
            await scene.type("/signals reddit", bob, elsewhere.first_text_channel()),
            await scene.type("/signals reddit", scene.ada, scene.local.dm(scene.ada)),
            await scene.type("/signals reddit", scene.ada, scene.channel),
        ]
        for exchange in pending:
            assert await exchange.wait_acknowledged()
            assert exchange.deferred
        for user, channel in ((bob, scene.local.dm(bob)), (scene.ada, scene.local.dm(scene.ada))):
            refused = await scene.type("/signals reddit", user, channel)
            assert "Busy" in text_of(await refused.wait_message())
        sources["reddit"].gate.set()
        for exchange in pending:
            await answer_to(exchange)


async def test_bad_input_costs_no_cooldown(start: Start) -> None:
    async with start(user_cooldown_s=60) as scene:
        await scene.send("signals reddit", [{"name": "limit", "type": 4, "value": 99}])
        await scene.answer("/signals reddit")


async def test_ask_again_counts_like_a_question(start: Start) -> None:
    async with start(user_cooldown_s=60) as scene:
        message = await scene.answer("/signals reddit")
        pressed = await scene.press(message, 3)
        assert pressed.ephemeral
        assert pressed.original is not None
        assert "A moment, please" in text_of(pressed.original)
