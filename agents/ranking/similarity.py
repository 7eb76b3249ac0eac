"""Whether two titles tell the same story, decided as people decided it about some 14,000 pairs.

A logistic model: eight measures of a pair (see ``MEASURES``), their products up to the third degree, one weight each
(``same_story.json``, made by ``benchmarks/train_similarity.py``). Before it come rules that no statistics may
overrule: numbers, dates, negations and opposites that contradict each other.
"""

import math
import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Self

import msgspec
from rapidfuzz import fuzz

MEASURES = ("shared", "contained", "letters", "order", "part", "figures", "lengths", "length")
"""Of two titles, by the names under which the weights know them:

- ``shared``: stems that both have over all stems, weighted by rarity (Jaccard with inverse document frequency)
- ``contained``: the same over the stems of the one with less of them
- ``letters``: cosine of their words' four-letter pieces, weighted by rarity
- ``order``: similarity of the texts as they stand (normalised indel distance)
- ``part``: how well the shorter one fits somewhere into the longer one (the same distance)
- ``figures``: how many of the two have a number that the other lacks
- ``lengths``: words of the shorter over words of the longer one
- ``length``: words of the shorter one, logarithmic
"""

LEAST_SHARED = 0.3
"""Of ``shared``: below, nothing is the same story, whatever else speaks for it."""
MOST_SWAPPED = 2
"""Words that stand in the same place of two titles and make them tell of two things."""
SPELLED_ALIKE = 75.0
"""Per cent, from which on such words are spellings of each other."""
_TELLING_WEIGHT = 5.0
"""Of words that fewer than about one in 150 texts has."""
_NUMBERS = frozenset(
    {
        *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
        *("hundred", "thousand", "million"),
    }
)
_ENDINGS = ("ing", "ed", "es", "s", "ly")
_LEAST_STEM = 3
_CACHED_WORDS = 20_000
_LEAST_WEIGHT = 0.01
_UNKNOWN_WEIGHT = 7.6
"""Of words that fewer than one in 2,000 texts has."""
_PIECE = 4
NEGATIONS = frozenset(
    {
        *("no", "not", "never", "none", "nothing", "nobody", "neither", "nor", "without", "deny", "denies", "denied"),
        *("cannot", "cant", "dont", "doesnt", "didnt", "isnt", "arent", "wasnt", "werent", "wont", "couldnt"),
        *("shouldnt", "wouldnt", "hasnt", "havent", "hadnt", "aint"),
    }
)
_DATES = frozenset(
    {
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
        *("november", "december", "morning", "evening", "spring", "summer", "autumn", "winter"),
    }
)
_OPPOSITES = (
    (
        "rise rises rose rising up gain gains jump jumps soar soars",
        "fall falls fell falling down drop drops sink sinks",
    ),
    ("win wins won beat beats", "lose loses lost"),
    ("approve approves approved accept accepts accepted pass passes passed", "reject rejects rejected block blocks"),
    ("buy buys bought", "sell sells sold"),
    ("open opens opened launch launches launched start starts", "close closes closed end ends ended shut shuts stop"),
    ("higher more increase increases increased raise raises", "lower less decrease decreases decreased cut cuts"),
    ("before", "after"),
    ("guilty convicted", "acquitted innocent"),
    ("legal", "illegal"),
    ("first", "second third last"),
    ("best", "worst"),
)
_SIDES = {
    word: (number, side)
    for number, pair in enumerate(_OPPOSITES)
    for side, text in enumerate(pair)
    for word in text.split()
}


class _Model(msgspec.Struct, frozen=True):
    measures: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    """What the measures were within on the pairs that it learned from; others count as the nearest of these."""
    bias: float
    terms: tuple[tuple[int, int, int], ...]
    """What is multiplied, by places in ``MEASURES``; 8 stands for 1."""
    weights: tuple[float, ...]
    same_from: float
    """Least log-odds at which two titles tell the same story."""
    common: dict[str, float]
    """Words that many texts have, and which share of them."""


@dataclass(frozen=True)
class Title:
    """A title prepared for being compared with many."""

    text: str
    """Its words with one space between."""
    count: int
    stems: frozenset[str]
    weight: float
    """Of its stems together."""
    figures: frozenset[str]
    dates: frozenset[str]
    negated: bool
    sides: dict[int, int]
    """Of pairs of opposites, the side that it takes, where it takes only one."""

    @classmethod
    def of(cls, its_words: Sequence[str]) -> Self:
        """From its words as ``reading.words`` gives them."""
        stems = frozenset(map(_stem, its_words))
        sides = {_SIDES[word] for word in its_words if word in _SIDES}
        return cls(
            text=" ".join(its_words),
            count=len(its_words),
            stems=stems,
            weight=sum(map(_usual().stem, stems)),
            figures=frozenset([word.replace(",", "") for word in its_words if word in _NUMBERS or has_digit(word)]),
            dates=_DATES.intersection(its_words),
            negated=not NEGATIONS.isdisjoint(its_words),
            sides={number: side for number, side in sides if (number, 1 - side) not in sides},
        )

    @cached_property
    def pieces(self) -> dict[str, float]:
        """Four-letter pieces of its words with their weights, of length 1; for those that are compared so far."""
        counted = Counter(piece for word in self.text.split() for piece in _pieces(word))
        weighted = {piece: count * _usual().piece(piece) for piece, count in counted.items()}
        norm = math.sqrt(sum(weight * weight for weight in weighted.values())) or 1.0
        return {piece: weight / norm for piece, weight in weighted.items()}


