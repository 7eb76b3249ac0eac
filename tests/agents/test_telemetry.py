"""One trace per request through every event, spans that say what happened, log lines that can be joined to them."""

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from agents import telemetry
from agents.errors import Unreachable, UpstreamFailed
from agents.events import SIGNALS_REQUESTED, WORKFLOW_STARTED, Event, WorkflowStarted
from agents.ranking.rank import Ranked
from tests.agents.doubles import FakeSource, after, asked, asks, finds, hangs, raises, scouting, signal
from tests.agents.resilience.doubles import Upstream, settle

PAGE = "https://up.example/new?token=hunter2"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Spans:
    """What was recorded so far."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [each for each in self.all() if each.name == name]

    def one(self, name: str) -> ReadableSpan:
        [found] = self.named(name)
        return found


def use_provider(monkeypatch: pytest.MonkeyPatch, provider: TracerProvider) -> None:
    """Make it the process's for one test: the API lets nobody take a provider back."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    monkeypatch.setattr(telemetry, "_TRACER", provider.get_tracer("test"))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    use_provider(monkeypatch, provider)
    yield Spans(exporter)
    provider.shutdown()


def trace_of(event: Event) -> str:
    assert event.traceparent is not None
    return event.traceparent.split("-")[1]


def trace_id_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    return span.parent is not None and parent.context is not None and span.parent.span_id == parent.context.span_id


# Spans


async def test_one_trace_crosses_every_event_and_every_span_of_a_request(spans: Spans) -> None:
    async with scouting(FakeSource("web", asks(PAGE, signal("web"))), FakeSource("news")) as desk:
        with telemetry.span("command"):
            event = asked("web", "news")
        await desk.bus.emit(SIGNALS_REQUESTED, event)
        await desk.bus.settled()
        said = [*desk.progress, *desk.discovered, desk.answer_to(event)]
    assert len(said) == 5
    assert {trace_of(each) for each in said} == {trace_of(event)}
    assert {trace_id_of(each) for each in spans.all()} == {trace_of(event)}
    assert sorted(each.name for each in spans.all()) == [
        "command", "fetch", "signals.discover", "signals.request", "source.scan", "source.scan",
    ]  # fmt: skip
    assert is_child(spans.one("signals.request"), spans.one("command"))
    assert is_child(spans.one("signals.discover"), spans.one("signals.request"))
    assert all(is_child(each, spans.one("signals.discover")) for each in spans.named("source.scan"))
    assert any(is_child(spans.one("fetch"), each) for each in spans.named("source.scan"))


async def test_two_requests_are_two_traces(spans: Spans) -> None:
    async with scouting(FakeSource("news")) as desk:
        one = await desk.ask("news", query="one")
        two = await desk.ask("news", query="two")
    assert trace_of(one) != trace_of(two)
    assert {trace_id_of(each) for each in spans.all()} == {trace_of(one), trace_of(two)}


async def test_the_discovery_says_who_looked_where_and_what_came_of_it_but_not_for_what(spans: Spans) -> None:
    async with scouting(FakeSource("web", asks(PAGE, signal("web"))), FakeSource("news")) as desk:
        await desk.ask("web", "news", query="private matter")
    assert attributes(spans.one("signals.discover")) == {
        "agent.id": "signals-scout",
        "sources": ("web", "news"),
        "timeframe": "24h",
        "signals.found": 2,
    }
    for span in spans.all():
        assert "private" not in span.to_json()
        assert "hunter2" not in span.to_json()


async def test_each_scan_says_how_it_went_and_a_failed_one_is_marked(spans: Spans) -> None:
    sources = [
        FakeSource("good"),
        FakeSource("void", finds()),
        FakeSource("bad", raises(Unreachable("gone"))),
        FakeSource("bug", raises(ZeroDivisionError())),
    ]
    async with scouting(*sources) as desk:
        await desk.ask("good", "void", "bad", "bug")
    scans = {str(attributes(each)["source"]): each for each in spans.named("source.scan")}
    assert {name: (attributes(each)["outcome"], attributes(each)["signals"]) for name, each in scans.items()} == {
        "good": ("ok", 1),
        "void": ("empty", 0),
        "bad": ("failed", 0),
        "bug": ("failed", 0),
    }
    assert all(isinstance(attributes(each)["duration_s"], float) for each in scans.values())
    assert {name for name, each in scans.items() if each.status.status_code is StatusCode.ERROR} == {"bad", "bug"}
    assert scans["bad"].status.description == "Unreachable"
    assert spans.one("signals.discover").status.status_code is not StatusCode.ERROR


