"""What the stack of layers around a source promises, and their order."""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import (
    AccessDenied,
    AttemptTimeout,
    BadStatus,
    CircuitOpen,
    DeadlineExceeded,
    NotFound,
    OwnLimit,
    RateLimited,
    SourceError,
    Unreachable,
    UpstreamFailed,
)
from agents.fetch.request import Fetch, Request
from agents.resilience import guard as guard_module
from agents.resilience.breaker import CircuitState
from agents.resilience.guard import GuardedScan, ResilienceConfig, ScanGuard, ScanState, question_key
from agents.resilience.limiter import ON_BEHALF_OF
from agents.resilience.retry import RetryPolicy
from agents.signal import Timeframe
from agents.source import HostLimit, Question, Scan
from tests.agents.resilience.conftest import Lines
from tests.agents.resilience.doubles import Clock, LongestJitter, OnePage, Upstream, hang, question, settle

NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)
HOST = "up.example"


def make(
    upstream: Upstream,
    config: ResilienceConfig | None = None,
    *,
    clock: Clock | None = None,
    limit: HostLimit | None = None,
    base_s: float = 0.0,
) -> ScanGuard:
    times = {} if clock is None else {"clock": clock, "later": clock.later}
    return ScanGuard(
        upstream,
        config or ResilienceConfig(),
        limits={} if limit is None else {HOST: limit},
        retry=RetryPolicy(base_s=base_s, cap_s=base_s),
        rng=LongestJitter(),
        now=lambda: NOW,
        **times,  # type: ignore[arg-type]
    )


def broken() -> UpstreamFailed:
    return UpstreamFailed("broken", status=500)


async def test_an_answer_is_fetched_once_then_cached_for_the_longer_of_both_times() -> None:
    clock, upstream, source = Clock(), Upstream(), OnePage(ttl_s=900.0)
    guard = make(upstream, clock=clock)
    assert guard.peek(source, question()) is None
    first = await guard.scan(source, question(), 5.0)
    clock.advance(899)
    second = await guard.scan(source, question(), 5.0)
    assert (first.state, second.state) == (ScanState.LOADED, ScanState.HIT)
    assert second.scan is first.scan
    assert second.fetched_at == NOW
    assert second.age_s == 899.0
    assert guard.peek(source, question()) == second
    assert guard.peek(source, question(), max_age_s=898) is None
    clock.advance(1)
    assert (await guard.scan(source, question(), 5.0)).state is ScanState.LOADED
    assert len(upstream.calls) == 2


async def test_a_partial_answer_is_kept_for_a_minute_only() -> None:
    clock, upstream, source = Clock(), Upstream(), OnePage(ttl_s=900.0, partial=True)
    guard = make(upstream, clock=clock)
    await guard.scan(source, question(), 5.0)
    clock.advance(59)
    assert (await guard.scan(source, question(), 5.0)).state is ScanState.HIT
    clock.advance(1)
    assert (await guard.scan(source, question(), 5.0)).state is ScanState.LOADED


async def test_equal_questions_at_once_are_one_scan_even_with_the_cache_off() -> None:
    upstream, source = Upstream(lambda: asyncio.sleep(0.005)), OnePage()
    guard = make(upstream, ResilienceConfig(cache_enabled=False))
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(guard.scan(source, question(), 5.0)) for _ in range(1000)]
    assert len(upstream.calls) == 1
    assert sum(task.result().state is ScanState.LOADED for task in asked) == 1
    assert guard.peek(source, question()) is None
    await guard.scan(source, question(), 5.0)
    assert len(upstream.calls) == 2


async def test_a_tenants_scans_leave_places_of_the_host_to_other_tenants() -> None:
    upstream, source = Upstream(hang), OnePage()
    guard = make(upstream, limit=HostLimit(concurrency=4))
    flood = [asyncio.create_task(guard.scan(source, question(f"a{n}"), None, tenant="a")) for n in range(9)]
    await settle()
    assert len(upstream.calls) == 2
    other = asyncio.create_task(guard.scan(source, question("b"), None, tenant="b"))
    await settle()
    assert len(upstream.calls) == 3
    await end(guard, [*flood, other])


