"""The buttons under an answer: for everybody, after a restart, after a week; and custom ids that nobody made here."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from agents.events import utc_now
from bot.answer import Question
from sandbox.exchange import CallbackKind, Exchange
from sandbox.messages import Message
from tests.bot import samples
from tests.bot.conftest import Start
from tests.bot.scene import FakeSource, Scene, answer_to, custom_ids, found, messages_made, text_of

UNKNOWN = "This button does nothing any more"


def page(message: Message) -> str:
    """Such as ``1/3``."""
    return str(message.embeds[0]["footer"]["text"]).split(" ")[1]


def said(exchange: Exchange) -> str:
    """What a press was answered with, privately and at once."""
    assert exchange.callback_kind is CallbackKind.MESSAGE
    assert exchange.original is not None
    assert exchange.original.ephemeral
    assert len(exchange.messages) == 1
    return text_of(exchange.original)


async def test_pages_turn_in_place_for_who_asked(scene: Scene) -> None:
    message = await scene.answer("/signals reddit limit:12")
    assert page(message) == "1/3"
    forth = await scene.press(message, custom_ids(message)["Next"])
    assert forth.callback_kind is CallbackKind.UPDATE
    assert page(message) == "2/3"
    await scene.press(message, custom_ids(message)["Next"])
    assert page(message) == "3/3"
    await scene.press(message, custom_ids(message)["Previous"])
    assert page(message) == "2/3"


async def test_ask_again_asks_anew_in_private(scene: Scene, sources: dict[str, FakeSource]) -> None:
    message = await scene.answer("/signals reddit query:amber limit:6 timeframe:7d")
    again = await scene.press(message, custom_ids(message)["Ask again"])
    answered = await answer_to(again)
    assert answered is not message
    assert answered.ephemeral
    assert "amber" in text_of(answered)
    assert "last 7 days" in text_of(answered)


async def test_buttons_work_after_a_restart_with_the_same_database(start: Start) -> None:
    async with start() as scene:
        message = await scene.answer("/signals reddit")
    async with start() as scene:
        await scene.press(message, custom_ids(message)["Next"])
        assert page(message) == "2/2"


async def test_someone_elses_press_gives_a_private_copy_with_buttons_of_its_own(scene: Scene) -> None:
    message = await scene.answer("/signals reddit limit:12")
    grace = scene.person("grace")
    pressed = await scene.press(message, custom_ids(message)["Next"], grace)
    copy = pressed.original
    assert copy is not None
    assert copy.ephemeral
    assert (page(message), page(copy)) == ("1/3", "2/3")
    turned = await scene.press(copy, custom_ids(copy)["Next"], grace)
    assert turned.callback_kind is CallbackKind.UPDATE
    assert (page(message), page(copy)) == ("1/3", "3/3")


async def test_where_only_users_installed_it_someone_elses_press_gives_a_copy_too(scene: Scene) -> None:
    bob, grace = scene.local.add_user("bob", installed=True), scene.local.add_user("grace")
    elsewhere = scene.local.add_guild("Elsewhere", with_bot=False)
    elsewhere.add_member(bob)
    elsewhere.add_member(grace)
    message = await scene.answer("/signals reddit limit:12", bob, elsewhere.first_text_channel())
    pressed = await scene.press(message, custom_ids(message)["Next"], grace)
    assert pressed.original is not None
    assert page(pressed.original) == "2/3"


async def test_a_button_of_another_server_gets_a_clear_answer_and_nothing_else(scene: Scene) -> None:
    message = await scene.answer("/signals reddit limit:12")
    other = scene.local.add_guild("Other")
    other.add_member(scene.ada)
    for label in ("Next", "Ask again"):
        pressed = await scene.press(message, custom_ids(message)[label], channel=other.first_text_channel())
        assert "given in another server" in said(pressed)
    assert page(message) == "1/3"


@pytest.mark.parametrize(
    "custom_id",
    [
        "x",
        "s1:p:zz:1:2",
        "s1:p:00000000000000000000:100:1",
        "s1:p:00000000000000000000:1:1\n",
        "s2:a:00000000000000000000",
        "s1:p:00000000000000000000:1:1",  # well formed, but not under the message
        "s1:a:00000000000000000000",
        "s1:p:" + "9" * 95,
    ],
)
async def test_a_forged_custom_id_gets_a_clear_answer_and_nothing_else(scene: Scene, custom_id: str) -> None:
    message = await scene.answer("/signals reddit")
    pressed = await scene.press(message, custom_id, forge=True)
    assert UNKNOWN in said(pressed)


async def test_a_custom_id_under_another_answer_gets_a_clear_answer(scene: Scene) -> None:
    first = await scene.answer("/signals reddit")
    second = await scene.answer("/signals news")
    pressed = await scene.press(first, custom_ids(second)["Next"], forge=True)
    assert UNKNOWN in said(pressed)


async def test_a_select_with_a_buttons_custom_id_gets_a_clear_answer(scene: Scene) -> None:
    message = await scene.answer("/signals reddit")
    data = {"custom_id": custom_ids(message)["Next"], "component_type": 3, "values": ["x"]}
    pressed = await scene.press(message, "x", forge=True, data=data)
    assert UNKNOWN in said(pressed)


@pytest.mark.parametrize("custom_id", ["ask", "s1:a:00000000000000000000", None])
async def test_an_unknown_modal_gets_a_clear_answer(scene: Scene, custom_id: str | None) -> None:
    message = await scene.answer("/signals reddit")
    data: dict[str, Any] = {"custom_id": custom_id or custom_ids(message)["Next"], "components": []}
    pressed = await scene.press(message, "x", forge=True, type=5, data=data)
    assert UNKNOWN in said(pressed)


async def test_an_answer_that_nobody_knows_any_more_says_so(start: Start, tmp_path: Path) -> None:
    async with start() as scene:
        message = await scene.answer("/signals reddit")
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.execute("DELETE FROM answers")
    database.close()
    async with start() as scene:
        pressed = await scene.press(message, custom_ids(message)["Next"])
        assert "no longer kept" in said(pressed)
        assert pressed.original is not None
        assert pressed.original.components == []
        assert "no longer kept" in said(await scene.press(message, custom_ids(message)["Ask again"]))


async def test_after_seven_days_it_offers_to_ask_again_and_that_works(
    start: Start, tmp_path: Path, sources: dict[str, FakeSource]
) -> None:
    async with start() as scene:
        message = await scene.answer("/signals reddit query:amber")
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.execute("UPDATE answers SET created_at = created_at - 8 * 86400")
    database.close()
    async with start() as scene:
        pressed = await scene.press(message, custom_ids(message)["Next"])
        assert "no longer kept" in said(pressed)
        offer = pressed.original
        assert offer is not None
        assert list(custom_ids(offer)) == ["Ask again"]
        sources["reddit"].outcome = found(3)
        answered = await answer_to(await scene.press(offer, 1))
        assert "3 stories found" in text_of(answered)


async def test_a_database_that_cannot_be_read_costs_old_buttons_only(start: Start, tmp_path: Path) -> None:
    async with start() as scene:
        message = await scene.answer("/signals reddit")
    with sqlite3.connect(tmp_path / "answers.db") as database:
        database.execute("ALTER TABLE answers RENAME TO out_of_reach")
    database.close()
    async with start() as scene:
        assert "no longer kept" in said(await scene.press(message, custom_ids(message)["Next"]))
        fresh = await scene.answer("/signals news limit:12")
        await scene.press(fresh, custom_ids(fresh)["Next"])
        assert page(fresh) == "2/3"


async def test_a_repeated_press_is_answered_once(scene: Scene) -> None:
    message = await scene.answer("/signals reddit limit:12")
    pressed = await scene.press(message, custom_ids(message)["Next"])
    before = len(messages_made(scene.local))
    again = await scene.local.click(
        scene.ada, message, custom_ids(message)["Next"], interaction_id=pressed.interaction_id
    )
    assert again is pressed
    await scene.press(message, "x", forge=True)
    assert len(messages_made(scene.local)) == before + 1


async def test_a_question_whose_source_is_gone_is_answered_in_words(
    start: Start, sources: dict[str, FakeSource]
) -> None:
    async with start() as scene:
        gone = Question.model_validate({"sources": ({"name": "myspace"},)})
        kept = samples.answer(0, tenant=str(scene.guild.id), question=gone, created_at=utc_now())
        scene.parts.answers.put(kept)
        message = await scene.answer("/signals reddit")
        message.components[0]["components"][-1]["custom_id"] = f"s1:a:{kept.id}"
        pressed = await scene.press(message, f"s1:a:{kept.id}")
        assert "no source “myspace”" in text_of(await pressed.wait_message())
        assert pressed.ephemeral
