"""Cron expressions: five fields, times of a clock without zone, never two closer than a quarter of an hour."""

import functools
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from cronsim import CronSim, CronSimError

LEAST_APART = timedelta(minutes=15)
"""Between two runs of one expression."""
_LEAST_APART_MIN = LEAST_APART // timedelta(minutes=1)
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - a clock without zone
_CALENDAR_DAYS = 28 * 365 + 7
"""After 28 years the calendar repeats itself, weekdays and leap days included."""
_FIELDS = "minute, hour, day of month, month and day of week, as in 30 8 * * mon-fri"


@functools.lru_cache(maxsize=1024)
def checked(text: str) -> str:
    """The expression in one spelling. Raises ``ValueError`` with a sentence that names the fix."""
    expression = " ".join(text.upper().split())
    if expression.count(" ") != 4:
        raise ValueError(f"a cron expression has five fields: {_FIELDS}")
    try:
        sim = CronSim(expression, _ANY_DAY)
    except CronSimError as error:
        field = str(error).removeprefix("Bad ").replace("-", " ")
        raise ValueError(
            f"the {field} of a cron expression is wrong or never comes: its fields are {_FIELDS}"
        ) from error
    if next(CronSim(expression, _ANY_DAY), None) is None:
        raise ValueError("this cron expression names a date that never comes: change its day or its month")
    _refuse_too_often(sim)
    return expression


def times(expression: str, after: datetime) -> Iterator[datetime]:
    """All times of a checked expression after a naive one, in order, without end; naive themselves."""
    return iter(CronSim(expression, after))


def time_before(expression: str, moment: datetime) -> datetime:
    """The last time of a checked expression before a naive one; naive itself."""
    return next(CronSim(expression, moment, reverse=True))


def _refuse_too_often(sim: CronSim) -> None:
    for earlier, later in _neighbours(sim):
        if later - earlier < _LEAST_APART_MIN:
            raise ValueError(
                f"this would run at {_clock(earlier)} and again at {_clock(later)}: leave at least "
                f"{_LEAST_APART_MIN} minutes between two runs, as in */15 * * * *"
            )


def _neighbours(sim: CronSim) -> Iterator[tuple[int, int]]:
    """Minutes of the day that follow each other, such that every distance between two runs is among theirs."""
    minutes, hours = sorted(sim.minutes), sorted(sim.hours)
    for earlier, later in pairwise(minutes):
        yield hours[0] * 60 + earlier, hours[0] * 60 + later
    for hour, following in pairwise(hours):
        yield hour * 60 + minutes[-1], following * 60 + minutes[0]
    last, first = hours[-1] * 60 + minutes[-1], (24 + hours[0]) * 60 + minutes[0]
    if first - last < _LEAST_APART_MIN and _runs_on_two_days_in_a_row(sim):
        yield last, first


def _runs_on_two_days_in_a_row(sim: CronSim) -> bool:
    before = False
    for number in range(_CALENDAR_DAYS + 1):
        day = _ANY_DAY.date() + timedelta(days=number)
        runs = day.month in sim.months and sim.match_day(day)
        if runs and before:
            return True
        before = runs
    return False


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"
