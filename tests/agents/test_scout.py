"""One request in, progress out, exactly one response out; what is fresh is announced; unasked only when wanted."""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta

import pytest

from agents.agent import AgentConfig
from agents.bus.memory import MemoryBus
from agents.errors import (
    AccessDenied,
    AddressRefused,
    AttemptTimeout,
    BadStatus,
    BudgetSpent,
    BusClosed,
    CircuitOpen,
    LifecycleError,
    NotConfigured,
    NotFound,
    OwnLimit,
    RateLimited,
    SourceError,
    TooLarge,
    TooManyRedirects,
    UnexpectedContent,
    Unreachable,
    UpstreamFailed,
)
from agents.events import (
    SIGNALS_DISCOVERED,
    SIGNALS_PROGRESS,
    SIGNALS_REQUESTED,
    WORKFLOW_STARTED,
    Filters,
    SignalsDiscovered,
    SignalsProgress,
    SourceReport,
    SourceRequest,
    SourceStatus,
    WorkflowStarted,
)
from agents.ranking.rank import Ranked
from agents.scout import REMEMBERED_REQUESTS
from agents.signal import Timeframe
from agents.source import Question, Scan
from tests.agents.doubles import (
    ME,
    FakeSource,
    after,
    asked,
    asks,
    finds,
    hangs,
    in_turn,
    raises,
    scouting,
    signal,
)
from tests.agents.resilience.doubles import Clock, Upstream, hang, settle

SHORT = AgentConfig(timeout_s=0.05, retry_attempts=1)


# What an answer holds


async def test_an_answer_names_its_request_and_ranks_what_all_sources_found() -> None:
    left, right = FakeSource("left", finds(signal("left", 3))), FakeSource("right", finds(signal("right", 900)))
    async with scouting(left, right) as desk:
        response = await desk.ask("left", "right", query="reports", timeframe=Timeframe.WEEK, limit=5)
    assert {each.source for each in response.signals} == {"left", "right"}
    scores = [each.score for each in response.signals]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0
    assert (response.requester, response.provider, response.query) == (ME, "signals-scout", "reports")
    assert (response.timeframe, response.found, response.error) == (Timeframe.WEEK, 2, None)
    assert left.questions[0].query == "reports"
    assert left.questions[0].timeframe is Timeframe.WEEK


async def test_reports_stand_in_the_order_asked_whoever_is_first_to_answer() -> None:
    slow = FakeSource("slow", after(0.03, finds(signal("slow"))))
    async with scouting(slow, FakeSource("quick"), FakeSource("void", finds())) as desk:
        response = await desk.ask("slow", "nowhere", "quick", "void")
    assert [report.source for report in response.reports] == ["slow", "nowhere", "quick", "void"]
    assert [report.count for report in response.reports] == [1, 0, 1, 0]
    assert response.reports[0].duration_s >= 0.03
    assert [event.report.source for event in desk.progress] == ["nowhere", "quick", "void", "slow"]


async def test_the_limit_cuts_after_counting_and_the_least_score_drops() -> None:
    many = FakeSource("many", finds(*(signal("many", number) for number in range(8))))
    async with scouting(many) as desk:
        cut = await desk.ask("many", limit=3)
        none = await desk.ask("many", min_score=1.0)
    assert (len(cut.signals), cut.found) == (3, 8)
    assert (none.signals, none.found) == ((), 0)
    assert none.reports[0].count == 8


async def test_filters_leave_out_what_must_not_be_shown() -> None:
    football = signal("mixed", 3, title="Football at last")
    mixed = FakeSource("mixed", finds(signal("mixed", 1), signal("mixed", 2, nsfw=True), football))
    async with scouting(mixed) as desk:
        strict = await desk.ask("mixed", filters=Filters(muted=("football",)))
        open_ = await desk.ask("mixed", filters=Filters(nsfw=True))
    assert [each.id for each in strict.signals] == ["mixed:1"]
    assert {each.id for each in open_.signals} == {"mixed:1", "mixed:2", "mixed:3"}


