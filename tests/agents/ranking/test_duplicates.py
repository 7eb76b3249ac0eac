"""The same story is shown once; different stories are never shown as one."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ranking.duplicates import MAX_ALSO_IN, MIN_RATIO, merge, same_story, stories
from agents.ranking.reading import read
from agents.signal import AlsoIn, Signal
from tests.agents.ranking.signals import LISTS, signal

LABELLED = Path(__file__).parents[3].parent / "shared" / "labelled"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SpaceX launches Starship for the first time", "SpaceX Launches “Starship” for the First Time!"),
        ("Nvidia beats estimates: quarterly report", "Quarterly report: Nvidia beats estimates"),
        ("Ministry of Defence publishes annual report", "Ministry of Defense publishes annual report"),
        ("Apple's new chip is fast", "Apple’s new chip is fast"),
        ("Show HN: Owl", "show hn – owl"),
    ],
)
def test_near_identical_titles_tell_one_story(one: str, other: str) -> None:
    assert same_story(one, other)
    assert len(merge([signal(1, title=one), signal(2, title=other)])) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The new iPhone 15 is announced by Apple", "The new iPhone 16 is announced by Apple"),
        ("Python 3.12 is released to the public", "Python 3.13 is released to the public"),
        ("GPT-4 is now available in the public API", "GPT-4o is now available in the public API"),
        ("The court said it will hear the big case", "The court said it will not hear the big case"),
        ("The minister did resign over the huge scandal", "The minister didn't resign over the huge scandal"),
        (
            "Microsoft stock rises after its earnings report",
            "Microsoft stock falls after its earnings report",
        ),
        ("Judge rules that the tariffs are legal after all", "Judge rules that the tariffs are illegal after all"),
        ("Monthly hiring thread for engineers, March", "Monthly hiring thread for engineers, April"),
        ("Man bites dog in central London park", "Dog bites man in central London park"),
        ("Iran attacks Israel overnight", "Israel attacks Iran overnight"),
        ("Amazon to hire 10,000 workers in Germany", "Amazon to fire 10,000 workers in Germany"),
        ("Rust released", "Rust release"),
        ("Owls", "Owl"),
        ("!!!", "???"),
        ("", ""),
    ],
)
def test_what_differs_in_what_matters_are_two_stories(one: str, other: str) -> None:
    assert not same_story(one, other)
    assert len(merge([signal(1, title=one), signal(2, title=other)])) == 2


def test_one_page_is_one_story_whatever_its_titles() -> None:
    merged = merge(
        [
            signal(1, source="hackernews", url="https://www.site.example/a?utm_source=hn", score=0.9),
            signal(2, source="reddit", url="http://site.example/a/", score=0.5),
        ]
    )
    assert [one.id for one in merged] == ["hackernews:1"]


def test_the_best_stays_and_says_where_else_it_is() -> None:
    page = "https://site.example/a"
    best = signal(1, source="news", url=page, score=0.9)
    thread = "https://reddit.example/t/2"
    talk = signal(2, url=page, discussion_url=thread, origin="r/rust", points=7, score=0.6, nsfw=True)
    other = signal(3, source="hackernews", url=page, discussion_url="https://hn.example/3", score=0.7)
    (merged,) = merge([talk, best, other])
    assert merged.id == best.id
    assert merged.nsfw
    assert merged.also_in == (
        AlsoIn(source="hackernews", url="https://hn.example/3"),
        AlsoIn(source="reddit", origin="r/rust", url=thread, points=7),
    )


def test_an_item_given_twice_is_not_somewhere_else() -> None:
    (merged,) = merge([signal(1, score=0.4), signal(1, score=0.4)])
    assert merged.also_in == ()


@given(LISTS)
def test_merging_again_changes_nothing(signals: list[Signal]) -> None:
    merged = merge(signals)
    assert merge(merged) == merged


@given(LISTS)
def test_nothing_is_lost(signals: list[Signal]) -> None:
    readings = read(signals)
    grouped = stories(readings)
    assert sorted(place for story in grouped for place in story) == list(range(len(signals)))
    merged = merge(signals)
    assert len(merged) == len(grouped)
    shown = {one.url for one in merged} | {place.url for one in merged for place in one.also_in}
    assert {one.url for one in signals} <= shown


@given(st.data(), LISTS)
def test_merging_does_not_depend_on_the_order_of_arrival(data: st.DataObject, signals: list[Signal]) -> None:
    assert merge(data.draw(st.permutations(signals))) == merge(signals)


def test_the_rare_word_index_finds_what_comparing_all_finds() -> None:
    chance = random.Random(7)
    vocabulary = ["".join(chance.choices("abcdefghij", k=chance.randint(3, 8))) for _ in range(60)]
    titles = [" ".join(chance.sample(vocabulary, chance.randint(6, 10))) for _ in range(60)]
    titles += [title + " " + chance.choice(vocabulary) for title in titles]
    titles += [title.replace("a", "A", 1) + "s" for title in titles[:60]]
    signals = [signal(number, title=title) for number, title in enumerate(titles)]
    together = {
        frozenset((one, other)) for story in stories(read(signals)) for one in story for other in story if one < other
    }
    pairs = {
        frozenset((one, other))
        for one in range(len(titles))
        for other in range(one)
        if same_story(titles[one], titles[other])
    }
    assert len(pairs) > 60
    assert pairs <= together


_CHANCE = random.Random(3)
_FEW = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
_MANY = ["".join(_CHANCE.choices("abcdefghijklmnop", k=_CHANCE.randint(3, 9))) for _ in range(6_000)]


@pytest.mark.parametrize(
    "titles",
    [
        [" ".join(_CHANCE.choices(_MANY, k=_CHANCE.randint(5, 14))) for _ in range(10_000)],
        ["the very same title again"] * 10_000,
        [f"the very same title again {number}" for number in range(10_000)],
        [" ".join(_CHANCE.choices(_FEW, k=12)) for _ in range(10_000)],
        ["aaa bbb ccc " + " ".join(_CHANCE.choices(_MANY, k=8)) for _ in range(10_000)],
        ["some long title about everything " + "".join(_CHANCE.choices("abc", k=8)) for _ in range(10_000)],
    ],
    ids=["usual", "identical", "numbered", "same words", "shared words", "one odd word"],
)
def test_ten_thousand_titles_cost_little_whatever_they_are(titles: list[str]) -> None:
    readings = read([signal(number, title=title) for number, title in enumerate(titles)])
    started = time.process_time()
    stories(readings)
    assert time.process_time() - started < 5.0  # 1 s on an idle machine; a square of them takes more than a minute


def test_a_story_told_everywhere_stays_small() -> None:
    (merged,) = merge([signal(number, title="the very same title again") for number in range(500)])
    assert len(merged.also_in) == MAX_ALSO_IN


@pytest.mark.skipif(not LABELLED.is_dir(), reason="the labelled pairs are not part of the repository")
@pytest.mark.parametrize("name", ["news-train.tsv", "twitter-url-train.tsv"])
def test_people_agree_with_what_is_merged(name: str) -> None:
    lines = (LABELLED / name).read_text(encoding="utf-8").splitlines()
    labels = [
        label == "1" for label, one, other in (line.split("\t")[:3] for line in lines) if same_story(one, other)
    ]
    assert len(labels) >= 30
    assert sum(labels) / len(labels) >= 0.95
    assert MIN_RATIO >= 90
