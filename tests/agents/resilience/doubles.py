"""A clock that stands still until told, an upstream and a source with behaviour."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from random import Random

from agents.fetch.request import Fetch, Request, Response
from agents.signal import Timeframe
from agents.source import Question, Scan, SourceSpec


class Clock:
    """Monotonic seconds that pass only when told; who waits with ``later`` passes them at once."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.Handle:
        def pass_time() -> None:
            self.slept.append(seconds)
            self.now_s += seconds
            call()

        return asyncio.get_running_loop().call_soon(pass_time)


class LongestJitter(Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        return b


class NoJitter(Random):
    """Draws the lower end."""

    def uniform(self, a: float, b: float) -> float:
        return a


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def answer(url: str = "https://up.example/") -> Response:
    return Response(status=200, url=url, headers={}, body=b"{}", content_type="application/json")


class Upstream:
    """A raw fetch: each call takes the next step of the script, then the last one again and again."""

    def __init__(self, *script: Exception | Callable[[], Awaitable[None]] | None) -> None:
        self.script = list(script) or [None]
        self.calls: list[str] = []
        self.cancelled = 0

    async def get(self, request: Request) -> Response:
        self.calls.append(request.url)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        try:
            if step is not None:
                await step()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return answer(request.url)

    def pause(self, url: str, seconds: float) -> None:
        raise AssertionError("pauses are the limiter's")


async def hang() -> None:
    """Never answer."""
    await asyncio.Event().wait()


class OnePage:
    """A source that fetches its addresses one after the other."""

    def __init__(self, *urls: str, ttl_s: float = 0.0, partial: bool = False) -> None:
        self.urls = urls or ("https://up.example/new",)
        self.partial = partial
        self.spec = SourceSpec(name="page", title="Page", help="Read one page", ttl_s=ttl_s)
        self.questions: list[Question] = []

    def unavailable(self) -> str | None:
        return None

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        self.questions.append(question)
        for url in self.urls:
            await fetch.get(Request(url))
        return Scan((), partial=self.partial)


def question(
    query: str | None = None,
    *,
    options: Mapping[str, str] | None = None,
    timeframe: Timeframe = Timeframe.DAY,
    limit: int = 10,
    now: datetime = datetime(2026, 1, 2, tzinfo=UTC),
) -> Question:
    return Question(options=options or {}, query=query, timeframe=timeframe, limit=limit, now=now)
