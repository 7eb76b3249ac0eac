"""Circuit breaker: an upstream that fails again and again is left alone, then tried with exactly one probe.

The pattern is Michael Nygard's (Release It!, 2007); the generation counter is the idea of Sony's gobreaker.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

from agents.errors import CircuitOpen, SourceError
from agents.telemetry import logger

_log = logger("agents.resilience.breaker")

_PROBE_RETRY_S = 1.0
"""What those are told who come while the probe is out: its outcome is near, but not known."""


class CircuitState(StrEnum):
    """Where a circuit breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


StateListener = Callable[[str, CircuitState, CircuitState], None]
"""Called with the breaker's name, the old and the new state, on the event loop: it must not block."""


class CircuitBreaker:
    """One upstream's health, judged by consecutive failures.

    Closed: everything passes; ``failure_threshold`` failures in a row open it. Open: everything is refused for
    ``recovery_timeout_s``. Then half-open: the next attempt is the probe, all others are refused until its
    outcome closes or opens the circuit. An attempt begun before the last change of state changes nothing.
    """

    def __init__(
        self,
        name: str,
        *,
        failure_threshold: int,
        recovery_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        listeners: Sequence[StateListener] = (),
    ) -> None:
        self.name = name
        self._failure_threshold = failure_threshold
        self._recovery_timeout_s = recovery_timeout_s
        self._clock = clock
        self._listeners = listeners
        self._state = CircuitState.CLOSED
        self._generation = 0
        self._failures = 0
        self._opened_at = 0.0
        self._probing = False

    @property
    def state(self) -> CircuitState:
        """The present state; open turns to half-open only when somebody comes to probe."""
        return self._state

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run one call to the upstream as the block; ``CircuitOpen`` instead if it must not be asked now.

        Errors that ``trip`` are failures; success and every other answer of the upstream are successes. What
        never reached it (``error.sent``), cancellation and our own bugs are neither, and only free the probe.
        """
        generation = self._admit()
        try:
            yield
        except BaseException as error:
            self._settle(generation, _healthy_despite(error))
            raise
        self._settle(generation, healthy=True)

    def _admit(self) -> int:
        if self._state is CircuitState.OPEN:
            left_s = self._opened_at + self._recovery_timeout_s - self._clock()
            if left_s > 0:
                raise CircuitOpen(
                    "This site failed several times in a row and is left alone for now. "
                    f"It will be asked again in {max(1, round(left_s))} s.",
                    retry_after_s=left_s,
                )
            self._turn(CircuitState.HALF_OPEN)
        if self._state is CircuitState.HALF_OPEN:
            if self._probing:
                raise CircuitOpen(
                    "This site failed several times in a row and is being tried again right now. Ask in a moment.",
                    retry_after_s=_PROBE_RETRY_S,
                )
            self._probing = True
        return self._generation

    def _settle(self, generation: int, healthy: bool | None) -> None:
        if generation != self._generation:
            return
        self._probing = False
        if healthy is None:
            return
        if healthy:
            self._failures = 0
            if self._state is CircuitState.HALF_OPEN:
                self._turn(CircuitState.CLOSED)
            return
        self._failures += 1
        if self._state is CircuitState.HALF_OPEN or self._failures >= self._failure_threshold:
            self._opened_at = self._clock()
            self._turn(CircuitState.OPEN)

    def _turn(self, new: CircuitState) -> None:
        old, self._state = self._state, new
        self._generation += 1
        self._failures = 0
        _log.info("circuit changed", circuit=self.name, old=old.value, new=new.value)
        for listener in self._listeners:
            try:
                listener(self.name, old, new)
            except Exception:  # noqa: BLE001 - a listener's fault must not become the upstream's
                _log.exception("circuit listener failed", circuit=self.name)


def _healthy_despite(error: BaseException) -> bool | None:
    """What an error says of the upstream's health: True, False, or None for nothing."""
    if not isinstance(error, SourceError) or not error.sent:
        return None
    return not error.trips


class Breakers:
    """The circuit breakers of all sources, one per source and upstream host, at most ``max_breakers``.

    Beyond that the least recently used closed one is forgotten, and an open one only if all are open.
    """

    def __init__(
        self,
        *,
        failure_threshold: int,
        recovery_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        listeners: Sequence[StateListener] = (),
        max_breakers: int = 1024,
    ) -> None:
        self._failure_threshold = failure_threshold
        self._recovery_timeout_s = recovery_timeout_s
        self._clock = clock
        self._listeners = listeners
        self._max_breakers = max_breakers
        self._breakers: OrderedDict[tuple[str, str], CircuitBreaker] = OrderedDict()

    def of(self, source: str, host: str) -> CircuitBreaker:
        """The breaker of that pair, made when first asked for."""
        key = (source, host)
        breaker = self._breakers.get(key)
        if breaker is not None:
            self._breakers.move_to_end(key)
            return breaker
        if len(self._breakers) >= self._max_breakers:
            self._forget_one()
        breaker = self._breakers[key] = CircuitBreaker(
            f"{source}@{host}",
            failure_threshold=self._failure_threshold,
            recovery_timeout_s=self._recovery_timeout_s,
            clock=self._clock,
            listeners=self._listeners,
        )
        return breaker

    def states(self) -> dict[tuple[str, str], CircuitState]:
        """Source and host to state, for health pages."""
        return {key: breaker.state for key, breaker in self._breakers.items()}

    def _forget_one(self) -> None:
        closed = (key for key, breaker in self._breakers.items() if breaker.state is CircuitState.CLOSED)
        del self._breakers[next(closed, next(iter(self._breakers)))]
