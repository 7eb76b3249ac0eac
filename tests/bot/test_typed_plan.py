"""What people type about a digest is understood as they mean it, or refused with what to type instead."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import InvalidOption, NotConfigured, ScoutError
from agents.events import SourceRequest
from agents.source import Option, SourceSpec
from bot.subscription import Every, Plan, QuietHours, Schedule
from bot.typed_plan import EVERY, TypedPlan, apply, sources, time_of_day, weekdays, written

SPECS = {
    spec.name: spec
    for spec in (
        SourceSpec(
            name="reddit",
            title="Reddit",
            help="Posts",
            options=(
                Option(name="subreddit", help="Where", parse=str.lower),
                Option(name="sort", help="Which", parse=str.lower),
            ),
        ),
        SourceSpec(name="hackernews", title="Hacker News", help="Stories"),
        SourceSpec(name="news", title="News", help="Feeds", options=(Option(name="feed", help="f", parse=str),)),
        SourceSpec(name="twitter", title="X", help="Posts"),
    )
}
OFF = {"twitter": "X is off. Set X_BEARER_TOKEN."}
EMPTY = Plan(name="News", channel_id=1, schedule=Schedule(timezone="Europe/Berlin"))


def plan(before: Plan = EMPTY, **typed: Any) -> Plan:
    return apply(TypedPlan(**typed), before, SPECS, OFF)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("8", "08:00"), ("08:30", "08:30"), ("8.30", "08:30"), ("8h30", "08:30"), ("17:05", "17:05"), ("0", "00:00"),
        ("8am", "08:00"), ("8:15 pm", "20:15"), ("12am", "00:00"), ("12pm", "12:00"), (" 9 ", "09:00"),
    ],
)  # fmt: skip
def test_times_of_day(typed: str, meant: str) -> None:
    assert time_of_day(typed) == meant


@pytest.mark.parametrize("typed", ["24", "8:60", "13pm", "0am", "noon", "", "8:3", "٨", "-1", "8:30:00"])
def test_what_is_no_time_of_day_is_told_with_an_example(typed: str) -> None:
    with pytest.raises(InvalidOption, match="08:30"):
        time_of_day(typed)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mon", (0,)), ("Monday", (0,)), ("mondays", (0,)), ("mon, wed,FRI", (0, 2, 4)), ("mon-fri", (0, 1, 2, 3, 4)),
        ("fri-mon", (0, 4, 5, 6)), ("weekdays", (0, 1, 2, 3, 4)), ("weekend, mon", (0, 5, 6)), ("all", ()),
        ("mon-sun", ()), ("tue, tue", (1,)), ("tues, thurs", (1, 3)), ("sat-sun", (5, 6)),
    ],
)  # fmt: skip
def test_weekdays(typed: str, meant: tuple[int, ...]) -> None:
    assert weekdays(typed) == meant


@pytest.mark.parametrize("typed", ["m", "someday", "mon-", "-mon", "1", "mon;tue"])
def test_what_is_no_weekday_is_told_with_an_example(typed: str) -> None:
    with pytest.raises(InvalidOption, match="mon, wed, fri"):
        weekdays(typed)


@pytest.mark.parametrize(
    ("every", "at", "schedule"),
    [
        ("hour", None, {"every": Every.HOUR}),
        ("hourly", "0:20", {"every": Every.HOUR, "at": "00:20"}),
        ("1 hour", None, {"every": Every.HOUR}),
        ("every day", "7", {"every": Every.DAY, "at": "07:00"}),
        ("weekday", None, {"days": (0, 1, 2, 3, 4)}),
        ("Sunday", "18:00", {"days": (6,), "at": "18:00"}),
        ("30 minutes", None, {"every": Every.CRON, "cron": "*/30 * * * *"}),
        ("15m", None, {"every": Every.CRON, "cron": "*/15 * * * *"}),
        ("6 hours", "0:20", {"every": Every.CRON, "cron": "20 */6 * * *", "at": "00:20"}),
    ],
)
def test_how_often(every: str, at: str | None, schedule: dict[str, Any]) -> None:
    assert plan(every=every, at=at).schedule == Schedule(timezone="Europe/Berlin", **schedule)


@pytest.mark.parametrize("every", list(EVERY))
def test_whatever_is_suggested_for_every_is_taken(every: str) -> None:
    assert plan(every=every)


@pytest.mark.parametrize("every", ["5 minutes", "7 hours", "fortnight", "0 hours", "2"])
def test_other_rhythms_are_refused_with_what_there_is(every: str) -> None:
    with pytest.raises(InvalidOption, match="every takes"):
        plan(every=every)


def test_cron_stands_alone_and_is_checked() -> None:
    made = plan(cron="30 8 * * mon-fri")
    assert (made.schedule.every, made.schedule.cron) == (Every.CRON, "30 8 * * MON-FRI")
    with pytest.raises(InvalidOption, match="leave every, at and days out"):
        plan(cron="0 * * * *", at="8")
    with pytest.raises(InvalidOption, match="15 minutes"):
        plan(cron="*/5 * * * *")
    with pytest.raises(InvalidOption, match="five fields"):
        plan(cron="hourly")


def test_days_go_with_a_time_of_day_only() -> None:
    assert plan(days="mon,tue", at="9").schedule.days == (0, 1)
    with pytest.raises(InvalidOption, match="use cron"):
        plan(every="hour", days="mon")


def test_one_part_of_a_schedule_is_changed_and_the_rest_stays() -> None:
    before = plan(every="weekday", at="7", quiet="22:00-06:00")
    assert plan(before, at="8").schedule == before.schedule.model_copy(update={"at": "08:00"})
    assert plan(before, timezone="asia/tokyo").schedule.timezone == "Asia/Tokyo"
    assert plan(before, timezone="Asia/Tokyo").schedule.days == before.schedule.days
    assert plan(before, every="hour").schedule.days == ()
    assert plan(before, days="all").schedule.days == ()
    by_cron = plan(before, cron="0 9 * * *")
    assert plan(by_cron, timezone="UTC").schedule.cron == "0 9 * * *"
    assert plan(by_cron, at="10").schedule == Schedule(
        at="10:00", timezone="Europe/Berlin", quiet=before.schedule.quiet
    )


@pytest.mark.parametrize("typed", ["22:00-07:00", "22-7", "10pm to 7am", "22:00 – 7:00"])
def test_quiet_hours(typed: str) -> None:
    assert plan(quiet=typed).schedule.quiet == QuietHours(since="22:00", until="07:00")
    assert plan(plan(quiet=typed), quiet="none").schedule.quiet is None


@pytest.mark.parametrize("typed", ["22:00", "night", "22:00-25:00", "8-8"])
def test_quiet_hours_that_are_none_are_refused(typed: str) -> None:
    with pytest.raises(InvalidOption):
        plan(quiet=typed)


def test_a_time_zone_that_is_none_is_told_with_an_example() -> None:
    with pytest.raises(InvalidOption, match="Europe/Berlin"):
        plan(timezone="Europe")


def test_sources_with_and_without_options() -> None:
    asked = sources("Reddit subreddit=Python+rust sort=top, hacker news", SPECS, {})
    assert asked == (
        SourceRequest(name="reddit", options={"subreddit": "python+rust", "sort": "top"}),
        SourceRequest(name="hackernews"),
    )
    assert sources(written(asked), SPECS, {}) == asked
    assert sources("all", SPECS, {}) == ()
    spaced = sources("news feed=https://a.example/f?x=1 https://b.example/g", SPECS, {})
    assert spaced[0].options == {"feed": "https://a.example/f?x=1 https://b.example/g"}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("redit", "reddit, hackernews, news"),
        ("reddit sub=x", "Its options: subreddit, sort"),
        ("twitter", "X is off"),
    ],
)
def test_sources_that_cannot_be_asked_are_refused(typed: str, told: str) -> None:
    with pytest.raises((InvalidOption, NotConfigured)) as raised:
        plan(sources=typed)
    assert told in raised.value.sentence


def test_what_can_be_without_a_value_is_cleared() -> None:
    before = plan(sources="reddit", query="rust", min_score=0.4, quiet="22-7", role_id=5, tag="9", days="mon")
    after = plan(before, clear="sources, query, min_score, quiet, role, tag, days")
    assert after == EMPTY
    with pytest.raises(InvalidOption, match="clear takes"):
        plan(before, clear="channel")


def test_nothing_typed_changes_nothing() -> None:
    before = plan(every="6 hours", at="0:10", quiet="22-7", sources="reddit subreddit=a", limit=3, chart=True)
    assert plan(before) == before


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"limit": 26}, "1 to 25"),
        ({"limit": "many"}, "1 to 25"),
        ({"min_score": 1.5}, "0 to 1"),
        ({"name": ""}, "1 to 60"),
        ({"query": "x" * 201}, "200"),
        ({"tag": "news"}, "tag"),
        ({"grouping": "colour"}, "grouping"),
    ],
)
def test_values_out_of_range_are_told_by_their_names(typed: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        plan(**typed)
    assert told in raised.value.sentence


@settings(deadline=None)
@given(st.sampled_from(["every", "at", "days", "timezone", "cron", "quiet", "sources", "tag", "clear", "name"]),
       st.text(max_size=60))  # fmt: skip
def test_whatever_is_typed_is_understood_or_refused_in_words(option: str, text: str) -> None:
    given_options: dict[str, Any] = {option: text}
    try:
        made = plan(**given_options)
    except ScoutError as error:
        made, told = None, error.sentence
    assert made or told
