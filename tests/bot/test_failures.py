"""Whatever fails, the person is told in words, once, and the log has the traceback, once."""

import asyncio
import logging
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from agents.errors import (
    BusClosed,
    BusFull,
    InvalidOption,
    LifecycleError,
    NotConfigured,
    ScoutError,
    UnknownSource,
)
from bot import failures
from bot.admission import Refusal, Refused
from bot.asking import NotNow, SwitchedOff
from bot.client import SignalsBot
from bot.failures import answer_failure
from sandbox.exchange import CallbackKind, Exchange
from sandbox.faults import Fault
from sandbox.server import LocalDiscord
from tests.bot.conftest import Start
from tests.bot.scene import FakeSource, Scene, answer_to, custom_ids, edits, messages_made, text_of, until

Log = pytest.LogCaptureFixture
ANSWER = r"/webhooks/.*/messages/@original"
REFERENCE = re.compile(r"`([0-9a-f]{8})`")


def tracebacks(log: Log) -> list[logging.LogRecord]:
    return [record for record in log.records if record.exc_info]


def one_reference(log: Log, exchange: Exchange) -> None:
    """The card names the first digits of the trace whose one log line has the traceback."""
    assert len(exchange.messages) == 1
    said = text_of(exchange.messages[0])
    found = REFERENCE.search(said)
    assert found is not None, said
    assert "our fault" in said
    (record,) = tracebacks(log)
    assert str(vars(record)["trace_id"]).startswith(found[1])
    log.clear()


def private_answer(exchange: Exchange) -> str:
    """The words of an answer that was the one acknowledgement and nothing else."""
    assert exchange.callback_kind is CallbackKind.MESSAGE
    assert exchange.original is not None
    assert exchange.ephemeral
    assert len(exchange.messages) == 1
    return text_of(exchange.original)


# -- bad input


def option(name: str, value: Any, kind: int = 3) -> dict[str, Any]:
    return {"name": name, "value": value, "type": kind}


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("signals", [], "do not know this command"),
        ("signals myspace", [], "do not know this command"),
        ("signals reddit deeper", [], "do not know this command"),
        ("wolves", [], "do not know this command"),
        ("signals reddit", [option("timeframe", "2d")], "timeframe is one of 1h, 6h, 24h, 48h, 7d, 30d"),
        ("signals reddit", [option("timeframe", 7, 4)], "timeframe takes text"),
        ("signals reddit", [option("limit", 0, 4)], "limit is a whole number from 1 to 25"),
        ("signals reddit", [option("limit", 26, 4)], "from 1 to 25"),
        ("signals reddit", [option("limit", "many")], "limit takes a whole number"),
        ("signals reddit", [option("limit", 2.5, 10)], "limit takes a whole number"),
        ("signals reddit", [option("limit", True, 5)], "limit takes a whole number"),
        ("signals reddit", [option("limit", True, 4)], "limit takes a whole number"),
        ("signals reddit", [option("limit", "abc", 10)], "limit takes a whole number"),
        ("signals reddit", [option("query", 5, 4)], "query takes text"),
        ("signals reddit", [option("query", "x" * 201)], "at most 200 characters; this has 201"),
        ("signals reddit", [option("query", "81384788765712384", 6)], "query takes text"),
        ("signals reddit", [option("query", {"a": 1}, 3)], "query takes text"),
        ("signals reddit", [{"name": "query", "type": 3}], "do not know this command"),
        ("signals reddit", [option("colour", "red")], "do not know this command"),
        ("signals reddit", [option("query", "x", 11)], "query takes text"),
        ("signals reddit", [option("subreddit", "two words")], "is no subreddit"),
        ("signals reddit", [option("sort", "worst", 3)], "sort is new or top"),
        ("signals news", [option("query", "x", 99)], "query takes text"),
    ],
)
async def test_bad_input_gets_a_clear_private_answer_and_nothing_else(
    scene: Scene, path: str, options: list[dict[str, Any]], words: str, sources: dict[str, FakeSource]
) -> None:
    exchange = await scene.send(path, options)
    assert re.search(words, private_answer(exchange))
    assert len(messages_made(scene.local)) == 1
    assert not any(source.asked for source in sources.values())


