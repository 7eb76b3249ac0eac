"""The whole way from what sources found to what is shown, at once or off the event loop."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.events import Filters
from agents.ranking.duplicates import combine, stories
from agents.ranking.filters import Phrases, apply
from agents.ranking.reading import Reading, read, terms
from agents.ranking.score import Assessed, assess
from agents.signal import Signal, Timeframe

INLINE_MAX = 60
"""Signals that are ranked on the event loop: 2 to 3 ms, which a hop to a thread would not make shorter."""
BATCH_SIZE = 500
"""Signals that one hop to a thread reads: some 10 ms of work for 0.1 ms of hop, and where a cancelled one stops."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many of the signals given are not in the answer, by reason."""

    older: int = 0
    """Older than the timeframe."""
    nsfw: int = 0
    muted: int = 0
    merged: int = 0
    """Another signal of the same story stands for it."""
    weak: int = 0
    """Stories below the least score."""
    cut: int = 0
    """Stories beyond the limit."""

    @property
    def total(self) -> int:
        """All of them; with the signals shown, as many as were given."""
        return self.older + self.nsfw + self.muted + self.merged + self.weak + self.cut


@dataclass(frozen=True, slots=True)
class Ranked:
    """The answer: signals best first, and what became of the others."""

    signals: tuple[Signal, ...]
    found: int
    """Distinct stories that are good enough, before the limit."""
    dropped: Dropped


@dataclass(frozen=True, slots=True)
class _Aim:
    """What the ranking is for."""

    query: str | None
    timeframe: Timeframe
    now: datetime
    filters: Filters
    min_score: float
    strict: bool
    """True: a story of exactly the least score is not good enough."""
    limit: int | None

    def accepts(self, score: float) -> bool:
        """Whether a score is good enough."""
        return score > self.min_score if self.strict else score >= self.min_score


@dataclass(frozen=True, slots=True)
class _Story:
    members: list[Assessed]
    """Best first."""

    @property
    def sources(self) -> set[str]:
        return {member.reading.signal.source for member in self.members}

    def signal(self) -> Signal:
        """One copy per story shown: copies cost more than the arithmetic."""
        lead = self.members[0]
        return combine([member.reading.signal for member in self.members], score=lead.score, parts=lead.parts)


def rank(
    signals: Iterable[Signal],
    *,
    query: str | None,
    timeframe: Timeframe,
    now: datetime,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    min_score: float = 0.0,
    limit: int | None = None,
    strict: bool = False,
) -> Ranked:
    """Leave out, score, merge, and cut to ``limit``.

    Every source with a story of at least ``min_score`` keeps one place (alone, or in another's ``also_in``), as
    long as there are places: a loud source must not hide that a quiet one answered.
    """
    aim = _Aim(query, timeframe, now, filters, min_score, strict, limit)
    return _rank(tuple(signals), aim)


async def rank_off_loop(
    signals: Sequence[Signal],
    *,
    query: str | None,
    timeframe: Timeframe,
    now: datetime,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    min_score: float = 0.0,
    limit: int | None = None,
    strict: bool = False,
) -> Ranked:
    """As :func:`rank`, in threads for all but short lists, so that the event loop goes on."""
    aim = _Aim(query, timeframe, now, filters, min_score, strict, limit)
    if len(signals) <= INLINE_MAX:
        return _rank(signals, aim)
    wanted, dropped = await asyncio.to_thread(_leave_out, signals, aim)
    query_terms = terms(query)
    readings: list[Reading] = []
    for start in range(0, len(wanted), BATCH_SIZE):
        readings += await asyncio.to_thread(read, wanted[start : start + BATCH_SIZE], query_terms)
    return await asyncio.to_thread(_conclude, readings, aim, dropped)


async def batch(
    signals: Sequence[Signal], *, min_score: float, query: str | None, timeframe: Timeframe, now: datetime
) -> list[Signal]:
    """Stories with a score above ``min_score``, best first, of lists of any length; no content is left out."""
    ranked = await rank_off_loop(
        signals,
        query=query,
        timeframe=timeframe,
        now=now,
        filters=Filters(nsfw=True),
        min_score=min_score,
        strict=True,
    )
    return list(ranked.signals)


def _rank(signals: Sequence[Signal], aim: _Aim) -> Ranked:
    wanted, dropped = _leave_out(signals, aim)
    return _conclude(read(wanted, terms(aim.query)), aim, dropped)


def _leave_out(signals: Sequence[Signal], aim: _Aim) -> tuple[tuple[Signal, ...], Dropped]:
    since = aim.now - aim.timeframe.delta
    recent = [signal for signal in signals if signal.timestamp >= since]
    filtered = apply(recent, aim.filters)
    return filtered.signals, Dropped(older=len(signals) - len(recent), nsfw=filtered.nsfw, muted=filtered.muted)


def _conclude(readings: Sequence[Reading], aim: _Aim, dropped: Dropped) -> Ranked:
    assessed = assess(readings, aim.timeframe, aim.now, wanted=Phrases(aim.filters.raised))
    all_stories = [
        _Story([assessed[place] for place in places]) for places in stories([item.reading for item in assessed])
    ]
    good = [story for story in all_stories if aim.accepts(story.members[0].score)]
    shown = good if aim.limit is None else _honest_mix(good, aim.limit)
    return Ranked(
        signals=tuple([story.signal() for story in shown]),
        found=len(good),
        dropped=Dropped(
            older=dropped.older,
            nsfw=dropped.nsfw,
            muted=dropped.muted,
            merged=len(readings) - len(all_stories),
            weak=len(all_stories) - len(good),
            cut=len(good) - len(shown),
        ),
    )


def _honest_mix(good: Sequence[_Story], limit: int) -> list[_Story]:
    """The first ``limit`` stories; the last that can be spared give way to the best of sources left out."""
    chosen = dict.fromkeys(range(min(limit, len(good))))
    places = Counter(source for place in chosen for source in good[place].sources)
    for place in range(limit, len(good)):
        newcomer = good[place].sources
        if newcomer <= places.keys():
            continue
        spare = next((old for old in reversed(chosen) if all(places[name] > 1 for name in good[old].sources)), None)
        if spare is None:
            break
        del chosen[spare]
        places.subtract(good[spare].sources)
        chosen[place] = None
        places.update(newcomer)
    return [good[place] for place in sorted(chosen)]
