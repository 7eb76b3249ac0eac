"""The HTTP port as others see it: every answer is held against the OpenAPI document."""

import asyncio
import base64
import functools
import hmac
import itertools
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import jsonschema_rs

from agents.events import WORKFLOW_STARTED, Topic, WorkflowStarted, utc_now
from bot.ingress.documents import openapi
from bot.ingress.server import Ingress
from bot.store.outbox import Accepted, Origin

KEY = os.urandom(32)
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: Any
    """Decoded, where it is JSON."""

    @property
    def pointers(self) -> list[str]:
        return [error["pointer"] for error in self.body["errors"]]


def signature(body: bytes, webhook_id: str, timestamp: int | str, key: bytes = KEY) -> str:
    content = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, content, 'sha256')).decode()}"


def sign(body: bytes, webhook_id: str = "", *, key: bytes = KEY, at: datetime | None = None) -> dict[str, str]:
    """Headers of a message."""
    webhook_id = webhook_id or f"msg_{next(_NUMBERS)}"
    timestamp = int((at or utc_now()).timestamp())
    return {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(body, webhook_id, timestamp, key),
    }


def event(**data: Any) -> bytes:
    return json.dumps({"type": "workflow:started", "data": data}).encode()


class Port:
    """Sends requests, each in a connection of its own."""

    def __init__(self, ingress: Ingress) -> None:
        self.number = ingress.port

    async def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://127.0.0.1:{self.number}{path}", data=body, headers=headers) as answer,
        ):
            raw = await answer.read()
            reply = Reply(answer.status, answer.headers, json.loads(raw) if "json" in answer.content_type else raw)
        assert reply.headers["Connection"] == "close"
        hold_to_document(method, path, reply, answer.content_type)
        return reply

    async def get(self, path: str) -> Reply:
        return await self.request("GET", path)

    async def post(self, body: bytes, webhook_id: str = "", **how: Any) -> Reply:
        """Signed."""
        return await self.request("POST", "/events", body, sign(body, webhook_id, **how))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A bare one."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        try:
            yield reader, writer
        finally:
            writer.close()


def hold_to_document(method: str, path: str, reply: Reply, content_type: str) -> None:
    described = openapi()["paths"].get(re.sub(r"^/schemas/.+", "/schemas/{name}", path), {}).get(method.lower())
    if described is None:
        assert reply.status in {404, 405}
        schema = {"$ref": "#/components/schemas/Problem"}
    else:
        content = described["responses"][str(reply.status)]["content"]
        assert list(content) == [content_type]
        schema = content[content_type]["schema"]
    validator(json.dumps(schema)).validate(reply.body)


@functools.cache
def validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": openapi()["components"]})


@dataclass
class Outbox:
    """Accepts in memory; fails as it is told."""

    accepted: list[WorkflowStarted] = field(default_factory=list)
    by_webhook: dict[str, str] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def accept(
        self,
        event: WorkflowStarted,
        origin: Origin,
        *,
        name: str = "",
        guild_id: int | None = None,
        webhook_id: str | None = None,
    ) -> Accepted:
        assert (origin, name, guild_id) == (Origin.WEBHOOK, "", None)
        assert webhook_id
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        if known := self.by_webhook.get(webhook_id):
            return Accepted(known, new=False)
        self.by_webhook[webhook_id] = event.workflow_id
        self.accepted.append(event)
        return Accepted(event.workflow_id, new=True)


@dataclass
class Bus:
    announced: list[WorkflowStarted] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    async def emit(self, topic: Topic[WorkflowStarted], event: WorkflowStarted) -> None:
        assert topic is WORKFLOW_STARTED
        if self.failures:
            raise self.failures.pop(0)
        self.announced.append(event)
