"""Asking for digests: each distinct question is put once, however many digests wait for its answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents import telemetry
from agents.errors import BusError
from agents.events import SIGNALS_REQUESTED, SignalsRequested, SignalsResponse, Topic, new_id
from bot.clock import Clock
from bot.digest_question import Wanted
from bot.novelty import Candidates
from bot.recent import Recent
from bot.subscription import REQUESTER_KIND

ANSWER_S = 60.0
GRACE_S = 5.0
"""How much longer than the request's deadline a response is waited for."""
KEEP_S = 60.0
"""How long an answer serves those who ask the same a little later."""
_KEPT = 8

Publish = Callable[[Topic[SignalsRequested], SignalsRequested], Awaitable[None]]


class NoAnswer(Exception):
    """No response came."""


@dataclass(frozen=True, slots=True)
class Found:
    """A response, prepared for being compared with what was seen."""

    response: SignalsResponse
    candidates: Candidates
    at: datetime
    """When it came, by the clock that digests live by."""

    @property
    def answered(self) -> bool:
        """Whether any source did."""
        return self.response.error is None and any(report.status.answered for report in self.response.reports)


class Asker:
    """Puts questions to the agents and hands their answers to all who wait for them; ``close`` it."""

    def __init__(
        self, publish: Publish, *, clock: Clock, answer_s: float = ANSWER_S, grace_s: float = GRACE_S
    ) -> None:
        self._publish = publish
        self._clock = clock
        self._answer_s = answer_s
        self._grace_s = grace_s
        self._pending: dict[str, asyncio.Future[SignalsResponse]] = {}
        self._flights: dict[str, asyncio.Task[Found]] = {}
        self._recent: Recent[str, tuple[float, Found]] = Recent(_KEPT)

    async def ask(self, wanted: Wanted) -> Found:
        """The answer, whether any source answered or not. Raises ``NoAnswer``."""
        recent = self._recent.get(wanted.key)
        if recent is not None and self._clock.monotonic() - recent[0] < KEEP_S:
            return recent[1]
        flight = self._flights.get(wanted.key)
        if flight is None:
            flight = self._flights[wanted.key] = asyncio.create_task(self._find(wanted), name="digest-question")
            flight.add_done_callback(lambda done: self._landed(wanted.key, done))
        return await asyncio.shield(flight)

    async def on_response(self, event: SignalsResponse) -> None:
        """For the bus."""
        pending = self._pending.get(event.request_id) if event.requester.kind == REQUESTER_KIND else None
        if pending is not None and not pending.done():
            pending.set_result(event)

    async def close(self) -> None:
        """Wait for no answer any more."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        if flights:
            await asyncio.wait(flights)

    def _landed(self, key: str, flight: asyncio.Task[Found]) -> None:
        del self._flights[key]
        if not flight.cancelled() and flight.exception() is None and flight.result().answered:
            self._recent.put(key, (self._clock.monotonic(), flight.result()))

    async def _find(self, wanted: Wanted) -> Found:
        request = wanted.request.model_copy(
            update={
                "event_id": new_id(),
                "request_id": new_id(),
                "occurred_at": self._clock.utc(),
                "traceparent": telemetry.traceparent(),
                "deadline": self._clock.utc() + timedelta(seconds=self._answer_s),
            }
        )
        pending = self._pending[request.request_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._answer_s + self._grace_s):
                await self._publish(SIGNALS_REQUESTED, request)
                response = await pending
        except (TimeoutError, BusError) as error:
            raise NoAnswer from error
        finally:
            del self._pending[request.request_id]
        at = self._clock.utc()
        return Found(response, await asyncio.to_thread(Candidates, response.signals), at)
