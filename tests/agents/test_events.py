"""Events: JSON round trip, what is ignored, what is refused, and the trace in which they were made."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from agents import telemetry
from agents.events import (
    TOPICS,
    Event,
    Filters,
    Requester,
    SignalsDiscovered,
    SignalsProgress,
    SignalsRequested,
    SignalsResponse,
    SourceReport,
    SourceRequest,
    SourceStatus,
    WorkflowFinished,
    WorkflowStarted,
    new_id,
)
from agents.signal import AlsoIn, Engagement, LeftOut, Reason, ScoreParts, Signal, Timeframe, Trend

TEXT = st.text(max_size=12)
COUNT = st.integers(min_value=0, max_value=2**63)
UNIT = st.floats(0, 1)
SECONDS = st.floats(0, 1e9)
MOMENT = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - the zone is drawn
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001
    timezones=st.timezones() | st.just(UTC),
)


def built(model: type[BaseModel], **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any value of a model: its optional fields are there or not, required ones always."""
    assert known.keys() <= model.model_fields.keys()
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    return st.fixed_dictionaries(
        {name: known[name] for name in required},
        optional={name: strategy for name, strategy in known.items() if name not in required},
    ).map(lambda content: model(**content))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def several(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(strategy, max_size=3).map(tuple)


ENVELOPE = {"event_id": TEXT, "occurred_at": MOMENT, "schema_version": st.integers(1, 9), "traceparent": maybe(TEXT)}
REQUESTER = built(Requester, kind=TEXT, tenant=maybe(TEXT), reply_to=maybe(TEXT))
SOURCES = several(built(SourceRequest, name=TEXT, options=st.dictionaries(TEXT, TEXT, max_size=3)))
PARTS = built(
    ScoreParts,
    engagement=maybe(UNIT),
    recency=maybe(UNIT),
    relevance=maybe(UNIT),
    raised=st.booleans(),
    corroboration=maybe(UNIT),
    formula=COUNT,
)
LEFT_OUT = built(
    LeftOut,
    source=TEXT,
    title=TEXT,
    url=TEXT,
    reason=st.sampled_from(Reason),
    detail=TEXT,
    score=maybe(UNIT),
    parts=maybe(PARTS),
)
SIGNAL = built(
    Signal,
    id=TEXT,
    source=TEXT,
    title=TEXT,
    url=TEXT,
    discussion_url=maybe(TEXT),
    origin=maybe(TEXT),
    author=maybe(TEXT),
    excerpt=maybe(TEXT),
    timestamp=MOMENT,
    engagement=built(Engagement, points=maybe(COUNT), comments=maybe(COUNT), shares=maybe(COUNT), views=maybe(COUNT)),
    nsfw=st.booleans(),
    score=UNIT,
    parts=PARTS,
    trend=maybe(st.sampled_from(Trend)),
    also_in=several(built(AlsoIn, source=TEXT, origin=maybe(TEXT), url=TEXT, points=maybe(COUNT))),
)
REPORT = built(
    SourceReport,
    source=TEXT,
    status=st.sampled_from(SourceStatus),
    count=COUNT,
    duration_s=SECONDS,
    sentence=TEXT,
    fetched_at=maybe(MOMENT),
    retry_after_s=maybe(SECONDS),
)
EVENTS: dict[type[Event], st.SearchStrategy[Event]] = {
    SignalsRequested: built(
        SignalsRequested,
        **ENVELOPE,
        request_id=TEXT,
        requester=REQUESTER,
        sources=SOURCES,
        query=maybe(TEXT),
        timeframe=st.sampled_from(Timeframe),
        limit=st.integers(1, 1000),
        min_score=UNIT,
        filters=built(Filters, nsfw=st.booleans(), muted=several(TEXT)),
        max_age_s=maybe(SECONDS),
        deadline=maybe(MOMENT),
    ),
    SignalsProgress: built(
        SignalsProgress, **ENVELOPE, request_id=TEXT, requester=REQUESTER, report=REPORT, done=COUNT, total=COUNT
    ),
    SignalsDiscovered: built(
        SignalsDiscovered, **ENVELOPE, agent_id=TEXT, signals=several(SIGNAL), count=COUNT, timestamp=MOMENT
    ),
    SignalsResponse: built(
        SignalsResponse,
        **ENVELOPE,
        request_id=TEXT,
        requester=REQUESTER,
        signals=several(SIGNAL),
        provider=TEXT,
        reports=several(REPORT),
        query=maybe(TEXT),
        timeframe=st.sampled_from(Timeframe),
        found=COUNT,
        left_out=several(LEFT_OUT),
        error=maybe(TEXT),
    ),
    WorkflowStarted: built(
        WorkflowStarted,
        **ENVELOPE,
        workflow_id=st.text(min_size=1, max_size=12),
        auto_discovery=st.booleans(),
        digests=st.booleans(),
        sources=SOURCES,
        query=maybe(TEXT),
        guild_ids=several(TEXT),
        subscription_ids=several(TEXT),
    ),
    WorkflowFinished: built(
        WorkflowFinished, **ENVELOPE, workflow_id=TEXT, sent=COUNT, empty=COUNT, failed=COUNT, held=COUNT
    ),
}
ANY_EVENT = st.one_of(*EVENTS.values())
ME = Requester(kind="test")


def examples() -> list[Event]:
    report = SourceReport(source="news", status=SourceStatus.OK)
    return [
        SignalsRequested(requester=ME),
        SignalsProgress(request_id="1", requester=ME, report=report, done=1, total=1),
        SignalsDiscovered(agent_id="a", signals=(), count=0),
        SignalsResponse(request_id="1", requester=ME, provider="a"),
        WorkflowStarted(),
        WorkflowFinished(workflow_id="1"),
    ]


def test_every_topic_has_one_name_one_model_and_a_place_in_these_tests() -> None:
    assert [topic.name for topic in TOPICS] == [
        "signals:requested",
        "signals:progress",
        "signals:discovered",
        "signals:response",
        "workflow:started",
        "workflow:finished",
    ]
    assert {topic.model for topic in TOPICS} == set(EVENTS) == {type(event) for event in examples()}


def test_no_field_of_any_event_is_missing_from_these_tests() -> None:
    for model, strategy in EVENTS.items():
        seen = str(strategy)
        assert all(f"'{name}'" in seen for name in model.model_fields), model


@given(ANY_EVENT)
def test_every_event_survives_the_way_through_json(event: Event) -> None:
    assert type(event).model_validate_json(event.model_dump_json()) == event


@given(ANY_EVENT)
def test_times_are_always_utc(event: Event) -> None:
    assert event.occurred_at.tzinfo is UTC
    assert type(event).model_validate_json(event.model_dump_json()).occurred_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("event", examples(), ids=lambda event: type(event).__name__)
def test_fields_of_a_newer_version_are_ignored(event: Event) -> None:
    content = {**json.loads(event.model_dump_json()), "schema_version": 2, "mood": {"of": "the day"}}
    read = type(event).model_validate_json(json.dumps(content))
    assert read == event.model_copy(update={"schema_version": 2})
    assert not hasattr(read, "mood")


@pytest.mark.parametrize("event", examples(), ids=lambda event: type(event).__name__)
def test_fields_that_an_older_version_lacks_have_defaults(event: Event) -> None:
    required = {name for name, field in type(event).model_fields.items() if field.is_required()}
    content = {name: value for name, value in json.loads(event.model_dump_json()).items() if name in required}
    assert type(event).model_validate(content).schema_version == 1


@pytest.mark.parametrize("event", examples(), ids=lambda event: type(event).__name__)
def test_events_are_frozen(event: Event) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        event.event_id = "another"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        event.occurred_at = datetime.now(UTC)  # type: ignore[misc]


def test_times_without_a_zone_are_refused_and_others_are_turned_to_utc() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        SignalsRequested(requester=ME, deadline=datetime(2026, 8, 1, 12))  # noqa: DTZ001 - that is the mistake
    with pytest.raises(ValidationError, match="occurred_at"):
        WorkflowStarted.model_validate_json('{"occurred_at": "2026-08-01T12:00:00"}')
    east = timezone(timedelta(hours=2))
    turned = SignalsRequested(requester=ME, deadline=datetime(2026, 8, 1, 12, tzinfo=east)).deadline
    assert turned == datetime(2026, 8, 1, 10, tzinfo=UTC)
    assert turned is not None
    assert turned.tzinfo is UTC


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_moments_that_utc_cannot_hold_are_refused_like_any_other_wrong_value(text: str) -> None:
    with pytest.raises(ValidationError, match="outside the calendar"):
        WorkflowStarted.model_validate({"occurred_at": text})


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": 1001},
        {"query": "x" * 201},
        {"timeframe": "2h"},
        {"min_score": 1.5},
        {"min_score": float("nan")},
        {"max_age_s": -1},
        {"max_age_s": float("inf")},
    ],
)
def test_requests_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SignalsRequested.model_validate({"requester": {"kind": "test"}, **wrong})