async def test_a_scan_that_another_tenant_joins_goes_on_at_that_ones_turn_too() -> None:
    upstream, source = Upstream(hang), OnePage()
    guard = make(upstream, limit=HostLimit(concurrency=2))
    flood = [asyncio.create_task(guard.scan(source, question(f"{n}"), None, tenant="a")) for n in range(9)]
    await settle()
    assert len(upstream.calls) == 1
    joined = asyncio.create_task(guard.scan(source, question("8"), None, tenant="b"))
    await settle()
    assert len(upstream.calls) == 2
    await end(guard, [*flood, joined])


async def test_whoever_waited_for_a_scan_lends_no_turn_to_the_next_of_the_same_question() -> None:
    upstream, source = Upstream(None, None, hang), OnePage("https://up.example/1", "https://up.example/2")
    guard = make(upstream, ResilienceConfig(cache_enabled=False), limit=HostLimit(concurrency=2))
    async with asyncio.TaskGroup() as both:
        for tenant in ("a", "b"):
            both.create_task(guard.scan(source, question("q"), None, tenant=tenant))
    scans = [asyncio.create_task(guard.scan(source, question(name), None, tenant="a")) for name in ("other", "q")]
    await settle()
    assert len(upstream.calls) == 3
    await end(guard, scans)


async def test_all_that_a_scan_does_is_on_behalf_of_those_who_wait_for_it() -> None:
    gate = asyncio.Event()
    seen: list[Collection[str]] = []

    class Waiting(OnePage):
        async def scan(self, question: Question, fetch: Fetch) -> Scan:
            await gate.wait()
            seen.append(set(await asyncio.create_task(asyncio.to_thread(ON_BEHALF_OF.get))))
            return Scan(())

    guard, source = make(Upstream()), Waiting()
    asked = [asyncio.create_task(guard.scan(source, question(), None, tenant=name)) for name in ("a", "b", "b")]
    await settle()
    gate.set()
    await asyncio.wait(asked)
    await guard.scan(source, question("alone"), None)
    assert seen == [{"a", "b"}, set()]
    assert ON_BEHALF_OF.get() == ()


async def end(guard: ScanGuard, scans: list[asyncio.Task[GuardedScan]]) -> None:
    await guard.close()
    for scan in scans:
        with contextlib.suppress(SourceError):
            await scan


async def test_who_stops_waiting_is_told_so_and_the_scan_goes_on_for_the_others() -> None:
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    upstream, source = Upstream(wait), OnePage()
    guard = make(upstream)
    patient = asyncio.create_task(guard.scan(source, question(), None))
    with pytest.raises(DeadlineExceeded, match="Page"):
        await guard.scan(source, question(), 0.005)
    gate.set()
    assert (await patient).scan == Scan(())
    assert upstream.cancelled == 0


async def test_a_lone_waiters_deadline_does_not_shorten_the_fetch() -> None:
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    source, guard = OnePage(), make(Upstream(wait))
    with pytest.raises(DeadlineExceeded):
        await guard.scan(source, question(), 0.001)
    gate.set()
    await settle()
    assert guard.peek(source, question()) is not None


async def test_the_fetchs_own_deadline_ends_a_source_that_hangs() -> None:
    class Hanging(OnePage):
        async def scan(self, question: Question, fetch: Fetch) -> Scan:
            await hang()
            raise AssertionError

    guard = make(Upstream(), ResilienceConfig(timeout_s=0.02))
    with pytest.raises(DeadlineExceeded, match="within"):
        await guard.scan(Hanging(), question(), None)


async def test_what_is_billed_is_sent_once_with_all_the_time_there_is() -> None:
    upstream = Upstream(Unreachable("broken"), None)
    guard = make(upstream)

    class Billed(OnePage):
        async def scan(self, question: Question, fetch: Fetch) -> Scan:
            await fetch.get(Request(self.urls[0], billed=True))
            return Scan(())

    with pytest.raises(Unreachable):
        await guard.scan(Billed(), question(), 5.0)
    assert len(upstream.calls) == 1


async def test_one_hang_costs_its_share_of_the_time_and_the_next_attempt_answers() -> None:
    upstream, source = Upstream(hang, None), OnePage()
    guard = make(upstream, ResilienceConfig(timeout_s=0.15))
    assert (await guard.scan(source, question(), None)).state is ScanState.LOADED
    assert len(upstream.calls) == 2


