"""How often: a token bucket per key, by the generic cell rate algorithm (ITU-T I.371)."""

from collections import OrderedDict
from collections.abc import Callable, Hashable


class Rates:
    """Each key has ``burst`` at once and one more every ``interval_s``; the last 1,024 keys are remembered."""

    def __init__(self, *, interval_s: float, burst: int, clock: Callable[[], float], most_keys: int = 1024) -> None:
        self._interval_s = interval_s
        self._reach_s = interval_s * (burst - 1)
        self._clock = clock
        self._most_keys = most_keys
        self._spent_until: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, key: Hashable) -> float:
        """0: taken; else in how many seconds there is one, and nothing was taken."""
        now = self._clock()
        spent_until = max(self._spent_until.get(key, now), now)
        wait_s = spent_until - now - self._reach_s
        if wait_s > 0:
            return wait_s
        self._spent_until[key] = spent_until + self._interval_s
        self._spent_until.move_to_end(key)
        if len(self._spent_until) > self._most_keys:
            self._spent_until.popitem(last=False)
        return 0.0
