"""The agents as the bot puts them together, reading local upstreams."""

from contextlib import AbstractAsyncContextManager

from agents.assembly import running_scout
from agents.bus import EventBus
from agents.scout import SignalsScout
from agents.settings import SourceSettings


def scout_reading(
    bus: EventBus, *, feeds: tuple[str, ...], address: str
) -> AbstractAsyncContextManager[SignalsScout]:
    """A scout with every source, whose news come from ``feeds`` at ``address`` (host:port)."""
    settings = SourceSettings(
        _env_file=None,
        news_feeds=feeds,
        fetch_allow=address,
    )
    return running_scout(settings, bus)
