"""How good a signal is, from 0 to 1, and why. The formula in plain words, with an example: ``docs/ranking.md``."""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from agents.ranking.filters import Phrases
from agents.ranking.query import parse
from agents.ranking.reading import Reading, read
from agents.signal import ScoreParts, Signal, Timeframe

T = TypeVar("T")

FORMULA_VERSION = 2
"""Goes up whenever the same signals would be scored differently."""

HALF_LIVES_PER_TIMEFRAME = 4
"""An item at the far end of the timeframe has lost half of its recency this many times."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each part counts; without a query the weight of relevance is shared out over the others."""

    engagement: float = 0.40
    recency: float = 0.35
    relevance: float = 0.25
    lift: float = 0.25
    """The share of what an item lacks to 1 that it is given when it has a word that the asker wants more of."""
    corroboration: float = 0.20
    """The same for a story that several sources tell, times how well it is corroborated."""


WEIGHTS = Weights()
NO_PHRASES = Phrases(())
_PART_FIELDS = set(ScoreParts.model_fields)
"""One set for all: it is as large as what it describes."""

BANDS = (1 / 8, 1 / 2)
"""Ends of the age bands within which votes are compared, as shares of the timeframe; the last band has the rest."""
LEAST_IN_BAND = 5
"""A band in which a source has fewer signals with votes tells too little; then all of the source are compared."""
SATURATION = 1.2
"""BM25's k1: how soon more of the same word stops counting."""
LENGTH_NORM = 0.75
"""BM25's b, for excerpts; titles are too short for their length to mean anything."""
IN_EXCERPT = 0.5
"""What a word in the excerpt counts against one in the title."""

TYPICAL_ENGAGEMENT = 0.5
"""What unknown engagement counts as: neither ignored (freshness alone would win) nor punished as zero."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """A reading with its score and the parts of it; unknown parts are None."""

    reading: Reading
    score: float
    engagement: float | None
    recency: float
    relevance: float | None
    raised: bool = False
    corroboration: float | None = None
    """From 0 to 1, for what stands for a story; None for what was not merged with anything."""

    @property
    def parts(self) -> ScoreParts:
        """The parts as the signal carries them."""
        return ScoreParts.model_construct(
            _PART_FIELDS,
            corroboration=_rounded(self.corroboration),
            engagement=_rounded(self.engagement),
            recency=_rounded(self.recency),
            relevance=_rounded(self.relevance),
            raised=self.raised,
            formula=FORMULA_VERSION,
        )


def _rounded(part: float | None) -> float | None:
    return None if part is None else round(part, 4)


def score(signals: Iterable[Signal], query: str | None, timeframe: Timeframe, now: datetime) -> list[Signal]:
    """The same signals with score and parts, best first; equal ones newest first, then by id.

    Engagement is measured against the other signals of the same source given here, so score what is shown
    together together.
    """
    assessed = assess(read(signals, parse(query).terms), timeframe, now)
    return [item.reading.signal.model_copy(update={"score": item.score, "parts": item.parts}) for item in assessed]


def assess(
    readings: Sequence[Reading],
    timeframe: Timeframe,
    now: datetime,
    weights: Weights = WEIGHTS,
    *,
    wanted: Phrases = NO_PHRASES,
) -> list[Assessed]:
    """Score what was read, best first, without a copy of any signal; what has a ``wanted`` phrase is lifted."""
    peers = _Peers(readings, timeframe, now)
    relevance = _Relevance(readings)
    assessed = [
        _weigh(
            reading,
            peers.percentile(reading),
            _recency(reading.signal.timestamp, timeframe, now),
            relevance.of(reading),
            weights,
            raised=wanted.stand_in(reading.signal),
        )
        for reading in readings
    ]
    return sort_best_first(assessed, lambda item: (item.reading.signal, item.score), now)


def sort_best_first(items: Iterable[T], scored: Callable[[T], tuple[Signal, float]], now: datetime) -> list[T]:
    """As ``best_first`` orders them, ten times as fast: sorting keeps every other thread waiting until it is done.

    Scores are compared alone first, and what else decides is compared only where they are equal.
    """
    keyed = [(scored(item), item) for item in items]
    keyed.sort(key=lambda one: -one[0][1])
    ordered: list[T] = []
    for _, equal in groupby(keyed, key=lambda one: one[0][1]):
        tied = list(equal)
        if len(tied) > 1:
            tied.sort(key=lambda one: best_first(one[0][0], one[0][1], now))
        ordered += [item for _, item in tied]
    return ordered


def best_first(signal: Signal, its_score: float, now: datetime | None = None) -> tuple[float, float, str, str, str]:
    """Sort key: score, then recency (the future counts as ``now``), then id, so that the order is always the same."""
    moment = signal.timestamp if now is None else min(signal.timestamp, now)
    return (-its_score, -moment.timestamp(), signal.id, signal.url, signal.title)


def _weigh(
    reading: Reading,
    engagement: float | None,
    recency: float,
    relevance: float | None,
    weights: Weights,
    *,
    raised: bool,
) -> Assessed:
    votes = TYPICAL_ENGAGEMENT if engagement is None else engagement
    total = weights.engagement * votes + weights.recency * recency
    known = weights.engagement + weights.recency
    if relevance is not None:
        total, known = total + weights.relevance * relevance, known + weights.relevance
    mean = total / known
    if raised:
        mean += weights.lift * (1 - mean)
    return Assessed(reading, min(round(mean, 4), 1.0), engagement, recency, relevance, raised)


def corroborated(item: Assessed, sources: int, weights: Weights = WEIGHTS) -> Assessed:
    """What stands for a story that so many sources tell: each further one halves the doubt that it matters."""
    corroboration = 1 - 0.5 ** (sources - 1)
    lifted = item.score + weights.corroboration * corroboration * (1 - item.score)
    return replace(item, score=min(round(lifted, 4), 1.0), corroboration=corroboration)


class _Peers:
    """Whom a signal's votes are compared with: the same source's of about its age, where there are enough."""

    def __init__(self, readings: Sequence[Reading], timeframe: Timeframe, now: datetime) -> None:
        self._timeframe_s = timeframe.delta.total_seconds()
        self._now = now
        self._votes: dict[tuple[str, int | None], list[int]] = defaultdict(list)
        for reading in readings:
            if reading.votes is not None:
                source = reading.signal.source
                self._votes[source, None].append(reading.votes)
                self._votes[source, self._band(reading)].append(reading.votes)
        for votes in self._votes.values():
            votes.sort()

    def percentile(self, reading: Reading) -> float | None:
        """The share of its peers that it beats; None where the source tells nothing."""
        source = reading.signal.source
        peers = self._votes.get((source, self._band(reading)), ())
        if len(peers) < LEAST_IN_BAND:
            peers = self._votes.get((source, None), ())
        return _percentile(reading.votes, peers)

    def _band(self, reading: Reading) -> int:
        age_s = (self._now - reading.signal.timestamp).total_seconds()
        return bisect_right(BANDS, age_s / self._timeframe_s)


def _percentile(votes: int | None, ranked: Sequence[int]) -> float | None:
    """The share of the source's signals that it beats, half of its equals included: 0.5 for one alone."""
    if votes is None:
        return None
    return (bisect_left(ranked, votes) + bisect_right(ranked, votes)) / (2 * len(ranked))


