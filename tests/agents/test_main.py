"""``python -m agents``: what it prints, and its exit status."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agents.__main__ import main
from agents.settings import SourceSettings
from agents.sources import build_sources
from sandbox.upstreams import SampleUpstreams
from tests.upstreams import Upstream, hang, reply_json
from tests.upstreams import status as http_status

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("bare_environment", "root_logger")


class CommandLine:
    """Runs the command line in this process, on a loop of its own beside the upstreams' one."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def env(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    async def run(self, *argv: str) -> tuple[int, str, str]:
        """Exit status, what was printed and what was said on stderr."""
        try:
            status = await asyncio.to_thread(main, argv)
        except SystemExit as error:
            status = int(error.code or 0)
        printed = self._capsys.readouterr()
        return status, printed.out, printed.err

    async def json(self, *argv: str) -> dict[str, Any]:
        status, out, _ = await self.run(*argv, "--json")
        assert status == 0
        content: dict[str, Any] = json.loads(out)
        return content


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


def hits(*numbers: int) -> dict[str, object]:
    """Stories as Algolia sends them."""
    now = time.time()
    return {
        "hits": [
            {
                "objectID": str(number),
                "title": f"Ärger with number {number}",
                "url": f"https://site.example/{number}",
                "author": "ada",
                "points": 1000 + number,
                "num_comments": number,
                "created_at_i": now - 60 * number,
            }
            for number in numbers
        ]
    }


def hackernews(cli: CommandLine, upstream: Upstream, answer: Any) -> None:
    """Let Hacker News be this upstream, answering so."""
    upstream.on("/search", answer)
    upstream.on("/search_by_date", answer)
    cli.env(HACKERNEWS_API_URL=upstream.url("").rstrip("/"), FETCH_ALLOW=upstream.allow)


async def test_as_a_process_it_scans_what_is_named_and_ends_with_0() -> None:
    async with SampleUpstreams() as samples:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agents", "reddit", "hackernews", "news", "--json", "--limit", "30",
            env={**os.environ, **samples.env(), "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, said = await process.communicate()
    assert (process.returncode, said.decode()) == (0, "")
    content = json.loads(out)
    assert {signal["source"] for signal in content["signals"]} == {"reddit", "hackernews", "news"}
    assert [(report["source"], report["status"]) for report in content["reports"]] == [
        ("reddit", "ok"),
        ("hackernews", "ok"),
        ("news", "ok"),
    ]
    assert content["count"] == len(content["signals"]) == 30
    assert content["found"] >= 30
    scores = [signal["score"] for signal in content["signals"]]
    assert scores == sorted(scores, reverse=True)


async def test_ctrl_c_ends_it_quietly_with_130() -> None:
    async with Upstream() as upstream:
        upstream.on("/search", hang())
        upstream.on("/search_by_date", hang())
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agents", "hackernews",
            env={**os.environ, "HACKERNEWS_API_URL": upstream.url("").rstrip("/"), "FETCH_ALLOW": upstream.allow,
                 "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        )  # fmt: skip
        async with asyncio.timeout(20):
            while not upstream.requests:
                await asyncio.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, said = await process.communicate()
    assert (process.returncode, out, said) == (130, b"", b"")


async def test_the_table_shows_scores_titles_ids_facts_and_a_line_per_source(cli: CommandLine) -> None:
    async with Upstream() as upstream:
        hackernews(cli, upstream, reply_json(hits(1, 2, 3)))
        status, out, said = await cli.run("hackernews", "twitter", "--limit", "2")
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "2 of 3 signals, last 24 hours"
    first = next(place for place, line in enumerate(lines) if line.startswith("  1. "))
    assert lines[first].split()[1].startswith("0.")
    assert "Ärger with number" in lines[first]
    assert "points" in lines[first + 1]
    assert "[hackernews:" in lines[first + 1]
    assert lines[first + 2].strip().startswith("https://site.example/")
    assert lines[-2].startswith("+ hackernews  ok, 3 found in ")
    assert lines[-1].startswith("! twitter  failed, 0 found in 0.0 s: ")
    assert "X_BEARER_TOKEN" in lines[-1]
    assert said == ""


async def test_json_holds_everything_the_table_does_and_all_of_each_signal(cli: CommandLine) -> None:
    async with Upstream() as upstream:
        hackernews(cli, upstream, reply_json(hits(1, 2)))
        content = await cli.json("hackernews", "--timeframe", "7d", "--query", "ärger")
    assert (content["agent"], content["query"], content["timeframe"]) == ("signals-scout", "ärger", "7d")
    assert (content["found"], content["count"]) == (2, 2)
    assert {each["id"] for each in content["signals"]} == {"hackernews:1", "hackernews:2"}
    assert content["signals"][0]["engagement"]["points"] > 1000
    assert content["reports"][0]["status"] == "ok"


async def test_query_timeframe_and_limit_reach_the_source(cli: CommandLine) -> None:
    async with Upstream() as upstream:
        hackernews(cli, upstream, reply_json(hits(1)))
        await cli.json("hackernews", "--query", "rust & go", "--timeframe", "1h", "--limit", "100")
        [request] = upstream.seen("/search")
    assert request.query["query"] == "rust go"
    since = int(request.query["numericFilters"].partition(">")[2])
    assert abs(time.time() - 3600 - since) < 30
    assert int(request.query["hitsPerPage"]) >= 100


async def test_a_source_named_twice_is_asked_once(cli: CommandLine) -> None:
    async with Upstream() as upstream:
        hackernews(cli, upstream, reply_json(hits(1)))
        content = await cli.json("hackernews", "hackernews")
    assert len(content["reports"]) == 1


async def test_with_concurrency_1_one_source_waits_for_the_other(cli: CommandLine) -> None:
    async with SampleUpstreams(latency_s={"hackernews": 0.1, "news": 0.1}) as samples:
        cli.env(**samples.env())
        content = await cli.json("hackernews", "news", "--concurrency", "1")
    assert [report["status"] for report in content["reports"]] == ["ok", "ok"]


async def test_the_time_out_ends_a_scan_that_hangs_and_nobody_answering_is_1(cli: CommandLine) -> None:
    async with Upstream() as upstream:
        hackernews(cli, upstream, hang())
        began = time.perf_counter()
        status, out, _ = await cli.run("hackernews", "--timeout", "1")
    assert status == 1
    assert time.perf_counter() - began < 3
    assert out.splitlines()[0] == "0 of 0 signals, last 24 hours"
    assert out.splitlines()[-1].startswith("! hackernews  timed out, 0 found in ")


async def test_one_source_answering_is_0_even_with_nothing_found(cli: CommandLine) -> None:
    async with Upstream() as upstream:
        hackernews(cli, upstream, reply_json(hits()))
        status, out, _ = await cli.run("hackernews", "twitter")
    assert status == 0
    assert "o hackernews  empty, 0 found" in out


async def test_a_source_that_fails_alone_is_1_and_says_why(cli: CommandLine) -> None:
    async with Upstream() as upstream:
        hackernews(cli, upstream, http_status(403))
        status, out, _ = await cli.run("hackernews")
    assert status == 1
    assert "! hackernews  failed, 0 found" in out
    assert "refuses us access (403)" in out


async def test_an_unknown_source_is_2_and_lists_those_that_are_known(cli: CommandLine) -> None:
    status, out, said = await cli.run("tiktok", "hackernews")
    assert (status, out) == (2, "")
    known = ", ".join(source.spec.name for source in build_sources(SourceSettings()))
    assert said == f"No such source: tiktok. Known: {known}.\n"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "the following arguments are required: SOURCE"),
        (["news", "--timeframe", "2h"], "choose from"),
        (["news", "--limit", "0"], "must be from 1 to 100, not 0"),
        (["news", "--limit", "101"], "must be from 1 to 100, not 101"),
        (["news", "--limit", "ten"], "invalid whole number value: 'ten'"),
        (["news", "--concurrency", "0"], "must be from 1 to 100, not 0"),
        (["news", "--timeout", "601"], "must be from 1 to 600, not 601"),
        (["news", "--timeout", "1.5"], "invalid whole number value: '1.5'"),
        (["news", "--colour"], "unrecognized arguments: --colour"),
    ],
)
async def test_a_bad_argument_is_2_and_says_what_is_wrong(cli: CommandLine, argv: list[str], sentence: str) -> None:
    status, out, said = await cli.run(*argv)
    assert (status, out) == (2, "")
    assert sentence in said
    assert "Traceback" not in said


