"""Which stories stand near the top: no author and no site has more than three of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from agents.signal import Signal
from agents.urls import domain

MOST_OF_ONE = 3
"""Stories of one author or one domain among the first."""

T = TypeVar("T")


def first(stories: Sequence[T], limit: int, signal_of: Callable[[T], Signal]) -> list[int]:
    """Places of the best ``limit`` stories, in their order, given best first.

    Those beyond the third of an author or a domain are taken only where others do not fill the limit. A domain that
    is where people talk, or that most of a source's stories are on, is no domain in this sense: X is not an author.
    """
    if len(stories) <= limit:
        return list(range(len(stories)))
    leads = [signal_of(story) for story in stories]
    platforms = _platforms(leads)
    counts: Counter[tuple[str, str]] = Counter()
    chosen: list[int] = []
    spared: list[int] = []
    for place, lead in enumerate(leads):
        keys = tuple(_keys(lead, platforms))
        if any(counts[key] >= MOST_OF_ONE for key in keys):
            spared.append(place)
            continue
        counts.update(keys)
        chosen.append(place)
        if len(chosen) == limit:
            break
    return sorted(chosen + spared[: limit - len(chosen)])


def diverse(signals: Sequence[Signal], limit: int) -> tuple[Signal, ...]:
    """The best ``limit`` of signals given best first, as ``first`` chooses them."""
    return tuple(signals[place] for place in first(signals, limit, lambda signal: signal))


def _keys(signal: Signal, platforms: frozenset[str]) -> Iterator[tuple[str, str]]:
    if signal.author:
        yield signal.source, signal.author
    host = domain(signal.url)
    if host and host not in platforms:
        yield "domain", host


def _platforms(signals: Sequence[Signal]) -> frozenset[str]:
    talking = {domain(signal.discussion_url) for signal in signals if signal.discussion_url}
    of_source = Counter(signal.source for signal in signals)
    on_domain = Counter((signal.source, domain(signal.url)) for signal in signals)
    usual = {host for (source, host), count in on_domain.items() if 2 * count >= of_source[source]}
    return frozenset(talking | usual)
