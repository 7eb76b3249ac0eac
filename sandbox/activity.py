"""Everything that happens, told to whoever listens in this process: the terminal, a page, tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import Clock


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened.

    ``kind`` is one of: interaction.created, interaction.acknowledged, message.created, message.edited,
    message.deleted, choices, modal, request, gateway.connected, gateway.sent, gateway.received,
    gateway.closed, violation, world.changed. ``subject`` is the value concerned (an Exchange, Message,
    frame, …), live: it may change later. ``at`` is the clock's monotonic time in seconds.
    """

    kind: str
    at: float
    subject: Any
    details: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Happening], None]


class Activity:
    """Hands each happening to every listener, at once and in order; a listener must not block or raise."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Listen from now on; the returned function ends it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def tell(self, kind: str, subject: Any, **details: Any) -> None:
        """Something happened; costs next to nothing while nobody listens."""
        if not self._listeners:
            return
        happening = Happening(kind, self._clock.monotonic(), subject, details)
        for listener in tuple(self._listeners):
            listener(happening)