def test_a_request_asks_reddit_for_a_day_unless_told_otherwise() -> None:
    request = SignalsRequested(requester=ME)
    assert [source.name for source in request.sources] == ["reddit"]
    assert (request.timeframe, request.limit, request.filters.nsfw) == (Timeframe.DAY, 10, False)


def test_a_workflow_is_for_digests_unless_told_otherwise() -> None:
    workflow = WorkflowStarted()
    assert (workflow.digests, workflow.auto_discovery, workflow.sources) == (True, False, ())


def test_ids_are_never_the_same() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000
    assert len({WorkflowStarted().event_id for _ in range(100)}) == 100
    assert all(len(new_id()) == 32 for _ in range(10))


def test_an_event_carries_the_trace_in_which_it_was_made() -> None:
    assert WorkflowStarted().traceparent is None
    with telemetry.span("outer"):
        event = WorkflowStarted()
        assert event.traceparent == telemetry.traceparent()
    assert event.traceparent is not None
    version, trace_id, span_id, flags = event.traceparent.split("-")
    assert (version, len(trace_id), len(span_id), len(flags)) == ("00", 32, 16, 2)
    assert int(trace_id, 16)


@pytest.mark.parametrize("status", SourceStatus)
def test_which_states_count_as_an_answer(status: SourceStatus) -> None:
    assert status.answered == (status.value in {"ok", "empty", "cached", "stale"})
