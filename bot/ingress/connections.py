"""Connections of strangers, bounded: how many there are, and how long each may last."""

import asyncio
from collections.abc import Callable


class Connections:
    """A protocol factory around another, for servers that answer one request in a connection.

    Each connection ends ``lifetime_s`` after it was made, whatever it is doing: sending its headers or its body byte
    by byte, or not reading its answer. Where more than ``most`` are open, the oldest one, which has had the most
    time, gives way.
    """

    def __init__(self, make: Callable[[], asyncio.Protocol], *, lifetime_s: float, most: int) -> None:
        self._make = make
        self._lifetime_s = lifetime_s
        self._most = most
        self._open: dict[_Connection, None] = {}

    def __call__(self) -> asyncio.Protocol:
        """A protocol for a connection that was just accepted."""
        return _Connection(self._make(), self._lifetime_s, self._opened, self._closed)

    def __len__(self) -> int:
        return len(self._open)

    def _opened(self, connection: "_Connection") -> None:
        self._open[connection] = None
        if len(self._open) > self._most:
            next(iter(self._open)).abort()

    def _closed(self, connection: "_Connection") -> None:
        self._open.pop(connection, None)


class _Connection(asyncio.Protocol):
    """Hands everything on to ``inner``."""

    def __init__(
        self,
        inner: asyncio.Protocol,
        lifetime_s: float,
        opened: Callable[["_Connection"], None],
        closed: Callable[["_Connection"], None],
    ) -> None:
        self._inner = inner
        self._lifetime_s = lifetime_s
        self._opened = opened
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def abort(self) -> None:
        """Close it at once; what was not sent yet is lost."""
        self._closed(self)
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._end = asyncio.get_running_loop().call_later(self._lifetime_s, self.abort)
        self._opened(self)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        self._closed(self)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
