"""A bounded mapping that forgets what was not used for longest."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most ``size`` values; reading one counts as use."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, or None when it is not, or no longer, kept."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value as the most recently used, forgetting another where there is no room."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def newest(self) -> Iterator[V]:
        """All values, the one used last first."""
        return reversed(self._values.values())

    def forget(self, key: K) -> None:
        """Drop a value, if it is there."""
        self._values.pop(key, None)

    def forget_where(self, unwanted: Callable[[V], bool]) -> None:
        """Drop every value of which that is true."""
        for key in [key for key, value in self._values.items() if unwanted(value)]:
            del self._values[key]