async def test_a_command_of_an_unknown_kind_gets_an_answer(scene: Scene) -> None:
    data = {"id": "1", "name": "signals", "type": 3, "target_id": "5"}
    assert "do not know" in private_answer(await scene.send("signals reddit", data=data))


async def test_a_command_without_a_name_gets_an_answer(scene: Scene, quiet_log: Log) -> None:
    private_answer(await scene.send("signals reddit", data={"id": "1", "type": 1}))
    quiet_log.clear()


# -- our own bugs


def breaking(error: BaseException) -> Callable[[SignalsBot], None]:
    """Gives the bot commands that fail in each of the ways there are."""

    def prepare(bot: SignalsBot) -> None:
        @bot.hybrid_command(name="hybrid", description="Fails as a hybrid command")
        async def hybrid(ctx: commands.Context[Any]) -> None:
            raise error

        @bot.tree.command(name="plain", description="Fails as a command of the tree")
        async def plain(interaction: discord.Interaction) -> None:
            raise error

        @bot.tree.command(name="late", description="Fails after the deferral")
        async def late(interaction: discord.Interaction) -> None:
            await interaction.response.defer()
            raise error

        @bot.tree.command(name="checked", description="Refuses everybody")
        @app_commands.checks.has_permissions(administrator=True)
        async def checked(interaction: discord.Interaction) -> None:
            raise AssertionError("never reached")

    return prepare


@pytest.mark.parametrize("command", ["hybrid", "plain", "late"])
async def test_a_bug_in_a_command_is_answered_with_a_reference_to_its_one_traceback(
    start: Start, quiet_log: Log, command: str
) -> None:
    async with start(breaking(RuntimeError("a bug"))) as scene:
        exchange = await scene.type(f"/{command}")
        message = await exchange.wait_message()
        assert exchange.ephemeral == (command != "late")
        assert message is exchange.original
        one_reference(quiet_log, exchange)


@pytest.mark.parametrize("command", ["hybrid", "plain", "late"])
async def test_what_the_person_can_mend_is_said_in_words_and_not_logged(
    start: Start, quiet_log: Log, command: str
) -> None:
    async with start(breaking(InvalidOption("query", "Write it *shorter*."))) as scene:
        message = await (await scene.type(f"/{command}")).wait_message()
        assert "Write it \\*shorter\\*." in text_of(message)
        assert tracebacks(quiet_log) == []


