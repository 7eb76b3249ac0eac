"""A local HTTP upstream whose behaviour per path is scripted, from well-behaved to hostile.

::

    async with Upstream() as upstream:
        upstream.on("/new", reply_json({"hits": []}), status(500))     # then 500 for ever
        upstream.on("/slow", drip(b"{}", every_s=0.01))
        async with HttpFetch(user_agent="test", allow=parse_allow(upstream.allow)) as fetch:
            await fetch.get(Request(upstream.url("/new")))
        assert upstream.requests[0].headers["user-agent"] == "test"
"""

import asyncio
import json
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived; header names in lower case, the last one wins."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]
"""Writes whatever it likes; the connection is closed when it returns."""


def reply(
    body: bytes | str = b"",
    content_type: str | None = "application/json",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A proper answer; ``content_type`` None sends none; ``headers`` may replace Content-Length."""
    raw = body.encode() if isinstance(body, str) else body

    async def answer(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(status, content_type, {"Content-Length": str(len(raw)), **(headers or {})}) + raw)
        await writer.drain()

    return answer


def reply_json(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """``value`` as JSON."""
    return reply(json.dumps(value), status=status, headers=headers)


def reply_feed(xml: bytes | str, content_type: str = "application/rss+xml", **headers: str) -> Answer:
    """A feed; ``ETag="…"`` and the like become headers (an underscore becomes a hyphen)."""
    return reply(xml, content_type, headers={name.replace("_", "-"): value for name, value in headers.items()})


def reply_html(text: str = "<!DOCTYPE html><html><title>Log in</title></html>", *, status: int = 200) -> Answer:
    """A web page, as login and block pages are."""
    return reply(text, "text/html; charset=utf-8", status=status)


def status(code: int, **headers: str) -> Answer:
    """An answer of that status with an empty JSON object; ``Retry_After="5"`` becomes a header."""
    return reply(b"{}", status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})


def redirect(to: str, code: int = 302) -> Answer:
    """Sends the client to ``to``, whatever that is."""
    return reply(b"", status=code, headers={"Location": to})


def conditional(body: bytes | str, etag: str, content_type: str = "application/rss+xml") -> Answer:
    """Honours If-None-Match: 304 without a body if it names ``etag``."""
    fresh = reply(body, content_type, headers={"ETag": etag})
    unchanged = reply(b"", None, status=304, headers={"ETag": etag})

    async def answer(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await (unchanged if seen.headers.get("if-none-match") == etag else fresh)(seen, writer)

    return answer


def hang() -> Answer:
    """Takes the request and never says a word."""

    async def answer(_seen: Seen, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    return answer


def drip(body: bytes, *, every_s: float = 0.02, content_type: str = "application/json") -> Answer:
    """One byte at a time, which outwits time-outs that wait for silence."""

    async def answer(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, content_type, {"Content-Length": str(len(body))}))
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(every_s)

    return answer


def endless(piece: bytes = b" " * 65_536, *, content_type: str = "application/json") -> Answer:
    """A body that never ends, as fast as it is read."""

    async def answer(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, content_type, {"Transfer-Encoding": "chunked"}))
        while True:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0)

    return answer


def truncated(body: bytes | str, *, missing: int = 100, content_type: str = "application/json") -> Answer:
    """Promises ``missing`` bytes more than it sends before it closes."""
    raw = body.encode() if isinstance(body, str) else body
    return reply(raw, content_type, headers={"Content-Length": str(len(raw) + missing)})


def reset(*, after: bytes = b"") -> Answer:
    """Sends ``after`` (nothing: not even a status line) and resets the connection."""

    async def answer(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        if after:
            writer.write(after)
            await writer.drain()
        writer.transport.abort()

    return answer


def bomb(size_bytes: int = 1_000_000_000, *, content_type: str = "application/json") -> Answer:
    """Spaces, gzipped to a thousandth: 1 GB in 1 MB, made in a few milliseconds."""
    body = gzip_of_spaces(size_bytes)
    return reply(body, content_type, headers={"Content-Encoding": "gzip"})


def gzip_of_spaces(size_bytes: int) -> bytes:
    """A gzip file of at least that many spaces, without a right checksum: nobody should read as far as that.

    A block that ends with a full flush knows nothing of what came before it, so it can stand there many times.
    """
    block_bytes = 1_000_000
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflate.compress(b" " * block_bytes) + deflate.flush(zlib.Z_FULL_FLUSH)
    header = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return header + block * -(-size_bytes // block_bytes) + b"\x03\x00" + bytes(8)


def raw(data: bytes) -> Answer:
    """Exactly these bytes, status line and all."""

    async def answer(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return answer


def _head(code: int, content_type: str | None, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {code} Scripted", "Connection: close"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


@dataclass(slots=True)
class Upstream:
    """A server on 127.0.0.1, or on another ``host`` address of this machine; paths nobody scripted answer 404."""

    host: str = "127.0.0.1"
    port: int = 0
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0
    """How many were accepted, be they ever used or not."""
    _answers: dict[str, list[Answer]] = field(default_factory=dict, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)

    @property
    def _authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def allow(self) -> str:
        """Its ``ip:port``, as ``FETCH_ALLOW`` takes it."""
        return self._authority

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        """The address of ``path`` here; ``host`` names this machine in another way."""
        return f"http://{self._authority if host is None else f'{host}:{self.port}'}{path}"

    def on(self, path: str, *answers: Answer) -> None:
        """Script a path (without query): the answers in turn, the last one for ever; replaces earlier ones."""
        self._answers[path] = list(answers)

    def seen(self, path: str) -> list[Seen]:
        """The requests for that path, in order of arrival."""
        return [each for each in self.requests if each.path == path]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        # Accepted connections whose callback is still to come would otherwise be left behind.
        await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen = await _read_request(reader)
            self.requests.append(seen)
            await self._answer(seen.path)(seen, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, as it may
        finally:
            writer.close()

    def _answer(self, path: str) -> Answer:
        answers = self._answers.get(path)
        if not answers:
            return status(404)
        return answers.pop(0) if len(answers) > 1 else answers[0]


async def _read_request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    request_line, *lines = head.strip().split("\r\n")
    method, target, _ = request_line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Seen(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)


@dataclass(slots=True)
class Stall:
    """The longest time, in seconds, that the loop did not come round."""

    longest_s: float = 0.0


@asynccontextmanager
async def watched_loop(tick_s: float = 0.005) -> AsyncIterator[Stall]:
    """Measures how long the block, and all that runs beside it, kept the loop from its other work."""
    stall = Stall()

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(tick_s)
            stall.longest_s = max(stall.longest_s, time.perf_counter() - before - tick_s)

    watcher = asyncio.create_task(watch())
    try:
        yield stall
        await asyncio.sleep(tick_s)
    finally:
        watcher.cancel()
