"""The way of one REST request: fault, ban, route, token, limits, body, rules, handler, answer, log."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import BodyPartReader, web

from sandbox.backend import Backend
from sandbox.errors import ApiError, FieldError, InvalidForm, JsonObject, refusal, unauthorized
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.openapi import OpenApi
from sandbox.ratelimits import BAN_PAGE, Limited, RateLimits
from sandbox.rest.bodies import rule_errors
from sandbox.rest.call import Call, Reply, Upload
from sandbox.rest.routes import Route, Router, major_of

MAX_BODY_BYTES = 26 * 1024 * 1024
"""What a whole request may weigh; single attachments have their own limit."""

REQUESTS_KEPT = 5_000
VIOLATIONS_KEPT = 1_000
"""The first ones: what broke a rule first explains what followed."""

_BEFORE = (FaultKind.STATUS, FaultKind.DROP_BEFORE, FaultKind.HANG, FaultKind.GARBAGE, FaultKind.RATE_LIMIT)
_UNANSWERED = (FaultKind.DROP_BEFORE, FaultKind.HANG)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request as it was served; ``route`` is its template ("" for none), ``status`` 0 where none was sent."""

    method: str
    path: str
    route: str
    body: Any
    status: int
    at: float
    code: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a request's body broke; ``by`` is "rules" or "openapi"."""

    method: str
    path: str
    by: str
    field: str
    code: str
    message: str
    body: Any