async def test_a_broken_environment_is_2_and_names_the_variable_but_not_its_value(cli: CommandLine) -> None:
    cli.env(X_BEARER_TOKEN="hunter2 hunter2", LOG_LEVEL="hunter2")
    status, out, said = await cli.run("hackernews")
    assert (status, out) == (2, "")
    assert [line.partition(":")[0] for line in said.splitlines()] == ["X_BEARER_TOKEN", "LOG_LEVEL"]
    assert "hunter2" not in said


async def test_an_upstream_that_is_not_there_is_1(cli: CommandLine) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    cli.env(HACKERNEWS_API_URL=f"http://{place}", FETCH_ALLOW=place)
    status, out, _ = await cli.run("hackernews", "--timeout", "1")
    assert status == 1
    assert "no connection could be made" in out
    assert "127.0.0.1" not in out


async def test_capabilities_are_listed_for_people_and_for_programs(cli: CommandLine) -> None:
    status, out, _ = await cli.run("capabilities")
    assert status == 0
    assert out.startswith("signals-scout\n  discover-signals: ")
    assert "takes signals:requested; gives signals:progress, signals:discovered, signals:response" in out
    content = await cli.json("capabilities")
    assert [each["name"] for each in content["signals-scout"]] == [
        "discover-signals",
        "auto-discovery",
        "batch-process-signals",
    ]
    assert set(content["signals-scout"][0]) == {"name", "description", "input_types", "output_types"}


async def test_a_terminal_that_cannot_show_a_title_still_gets_the_answer() -> None:
    async with Upstream() as upstream:
        for path in ("/search", "/search_by_date"):
            upstream.on(path, reply_json(hits(1)))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agents", "hackernews",
            env={**os.environ, "HACKERNEWS_API_URL": upstream.url("").rstrip("/"), "FETCH_ALLOW": upstream.allow,
                 "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert b"with number 1" in out
