"""Scores are fair between sources, explain themselves, and never depend on the order of arrival."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.events import Filters
from agents.ranking.rank import rank
from agents.ranking.score import FORMULA_VERSION, HALF_LIVES_PER_TIMEFRAME, WEIGHTS, score
from agents.signal import Signal, Timeframe
from tests.agents.ranking.signals import DAY, LISTS, NOW, QUERIES, signal

ROOT = Path(__file__).parents[3]


def by_id(signals: list[Signal]) -> dict[str, Signal]:
    return {one.id: one for one in signals}


@given(LISTS, QUERIES, st.sampled_from(Timeframe))
def test_scores_and_parts_are_shares_and_nothing_is_lost(
    signals: list[Signal], query: str | None, timeframe: Timeframe
) -> None:
    scored = score(signals, query, timeframe, NOW)
    assert {one.id for one in scored} == {one.id for one in signals}
    for one in scored:
        # Construction does not validate copies; a round trip does.
        assert Signal.model_validate_json(one.model_dump_json()) == one
        assert one.parts.formula == FORMULA_VERSION


@given(st.data(), LISTS, QUERIES)
def test_the_order_does_not_depend_on_the_order_of_arrival(
    data: st.DataObject, signals: list[Signal], query: str | None
) -> None:
    shuffled = data.draw(st.permutations(signals))
    assert score(shuffled, query, DAY, NOW) == score(signals, query, DAY, NOW)


def test_votes_count_against_the_same_source_only() -> None:
    loud = [signal(n, source="reddit", points=n * 1000) for n in range(1, 4)]
    quiet = [signal(n, source="hackernews", points=n * 3) for n in range(1, 4)]
    scored = by_id(score([*loud, *quiet], None, DAY, NOW))
    for number in range(1, 4):
        assert scored[f"reddit:{number}"].score == scored[f"hackernews:{number}"].score


def test_nearly_equal_votes_are_equal() -> None:
    scored = score([signal(1, points=1000), signal(2, points=1003)], None, DAY, NOW)
    assert [one.parts.engagement for one in scored] == [0.5, 0.5]


def test_unknown_engagement_counts_as_typical_neither_as_zero_nor_as_nothing() -> None:
    unknown, least, most = (
        signal(1, source="news"),
        signal(2, points=0, comments=0),
        signal(3, points=50),
    )
    scored = by_id(score([unknown, least, most], None, DAY, NOW))
    assert scored["news:1"].parts.engagement is None
    recency = scored["news:1"].parts.recency
    assert recency is not None
    assert scored["news:1"].score == pytest.approx((0.40 * 0.5 + 0.35 * recency) / 0.75, abs=1e-4)
    assert scored["reddit:2"].score < scored["news:1"].score < scored["reddit:3"].score


@pytest.mark.parametrize("timeframe", Timeframe)
def test_recency_halves_four_times_within_every_timeframe(timeframe: Timeframe) -> None:
    ages = (timedelta(0), timeframe.delta / HALF_LIVES_PER_TIMEFRAME, timeframe.delta)
    scored = score([signal(n, age=age) for n, age in enumerate(ages)], None, timeframe, NOW)
    assert [one.parts.recency for one in scored] == pytest.approx([1.0, 0.5, 0.0625])


def test_the_future_counts_as_now() -> None:
    ahead, present = signal(2, age=timedelta(days=-3)), signal(1, age=timedelta(0))
    scored = score([ahead, present], None, DAY, NOW)
    assert [one.id for one in scored] == ["reddit:1", "reddit:2"]
    assert [one.parts.recency for one in scored] == [1.0, 1.0]


def test_a_query_prefers_titles_to_excerpts_and_rare_words_to_common_ones() -> None:
    signals = [
        signal(1, title="Rust and Python"),
        signal(2, title="Rust", excerpt="also about python"),
        signal(3, title="Python only"),
        signal(4, title="Rust only"),
        signal(5, title="Rust again"),
        signal(6, title="Rustic furniture"),
    ]
    relevance = {key: one.parts.relevance for key, one in by_id(score(signals, "rust PYTHON", DAY, NOW)).items()}
    order = sorted(relevance, key=lambda key: -(relevance[key] or 0))
    assert order[:3] == ["reddit:1", "reddit:2", "reddit:3"]
    assert relevance["reddit:1"] == 1.0
    assert relevance["reddit:6"] == 0.0


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("c++", "On C++ today"),
        ("don't", "Don’t panic"),
        ("猫", "黒猫が好き"),
        ("3.12", "Python 3.12"),
        ("über", "ÜBER"),
    ],
)
def test_a_query_finds_words_however_they_are_written(query: str, title: str) -> None:
    assert score([signal(title=title)], query, DAY, NOW)[0].parts.relevance == 1.0


@pytest.mark.parametrize("query", [None, "", "?!"])
def test_without_words_to_look_for_there_is_no_relevance(query: str | None) -> None:
    assert score([signal()], query, DAY, NOW)[0].parts.relevance is None


def test_the_example_in_the_documentation_is_true() -> None:
    text = (ROOT / "docs" / "ranking.md").read_text(encoding="utf-8")
    signals = [
        signal(1, title="Rust 2.0 released", age=timedelta(hours=6), points=400, comments=100),
        signal(2, title="A tour of Zig", excerpt="Unlike Rust.", age=timedelta(hours=2), points=40, comments=5),
        signal(3, title="Borrow checker explained", age=timedelta(hours=12), points=90, comments=30),
        signal(4, source="news", title="Rust Foundation report", age=timedelta(hours=3)),
    ]
    scored = score(signals, "rust", DAY, NOW)
    rows = [
        f"| {one.title} | {'unknown' if one.parts.engagement is None else f'{one.parts.engagement:.3f}'} "
        f"| {one.parts.recency:.3f} | {one.parts.relevance:.3f} | **{one.score:.4f}** |"
        for one in scored
    ]
    assert "\n".join(rows) in text
    stated = [
        float(number)
        for number in re.findall(r"^\| (?:engagement|recency|relevance) \| (0\.\d+) \|", text, re.MULTILINE)
    ]
    assert stated == [WEIGHTS.engagement, WEIGHTS.recency, WEIGHTS.relevance]
    assert f"formula version {FORMULA_VERSION}" in text


def test_a_wanted_word_lifts_by_a_quarter_of_what_is_lacking_and_says_so() -> None:
    plain_one, wanted = signal(1, title="Garden news of the day"), signal(2, title="Rust: news of the day")
    usual = {one.id: one.score for one in rank([plain_one, wanted], query=None, timeframe=DAY, now=NOW).signals}
    lifted = rank([plain_one, wanted], query=None, timeframe=DAY, now=NOW, filters=Filters(raised=("RUST",))).signals
    assert [one.id for one in lifted] == ["reddit:2", "reddit:1"]
    assert lifted[0].score == pytest.approx(usual["reddit:2"] + 0.25 * (1 - usual["reddit:2"]), abs=1e-4)
    assert [one.parts.raised for one in lifted] == [True, False]
    assert lifted[1].score == usual["reddit:1"]


def test_votes_are_compared_with_those_of_about_the_same_age() -> None:
    young = [signal(number, age=timedelta(minutes=30), points=number) for number in range(1, 7)]
    old = [signal(10 + number, age=timedelta(hours=20), points=100 * number) for number in range(1, 7)]
    scored = by_id(score([*young, *old], None, DAY, NOW))
    assert scored["reddit:6"].parts.engagement == scored["reddit:16"].parts.engagement
    few = by_id(score([*young, *old[:4]], None, DAY, NOW))
    assert few["reddit:14"].parts.engagement == pytest.approx(0.95)


def test_several_sources_lift_a_story_and_it_says_so() -> None:
    page = "https://site.example/story"
    alone = rank([signal(1, url=page)], query=None, timeframe=DAY, now=NOW).signals[0]
    told = [signal(1, url=page), *(signal(1, source=name, url=page) for name in ("hackernews", "news"))]
    together = rank(told, query=None, timeframe=DAY, now=NOW).signals[0]
    assert alone.parts.corroboration == 0
    assert together.parts.corroboration == 0.75
    assert together.score == pytest.approx(alone.score + 0.20 * 0.75 * (1 - alone.score), abs=1e-4)
    twice = [signal(1, url=page), signal(2, url=page)]
    assert rank(twice, query=None, timeframe=DAY, now=NOW).signals[0].parts.corroboration == 0