async def test_an_upstream_that_hangs_to_the_end_counts_against_its_circuit_and_is_a_timeout() -> None:
    upstream, source = Upstream(hang), OnePage()
    guard = make(upstream, ResilienceConfig(timeout_s=0.3, failure_threshold=3))
    with pytest.raises(AttemptTimeout):
        await guard.scan(source, question(), None)
    assert len(upstream.calls) == 3
    assert guard.breakers.of("page", HOST).state is CircuitState.OPEN


async def test_the_other_hosts_answers_count_when_one_hangs_to_the_end() -> None:
    class TwoHosts(OnePage):
        async def scan(self, question: Question, fetch: Fetch) -> Scan:
            async def one(url: str) -> str:
                try:
                    await fetch.get(Request(url))
                except SourceError as error:
                    return type(error).__name__
                return "ok"

            async with asyncio.TaskGroup() as group:
                both = [group.create_task(one(f"https://{host}/")) for host in ("slow.example", "up.example")]
            return Scan((), note=" ".join(task.result() for task in both), partial=True)

    upstream = Upstream(hang, None, hang)
    guard = make(upstream, ResilienceConfig(timeout_s=0.3))
    assert (await guard.scan(TwoHosts(), question(), None)).scan.note == "AttemptTimeout ok"


async def test_a_retrys_sleep_holds_no_permit() -> None:
    upstream, source = Upstream(broken(), None), OnePage()
    guard = make(upstream, limit=HostLimit(concurrency=1), base_s=20.0)
    sleeping = asyncio.create_task(guard.scan(source, question("first"), None))
    await settle()
    assert len(upstream.calls) == 1
    async with asyncio.timeout(1):
        await guard.scan(source, question("second"), None)
    assert not sleeping.done()
    await guard.close()
    with pytest.raises(SourceError):
        await sleeping


async def test_an_open_circuit_is_neither_asked_nor_retried_and_who_opened_it_hears_what_happened() -> None:
    upstream, source = Upstream(broken()), OnePage()
    guard = make(upstream, ResilienceConfig(failure_threshold=2))
    with pytest.raises(UpstreamFailed):
        await guard.scan(source, question(), None)
    assert len(upstream.calls) == 2
    with pytest.raises(CircuitOpen) as refused:
        await guard.scan(source, question(), None)
    assert len(upstream.calls) == 2
    assert refused.value.retry_after_s == pytest.approx(60.0, abs=1.0)


async def test_an_open_circuit_takes_no_token_of_the_limit() -> None:
    clock = Clock()
    upstream, source = Upstream(broken(), None), OnePage()
    config = ResilienceConfig(failure_threshold=1, retry_attempts=1, cache_enabled=False)
    guard = make(upstream, config, clock=clock, limit=HostLimit(interval_s=40.0, burst=2))
    with pytest.raises(UpstreamFailed):
        await guard.scan(source, question(), None)
    for _ in range(5):
        with pytest.raises(CircuitOpen):
            await guard.scan(source, question(), None)
    clock.advance(60)
    await guard.scan(source, question(), None)
    assert clock.slept == []


async def test_circuits_are_per_host_and_a_source_keeps_its_other_hosts() -> None:
    upstream = Upstream(broken(), None)
    guard = make(upstream, ResilienceConfig(failure_threshold=1, retry_attempts=1))
    with pytest.raises(UpstreamFailed):
        await guard.scan(OnePage("https://bad.example/"), question(), None)
    await guard.scan(OnePage("https://good.example/"), question("other"), None)
    assert guard.breakers.states() == {
        ("page", "bad.example"): CircuitState.OPEN,
        ("page", "good.example"): CircuitState.CLOSED,
    }


async def test_closing_cancels_the_scan_and_counts_nothing_against_the_upstream() -> None:
    upstream, source = Upstream(hang), OnePage()
    guard = make(upstream, ResilienceConfig(failure_threshold=1))
    waiting = asyncio.create_task(guard.scan(source, question(), None))
    await settle()
    await guard.close()
    with pytest.raises(SourceError, match="stopping"):
        await waiting
    assert upstream.cancelled == 1
    assert guard.breakers.of("page", HOST).state is CircuitState.CLOSED