async def test_requests_of_one_tenant_leave_an_upstreams_places_to_another() -> None:
    upstream = Upstream(hang)
    config = AgentConfig(timeout_s=2.0, max_concurrent_tasks=20)
    async with scouting(FakeSource("news", asks("https://up.example/")), config=config, raw=upstream) as desk:
        for number in range(9):
            await desk.bus.emit(SIGNALS_REQUESTED, asked("news", query=str(number)))
        await settle()
        assert len(upstream.calls) == 3
        other = ME.model_copy(update={"tenant": "other"})
        await desk.bus.emit(SIGNALS_REQUESTED, asked("news", query="x").model_copy(update={"requester": other}))
        await settle()
        assert len(upstream.calls) == 4


async def test_a_source_named_twice_shows_its_items_once() -> None:
    async with scouting(FakeSource("news")) as desk:
        response = await desk.ask("news", "news")
    assert [each.id for each in response.signals] == ["news:1"]
    assert response.signals[0].also_in == ()
    assert len(response.reports) == 2


async def test_no_sources_are_answered_with_nothing() -> None:
    async with scouting(FakeSource("news")) as desk:
        response = await desk.ask()
    assert (response.signals, response.reports, response.error) == ((), (), None)


# All at once, and in time


async def test_ten_sources_take_as_long_as_the_slowest_of_them() -> None:
    names = [f"s{number}" for number in range(10)]
    async with scouting(*(FakeSource(name, after(0.04, finds(signal(name)))) for name in names)) as desk:
        began = time.perf_counter()
        response = await desk.ask(*names)
        took_s = time.perf_counter() - began
    assert len(response.signals) == 10
    assert took_s < 0.2  # one after the other: 0.4


async def test_one_that_hangs_costs_only_its_own_results() -> None:
    async with scouting(FakeSource("hung", hangs), FakeSource("quick")) as desk:
        response = await desk.ask("hung", "quick", deadline=datetime.now(UTC) + timedelta(milliseconds=60))
    assert [each.source for each in response.signals] == ["quick"]
    hung, quick = response.reports
    assert (hung.status, hung.sentence) == (
        SourceStatus.TIMED_OUT,
        "Hung did not answer in time. Ask again in a moment.",
    )
    assert quick.status is SourceStatus.OK


async def test_the_configured_time_out_holds_where_the_asker_sets_no_deadline() -> None:
    async with scouting(FakeSource("hung", hangs), config=SHORT) as desk:
        began = time.perf_counter()
        response = await desk.ask("hung")
        late = await desk.ask("hung", deadline=datetime.now(UTC) + timedelta(hours=1))
    assert time.perf_counter() - began < 1
    assert [each.reports[0].status for each in (response, late)] == [SourceStatus.TIMED_OUT] * 2


async def test_a_deadline_in_the_past_asks_nobody_but_still_gives_what_is_cached() -> None:
    news, web = FakeSource("news"), FakeSource("web")
    async with scouting(news, web) as desk:
        await desk.ask("news")
        response = await desk.ask("news", "web", deadline=datetime.now(UTC) - timedelta(hours=1))
    assert [report.status for report in response.reports] == [SourceStatus.CACHED, SourceStatus.TIMED_OUT]
    assert response.reports[1].sentence == "Web was not asked: no time was left. Try again in a moment."
    assert len(response.signals) == 1
    assert web.questions == []


async def test_where_no_place_is_free_the_asker_hears_so_by_the_deadline_and_cached_answers_need_none() -> None:
    hung, known = FakeSource("hung", hangs), FakeSource("known")
    config = AgentConfig(timeout_s=2.0, max_concurrent_tasks=1)
    async with scouting(hung, known, FakeSource("other"), config=config) as desk:
        await desk.ask("known")
        blocking = asked("hung")
        await desk.bus.emit(SIGNALS_REQUESTED, blocking)
        await settle()
        waiting = asked("known", "other", deadline=datetime.now(UTC) + timedelta(milliseconds=40))
        cached = asked("known")
        await desk.bus.emit(SIGNALS_REQUESTED, waiting)
        await desk.bus.emit(SIGNALS_REQUESTED, cached)
        await settle()
        assert desk.answer_to(cached).reports[0].status is SourceStatus.CACHED
        await asyncio.sleep(0.08)
        response = desk.answer_to(waiting)
        assert [report.status for report in response.reports] == [SourceStatus.CACHED, SourceStatus.TIMED_OUT]
        assert "too many searches were running" in response.reports[1].sentence
        assert response.reports[1].duration_s >= 0.03
        assert len(response.signals) == 1


