"""What people call one story is called one story, nineteen times of twenty."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ranking.reading import words
from agents.ranking.similarity import MEASURES, Title, contradict, log_odds, measures, same

TITLES = [
    "Amazon to buy Whole Foods for 13.7 billion dollars in cash",
    "Amazon is buying Whole Foods in a $13.7 billion cash deal",
    "Whole Foods opens a new store in the centre of Chicago",
    "How the metaphors we use to describe discovery affect men and women",
]


def title(text: str) -> Title:
    return Title.of(words(text))


def test_two_ways_to_tell_a_story_are_one_and_other_stories_are_not() -> None:
    one, other, *different = map(title, TITLES)
    assert same(one, other)
    assert not any(same(mine, theirs) for mine, theirs in permutations([one, *different], 2))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Shares of Apple rise after its new report", "Shares of Apple fall after its new report"),
        ("Senate approves the bill on data protection", "Senate rejects the bill on data protection"),
        ("Google unveils new AI model today", "OpenAI unveils new AI model today"),
        ("Clinton wins the first debate on taxes", "Bush wins the first debate on taxes"),
        ("China opens the talks on trade today", "Russia opens the talks on trade today"),
        ("Three reports about the same thing today", "Two reports about the same thing today"),
        ("What is your favorite book of this year so far", "What is your favorite movie of this year so far"),
        ("Ask HN: Who is hiring in the month of May", "Ask HN: Who is hiring in the month of June"),
        ("Daily discussion thread for all traders on Monday", "Daily discussion thread for all traders on Tuesday"),
        ("Linux 6.11 is released with many new drivers", "Linux 6.12 is released with many new drivers"),
        ("The court says that it will hear the case", "The court says that it will not hear the case"),
    ],
)  # fmt: skip
def test_no_statistics_overrule_a_contradiction(one: str, other: str) -> None:
    assert contradict(title(one), title(other))
    assert not same(title(one), title(other))


def test_a_number_that_only_one_of_them_has_is_no_contradiction() -> None:
    assert not contradict(title("Quake of magnitude 6.1 hits Peru"), title("Quake hits Peru"))


_WORDS = ("rust", "new", "3", "5", "not", "rises", "fall", "falls", "may", "june", "the", "café", "猫")
_TITLES = st.lists(st.sampled_from(_WORDS), max_size=9)


@given(_TITLES, _TITLES)
def test_it_is_the_same_both_ways_and_always_a_number(one: list[str], other: list[str]) -> None:
    mine, theirs = Title.of(one), Title.of(other)
    assert measures(mine, theirs) == pytest.approx(measures(theirs, mine))
    assert len(measures(mine, theirs)) == len(MEASURES)
    assert log_odds(mine, theirs) == pytest.approx(log_odds(theirs, mine))
    assert same(mine, theirs) == same(theirs, mine)
    assert same(mine, mine)
