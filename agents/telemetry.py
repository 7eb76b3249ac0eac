"""Traces that cross events, and log lines that carry the trace's id. OpenTelemetry's API only; no exporter needed."""

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

OUR_LOGGERS = ("agent", "agents", "bot")
"""And those below them."""
LAST_SPANS_S = 1.0
"""How long the end of the process may wait for the collector."""

_TRACER = trace.get_tracer("signals_scout")
"""A proxy: spans are recorded as soon as an SDK is installed, whenever that is."""
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
"""W3C Trace Context, 3.2; later versions may append fields."""
_TRACE: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""The current trace where no SDK is installed. OpenTelemetry's own context would do, at several times the cost, and
its spans would all have the id 0."""
_IN_PLACE: AbstractContextManager[Span] = nullcontext(trace.INVALID_SPAN)
_OF_EVERY_RECORD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_LEVELS = {name.lower(): level for name, level in logging.getLevelNamesMapping().items()} | {
    "exception": logging.ERROR
}
_NOT_PLAIN = frozenset(" =\"'\\")


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The standard library's logger of that name, spoken to in structlog's way: an event and its fields.

    The fields travel as the record's extras, so any handler can use them; ``set_up_logging`` renders them.
    """
    bound: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=_BoundLogger,
        processors=[_add_trace_id, structlog.stdlib.render_to_log_kwargs],
        cache_logger_on_first_use=True,
    )
    return bound


class _BoundLogger(structlog.stdlib.BoundLogger):
    """structlog's, which asks last what costs least: whether the line is wanted at all."""

    def _proxy_to_logger(self, method_name: str, event: str | None = None, *event_args: str, **event_kw: Any) -> Any:
        if not self._logger.isEnabledFor(_LEVELS[method_name]):
            return None
        return super()._proxy_to_logger(method_name, event, *event_args, **event_kw)


def _add_trace_id(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    current = trace_id()
    if current is not None:
        event["trace_id"] = current
    return event


def traceparent() -> str | None:
    """The W3C header of the current span, to be put on an event; None outside any trace."""
    if _no_sdk():
        return _TRACE.get()
    current = trace.get_current_span().get_span_context()
    return _header(current) if current.is_valid else None


def trace_id() -> str | None:
    """The current trace's id in 32 hex digits; None outside any trace."""
    header = traceparent()
    return None if header is None else header[3:35]


def _header(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _parse(header: str | None) -> SpanContext | None:
    found = _TRACEPARENT.fullmatch(header) if header is not None else None
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    parsed = SpanContext(trace_id=trace_id, span_id=span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return parsed if parsed.is_valid else None


def span(
    name: str, attributes: Mapping[str, AttributeValue] | None = None, *, parent: str | None = None
) -> AbstractContextManager[Span]:
    """Run the block in a span; an exception marks it failed and passes on.

    ``parent`` is an event's ``traceparent``; without one the current span is the parent, and where there is none
    a new trace begins. Never put a query string or a secret into ``attributes``.
    """
    if not _no_sdk():
        return _recorded(name, attributes, parent)
    current = _TRACE.get()
    if current is not None and parent in (None, current):  # as nearly always
        return _IN_PLACE
    return _traced(parent)


@contextmanager
def _traced(parent: str | None) -> Iterator[Span]:
    token = _enter_trace(parent)
    try:
        yield trace.INVALID_SPAN
    finally:
        if token is not None:
            _TRACE.reset(token)


@contextmanager
def _recorded(name: str, attributes: Mapping[str, AttributeValue] | None, parent: str | None) -> Iterator[Span]:
    remote = _parse(parent)
    with _TRACER.start_as_current_span(
        name,
        context=None if remote is None else trace.set_span_in_context(NonRecordingSpan(remote)),
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def _enter_trace(parent: str | None) -> Token[str | None] | None:
    """A span where nothing records it: the trace's id is all there is to it, and a child has its parent's.

    None where that is in place already.
    """
    current = _TRACE.get()
    if parent is not None and parent != current and (parsed := _parse(parent)) is not None:
        return _TRACE.set(_header(parsed))
    if current is not None:
        return None
    random = os.urandom(24).hex()
    return _TRACE.set(f"00-{random[:32]}-{random[32:]}-00")


def mark_failed(error: BaseException) -> None:
    """Mark the current span as failed by an error that is handled here and so does not pass through it."""
    trace.get_current_span().set_status(Status(StatusCode.ERROR, type(error).__name__))


def _no_sdk() -> bool:
    # get_tracer_provider(), the public way, looks into the environment each time.
    provider = trace._TRACER_PROVIDER  # noqa: SLF001
    return isinstance(_TRACER, trace.ProxyTracer) and isinstance(provider, (type(None), trace.NoOpTracerProvider))


def set_up_logging(level: str, *, as_json: bool) -> None:
    """Send every log line, ours and the libraries', to stderr in one form, each with its trace's id.

    The libraries begin at INFO at the earliest: their DEBUG lines hold what people typed, and interactions' tokens.
    """
    # What no line here shows need not be found out for each (Python's logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - as it says there: who called
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if as_json else _TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel("INFO" if level == "DEBUG" else level)
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(level)


class _TextLines(logging.Formatter):
    """For people: time, level, event, logger, fields. structlog's renderer takes three times as long."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} [{record.levelname.lower():<8}] {_one_line(record.getMessage())} [{record.name}]"
        line = " ".join([line, *(f"{name}={_shown(value)}" for name, value in _fields(record).items())])
        traceback = _traceback(self, record)
        return f"{line}\n{traceback}" if traceback else line


class _JsonLines(logging.Formatter):
    """For machines: an object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if traceback := _traceback(self, record):
            line["exception"] = traceback
        return json.dumps(line, default=repr, ensure_ascii=False)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What the event was logged with; the trace's id also for libraries, which know nothing of it."""
    fields = {name: value for name, value in record.__dict__.items() if name not in _OF_EVERY_RECORD}
    if "trace_id" not in fields and (current := trace_id()) is not None:
        fields["trace_id"] = current
    return fields


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else ""


def _shown(value: object) -> str:
    """Quoted unless it is one plain word, so that no value can look like another field or another line."""
    text = value if isinstance(value, str) else repr(value)
    return text if text.isprintable() and text.isascii() and not _NOT_PLAIN.intersection(text) else repr(value)


def _one_line(text: str) -> str:
    return text if text.isprintable() else repr(text)


def export_traces(endpoint: str, service: str, *, last_s: float = LAST_SPANS_S) -> Callable[[], None]:
    """Send spans to an OTLP collector over HTTP and return what sends the last ones and ends that, in ``last_s``.

    Raises ``ImportError`` when the ``otel`` extra is not installed; requirements.lock has it.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)

    def flush() -> None:
        # The SDK would wait half a minute for a collector that hangs, and the process must end sooner.
        ending = Thread(target=provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        ending.join(last_s)
        if ending.is_alive():
            logger("agents.telemetry").warning("last spans not sent", waited_s=last_s)

    return flush
