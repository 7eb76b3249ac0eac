"""An upstream in memory, behind the ``Fetch`` protocol, and questions to ask."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.errors import BadStatus, SourceError, UnexpectedContent
from agents.fetch.request import Request, Response
from agents.signal import Timeframe
from agents.source import Question
from agents.sources.feed_worker import Feed, ParseRequest
from agents.sources.feed_worker import answer as read_in_worker

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RECORDINGS = Path(__file__).parents[3] / ".." / "shared" / "recordings"

Answer = Response | SourceError


def recorded(name: str) -> bytes:
    """One recorded body, or a skip with its reason."""
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip("the recorded payloads (../shared/recordings) are not on this machine")
    return path.read_bytes()


def answer(
    body: Any, content_type: str = "application/json", *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response; what is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, "", {k.lower(): v for k, v in (headers or {}).items()}, raw, content_type)


def question(
    query: str | None = None,
    *,
    timeframe: Timeframe = Timeframe.DAY,
    limit: int = 100,
    now: datetime = NOW,
    options: Mapping[str, str] | None = None,
) -> Question:
    """A question at ``NOW``."""
    return Question(options or {}, query, timeframe, limit, now)


class FakeFetch:
    """Answers by a function of the request; remembers what was sent and which hosts were to be left alone."""

    def __init__(self, reply: Callable[[Request], Answer]) -> None:
        self._reply = reply
        self.sent: list[Request] = []
        self.pauses: list[tuple[str, float]] = []

    async def get(self, request: Request) -> Response:
        self.sent.append(request)
        reply = self._reply(request)
        if isinstance(reply, BadStatus) and reply.sent and reply.retry_after_s is None:
            reply.retry_after_s = request.waits_s.get(reply.status)
            if reply.retry_after_s is not None:
                self.pause(request.url, reply.retry_after_s)
        if isinstance(reply, SourceError):
            raise reply
        response = reply if reply.url else replace(reply, url=request.url)
        if request.pause_s is not None and (asked_s := request.pause_s(response)) > 0:
            self.pause(request.url, asked_s)
        return response

    def pause(self, url: str, seconds: float) -> None:
        self.pauses.append((url, seconds))


class InProcessParser:
    """Reads feeds as the worker does, without a process."""

    async def parse(self, body: bytes, charset: str | None) -> Feed:
        """The feed; ``UnexpectedContent`` when it is none."""
        reply = read_in_worker(ParseRequest(body, charset, 300))
        if reply.feed is None:
            raise UnexpectedContent(reply.error)
        return reply.feed

    async def close(self) -> None:
        """Nothing runs."""


def mutated(value: Any, path: tuple[int, ...], replacement: Any) -> Any:
    """A copy of a JSON value in which what the path leads to (indices, modulo size) is something else."""
    if not path or not isinstance(value, (dict, list)) or not value:
        return replacement
    if isinstance(value, dict):
        key = list(value)[path[0] % len(value)]
        return {**value, key: mutated(value[key], path[1:], replacement)}
    index = path[0] % len(value)
    return [*value[:index], mutated(value[index], path[1:], replacement), *value[index + 1 :]]
