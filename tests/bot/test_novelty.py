"""What counts as seen: the page, however its address is spelled, and nearly the same title."""

import time
from typing import Any

import pytest

from agents.signal import AlsoIn, Signal
from bot.novelty import Candidates, seen_items
from bot.store.outbox import SeenItem
from tests.bot import samples

TITLE = "Maintainers of the compiler release a new version after long work"


def signal(number: int = 1, **changes: Any) -> Signal:
    known = {"title": f"{number} entirely other matter number {number}", "discussion_url": None, "also_in": ()}
    return samples.signal(number, **{**known, **changes})


def is_new(candidate: Signal, *shown: Signal) -> bool:
    return Candidates([candidate]).new(seen_items(shown)) == (candidate,)


def test_without_anything_seen_everything_is_new_in_its_order() -> None:
    signals = tuple(signal(number) for number in (3, 1, 2))
    assert Candidates(signals).new(()) == signals
    assert Candidates(()).new(seen_items(signals)) == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/story",
        "http://www.example.com/story/",
        "https://m.example.com/story?utm_source=newsletter#comments",
        "https://example.com/story/index.html",
    ],
)
def test_a_page_is_the_same_however_its_address_is_spelled(url: str) -> None:
    shown = signal(1, url="https://www.example.com/story")
    assert not is_new(signal(2, url=url), shown)
    assert is_new(signal(2, url=f"{url.split('?', maxsplit=1)[0].rstrip('/')}-2"), shown)


def test_a_story_is_seen_if_any_of_its_pages_was() -> None:
    elsewhere = AlsoIn(source="news", url="https://paper.example/a")
    shown = signal(1, discussion_url="https://talk.example/1", also_in=(elsewhere,))
    assert not is_new(signal(2, url="https://paper.example/a"), shown)
    assert not is_new(signal(2, url="https://talk.example/1"), shown)
    assert not is_new(signal(2, also_in=(AlsoIn(source="reddit", url=shown.url),)), shown)
    assert is_new(signal(2), shown)


@pytest.mark.parametrize(
    ("title", "new"),
    [
        (TITLE, False),
        (TITLE.upper(), False),
        ("Maintainers of the compiler release new version after long work", False),
        ("Maintainers of the compiler released a new version, after long work", False),
        ("Maintainers of the compiler do not release a new version after long work", True),
        ("A cookbook for long winter evenings is published", True),
    ],
)
def test_nearly_the_same_title_is_the_same_story(title: str, new: bool) -> None:
    shown = signal(1, title=TITLE)
    assert is_new(signal(2, title=title), shown) is new


@pytest.mark.parametrize(("title", "new"), [("Show HN", True), ("Ask HN", False), ("ask hn!", False)])
def test_short_titles_are_the_same_only_when_their_words_are(title: str, new: bool) -> None:
    assert is_new(signal(2, title=title), signal(1, title="Ask HN")) is new


def test_titles_without_words_are_told_apart_by_their_pages() -> None:
    assert is_new(signal(2, title="!?"), signal(1, title="…"))


def test_what_is_remembered_fits_the_store() -> None:
    long = signal(1, title="word " * 500, url="https://example.com/" + "x" * 1900)
    items = seen_items([long])
    assert all(len(item.key) <= 64 and len(item.title) <= 300 for item in items)
    assert not is_new(long, long)


def test_many_subscriptions_with_long_memories_cost_little() -> None:
    candidates = Candidates([signal(number) for number in range(300)])
    seen = [
        SeenItem(f"{number:032x}", f"report {number} about matter {number * 7} of town {number % 31}")
        for number in range(2000)
    ]
    candidates.new(seen)
    started = time.process_time()
    for _ in range(50):
        assert len(candidates.new(seen)) == 300
    assert time.process_time() - started < 1.0, "what was looked up once is remembered"
