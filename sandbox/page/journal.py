"""Changes in the order in which they came, numbered, so that a browser that lost its connection can go on."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable

import orjson

from sandbox.errors import JsonObject

FRAMES_KEPT = 2_000
BYTES_KEPT = 8 * 1024 * 1024
"""Of changes, for browsers that come back; who missed more gets everything anew."""

FRAMES_QUEUED = 1_000
"""Frames that wait for a slow browser; one more, and it is cut off."""

Snapshot = Callable[[], JsonObject]
"""Everything as it is now."""


class Reader:
    """What one browser still has to be sent, oldest first. ``overrun`` once it was too slow: it is owed no more."""

    def __init__(self, limit: int = FRAMES_QUEUED) -> None:
        self.overrun = False
        self._frames: asyncio.Queue[bytes] = asyncio.Queue(limit)
        self._on_overrun: Callable[[], None] = lambda: None

    def on_overrun(self, cut: Callable[[], None]) -> None:
        """Call ``cut`` when too much waits."""
        self._on_overrun = cut

    def put(self, frame: bytes) -> None:
        """Queue a frame; never waits."""
        if self.overrun:
            return
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.overrun = True
            self._on_overrun()

    async def next(self) -> bytes:
        """The next frame, as soon as there is one."""
        return await self._frames.get()


class Journal:
    """Numbers changes from 1 and hands each to all readers, encoded once.

    ``epoch`` names this journal: numbers of another one mean nothing here. ``rewrite`` has the last say over
    the bytes of everything that is sent.
    """

    def __init__(
        self,
        *,
        rewrite: Callable[[bytes], bytes] = lambda frame: frame,
        frames_kept: int = FRAMES_KEPT,
        bytes_kept: int = BYTES_KEPT,
    ) -> None:
        self.epoch = secrets.token_hex(8)
        self.seq = 0
        self._rewrite = rewrite
        self._frames_kept = frames_kept
        self._bytes_kept = bytes_kept
        self._frames: deque[bytes] = deque()
        self._size_bytes = 0
        self._readers: set[Reader] = set()

    @property
    def readers(self) -> int:
        """How many browsers follow."""
        return len(self._readers)

    def add(self, kind: str, **change: object) -> None:
        """Something changed: tell everybody."""
        self.seq += 1
        frame = self.encode({"kind": "change", "seq": self.seq, "change": {"type": kind, **change}})
        self._frames.append(frame)
        self._size_bytes += len(frame)
        while len(self._frames) > self._frames_kept or self._size_bytes > self._bytes_kept:
            self._size_bytes -= len(self._frames.popleft())
        for reader in tuple(self._readers):
            reader.put(frame)

    def encode(self, value: JsonObject) -> bytes:
        """A frame of this value."""
        return self._rewrite(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS))

    def follow(self, reader: Reader, snapshot: Snapshot, *, epoch: str | None = None, seq: int | None = None) -> None:
        """Send what the reader missed since ``seq`` (everything, where that is unknown), and all that comes."""
        missed = self._missed(seq) if epoch == self.epoch and seq is not None else None
        if missed is None:
            frames = [self.encode({"kind": "snapshot", "epoch": self.epoch, "seq": self.seq, "state": snapshot()})]
        else:
            frames = [self.encode({"kind": "resumed", "epoch": self.epoch, "seq": self.seq}), *missed]
        for frame in frames:
            reader.put(frame)
        self._readers.add(reader)

    def leave(self, reader: Reader) -> None:
        """The reader is gone."""
        self._readers.discard(reader)

    def _missed(self, seq: int) -> list[bytes] | None:
        count = self.seq - seq
        if not 0 <= count <= min(len(self._frames), FRAMES_QUEUED // 2):
            return None
        return list(self._frames)[len(self._frames) - count :]