def _recency(timestamp: datetime, timeframe: Timeframe, now: datetime) -> float:
    age_s = max((now - timestamp).total_seconds(), 0.0)
    return float(0.5 ** (HALF_LIVES_PER_TIMEFRAME * age_s / timeframe.delta.total_seconds()))


class _Relevance:
    """BM25 over title and excerpt (Robertson and Zaragoza 2009, its variant for fields), scaled to 1.

    A word of the query that is once in the title counts in full, more of it counts no more.
    """

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._weights = _weight_of_terms(readings)
        lengths = [reading.excerpt_words for reading in readings if reading.excerpt_words]
        self._usual_words = sum(lengths) / len(lengths) if lengths else 1.0

    def of(self, reading: Reading) -> float | None:
        """None without a query."""
        if not self._weights:
            return None
        length = max(1.0, 1 - LENGTH_NORM + LENGTH_NORM * reading.excerpt_words / self._usual_words)
        found = 0.0
        for (in_title, in_excerpt), weight in zip(reading.hits, self._weights, strict=True):
            often = in_title + (IN_EXCERPT * in_excerpt / length if in_excerpt else 0.0)
            found += weight * min(1.0, often * (SATURATION + 1) / (often + SATURATION))
        return min(found / sum(self._weights), 1.0)


def _weight_of_terms(readings: Sequence[Reading]) -> list[float]:
    """For each term how rare it is among these signals: the inverse document frequency of BM25."""
    if not readings or not readings[0].hits:
        return []
    having = [0] * len(readings[0].hits)
    for reading in readings:
        for place, hit in enumerate(reading.hits):
            having[place] += hit != (0, 0)
    return [math.log1p((len(readings) - count + 0.5) / (count + 0.5)) for count in having]
