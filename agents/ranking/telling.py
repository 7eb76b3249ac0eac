"""Words that tell what a text is about, and words that stand out among many titles."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agents.ranking.reading import words
from agents.ranking.similarity import telling_weight

_LEAST_LETTERS = 3
_LEAST_SYLLABLES = 2
"""The same for what is written in syllables or ideographs."""
_UNSPACED = re.compile(
    r"(?P<run>[\u30a1-\u30fa\u30fc]+|[\u3005\u3400-\u9fff\uf900-\ufaff]+)|(?P<spaced>[^\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+)"
)
_LONGEST_RUN = 4
_ADDRESS = re.compile(r"\b(?:https?://|www\.)\S+|<[@#:t/][^>]*>", re.IGNORECASE)
_POSSESSIVE = re.compile(r"(?<=\w)['\u2019]s\b")
_LONG = 6
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
    readable = _POSSESSIVE.sub("", _ADDRESS.sub(" ", text))
    named = {word.casefold() for word in re.findall(r"(?<=[\w,;:] )\w\w+", readable) if word[0].isupper()}
    weights: dict[str, float] = {}
    for word in _terms(readable):
        if word not in weights and _is_long(word) and not word.isdecimal():
            weights[word] = telling_weight(word) * (_NAMED if word in named else 1.0)
    # Of equals the long ones, since in languages that are not weighed the short ones tell nothing; then the first.
    best = sorted(weights, key=lambda word: (-weights[word], -min(len(word), _LONG)))[:most]
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
        if count < _LEAST_TITLES or not _is_long(word) or word.isdecimal():
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
    return Counter(word for title in titles for word in set(_terms(title[:300])))


def _terms(text: str) -> Iterator[str]:
    """Its words; where words are not spaced apart, what of it is written in one script, in pairs if that is long.

    Most Chinese words have two characters, Japanese ones end where hiragana begins.
    """
    for part in _UNSPACED.finditer(text):
        run = part["run"]
        if not run:
            yield from words(part["spaced"])
        elif len(run) <= _LONGEST_RUN or run[0] < "\u3100":
            yield run
        else:
            yield from (run[start : start + 2] for start in range(0, len(run), 2))


def _is_long(word: str) -> bool:
    return len(word) >= (_LEAST_SYLLABLES if word[0] >= "\u3005" else _LEAST_LETTERS)