async def test_our_own_limit_refuses_at_once_is_not_retried_and_says_nothing_of_the_upstream() -> None:
    clock = Clock()
    upstream, source = Upstream(), OnePage()
    guard = make(upstream, clock=clock, limit=HostLimit(interval_s=60.0))
    await guard.scan(source, question("first"), None)
    with pytest.raises(OwnLimit) as refused:
        await guard.scan(source, question("second"), None)
    assert refused.value.retry_after_s == 60.0
    assert clock.slept == []
    assert len(upstream.calls) == 1


async def test_a_wait_for_a_turn_leaves_as_much_time_for_the_call() -> None:
    clock = Clock()
    upstream, source = Upstream(), OnePage()
    guard = make(upstream, ResilienceConfig(timeout_s=30.0), clock=clock, limit=HostLimit(interval_s=13.0))
    await guard.scan(source, question("first"), None)
    await guard.scan(source, question("second"), None)
    assert clock.slept == [13.0]
    guard = make(upstream, ResilienceConfig(timeout_s=28.0), clock=clock, limit=HostLimit(interval_s=13.0))
    await guard.scan(source, question("first"), None)
    with pytest.raises(OwnLimit):
        await guard.scan(source, question("second"), None)


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow down", status=429, retry_after_s=120.0),
        UpstreamFailed("slow down", status=503, retry_after_s=120.0),
        AccessDenied("slow down", status=403, retry_after_s=120.0),
    ],
)
async def test_an_error_that_says_how_long_to_wait_pauses_its_host_for_everyone(error: BadStatus) -> None:
    clock = Clock()
    upstream = Upstream(error, None)
    guard = make(upstream, clock=clock)
    with pytest.raises(type(error), match="slow down"):
        await guard.scan(OnePage(), question("first"), None)
    with pytest.raises(OwnLimit, match="asked us to wait"):
        await guard.scan(OnePage(), question("second"), None)
    assert len(upstream.calls) == 1


async def test_a_part_of_a_host_that_counts_apart_is_limited_and_paused_apart() -> None:
    clock, upstream = Clock(), Upstream(None, RateLimited("slow", status=429, retry_after_s=300.0), None)
    guard = ScanGuard(
        upstream,
        ResilienceConfig(retry_attempts=1),
        limits={HOST: HostLimit(interval_s=1.0, burst=9), f"{HOST}/search": HostLimit(interval_s=1.0, burst=9)},
        clock=clock,
        later=clock.later,
    )
    await guard.scan(OnePage(f"https://{HOST}/search/x"), question("a"), 9.0)
    with pytest.raises(RateLimited):
        await guard.scan(OnePage(f"https://{HOST}/search/y"), question("b"), 9.0)
    with pytest.raises(OwnLimit, match="asked us to wait"):
        await guard.scan(OnePage(f"https://{HOST}/search/z"), question("c"), 9.0)
    await guard.scan(OnePage(f"https://{HOST}/other"), question("d"), 9.0)
    assert len(upstream.calls) == 3


async def test_a_pause_that_an_answer_asks_for_holds_back_whoever_waits_for_the_place() -> None:
    """The place is not given on before the pause is known, or the next call would go out against it."""

    class Asking(OnePage):
        async def scan(self, question: Question, fetch: Fetch) -> Scan:
            await fetch.get(Request(self.urls[0], pause_s=lambda response: 100.0 if response.status == 200 else 0.0))
            return Scan(())

    clock, upstream = Clock(), Upstream()
    guard = make(upstream, clock=clock, limit=HostLimit(concurrency=1))
    both = await asyncio.gather(
        guard.scan(Asking(f"https://{HOST}/a"), question("a"), 9.0),
        guard.scan(Asking(f"https://{HOST}/b"), question("b"), 9.0),
        return_exceptions=True,
    )
    assert [type(each) for each in both] == [GuardedScan, OwnLimit]
    assert len(upstream.calls) == 1


async def test_a_source_can_pause_its_host() -> None:
    class Pausing(OnePage):
        async def scan(self, question: Question, fetch: Fetch) -> Scan:
            fetch.pause(f"https://{HOST}/any", 100.0)
            return await super().scan(question, fetch)

    upstream = Upstream()
    guard = make(upstream, clock=Clock())
    with pytest.raises(OwnLimit, match="again in 100 s"):
        await guard.scan(Pausing(), question(), None)
    assert upstream.calls == []


