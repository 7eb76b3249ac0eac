"""An answer says what is new in it and what moved, against an answer that is old enough to differ."""

from datetime import timedelta

from agents.ranking.trend import FORGOTTEN_AFTER, LEAST_AGE, REMEMBERED_QUESTIONS, Trends
from agents.signal import Signal, Trend
from tests.agents.ranking.signals import NOW, signal


def numbered(*numbers: int) -> list[Signal]:
    return [signal(number) for number in numbers]


def marks(signals: tuple[Signal, ...]) -> dict[int, Trend]:
    return {int(one.id.rpartition(":")[2]): one.trend for one in signals if one.trend is not None}


def test_the_first_answer_has_nothing_to_be_compared_with() -> None:
    assert marks(Trends().mark("q", numbered(1, 2), NOW)) == {}


def test_what_is_new_and_what_moved_is_marked() -> None:
    trends = Trends()
    trends.mark("q", numbered(1, 2, 3, 4, 5), NOW)
    later = trends.mark("q", numbered(4, 9, 2, 3, 1), NOW + LEAST_AGE)
    assert marks(later) == {4: Trend.RISING, 9: Trend.NEW, 1: Trend.FADING}


def test_an_answer_of_a_moment_ago_is_not_compared_with() -> None:
    trends = Trends()
    trends.mark("q", numbered(1), NOW)
    assert marks(trends.mark("q", numbered(2), NOW + LEAST_AGE / 2)) == {}
    assert marks(trends.mark("q", numbered(1, 2), NOW + LEAST_AGE)) == {2: Trend.NEW}


def test_who_asks_often_still_sees_what_moved_in_ten_minutes() -> None:
    trends = Trends()
    trends.mark("q", numbered(1), NOW)
    trends.mark("q", numbered(1, 2), NOW + LEAST_AGE)
    for minute in range(1, 10):
        now = NOW + LEAST_AGE + timedelta(minutes=minute)
        assert marks(trends.mark("q", numbered(1, 2), now)) == {2: Trend.NEW}
    assert marks(trends.mark("q", numbered(1, 2), NOW + 2 * LEAST_AGE)) == {}


def test_questions_are_apart_and_old_answers_are_forgotten() -> None:
    trends = Trends()
    trends.mark("q", numbered(1), NOW)
    assert marks(trends.mark("other", numbered(2), NOW + LEAST_AGE)) == {}
    assert marks(trends.mark("q", numbered(2), NOW + FORGOTTEN_AFTER)) == {}


def test_only_so_many_questions_are_remembered() -> None:
    trends = Trends()
    for number in range(REMEMBERED_QUESTIONS + 1):
        trends.mark(number, numbered(1), NOW)
    assert marks(trends.mark(0, numbered(2), NOW + LEAST_AGE)) == {}
    assert marks(trends.mark(REMEMBERED_QUESTIONS, numbered(2), NOW + LEAST_AGE)) == {2: Trend.NEW}
