"""Puts the agents together: fetch, guard, sources, scout. The one module of this package that knows every part."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agents import __version__
from agents.agent import AgentConfig
from agents.bus import EventBus
from agents.feed_probe import FeedProbe
from agents.feeds import LooksAtFeeds
from agents.fetch.addresses import parse_allow
from agents.fetch.http import HttpFetch
from agents.resilience.guard import ResilienceConfig, ScanGuard
from agents.scout import SCOUT_CONFIG, SignalsScout
from agents.settings import SourceSettings
from agents.source import HostLimit, Source
from agents.sources import build_sources
from agents.sources.feeds import FeedParser

USER_AGENT = f"SignalsScout/{__version__} (reads feeds and searches on behalf of people who ask)"


@runtime_checkable
class _Closable(Protocol):
    async def close(self) -> None: ...


LOOK_S = 15.0
"""What one request of a look at a feed may take."""


@dataclass(frozen=True, slots=True)
class Agents:
    """What runs, for whoever stands in front of it."""

    scout: SignalsScout
    feeds: LooksAtFeeds


@asynccontextmanager
async def running_scout(
    settings: SourceSettings, bus: EventBus, config: AgentConfig = SCOUT_CONFIG, *, auto_discovery: bool = False
) -> AsyncIterator[SignalsScout]:
    """A started scout with every source, on ``bus``; all that it opened is closed at the end."""
    async with running_agents(settings, bus, config, auto_discovery=auto_discovery) as agents:
        yield agents.scout


@asynccontextmanager
async def running_agents(
    settings: SourceSettings, bus: EventBus, config: AgentConfig = SCOUT_CONFIG, *, auto_discovery: bool = False
) -> AsyncIterator[Agents]:
    """The same, with what looks at feeds, which reads them in a process of its own: no answer waits for it."""
    async with AsyncExitStack() as stack:
        sources = build_sources(settings)
        for source in sources:
            if isinstance(source, _Closable):
                stack.push_async_callback(source.close)
        fetch = await stack.enter_async_context(
            HttpFetch(user_agent=USER_AGENT, allow=parse_allow(settings.fetch_allow), total_s=config.timeout_s)
        )
        guard = ScanGuard(fetch, resilience_of(config), limits=_limits(sources))
        probe = FeedProbe(lambda: guard.fetch("feeds", LOOK_S), FeedParser(workers=1))
        stack.push_async_callback(probe.close)
        scout = await stack.enter_async_context(
            SignalsScout(bus, sources, guard, config, auto_discovery=auto_discovery)
        )
        yield Agents(scout, probe)


def resilience_of(config: AgentConfig) -> ResilienceConfig:
    """What an agent's configuration says to the layers around its sources."""
    return ResilienceConfig(
        timeout_s=config.timeout_s,
        retry_attempts=config.retry_attempts,
        cache_enabled=config.cache_enabled,
        cache_ttl_s=config.cache_ttl_s,
        failure_threshold=config.failure_threshold,
        recovery_timeout_s=config.recovery_timeout_s,
    )


def _limits(sources: tuple[Source, ...]) -> dict[str, HostLimit]:
    return {host: limit for source in sources for host, limit in source.spec.limits.items()}
