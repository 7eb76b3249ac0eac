"""Undoes a response's content encoding in steps of bounded size, so that a bomb is noticed before it goes off."""

import zlib
from collections.abc import Iterator

ACCEPTED = "gzip, deflate"
"""What is asked for: only what the standard library inflates with a bound."""

_STEP_BYTES = 65_536
_SLICE_BYTES = 16_384
_GZIP = zlib.MAX_WBITS | 16


class Inflater:
    """One body's decoder for ``gzip``, ``deflate`` or ``identity``; ``LookupError`` for another encoding.

    ``feed`` takes the body as it arrives and yields what it stands for in pieces of at most 64 kB; it raises
    ``zlib.error`` for what is not in that encoding. Several gzip members in a row are one body (RFC 1952).
    """

    def __init__(self, encoding: str) -> None:
        if encoding not in {"identity", "gzip", "deflate"}:
            raise LookupError(encoding)
        self._encoding = encoding
        self._inflate: zlib._Decompress | None = None

    @property
    def whole(self) -> bool:
        """Whether the body ended where its encoding says that it ends; true of an empty one."""
        return self._inflate is None or self._inflate.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decoded pieces of the next part of the body, none of them empty."""
        # Small slices, because each gzip member copies all that follows it.
        for start in range(0, len(data), _SLICE_BYTES):
            part = data[start : start + _SLICE_BYTES]
            if self._encoding == "identity":
                yield part
            else:
                yield from self._inflated(part)

    def _inflated(self, data: bytes) -> Iterator[bytes]:
        piece = b""
        # A full piece may have left output behind although all input is consumed.
        while data or len(piece) == _STEP_BYTES:
            inflate = self._current(data)
            if inflate is None:
                return
            piece = inflate.decompress(data, _STEP_BYTES)
            data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            if piece:
                yield piece

    def _current(self, data: bytes) -> "zlib._Decompress | None":
        """The running decompressor, a fresh one where a body or gzip member begins, None after deflate's end."""
        if self._inflate is None:
            # "deflate" means zlib's format, but some servers send it bare (RFC 9110, 8.4.1.2).
            deflate = zlib.MAX_WBITS if data[:1] and data[0] & 0x0F == 8 else -zlib.MAX_WBITS
            self._inflate = zlib.decompressobj(wbits=_GZIP if self._encoding == "gzip" else deflate)
        elif self._inflate.eof:
            if self._encoding == "deflate" or not data:
                return None
            self._inflate = zlib.decompressobj(wbits=_GZIP)
        return self._inflate
