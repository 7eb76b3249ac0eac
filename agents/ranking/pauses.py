"""Garbage collection that does not stop the event loop while much is ranked in a thread."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_NEVER = 1_000_000
_restore: list[tuple[int, int, int]] = []
"""The thresholds to go back to, one entry for each block that is open."""


@contextmanager
def no_full_collections() -> Iterator[None]:
    """For the time of a block, only the young are collected; to be entered and left on the event loop.

    Ten thousand signals being ranked are some 300,000 objects, enough for a collection of all that the process has.
    It finds nothing, since they are freed without it, and every thread waits for it: 60 ms, measured.
    """
    now = gc.get_threshold()
    _restore.append(_restore[-1] if _restore else now)
    gc.set_threshold(now[0], now[1], _NEVER)
    try:
        yield
    finally:
        before = _restore.pop()
        if not _restore:
            gc.set_threshold(*before)
