"""What somebody does not want to see stays away, and nothing else does."""

import time

import pytest

from agents.events import Filters
from agents.ranking.filters import Phrases
from agents.ranking.rank import rank
from agents.signal import Reason, Signal
from tests.agents.ranking.signals import DAY, NOW, signal


def shown(signals: list[Signal], filters: Filters) -> list[str]:
    return [one.id for one in rank(signals, query=None, timeframe=DAY, now=NOW, filters=filters).signals]


@pytest.mark.parametrize(
    ("muted", "title"),
    [
        ("bitcoin", "Is BITCOIN back?"),
        ("straße", "Die STRASSE ist gesperrt"),
        ("elon  musk", "What Elon\tMusk said"),
        ("c++", "Modern C++ (again)"),
        ("#ad", "Great soap #ad"),
        (".*", "Regular: .* matches all"),
        ("cafe\u0301", "Best café in town"),
        ("猫", "黒猫が好き"),
        ("a", "b a"),
        ("owl", "snowl owl"),
        ("trump's", "Trump’s new plan"),
        ("two\u2011tier", "A two-tier market"),
    ],
)
def test_muted_words_and_phrases_are_left_out(muted: str, title: str) -> None:
    filters = Filters(muted=("unrelated", muted))
    ranked = rank([signal(title=title)], query=None, timeframe=DAY, now=NOW, filters=filters)
    assert ranked.signals == ()
    assert ranked.dropped.muted == 1
    assert [left.reason for left in ranked.left_out] == [Reason.MUTED]


@pytest.mark.parametrize(
    ("muted", "title"),
    [
        ("ai", "Rain in Spain"),
        ("coin", "Bitcoin"),
        ("नमस", "नमस्ते"),
        (".*", "anything"),
        ("", "anything"),
        (" ", "a b"),
    ],
)
def test_parts_of_words_are_not_muted(muted: str, title: str) -> None:
    assert shown([signal(title=title)], Filters(muted=(muted,))) == ["reddit:1"]


def test_excerpts_are_looked_at_apart_from_titles() -> None:
    assert shown([signal(title="x", excerpt="about crypto.")], Filters(muted=("crypto",))) == []
    assert shown([signal(title="who can borrow", excerpt="checker of")], Filters(muted=("borrow checker",))) != []


def test_what_is_not_safe_for_work_is_shown_only_where_wanted() -> None:
    signals = [signal(1, nsfw=True), signal(2)]
    assert shown(signals, Filters()) == ["reddit:2"]
    assert len(shown(signals, Filters(nsfw=True))) == 2


def test_no_phrase_can_make_it_slow() -> None:
    muted = (*("a" * length + "b" for length in range(50, 100)), "(a+)+$", "a" * 50)
    signals = [signal(number, title="a" * 300, excerpt="a" * 2_000) for number in range(100)]
    started = time.process_time()
    phrases = Phrases(muted)
    assert not any(phrases.stand_in(one) for one in signals)
    assert time.process_time() - started < 1.0
