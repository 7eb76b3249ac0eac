"""Delivery: an answer goes where its request came from, progress costs little, and nothing is left behind."""

import asyncio

import aiohttp
import pytest

from agents.events import (
    SIGNALS_RESPONSE,
    Requester,
    SignalsProgress,
    SignalsRequested,
    SignalsResponse,
    SourceReport,
    SourceRequest,
    SourceStatus,
    Topic,
)
from bot.answer import Question
from bot.cards.answer import AnswerCards
from bot.cards.card import Card
from bot.delivery.answers import AnswerDelivery
from tests.bot import samples
from tests.bot.fakes import Kept, Shown, nowhere, unheard
from tests.bot.scene import Scene, text_of, until

GUILD = "81384788765712384"
PAUSE_S = 0.05
QUESTION = Question(sources=(SourceRequest(name="reddit"), SourceRequest(name="hackernews")))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.delivery.answers.EDIT_PAUSE_S", PAUSE_S)
    monkeypatch.setattr("bot.delivery.answers.GRACE_S", 0.0)


def delivery(kept: Kept | None = None) -> AnswerDelivery:
    return AnswerDelivery(unheard, AnswerCards(samples.TITLES), samples.TITLES, kept or Kept(), nowhere)


def request() -> SignalsRequested:
    return SignalsRequested(requester=Requester(kind="discord", tenant=GUILD), sources=QUESTION.sources)


def response(asked: SignalsRequested, *, reply_to: str | None = None, tenant: str | None = GUILD) -> SignalsResponse:
    return SignalsResponse(
        request_id=asked.request_id,
        requester=Requester(kind="discord", tenant=tenant, reply_to=reply_to),
        provider="signals-scout",
        signals=tuple(samples.signal(number) for number in range(3)),
        reports=(SourceReport(source="reddit", status=SourceStatus.OK, count=3),),
        found=3,
    )


def progress(asked: SignalsRequested, source: str) -> SignalsProgress:
    report = SourceReport(source=source, status=SourceStatus.OK, count=5)
    return SignalsProgress(request_id=asked.request_id, requester=asked.requester, report=report, done=1, total=2)


async def test_an_answer_within_a_moment_is_one_edit_and_kept_before_it_is_shown() -> None:
    kept, place, asked = Kept(), Shown(), request()
    delivered = delivery(kept)

    async def put_first(card: Card) -> None:
        assert len(kept.answers) == 1
        await Shown.edit(place, card)

    place.edit = put_first  # type: ignore[method-assign]
    answering = asyncio.create_task(delivered.answer(asked, QUESTION, GUILD, 5, place, 1))
    await asyncio.sleep(0)
    await delivered.on_progress(progress(asked, "reddit"))
    await delivered.on_response(response(asked))
    await answering
    assert len(place.cards) == 1
    assert place.cards[0].rows
    assert delivered.pending == 0


async def test_edits_are_apart_and_only_made_for_news() -> None:
    place, asked, delivered = Shown(), request(), delivery()
    answering = asyncio.create_task(delivered.answer(asked, QUESTION, GUILD, 5, place, 5))
    await asyncio.sleep(3.5 * PAUSE_S)
    assert len(place.cards) == 1  # that it runs; then nothing happened
    await delivered.on_progress(progress(asked, "reddit"))
    await asyncio.sleep(1.5 * PAUSE_S)
    assert len(place.cards) == 2
    await delivered.on_response(response(asked))
    await answering
    assert len(place.cards) == 3
    assert min(after - before for before, after in zip(place.at, place.at[1:], strict=False)) >= PAUSE_S * 0.95


async def test_progress_that_fails_is_no_failure_of_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    place, asked, delivered = Shown(aiohttp.ServerDisconnectedError(), OSError()), request(), delivery()
    answering = asyncio.create_task(delivered.answer(asked, QUESTION, GUILD, 5, place, 5))
    await asyncio.sleep(1.5 * PAUSE_S)
    await delivered.on_progress(progress(asked, "reddit"))
    await asyncio.sleep(1.5 * PAUSE_S)
    await delivered.on_response(response(asked))
    await answering
    assert [bool(card.rows) for card in place.cards] == [True]
    assert caplog.text.count("progress not shown") == 2


async def test_a_response_that_never_comes_is_a_timeout_and_leaves_nothing_behind() -> None:
    delivered = delivery()
    with pytest.raises(TimeoutError):
        await delivered.answer(request(), QUESTION, GUILD, 5, Shown(), 0.02)
    assert delivered.pending == 0


async def test_cancelled_while_waiting_it_leaves_nothing_behind() -> None:
    asked, delivered = request(), delivery()
    answering = asyncio.create_task(delivered.answer(asked, QUESTION, GUILD, 5, Shown(), 5))
    await asyncio.sleep(1.5 * PAUSE_S)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert delivered.pending == 0
    await delivered.on_response(response(asked))
    assert delivered.dropped.responses == 1


async def test_a_request_that_cannot_be_published_leaves_nothing_behind() -> None:
    async def full(_topic: Topic[SignalsRequested], _event: SignalsRequested) -> None:
        raise OSError("full")

    delivered = AnswerDelivery(full, AnswerCards({}), {}, Kept(), nowhere)
    with pytest.raises(OSError, match="full"):
        await delivered.answer(request(), QUESTION, GUILD, 5, Shown(), 1)
    assert delivered.pending == 0


async def test_a_second_response_changes_nothing() -> None:
    place, asked, delivered = Shown(), request(), delivery()
    answering = asyncio.create_task(delivered.answer(asked, QUESTION, GUILD, 5, place, 1))
    await asyncio.sleep(0)
    await delivered.on_response(response(asked))
    await delivered.on_response(response(asked))
    await answering
    assert len(place.cards) == 1


# -- to a channel, over the wire


async def test_a_finding_of_another_agent_is_posted_in_the_channel_that_it_names(scene: Scene) -> None:
    found = response(request(), reply_to=f"channel:{scene.channel.id}", tenant=str(scene.guild.id))
    await scene.parts.bus.emit(SIGNALS_RESPONSE, found)
    await until(lambda: scene.channel.messages)
    (message,) = scene.channel.messages.values()
    assert "Story number 1" in text_of(message)
    pressed = await scene.press(message, 1)
    assert pressed.ephemeral


@pytest.mark.parametrize(
    "reply_to", ["channel:{other}", "channel:1", "channel:x", "channel:", "interaction:5", "", None]
)
async def test_a_response_that_leads_nowhere_is_dropped_and_counted(
    scene: Scene, reply_to: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bot.delivery")
    other = scene.local.add_guild("Other")
    await until(lambda: scene.bot.get_guild(other.id))
    place = None if reply_to is None else reply_to.format(other=other.first_text_channel().id)
    found = response(request(), reply_to=place, tenant=str(scene.guild.id))
    await scene.parts.bus.emit(SIGNALS_RESPONSE, found)
    await scene.parts.bus.settled()
    assert "led nowhere" in caplog.text
    assert not scene.channel.messages
    assert not other.first_text_channel().messages


async def test_a_channel_where_the_bot_may_not_post_gets_nothing_and_nothing_breaks(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bot.delivery")
    scene.guild.overwrite(scene.channel, scene.guild.everyone, deny={"send_messages"})
    found = response(request(), reply_to=f"channel:{scene.channel.id}", tenant=str(scene.guild.id))
    await scene.parts.bus.emit(SIGNALS_RESPONSE, found)
    await scene.parts.bus.settled()
    assert "led nowhere" in caplog.text
    assert "could not post" in caplog.text
