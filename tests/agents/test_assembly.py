"""Everything put together: what is started is closed, and the configuration arrives where it counts."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agents import assembly
from agents.agent import AgentConfig
from agents.assembly import USER_AGENT, running_scout
from agents.bus.memory import MemoryBus
from agents.errors import LifecycleError
from agents.events import WORKFLOW_STARTED, SourceStatus, WorkflowStarted
from agents.fetch.http import HttpFetch
from agents.fetch.request import Request, Response
from agents.resilience.guard import ScanGuard
from agents.resilience.limiter import upstream_host
from agents.settings import SourceSettings
from agents.source import HostLimit
from agents.sources import build_sources
from sandbox.upstreams import SampleUpstreams
from tests.agents.doubles import FakeSource
from tests.upstreams import Upstream, hang, reply_json, status

pytestmark = pytest.mark.usefixtures("bare_environment")


def settings(upstream: Upstream, **changes: Any) -> SourceSettings:
    """Hacker News is this upstream; nothing else can be reached."""
    return SourceSettings(hackernews_api_url=upstream.url("/hn"), fetch_allow=upstream.allow, **changes)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the sources that were closed; the only ones there are."""
    names: list[str] = []

    class Closable(FakeSource):
        async def close(self) -> None:
            names.append(self.spec.name)

    monkeypatch.setattr(assembly, "build_sources", lambda _: (Closable("one"), FakeSource("two"), Closable("three")))
    return iter([names])


async def test_every_source_is_there_in_the_order_in_which_people_see_them(tmp_path: Path) -> None:
    async with running_scout(SourceSettings(x_spend_file=str(tmp_path / "x.json")), MemoryBus()) as scout:
        names = [spec.name for spec in scout.specs]
        assert names[:6] == ["reddit", "twitter", "news", "hackernews", "bluesky", "mastodon"]
        assert len(set(names)) == len(names)
        assert scout.running
        assert list(scout.unavailable) == ["twitter"]
        assert "X_BEARER_TOKEN" in scout.unavailable["twitter"]


async def test_all_sources_answer_through_the_real_layers() -> None:
    async with SampleUpstreams() as samples:
        configured = SourceSettings.model_validate({name.lower(): value for name, value in samples.env().items()})
        async with running_scout(configured, MemoryBus()) as scout:
            names = [spec.name for spec in scout.specs]
            discovery = await scout.discover_signals(names, limit=100)
    assert [(report.source, report.status) for report in discovery.reports] == [(n, SourceStatus.OK) for n in names]
    places = {place.source for signal in discovery.signals for place in signal.also_in}
    assert {signal.source for signal in discovery.signals} | places == set(names)


async def test_all_sources_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, an answer takes as long as the slowest: none is asked only after another."""
    hosts: set[str] = set()

    class Together(HttpFetch):
        async def get(self, request: Request) -> Response:
            if (host := upstream_host(request.url)) not in hosts:
                hosts.add(host)
                await everybody.wait()
            return await super().get(request)

    monkeypatch.setattr(assembly, "HttpFetch", Together)
    async with SampleUpstreams() as samples, asyncio.timeout(20):
        everybody = asyncio.Barrier(len(samples.behaviours))
        configured = SourceSettings.model_validate({name.lower(): value for name, value in samples.env().items()})
        async with running_scout(configured, MemoryBus()) as scout:
            names = [spec.name for spec in scout.specs]
            assert len(names) == everybody.parties
            discovery = await scout.discover_signals(names)
    assert {report.status for report in discovery.reports} == {SourceStatus.OK}


async def test_at_the_end_all_is_closed(closed: Iterator[list[str]]) -> None:
    names = next(closed)
    tasks = asyncio.all_tasks()
    async with running_scout(SourceSettings(), MemoryBus()) as scout:
        await scout.discover_signals(["two"])
        assert names == []
    assert names == ["three", "one"]
    assert not scout.running
    assert asyncio.all_tasks() == tasks
    with pytest.raises(LifecycleError):
        await scout.discover_signals(["two"])


async def test_all_is_closed_after_an_error_and_after_a_cancellation_too(closed: Iterator[list[str]]) -> None:
    names = next(closed)

    async def use(error: BaseException | None) -> None:
        async with running_scout(SourceSettings(), MemoryBus()):
            if error is not None:
                raise error
            await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        await use(ZeroDivisionError())
    assert names == ["three", "one"]
    task = asyncio.create_task(use(None))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names == ["three", "one"] * 2


async def test_what_is_under_way_at_the_end_is_given_up_at_once() -> None:
    async with Upstream() as upstream:
        upstream.on("/hn/search", hang())
        upstream.on("/hn/search_by_date", hang())
        async with running_scout(settings(upstream), MemoryBus()) as scout:
            searching = asyncio.create_task(scout.discover_signals(["hackernews"]))
            while not upstream.requests:
                await asyncio.sleep(0.005)
            began = time.perf_counter()
        assert time.perf_counter() - began < 1
        [report] = (await searching).reports
    assert "stopping" in report.sentence


async def test_the_configuration_decides_attempts_circuit_and_cache() -> None:
    config = AgentConfig(timeout_s=1, retry_attempts=1, failure_threshold=2, cache_enabled=False)
    async with Upstream() as upstream, running_scout(settings(upstream), MemoryBus(), config) as scout:
        upstream.on("/hn/search", reply_json({"hits": []}), status(500))
        upstream.on("/hn/search_by_date", reply_json({"hits": []}), status(500))
        found = [await scout.discover_signals(["hackernews"]) for _ in range(3)]
    assert [each.reports[0].status.value for each in found] == ["empty", "failed", "limited"]
    assert len(upstream.requests) == 4


async def test_upstreams_are_told_who_asks() -> None:
    async with Upstream() as upstream, running_scout(settings(upstream), MemoryBus()) as scout:
        upstream.on("/hn/search", reply_json({"hits": []}))
        upstream.on("/hn/search_by_date", reply_json({"hits": []}))
        await scout.discover_signals(["hackernews"])
    assert {request.headers["user-agent"] for request in upstream.requests} == {USER_AGENT}
    assert USER_AGENT.startswith("SignalsScout/")


async def test_the_limits_that_sources_declare_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, HostLimit] = {}

    class Guard(ScanGuard):
        def __init__(self, *arguments: Any, limits: Any, **named: Any) -> None:
            given.update(limits)
            super().__init__(*arguments, limits=limits, **named)

    monkeypatch.setattr(assembly, "ScanGuard", Guard)
    configured = SourceSettings()
    async with running_scout(configured, MemoryBus()):
        pass
    declared = [source.spec.limits for source in build_sources(configured)]
    assert given == {host: limit for limits in declared for host, limit in limits.items()}
    assert "hn.algolia.com" in given
    assert "www.reddit.com" in given


@pytest.mark.parametrize("on", [False, True])
async def test_auto_discovery_is_off_unless_switched_on(on: bool) -> None:
    bus = MemoryBus()

    @asynccontextmanager
    async def scout() -> Any:
        if on:
            async with running_scout(settings(upstream), bus, auto_discovery=True) as running:
                yield running
        else:
            async with running_scout(settings(upstream), bus) as running:
                yield running

    async with Upstream() as upstream:
        upstream.on("/hn/search", reply_json({"hits": []}))
        upstream.on("/hn/search_by_date", reply_json({"hits": []}))
        async with scout():
            event = WorkflowStarted.model_validate({"auto_discovery": True, "sources": [{"name": "hackernews"}]})
            await bus.emit(WORKFLOW_STARTED, event)
            await bus.settled()
    assert len(upstream.requests) == (2 if on else 0)
