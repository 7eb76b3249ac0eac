"""Cron expressions: what is refused says why, and what is taken never runs twice within a quarter of an hour."""

import re
from datetime import datetime, timedelta
from itertools import islice, pairwise, takewhile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bot import cron
from bot.subscription import Every, Schedule

NEW_YEAR = datetime(2000, 1, 1)  # noqa: DTZ001
EIGHT_YEARS_LATER = datetime(2008, 1, 1)  # noqa: DTZ001
CALENDAR_REPEATS = datetime(2028, 1, 2)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("30 8 * * *", "30 8 * * *"),
        ("  30  8 * *\tMON-Fri ", "30 8 * * MON-FRI"),
        ("*/15 * * * *", "*/15 * * * *"),
        ("0 9 L * *", "0 9 L * *"),
        ("0 9 * * mon#1", "0 9 * * MON#1"),
        ("5,55 0,23 1 * *", "5,55 0,23 1 * *"),
        ("0 0 29 2 *", "0 0 29 2 *"),
    ],
)
def test_what_is_taken_has_one_spelling(text: str, spelled: str) -> None:
    assert cron.checked(text) == spelled
    assert cron.checked(spelled) == spelled


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("* * * * *", "00:00 and again at 00:01: leave at least 15 minutes between two runs, as in */15 * * * *"),
        ("*/14 * * * *", "00:00 and again at 00:14"),
        ("0,50 6,8-9 * * *", "08:50 and again at 09:00"),
        ("0,46 23,0 * * *", "23:46 and again at 00:00"),
        ("5,55 0,23 28,1 2,3 *", "23:55 and again at 00:05"),
        ("@daily", "five fields: minute, hour, day of month, month and day of week, as in 30 8 * * mon-fri"),
        ("0 0 8 * * *", "five fields"),
        ("", "five fields"),
        ("61 8 * * *", "the minute of a cron expression is wrong"),
        ("0 24 * * *", "the hour of a cron expression is wrong"),
        ("0 8 32 * *", "the day of month of a cron expression is wrong"),
        ("0 8 31 2,4 *", "the day of month of a cron expression is wrong or never comes"),
        ("0 8 * 13 *", "the month of a cron expression is wrong"),
        ("0 8 * * monday", "the day of week of a cron expression is wrong"),
        ("0 8 */40 2 mon#5", "a date that never comes"),
    ],
)
def test_what_is_refused_says_how_to_mend_it(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        cron.checked(text)


def test_the_model_of_a_schedule_takes_checked_expressions_only() -> None:
    assert Schedule(every=Every.CRON, cron="0  8 * * MON").cron == "0 8 * * MON"
    with pytest.raises(ValidationError, match="leave at least 15 minutes"):
        Schedule(every=Every.CRON, cron="*/5 * * * *")
    with pytest.raises(ValidationError, match="at most 100 characters"):
        Schedule(every=Every.CRON, cron=f"{','.join(map(str, range(60)))} * * * *")


@settings(max_examples=25, deadline=None)
@given(
    st.sets(st.integers(0, 59), min_size=1, max_size=3),
    st.sampled_from(("0", "23", "0,23", "0,8,23", "22-23", "*/12")),
    st.sampled_from(("*", "1", "31,1", "28,1", "29,1", "L", "*/9", "1-2")),
    st.sampled_from(("*", "2,3", "12,1", "6")),
    st.sampled_from(("*", "6,0", "1", "mon#1", "0,1")),
)
@example({5, 55}, "0,23", "29,1", "2,3", "*")
@example({5, 55}, "0,23", "28,1", "2", "*")
@example({5, 55}, "0,23", "31,1", "12,1", "*")
@example({5, 55}, "0,23", "1", "6", "1")
@example({0, 1}, "0", "*/9", "6", "mon#1")
def test_it_is_refused_exactly_when_two_runs_come_within_a_quarter_of_an_hour(
    minutes: set[int], hours: str, days: str, months: str, weekdays: str
) -> None:
    expression = f"{','.join(map(str, sorted(minutes)))} {hours} {days} {months} {weekdays}"
    refusal = refused(expression)
    # Whoever refuses must have a case somewhere in the calendar; to find none, some years are enough to look at.
    end = CALENDAR_REPEATS if refusal else EIGHT_YEARS_LATER
    runs = takewhile(lambda run: run < end, cron.times(expression, NEW_YEAR - timedelta(minutes=1)))
    too_often = any(later - earlier < cron.LEAST_APART for earlier, later in pairwise(runs))
    assert ("leave at least 15 minutes" in refusal) == too_often == bool(refusal)


def refused(typed: str) -> str:
    """Why it is refused; empty: it is taken."""
    try:
        cron.checked(typed)
    except ValueError as error:
        return str(error)
    return ""


@given(
    st.text("0123456789*/,-#lwmonfrijan @x²\n", max_size=100),
    st.lists(st.sampled_from(("*", "*/7", "1", "L", "6#5", "0-6/2"))),
)
@example("0 0 1/2/3 * *", [])
@example("²L * * * *", [])
@example("0 0 * * 1L/2", [])
@example(f"{'9' * 90} * * * *", [])
def test_whatever_is_typed_is_taken_or_refused_with_a_sentence(text: str, fields: list[str]) -> None:
    for typed in (text, " ".join(fields), f"0 8 {' '.join(fields[:3])}"):
        if refusal := refused(typed):
            assert "cron expression" in refusal or "leave at least 15 minutes" in refusal
        else:
            expression = cron.checked(typed)
            first, second = islice(cron.times(expression, NEW_YEAR), 2)
            assert cron.time_before(expression, second) == first
