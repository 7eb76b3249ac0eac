"""Near the top, nobody takes everything."""

from collections.abc import Sequence
from datetime import timedelta

from agents.ranking.diversity import MOST_OF_ONE, first
from agents.ranking.rank import rank
from agents.signal import Signal
from tests.agents.ranking.signals import DAY, NOW, signal


def by(author: str, number: int, **fields: str) -> Signal:
    return signal(number, age=timedelta(minutes=number), **fields).model_copy(update={"author": author})  # type: ignore[arg-type]


def diverse(signals: Sequence[Signal], limit: int) -> tuple[Signal, ...]:
    """The best of signals given best first."""
    return tuple(signals[place] for place in first(signals, limit, lambda one: one))


def test_an_author_has_at_most_three_of_the_first_places() -> None:
    loud = [by("loud", number) for number in range(6)]
    others = [by(f"other{number}", number) for number in range(10, 13)]
    chosen = rank([*loud, *others], query=None, timeframe=DAY, now=NOW, limit=5).signals
    assert [one.author for one in chosen].count("loud") == MOST_OF_ONE
    assert len(chosen) == 5


def test_a_domain_has_at_most_three_of_the_first_places() -> None:
    site = [
        by(f"a{n}", n, url=f"https://site.example/{n}", discussion_url=f"https://talk.example/{n}") for n in range(5)
    ]
    others = [
        by(f"b{n}", n, url=f"https://other{n}.example/", discussion_url=f"https://talk.example/{n}")
        for n in range(10, 16)
    ]
    chosen = diverse([*site, *others], 6)
    assert sum("site.example" in one.url for one in chosen) == MOST_OF_ONE


def test_a_site_of_which_a_source_has_most_leaves_room_for_others_too() -> None:
    site = [signal(n, source="news", url=f"https://site.example/{n}", age=timedelta(minutes=n)) for n in range(20)]
    others = [
        signal(n, source="other", url=f"https://o{n}.example/", age=timedelta(minutes=n)) for n in range(100, 110)
    ]
    chosen = rank([*site, *others], query=None, timeframe=DAY, now=NOW, limit=10).signals
    assert [one.source for one in chosen] == ["news"] * MOST_OF_ONE + ["other"] * 7


def test_a_site_that_has_its_own_comments_is_a_domain() -> None:
    site = [
        signal(n, url=f"https://blog.example/{n}", discussion_url=f"https://blog.example/{n}/comments")
        for n in range(6)
    ]
    others = [signal(n, url=f"https://o{n}.example/") for n in range(10, 16)]
    assert sum("blog.example" in one.url for one in diverse([*site, *others], 8)) == MOST_OF_ONE


def test_where_people_talk_is_no_domain() -> None:
    signals = [by(f"a{n}", n, url=f"https://talk.example/{n}") for n in range(8)]
    assert diverse(signals, 5) == tuple(signals[:5])
    linked = by("b", 20, url="https://page.example/", discussion_url="https://talk.example/20")
    mixed = [*signals, linked, *(by(f"c{n}", n, url=f"https://c{n}.example/") for n in range(30, 40))]
    assert diverse(mixed, 5) == tuple(signals[:5])


def test_an_author_counts_where_all_stories_are_on_one_site() -> None:
    loud = [by("loud", n, url=f"https://tube.example/{n}") for n in range(8)]
    others = [by(f"other{n}", n, url=f"https://tube.example/{n}") for n in range(10, 13)]
    chosen = diverse([*loud, *others], 6)
    assert [one.author for one in chosen].count("loud") == MOST_OF_ONE


def test_places_that_others_do_not_fill_go_to_the_best() -> None:
    signals = [by("loud", number) for number in range(6)]
    assert diverse(signals, 5) == tuple(signals[:5])


def test_authors_of_different_sources_are_different_people() -> None:
    signals = [by("same", number, source=source) for number, source in enumerate(["a", "b"] * 3)]
    assert diverse([*signals, by("x", 9)], 6) == tuple(signals)