@pytest.mark.parametrize(("timeframe", "stale_for_s"), [(Timeframe.HOUR, 3600), (Timeframe.WEEK, 24 * 3600)])
async def test_an_old_answer_stands_in_within_a_day_or_the_timeframe(timeframe: Timeframe, stale_for_s: int) -> None:
    clock = Clock()
    upstream, source = Upstream(None, NotFound("gone", status=404)), OnePage()
    guard = make(upstream, clock=clock)
    await guard.scan(source, question(timeframe=timeframe), None)
    clock.advance(stale_for_s)
    stale = await guard.scan(source, question(timeframe=timeframe), None)
    assert stale.state is ScanState.STALE
    assert isinstance(stale.error, NotFound)
    assert stale.age_s == stale_for_s
    clock.advance(1)
    with pytest.raises(NotFound):
        await guard.scan(source, question(timeframe=timeframe), None)


async def test_a_sources_bug_is_logged_once_and_becomes_an_error_of_the_tree(
    lines_of: Callable[[ModuleType], Lines],
) -> None:
    class Buggy(OnePage):
        async def scan(self, question: Question, fetch: Fetch) -> Scan:
            await asyncio.sleep(0)
            raise KeyError("bug")

    lines = lines_of(guard_module)
    guard = make(Upstream())
    asked = [asyncio.create_task(guard.scan(Buggy(), question(), None)) for _ in range(10)]
    await asyncio.wait(asked)
    assert [(line["event"], line["exc_info"]) for line in lines] == [("source has a fault", True)]
    for task in asked:
        error = task.exception()
        assert type(error) is SourceError
        assert isinstance(error.__cause__, KeyError)


async def test_near_limits_share_an_answer_that_is_long_enough_for_each() -> None:
    source = OnePage()
    guard = make(Upstream())
    await guard.scan(source, question(limit=11), None)
    assert (await guard.scan(source, question(limit=25), None)).state is ScanState.HIT
    assert (await guard.scan(source, question(limit=26), None)).state is ScanState.LOADED
    assert [asked.limit for asked in source.questions] == [25, 50]


@given(st.permutations([("subreddit", "a+b"), ("sort", "new"), ("feed", "x")]))
def test_the_order_of_options_the_querys_case_and_the_moment_do_not_matter(items: list[tuple[str, str]]) -> None:
    one = question("Rust  Lang ", options=dict(items))
    other = question("rust lang", options={"feed": "x", "sort": "new", "subreddit": "a+b"}, now=NOW)
    assert question_key("reddit", one) == question_key("reddit", other)
    assert question_key("reddit", one) != question_key("news", other)
    assert question_key("reddit", question("  ")) == question_key("reddit", question(None))


async def test_each_attempts_start_and_end_are_debug_lines_without_the_query(
    lines_of: Callable[[ModuleType], Lines],
) -> None:
    upstream = Upstream(Unreachable("broken"), None)
    guard = make(upstream)
    lines = lines_of(guard_module)
    await guard.scan(OnePage(f"https://{HOST}/x?token=secret"), question(), None)
    assert [(line["event"], line["host"], line["attempt"], line.get("outcome")) for line in lines] == [
        ("fetch started", HOST, 1, None),
        ("fetch finished", HOST, 1, "Unreachable"),
        ("fetch started", HOST, 2, None),
        ("fetch finished", HOST, 2, "ok"),
    ]
    assert {line["log_level"] for line in lines} == {"debug"}
    assert "secret" not in repr(lines)


async def test_each_attempt_is_one_span_with_its_outcome_in_the_first_waiters_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    from agents import telemetry

    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_TRACER", provider.get_tracer("test"))
    guard = make(Upstream(Unreachable("broken"), None))
    with telemetry.span("asker"):
        await guard.scan(OnePage(f"https://{HOST}/x?token=secret"), question(), None)
    fetches = [span for span in exporter.get_finished_spans() if span.name == "fetch"]
    (asker,) = (span for span in exporter.get_finished_spans() if span.name == "asker")
    seen = [dict(span.attributes or {}) for span in fetches]
    assert [(s["source"], s["host"], s["attempt"], s["outcome"]) for s in seen] == [
        ("page", HOST, 1, "Unreachable"),
        ("page", HOST, 2, "ok"),
    ]
    assert all("duration_s" in attributes for attributes in seen)
    assert "secret" not in repr(seen)
    assert {span.context.trace_id for span in fetches if span.context} == {asker.context and asker.context.trace_id}
