"""Sample upstreams on loopback, in the real shapes: what the agents read in the demo when there is no internet."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from aiohttp import web

from sandbox.upstreams import (
    arxiv,
    bluesky,
    gdelt,
    github,
    hackernews,
    lobsters,
    mastodon,
    news,
    reddit,
    stackexchange,
    x,
    youtube,
)
from sandbox.upstreams.faults import Behaviour, Fault

__all__ = ["Behaviour", "Fault", "SampleUpstreams"]

_ROUTES = {
    "reddit": reddit.routes,
    "hackernews": hackernews.routes,
    "news": news.routes,
    "x": x.routes,
    "bluesky": bluesky.routes,
    "mastodon": mastodon.routes,
    "github": github.routes,
    "stackexchange": stackexchange.routes,
    "lobsters": lobsters.routes,
    "youtube": youtube.routes,
    "arxiv": arxiv.routes,
    "gdelt": gdelt.routes,
}


class SampleUpstreams:
    """One server per upstream, each on a port of its own, as async context manager.

    ``latency_s``: by upstream (``reddit``, ``x``, …), so that progress can be seen.
    """

    def __init__(self, *, latency_s: Mapping[str, float] | None = None) -> None:
        delays = latency_s or {}
        self.behaviours = {name: Behaviour(delays.get(name, 0.0)) for name in _ROUTES}
        """What each upstream does; set ``fault`` and ``latency_s`` while it runs."""
        self._ports: dict[str, int] = {}
        self._directory = ""
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        start = datetime.now(UTC)
        async with self._running:
            self._directory = self._running.enter_context(TemporaryDirectory(prefix="sample-upstreams-"))
            for name, routes in _ROUTES.items():
                app = web.Application(middlewares=[self.behaviours[name].middleware])
                app.add_routes(routes(start))
                runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
                await runner.setup()
                self._running.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self._ports[name] = runner.addresses[0][1]
            self._running = self._running.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    def base_url(self, upstream: str) -> str:
        """Where that upstream listens, without a path."""
        return f"http://127.0.0.1:{self._ports[upstream]}"

    def env(self) -> dict[str, str]:
        """The environment that points the agents here; what they spend at the sample X is no real money."""
        return {
            "REDDIT_URL": self.base_url("reddit"),
            "REDDIT_API_URL": self.base_url("reddit"),
            "REDDIT_CLIENT_ID": reddit.CLIENT_ID,
            "REDDIT_CLIENT_SECRET": reddit.CLIENT_SECRET,
            "REDDIT_SUBREDDITS": "python,rust,programming,technology,selfhosted",
            "HACKERNEWS_API_URL": f"{self.base_url('hackernews')}/api/v1",
            "X_API_URL": f"{self.base_url('x')}/2",
            "X_BEARER_TOKEN": x.TOKEN,
            "X_SPEND_FILE": str(Path(self._directory) / "x-spend.json"),
            "BLUESKY_API_URL": f"{self.base_url('bluesky')}/xrpc",
            "MASTODON_URL": self.base_url("mastodon"),
            "GITHUB_API_URL": self.base_url("github"),
            "GITHUB_TOKEN": github.TOKEN,
            "STACKEXCHANGE_API_URL": f"{self.base_url('stackexchange')}/2.3",
            "STACKEXCHANGE_KEY": stackexchange.KEY,
            "LOBSTERS_URL": self.base_url("lobsters"),
            "YOUTUBE_URL": self.base_url("youtube"),
            "YOUTUBE_CHANNELS": ",".join(youtube.CHANNELS),
            "ARXIV_API_URL": f"{self.base_url('arxiv')}/api",
            "GDELT_API_URL": f"{self.base_url('gdelt')}/api/v2",
            "NEWS_FEEDS": ",".join(self.base_url("news") + path for path in news.FEEDS),
            "FETCH_ALLOW": ",".join(f"127.0.0.1:{port}" for port in self._ports.values()),
        }