async def test_a_place_is_free_again_after_an_answer_and_after_a_cancellation() -> None:
    busy = FakeSource("busy", in_turn(hangs, finds(signal("busy"))))
    config = AgentConfig(timeout_s=2.0, max_concurrent_tasks=1)
    async with scouting(busy, config=config) as desk:
        stuck = asyncio.create_task(desk.scout.discover_signals(["busy"], query="one"))
        await settle()
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        assert len((await desk.ask("busy")).signals) == 1
        assert len((await desk.ask("busy", query="other")).signals) == 1


# What can go wrong, each in words


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotConfigured("words"), SourceStatus.FAILED),
        (AddressRefused("words"), SourceStatus.FAILED),
        (Unreachable("words"), SourceStatus.FAILED),
        (BadStatus("words", status=418), SourceStatus.FAILED),
        (AccessDenied("words", status=403), SourceStatus.FAILED),
        (NotFound("words", status=404), SourceStatus.FAILED),
        (UpstreamFailed("words", status=500), SourceStatus.FAILED),
        (UnexpectedContent("words"), SourceStatus.FAILED),
        (TooLarge("words"), SourceStatus.FAILED),
        (TooManyRedirects("words"), SourceStatus.FAILED),
        (SourceError("words"), SourceStatus.FAILED),
        (BudgetSpent("words"), SourceStatus.LIMITED),
        (CircuitOpen("words", retry_after_s=9.0), SourceStatus.LIMITED),
        (RateLimited("words", status=429, retry_after_s=9.0), SourceStatus.LIMITED),
        (OwnLimit("words", status=429, retry_after_s=9.0), SourceStatus.LIMITED),
        (AttemptTimeout("words"), SourceStatus.TIMED_OUT),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
async def test_each_error_of_the_tree_becomes_a_report_beside_the_others_results(
    error: SourceError, status: SourceStatus
) -> None:
    async with scouting(FakeSource("bad", raises(error)), FakeSource("good")) as desk:
        response = await desk.ask("bad", "good")
    bad, good = response.reports
    assert (bad.status, bad.sentence, bad.retry_after_s) == (status, "words", error.retry_after_s)
    assert (good.status, len(response.signals), response.error) == (SourceStatus.OK, 1, None)


async def test_a_bug_in_a_source_is_logged_once_and_hidden_from_people(caplog: pytest.LogCaptureFixture) -> None:
    bug = ZeroDivisionError("internal detail")
    async with scouting(FakeSource("bad", raises(bug)), FakeSource("good")) as desk:
        response = await desk.ask("bad", "good")
    assert response.reports[0].status is SourceStatus.FAILED
    assert response.reports[0].sentence == "Bad could not be read because of a fault of ours; it is logged."
    assert len(response.signals) == 1
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[1] is bug


async def test_all_sources_failing_is_still_an_answer() -> None:
    sources = [FakeSource("one", raises(Unreachable("gone"))), FakeSource("two", raises(SourceError("odd")))]
    async with scouting(*sources) as desk:
        response = await desk.ask("one", "two")
    assert (response.signals, response.found, response.error) == ((), 0, None)
    assert [report.sentence for report in response.reports] == ["gone", "odd"]


async def test_unknown_sources_wrong_options_and_missing_keys_are_told_and_cost_the_others_nothing() -> None:
    keyless = FakeSource("keyless", reason="Set KEYLESS_TOKEN.")
    async with scouting(FakeSource("good"), keyless) as desk:
        unknown = await desk.ask("tiktok", "good", "keyless")
        wrong = await desk.ask("good", options={"place": "0"})
        misspelt = await desk.ask("good", options={"plaice": "here"})
    assert [report.status.value for report in unknown.reports] == ["failed", "ok", "failed"]
    assert unknown.reports[0].sentence == "There is no source “tiktok”. Known: good, keyless."
    assert unknown.reports[2].sentence == "Set KEYLESS_TOKEN."
    assert len(unknown.signals) == 1
    assert wrong.reports[0].sentence == "A place has letters only."
    assert misspelt.reports[0].sentence == "Good has no option “plaice”. Its options: place."
    assert keyless.questions == []


