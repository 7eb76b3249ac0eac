"""Which stories stand near the top: no author and no site has more than three of them."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from agents.signal import Signal
from agents.urls import domain

MOST_OF_ONE = 3
"""Stories of one author or one domain among the first."""

T = TypeVar("T")
Keys = Callable[[Signal], Iterable[Hashable]]
"""What a story is one of."""


def first(stories: Sequence[T], limit: int, signal_of: Callable[[T], Signal]) -> list[int]:
    """Places of the best ``limit`` stories, in their order, given best first.

    Those beyond the third of an author or a domain are taken only where others do not fill the limit, those of one
    domain (which may be all that a source has) before those of one author. A domain where people talk about stories
    of other sites is no domain in this sense: Reddit is not an author.
    """
    if len(stories) <= limit:
        return list(range(len(stories)))
    leads = [signal_of(story) for story in stories]
    platforms = _platforms(leads)
    chosen: dict[int, None] = {}
    for keys_of in (lambda lead: (*_author(lead), *_domain(lead, platforms)), _author, lambda _: ()):
        _spread(leads, keys_of, limit, chosen)
    return sorted(chosen)


def _spread(leads: Sequence[Signal], keys_of: Keys, limit: int, chosen: dict[int, None]) -> None:
    """Choose more places, up to the limit, as long as no key is on more than three of them."""
    counts = Counter(key for place in chosen for key in keys_of(leads[place]))
    for place, lead in enumerate(leads):
        if len(chosen) == limit:
            return
        if place in chosen:
            continue
        keys = tuple(keys_of(lead))
        if all(counts[key] < MOST_OF_ONE for key in keys):
            counts.update(keys)
            chosen[place] = None


def _author(signal: Signal) -> Iterator[tuple[str, str]]:
    if signal.author:
        yield signal.source, signal.author


def _domain(signal: Signal, platforms: frozenset[str]) -> Iterator[str]:
    host = domain(signal.url)
    if host and host not in platforms:
        yield host


def _platforms(signals: Sequence[Signal]) -> frozenset[str]:
    links = ((domain(signal.discussion_url), domain(signal.url)) for signal in signals if signal.discussion_url)
    return frozenset(talk for talk, page in links if talk != page)
