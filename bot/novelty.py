"""Which signals are new to a subscription: not the page, and not nearly the title, of anything that it has shown."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice

from agents.ranking.duplicates import MIN_WORDS, same_story
from agents.ranking.reading import words
from agents.signal import Signal
from agents.urls import identity
from bot.recent import Recent
from bot.store.outbox import SeenItem

LONGEST_TITLE = 300
_RAREST = 8
"""A title that nearly equals another nearly always has one of its eight rarest words (measured for whole answers)."""
_SHARED = 0.5
"""And at least so many of the words of the shorter one; what shares less is not looked at any closer."""
_LOOKED_AT = 64
"""Titles that one is compared with at most: bounds the work where all have the same few words."""
_REMEMBERED = 20_000
"""Titles whose likes were looked up: subscriptions with the same question have mostly seen the same."""


def seen_items(signals: Iterable[Signal]) -> tuple[SeenItem, ...]:
    """What is to be remembered once these were shown: every page that they are at, and their titles."""
    return tuple(item for signal in signals for item in _items(signal))


def _items(signal: Signal) -> Iterator[SeenItem]:
    first, *others = _keys(signal)
    yield SeenItem(first, signal.title[:LONGEST_TITLE])
    for key in others:
        yield SeenItem(key, "")


def _keys(signal: Signal) -> tuple[str, ...]:
    """Each page that the story is at, its own first; the same for all spellings of an address."""
    pages = [signal.url, signal.discussion_url, *(place.url for place in signal.also_in)]
    return tuple(dict.fromkeys(_key(page) for page in pages if page))


def _key(url: str) -> str:
    return blake2b(identity(url).encode("utf-8", "replace"), digest_size=16).hexdigest()


class Candidates:
    """Signals prepared for being compared with what many subscriptions have seen. Not for two threads at once."""

    def __init__(self, signals: Sequence[Signal]) -> None:
        self.signals = tuple(signals)
        self._by_key: dict[str, list[int]] = defaultdict(list)
        self._by_word: dict[str, list[int]] = defaultdict(list)
        self._by_short_title: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self._alike: Recent[str, frozenset[int]] = Recent(_REMEMBERED)
        titles = [words(signal.title[:LONGEST_TITLE]) for signal in self.signals]
        self._words = [frozenset(title) for title in titles]
        frequency = Counter(word for distinct in self._words for word in distinct)
        for place, (signal, title) in enumerate(zip(self.signals, titles, strict=True)):
            for key in _keys(signal):
                self._by_key[key].append(place)
            if len(title) < MIN_WORDS:
                self._by_short_title[tuple(title)].append(place)
            for word in sorted(self._words[place], key=lambda word: (frequency[word], word))[:_RAREST]:
                self._by_word[word].append(place)

    def new(self, seen: Iterable[SeenItem]) -> tuple[Signal, ...]:
        """Those that were not seen, in their order."""
        known: set[int] = set()
        for item in seen:
            known.update(self._by_key.get(item.key, ()))
            if item.title:
                known |= self._likes(item.title)
        return tuple(signal for place, signal in enumerate(self.signals) if place not in known)

    def _likes(self, title: str) -> frozenset[int]:
        alike = self._alike.get(title)
        if alike is None:
            alike = frozenset(self._find_likes(title))
            self._alike.put(title, alike)
        return alike

    def _find_likes(self, title: str) -> Iterator[int]:
        its_words = words(title)
        if len(its_words) < MIN_WORDS:
            yield from self._by_short_title.get(tuple(its_words), ()) if its_words else ()
            return
        distinct = frozenset(its_words)
        places = {place for word in distinct for place in self._by_word.get(word, ())}
        close = (place for place in places if self._share_enough(distinct, self._words[place]))
        for place in islice(close, _LOOKED_AT):
            if same_story(title, self.signals[place].title[:LONGEST_TITLE]):
                yield place

    @staticmethod
    def _share_enough(one: frozenset[str], other: frozenset[str]) -> bool:
        return len(one & other) >= _SHARED * min(len(one), len(other))
