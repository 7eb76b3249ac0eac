"""Traces that cross events, and log lines that carry the trace's id. OpenTelemetry's API only; no exporter needed."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

_TRACER = trace.get_tracer("signals_scout")
"""A proxy: spans are recorded as soon as an SDK is installed, whenever that is."""


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The standard library's logger of that name, spoken to in structlog's way: an event and its fields.

    The fields travel as the record's extras, so any handler can use them; ``set_up_logging`` renders them.
    """
    bound: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[structlog.stdlib.filter_by_level, _add_trace_id, structlog.stdlib.render_to_log_kwargs],
        cache_logger_on_first_use=True,
    )
    return bound


def _root_context() -> otel_context.Context:
    """A context with a fresh random trace id: without an SDK the API would give every trace the id 0."""
    raw = os.urandom(24)
    fresh = SpanContext(
        trace_id=int.from_bytes(raw[:16]) or 1,
        span_id=int.from_bytes(raw[16:]) or 1,
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.DEFAULT),
    )
    return trace.set_span_in_context(NonRecordingSpan(fresh))


def traceparent() -> str | None:
    """The W3C header of the current span, to be put on an event; None outside any trace."""
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return None
    return f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags:02x}"


def trace_id() -> str | None:
    """The current trace's id in 32 hex digits; None outside any trace."""
    current = trace.get_current_span().get_span_context()
    return f"{current.trace_id:032x}" if current.is_valid else None


def _parse(header: str | None) -> otel_context.Context | None:
    if header is None or len(header) < 55:
        return None
    try:
        parsed = SpanContext(
            trace_id=int(header[3:35], 16),
            span_id=int(header[36:52], 16),
            is_remote=True,
            trace_flags=TraceFlags(int(header[53:55], 16)),
        )
    except ValueError:
        return None
    return trace.set_span_in_context(NonRecordingSpan(parsed)) if parsed.is_valid else None


@contextmanager
def span(
    name: str, attributes: Mapping[str, AttributeValue] | None = None, *, parent: str | None = None
) -> Iterator[Span]:
    """Run the block in a span; an exception marks it failed and passes on.

    ``parent`` is an event's ``traceparent``; without one the current span is the parent, and where there is none
    a new trace begins. Never put a query string or a secret into ``attributes``.
    """
    context = _parse(parent)
    if context is None and not trace.get_current_span().get_span_context().is_valid:
        context = _fresh_context_if_no_sdk()
    with _TRACER.start_as_current_span(
        name, context=context, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def mark_failed(error: BaseException) -> None:
    """Mark the current span as failed by an error that is handled here and so does not pass through it."""
    trace.get_current_span().set_status(Status(StatusCode.ERROR, type(error).__name__))


def _fresh_context_if_no_sdk() -> otel_context.Context | None:
    provider = trace.get_tracer_provider()
    api_only = isinstance(provider, (trace.NoOpTracerProvider, trace.ProxyTracerProvider))
    return _root_context() if api_only else None


def set_up_logging(level: str, *, as_json: bool) -> None:
    """Send every log line, ours and the libraries', to stderr in one form, each with its trace's id."""
    renderer: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.ExtraAdder(),
                _add_trace_id,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _add_trace_id(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if "trace_id" not in event:
        current = trace_id()
        if current is not None:
            event["trace_id"] = current
    return event


def export_traces(endpoint: str, service: str) -> Callable[[], None]:
    """Send spans to an OTLP collector over HTTP and return what flushes and ends that.

    Raises ``ImportError`` when the ``otel`` extra is not installed; requirements.lock has it.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
    return provider.shutdown