async def test_options_arrive_normalised() -> None:
    good = FakeSource("good")
    async with scouting(good) as desk:
        await desk.ask("good", options={"place": "  Berlin "})
    assert good.questions[0].options == {"place": "berlin"}


async def test_a_long_name_of_an_unknown_source_is_cut_in_the_report() -> None:
    async with scouting(FakeSource("good")) as desk:
        response = await desk.ask("x" * 5000)
    assert len(response.reports[0].source) <= 40
    assert len(response.reports[0].sentence) < 200


# Exactly one response, whatever happens


async def test_a_request_id_seen_before_is_not_answered_again() -> None:
    source = FakeSource("news")
    async with scouting(source) as desk:
        event = asked("news")
        await desk.bus.emit(SIGNALS_REQUESTED, event)
        await desk.bus.emit(SIGNALS_REQUESTED, event)
        await desk.bus.settled()
        await desk.bus.emit(SIGNALS_REQUESTED, event)
        await desk.bus.settled()
        assert desk.answer_to(event).signals
    assert len(source.questions) == 1


async def test_the_memory_of_request_ids_is_bounded() -> None:
    async with scouting(FakeSource("news"), bus=MemoryBus(max_pending=REMEMBERED_REQUESTS + 2)) as desk:
        await desk.ask("news")
        first = asked("news")
        await desk.ask("news", request_id=first.request_id)
        for number in range(REMEMBERED_REQUESTS):
            await desk.scout.on_signals_requested(asked(request_id=str(number)))
        await desk.bus.settled()
        await desk.bus.emit(SIGNALS_REQUESTED, first)
        await desk.bus.settled()
        assert len([each for each in desk.responses if each.request_id == first.request_id]) == 2


async def test_a_bug_in_ranking_is_answered_in_words_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_arguments: object, **_named: object) -> Ranked:
        raise KeyError("internal detail")

    monkeypatch.setattr("agents.discovery.rank_off_loop", broken)
    async with scouting(FakeSource("news")) as desk:
        response = await desk.ask("news")
    assert response.error == "Something went wrong on our side; it is logged."
    assert response.signals == ()
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["request failed"]
    assert errors[0].exc_info is not None


async def test_a_request_that_is_cancelled_says_so_in_its_one_response() -> None:
    async with scouting(FakeSource("hung", hangs)) as desk:
        event = asked("hung")
        await desk.bus.emit(SIGNALS_REQUESTED, event)
        await settle()
        assert not await desk.bus.drain(0.0)
        response = desk.answer_to(event)
    assert response.error == "The search was stopped before it could answer. Please ask again."
    assert response.occurred_at >= event.occurred_at


async def test_a_request_that_is_cancelled_before_its_first_step_is_answered_too() -> None:
    async with scouting(FakeSource("hung", hangs)) as desk:
        event = asked("hung")
        await desk.bus.emit(SIGNALS_REQUESTED, event)
        await desk.bus.drain(0.0)
        assert desk.answer_to(event).error


async def test_a_drained_bus_costs_the_response_but_nothing_breaks(caplog: pytest.LogCaptureFixture) -> None:
    async with scouting(FakeSource("news")) as desk:
        await desk.bus.drain(0.0)
        await desk.scout.on_signals_requested(asked("news"))
        with pytest.raises(BusClosed):
            await desk.bus.emit(SIGNALS_REQUESTED, asked("news"))
    assert desk.responses == []
    assert "response not sent" in caplog.text


async def test_stopping_the_agent_answers_what_is_under_way() -> None:
    async with scouting(FakeSource("hung", hangs), FakeSource("good")) as desk:
        event = asked("hung", "good")
        await desk.bus.emit(SIGNALS_REQUESTED, event)
        await settle()
        await desk.scout.stop()
        await desk.bus.settled()
        response = desk.answer_to(event)
    said = [response.error or "", *(report.sentence for report in response.reports)]
    assert any("stopp" in sentence for sentence in said)
    assert "cache" not in " ".join(said)


async def test_stopping_the_agent_during_a_ranking_answers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ranking = asyncio.Event()

    async def endless(*_arguments: object, **_named: object) -> Ranked:
        ranking.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("agents.discovery.rank_off_loop", endless)
    async with scouting(FakeSource("good")) as desk:
        event = asked("good")
        await desk.bus.emit(SIGNALS_REQUESTED, event)
        await ranking.wait()
        await desk.scout.stop()
        await desk.bus.settled()
        assert desk.answer_to(event).error == "The search was stopped before it could answer. Please ask again."