@pytest.mark.parametrize(
    ("error", "title", "words"),
    [
        (BusClosed("The bus is closed."), "I am restarting", "Try again in a minute"),
        (LifecycleError("It was stopped."), "I am restarting", "Try again in a minute"),
        (BusFull("No room at X.on_event."), "Busy right now", "Try again in about 10 seconds"),
        (NotConfigured("Set NEWS_FEEDS."), "Not available here", "Set NEWS"),
        (SwitchedOff("Reddit is off in this server."), "Not available here", "Reddit is off"),
        (UnknownSource("myspace", ("reddit",)), "I did not understand that", "no source “myspace”"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ScoutError) else "",
)
async def test_what_the_moment_is_the_reason_of_is_not_called_the_persons_mistake(
    start: Start, quiet_log: Log, error: ScoutError, title: str, words: str
) -> None:
    async with start(breaking(error)) as scene:
        said = private_answer(await scene.send("plain"))
    assert title in said
    assert words in said
    assert "bus" not in said.lower().replace("busy", "")
    assert tracebacks(quiet_log) == []


async def test_refusals_wait_for_room_to_be_told_but_not_for_ever(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = asyncio.Semaphore(1)
    async with start(breaking(NotNow(Refusal(Refused.BUSY, 7, room)))) as scene:
        await room.acquire()
        waiting = await scene.type("/plain")
        assert not await waiting.wait_acknowledged(0.05)
        room.release()
        assert await waiting.wait_acknowledged()
        assert "about 7 seconds" in private_answer(waiting)
        monkeypatch.setattr(failures, "WORTH_TELLING_S", 0.01)
        await room.acquire()
        too_late = await scene.type("/plain")
        assert not await too_late.wait_acknowledged(0.05)
        room.release()
        assert not await too_late.wait_acknowledged(0.02)
        assert not room.locked()


async def test_cancelled_while_it_waits_for_room_or_has_it_a_refusal_loses_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = asyncio.Semaphore(0)
    error = NotNow(Refusal(Refused.BUSY, 7, room))

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(failures, "tell", hang)
    for begun in (False, True):
        telling = asyncio.create_task(answer_failure(SimpleNamespace(command=None), error))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        telling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await telling
        if not begun:
            room.release()
        assert not room.locked()


async def test_a_missing_permission_is_said_in_words(start: Start) -> None:
    async with start(breaking(RuntimeError())) as scene:
        assert "Not allowed" in private_answer(await scene.send("checked"))


async def test_a_bug_while_asking_is_answered_in_place_of_the_pending_answer(
    scene: Scene, quiet_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug in drawing")

    monkeypatch.setattr(scene.parts.cards, "card", broken)
    exchange = await scene.type("/signals reddit")
    message = await exchange.wait_message()
    assert message is exchange.original
    assert exchange.deferred
    one_reference(quiet_log, exchange)


async def test_a_bug_in_a_button_is_answered_with_a_reference(
    scene: Scene, quiet_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = await scene.answer("/signals reddit")

    def broken(*_: object) -> None:
        raise RuntimeError("a bug in drawing")

    monkeypatch.setattr(scene.parts.cards, "card", broken)
    pressed = await scene.press(message, custom_ids(message)["Next"])
    one_reference(quiet_log, pressed)


async def test_a_response_that_never_comes_is_told_and_logged(
    start: Start, sources: dict[str, FakeSource], quiet_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.delivery.answers.GRACE_S", -0.95)
    sources["reddit"].gate = asyncio.Event()
    async with start(answer_timeout_s=1) as scene:
        exchange = await scene.type("/signals reddit")
        await exchange.wait_message()
        one_reference(quiet_log, exchange)


async def test_a_bug_in_a_listener_is_logged_with_its_traceback(start: Start, quiet_log: Log) -> None:
    def prepare(bot: SignalsBot) -> None:
        async def on_guild_join(guild: discord.Guild) -> None:
            raise RuntimeError("a bug in a listener")

        bot.add_listener(on_guild_join)

    async with start(prepare) as scene:
        scene.local.add_guild("New")
        await until(lambda: tracebacks(quiet_log))
        assert len(tracebacks(quiet_log)) == 1
        quiet_log.clear()
        await scene.answer("/signals reddit")


# -- Discord's own faults


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's and our own pauses between attempts take no time."""

    async def pause(_seconds: float) -> None:
        await asyncio.get_running_loop().create_task(asyncio.sleep(0))

    quick = SimpleNamespace(**{**vars(asyncio), "sleep": pause})
    monkeypatch.setattr("discord.webhook.async_.asyncio", quick)
    monkeypatch.setattr("discord.http.asyncio", quick)
    monkeypatch.setattr("bot.delivery.places.asyncio", quick)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", ANSWER, status=500, count=2),
        Fault("status", ANSWER, status=503, count=2),
        Fault("drop_before", ANSWER, count=2),
        Fault("drop_after", ANSWER),
        Fault("truncate", ANSWER),
        Fault("rate_limit", ANSWER, retry_after_s=0.05),
        Fault("garbage", ANSWER, status=502),
        Fault("garbage", ANSWER, status=200, count=2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_the_answer_arrives_although_an_edit_fails(scene: Scene, no_pauses: None, fault: Fault) -> None:
    scene.local.faults.add(fault)
    message = await scene.answer("/signals reddit")
    assert "amber" in text_of(message)
    await scene.parts.admission.idle()
    assert len(edits(scene.local)) == fault.struck + 1
    assert len({record.path for record in messages_made(scene.local)}) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", ANSWER, status=503, count=5),
        Fault("drop_before", ANSWER, count=3),
        Fault("hang", ANSWER),
        Fault("status", ANSWER, status=400),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_progress_that_cannot_be_shown_does_not_cost_the_answer(
    scene: Scene,
    sources: dict[str, FakeSource],
    no_pauses: None,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.delivery.answers.EDIT_PAUSE_S", 0.02)
    monkeypatch.setattr("bot.delivery.answers.PROGRESS_TIMEOUT_S", 0.2)
    sources["reddit"].gate = asyncio.Event()
    scene.local.faults.add(fault)
    exchange = await scene.type("/signals reddit")
    await until(lambda: fault.struck == fault.count)
    sources["reddit"].gate.set()
    assert "amber" in text_of(await answer_to(exchange))


async def test_discord_that_stays_broken_is_logged_and_ends_nothing(
    scene: Scene, no_pauses: None, quiet_log: Log
) -> None:
    fault = scene.local.faults.add(Fault("drop_before", ANSWER, count=None))
    exchange = await scene.type("/signals reddit")
    await until(lambda: "could not be told" in quiet_log.text)
    assert exchange.original is not None
    assert exchange.original.loading
    assert len(tracebacks(quiet_log)) == 1
    quiet_log.clear()
    fault.count = 0
    await scene.answer("/signals reddit")


async def test_a_token_that_has_ended_is_logged_not_raised(
    scene: Scene, sources: dict[str, FakeSource], quiet_log: Log
) -> None:
    sources["reddit"].gate = asyncio.Event()
    exchange = await scene.send("signals reddit")
    scene.local.clock.advance(901)
    sources["reddit"].gate.set()
    await until(lambda: "too late to answer" in quiet_log.text)
    assert tracebacks(quiet_log) == []
    assert exchange.original is not None
    assert exchange.original.loading


async def test_a_command_that_arrives_too_late_is_logged_not_raised(scene: Scene, quiet_log: Log) -> None:
    exchange = await scene.local.send_command(scene.ada, scene.channel, "signals reddit")
    scene.local.clock.advance(4)
    await until(lambda: "too late to answer" in quiet_log.text)
    assert exchange.callback_kind is None
    assert tracebacks(quiet_log) == []


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncate"])
async def test_an_acknowledgement_whose_connection_breaks_costs_nothing(scene: Scene, kind: str) -> None:
    scene.local.faults.add(Fault(kind, "/callback"))
    exchange = await scene.type("/signals reddit")
    assert "amber" in text_of(await answer_to(exchange))
    assert len(exchange.messages) == 1


async def test_discord_that_takes_no_acknowledgement_is_logged_and_ends_nothing(
    scene: Scene, no_pauses: None, quiet_log: Log
) -> None:
    fault = scene.local.faults.add(Fault("drop_before", "/callback", count=None))
    await scene.type("/signals reddit")
    await until(lambda: "could not be told" in quiet_log.text)
    assert len(tracebacks(quiet_log)) == 1
    quiet_log.clear()
    fault.count = 0
    await scene.answer("/signals reddit")


async def test_an_acknowledgement_that_hangs_is_given_up_and_frees_its_place(
    scene: Scene, quiet_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.delivery.places.ACKNOWLEDGE_TIMEOUT_S", 0.05)
    monkeypatch.setattr("bot.failures.TELL_TIMEOUT_S", 0.05)
    scene.local.faults.add(Fault("hang", "/callback", count=2))
    await scene.type("/signals reddit")
    await until(lambda: "could not be told" in quiet_log.text)
    assert len(tracebacks(quiet_log)) == 1
    quiet_log.clear()
    async with asyncio.timeout(1.0):
        await scene.parts.admission.idle()


async def test_a_page_that_cannot_be_turned_in_time_is_given_up(
    scene: Scene, quiet_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await scene.answer("/signals reddit")
    monkeypatch.setattr("bot.cogs.buttons.ACKNOWLEDGE_TIMEOUT_S", 0.05)
    monkeypatch.setattr("bot.failures.TELL_TIMEOUT_S", 0.05)
    scene.local.faults.add(Fault("hang", "/callback", count=2))
    await scene.local.click(scene.ada, answer, custom_ids(answer)["Next"])
    await until(lambda: "could not be told" in quiet_log.text)
    assert len(tracebacks(quiet_log)) == 1
    quiet_log.clear()


async def test_an_error_that_cannot_be_told_never_raises(quiet_log: Log, local: LocalDiscord) -> None:
    class Gone:
        command = None
        response = SimpleNamespace(is_done=lambda: False)

        def __getattr__(self, name: str) -> Any:
            raise OSError("gone")

    gone: Any = Gone()

    async def send_message(**_: Any) -> None:
        raise OSError("gone")

    gone.response.send_message = send_message
    await answer_failure(gone, RuntimeError("a bug"))
    assert len(tracebacks(quiet_log)) == 1
    assert "could not be told" in quiet_log.text
    quiet_log.clear()
