"""What a digest asks, and how far it looks back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.events import SourceRequest, WorkflowStarted
from bot.digest_question import NothingToAsk, Spot, Wanted, timeframe_for, wanted
from bot.guild_settings import DEFAULTS, GuildSettings
from bot.subscription import State, Subscription
from tests.bot.digest_scene import OPERATOR
from tests.bot.store.digest_store import GUILD, plan

NOW = datetime(2026, 8, 5, 8, tzinfo=UTC)
"""A Wednesday."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def subscription(**values: Any) -> Subscription:
    return Subscription("a" * 16, GUILD, plan(**values), 1, State.ACTIVE, NOW, None, 0, "")


def asked(
    settings: GuildSettings = DEFAULTS,
    *,
    event: WorkflowStarted | None = None,
    since: datetime | None = None,
    unavailable: tuple[str, ...] = (),
    spot: Spot = Spot(),  # noqa: B008 - frozen
    **values: Any,
) -> Wanted:
    return wanted(
        subscription(**values),
        event or WorkflowStarted(),
        settings,
        OPERATOR,
        spot,
        unavailable=unavailable,
        since=since,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("distance", "timeframe"),
    [
        (timedelta(minutes=15), "1h"),
        (timedelta(minutes=48), "1h"),
        (HOUR, "6h"),
        (4.8 * HOUR, "6h"),
        (5 * HOUR, "24h"),
        (DAY, "48h"),
        (1.6 * DAY, "48h"),
        (1.7 * DAY, "7d"),
        (7 * DAY, "30d"),
        (300 * DAY, "30d"),
    ],
)
def test_the_timeframe_covers_a_quarter_more_than_the_time_between_two_runs(
    distance: timedelta, timeframe: str
) -> None:
    assert timeframe_for(distance) == timeframe


def test_the_first_digest_looks_as_far_back_as_its_schedule_is_long() -> None:
    assert asked().question.timeframe == "48h"
    assert asked().since == NOW - DAY
    assert asked(schedule={"every": "hourly"}).question.timeframe == "6h"
    assert asked(schedule={"every": "cron", "cron": "*/15 * * * *"}).question.timeframe == "1h"
    assert asked(schedule={"days": (0,)}).question.timeframe == "30d"


def test_later_ones_look_back_to_the_run_before_but_never_less_than_usual() -> None:
    assert asked(since=NOW - 2 * DAY).question.timeframe == "7d"
    assert asked(since=NOW - 2 * DAY).since == NOW - 2 * DAY
    soon = asked(since=NOW - timedelta(minutes=5))
    assert (soon.question.timeframe, soon.since) == ("48h", NOW - timedelta(minutes=5)), (
        "what was left is still in it"
    )


def test_what_any_answer_serves_equally_has_one_key() -> None:
    key = asked().key
    assert asked(name="Other", channel_id=5, limit=3, min_score=0.5, chart=True, role_id=9).key == key
    assert asked(DEFAULTS.changed(limit=5, min_score=0.3, time_zone="Europe/Berlin")).key == key
    different = [
        asked(query="rust"),
        asked(sources=({"name": "news"},)),
        asked(sources=({"name": "reddit", "options": {"subreddit": "rust"}},)),
        asked(schedule={"every": "hourly"}),
        asked(DEFAULTS.changed(muted=("crypto",))),
        asked(DEFAULTS.changed(raised=("rust",))),
        asked(DEFAULTS.changed(cache_ttl_s=60)),
        asked(DEFAULTS.changed(nsfw=True), spot=Spot(age_restricted=True)),
        asked(DEFAULTS.changed(subreddits=("rust",))),
    ]
    assert len({key, *(one.key for one in different)}) == len(different) + 1
    assert asked(DEFAULTS.changed(nsfw=True)).key == key, "elsewhere it shows none"


def test_the_plan_s_least_score_goes_before_the_server_s() -> None:
    settings = DEFAULTS.changed(min_score=0.4)
    assert asked(settings).min_score == 0.4
    assert asked(settings, min_score=0.0).min_score == 0.0


def names(one: Wanted) -> list[str]:
    return [source.name for source in one.request.sources]


def test_without_sources_of_its_own_it_asks_all_that_are_on() -> None:
    assert names(asked()) == ["reddit", "hackernews", "news"]
    assert names(asked(unavailable=("news",))) == ["reddit", "hackernews"]
    assert names(asked(DEFAULTS.changed(sources=("news", "reddit")))) == ["reddit", "news"]


def test_what_is_named_is_asked_unless_the_server_has_it_off_and_what_cannot_be_says_why() -> None:
    both = ({"name": "news"}, {"name": "reddit"})
    assert names(asked(DEFAULTS.changed(sources=("reddit",)), sources=both)) == ["reddit"]
    assert names(asked(unavailable=("news",), sources=both)) == ["news", "reddit"]
    event = WorkflowStarted(sources=(SourceRequest(name="gazette"), SourceRequest(name="hackernews")))
    assert names(asked(event=event, sources=both)) == ["gazette", "hackernews"]


def test_with_nothing_left_to_ask_it_says_so() -> None:
    with pytest.raises(NothingToAsk) as off:
        asked(DEFAULTS.changed(sources=("reddit",)), sources=({"name": "news"},))
    assert off.value.names == ("news",)
    with pytest.raises(NothingToAsk) as nothing:
        asked(unavailable=("reddit", "hackernews", "news"))
    assert nothing.value.names == ()
