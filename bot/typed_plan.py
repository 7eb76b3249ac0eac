"""What people type about a digest, read: times of day, weekdays, rhythms, sources with options."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agents.errors import InvalidOption, NotConfigured
from agents.events import LONGEST_QUERY, SourceRequest
from agents.source import SourceSpec
from bot.subscription import Every, Plan, Schedule, changed

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORKDAYS, WEEKEND = (0, 1, 2, 3, 4), (5, 6)
CLEARABLE = ("sources", "query", "min_score", "quiet", "role", "tag", "days")
"""What ``/digest edit clear`` takes: options that can be without a value."""
_EVERY_HOURS = (2, 3, 4, 6, 8, 12)
_EVERY_MINUTES = (15, 30)
EVERY: Mapping[str, str] = {
    "hour": "hourly, at the minutes of `at`",
    "day": "daily, at the time of `at`",
    "weekday": "Monday to Friday",
    "weekend": "Saturday and Sunday",
    **{day.lower(): f"weekly, on {day}" for day in DAY_NAMES},
    **{f"{minutes} minutes": "round the clock" for minutes in _EVERY_MINUTES},
    **{f"{hours} hours": "from midnight on" for hours in _EVERY_HOURS},
}
"""What ``every`` takes, and what it means."""
DAYS: Mapping[str, tuple[int, ...]] = {"all": (), "mon-fri": WORKDAYS, "sat-sun": WEEKEND}
"""What ``days`` takes in one word; else days by name, comma separated, and ranges."""

_TIME = re.compile(r"([0-9]{1,2})(?:[:.h]([0-9]{2}))?\s*(am|pm)?", re.ASCII)
_QUIET = re.compile(r"(.+?)\s*(?:-|\u2013|to)\s*(.+)")
_OPTION = re.compile(r"\s+(?=[a-z_-]+=)")
_SPELLINGS = {"hourly": "hour", "daily": "day", "weekdays": "weekday", "workdays": "weekday", "weekends": "weekend"}
_LIMITS = {
    "name": "a name has 1 to 60 characters",
    "query": f"a query has at most {LONGEST_QUERY} characters",
    "sources": "a digest asks at most 10 sources",
    "limit": "limit is a whole number from 1 to 25",
    "min_score": "min_score is a number from 0 to 1, such as 0.4",
    "timezone": "timezone takes an IANA time zone such as Europe/Berlin or UTC",
}


@dataclass(frozen=True, slots=True)
class TypedPlan:
    """The options of ``/digest add`` and ``/digest edit``, as they arrived; None: not given."""

    name: str | None = None
    channel_id: int | None = None
    sources: str | None = None
    query: str | None = None
    every: str | None = None
    at: str | None = None
    days: str | None = None
    timezone: str | None = None
    cron: str | None = None
    quiet: str | None = None
    limit: int | None = None
    min_score: float | None = None
    role_id: int | None = None
    grouping: str | None = None
    chart: bool | None = None
    when_empty: bool | None = None
    tag: str | None = None
    clear: str | None = None


def apply(typed: TypedPlan, before: Plan, specs: Mapping[str, SourceSpec], unavailable: Mapping[str, str]) -> Plan:
    """The plan with what was typed. Raises ``InvalidOption`` or ``NotConfigured`` with a sentence for people.

    ``unavailable`` tells by source name why the operator has it off.
    """
    values: dict[str, Any] = _cleared(typed.clear)
    plain = ("name", "channel_id", "limit", "min_score", "role_id", "grouping", "chart", "when_empty")
    values |= {name: value for name in plain if (value := getattr(typed, name)) is not None}
    if typed.query is not None:
        values["query"] = " ".join(typed.query.split()) or None
    if typed.name is not None:
        values["name"] = " ".join(typed.name.split())
    if typed.sources is not None:
        values["sources"] = sources(typed.sources, specs, unavailable)
    if typed.tag is not None:
        values["tag_id"] = _tag_id(typed.tag)
    values["schedule"] = _schedule(typed, before.schedule, clear=typed.clear)
    try:
        return changed(before, values)
    except ValidationError as error:
        raise _told(error) from error


def _told(error: ValidationError) -> InvalidOption:
    detail = error.errors()[0]
    name = next((str(part) for part in reversed(detail["loc"]) if isinstance(part, str)), "digest")
    cause = detail.get("ctx", {}).get("error")
    sentence = (
        f"{name}: {cause}." if isinstance(cause, ValueError) else _LIMITS.get(name, f"{name} is not valid") + "."
    )
    return InvalidOption(name, sentence)


def _cleared(text: str | None) -> dict[str, Any]:
    """What is to be as if it had never been given."""
    names = _parts(text or "")
    for name in names:
        if name not in CLEARABLE:
            raise InvalidOption("clear", f"clear takes {', '.join(CLEARABLE)}, comma separated; not “{name[:40]}”.")
    fields = {"role": "role_id", "tag": "tag_id"}
    empty: dict[str, Any] = {"sources": ()}
    return {fields.get(name, name): empty.get(name) for name in names if name not in {"quiet", "days"}}


# -- schedules


def _schedule(typed: TypedPlan, before: Schedule, *, clear: str | None) -> dict[str, Any]:
    cleared = _parts(clear or "")
    values: dict[str, Any] = {"quiet": None if "quiet" in cleared else before.quiet, "timezone": before.timezone}
    if typed.timezone is not None:
        values["timezone"] = typed.timezone
    if typed.quiet is not None:
        values["quiet"] = quiet(typed.quiet)
    rhythm = _rhythm(typed, before)
    if "days" in cleared and rhythm["every"] is Every.DAY:
        rhythm["days"] = ()
    return values | rhythm


def _rhythm(typed: TypedPlan, before: Schedule) -> dict[str, Any]:
    """When it runs, apart from zone and quiet hours."""
    at = before.at if typed.at is None else time_of_day(typed.at)
    if typed.cron is not None:
        if typed.every or typed.at or typed.days:
            raise InvalidOption("cron", "cron says it all: leave every, at and days out, or leave cron out.")
        return {"every": Every.CRON, "cron": typed.cron, "at": before.at, "days": ()}
    if typed.every is not None:
        rhythm = every(typed.every, at)
    elif before.every is Every.CRON and (typed.at or typed.days):
        rhythm = every("day", at)
    else:
        rhythm = {"every": before.every, "cron": before.cron, "at": at, "days": before.days}
    if typed.days is None:
        return rhythm
    if rhythm["every"] is not Every.DAY:
        example = "such as 0 9-17 * * mon-fri"
        raise InvalidOption("days", f"days go with a daily digest; for hours on certain days use cron, {example}.")
    return rhythm | {"days": weekdays(typed.days)}


def every(text: str, at: str) -> dict[str, Any]:
    """The rhythm that ``every`` names, with the time ``at`` (``HH:MM``). Raises ``InvalidOption``."""
    word = " ".join(text.lower().removeprefix("every").split())
    word = _SPELLINGS.get(word, word)
    counted = re.fullmatch(r"([0-9]{1,2})\s*(m|min|minutes?|h|hours?)", word)
    if counted is not None:
        return _every_few(int(counted[1]), counted[2][0], at)
    rhythm: dict[str, Any] = {"every": Every.DAY, "cron": None, "at": at, "days": ()}
    if word == "hour":
        return rhythm | {"every": Every.HOUR}
    if word == "day":
        return rhythm
    named = {"weekday": WORKDAYS, "weekend": WEEKEND}.get(word)
    day = _day(word)
    if named is None and day is None:
        raise InvalidOption("every", f"every takes {', '.join(EVERY)}; not “{text[:40]}”. Anything else is for cron.")
    return rhythm | {"days": named if named is not None else (day,)}


def _every_few(count: int, unit: str, at: str) -> dict[str, Any]:
    rhythm: dict[str, Any] = {"every": Every.CRON, "at": at, "days": ()}
    if (count, unit) == (1, "h"):
        return rhythm | {"every": Every.HOUR, "cron": None}
    if unit == "m" and count in _EVERY_MINUTES:
        return rhythm | {"cron": f"*/{count} * * * *"}
    if unit == "h" and count in _EVERY_HOURS:
        return rhythm | {"cron": f"{int(at[3:])} */{count} * * *"}
    offered = f"{', '.join(map(str, _EVERY_MINUTES))} minutes or {', '.join(map(str, _EVERY_HOURS))} hours"
    raise InvalidOption("every", f"every takes {offered}, so that runs are evenly apart. Anything else is for cron.")


def time_of_day(text: str) -> str:
    """``HH:MM`` of ``8``, ``8:30``, ``08.30``, ``8:30 pm``. Raises ``InvalidOption``."""
    found = _TIME.fullmatch(text.strip().lower())
    hour, minute = (int(found[1]), int(found[2] or 0)) if found else (99, 99)
    if found and found[3]:
        hour = hour % 12 + (12 if found[3] == "pm" else 0) if 1 <= hour <= 12 else 99
    if not (hour <= 23 and minute <= 59):
        raise InvalidOption("at", f"at takes a time of day such as 08:30 or 17:00; not “{text[:40]}”.")
    return f"{hour:02}:{minute:02}"


def weekdays(text: str) -> tuple[int, ...]:
    """Monday 0 to Sunday 6, of ``mon, wed-fri`` or a word of ``DAYS``; empty: all. Raises ``InvalidOption``."""
    word = text.strip().lower()
    if word in DAYS:
        return DAYS[word]
    found: set[int] = set()
    for part in _parts(_SPELLINGS.get(word, word)):
        if part in {"weekday", "weekend"}:
            found.update(WORKDAYS if part == "weekday" else WEEKEND)
            continue
        first, dash, last = (one.strip() for one in part.partition("-"))
        begin, end = _day(first), _day(last if dash else first)
        if begin is None or end is None:
            raise InvalidOption(
                "days", f"days takes names such as mon, wed, fri or mon-fri, or all; not “{part[:40]}”."
            )
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return () if len(found) == 7 else tuple(sorted(found))


def _day(word: str) -> int | None:
    if not 2 <= len(word) <= 10:
        return None
    return next(
        (
            number
            for number, name in enumerate(DAY_NAMES)
            if name.lower().startswith(word.rstrip(".").removesuffix("s"))
        ),
        None,
    )


def quiet(text: str) -> dict[str, str] | None:
    """Quiet hours of ``22:00-07:00`` or ``10pm to 7am``; None for ``none``. Raises ``InvalidOption``."""
    if text.strip().lower() == "none":
        return None
    found = _QUIET.fullmatch(text.strip())
    wrong = InvalidOption("quiet", f"quiet takes two times such as 22:00-07:00, or none; not “{text[:40]}”.")
    if found is None:
        raise wrong
    try:
        return {"since": time_of_day(found[1]), "until": time_of_day(found[2])}
    except InvalidOption as error:
        raise wrong from error


# -- sources


def sources(text: str, specs: Mapping[str, SourceSpec], unavailable: Mapping[str, str]) -> tuple[SourceRequest, ...]:
    """Sources of ``reddit subreddit=python+rust, hackernews``; empty for ``all``.

    Raises ``InvalidOption``, or ``NotConfigured`` for one that the operator has off.
    """
    if text.strip().lower() in {"all", ""}:
        return ()
    asked: dict[str, SourceRequest] = {}
    for part in text.split(","):
        if part.strip():
            request = _source(part.strip(), specs)
            if request.name in unavailable:
                raise NotConfigured(unavailable[request.name])
            asked[request.name] = request
    return tuple(asked.values())


def _source(text: str, specs: Mapping[str, SourceSpec]) -> SourceRequest:
    name, *given = _OPTION.split(text)
    titles = {spec.title.casefold(): spec.name for spec in specs.values()}
    spec = specs.get(titles.get(name.strip().casefold(), name.strip().lower()))
    if spec is None:
        raise InvalidOption("sources", f"There is no source “{name[:40]}”. There are: {', '.join(specs)}, or all.")
    options = dict(one.split("=", 1) for one in given)
    return SourceRequest(name=spec.name, options=spec.parse_options(options))


def written(requests: Iterable[SourceRequest]) -> str:
    """Sources as somebody would type them: ``sources`` takes it back."""
    return ", ".join(
        " ".join((request.name, *(f"{name}={value}" for name, value in request.options.items())))
        for request in requests
    )


def _tag_id(text: str) -> int | None:
    if text.strip().lower() == "none":
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,18}", text.strip()):
        raise InvalidOption("tag", "Choose the tag from what is suggested once the channel is a forum.")
    return int(text)


def _parts(text: str) -> Sequence[str]:
    return [part for one in text.lower().split(",") if (part := one.strip())]
