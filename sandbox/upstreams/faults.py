"""How a sample upstream can be told to misbehave, and how slow it is."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import StrEnum

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SLOW_S = 60.0


class Fault(StrEnum):
    """What an upstream does instead of answering."""

    NONE = "none"
    SLOW = "slow"
    """Answers after a minute: longer than anybody waits."""
    ERROR = "error"
    """Status 500."""
    RATE_LIMITED = "rate limited"
    """Status 429 with Retry-After."""
    GARBAGE = "garbage"
    """A page for people with status 200."""
    CUT = "cut"
    """The connection ends in the middle of the body."""


class Behaviour:
    """The present behaviour of one upstream; may be changed while it runs."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.fault = Fault.NONE
        self.requests = 0
        """How many it was sent, answered or not."""
        self.asked: Counter[str] = Counter()
        """How often each address was asked for, with its query; as many addresses as there are questions."""

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Delay, then misbehave or answer."""
        self.requests += 1
        self.asked[f"{request.method} {request.path_qs}"] += 1
        await asyncio.sleep(_SLOW_S if self.fault is Fault.SLOW else self.latency_s)
        match self.fault:
            case Fault.ERROR:
                return web.Response(status=500, text="Internal Server Error")
            case Fault.RATE_LIMITED:
                return web.Response(status=429, headers={"Retry-After": "30"}, text="Too Many Requests")
            case Fault.GARBAGE:
                return web.Response(text="<!doctype html><title>Are you human?</title>", content_type="text/html")
            case Fault.CUT:
                return await _cut(request)
            case _:
                return await handler(request)


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "5000"})
    await response.prepare(request)
    await response.write(b'{"data": {"children": [')
    if request.transport is not None:
        request.transport.abort()
    return response
