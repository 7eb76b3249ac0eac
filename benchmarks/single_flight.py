"""Many people, one question, one fetch: counted at the upstream, through the bus and the real HTTP client."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

from agents.bus.memory import MemoryBus
from agents.events import (
    SIGNALS_REQUESTED,
    SIGNALS_RESPONSE,
    Requester,
    SignalsRequested,
    SignalsResponse,
    SourceRequest,
)
from benchmarks.figure import Measured, Size
from benchmarks.upstreams import scout_reading

NAME = "single-flight"
GUILDS = 100
_REQUESTS = {Size.FULL: 1000, Size.TINY: 200}
_ROUNDS = {Size.FULL: 5, Size.TINY: 1}
_UPSTREAM_S = 0.05


class Unanswered(Exception):
    """A request was not answered with what the upstream has: then a low count of fetches means nothing."""


async def measure(size: Size) -> list[Measured]:
    """The most fetches that any round needed."""
    counts = [await _fetches(_REQUESTS[size]) for _ in range(_ROUNDS[size])]
    figure = f"upstream fetches for {_REQUESTS[size]:,} identical requests at once from {GUILDS} guilds"
    details = f"{len(counts)} rounds, each over an empty cache; every request answered"
    return [Measured(figure, max(counts), 1, "", details, exactly=True)]


async def _fetches(requests: int) -> int:
    fetches = 0
    feed = _feed()

    async def answer(_request: web.Request) -> web.Response:
        nonlocal fetches
        fetches += 1
        await asyncio.sleep(_UPSTREAM_S)
        return web.Response(text=feed, content_type="application/rss+xml")

    app = web.Application()
    app.router.add_get("/feed", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        await _ask(f"127.0.0.1:{runner.addresses[0][1]}", requests)
    finally:
        await runner.cleanup()
    return fetches


async def _ask(address: str, requests: int) -> None:
    bus = MemoryBus()
    responses: list[SignalsResponse] = []

    async def on_response(event: SignalsResponse) -> None:
        responses.append(event)

    bus.subscribe(SIGNALS_RESPONSE, on_response)
    async with scout_reading(bus, feeds=(f"http://{address}/feed",), address=address):
        for number in range(requests):
            requester = Requester(kind="benchmark", tenant=str(number % GUILDS))
            await bus.emit(
                SIGNALS_REQUESTED, SignalsRequested(requester=requester, sources=(SourceRequest(name="news"),))
            )
        await bus.settled()
    answered = sum(len(response.signals) == 1 for response in responses)
    if answered != requests:
        raise Unanswered(f"{requests - answered} of {requests} requests were not answered: {responses[:1]}")


def _feed() -> str:
    published = format_datetime(datetime.now(UTC) - timedelta(minutes=5))
    return (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>One</title><item><title>One item</title>'
        f"<link>https://example.com/one</link><pubDate>{published}</pubDate></item></channel></rss>"
    )
