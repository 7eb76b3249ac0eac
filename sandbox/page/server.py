"""The page, served: its files, uploads, and a websocket for each browser."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

import orjson
from aiohttp import WSMsgType, web

from sandbox.errors import ApiError, JsonObject
from sandbox.page.actions import Actions, Refused
from sandbox.page.controls import Controls
from sandbox.page.guard import Guard
from sandbox.page.journal import Journal, Reader
from sandbox.page.show import Show
from sandbox.page.spans import SpanCollector
from sandbox.page.stage import Stage
from sandbox.server import LocalDiscord

STATIC = Path(__file__).parent / "static"
MAX_UPLOAD_BYTES = 10 * 1024 * 1024
MAX_REQUEST_BYTES = 64 * 1024
ACTIONS_AT_ONCE = 16
"""Of one browser; more than that no hands can do."""
HEARTBEAT_S = 20.0
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


class Page:
    """Serves one local Discord to browsers, as an async context manager.

    ``port`` 0 takes any free one. ``on_key`` is told each new key, where the page can be reached from elsewhere.
    """

    def __init__(
        self,
        discord: LocalDiscord,
        stage: Stage,
        controls: Controls,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_key: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.guard = Guard(host, on_key)
        self._host = host
        self._port = port
        self._discord = discord
        attachments, here = f"{discord.http_url}/attachments/".encode(), b"/files/"
        self._journal = Journal(rewrite=lambda frame: frame.replace(attachments, here))
        self._show = Show(discord, stage, controls, self._journal)
        self._actions = Actions(discord, stage, controls, self._show)
        self._spans = SpanCollector(self._show.add_spans)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(self._show)
            await stack.enter_async_context(self._spans)
            app = web.Application(client_max_size=MAX_UPLOAD_BYTES, middlewares=[self.guard.middleware])
            app.router.add_get("/", _index)
            app.router.add_get("/ws", self._serve_browser)
            app.router.add_post("/upload", self._take_file)
            app.router.add_get("/files/{name:.*}", self._serve_file)
            app.router.add_static("/static/", STATIC)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, self._host, self._port).start()
            self._port = runner.addresses[0][1]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """The page's address; with the key that one browser may enter with, where it needs one."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/" + (f"?key={self.guard.key}" if self.guard.needs_key else "")

    @property
    def spans_url(self) -> str:
        """Where the bot's traces are to go, so that the inspector shows them."""
        return self._spans.url

    @property
    def browsers(self) -> int:
        """How many are looking."""
        return self._journal.readers

    # -- one browser

    async def _serve_browser(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, timeout=0.5, max_msg_size=MAX_REQUEST_BYTES)
        await socket.prepare(request)
        reader = Reader()
        reader.on_overrun(lambda: request.transport.abort() if request.transport is not None else None)
        seq = request.query.get("seq", "")
        self._journal.follow(
            reader,
            self._show.snapshot,
            epoch=request.query.get("epoch"),
            seq=int(seq) if seq.isdecimal() else None,
        )
        acting: set[asyncio.Task[None]] = set()
        acting.add(asyncio.create_task(_write(socket, reader)))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._begin(message.data, reader, acting)
        finally:
            self._journal.leave(reader)
            for task in acting:
                task.cancel()
            await asyncio.wait(acting)
        return socket

    def _begin(self, text: str, reader: Reader, acting: set[asyncio.Task[None]]) -> None:
        """Act on a request in a task of its own: a button may be pressed while another is being answered."""
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError:
            return
        if not isinstance(request, dict):
            return
        if len(acting) > ACTIONS_AT_ONCE:
            self._answer(reader, request, {"ok": False, "error": "Too much at once: wait for what is under way."})
            return
        task = asyncio.create_task(self._act(request, reader))
        acting.add(task)
        task.add_done_callback(acting.discard)

    async def _act(self, request: JsonObject, reader: Reader) -> None:
        try:
            answer: JsonObject = {"ok": True, "value": await self._actions.do(request)}
        except Refused as error:
            answer = {"ok": False, "error": _words(error), "option": getattr(error, "option", None)}
        self._answer(reader, request, answer)

    def _answer(self, reader: Reader, request: JsonObject, answer: JsonObject) -> None:
        reader.put(self._journal.encode({"kind": "answer", "id": request.get("id"), **answer}))

    # -- files

    async def _take_file(self, request: web.Request) -> web.Response:
        """Keep the body as a file; its name stands in ``X-Filename``, percent-encoded."""
        if "Origin" not in request.headers and request.headers.get("Sec-Fetch-Site", "none") != "none":
            raise web.HTTPForbidden
        name = unquote(request.headers.get("X-Filename", "file"))[:200]
        try:
            kept = self._discord.upload(name, request.content_type, await request.read())
        except ApiError as error:
            return web.json_response({"error": error.message}, status=error.status)
        return web.json_response({"id": str(kept.id), "filename": kept.filename})

    async def _serve_file(self, request: web.Request) -> web.Response:
        """An uploaded file: pictures to be shown, all else to be saved."""
        found = self._discord.world.file(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound(text="This file is not kept any more.")
        kind = found.content_type.partition(";")[0].strip().lower()
        is_picture = kind in _PICTURES
        headers = {
            "Content-Type": kind if is_picture else "application/octet-stream",
            "Content-Disposition": "inline" if is_picture else f'attachment; filename="{found.filename}"',
        }
        return web.Response(body=found.body, headers=headers)


async def _index(_: web.Request) -> web.FileResponse:
    return web.FileResponse(STATIC / "index.html")


async def _write(socket: web.WebSocketResponse, reader: Reader) -> None:
    """Send what is due, in order, until the browser is gone."""
    with contextlib.suppress(ConnectionError):
        while True:
            await socket.send_str((await reader.next()).decode())


def _words(error: BaseException) -> str:
    """An error as a sentence for a person."""
    if isinstance(error, KeyError):
        return f"The request lacks {error.args[0]}."
    text = str(error)
    return text[:1].upper() + text[1:]