async def test_after_its_stop_requests_are_somebody_elses() -> None:
    async with scouting(FakeSource("news")) as desk:
        await desk.scout.stop()
        await desk.bus.emit(SIGNALS_REQUESTED, asked("news"))
        await desk.bus.settled()
    assert desk.responses == []


async def test_listeners_that_hang_hold_up_neither_progress_nor_response() -> None:
    async def hang(_event: object) -> None:
        await asyncio.Event().wait()

    bus = MemoryBus(max_pending=1)
    bus.subscribe(SIGNALS_PROGRESS, hang)
    async with scouting(FakeSource("one"), FakeSource("two"), FakeSource("three"), bus=bus) as desk:
        event = asked("one", "two", "three")
        await bus.emit(SIGNALS_REQUESTED, event)
        await asyncio.sleep(0.25)
        response = desk.answer_to(event)
    assert len(response.signals) == 3


# Progress and announcements


async def test_progress_counts_every_source_up_to_all_of_them() -> None:
    async with scouting(FakeSource("one"), FakeSource("two", raises(Unreachable("gone")))) as desk:
        response = await desk.ask("one", "two", "three")
    assert sorted(event.done for event in desk.progress) == [1, 2, 3]
    assert {event.total for event in desk.progress} == {3}
    assert {event.request_id for event in desk.progress} == {response.request_id}
    assert {event.requester for event in desk.progress} == {ME}
    assert {event.report.source: event.report for event in desk.progress} == {
        report.source: report for report in response.reports
    }


async def test_all_progress_is_heard_before_the_response() -> None:
    order: list[str] = []
    async with scouting(FakeSource("one"), FakeSource("two", after(0.02, finds()))) as desk:

        async def note(event: SignalsProgress) -> None:
            order.append(f"progress {event.done}")
            assert desk.responses == []

        desk.bus.subscribe(SIGNALS_PROGRESS, note)
        await desk.ask("one", "two")
    assert order == ["progress 1", "progress 2"]


async def test_a_fresh_scan_is_announced_once_and_hits_and_joined_waiters_are_not() -> None:
    news = FakeSource("news", after(0.02, finds(signal("news", 1), signal("news", 2))))
    async with scouting(news) as desk:
        for _ in range(3):
            await desk.bus.emit(SIGNALS_REQUESTED, asked("news"))
        await desk.bus.settled()
        hit = await desk.ask("news")
        [event] = desk.discovered
        assert hit.reports[0].status is SourceStatus.CACHED
        assert (event.agent_id, event.count, len(event.signals)) == ("signals-scout", 2, 2)
        await desk.ask("news", max_age_s=0.0)
        assert len(desk.discovered) == 2


async def test_scans_that_fail_or_find_nothing_announce_nothing() -> None:
    async with scouting(FakeSource("void", finds()), FakeSource("bad", raises(SourceError("no")))) as desk:
        response = await desk.ask("void", "bad")
    assert [report.status.value for report in response.reports] == ["empty", "failed"]
    assert desk.discovered == []


async def test_a_listener_without_room_costs_the_asker_only_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.scout.DISCOVERED_TIMEOUT_S", 0.02)

    async def hang(_event: SignalsDiscovered) -> None:
        await asyncio.Event().wait()

    bus = MemoryBus(max_pending=1)
    bus.subscribe(SIGNALS_DISCOVERED, hang)
    async with scouting(FakeSource("one"), FakeSource("two"), bus=bus) as desk:
        event = asked("one", "two")
        await bus.emit(SIGNALS_REQUESTED, event)
        await asyncio.sleep(0.2)
        assert len(desk.answer_to(event).signals) == 2


# Cached, joined and stale answers


async def test_a_thousand_identical_requests_at_once_are_one_fetch_and_a_thousand_answers() -> None:
    raw = Upstream()
    news = FakeSource("news", after(0.01, asks("https://up.example/new", signal("news"))))
    async with scouting(news, raw=raw) as desk:
        events = [asked("news") for _ in range(1000)]
        for event in events:
            await desk.bus.emit(SIGNALS_REQUESTED, event)
        await desk.bus.settled()
        answered = {response.request_id for response in desk.responses if response.signals}
    assert len(desk.responses) == 1000
    assert answered == {event.request_id for event in events}
    assert len(raw.calls) == 1


