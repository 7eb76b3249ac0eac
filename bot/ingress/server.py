"""Listens on the bot's HTTP port."""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiohttp import web

from agents import telemetry
from bot.ingress import documents
from bot.ingress.answers import problem
from bot.ingress.connections import Connections
from bot.ingress.events import Events
from bot.ingress.health import Health

LIFETIME_S = 30.0
"""Of a connection, which has one request: more than a body and the database may take."""
MOST_CONNECTIONS = 200
CLOSE_S = 0.5
"""For requests under way when it closes."""
_LINGER_S = 2.0
"""For what is still sent by whoever was refused before that was read."""
_WORDS = {
    404: "There is nothing here. See /openapi.json for what there is.",
    405: "This address takes other methods, which the header Allow names.",
}
_log = telemetry.logger("bot.ingress")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CannotListen(Exception):
    """The port cannot be had; ``str()`` is a line that names the variable and the fix."""


class Ingress:
    """The HTTP server; use as an async context manager, which raises ``CannotListen``. Port 0 is any free one."""

    def __init__(
        self,
        host: str,
        port: int,
        events: Events,
        health: Health,
        *,
        lifetime_s: float = LIFETIME_S,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._host = host
        self._asked_port = port
        self._lifetime_s = lifetime_s
        self._most_connections = most_connections
        self._runner = web.AppRunner(
            _application(events, health),
            access_log=None,
            logger=_unheard(),
            keepalive_timeout=lifetime_s,
            lingering_time=_LINGER_S,
            auto_decompress=False,
            shutdown_timeout=CLOSE_S,
        )
        self._server: asyncio.Server | None = None
        self.port = port

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        assert self._runner.server is not None
        connections = Connections(self._runner.server, lifetime_s=self._lifetime_s, most=self._most_connections)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(connections, self._host, self._asked_port)
        except OSError as error:
            await self._runner.cleanup()
            raise CannotListen(why_not(error, self._host, self._asked_port)) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Take nothing more, and let requests under way finish for a moment; doing it twice is the same as once."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        await self._runner.cleanup()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await server.wait_closed()


def why_not(error: OSError, host: str, port: int) -> str:
    """A line for whoever runs the bot: which variable to change, and how."""
    if error.errno == errno.EADDRINUSE:
        return f"HTTP_PORT: {host}:{port} is taken by another program. Set another port, or 0 to go without HTTP."
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"HTTP_PORT: this user may not open port {port}. Set one above 1023, or 0 to go without HTTP."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"HTTP_HOST: {host} is no address of this machine. Set 127.0.0.1, or 0.0.0.0 for all of its addresses."
    return f"HTTP_PORT: {host}:{port} cannot be opened ({error}). Set another, or 0 to go without HTTP."


def _unheard() -> logging.Logger:
    """For the server, which calls it an error when a stranger speaks no HTTP, or leaves."""
    return logging.Logger("unheard", logging.CRITICAL)  # noqa: LOG001 - not among the others


def _application(events: Events, health: Health) -> web.Application:
    app = web.Application(middlewares=[_one_request_each])
    app.add_routes(
        [
            web.post("/events", events.post),
            web.get("/healthz", health.alive),
            web.get("/readyz", health.ready),
            web.get("/openapi.json", _openapi),
            web.get("/schemas", _schemas),
            web.get("/schemas/{name}", _schema),
        ]
    )
    return app


@web.middleware
async def _one_request_each(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """In a connection; and what the router refuses is said in the same form as everything else."""
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        allow = refusal.headers.get("Allow")
        response = problem(
            refusal.status, _WORDS.get(refusal.status, refusal.reason), headers={"Allow": allow} if allow else None
        )
    except Exception:  # noqa: BLE001 - a fault in one request harms no other
        _log.exception("a request failed", path=request.path)
        response = problem(500, "Something went wrong on our side; it is logged.")
    response.force_close()
    response.headers["Server"] = "Signals Scout"
    return response


async def _openapi(_request: web.Request) -> web.Response:
    return web.json_response(documents.openapi())


async def _schemas(_request: web.Request) -> web.Response:
    return web.json_response({topic: f"/schemas/{name}" for topic, name in documents.SCHEMA_NAMES.items()})


async def _schema(request: web.Request) -> web.Response:
    schema = documents.event_schemas().get(request.match_info["name"])
    if schema is None:
        raise web.HTTPNotFound
    return web.json_response(schema, content_type="application/schema+json")