async def test_each_attempt_of_a_fetch_is_a_span_with_its_outcome(spans: Spans) -> None:
    raw = Upstream(UpstreamFailed("odd", status=500), None)
    async with scouting(FakeSource("web", asks(PAGE)), raw=raw) as desk:
        await desk.ask("web")
    first, second = (attributes(each) for each in spans.named("fetch"))
    assert (first["attempt"], first["outcome"]) == (1, "UpstreamFailed")
    assert (second["attempt"], second["outcome"]) == (2, "ok")
    assert (first["source"], first["host"]) == ("web", "up.example")
    assert isinstance(first["duration_s"], float)
    assert [each.status.status_code is StatusCode.ERROR for each in spans.named("fetch")] == [True, False]


async def test_a_joined_waiter_has_its_scan_in_its_own_trace_and_the_fetch_stays_in_the_first(spans: Spans) -> None:
    async with scouting(FakeSource("web", after(0.01, asks(PAGE, signal("web"))))) as desk:
        first, second = asked("web"), asked("web")
        await desk.bus.emit(SIGNALS_REQUESTED, first)
        await desk.bus.emit(SIGNALS_REQUESTED, second)
        await desk.bus.settled()
        traces = [trace_of(desk.answer_to(event)) for event in (first, second)]
    assert sorted(trace_id_of(each) for each in spans.named("source.scan")) == sorted(traces)
    assert trace_id_of(spans.one("fetch")) == traces[0]


async def test_a_request_that_fails_as_a_whole_is_marked(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_arguments: object, **_named: object) -> Ranked:
        raise KeyError("detail")

    monkeypatch.setattr("agents.discovery.rank_off_loop", broken)
    async with scouting(FakeSource("news")) as desk:
        await desk.ask("news")
    for name in ("signals.request", "signals.discover"):
        assert spans.one(name).status.status_code is StatusCode.ERROR
        assert spans.one(name).status.description == "KeyError"


async def test_a_cancelled_request_is_marked_and_its_response_belongs_to_its_trace(spans: Spans) -> None:
    async with scouting(FakeSource("hung", hangs)) as desk:
        with telemetry.span("command"):
            event = asked("hung")
        await desk.bus.emit(SIGNALS_REQUESTED, event)
        await settle()
        await desk.bus.drain(0.0)
        assert trace_of(desk.answer_to(event)) == trace_of(event)
    assert spans.one("signals.request").status.description == "CancelledError"


async def test_unasked_discovery_belongs_to_its_workflows_trace(spans: Spans) -> None:
    async with scouting(FakeSource("reddit"), auto_discovery=True) as desk:
        with telemetry.span("schedule"):
            event = WorkflowStarted(auto_discovery=True)
        await desk.bus.emit(WORKFLOW_STARTED, event)
        await desk.bus.settled()
        assert [trace_of(each) for each in desk.discovered] == [trace_of(event)]
    assert is_child(spans.one("workflow.discover"), spans.one("schedule"))


def test_what_the_sender_says_about_sampling_is_heeded(spans: Spans) -> None:
    with telemetry.span("recorded", parent=PARENT):
        assert telemetry.trace_id() == "0af7651916cd43dd8448eb211c80319c"
    with telemetry.span("not recorded", parent=PARENT.removesuffix("1") + "0"):
        assert telemetry.trace_id() == "0af7651916cd43dd8448eb211c80319c"
    assert [each.name for each in spans.all()] == ["recorded"]


# Without an SDK


async def test_without_an_sdk_events_still_share_a_trace_that_is_not_zero() -> None:
    async with scouting(FakeSource("one"), FakeSource("two")) as desk:
        first = await desk.ask("one", "two")
        second = await desk.ask("one")
        events = [*desk.progress[:2], *desk.discovered]
    assert int(trace_of(first), 16)
    assert {trace_of(event) for event in events} == {trace_of(first)}
    assert trace_of(second) != trace_of(first)


