"""What every agent has: an id, a logger, a life cycle, a configuration and capabilities that others can read."""

import asyncio
from enum import Enum
from types import TracebackType
from typing import ClassVar, Self, TypeVar

from pydantic import Field

from agents import telemetry
from agents.bus import EventBus, Handler, Subscription
from agents.errors import LifecycleError
from agents.events import Event, Topic
from agents.signal import Frozen, UnitInterval

E = TypeVar("E", bound=Event)


class AgentConfig(Frozen):
    """How an agent treats time, load and failure."""

    timeout_s: float = Field(default=30.0, gt=0, le=600)
    """For one request; its attempts share it."""
    max_concurrent_tasks: int = Field(default=5, ge=1, le=10_000)
    """Requests that are worked on at once (not sources: all sources of a request run at once)."""
    retry_attempts: int = Field(default=3, ge=1, le=10)
    """Attempts in all, the first included."""
    cache_enabled: bool = True
    cache_ttl_s: float = Field(default=300.0, gt=0, le=86_400)
    failure_threshold: int = Field(default=5, ge=1)
    """Failures in a row after which a circuit opens."""
    recovery_timeout_s: float = Field(default=60.0, gt=0)
    """How long an open circuit waits before its probe."""
    min_score: UnitInterval = 0.5
    """On the batch path, only what scores above this is kept."""


class AgentCapability(Frozen):
    """One thing that an agent can do for others: the event or values it takes and those it gives."""

    name: str
    description: str
    input_types: tuple[str, ...]
    output_types: tuple[str, ...]


class _State(Enum):
    NEW = "not started"
    RUNNING = "running"
    STOPPED = "stopped"


class Agent:
    """A participant on the bus with a life cycle.

    ``start`` and ``stop`` may each be called twice: the second call does nothing. An agent lives once: started
    after it was stopped, or used while it is not running, it raises ``LifecycleError``. Subclasses do their own
    part in ``on_start`` (subscribe here) and ``on_stop``; subscriptions end by themselves.
    """

    capabilities: ClassVar[tuple[AgentCapability, ...]] = ()

    def __init__(self, agent_id: str, bus: EventBus, config: AgentConfig | None = None) -> None:
        self.agent_id = agent_id
        self.bus = bus
        self.config = config if config is not None else AgentConfig()
        self.log = telemetry.logger(f"agent.{agent_id}")
        self._state = _State.NEW
        self._changing = asyncio.Lock()
        self._subscriptions: list[Subscription] = []

    @property
    def running(self) -> bool:
        """Whether it was started and not yet stopped."""
        return self._state is _State.RUNNING

    async def start(self) -> None:
        """Subscribe and begin to answer. When ``on_start`` fails, the agent is stopped and the error passes on."""
        async with self._changing:
            if self._state is _State.RUNNING:
                return
            if self._state is _State.STOPPED:
                raise LifecycleError(
                    f"Agent {self.agent_id} was stopped; make a new one instead of starting it again."
                )
            self._state = _State.RUNNING
            try:
                await self.on_start()
            except BaseException:
                await self._stop_after_failure()
                raise
            self.log.info("agent started", agent_id=self.agent_id)

    async def stop(self) -> None:
        """Take no further events and give back what ``on_start`` took."""
        async with self._changing:
            if self._state is _State.RUNNING:
                await self._stop()

    async def _stop(self) -> None:
        self._state = _State.STOPPED
        for subscription in self._subscriptions:
            subscription.cancel()
        self._subscriptions.clear()
        try:
            await self.on_stop()
        finally:
            self.log.info("agent stopped", agent_id=self.agent_id)

    async def _stop_after_failure(self) -> None:
        """Why it did not start is what matters: a second failure is logged and does not hide it."""
        try:
            await self._stop()
        except Exception:
            self.log.exception("agent did not stop cleanly", agent_id=self.agent_id)

    async def on_start(self) -> None:
        """For subclasses: subscribe, open what is needed."""

    async def on_stop(self) -> None:
        """For subclasses: close what ``on_start`` opened; must bear an ``on_start`` that failed half-way."""

    def subscribe(self, topic: Topic[E], handler: Handler[E]) -> None:
        """Subscribe for as long as the agent runs."""
        self.require_running()
        self._subscriptions.append(self.bus.subscribe(topic, handler))

    def require_running(self) -> None:
        """Raise ``LifecycleError`` unless the agent is running."""
        if self._state is not _State.RUNNING:
            raise LifecycleError(f"Agent {self.agent_id} is {self._state.value}; use it between start() and stop().")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
