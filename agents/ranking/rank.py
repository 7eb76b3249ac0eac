"""The whole way from what sources found to what is shown, at once or off the event loop."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from agents.events import Filters
from agents.ranking.diversity import first
from agents.ranking.duplicates import MAX_ALSO_IN, combine, stories
from agents.ranking.filters import Phrases
from agents.ranking.pauses import no_full_collections
from agents.ranking.query import Query, parse
from agents.ranking.reading import Reading, read
from agents.ranking.score import Assessed, assess, best_first, corroborated, sort_best_first
from agents.signal import LeftOut, Reason, Signal, Timeframe

INLINE_MAX = 60
"""Signals that are ranked on the event loop: 2 to 3 ms, which a hop to a thread would not make shorter."""
BATCH_SIZE = 500
"""Signals that one hop to a thread reads: some 10 ms of work for 0.1 ms of hop, and where a cancelled one stops."""
MOST_LEFT_OUT = 150
MOST_UNNAMED = 30
"""Of those, how many tell a story that is shown, and are not named with it."""
_TOLD_TITLE = 100
_LEFT_OUT_FIELDS = set(LeftOut.model_fields)
"""One set for all: hundreds of answers are kept in memory, with 150 of these each."""
_NEAREST = {reason: place for place, reason in enumerate((Reason.UNASKED, Reason.MUTED, Reason.OLDER, Reason.NSFW))}


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many of the signals given are not in the answer, by reason."""

    older: int = 0
    """Older than the timeframe."""
    nsfw: int = 0
    muted: int = 0
    unasked: int = 0
    """Not what the operators of the query ask for."""
    merged: int = 0
    """Another signal of the same story stands for it."""
    weak: int = 0
    """Stories below the least score."""
    cut: int = 0
    """Stories without a place: beyond the limit, or for the sake of diversity."""

    @property
    def total(self) -> int:
        """All of them; with the signals shown, as many as were given."""
        return self.older + self.nsfw + self.muted + self.unasked + self.merged + self.weak + self.cut


@dataclass(frozen=True, slots=True)
class Ranked:
    """The answer: signals best first, and what became of the others."""

    signals: tuple[Signal, ...]
    found: int
    """Distinct stories that are good enough, before the limit."""
    dropped: Dropped
    left_out: tuple[LeftOut, ...] = ()
    """Those that came nearest to being shown first; at most ``MOST_LEFT_OUT``."""


@dataclass(frozen=True, slots=True)
class _Aim:
    """What the ranking is for."""

    query: Query
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
    lead: Assessed
    """The best of its members, lifted by how many sources tell the story."""
    members: list[Assessed]
    """Best first, the lead as it was scored."""
    sources: frozenset[str]

    @classmethod
    def of(cls, members: list[Assessed]) -> "_Story":
        sources = frozenset(member.reading.signal.source for member in members)
        return cls(corroborated(members[0], len(sources)), members, sources)

    @property
    def nsfw(self) -> bool:
        """Whether one of its members is not safe for work."""
        return any(member.reading.signal.nsfw for member in self.members)

    def signal(self) -> Signal:
        """One copy per story shown: copies cost more than the arithmetic."""
        signals = [member.reading.signal for member in self.members]
        return combine(signals, score=self.lead.score, parts=self.lead.parts)


