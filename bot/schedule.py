"""When a schedule runs: pure calendar, in UTC, exact across every change of a zone's clock.

Daily and cron runs stand at times of a local clock. One that the clock skips runs at the moment at which it skips;
one that it shows twice runs when it is first shown; a day that a zone leaves out has none. Hourly runs come with
every hour that passes. What falls into quiet hours is put off to their end, where several are one.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot import cron
from bot.subscription import Every, QuietHours, Schedule

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


def next_run(schedule: Schedule, after: datetime) -> datetime:
    """The first run after an aware moment, in UTC."""
    zone = ZoneInfo(schedule.timezone)
    since = after if schedule.quiet is None else _before_quiet(schedule.quiet, after, zone)
    return next(
        run
        for moment in _RUNS[schedule.every](schedule, since, zone)
        if (run := quiet_until(schedule, moment) or moment) > after
    )


first_due = next_run
"""When a schedule that is made or resumed at a moment runs first."""


def quiet_until(schedule: Schedule, moment: datetime) -> datetime | None:
    """When the quiet hours end that an aware moment falls into, in UTC; None: it falls into none."""
    quiet, zone = schedule.quiet, ZoneInfo(schedule.timezone)
    if quiet is None or not _is_quiet(quiet, _shown(moment, zone)):
        return None
    shown = _shown(moment, zone)
    end = _next_at(quiet.until, shown)
    ended = (moment + (end - shown)).astimezone(UTC)
    if _shown(ended, zone) == end:
        return ended
    # The clock changes in between.
    minute = _next_minute(moment)
    while _is_quiet(quiet, _shown(minute, zone)):
        minute += _MINUTE
    return minute


def _hourly(schedule: Schedule, since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    minute = time.fromisoformat(schedule.at).minute
    moment = _next_minute(since)
    while True:
        shown = _shown(moment, zone)
        ahead = _MINUTE * ((minute - shown.minute) % 60)
        if _shown(moment + ahead, zone) == shown + ahead:
            moment += ahead
            yield moment
        moment += _MINUTE  # where the clock changes in between, minute by minute


def _daily(schedule: Schedule, since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    at = time.fromisoformat(schedule.at)
    day = _shown(since, zone).date()
    while True:
        if (not schedule.days or day.weekday() in schedule.days) and _exists(day, zone):
            yield _first_shown(datetime.combine(day, at), zone)
        day += _DAY


def _cron(schedule: Schedule, since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    assert schedule.cron is not None
    for wanted in cron.times(schedule.cron, _shown(since, zone)):
        moment = _first_shown(wanted, zone)
        if _shown(moment, zone) == wanted or (
            _exists(wanted.date(), zone) and not _beside_another(schedule.cron, moment, zone)
        ):
            yield moment


_RUNS: dict[Every, Callable[[Schedule, datetime, ZoneInfo], Iterator[datetime]]] = {
    Every.HOUR: _hourly,
    Every.DAY: _daily,
    Every.CRON: _cron,
}
"""All runs after a moment in order (some before it, where the clock was put back), without quiet hours."""


def _beside_another(expression: str, change: datetime, zone: ZoneInfo) -> bool:
    """Whether a run at a change of the clock, which stands for a skipped one, would be too close to a usual one."""
    before, after = _shown(change - _SECOND, zone) + _SECOND, _shown(change, zone)
    return (
        before - cron.time_before(expression, before) < cron.LEAST_APART
        or next(cron.times(expression, after - _SECOND)) - after < cron.LEAST_APART
    )


def _shown(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in the zone shows then; naive."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _first_shown(wanted: datetime, zone: ZoneInfo) -> datetime:
    """The first moment, in UTC, at which a clock in the zone shows that or, where it skips it, something later."""
    moment = wanted.replace(tzinfo=zone).astimezone(UTC)
    if _shown(moment, zone) == wanted:
        return moment
    # Skipped: the change lies between what the offsets after and before it make of that time (PEP 495).
    before = wanted.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while moment - before > _SECOND:
        middle = before + (moment - before) // 2
        if _shown(middle, zone) < wanted:
            before = middle
        else:
            moment = middle
    return moment.replace(microsecond=0)


def _exists(day: date, zone: ZoneInfo) -> bool:
    """Whether the zone has that day at all: some have left one out when they crossed the date line."""
    return _shown(_first_shown(datetime.combine(day, time.min), zone), zone).date() == day


def _before_quiet(quiet: QuietHours, moment: datetime, zone: ZoneInfo) -> datetime:
    """The moment itself or, in quiet hours, one just before they began: a run put off may come after ``moment``."""
    shown = _shown(moment, zone)
    if not _is_quiet(quiet, shown):
        return moment
    began = datetime.combine(shown.date(), time.fromisoformat(quiet.since))
    return _first_shown(began if began <= shown else began - _DAY, zone) - _SECOND


def _is_quiet(quiet: QuietHours, shown: datetime) -> bool:
    since, until, clock = time.fromisoformat(quiet.since), time.fromisoformat(quiet.until), shown.time()
    return since <= clock < until if since < until else not until <= clock < since


def _next_at(clock: str, shown: datetime) -> datetime:
    today = datetime.combine(shown.date(), time.fromisoformat(clock))
    return today if today > shown else today + _DAY


def _next_minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
