"""The bot's spans as it sends them: with the SDK's own exporter."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode

from sandbox.page.spans import MAX_BODY_BYTES, SpanCollector


def emit(url: str, compression: Compression) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    outer = tracer.start_as_current_span("outer", attributes={"interaction_id": "7", "attempt": 2})
    with outer, tracer.start_as_current_span("inner") as inner:
        inner.set_status(Status(StatusCode.ERROR, "TimedOut"))
    provider.shutdown()


async def test_spans_arrive_with_their_parents_times_attributes_and_failures() -> None:
    for compression in (Compression.NoCompression, Compression.Gzip):
        heard: list[dict[str, Any]] = []
        async with SpanCollector(heard.extend) as collector:
            await asyncio.to_thread(emit, collector.url, compression)
        inner, outer = heard
        assert (outer["name"], outer["parent_id"], outer["error"]) == ("outer", None, None)
        assert outer["attributes"] == {"interaction_id": "7", "attempt": 2}
        assert (inner["parent_id"], inner["trace_id"], inner["error"]) == (outer["id"], outer["trace_id"], "TimedOut")
        assert outer["start_ms"] <= inner["start_ms"] <= inner["end_ms"] <= outer["end_ms"]


async def test_what_is_no_export_is_refused_and_harms_nothing() -> None:
    heard: list[dict[str, Any]] = []
    async with SpanCollector(heard.extend) as collector, aiohttp.ClientSession() as session:
        for body, status in ((b"\xff\xff\xff", 400), (b"x" * (MAX_BODY_BYTES + 1), 413)):
            async with session.post(f"{collector.url}/v1/traces", data=io.BytesIO(body)) as answer:
                assert answer.status == status
        await asyncio.to_thread(emit, collector.url, Compression.NoCompression)
    assert len(heard) == 2