@dataclass(frozen=True, slots=True)
class _WhyCut:
    """Why good stories are not shown, by their places."""

    best: frozenset[int]
    """Those that would be shown if every source had its place among them."""
    last: int
    """The last of those."""

    def of(self, place: int) -> Reason:
        if place in self.best:
            return Reason.YIELDED
        return Reason.CROWDED if place < self.last else Reason.CUT


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

    Of the first places, an author or a domain has at most three, as long as others can fill them (``diversity``).
    Every source with a story of at least ``min_score`` keeps one place (alone, or in another's ``also_in``), as
    long as there are places: a loud source must not hide that a quiet one answered.
    """
    aim = _Aim(parse(query), timeframe, now, filters, min_score, strict, limit)
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
    aim = _Aim(parse(query), timeframe, now, filters, min_score, strict, limit)
    if len(signals) <= INLINE_MAX:
        return _rank(signals, aim)
    with no_full_collections():
        wanted, left_out = await asyncio.to_thread(_leave_out, signals, aim)
        readings: list[Reading] = []
        for start in range(0, len(wanted), BATCH_SIZE):
            readings += await asyncio.to_thread(read, wanted[start : start + BATCH_SIZE], aim.query.terms)
        return await asyncio.to_thread(_conclude, readings, aim, left_out)


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
    wanted, left_out = _leave_out(signals, aim)
    return _conclude(read(wanted, aim.query.terms), aim, left_out)


def _leave_out(signals: Sequence[Signal], aim: _Aim) -> tuple[list[Signal], list[tuple[Signal, Reason]]]:
    """What may be shown, in the order given, and what may not."""
    since = aim.now - aim.timeframe.delta
    muted = Phrases(aim.filters.muted)
    wanted: list[Signal] = []
    left_out: list[tuple[Signal, Reason]] = []
    for signal in signals:
        if signal.timestamp < since:
            left_out.append((signal, Reason.OLDER))
        elif signal.nsfw and not aim.filters.nsfw:
            left_out.append((signal, Reason.NSFW))
        elif muted.stand_in(signal):
            left_out.append((signal, Reason.MUTED))
        elif not aim.query.accepts(signal):
            left_out.append((signal, Reason.UNASKED))
        else:
            wanted.append(signal)
    return wanted, left_out


def _conclude(readings: Sequence[Reading], aim: _Aim, before: Sequence[tuple[Signal, Reason]]) -> Ranked:
    assessed = assess(readings, aim.timeframe, aim.now, wanted=Phrases(aim.filters.raised))
    all_stories = sort_best_first(
        (_Story.of([assessed[place] for place in places]) for places in stories([item.reading for item in assessed])),
        lambda story: (story.lead.reading.signal, story.lead.score),
        aim.now,
    )
    good = [story for story in all_stories if aim.accepts(story.lead.score)]
    weak = all_stories[len(good) :]  # sorted, so these are all the others
    best = list(range(len(good))) if aim.limit is None else first(good, aim.limit, _lead)
    shown = _honest_mix(good, best)
    why = _WhyCut(frozenset(best), max(best, default=0))
    cut = [(good[place], why.of(place)) for place in sorted(set(range(len(good))).difference(shown))]
    not_shown = [*cut, *((story, Reason.WEAK) for story in weak)]
    counts = Counter(reason for _, reason in before)
    return Ranked(
        signals=tuple([good[place].signal() for place in shown]),
        found=len(good),
        dropped=Dropped(
            older=counts[Reason.OLDER],
            nsfw=counts[Reason.NSFW],
            muted=counts[Reason.MUTED],
            unasked=counts[Reason.UNASKED],
            merged=len(readings) - len(all_stories),
            weak=len(weak),
            cut=len(cut),
        ),
        left_out=tuple(islice(_left_out([good[place] for place in shown], not_shown, before), MOST_LEFT_OUT)),
    )


def _lead(story: _Story) -> Signal:
    return story.lead.reading.signal


def _left_out(
    shown: Iterable[_Story],
    not_shown: Iterable[tuple[_Story, Reason]],
    before: Sequence[tuple[Signal, Reason]],
) -> Iterator[LeftOut]:
    """What became of everything that is not shown, nor named as another place of what is shown."""
    unnamed = (
        (story, member)
        for story in shown
        for number, member in enumerate(story.members[1:])
        if not _is_named(story, number, member.reading)
    )
    for story, member in islice(unnamed, MOST_UNNAMED):
        yield _merged(story, member)
    for story, reason in not_shown:
        yield _account(_lead(story), reason, scored=story.lead, nsfw=story.nsfw)
        for member in story.members[1:]:
            yield _merged(story, member)
    for signal, reason in sorted(before, key=lambda one: (_NEAREST[one[1]], best_first(one[0], 0.0))):
        yield _account(signal, reason, nsfw=signal.nsfw)


def _is_named(story: _Story, number: int, reading: Reading) -> bool:
    """Whether the page of that one of a story's other members can be found in what is shown of it."""
    if reading.page == story.lead.reading.page:
        return True
    return number < MAX_ALSO_IN and reading.signal.discussion_url is None


def _merged(story: _Story, member: Assessed) -> LeftOut:
    return _account(member.reading.signal, Reason.MERGED, detail=_lead(story).title, scored=member, nsfw=story.nsfw)


def _account(
    signal: Signal, reason: Reason, *, nsfw: bool, detail: str = "", scored: Assessed | None = None
) -> LeftOut:
    return LeftOut.model_construct(
        _LEFT_OUT_FIELDS,
        source=signal.source,
        title=signal.title[:_TOLD_TITLE],
        url=signal.url,
        discussion_url=signal.discussion_url,
        nsfw=nsfw,
        reason=reason,
        detail=detail[:_TOLD_TITLE],
        score=None if scored is None else scored.score,
        parts=None if scored is None else scored.parts,
    )


def _honest_mix(good: Sequence[_Story], best: Sequence[int]) -> list[int]:
    """Places of the first stories; the last that can be spared give way to the best of sources left out."""
    chosen = dict.fromkeys(best)
    places = Counter(source for place in chosen for source in good[place].sources)
    for place in range(len(good)):
        newcomer = good[place].sources
        if place in chosen or newcomer <= places.keys():
            continue
        spare = next((old for old in reversed(chosen) if all(places[name] > 1 for name in good[old].sources)), None)
        if spare is None:
            break
        del chosen[spare]
        places.subtract(good[spare].sources)
        chosen[place] = None
        places.update(newcomer)
    return sorted(chosen)