def test_without_an_sdk_a_span_within_a_span_stays_in_its_trace_and_leaves_nothing_behind() -> None:
    assert telemetry.trace_id() is None
    with telemetry.span("outer"):
        outer = telemetry.trace_id()
        with telemetry.span("inner"):
            assert telemetry.trace_id() == outer
        with telemetry.span("handler", parent=PARENT):
            assert telemetry.traceparent() is not None
            assert telemetry.trace_id() == "0af7651916cd43dd8448eb211c80319c"
        assert telemetry.trace_id() == outer
    assert outer is not None
    assert telemetry.trace_id() is None
    assert telemetry.traceparent() is None


@pytest.mark.parametrize("sdk", [False, True], ids=["api only", "sdk"])
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        PARENT.replace("00-", "ff-", 1),
        PARENT.replace("-", "_"),
        PARENT.upper(),
        PARENT + "junk",
        "00-0x_7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00- +af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
    ],
)
def test_a_parent_that_makes_no_sense_begins_a_new_trace(
    header: str | None, sdk: bool, request: pytest.FixtureRequest
) -> None:
    if sdk:
        request.getfixturevalue("spans")
    with telemetry.span("handler", parent=header):
        found = telemetry.trace_id()
    assert found is not None
    assert int(found, 16)
    assert found != "0af7651916cd43dd8448eb211c80319c"


def test_a_parent_of_a_later_version_is_understood() -> None:
    with telemetry.span("handler", parent=PARENT.replace("00-", "01-", 1) + "-more"):
        assert telemetry.trace_id() == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("sdk", [False, True], ids=["api only", "sdk"])
def test_an_error_passes_through_a_span(sdk: bool, request: pytest.FixtureRequest) -> None:
    spans: Spans | None = request.getfixturevalue("spans") if sdk else None
    with pytest.raises(ZeroDivisionError), telemetry.span("outer"):
        raise ZeroDivisionError("secret detail")
    assert telemetry.trace_id() is None
    if spans is not None:
        assert spans.one("outer").status.description == "ZeroDivisionError"
        assert "secret" not in spans.one("outer").to_json()


# Log lines


async def test_start_end_and_failure_of_a_discovery_are_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with scouting(FakeSource("good"), FakeSource("bad", raises(Unreachable("gone")))) as desk:
        response = await desk.ask("good", "bad")
    said = [record for record in caplog.records if record.getMessage().startswith(("discovery", "scan"))]
    assert [(record.getMessage(), record.levelname) for record in said] == [
        ("discovery started", "DEBUG"),
        ("scan started", "DEBUG"),
        ("scan started", "DEBUG"),
        ("scan finished", "DEBUG"),
        ("scan finished", "WARNING"),
        ("discovery finished", "INFO"),
    ]
    assert {record.__dict__["trace_id"] for record in said} == {trace_of(response)}


