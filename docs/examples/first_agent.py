"""A first agent: it watches what is discovered, and has a channel told when a word is suddenly everywhere."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import ClassVar

from agents import telemetry
from agents.agent import Agent, AgentCapability
from agents.bus import EventBus
from agents.events import (
    SIGNALS_DISCOVERED,
    SIGNALS_REQUESTED,
    SIGNALS_RESPONSE,
    Requester,
    SignalsDiscovered,
    SignalsRequested,
    SignalsResponse,
    SourceRequest,
)

AGENT_ID = "word-watch"
REMEMBERED_SIGNALS = 1000


class WordWatch(Agent):
    """Asks for signals about ``word`` once ``alert_at`` discovered signals have it in their titles.

    The answer goes where ``requester`` says. After an alert, the next may come in ``pause_s`` seconds.
    """

    capabilities: ClassVar[tuple[AgentCapability, ...]] = (
        AgentCapability(
            name="watch-word",
            description="Has a channel told when a word is suddenly everywhere",
            input_types=("signals:discovered",),
            output_types=("signals:requested",),
        ),
    )

    def __init__(
        self,
        bus: EventBus,
        word: str,
        requester: Requester,
        *,
        sources: tuple[str, ...] = ("reddit", "hackernews", "news"),
        alert_at: int = 3,
        pause_s: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(AGENT_ID, bus)
        self._word = word
        self._pattern = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
        self._requester = requester
        self._sources = sources
        self._alert_at = alert_at
        self._pause_s = pause_s
        self._clock = clock
        self._quiet_until = clock()
        self._seen: OrderedDict[str, bool] = OrderedDict()
        self._asked: str | None = None

    async def on_start(self) -> None:
        """Subscribe."""
        self.subscribe(SIGNALS_DISCOVERED, self.on_signals_discovered)
        self.subscribe(SIGNALS_RESPONSE, self.on_signals_response)

    async def on_signals_discovered(self, event: SignalsDiscovered) -> None:
        """Count; ask when it is time."""
        with telemetry.span("word-watch.count", {"agent.id": self.agent_id}, parent=event.traceparent):
            for signal in event.signals:
                self._seen[signal.id] = bool(self._pattern.search(signal.title))
            while len(self._seen) > REMEMBERED_SIGNALS:
                self._seen.popitem(last=False)
            found = sum(self._seen.values())
            if found >= self._alert_at and self._clock() >= self._quiet_until:
                # Before the first await: other events of the topic are handled at the same time.
                self._quiet_until = self._clock() + self._pause_s
                await self._ask(found)

    async def _ask(self, found: int) -> None:
        request = SignalsRequested(
            requester=self._requester,
            sources=tuple(SourceRequest(name=name) for name in self._sources),
            query=self._word,
            limit=5,
        )
        self._asked = request.request_id
        self.log.info("word is everywhere", word=self._word, signals=found, request_id=request.request_id)
        await self.bus.emit(SIGNALS_REQUESTED, request)

    async def on_signals_response(self, event: SignalsResponse) -> None:
        """Note what came of the alert; showing it is the bot's part."""
        if event.request_id == self._asked:
            self.log.info("alert answered", request_id=event.request_id, signals=len(event.signals))
