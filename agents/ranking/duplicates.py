"""Which signals tell the same story, and one signal made of them.

Conservative: two stories shown apart are a nuisance, two shown as one are an error.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from rapidfuzz import fuzz

from agents.ranking.reading import Reading, read, words
from agents.ranking.score import best_first
from agents.ranking.similarity import NEGATIONS, Title, exchanged, has_digit, same
from agents.signal import AlsoIn, Signal

MIN_WORDS = 4
"""Titles with fewer words are the same only when they are equal."""
LONG_WORDS = 6
"""From this many words on, people's judgement (``similarity``) decides; shorter ones must be spelled nearly alike."""
MIN_RATIO = 90.0
"""Least similarity of two titles with their words sorted, in per cent (``token_sort_ratio``)."""
MAX_STRAY_WORDS = 2
"""How many words of each title the other may lack."""
MIN_WORD_RATIO = 85.0
"""Stray words on both sides must be spellings of each other (``defence``, ``defense``; not ``rises``, ``falls``)."""
MAX_ALSO_IN = 20

_RAREST = 8
_SHARED = 2
"""Titles of one story share two of their eight rarest stems, as comparing all has found of 99 pairs in 100."""
_CANDIDATES_PER_STEM = 32
_COMPARED_PER_TITLE = 12
"""Bound the work on titles that all share their rarest words; those with most of them in common come first."""


@dataclass(frozen=True, slots=True)
class Headline:
    """A title prepared for comparison."""

    title: Title
    ordered: str
    """Its words sorted, one space between."""
    distinct: frozenset[str]
    facts: tuple[str, ...]
    """Numbers and negations: short titles that differ in them never tell the same story."""

    @classmethod
    def of(cls, its_words: Sequence[str]) -> Self:
        """From its words as ``reading.words`` gives them."""
        facts = sorted([fact for fact in map(_fact, its_words) if fact])
        return cls(Title.of(its_words), " ".join(sorted(its_words)), frozenset(its_words), tuple(facts))


def merge(signals: Iterable[Signal]) -> list[Signal]:
    """One signal per story, best first: the best-scored stays and says in ``also_in`` where else it is.

    An item given twice is kept once. Safe for work only if all of them are.
    """
    ordered = sorted(signals, key=lambda signal: best_first(signal, signal.score))
    return [combine([ordered[place] for place in story]) for story in stories(read(ordered))]


def combine(story: Sequence[Signal], **changes: object) -> Signal:
    """The first of a story's signals, with the others in ``also_in`` (at most 20, in their order) and ``changes``."""
    lead = story[0]
    if len(story) > 1:
        changes |= {"also_in": _also_in(story), "nsfw": any(signal.nsfw for signal in story)}
    return lead.model_copy(update=changes) if changes else lead


def _also_in(story: Sequence[Signal]) -> tuple[AlsoIn, ...]:
    """Where else the first of a story's signals is, each place once."""
    lead = story[0]
    seen = {(lead.source, lead.discussion_url or lead.url)}
    places: list[AlsoIn] = []
    for signal in story:
        here = [] if signal.id == lead.id else [_place(signal)]
        for place in (*here, *signal.also_in):
            if (place.source, place.url) not in seen:
                seen.add((place.source, place.url))
                places.append(place)
        if len(places) >= MAX_ALSO_IN:
            break
    return tuple(places[:MAX_ALSO_IN])


def stories(readings: Sequence[Reading]) -> list[list[int]]:
    """Indices of the readings that tell the same story, each story and all of them in the order given.

    The work grows with the number of readings, not with its square, whatever the titles are.
    """
    sets = _Sets(len(readings))
    headlines = _union_equal(readings, sets)
    _union_similar(headlines, sets)
    while headlines:  # one by one: to free ten thousand at once keeps every other thread waiting for 20 ms
        headlines.popitem()
    together: dict[int, list[int]] = defaultdict(list)
    for place in range(len(readings)):
        together[sets.find(place)].append(place)
    return list(together.values())