@pytest.mark.usefixtures("root_logger")
def test_json_lines_carry_fields_level_logger_time_and_trace(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.set_up_logging("INFO", as_json=True)
    with telemetry.span("work"):
        telemetry.logger("ours").info("thing happened", count=3, said="a\nb “c”")
        logging.getLogger("theirs").warning("took %d s", 5)
        telemetry.logger("ours").debug("not shown")
        trace_id = telemetry.trace_id()
    telemetry.logger("ours").info("outside")
    ours, theirs, outside = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert {**ours, "timestamp": ""} == {
        "timestamp": "", "level": "info", "logger": "ours", "event": "thing happened",
        "count": 3, "said": "a\nb “c”", "trace_id": trace_id,
    }  # fmt: skip
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("took 5 s", "theirs", "warning")
    assert theirs["trace_id"] == trace_id
    assert ours["timestamp"].startswith("20")
    assert "trace_id" not in outside


@pytest.mark.usefixtures("root_logger")
def test_text_lines_are_one_line_each_whatever_a_value_holds(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.set_up_logging("INFO", as_json=False)
    with telemetry.span("work"):
        telemetry.logger("ours").info("thing happened", count=3, said="a\n2026 forged line \x1b[31m")
        logging.getLogger("theirs").info("also %s", "this\nforged")
        trace_id = telemetry.trace_id()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "thing happened" in lines[0]
    assert "count=3" in lines[0]
    assert "\x1b" not in lines[0]
    assert "theirs" in lines[1]
    assert all(f"trace_id={trace_id}" in line for line in lines)


@pytest.mark.usefixtures("root_logger")
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_tracebacks_are_printed_without_the_values_of_variables(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.set_up_logging("INFO", as_json=as_json)
    token = "-".join(["hunter", "2"])
    try:
        _fail(token)
    except RuntimeError:
        telemetry.logger("ours").exception("work failed")
        logging.getLogger("theirs").exception("theirs failed")
    printed = capsys.readouterr().err
    assert printed.count("ZeroDivisionError") == 2
    assert printed.count("RuntimeError: could not") == 2
    assert printed.count("in _fail") == 4  # the cause and the error, of two lines
    assert "hunter-2" not in printed
    if as_json:
        assert len(printed.splitlines()) == 2


def _fail(token: str) -> None:
    try:
        assert len(token) / 0
    except ZeroDivisionError as error:
        raise RuntimeError("could not") from error


@pytest.mark.usefixtures("root_logger")
async def test_a_handlers_failure_on_the_bus_is_one_line_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.set_up_logging("WARNING", as_json=True)

    async def broken(event: WorkflowStarted) -> None:
        with telemetry.span("broken", parent=event.traceparent):
            telemetry.logger("ours").warning("about to fail")
            raise ZeroDivisionError

    async with scouting() as desk:
        desk.bus.subscribe(WORKFLOW_STARTED, broken)
        await desk.bus.emit(WORKFLOW_STARTED, WorkflowStarted(traceparent=PARENT))
        await desk.bus.settled()
    before, failure = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert before["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert failure["event"] == "handler failed"
    assert "ZeroDivisionError" in failure["exception"]


@pytest.mark.usefixtures("root_logger")
def test_set_up_twice_prints_once(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.set_up_logging("INFO", as_json=False)
    telemetry.set_up_logging("INFO", as_json=False)
    telemetry.logger("ours").info("once")
    assert capsys.readouterr().err.count("once") == 1


@pytest.mark.usefixtures("root_logger")
@pytest.mark.parametrize(
    ("level", "printed"),
    [("DEBUG", {"our debug", "our info", "their info"}), ("INFO", {"our info", "their info"}), ("ERROR", set())],
)
def test_debug_is_for_our_own_lines_because_those_of_libraries_hold_what_people_typed(
    level: str, printed: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.set_up_logging(level, as_json=True)
    for logger, whose in (("agent.mine", "our"), ("discord.gateway", "their")):
        logging.getLogger(logger).debug("%s debug", whose)
        logging.getLogger(logger).info("%s info", whose)
    assert {json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()} == printed


# Export


async def test_spans_arrive_at_a_collector_when_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    arrived: Future[tuple[str, bytes]] = Future()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.set_result((self.path, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    monkeypatch.setattr(trace, "set_tracer_provider", lambda provider: use_provider(monkeypatch, provider))
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        flush = telemetry.export_traces(f"http://127.0.0.1:{server.server_port}/", "signals-scout")
        with telemetry.span("work", {"answer": 42}):
            trace_id = telemetry.trace_id()
        await asyncio.to_thread(flush)
        server.shutdown()
    path, body = arrived.result(timeout=0)
    assert path == "/v1/traces"
    [resource] = ExportTraceServiceRequest.FromString(body).resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == (
        "signals-scout"
    )
    [span] = resource.scope_spans[0].spans
    assert (span.name, span.trace_id.hex()) == ("work", trace_id)


async def test_a_collector_that_hangs_does_not_keep_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trace, "set_tracer_provider", lambda provider: use_provider(monkeypatch, provider))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        flush = telemetry.export_traces(f"http://127.0.0.1:{silent.getsockname()[1]}", "signals-scout", last_s=0.1)
        with telemetry.span("work"):
            pass
        began = time.perf_counter()
        await asyncio.to_thread(flush)
        assert time.perf_counter() - began < 1
    assert "last spans not sent" in caplog.text
    for thread in threading.enumerate():
        if thread.name == "last-spans":  # which fails at once, now that nobody listens
            await asyncio.to_thread(thread.join, 5)
            assert not thread.is_alive()
