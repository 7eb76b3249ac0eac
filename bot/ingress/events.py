"""``POST /events``: a signed event starts a workflow, once."""

import asyncio
import ipaddress
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from agents import telemetry
from agents.events import utc_now
from agents.source import SourceSpec
from bot.ingress import posted
from bot.ingress.answers import later, problem
from bot.ingress.rates import Rates
from bot.ingress.signatures import NotSigned, Signatures
from bot.store.errors import StoreError
from bot.store.outbox import Origin
from bot.workflows import Accepts, Emit, start

MOST_BYTES = 65_536
BODY_TIMEOUT_S = 10.0
"""For a body to arrive."""
ACCEPT_TIMEOUT_S = 12.0
"""For the database to take it."""
DOOR = (0.05, 100)
"""Of one address, signed or not: one each so many seconds after so many at once."""
SIGNED = (1.0, 30)
"""Of one secret."""
_AGAIN_S = 5
_LOG_INTERVAL_S = 10.0
_NOT_SIGNED = "The request is not signed as it should be. How to sign is told in docs/webhooks.md."
_log = telemetry.logger("bot.ingress")


class Events:
    """Takes events of whoever holds one of the secrets; without secrets it takes none."""

    def __init__(
        self,
        secrets: Sequence[bytes],
        sources: Mapping[str, SourceSpec],
        outbox: Accepts,
        emit: Emit,
        *,
        body_timeout_s: float = BODY_TIMEOUT_S,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.open = bool(secrets)
        self._body_timeout_s = body_timeout_s
        self._signatures = Signatures(secrets, now)
        self._sources = sources
        self._outbox = outbox
        self._emit = emit
        self._door, self._signed = (
            Rates(interval_s=interval_s, burst=burst, clock=clock) for interval_s, burst in (DOOR, SIGNED)
        )
        self._logged = Rates(interval_s=_LOG_INTERVAL_S, burst=3, clock=clock)

    async def post(self, request: web.Request) -> web.Response:
        """Answer a request; whatever it says, nothing starts twice for the same ``webhook-id``."""
        if not self.open:
            return problem(404, "POST /events is off: whoever runs this bot turns it on by setting WEBHOOK_SECRET.")
        if wait_s := self._door.take(_network(request.remote)):
            return later(429, "Too many requests from this address. Send them slower.", wait_s)
        if not _is_json(request):
            return problem(415, "The body must be JSON: Content-Type: application/json, UTF-8, without encoding.")
        body = await _body(request, self._body_timeout_s)
        if isinstance(body, web.Response):
            return body
        return await self._take(request, body)

    async def _take(self, request: web.Request, body: bytes) -> web.Response:
        try:
            signed = self._signatures.check(request.headers, body)
        except NotSigned as error:
            if not self._logged.take("not signed"):
                _log.warning("an event was refused", reason=str(error), remote=request.remote)
            return problem(401, _NOT_SIGNED, headers={"WWW-Authenticate": "StandardWebhooks"})
        if wait_s := self._signed.take(signed.secret):
            return later(429, "Too many events signed with this secret. Send them slower.", wait_s)
        with telemetry.span("ingress.event"):
            try:
                event = posted.read(body, self._sources)
            except posted.Unacceptable as error:
                return problem(422, "The body is not what it should be; see errors.", errors=error.problems)
            try:
                async with asyncio.timeout(ACCEPT_TIMEOUT_S):
                    accepted = await start(
                        self._outbox, self._emit, event, Origin.WEBHOOK, webhook_id=signed.webhook_id
                    )
            except (StoreError, TimeoutError) as error:
                _log.warning("an event could not be taken", error=str(error) or "the database did not answer in time")
                return later(503, "The database is away. Send it again with the same webhook-id.", _AGAIN_S)
            _log.info("workflow accepted", workflow_id=accepted.workflow_id, new=accepted.new)
        return web.json_response({"workflow_id": accepted.workflow_id, "new": accepted.new}, status=202)


def _network(address: str | None) -> str:
    """Who holds an IPv6 address holds its whole network."""
    if address is None or ":" not in address:
        return address or ""
    return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))


def _is_json(request: web.Request) -> bool:
    plain = request.headers.get("Content-Encoding", "identity").lower() == "identity"
    charset = (request.charset or "utf-8").lower()
    return plain and request.content_type == "application/json" and charset in {"utf-8", "utf8"}


async def _body(request: web.Request, timeout_s: float) -> bytes | web.Response:
    """The body, or why it is not taken."""
    too_large = problem(413, f"The body has more than {MOST_BYTES} bytes.")
    if (request.content_length or 0) > MOST_BYTES:
        return too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MOST_BYTES:
                    return too_large
    except TimeoutError:
        return problem(408, f"The body did not arrive within {timeout_s:g} s.")
    except (HttpProcessingError, ConnectionError):
        return problem(400, "The body is not sent as HTTP wants it.")
    return bytes(body)
