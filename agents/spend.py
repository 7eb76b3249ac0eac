"""A day's spending on a paid upstream: counted in a file, so that it survives restarts and is shared by processes."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from agents.errors import BudgetSpent


class _Day(msgspec.Struct):
    """The file's content; ``usd`` is what was spent or is reserved on ``date`` (UTC, ISO 8601)."""

    date: str
    usd: float


class DailySpend:
    """What was spent since midnight UTC, never more than ``limit_usd``: reserve before asking, settle afterwards.

    The file is read, changed and replaced under a lock (``fcntl.flock`` on a file beside it), off the event loop. A
    reservation that is never settled, as after a crash, counts as spent. A file that cannot be understood counts as
    a day that is spent: it is kept aside (``….corrupt``), and spending begins again on the next UTC day.
    """

    def __init__(self, path: Path, limit_usd: float, clock: Callable[[], datetime]) -> None:
        """``clock``: the present, aware UTC."""
        self._path = path
        self._limit_usd = limit_usd
        self._clock = clock

    @property
    def limit_usd(self) -> float:
        """What may be spent in a day."""
        return self._limit_usd

    async def spent_usd(self) -> float:
        """What is spent or reserved today."""
        return await asyncio.to_thread(self._change, 0.0)

    async def reserve(self, usd: float) -> None:
        """Set that much aside; ``BudgetSpent`` when today's limit does not allow it."""
        await asyncio.to_thread(self._change, usd)

    async def settle(self, reserved_usd: float, actual_usd: float) -> float:
        """Put back what was reserved beyond the actual cost; gives what is spent today."""
        return await asyncio.to_thread(self._change, actual_usd - reserved_usd)

    def _change(self, by_usd: float) -> float:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                today = self._clock().date().isoformat()
                day = self._read(today)
                # Rounded to a hundredth of a cent: sums of prices must not drift.
                total = round(max(0.0, day.usd + by_usd), 4)
                if by_usd > 0 and total > self._limit_usd:
                    raise BudgetSpent(self._refusal(day.usd))
                if by_usd:
                    self._write(_Day(today, total))
                return total
        except OSError as error:
            raise BudgetSpent("What was spent today cannot be read or written, so nothing more is.") from error

    def _refusal(self, spent_usd: float) -> str:
        return (
            f"Today's budget is used up: ${spent_usd:.2f} of ${self._limit_usd:.2f}. It begins anew at midnight UTC."
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self, today: str) -> _Day:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return _Day(today, 0.0)
        try:
            day = msgspec.json.decode(raw, type=_Day)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._path.replace(self._path.with_suffix(".corrupt"))
            day = _Day(today, self._limit_usd)
            self._write(day)
        return day if day.date == today else _Day(today, 0.0)

    def _write(self, day: _Day) -> None:
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(day))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