def same_story(one: str, other: str) -> bool:
    """Whether two titles alone are enough to call what they head one story."""
    mine, theirs = words(one), words(other)
    if min(len(mine), len(theirs)) < MIN_WORDS:
        return mine == theirs != []
    return alike(Headline.of(mine), Headline.of(theirs))


class _Sets:
    """Disjoint sets over 0…n-1; the least member stands for its set (Tarjan, with path halving)."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def find(self, member: int) -> int:
        parent = self._parent
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    def union(self, one: int, other: int) -> None:
        low, high = sorted((self.find(one), self.find(other)))
        self._parent[high] = low


def _union_equal(readings: Sequence[Reading], sets: _Sets) -> dict[int, Headline]:
    """Join what has the same id, page, title or words; the first of each longer title goes on to be compared."""
    first: dict[tuple[str, object], int] = {}
    headlines: dict[int, Headline] = {}
    for place, reading in enumerate(readings):
        title = ("title", reading.words)
        if len(reading.words) >= MIN_WORDS and title not in first:
            headline = Headline.of(reading.words)
            twin = first.setdefault(("words", headline.ordered), place)
            if twin == place or exchanged(headlines[twin].title, headline.title):
                headlines[place] = headline
            else:
                sets.union(twin, place)
        keys: list[tuple[str, object]] = [("id", reading.signal.id), ("page", reading.page)]
        if reading.words:
            keys.append(title)
        for key in keys:
            sets.union(first.setdefault(key, place), place)
    return headlines


def _union_similar(headlines: dict[int, Headline], sets: _Sets) -> None:
    """Compare titles that share some of their rarest stems (the prefix filter of set-similarity joins)."""
    frequency = Counter(stem for headline in headlines.values() for stem in headline.title.stems)
    index: dict[str, list[int]] = defaultdict(list)
    for place, headline in headlines.items():
        rarest = sorted(headline.title.stems, key=lambda stem: (frequency[stem], stem))[:_RAREST]
        for candidate in _candidates(rarest, index):
            if sets.find(candidate) != sets.find(place) and alike(headline, headlines[candidate]):
                sets.union(candidate, place)
        for stem in rarest:
            if len(index[stem]) < _CANDIDATES_PER_STEM:
                index[stem].append(place)


def _candidates(rarest: Sequence[str], index: Mapping[str, Sequence[int]]) -> list[int]:
    """Titles indexed so far that share enough of these stems, those that share most of them first."""
    shared = Counter(place for stem in rarest for place in index.get(stem, ()))
    enough = [place for place, count in shared.items() if count >= _SHARED]
    enough.sort(key=shared.__getitem__, reverse=True)
    return enough[:_COMPARED_PER_TITLE]


def _fact(word: str) -> str | None:
    if word in NEGATIONS:
        return "not"
    return word.replace(",", "") if has_digit(word) else None


def alike(one: Headline, other: Headline) -> bool:
    """Whether two titles of at least ``MIN_WORDS`` words are enough to call what they head one story."""
    if one.title.stems.isdisjoint(other.title.stems):  # of four words, at most two may be spelled otherwise
        return False
    if min(one.title.count, other.title.count) >= LONG_WORDS and same(one.title, other.title):
        return True
    return _spelled_alike(one, other)


def _spelled_alike(one: Headline, other: Headline) -> bool:
    if one.facts != other.facts or exchanged(one.title, other.title):
        return False
    if fuzz.ratio(one.ordered, other.ordered, score_cutoff=MIN_RATIO) == 0.0:
        return False
    mine, theirs = one.distinct - other.distinct, other.distinct - one.distinct
    if max(len(mine), len(theirs)) > MAX_STRAY_WORDS:
        return False
    fewer, more = sorted((mine, theirs), key=len)
    return all(any(_same_word(word, match) for match in more) for word in fewer)


def _same_word(one: str, other: str) -> bool:
    """Two spellings of one word; what differs at its beginning is another word (``legal``, ``illegal``)."""
    return one[0] == other[0] and fuzz.ratio(one, other) >= MIN_WORD_RATIO


def _place(signal: Signal) -> AlsoIn:
    return AlsoIn(
        source=signal.source,
        origin=signal.origin,
        url=signal.discussion_url or signal.url,
        points=signal.engagement.points,
    )