async def test_without_a_cache_equal_requests_at_once_still_share_and_later_ones_do_not() -> None:
    news = FakeSource("news", after(0.01, finds(signal("news"))))
    async with scouting(news, config=AgentConfig(timeout_s=2.0, cache_enabled=False)) as desk:
        for _ in range(3):
            await desk.bus.emit(SIGNALS_REQUESTED, asked("news"))
        await desk.bus.settled()
        assert len(news.questions) == 1
        await desk.ask("news")
    assert len(news.questions) == 2


async def test_the_order_of_sources_does_not_matter_to_the_cache() -> None:
    one, two = FakeSource("one"), FakeSource("two")
    async with scouting(one, two) as desk:
        await desk.ask("one", "two")
        response = await desk.ask("two", "one")
    assert [report.status for report in response.reports] == [SourceStatus.CACHED] * 2
    assert len(one.questions) == len(two.questions) == 1


async def test_when_a_source_fails_later_its_old_answer_is_given_with_what_happened() -> None:
    clock = Clock()
    news = FakeSource(
        "news", in_turn(finds(signal("news")), raises(RateLimited("slow", status=429, retry_after_s=7)))
    )
    async with scouting(news, clock=clock) as desk:
        first = await desk.ask("news")
        clock.advance(301)
        response = await desk.ask("news")
    [report] = response.reports
    assert (report.status, report.sentence, report.retry_after_s) == (SourceStatus.STALE, "slow", 7)
    assert report.fetched_at == first.reports[0].fetched_at
    assert [each.id for each in response.signals] == ["news:1"]
    assert len(desk.discovered) == 1


async def test_who_asks_for_a_younger_answer_than_the_cached_one_gets_a_fresh_one() -> None:
    clock = Clock()
    news = FakeSource("news")
    async with scouting(news, clock=clock) as desk:
        await desk.ask("news")
        clock.advance(60)
        assert (await desk.ask("news", max_age_s=90)).reports[0].status is SourceStatus.CACHED
        assert (await desk.ask("news", max_age_s=30)).reports[0].status is SourceStatus.OK


async def test_a_note_of_the_source_stands_in_its_report() -> None:
    async with scouting(FakeSource("news", finds(signal("news"), note="One feed is missing."))) as desk:
        response = await desk.ask("news")
    assert response.reports[0].sentence == "One feed is missing."


# Direct use


async def test_discover_signals_takes_names_or_requests_and_tells_progress_to_the_caller() -> None:
    told: list[tuple[str, int, int]] = []

    async def on_report(report: SourceReport, done: int, total: int) -> None:
        told.append((report.source, done, total))

    good = FakeSource("good")
    async with scouting(good) as desk:
        discovery = await desk.scout.discover_signals(
            ["good", SourceRequest(name="nowhere")], "1h", query="x", limit=3, on_report=on_report
        )
    assert [each.id for each in discovery.signals] == ["good:1"]
    assert discovery.found == 1
    assert told == [("nowhere", 1, 2), ("good", 2, 2)]
    assert good.questions[0].timeframe is Timeframe.HOUR
    assert (desk.responses, desk.progress) == ([], [])


async def test_discover_signals_asks_reddit_by_default() -> None:
    reddit = FakeSource("reddit")
    async with scouting(reddit) as desk:
        await desk.scout.discover_signals()
    assert [each.timeframe for each in reddit.questions] == [Timeframe.DAY]


async def test_concurrency_bounds_how_many_sources_are_asked_at_once() -> None:
    running, most = 0, 0

    async def count(_question: Question, _fetch: object) -> Scan:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return Scan(())

    names = [f"s{number}" for number in range(6)]
    async with scouting(*(FakeSource(name, count) for name in names)) as desk:
        discovery = await desk.scout.discover_signals(names, concurrency=2)
        assert most == 2
        await desk.scout.discover_signals(names, query="all at once")
    assert most == 6
    assert len(discovery.reports) == 6