class Pipeline:
    """Serves the REST interface over a backend. Owns no task; a hanging fault waits for ``close``."""

    def __init__(
        self, backend: Backend, limits: RateLimits, faults: Faults, openapi: OpenApi | None, token: str
    ) -> None:
        self.requests: deque[RequestRecord] = deque(maxlen=REQUESTS_KEPT)
        self.violations: list[Violation] = []
        self.violation_count = 0
        """Of all, also those that are not kept."""
        self.token = token
        self._backend = backend
        self._limits = limits
        self._faults = faults
        self._openapi = openapi
        self._router = Router()
        self._closed = asyncio.Event()

    def forget(self) -> None:
        """Start over with requests and violations."""
        self.requests.clear()
        self.violations.clear()
        self.violation_count = 0

    def close(self) -> None:
        """End the requests that hang."""
        self._closed.set()

    async def serve(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer one request; ``path`` is what follows ``/api/v10``."""
        try:
            return await self._served(request, path)
        except ConnectionResetError:  # who asked has not waited for the answer
            return _dropped(request)

    async def _served(self, request: web.Request, path: str) -> web.StreamResponse:
        fault = self._faults.strike(request.method, path)
        if fault is not None and fault.kind in _BEFORE:
            status = 0 if fault.kind in _UNANSWERED else _scripted(fault).status
            self._log(request.method, path, "", None, status, fault=fault)
            return await self._struck_before(request, fault)
        if fault is not None and fault.delay_s:
            await self._wait(fault.delay_s)
        reply = await self._answer(request, path, fault)
        if fault is not None and fault.kind is not FaultKind.SLOW:
            return await self._struck_after(request, fault, reply)
        return _response(reply)

    async def _answer(self, request: web.Request, path: str, fault: Fault | None) -> Reply:
        """Everything but faults. Refusals become answers here, and every request is logged here."""
        headers: dict[str, str] = {}
        call = Call(request.method, path, {}, request.query)
        template, code = "", None
        try:
            if self._limits.is_banned:
                return Reply(429, BAN_PAGE, {"Content-Type": "text/html"})
            route, call.params = self._router.find(request.method, path)
            template = route.template
            self._authenticate(request, route)
            limited = self._limit(route, dict(call.params), headers)
            if limited is not None:
                reply = Reply(429, limited.body(), {**headers, **limited.headers()})
            else:
                await _read_body(request, call)
                reply = self._handle(route, call, headers)
        except ApiError as error:
            code = error.code
            reply = Reply(error.status, error.body(), headers)
        self._limits.count_invalid(reply.status, reply.headers.get("X-RateLimit-Scope"))
        self._log(request.method, path, template, call.body, reply.status, code, fault)
        return reply

    def _authenticate(self, request: web.Request, route: Route) -> None:
        if not route.by_token and request.headers.get("Authorization") != f"Bot {self.token}":
            raise unauthorized()

    def _limit(self, route: Route, params: dict[str, str], headers: dict[str, str]) -> Limited | None:
        if not self._limits.enabled:
            return None
        limited = None
        if route.limit is not None:
            found, limited = self._limits.take(route.limit, major_of(params))
            headers.update(found)
        if limited is None and not route.by_token:
            limited = self._limits.take_global()
        return limited

    def _handle(self, route: Route, call: Call, headers: Mapping[str, str]) -> Reply:
        self._judge(route, call)
        try:
            reply = route.handler(self._backend, call)
        except InvalidForm as error:
            self._violated(call, "rules", error.fields)
            raise
        return Reply(reply.status, reply.body, {**reply.headers, **headers})

    def _judge(self, route: Route, call: Call) -> None:
        """Hold the body against the OpenAPI document, before it has any effect."""
        if self._openapi is None or call.body is None:
            return
        errors = tuple(self._openapi.check(call.method, route.template, call.body))
        if not errors:
            return
        # Where a rule explains the same mistake its code is Discord's own: better than the document's "anyOf".
        explained = rule_errors(route.template, call.body)
        self._violated(call, "rules" if explained else "openapi", explained or errors)
        raise InvalidForm(explained or errors)

    def _violated(self, call: Call, by: str, fields: tuple[FieldError, ...]) -> None:
        for field in fields:
            name = ".".join(map(str, field.path))
            violation = Violation(call.method, call.path, by, name, field.code, field.message, call.body)
            self.violation_count += 1
            if len(self.violations) < VIOLATIONS_KEPT:
                self.violations.append(violation)
            self._backend.activity.tell("violation", violation)

    def _log(
        self,
        method: str,
        path: str,
        route: str,
        body: Any,
        status: int,
        code: int | None = None,
        fault: Fault | None = None,
    ) -> None:
        kind = None if fault is None else str(fault.kind)
        record = RequestRecord(method, path, route, body, status, self._backend.clock.monotonic(), code, kind)
        self.requests.append(record)
        self._backend.activity.tell("request", record)

    async def _wait(self, seconds: float | None) -> None:
        """Sleep, or for None until the server closes; either way no longer than that."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return

    async def _struck_before(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind is FaultKind.HANG:
            await self._wait(None)
            return _dropped(request)
        if fault.delay_s:
            await self._wait(fault.delay_s)
        if fault.kind is FaultKind.DROP_BEFORE:
            return _dropped(request)
        await request.read()
        return _response(_scripted(fault), via=fault.via)

    async def _struck_after(self, request: web.Request, fault: Fault, reply: Reply) -> web.StreamResponse:
        if fault.kind is FaultKind.TRUNCATE:
            return await _truncated(request, reply)
        if fault.kind is FaultKind.STATUS_AFTER:
            return _response(_scripted(fault), via=fault.via)
        if fault.kind is FaultKind.HANG_AFTER:
            await self._wait(None)
        return _dropped(request)


def _scripted(fault: Fault) -> Reply:
    """The answer of a fault that answers."""
    if fault.kind is FaultKind.RATE_LIMIT:
        limited = Limited(fault.retry_after_s, fault.scope)
        body = limited.body() if fault.body is None else fault.body
        return Reply(429, body, {**limited.headers(), **fault.headers})
    if fault.kind is FaultKind.GARBAGE:
        body = fault.body or "<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
        return Reply(fault.status or 200, body, {"Content-Type": "text/html", **fault.headers})
    status = fault.status or 500
    body = {"message": f"{status}: scripted", "code": 0} if fault.body is None else fault.body
    return Reply(status, body, fault.headers)


def _response(reply: Reply, *, via: bool = True) -> web.Response:
    """The answer as bytes; ``application/json`` exactly, since discord.py takes anything else for text."""
    headers = dict(reply.headers)
    body = b""
    if isinstance(reply.body, str):
        body = reply.body.encode()
        headers.setdefault("Content-Type", "text/html")
    elif isinstance(reply.body, bytes):
        body = reply.body
    elif reply.body is not None:
        body = orjson.dumps(reply.body)
        headers.setdefault("Content-Type", "application/json")
    is_ban = reply.status == 429 and isinstance(reply.body, str)
    if via and not is_ban:
        headers["Via"] = "1.1 google"
    return web.Response(status=reply.status, body=body, headers=headers)


def _dropped(request: web.Request) -> web.Response:
    """The connection is cut; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _truncated(request: web.Request, reply: Reply) -> web.StreamResponse:
    """Half of the answer under the length of the whole, then the connection is cut."""
    whole = _response(reply)
    body = whole.body if isinstance(whole.body, bytes) else b""
    response = web.StreamResponse(status=reply.status, headers=whole.headers)
    response.content_length = max(len(body), 2)
    await response.prepare(request)
    await response.write(body[: len(body) // 2] or b"{")
    if request.transport is not None:
        # ``abort`` would throw away what is still buffered: the point is that half of it arrives.
        request.transport.close()
    return response


async def _read_body(request: web.Request, call: Call) -> None:
    """Read JSON, or a multipart form with ``payload_json`` and files; 50109 or 40005 for anything else."""
    if not request.body_exists:
        return
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise refusal(40005)
    if request.content_type == "multipart/form-data":
        await _read_form(request, call)
        return
    raw = await request.read()
    if not raw:
        return
    if request.content_type != "application/json":
        raise refusal(50109)
    call.body = _json(raw)


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise refusal(50109) from None


async def _read_form(request: web.Request, call: Call) -> None:
    files: list[Upload] = []
    left = MAX_BODY_BYTES
    fields: JsonObject = {}
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise refusal(50109)
        raw = await _read_part(part, left)
        left -= len(raw)
        name = part.name or ""
        if part.filename is not None:
            kind = part.headers.get("Content-Type", "application/octet-stream")
            files.append(Upload(name, part.filename, kind, raw))
        elif name == "payload_json":
            call.body = _json(raw)
        else:
            fields[name] = raw.decode("utf-8", "replace")
    call.files = tuple(files)
    if call.body is None and fields:
        call.body = fields


async def _read_part(part: BodyPartReader, limit: int) -> bytes:
    chunks = bytearray()
    while chunk := await part.read_chunk(65_536):
        chunks += chunk
        if len(chunks) > limit:
            raise refusal(40005)
    return bytes(chunks)
