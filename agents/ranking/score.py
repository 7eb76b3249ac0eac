"""How good a signal is, from 0 to 1, and why. The formula in plain words, with an example: ``docs/ranking.md``."""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.ranking.filters import Phrases
from agents.ranking.reading import Reading, read, terms
from agents.signal import ScoreParts, Signal, Timeframe

FORMULA_VERSION = 1
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


WEIGHTS = Weights()
NO_PHRASES = Phrases(())

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

    @property
    def parts(self) -> ScoreParts:
        """The parts as the signal carries them."""
        return ScoreParts(
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
    assessed = assess(read(signals, terms(query)), timeframe, now)
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
    by_source = _votes_by_source(readings)
    weight_of_terms = _weight_of_terms(readings)
    assessed = [
        _weigh(
            reading,
            _percentile(reading.votes, by_source.get(reading.signal.source, ())),
            _recency(reading.signal.timestamp, timeframe, now),
            _relevance(reading.hits, weight_of_terms),
            weights,
            raised=wanted.stand_in(reading.signal),
        )
        for reading in readings
    ]
    assessed.sort(key=lambda item: best_first(item.reading.signal, item.score, now))
    return assessed


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


def _votes_by_source(readings: Iterable[Reading]) -> dict[str, list[int]]:
    by_source: dict[str, list[int]] = defaultdict(list)
    for reading in readings:
        if reading.votes is not None:
            by_source[reading.signal.source].append(reading.votes)
    for votes in by_source.values():
        votes.sort()
    return by_source


def _percentile(votes: int | None, ranked: Sequence[int]) -> float | None:
    """The share of the source's signals that it beats, half of its equals included: 0.5 for one alone."""
    if votes is None:
        return None
    return (bisect_left(ranked, votes) + bisect_right(ranked, votes)) / (2 * len(ranked))


def _recency(timestamp: datetime, timeframe: Timeframe, now: datetime) -> float:
    age_s = max((now - timestamp).total_seconds(), 0.0)
    return float(0.5 ** (HALF_LIVES_PER_TIMEFRAME * age_s / timeframe.delta.total_seconds()))


def _weight_of_terms(readings: Sequence[Reading]) -> list[float]:
    """For each term how rare it is among these signals: the inverse document frequency of BM25."""
    if not readings or not readings[0].hits:
        return []
    having = [0] * len(readings[0].hits)
    for reading in readings:
        for place, hit in enumerate(reading.hits):
            having[place] += hit > 0
    return [math.log1p((len(readings) - count + 0.5) / (count + 0.5)) for count in having]


def _relevance(hits: Sequence[float], weight_of_terms: Sequence[float]) -> float | None:
    if not weight_of_terms:
        return None
    found = sum(hit * weight for hit, weight in zip(hits, weight_of_terms, strict=True))
    return min(found / sum(weight_of_terms), 1.0)
