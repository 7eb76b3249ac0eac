"""Where the bot sends its spans: as much of an OpenTelemetry collector as the inspector needs (OTLP over HTTP)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sandbox.errors import JsonObject

MAX_BODY_BYTES = 4 * 1024 * 1024
_FAILED = 2

OnSpans = Callable[[list[JsonObject]], None]


class SpanCollector:
    """Serves ``/v1/traces`` on loopback, as an async context manager; hands over what arrives, decoded."""

    def __init__(self, on_spans: OnSpans) -> None:
        self._on_spans = on_spans
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        """What ``OTEL_EXPORTER_OTLP_ENDPOINT`` is to be."""
        assert self._runner is not None
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _take(self, request: web.Request) -> web.Response:
        try:
            self._on_spans(list(decode(await request.read())))
        except DecodeError:
            return web.Response(status=400)
        return web.Response(content_type="application/x-protobuf")


def decode(body: bytes) -> Iterator[JsonObject]:
    """The spans of one export, as the page reads them; times in milliseconds since 1970. Raises DecodeError."""
    sent = ExportTraceServiceRequest()
    sent.ParseFromString(body)
    for resource in sent.resource_spans:
        for scope in resource.scope_spans:
            yield from (_span(span) for span in scope.spans)


def _span(span: Any) -> JsonObject:
    return {
        "trace_id": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex() or None,
        "name": span.name,
        "start_ms": span.start_time_unix_nano / 1e6,
        "end_ms": span.end_time_unix_nano / 1e6,
        "attributes": {attribute.key: _value(attribute.value) for attribute in span.attributes},
        "error": (span.status.message or "failed") if span.status.code == _FAILED else None,
    }


def _value(value: Any) -> Any:
    """An attribute's value; what is neither text, number nor truth is shown as it stands."""
    kind = value.WhichOneof("value")
    plain = ("string_value", "bool_value", "int_value", "double_value")
    return getattr(value, kind) if kind in plain else str(value).strip()
