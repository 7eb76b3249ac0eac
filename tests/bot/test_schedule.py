"""When schedules run: against a clock that is read minute by minute, in all zones, around changes of the clock."""

import zoneinfo
from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.guild_settings import time_zones
from bot.schedule import first_due, next_run, quiet_until
from bot.subscription import Every, QuietHours, Schedule

MINUTE, QUARTER, HOUR, DAY = (timedelta(minutes=minutes) for minutes in (1, 15, 60, 1440))
REACH = timedelta(days=2)
"""How far around a change of the clock the minutes are read."""
SOME = settings(max_examples=25, deadline=None)
"""Each reads thousands of minutes."""
SAMOA = ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC))
LORD_HOWE = ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC))
LORD_HOWE_SPRING = ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC))
NUUK = ("America/Nuuk", datetime(2026, 3, 29, 1, tzinfo=UTC))
BEIRUT = ("Asia/Beirut", datetime(2026, 3, 28, 22, tzinfo=UTC))
HAVANA = ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC))
RAMADAN = ("Africa/Casablanca", datetime(2026, 2, 15, 2, tzinfo=UTC))
TROLL = ("Antarctica/Troll", datetime(2026, 3, 29, 1, tzinfo=UTC))
BERLIN = ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC))
BERLIN_AUTUMN = ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC))
Change = tuple[str, datetime]


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def changes_of(name: str, year: int) -> list[datetime]:
    """When the clock of a zone is changed in a year, to the minute."""
    zone, found = ZoneInfo(name), []
    days = [datetime(year, 1, 1, tzinfo=UTC) + DAY * number for number in range(366)]
    for today, tomorrow in pairwise(days):
        if (offset := today.astimezone(zone).utcoffset()) != tomorrow.astimezone(zone).utcoffset():
            minutes = range(DAY // MINUTE + 1)
            changed = bisect_left(
                minutes, True, key=lambda n: (today + MINUTE * n).astimezone(zone).utcoffset() != offset
            )
            found.append(today + MINUTE * changed)
    return found


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Any zone and one of its changes, since offsets are whole minutes; any moment in years that have none."""
    name = draw(st.sampled_from(sorted(time_zones().values())))
    year = draw(st.integers(1973, 2045))
    found = changes_of(name, year)
    return name, draw(st.sampled_from(found)) if found else datetime(year, 6, 1, tzinfo=UTC)


clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
near_midnight = st.sampled_from(
    ("00:00", "00:01", "00:30", "01:00", "01:30", "02:00", "02:30", "23:00", "23:30", "23:59")
)
times_of_day = st.one_of(near_midnight, clocks)


class Clock:
    """A clock on a wall, read at every minute around one of its changes."""

    def __init__(self, change: Change) -> None:
        name, moment = change
        self.zone = ZoneInfo(name)
        self.start = moment - REACH
        self.minutes = [self.start + MINUTE * number for number in range(2 * REACH // MINUTE)]
        self.shows = [shown(minute, self.zone) for minute in self.minutes]
        self.latest: list[datetime] = []
        for one in self.shows:
            self.latest.append(max(one, self.latest[-1]) if self.latest else one)
        self.days = sorted({one.date() for one in self.shows})

    def reaches(self, wanted: datetime) -> datetime | None:
        """The first minute at which it shows that or something later; None: not in these days."""
        if not self.latest[0] < wanted <= self.latest[-1]:
            return None
        return self.minutes[bisect_left(self.latest, wanted)]

    def within(self, runs: Iterable[datetime]) -> list[datetime]:
        """Those that are neither close to the beginning of what was read nor to its end."""
        return [run for run in runs if self.minutes[0] + DAY < run < self.minutes[-1] - DAY]


def runs(schedule: Schedule, clock: Clock) -> list[datetime]:
    """One after the other, as the scheduler asks for them."""
    found, moment = [], clock.start + DAY
    while (moment := next_run(schedule, moment)) < clock.minutes[-1] - DAY:
        found.append(moment)
    return found


def daily(clock: Clock, at: str) -> list[datetime]:
    """One for each day that the clock shows."""
    hour, minute = map(int, at.split(":"))
    wanted = (datetime(day.year, day.month, day.day, hour, minute) for day in clock.days)  # noqa: DTZ001
    return [run for one in wanted if (run := clock.reaches(one))]


@SOME
@given(changes(), times_of_day)
@example(SAMOA, "08:00")
@example(SAMOA, "00:00")
@example(LORD_HOWE, "01:45")
@example(LORD_HOWE_SPRING, "02:15")
@example(NUUK, "23:30")
@example(BEIRUT, "00:30")
@example(HAVANA, "00:30")
@example(RAMADAN, "02:30")
@example(TROLL, "02:30")
@example(BERLIN, "02:30")
@example(BERLIN_AUTUMN, "02:30")
def test_a_daily_run_comes_exactly_once_for_each_local_day(change: Change, at: str) -> None:
    clock = Clock(change)
    assert runs(Schedule(at=at, timezone=change[0]), clock) == clock.within(daily(clock, at))


@SOME
@given(changes(), times_of_day, st.sets(st.integers(0, 6), min_size=1))
def test_on_chosen_weekdays_other_days_have_none(change: Change, at: str, days: set[int]) -> None:
    clock = Clock(change)
    expected = [
        run
        for day in clock.days
        if day.weekday() in days
        if (run := clock.reaches(datetime.fromisoformat(f"{day}T{at}")))
    ]
    assert runs(Schedule(at=at, days=tuple(sorted(days)), timezone=change[0]), clock) == clock.within(expected)


minutes_apart = st.sampled_from(((0,), (30,), (59,), (5, 50), (0, 15, 30, 45), (10, 40), (7, 22)))
hours = st.one_of(st.just(range(24)), st.sets(st.integers(0, 23), min_size=1, max_size=6))


@SOME
@given(changes(), minutes_apart, hours)
@example(SAMOA, (30,), {8})
@example(LORD_HOWE, (0, 15, 30, 45), range(24))
@example(LORD_HOWE_SPRING, (10, 40), {1, 2})
@example(NUUK, (5, 50), {22, 23})
@example(BERLIN, (10, 40), {1, 2, 3})
@example(BERLIN, (5, 50), {1, 2, 3})
@example(BERLIN_AUTUMN, (0, 15, 30, 45), range(24))
@example(TROLL, (0, 15, 30, 45), range(24))
def test_a_cron_expression_runs_once_for_each_time_that_it_names_and_never_too_often(
    change: Change, minutes: tuple[int, ...], hours: Iterable[int]
) -> None:
    if minutes == (5, 50) and len(set(hours)) == 24:
        return  # 23:50 and 00:05 are a quarter of an hour apart, and so are all others
    clock = Clock(change)
    wanted = [
        datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001
        for day, hour, minute in product(clock.days, sorted(hours), minutes)
    ]
    reached = {one: run for one in wanted if (run := clock.reaches(one))}
    usual = {run for one, run in reached.items() if shown(run, clock.zone) == one}
    skipped = {run for run in reached.values() if all(abs(run - other) >= QUARTER for other in usual)}
    expression = f"{','.join(map(str, minutes))} {','.join(map(str, sorted(hours)))} * * *"
    found = runs(Schedule(every=Every.CRON, cron=expression, timezone=change[0]), clock)
    assert found == clock.within(sorted(usual | skipped))
    assert all(later - earlier >= QUARTER for earlier, later in pairwise(found))


@SOME
@given(changes(), st.integers(0, 59))
@example(LORD_HOWE, 45)
@example(LORD_HOWE_SPRING, 15)
def test_an_hourly_run_comes_with_every_hour_that_passes(change: Change, minute: int) -> None:
    clock = Clock(change)
    found = runs(Schedule(every=Every.HOUR, at=f"05:{minute:02}", timezone=change[0]), clock)
    expected = [moment for moment in clock.minutes if shown(moment, clock.zone).minute == minute]
    assert found == clock.within(expected)
    offsets = {
        moment.astimezone(clock.zone).utcoffset() or timedelta() for moment in (clock.start, clock.minutes[-1])
    }
    whole_hours = (max(offsets) - min(offsets)) % HOUR == timedelta()
    assert {later - earlier for earlier, later in pairwise(found)} == {HOUR} or not whole_hours


quiet_hours = st.tuples(times_of_day, times_of_day).filter(lambda pair: pair[0] != pair[1])


@SOME
@given(
    changes(),
    st.one_of(
        st.builds(dict, every=st.just(Every.DAY), at=times_of_day),
        st.builds(dict, every=st.just(Every.HOUR), at=times_of_day),
        st.just({"every": Every.CRON, "cron": "*/20 * * * *"}),
    ),
    quiet_hours,
)
@example(BERLIN_AUTUMN, {"every": Every.HOUR, "at": "00:40"}, ("01:30", "05:00"))
@example(BERLIN_AUTUMN, {"every": Every.HOUR, "at": "00:10"}, ("22:00", "02:30"))
@example(BERLIN, {"every": Every.HOUR, "at": "00:10"}, ("22:00", "02:30"))
@example(SAMOA, {"every": Every.DAY, "at": "23:00"}, ("22:00", "07:00"))
def test_what_falls_into_quiet_hours_is_put_off_to_their_end_where_several_are_one(
    change: Change, when: dict[str, Any], quiet: tuple[str, str]
) -> None:
    clock = Clock(change)
    usual = Schedule(timezone=change[0], **when)
    schedule = usual.model_copy(update={"quiet": QuietHours(since=quiet[0], until=quiet[1])})
    is_quiet = [_within(f"{one:%H:%M}", *quiet) for one in clock.shows]
    loud_from = list(clock.minutes)
    for place in reversed(range(len(loud_from) - 1)):
        if is_quiet[place]:
            loud_from[place] = loud_from[place + 1]
    put_off = {loud_from[(run - clock.minutes[0]) // MINUTE] for run in _all_runs(usual, clock)}
    assert runs(schedule, clock) == clock.within(sorted(put_off))
    for place in range(0, len(clock.minutes) - 2 * 1440, 97):
        moment = clock.minutes[place]
        assert quiet_until(schedule, moment) == (loud_from[place] if is_quiet[place] else None)


def _within(clock: str, since: str, until: str) -> bool:
    return since <= clock < until if since < until else clock >= since or clock < until


def _all_runs(schedule: Schedule, clock: Clock) -> list[datetime]:
    found, moment = [], clock.start
    while (moment := next_run(schedule, moment)) < clock.minutes[-1]:
        found.append(moment)
    return found


@SOME
@given(changes(), times_of_day, st.timedeltas(-HOUR * 18, HOUR * 18))
@example(BERLIN_AUTUMN, "02:30", timedelta(minutes=45))
@example(BERLIN_AUTUMN, "02:30", timedelta(minutes=-30))
def test_from_any_moment_the_next_run_is_the_first_after_it(change: Change, at: str, shift: timedelta) -> None:
    clock = Clock(change)
    moment = change[1] + shift
    expected = min(run for run in daily(clock, at) if run > moment)
    assert next_run(Schedule(at=at, timezone=change[0]), moment) == expected
    # Midnight elsewhere is a moment like any other.
    assert first_due(Schedule(at=at, timezone=change[0]), moment.astimezone(ZoneInfo("Asia/Kolkata"))) == expected


@pytest.mark.parametrize("year", [2011, 2026])
def test_every_zone_has_one_daily_run_around_every_change_of_that_year(year: int) -> None:
    for name in sorted(zoneinfo.available_timezones() & set(time_zones().values())):
        zone = ZoneInfo(name)
        for change in changes_of(name, year):
            for at in ("00:00", "02:30", "23:30"):
                found = [change - 2 * DAY]
                while found[-1] < change + 2 * DAY:
                    found.append(next_run(Schedule(at=at, timezone=name), found[-1]))
                # Where 23:30 is skipped, midnight stands for it.
                days = [shown(run - MINUTE * (at == "23:30"), zone).date() for run in found[1:]]
                missing = {date(2011, 12, 30)} if name in {"Pacific/Apia", "Pacific/Fakaofo"} else set()
                every = {days[0] + DAY * number for number in range((days[-1] - days[0]).days + 1)}
                assert days == sorted(every - missing), (name, at)


@pytest.mark.parametrize(
    ("zone", "at", "after", "expected"),
    [
        ("Europe/Berlin", "02:30", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("Europe/Berlin", "02:30", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        ("Australia/Lord_Howe", "02:15", "2026-10-03T00:00Z", ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]),
        ("Australia/Lord_Howe", "01:45", "2026-04-04T00:00Z", ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]),
        ("Pacific/Apia", "08:00", "2011-12-29T00:00Z", ["2011-12-29T18:00Z", "2011-12-30T18:00Z"]),
        ("America/Nuuk", "23:30", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("Asia/Beirut", "00:00", "2026-03-28T12:00Z", ["2026-03-28T22:00Z", "2026-03-29T21:00Z"]),
        ("Africa/Casablanca", "02:30", "2026-02-14T12:00Z", ["2026-02-15T01:30Z", "2026-02-16T02:30Z"]),
        ("Africa/Casablanca", "02:30", "2026-03-21T12:00Z", ["2026-03-22T02:00Z", "2026-03-23T01:30Z"]),
    ],
)
def test_days_worth_knowing(zone: str, at: str, after: str, expected: list[str]) -> None:
    schedule, moment = Schedule(at=at, timezone=zone), datetime.fromisoformat(after)
    found = []
    for _ in expected:
        moment = next_run(schedule, moment)
        found.append(moment)
    assert found == [datetime.fromisoformat(one) for one in expected]


def test_after_an_outage_the_next_run_is_one_of_the_future() -> None:
    schedule = Schedule(every=Every.CRON, cron="*/15 * * * *")
    now = datetime(2026, 8, 1, 12, 7, 3, 250, tzinfo=UTC)
    assert next_run(schedule, now) == datetime(2026, 8, 1, 12, 15, tzinfo=UTC)


def test_cron_knows_weekdays_the_last_day_of_a_month_and_nth_weekdays() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    for expression, expected in (
        ("0 9 L * *", ["2026-02-28T09:00Z", "2026-03-31T09:00Z"]),
        ("0 9 * * mon#1", ["2026-02-02T09:00Z", "2026-03-02T09:00Z"]),
        ("30 17 * * 5", ["2026-02-06T17:30Z", "2026-02-13T17:30Z"]),
    ):
        schedule, found = Schedule(every=Every.CRON, cron=expression), [moment]
        for _ in expected:
            found.append(next_run(schedule, found[-1]))
        assert found[1:] == list(islice(map(datetime.fromisoformat, expected), 2))
