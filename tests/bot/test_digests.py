"""From ``workflow:started`` to what is posted: what is new, once, for whom it is, whatever fails in between."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path

import pytest

from agents import telemetry
from agents.events import WORKFLOW_STARTED, SourceRequest, WorkflowStarted, utc_now
from bot import digest_asking, digest_rendering, digests
from bot.cards import digest
from bot.digest_question import Spot
from bot.store.outbox import Origin, Part, RunState
from bot.subscription import State
from tests.bot.digest_scene import DigestScene, bodies, digest_scene, story
from tests.bot.scene import until
from tests.bot.store.digest_store import ADA, DAY, GUILD, OTHER, plan


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[DigestScene]:
    async with digest_scene(tmp_path) as made:
        made.serve()
        yield made


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each workflow asks anew, however soon it follows the one before."""
    monkeypatch.setattr(digest_asking, "KEEP_S", 0.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried again soon."""
    monkeypatch.setattr(digests, "AGAIN_S", (1.0, 1.0, 1.0))


def titles(*numbers: int) -> list[str]:
    return [story(number).title for number in numbers]


# What is new


async def test_each_subscription_gets_what_is_new_since_the_last_one_and_then_silence(scene: DigestScene) -> None:
    await scene.add("One")
    await scene.add("Other", guild=OTHER, channel_id=2)
    ended = await scene.run()
    assert (ended.sent, ended.empty, ended.failed, ended.held) == (2, 0, 0, 0)
    assert sorted({(part.guild_id, part.channel_id) for part in scene.posted}) == [(GUILD, 1000), (OTHER, 2)]
    assert scene.shown() == titles(0, 1, 2) * 2
    scene.agents.signals = tuple(story(number) for number in (4, 0, 1, 5, 2))
    ended = await scene.run()
    assert ended.sent == 2
    assert scene.shown() == titles(4, 5) * 2
    ended = await scene.run()
    assert (ended.sent, ended.empty) == (0, 2)
    assert scene.shown() == []
    assert [run.state for run in await scene.history()] == [RunState.SENT, RunState.SENT, RunState.EMPTY]


async def test_the_same_page_and_nearly_the_same_title_are_not_new(scene: DigestScene) -> None:
    await scene.add()
    title = "Maintainers of the compiler release a new version after long work"
    scene.agents.signals = (story(1, title=title, url="https://www.example.com/news/?utm_source=x"),)
    await scene.run()
    scene.shown()
    scene.agents.signals = (
        story(2, url="https://m.example.com/news"),
        story(3, title="Maintainers of the compiler release new version after long work"),
        story(4),
    )
    await scene.run()
    assert scene.shown() == titles(4)


async def test_more_than_fits_rolls_into_the_next_digest_and_is_counted(scene: DigestScene) -> None:
    await scene.add(limit=2)
    scene.agents.signals = tuple(story(number) for number in range(5))
    await scene.run()
    assert scene.shown() == titles(0, 1)
    await scene.run()
    assert scene.shown() == titles(2, 3)
    await scene.run()
    assert scene.shown() == titles(4)
    assert [(run.items, run.left) for run in await scene.history()] == [(2, 3), (2, 1), (1, 0)]


async def test_what_is_left_comes_although_no_source_has_it_any_more_and_once(scene: DigestScene) -> None:
    await scene.add(limit=2)
    old = [story(number, timestamp=utc_now() - 2.5 * DAY) for number in (3, 4, 5)]
    scene.agents.signals = (story(0), story(1), *old)
    await scene.run()
    assert scene.shown() == titles(0, 1)
    scene.agents.signals = (story(6), story(1))
    await scene.run()
    assert scene.shown() == titles(6, 3)
    scene.agents.signals = ()
    await scene.run()
    assert scene.shown() == titles(4, 5)
    await scene.run()
    assert [(run.items, run.left) for run in await scene.history()] == [(2, 3), (2, 2), (2, 0), (0, 0)]


async def test_a_workflow_with_a_query_of_its_own_leaves_what_is_left_to_the_next_digest(scene: DigestScene) -> None:
    await scene.add(limit=1)
    scene.agents.signals = (story(0), story(1, timestamp=utc_now() - 3 * DAY))
    await scene.run()
    scene.agents.signals = (story(2),)
    await scene.run(query="rust")
    assert scene.shown() == titles(0, 2)
    scene.agents.signals = ()
    await scene.run()
    assert scene.shown() == titles(1)


async def test_an_item_that_rises_late_is_included_once(scene: DigestScene) -> None:
    await scene.add(min_score=0.5)
    scene.agents.signals = (story(1, score=0.6), story(2, score=0.49))
    await scene.run()
    assert scene.shown() == titles(1)
    scene.agents.signals = (story(2, score=0.5), story(1, score=0.9))
    await scene.run()
    assert scene.shown() == titles(2)
    await scene.run()
    assert scene.shown() == []


async def test_a_subscription_that_wants_it_is_told_that_nothing_is_new(scene: DigestScene) -> None:
    await scene.add(when_empty=True)
    scene.agents.signals = ()
    ended = await scene.run()
    assert (ended.sent, ended.empty) == (1, 0)
    assert "Nothing new" in bodies(scene.posted)[0]["embeds"][0]["description"]


async def test_the_buttons_of_a_digest_find_all_that_is_new(scene: DigestScene) -> None:
    await scene.add(limit=2)
    scene.agents.signals = tuple(story(number) for number in range(5))
    await scene.run()
    button = bodies(scene.posted)[0]["components"][0]["components"][0]
    answer_id = next(field for field in button["custom_id"].split(":") if len(field) == 20)
    async with digest_scene(Path(scene.database._url.database or "").parent) as later:
        answer = await later.answers.get(answer_id)
    assert answer is not None
    assert answer.tenant == str(GUILD)
    assert [signal.title for signal in answer.signals] == titles(0, 1, 2, 3, 4)  # type: ignore[union-attr]


async def test_a_forum_gets_a_post_and_the_chart_comes_with_the_first_message(scene: DigestScene) -> None:
    scene.spots[7] = Spot(forum=True)
    await scene.add(channel_id=7, chart=True)
    event = WorkflowStarted()
    await scene.bus.emit(WORKFLOW_STARTED, event)
    claimed: tuple[Part, ...] = ()
    async with asyncio.timeout(5):
        while not claimed:
            claimed = await scene.outbox.claim(scene.clock.utc(), 1, ())
            await asyncio.sleep(0.002)
    (part,) = claimed
    assert part.forum
    assert part.chart is not None
    assert part.chart.startswith(b"\x89PNG")
    assert part.nonce in part.body


# What is asked


async def test_the_same_question_of_many_is_asked_once(scene: DigestScene) -> None:
    for number in range(30):
        await scene.add(guild=number + 1, channel_id=number + 1, limit=1 + number % 25)
    ended = await scene.run()
    assert ended.sent == 30
    (request,) = scene.agents.asked
    assert (request.requester.kind, request.limit, request.min_score) == ("digest", 1000, 0.0)
    assert [source.name for source in request.sources] == ["reddit", "hackernews", "news"]
    assert request.timeframe == "48h"


async def test_slow_questions_of_one_server_leave_places_to_others(scene: DigestScene) -> None:
    most = digests.AT_ONCE // 2
    for number in range(most + 2):
        await scene.add(str(number), query=f"slow {number}")
    await scene.add("Theirs", guild=OTHER, query="theirs")
    scene.agents.gate.clear()
    event = WorkflowStarted()
    await scene.bus.emit(WORKFLOW_STARTED, event)
    await until(lambda: "theirs" in [request.query for request in scene.agents.asked], 15)
    assert len(scene.agents.asked) == most + 1
    scene.agents.gate.set()
    assert (await scene.end_of(event)).sent == most + 3


async def test_an_answer_serves_those_who_ask_the_same_a_little_later(
    scene: DigestScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_asking, "KEEP_S", 1e9)
    await scene.add("One")
    await scene.run()
    await scene.add("Other", channel_id=2)
    await scene.run()
    assert len(scene.agents.asked) == 1
    assert scene.shown() == titles(0, 1, 2) * 2
    await scene.add("Third", channel_id=3, query="rust")
    scene.agents.failing = dict.fromkeys(("reddit", "hackernews", "news"), "It is away.")
    monkeypatch.setattr(digests, "AGAIN_S", (0.1,))
    assert (await scene.run()).failed == 1
    assert len(scene.agents.asked) == 3, "that nobody answered is not kept"


async def test_questions_that_differ_are_asked_apart(scene: DigestScene) -> None:
    await scene.add("One")
    await scene.add("Query", query="rust")
    await scene.add("Sources", sources=({"name": "news"},))
    await scene.add("Hourly", schedule={"every": "hourly"})
    await scene.set(OTHER, muted=("crypto",))
    await scene.add("Muted", guild=OTHER)
    await scene.run()
    asked = {(one.query, len(one.sources), one.timeframe, one.filters.muted) for one in scene.agents.asked}
    assert asked == {
        (None, 3, "48h", ()),
        ("rust", 3, "48h", ()),
        (None, 1, "48h", ()),
        (None, 3, "6h", ()),
        (None, 3, "48h", ("crypto",)),
    }
    assert len(scene.agents.asked) == 5


async def test_a_server_s_settings_hold_for_its_digests(scene: DigestScene) -> None:
    await scene.set(
        sources=("reddit", "news"),
        subreddits=("rust", "python"),
        feeds=({"url": "https://lwn.net/headlines/rss"},),
        muted=("crypto",),
        raised=("compiler",),
        nsfw=True,
        cache_ttl_s=600,
        min_score=0.7,
    )
    scene.spots[2] = Spot(age_restricted=True)
    await scene.add("General", channel_id=1)
    await scene.add("Adults", channel_id=2)
    scene.agents.signals = (story(1, score=0.71), story(2, score=0.69))
    await scene.run()
    assert scene.shown() == titles(1) * 2
    by_nsfw = {request.filters.nsfw: request for request in scene.agents.asked}
    assert set(by_nsfw) == {True, False}
    for request in by_nsfw.values():
        assert [(source.name, dict(source.options)) for source in request.sources] == [
            ("reddit", {"subreddit": "python+rust"}),
            ("news", {"feed": "https://lwn.net/headlines/rss"}),
        ]
        assert (request.filters.muted, request.filters.raised) == (("crypto",), ("compiler",))
        assert request.max_age_s == 600


async def test_a_workflow_s_own_sources_and_query_go_before_the_plan_s(scene: DigestScene) -> None:
    await scene.add(query="rust", sources=({"name": "news"},))
    await scene.run(query="release", sources=(SourceRequest(name="hackernews"),))
    (request,) = scene.agents.asked
    assert (request.query, [source.name for source in request.sources]) == ("release", ["hackernews"])


async def test_where_every_source_of_a_digest_is_off_it_fails_and_says_what_to_do(scene: DigestScene) -> None:
    await scene.set(sources=("reddit",))
    await scene.add(sources=({"name": "news"}, {"name": "hackernews"}))
    ended = await scene.run()
    assert ended.failed == 1
    (run,) = await scene.history()
    assert run.note.startswith("Switched off in this server: News, Hacker News.")
    assert "/digest edit" in run.note
    assert scene.agents.asked == []


async def test_requests_and_the_end_are_in_the_trace_of_the_start(scene: DigestScene) -> None:
    await scene.add()
    with telemetry.span("outside"):
        event = WorkflowStarted()
    await scene.bus.emit(WORKFLOW_STARTED, event)
    ended = await scene.end_of(event)
    assert event.traceparent is not None
    traces = {
        traceparent[3:35] for traceparent in (ended.traceparent, scene.agents.asked[0].traceparent) if traceparent
    }
    assert traces == {event.traceparent[3:35]}


# What fails


async def test_a_source_that_fails_costs_only_its_own_and_is_told(scene: DigestScene) -> None:
    await scene.add()
    scene.agents.failing = {"reddit": "Reddit is away."}
    ended = await scene.run()
    assert ended.sent == 1
    assert "Reddit is away." in str(bodies(scene.posted))
    (run,) = await scene.history()
    assert run.note == "Reddit: Reddit is away."


async def test_when_every_source_fails_they_are_asked_again_later(scene: DigestScene, impatient: None) -> None:
    await scene.add()
    scene.agents.failing = dict.fromkeys(("reddit", "hackernews", "news"), "It is away.")
    event = WorkflowStarted()
    await scene.bus.emit(WORKFLOW_STARTED, event)
    await until(lambda: len(scene.agents.asked) == 2)
    scene.agents.failing = {}
    assert (await scene.end_of(event)).sent == 1
    assert scene.shown() == titles(0, 1, 2)


@pytest.mark.parametrize("silent", [False, True], ids=["each says why", "no response"])
async def test_when_every_source_keeps_failing_the_run_fails_with_a_sentence(
    tmp_path: Path, impatient: None, silent: bool
) -> None:
    async with digest_scene(tmp_path, answer_s=0.01) as scene:
        scene.digests._asker._grace_s = 0.01
        scene.serve()
        await scene.add()
        scene.agents.silent = silent
        scene.agents.failing = {"reddit": "Reddit is away.", "hackernews": "Off.", "news": "Gone."}
        ended = await scene.run()
        assert (ended.failed, len(scene.agents.asked)) == (1, 1 + len(digests.AGAIN_S))
        (run,) = await scene.history()
        said = "no answer came" if silent else "Reddit: Reddit is away. Hacker News: Off. News: Gone."
        assert said in run.note
        scene.agents.silent, scene.agents.failing = False, {}
        await scene.run()
        assert scene.shown() == titles(0, 1, 2), "what was missed comes with the next one"


async def test_a_digest_that_cannot_be_drawn_fails_and_costs_the_others_nothing(
    scene: DigestScene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    drawn = digest.parts

    def parts(given: digest.Digest, nonce_of: Callable[[int], str]) -> tuple[digest.Body, ...]:
        if given.subscription.plan.name == "Broken":
            raise ZeroDivisionError("a bug")
        return drawn(given, nonce_of)

    monkeypatch.setattr(digest_rendering, "parts", parts)
    await scene.add("Broken")
    await scene.add("Whole")
    ended = await scene.run()
    assert (ended.sent, ended.failed) == (1, 1)
    assert "ZeroDivisionError" in caplog.text
    assert {(run.subscription_name, run.state) for run in await scene.history()} == {
        ("Broken", RunState.FAILED),
        ("Whole", RunState.SENT),
    }


async def test_a_bug_in_between_is_logged_tried_again_and_given_up(
    scene: DigestScene, impatient: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(scene.digests._renderer, "digests", broken)
    await scene.add()
    ended = await scene.run()
    assert ended.failed == 1
    assert caplog.text.count("ZeroDivisionError: a bug") == 1 + len(digests.AGAIN_S)
    (run,) = await scene.history()
    assert "a fault of ours" in run.note


async def test_while_the_database_is_away_everything_waits_and_then_goes_on(scene: DigestScene) -> None:
    await scene.add()
    scene.agents.gate.clear()
    event = WorkflowStarted()
    await scene.bus.emit(WORKFLOW_STARTED, event)
    await until(lambda: scene.agents.asked)
    async with scene.database.writing() as connection:
        await connection.exec_driver_sql("ALTER TABLE parts RENAME TO away")
    scene.agents.gate.set()
    late = WorkflowStarted()
    await scene.bus.emit(WORKFLOW_STARTED, late)
    await until(lambda: scene.database.fault is not None)
    async with scene.database.writing() as connection:
        await connection.exec_driver_sql("ALTER TABLE away RENAME TO parts")
    assert (await scene.end_of(event)).sent == 1
    assert (await scene.end_of(late)).empty == 1
    assert scene.shown() == titles(0, 1, 2)


async def test_a_server_that_is_not_known_just_now_is_waited_for(scene: DigestScene) -> None:
    await scene.add("Later", channel_id=5)
    await scene.add("Now", guild=OTHER, channel_id=6)
    scene.spots[5] = None
    event = WorkflowStarted()
    await scene.bus.emit(WORKFLOW_STARTED, event)
    async with asyncio.timeout(5):
        while len(scene.posted) < 1:
            await scene.post()
            await asyncio.sleep(0.002)
    await asyncio.sleep(0.02)
    assert [part.channel_id for part in scene.posted] == [6]
    scene.spots[5] = Spot(forum=True)
    await scene.end_of(event)
    assert [(part.channel_id, part.forum) for part in scene.posted] == [(6, False), (5, True)]


# Whose workflow, how often


async def test_a_workflow_of_any_agent_is_run_once_however_often_it_is_said(scene: DigestScene) -> None:
    await scene.add()
    event = WorkflowStarted()
    await asyncio.gather(*(scene.bus.emit(WORKFLOW_STARTED, event) for _ in range(20)))
    await scene.end_of(event)
    await scene.bus.emit(WORKFLOW_STARTED, event)
    await scene.bus.settled()
    await asyncio.sleep(0.02)
    assert scene.shown() == titles(0, 1, 2)
    (workflow,) = await scene.outbox.workflows(GUILD, 10)
    assert workflow.origin is Origin.AGENT


async def test_a_workflow_without_digests_asks_nobody_and_ends(scene: DigestScene) -> None:
    await scene.add()
    ended = await scene.run(digests=False)
    assert (ended.sent, ended.empty, ended.failed, ended.held) == (0, 0, 0, 0)
    assert scene.agents.asked == []


async def test_two_workflows_at_once_show_everything_once(scene: DigestScene) -> None:
    await scene.add()
    events = [WorkflowStarted() for _ in range(3)]
    for event in events:
        await scene.bus.emit(WORKFLOW_STARTED, event)
    ended = [await scene.end_of(event) for event in events]
    assert [(one.sent, one.empty) for one in ended] == [(1, 0), (0, 1), (0, 1)]
    assert scene.shown() == titles(0, 1, 2)


async def test_what_nobody_announced_is_found(scene: DigestScene) -> None:
    await scene.add()
    event = WorkflowStarted()
    await scene.outbox.accept(event, Origin.SCHEDULE)
    assert (await scene.end_of(event)).sent == 1


async def test_a_subscription_that_is_paused_meanwhile_gets_nothing(scene: DigestScene) -> None:
    one = await scene.add()
    scene.agents.gate.clear()
    event = WorkflowStarted()
    await scene.bus.emit(WORKFLOW_STARTED, event)
    await until(lambda: scene.agents.asked)
    await scene.subscriptions.change(one, one.plan, State.PAUSED, None, actor_id=ADA, action="pause")
    scene.agents.gate.set()
    ended = await scene.end_of(event)
    assert (ended.sent, ended.empty, ended.failed, ended.held) == (0, 0, 0, 0)
    assert scene.shown() == []


async def leaves_nothing_behind(scene: DigestScene) -> bool:
    await until(lambda: not scene.digests._under_way)
    kept = await scene.guilds.data_of(GUILD)
    return (kept.digests, kept.digest_runs, kept.answers) == (0, 0, 0)


async def test_a_server_that_has_all_deleted_while_its_sources_are_asked_leaves_nothing_behind(
    scene: DigestScene,
) -> None:
    await scene.add()
    scene.agents.gate.clear()
    event = WorkflowStarted()
    await scene.bus.emit(WORKFLOW_STARTED, event)
    await until(lambda: scene.agents.asked)
    await scene.guilds.delete_guild(GUILD)
    scene.agents.gate.set()
    assert (await scene.end_of(event)).sent == 0
    assert await leaves_nothing_behind(scene)


async def test_a_server_that_has_all_deleted_just_before_its_digest_is_written_leaves_nothing_behind(
    scene: DigestScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    still_asking = scene.outbox.still_asking

    async def deleted_afterwards(run_ids: Collection[int]) -> frozenset[int]:
        found = await still_asking(run_ids)
        await scene.guilds.delete_guild(GUILD)
        return found

    await scene.add()
    monkeypatch.setattr(scene.outbox, "still_asking", deleted_afterwards)
    assert (await scene.run()).sent == 0
    assert await leaves_nothing_behind(scene)


async def test_what_was_under_way_when_the_process_ended_goes_on_in_the_next(tmp_path: Path) -> None:
    unbegun, asking = WorkflowStarted(), WorkflowStarted()
    async with digest_scene(tmp_path) as scene:
        await scene.add()
        scene.serve()
        scene.agents.gate.clear()
        await scene.bus.emit(WORKFLOW_STARTED, asking)
        await until(lambda: scene.agents.asked)
    async with digest_scene(tmp_path) as scene:
        await scene.bus.emit(WORKFLOW_STARTED, unbegun)
        await scene.bus.settled()
        assert scene.agents.asked == [], "digests are made when it is known what channels there are"
        assert await scene.outbox.unbegun() == (unbegun.workflow_id,)
    async with digest_scene(tmp_path) as scene:
        scene.serve()
        assert (await scene.end_of(asking)).sent == 1
        assert (await scene.end_of(unbegun)).empty == 1
        assert scene.shown() == titles(0, 1, 2)


async def test_a_flood_of_workflows_becomes_one_for_each_id(scene: DigestScene) -> None:
    events = [WorkflowStarted(guild_ids=("7",)) for _ in range(400)]

    async def emit_all() -> None:
        for event in events:
            await scene.bus.emit(WORKFLOW_STARTED, event)
            await scene.bus.emit(WORKFLOW_STARTED, event)

    await emit_all()
    await until(lambda: len(scene.finished) == len(events), timeout_s=20)
    async with scene.database.reading(1) as connection:
        count = await connection.exec_driver_sql("SELECT count(*), count(finished_at) FROM workflows")
        assert tuple(count.one()) == (400, 400)


async def test_old_history_is_forgotten_by_the_way(tmp_path: Path) -> None:
    async with digest_scene(tmp_path) as scene:
        await scene.add()
        scene.serve()
        await scene.run()
    async with digest_scene(tmp_path) as scene:
        scene.clock.ahead = 31 * DAY
        scene.serve()
        async with asyncio.timeout(5):
            while await scene.history():
                await asyncio.sleep(0.005)


# Previews


async def test_a_preview_shows_what_would_come_and_changes_nothing(scene: DigestScene) -> None:
    one = await scene.add(limit=2, chart=True)
    preview = await scene.digests.preview(one)
    assert [signal.title for signal in preview.digest.signals] == titles(0, 1)
    assert preview.digest.left == 1
    assert preview.chart is not None
    assert await scene.answers.get(preview.digest.answer_id) is not None
    assert await scene.history() == []
    await scene.run()
    assert scene.shown() == titles(0, 1)
    preview = await scene.digests.preview(one)
    assert [signal.title for signal in preview.digest.signals] == titles(2)


async def test_a_preview_without_an_answer_says_so(tmp_path: Path) -> None:
    async with digest_scene(tmp_path, answer_s=0.01) as scene:
        scene.digests._asker._grace_s = 0.01
        scene.agents.silent = True
        with pytest.raises(TimeoutError):
            await scene.digests.preview(await scene.add())


async def test_who_stops_waiting_for_a_preview_costs_others_nothing(
    scene: DigestScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_asking, "KEEP_S", 1e9)
    one, other = await scene.add("One"), await scene.add("Other")
    scene.agents.gate.clear()
    impatient, patient = (asyncio.create_task(scene.digests.preview(each)) for each in (one, other))
    await until(lambda: scene.agents.asked)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    scene.agents.gate.set()
    assert (await patient).digest.signals
    assert len(scene.agents.asked) == 1


def test_the_plan_of_these_tests_is_daily() -> None:
    assert plan().schedule.every == "daily"
