"""Words that tell what a text is about, and words that stand out among many titles."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.ranking.reading import words
from agents.ranking.similarity import telling_weight

_LEAST_LETTERS = 3
_ADDRESS = re.compile(r"\b(?:https?://|www\.)\S+|<[@#:t/][^>]*>", re.IGNORECASE)
_NAMED = 1.5
"""How much more a word counts that is written with a capital within a sentence, as names are."""
_LEAST_WEIGHT = 6.0
"""What one in 400 texts or more have tells nothing."""
_LEAST_TITLES = 3
"""What fewer titles have stands out by chance."""
_LEAST_Z = 1.64
"""One in twenty would look so by chance."""


@dataclass(frozen=True, slots=True)
class StandingOut:
    """A word that more titles have than before."""

    word: str
    titles: int
    """Recent ones that have it."""
    before: int
    z: float
    """How surprising that is, in standard deviations."""


def telling_words(text: str, most: int) -> tuple[str, ...]:
    """At most so many words that say what a text is about, in its order; addresses and mentions do not count."""
    readable = _ADDRESS.sub(" ", text)
    named = {word.casefold() for word in re.findall(r"(?<=[\w,;:] )[A-Z]\w+", readable)}
    weights: dict[str, float] = {}
    for word in words(readable):
        if word not in weights and len(word) >= _LEAST_LETTERS and not word.isdecimal():
            weights[word] = telling_weight(word) * (_NAMED if word in named else 1.0)
    best = sorted(weights, key=lambda word: -weights[word])[:most]  # stable: of equals the first
    chosen = frozenset(word for word in best if weights[word] >= _LEAST_WEIGHT)
    return tuple(word for word in weights if word in chosen)


def standing_out(recent: Iterable[str], before: Iterable[str], most: int) -> tuple[StandingOut, ...]:
    """Words of recent titles that more of them have than of those before, the most surprising first.

    The log-odds ratio with an informative Dirichlet prior, over its standard deviation (Monroe, Colaresi and Quinn
    2008, "Fightin' Words"); both together are the prior.
    """
    now, then = _having(recent), _having(before)
    now_total, then_total = sum(now.values()), sum(then.values())
    found = []
    for word, count in now.items():
        if count < _LEAST_TITLES or len(word) < _LEAST_LETTERS or word.isdecimal():
            continue
        if telling_weight(word) < _LEAST_WEIGHT:
            continue
        prior = count + then[word]
        odds_now = (count + prior) / (2 * now_total + then_total - count)
        odds_then = (then[word] + prior) / (2 * then_total + now_total - then[word])
        z = math.log(odds_now / odds_then) / math.sqrt(1 / (count + prior) + 1 / (then[word] + prior))
        if z >= _LEAST_Z:
            found.append(StandingOut(word, count, then[word], round(z, 2)))
    found.sort(key=lambda one: (-one.z, -one.titles, one.word))
    return tuple(found[:most])


def _having(titles: Iterable[str]) -> Counter[str]:
    return Counter(word for title in titles for word in set(_readable(title)))


def _readable(title: str) -> Sequence[str]:
    return words(title[:300])
