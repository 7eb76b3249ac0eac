"""Transport compression of the gateway: one stream per connection, flushed after every frame.

https://discord.com/developers/docs/events/gateway#transport-compression
"""

from __future__ import annotations

import sys
import zlib
from typing import Any, Protocol


class Compressor(Protocol):
    """Turns one frame into the bytes of one websocket message."""

    def compress(self, frame: bytes) -> bytes:
        """The frame, flushed so that the other side can read it at once."""
        ...


class ZlibStream:
    """``compress=zlib-stream``: every message ends with 00 00 ff ff."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(level=1)

    def compress(self, frame: bytes) -> bytes:
        """The frame, flushed."""
        return self._stream.compress(frame) + self._stream.flush(zlib.Z_SYNC_FLUSH)


class ZstdStream:
    """``compress=zstd-stream``: one frame that never ends, a block boundary after every message."""

    def __init__(self) -> None:
        self._stream, self._flush_block = _zstd_stream()

    def compress(self, frame: bytes) -> bytes:
        """The frame, flushed."""
        compressed: bytes = self._stream.compress(frame) + self._stream.flush(self._flush_block)
        return compressed


def _zstd_stream() -> tuple[Any, Any]:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdCompressor(level=1), zstd.ZstdCompressor.FLUSH_BLOCK
    import zstandard

    return zstandard.ZstdCompressor(level=1).compressobj(), zstandard.COMPRESSOBJ_FLUSH_BLOCK


def compressor(name: str) -> Compressor | None:
    """The compressor that the query's ``compress`` asks for, None for none; ValueError for an unknown name."""
    match name:
        case "":
            return None
        case "zlib-stream":
            return ZlibStream()
        case "zstd-stream":
            return ZstdStream()
    raise ValueError(f"unknown transport compression {name!r}")
