"""Reading feeds without trusting them: a worker process that is limited, timed and killed when it must be."""

import asyncio
import os
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from agents.errors import LifecycleError, UnexpectedContent
from agents.resilience.limiter import ON_BEHALF_OF, HostLimiter
from agents.source import HostLimit
from agents.sources import feed_worker
from agents.sources.feed_worker import LENGTH, Feed, Page, ParseReply, ParseRequest

MAX_ITEMS = 300
"""Of one feed; the rest is not looked at."""
PAGE_BYTES = 256_000
"""Of a web page; the rest is not looked at."""
_PROGRAM = str(Path(feed_worker.__file__).resolve())
_START_S = 20.0
_LONGEST_WAIT_S = 60.0
"""For a turn; longer than a scan may take."""
_REPLY_BYTES = 16_000_000
_ENVIRONMENT = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""All that a worker inherits: no secret."""


class ReadsFeeds(Protocol):
    """What a source needs in order to read a feed."""

    async def parse(self, body: bytes, charset: str | None) -> Feed:
        """The feed in that body; ``UnexpectedContent`` when it is none or takes too much."""
        ...

    async def close(self) -> None:
        """End what it runs; harmless when repeated."""
        ...


class FeedParser:
    """Reads feeds in worker processes, started when first needed and kept; ``close`` ends them all.

    ``timeout_s`` is granted to one feed; a worker that takes longer is killed, and the next feed gets a new one.
    Those ``ON_BEHALF_OF`` whom feeds are read have half of the workers each at most, and take turns.
    """

    def __init__(self, *, workers: int = 2, timeout_s: float = 5.0) -> None:
        self._timeout_s = timeout_s
        self._turns = HostLimiter({}, default=HostLimit(concurrency=workers))
        self._idle: list[_Worker] = []
        self._workers: set[_Worker] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._closed = False

    async def parse(self, body: bytes, charset: str | None) -> Feed:
        """See ``ReadsFeeds``; at most ``MAX_ITEMS`` items."""
        async with self._turn():
            reply = await self._answer(ParseRequest(body, charset, MAX_ITEMS))
        if reply.feed is None:
            raise UnexpectedContent(reply.error)
        return reply.feed

    async def page(self, body: bytes, charset: str | None) -> Page:
        """The feeds that a web page names in its first ``PAGE_BYTES``; ``UnexpectedContent`` as for ``parse``."""
        async with self._turn():
            reply = await self._answer(ParseRequest(body[:PAGE_BYTES], charset, 0, is_page=True))
        if reply.page is None:
            raise UnexpectedContent(reply.error)
        return reply.page

    async def close(self) -> None:
        """Kill every worker and wait until it is gone; harmless when repeated."""
        self._closed = True
        for worker in tuple(self._workers):
            self._end(worker)
        while self._endings:
            await asyncio.wait(self._endings)

    def _turn(self) -> AbstractAsyncContextManager[None]:
        return self._turns.permit("", _LONGEST_WAIT_S, ON_BEHALF_OF.get())

    async def _answer(self, request: ParseRequest) -> ParseReply:
        self._refuse_if_closed()
        worker = self._idle.pop() if self._idle else await self._started()
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await worker.ask(request)
        except TimeoutError as error:
            raise UnexpectedContent("The feed takes too long to read.") from error
        except (asyncio.IncompleteReadError, OSError, msgspec.DecodeError) as error:
            raise UnexpectedContent("The feed could not be read: it takes more than a feed should.") from error
        else:
            if not reply.retire and not self._closed:
                self._idle.append(worker)
            return reply
        finally:
            if worker not in self._idle:
                self._end(worker)

    async def _started(self) -> "_Worker":
        worker = _Worker(await _spawn())
        self._workers.add(worker)
        try:
            async with asyncio.timeout(_START_S):
                await worker.ready()
            self._refuse_if_closed()
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            self._end(worker)
            raise UnexpectedContent("The program that reads feeds did not start.") from error
        except BaseException:
            self._end(worker)
            raise
        return worker

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise LifecycleError("The feed parser is closed.")

    def _end(self, worker: "_Worker") -> None:
        """Kill now; a task of ours waits for the process, so that none stays behind even if we are cancelled."""
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        ending = asyncio.create_task(worker.end())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)


async def _spawn() -> asyncio.subprocess.Process:
    """As a script and with ``-P``: neither the working directory nor this package is on the path.

    In a session of its own, so that Ctrl-C in a terminal reaches us alone.
    """
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        _PROGRAM,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,
    )


class _Worker:
    """One process and the messages to and from it; one question at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._inlet = process.stdin
        self._outlet = process.stdout

    async def ready(self) -> None:
        await self._outlet.readexactly(1)

    async def ask(self, request: ParseRequest) -> ParseReply:
        message = msgspec.msgpack.encode(request)
        self._inlet.write(LENGTH.pack(len(message)) + message)
        await self._inlet.drain()
        (length,) = LENGTH.unpack(await self._outlet.readexactly(LENGTH.size))
        if length > _REPLY_BYTES:
            raise OSError("a reply longer than any feed")
        return msgspec.msgpack.decode(await self._outlet.readexactly(length), type=ParseReply)

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        self._inlet.close()
        await self._process.wait()