async def test_with_bounded_concurrency_those_behind_a_slow_one_say_that_no_time_was_left() -> None:
    async with scouting(FakeSource("hung", hangs), FakeSource("next")) as desk:
        discovery = await desk.scout.discover_signals(["hung", "next"], concurrency=1, timeout_s=0.04)
    assert [report.status for report in discovery.reports] == [SourceStatus.TIMED_OUT] * 2
    assert discovery.reports[1].sentence == "Next was not asked: no time was left. Try again in a moment."


async def test_a_timeframe_that_is_none_is_refused_and_so_is_use_before_start() -> None:
    async with scouting(FakeSource("news")) as desk:
        with pytest.raises(ValueError, match="2h"):
            await desk.scout.discover_signals(["news"], "2h")
        await desk.scout.stop()
        with pytest.raises(LifecycleError):
            await desk.scout.discover_signals(["news"])
        with pytest.raises(LifecycleError):
            await desk.scout.batch_process_signals([])


async def test_what_sources_declare_can_be_read_before_the_start() -> None:
    async with scouting(FakeSource("one"), FakeSource("two", reason="Set TWO_KEY.")) as desk:
        assert [spec.name for spec in desk.scout.specs] == ["one", "two"]
        assert desk.scout.unavailable == {"two": "Set TWO_KEY."}


# Unasked, and in batches


async def test_off_by_default_a_workflow_makes_it_discover_nothing() -> None:
    reddit = FakeSource("reddit")
    async with scouting(reddit) as desk:
        await desk.bus.emit(WORKFLOW_STARTED, WorkflowStarted(auto_discovery=True))
        await desk.bus.settled()
    assert reddit.questions == []


async def test_switched_on_it_discovers_only_when_the_workflow_asks_for_it() -> None:
    reddit, twitter, news = (FakeSource(name) for name in ("reddit", "twitter", "news"))
    async with scouting(reddit, twitter, news, auto_discovery=True) as desk:
        await desk.bus.emit(WORKFLOW_STARTED, WorkflowStarted())
        await desk.bus.settled()
        assert desk.discovered == []
        await desk.bus.emit(WORKFLOW_STARTED, WorkflowStarted(auto_discovery=True, query="rust"))
        await desk.bus.settled()
    assert {event.signals[0].source for event in desk.discovered} == {"reddit", "twitter"}
    assert (reddit.questions[0].query, news.questions) == ("rust", [])
    assert (desk.responses, desk.progress) == ([], [])


async def test_a_workflow_that_names_sources_is_taken_at_its_word() -> None:
    reddit, news = FakeSource("reddit"), FakeSource("news")
    named = (SourceRequest(name="news", options={"place": "Here"}), SourceRequest(name="nowhere"))
    async with scouting(reddit, news, auto_discovery=True) as desk:
        await desk.bus.emit(WORKFLOW_STARTED, WorkflowStarted(auto_discovery=True, sources=named))
        await desk.bus.settled()
    assert [question.options for question in news.questions] == [{"place": "here"}]
    assert reddit.questions == []


async def test_a_batch_keeps_what_scores_above_the_least_merges_and_leaves_the_loop_free() -> None:
    signals = [signal("s", number, title=f"Headline {number} " + " ".join(f"word{number}{k}" for k in range(5)))
               for number in range(3000)]  # fmt: skip
    double = signal("t", 1, url=signals[0].url)
    moment = datetime.now(UTC)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    async with scouting(now=lambda: moment) as desk:
        turning = asyncio.create_task(turn())
        everything = await desk.scout.batch_process_signals([*signals, double], min_score=0.0, timeframe="7d")
        turning.cancel()
        least = everything[100].score
        above = await desk.scout.batch_process_signals([*signals, double], min_score=least, timeframe="7d")
        default = await desk.scout.batch_process_signals([*signals, double], timeframe="7d")
    assert turns > 10  # on the loop there would be none
    assert len(everything) == 3000
    assert [each.id for each in above] == [each.id for each in everything if each.score > least]
    assert default == [each for each in everything if each.score > 0.5]
    assert [place.source for each in everything for place in each.also_in] in (["s"], ["t"])


async def test_batches_of_nothing_are_nothing() -> None:
    async with scouting() as desk:
        assert await desk.scout.batch_process_signals([]) == []
