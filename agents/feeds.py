"""What somebody's feed is found to be, and who finds it out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One item as people are shown it."""

    title: str
    url: str | None = None
    published_at: datetime | None = None
    """Aware, UTC; None where the feed gives no date that can be read."""


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that was read just now."""

    address: str
    """Where it is to be read from now on, which may be elsewhere than where it was looked for."""
    title: str
    """May be empty."""
    items: tuple[FeedItem, ...]
    """The newest few, newest first; those without a date last."""
    count: int
    """Items in all, as far as they were looked at."""
    others: tuple[str, ...] = ()
    """Addresses of the other feeds that the page names, where a page was looked at."""


class LooksAtFeeds(Protocol):
    """Finds out what is at an address that a person gave."""

    async def look(self, address: str) -> FoundFeed:
        """The feed there, or the first one that the web page there names.

        Raises a ``SourceError`` in words: no feed, not reachable, an address that may not be asked.
        """
        ...