def same(one: Title, other: Title) -> bool:
    """Whether two titles tell the same story: right 19 times of 20 when it says so, and silent about most."""
    if one.text == other.text:
        return True
    if _contradict_in_figures(one, other):  # costs least, and decides most
        return False
    shared = _shared(one, other)
    if shared < LEAST_SHARED * (one.weight + other.weight - shared) or contradict(one, other):
        return False
    return log_odds(one, other) >= _model().same_from


def log_odds(one: Title, other: Title) -> float:
    """How likely people are to say that both tell the same story: 0 for as likely as not; symmetric."""
    model = _model()
    measured = zip(measures(one, other), model.low, model.high, model.mean, model.scale, strict=True)
    values = [(min(max(value, low), high) - mean) / scale for value, low, high, mean, scale in measured]
    values.append(1.0)
    products = [values[one] * values[two] * values[three] for one, two, three in model.terms]
    return model.bias + math.fsum(map(operator.mul, model.weights, products))


def measures(one: Title, other: Title) -> tuple[float, ...]:
    """``MEASURES`` of two titles, in their order."""
    shared = _shared(one, other)
    least = min(one.weight, other.weight)
    united = one.weight + other.weight - shared
    few, many = sorted((one.pieces, other.pieces), key=len)
    shorter, longer = sorted((one.count, other.count))
    return (
        shared / united if united else 0.0,
        shared / least if least else 0.0,
        sum(weight * many[piece] for piece, weight in few.items() if piece in many),
        fuzz.ratio(one.text, other.text) / 100,
        fuzz.partial_ratio(one.text, other.text) / 100,
        float(bool(one.figures - other.figures)) + float(bool(other.figures - one.figures)),
        shorter / max(longer, 1),
        math.log1p(shorter),
    )


def contradict(one: Title, other: Title) -> bool:
    """Whether two titles tell different stories however alike they are."""
    if one.negated != other.negated or _contradict_in_figures(one, other):
        return True
    if one.dates - other.dates and other.dates - one.dates:
        return True
    if one.sides and any(other.sides.get(number, side) != side for number, side in one.sides.items()):
        return True
    return exchanged(one, other) or _swapped(one, other)  # last: word by word


def _contradict_in_figures(one: Title, other: Title) -> bool:
    return bool(one.figures - other.figures and other.figures - one.figures)


def exchanged(one: Title, other: Title) -> bool:
    """Whether two words have changed places and nothing else: who did it to whom (``man bites dog``)."""
    if one.count != other.count or one.stems != other.stems:
        return False
    differ = [pair for pair in zip(one.text.split(), other.text.split(), strict=True) if pair[0] != pair[1]]
    return len(differ) == 2 and differ[0] == differ[1][::-1]


def _swapped(one: Title, other: Title) -> bool:
    """Whether one sentence was written about two things: the same words, but for one or two in one place."""
    mine, theirs = one.text.split(), other.text.split()
    least = min(len(mine), len(theirs))
    start = next((place for place in range(least) if mine[place] != theirs[place]), least)
    end = next((place for place in range(least - start) if mine[-1 - place] != theirs[-1 - place]), least - start)
    my_own, their_own = mine[start : len(mine) - end], theirs[start : len(theirs) - end]
    if not (1 <= len(my_own) <= MOST_SWAPPED and 1 <= len(their_own) <= MOST_SWAPPED):
        return False
    if not (_tells(my_own) or _tells(their_own)):
        return False
    if my_own[0][0] != their_own[0][0]:  # not another spelling, but ``hire`` and ``fire``
        return True
    return fuzz.ratio("".join(my_own), "".join(their_own)) < SPELLED_ALIKE


def telling_weight(word: str) -> float:
    """How rare a word is in texts as they usually are: 0.01 for the commonest, 7.6 for most words there are."""
    return _usual().stem(_stem(word))


def _tells(some_words: Sequence[str]) -> bool:
    return any(telling_weight(word) >= _TELLING_WEIGHT for word in some_words)


def _shared(one: Title, other: Title) -> float:
    return sum(map(_usual().stem, one.stems & other.stems))


@cache
def _model() -> _Model:
    """Read once, when the first titles are compared."""
    model = msgspec.json.decode((Path(__file__).parent / "same_story.json").read_bytes(), type=_Model)
    assert model.measures == MEASURES
    return model


class _Rarity(dict[str, float]):
    """The weight of a stem or piece: the logarithm of its inverse document frequency in texts as they usually are."""

    def __init__(self, having: Mapping[str, float]) -> None:
        super().__init__({term: max(math.log(1 / share), _LEAST_WEIGHT) for term, share in having.items()})

    def __missing__(self, term: str) -> float:
        return _UNKNOWN_WEIGHT


@dataclass(frozen=True, slots=True)
class _Usual:
    stem: Callable[[str], float]
    piece: Callable[[str], float]


@cache
def _usual() -> _Usual:
    shares = _model().common
    return _Usual(
        _Rarity(_spread(shares, lambda word: (_stem(word),))).__getitem__,
        _Rarity(_spread(shares, _pieces)).__getitem__,
    )


def _spread(shares: Mapping[str, float], parts: Callable[[str], Iterable[str]]) -> Mapping[str, float]:
    """Which share of texts has a part of a word, at most: those that have any word with it."""
    spread: dict[str, float] = defaultdict(float)
    for word, share in shares.items():
        for part in set(parts(word)):
            spread[part] += share
    return spread


@lru_cache(maxsize=_CACHED_WORDS)
def has_digit(word: str) -> bool:
    """Whether a word is a number or has one in it."""
    return any(map(str.isdigit, word))


@lru_cache(maxsize=_CACHED_WORDS)
def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST_STEM:
            return word[: -len(ending)]
    return word


def _pieces(word: str) -> list[str]:
    marked = f"^{word}$"
    return [marked[start : start + _PIECE] for start in range(max(1, len(marked) - _PIECE + 1))]
