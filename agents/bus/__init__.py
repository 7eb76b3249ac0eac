"""The event bus: how agents and the bot speak to each other, and with nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias, TypeVar

from agents.events import Event, Topic

E = TypeVar("E", bound=Event)
Handler: TypeAlias = Callable[[E], Awaitable[None]]
OnError: TypeAlias = Callable[[Topic[Any], Event, BaseException], None]
"""Told of every handler that failed (with what it raised) or ran out of time (with a ``TimeoutError``)."""


class Subscription(Protocol):
    """One handler's place on a topic."""

    def cancel(self) -> None:
        """Take no further events; what is running goes on. Doing it twice is the same as once."""
        ...


class EventBus(Protocol):
    """Carries typed events from emitters to every handler of their topic.

    The handlers of one event run concurrently, each in a task of its own: one that fails, hangs or is slow harms
    neither the others nor the emitter, and never vanishes silently.
    """

    def subscribe(self, topic: Topic[E], handler: Handler[E]) -> Subscription:
        """From now on ``handler`` is called with every event of the topic."""
        ...

    async def emit(self, topic: Topic[E], event: E, *, timeout_s: float = 5.0) -> None:
        """Hand the event to every handler; returns when all have taken it, not when they are done.

        Waits at most ``timeout_s`` for handlers that have too much pending, then raises ``BusFull``; those with
        room have the event all the same. Raises ``WrongEvent`` when the event is not of the topic's model and
        ``BusClosed`` after ``drain``.
        """
        ...

    async def settled(self) -> None:
        """Wait until no handler is running."""
        ...

    async def drain(self, timeout_s: float) -> bool:
        """Let handlers finish for at most ``timeout_s``, cancel the rest, then take nothing more.

        Handlers may still emit while the bus drains. True when everything finished by itself.
        """
        ...
