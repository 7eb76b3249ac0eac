"""What had no room is kept only where the next digest would not find it, and shown only where it still may be."""

from datetime import timedelta
from typing import Any

import pytest

from agents.events import Filters, Requester, SignalsRequested, SourceRequest
from agents.signal import Signal
from bot.left_over import MOST_KEPT, dump, load
from bot.subscription import Every, Schedule
from tests.bot import samples

NOON = samples.NOON
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAILY = Schedule(at="12:00")
REDDIT = SourceRequest(name="reddit", options={"subreddit": "python"})


def asked(**values: Any) -> SignalsRequested:
    known: dict[str, Any] = {
        "requester": Requester(kind="digest", tenant="1"),
        "sources": (REDDIT,),
        "deadline": NOON,
    }
    return SignalsRequested(**{**known, **values})


def old(number: int, age: timedelta, **values: Any) -> Signal:
    return samples.signal(number, **{"timestamp": NOON - age, "source": "reddit", "nsfw": False, **values})


@pytest.mark.parametrize(
    ("schedule", "found", "lost"),
    [
        (DAILY, 23 * HOUR, 25 * HOUR),
        (Schedule(every=Every.HOUR), 4 * HOUR + 59 * timedelta(minutes=1), 5 * HOUR + timedelta(minutes=1)),
        (Schedule(at="12:00", days=(samples.NOON.weekday(),)), 22 * DAY, 24 * DAY),
    ],
)
def test_what_the_next_digest_finds_again_by_itself_is_not_kept(
    schedule: Schedule, found: timedelta, lost: timedelta
) -> None:
    again, gone = old(1, found), old(2, lost)
    assert load(dump(asked(), (again, gone), schedule, NOON), asked(), NOON) == (gone,)
    assert dump(asked(), (again,), schedule, NOON) == ""
    assert dump(asked(), (), schedule, NOON) == ""


def test_the_best_of_them_are_kept() -> None:
    left = tuple(old(number, 2 * DAY) for number in range(MOST_KEPT + 5))
    assert load(dump(asked(), left, DAILY, NOON), asked(), NOON) == left[:MOST_KEPT]


def test_it_waits_for_the_same_question_to_the_same_source() -> None:
    left = (old(1, 2 * DAY), old(2, 2 * DAY, source="news"))
    stored = dump(asked(sources=(REDDIT, SourceRequest(name="news"))), left, DAILY, NOON)
    assert load(stored, asked(), NOON) == left[:1]
    assert load(stored, asked(query="rust"), NOON) == ()
    assert load(stored, asked(sources=(SourceRequest(name="reddit"),)), NOON) == ()


def test_it_is_not_shown_where_it_is_not_wanted_any_more() -> None:
    plain, muted, nsfw = old(1, 2 * DAY), old(2, 2 * DAY, title="Amber is back"), old(3, 2 * DAY, nsfw=True)
    stored = dump(asked(), (plain, muted, nsfw), DAILY, NOON)
    assert load(stored, asked(filters=Filters(muted=("amber",))), NOON) == (plain,)
    assert load(stored, asked(filters=Filters(nsfw=True)), NOON) == (plain, muted, nsfw)
    assert load(stored, asked(), NOON + 27 * DAY) == (plain, muted)
    assert load(stored, asked(), NOON + 29 * DAY) == ()


@pytest.mark.parametrize("stored", ["", "{}", "[1]", '{"sources": [], "query": null, "signals": [{"id": 1}]}'])
def test_what_another_version_wrote_costs_nothing_but_itself(stored: str) -> None:
    assert load(stored, asked(), NOON) == ()
