"""One upstream misbehaves while another answers: end to end, from the event to the response, over real sockets."""

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from agents.agent import AgentConfig
from agents.assembly import running_scout
from agents.bus.memory import MemoryBus
from agents.events import (
    SIGNALS_REQUESTED,
    SIGNALS_RESPONSE,
    Requester,
    SignalsRequested,
    SignalsResponse,
    SourceReport,
    SourceRequest,
    SourceStatus,
    utc_now,
)
from agents.fetch import addresses
from agents.settings import SourceSettings
from tests.upstreams import (
    Answer,
    Upstream,
    bomb,
    drip,
    endless,
    hang,
    redirect,
    reply,
    reply_feed,
    reply_html,
    reply_json,
    reset,
    status,
    truncated,
    watched_loop,
)

pytestmark = pytest.mark.usefixtures("bare_environment")

PATIENCE = AgentConfig(timeout_s=0.5, retry_attempts=1)
"""So that what hangs is over soon."""
DEADLINE_S = 0.8
MEMORY_BYTES = 50_000_000
STALL_S = 0.25


@dataclass(frozen=True)
class Fault:
    """What an upstream does, and how the report must speak of it."""

    answer: Callable[[], Answer]
    status: SourceStatus
    words: str
    """A pattern."""


TOO_SLOW = r"did not answer (within 0(\.\d)? s|in time)\. Ask again in a moment\.$"
FAULTS = {
    "hangs": Fault(hang, SourceStatus.TIMED_OUT, TOO_SLOW),
    "resets": Fault(reset, SourceStatus.FAILED, "broke off the connection"),
    "500": Fault(lambda: status(500), SourceStatus.FAILED, r"answered with an error of its own \(500\)"),
    "403 HTML": Fault(
        lambda: reply_html(status=403), SourceStatus.FAILED, r"refuses (us access \(403\)|to answer: .*block)"
    ),
    "429 with Retry-After": Fault(
        lambda: status(429, Retry_After="30"), SourceStatus.LIMITED, r"asks us to slow down \(429\)|asked us to wait"
    ),
    "429 with a date": Fault(
        lambda: status(429, Retry_After=format_datetime(utc_now() + timedelta(seconds=30), usegmt=True)),
        SourceStatus.LIMITED,
        r"asks us to slow down \(429\)|asked us to wait",
    ),
    "HTML instead of JSON": Fault(reply_html, SourceStatus.FAILED, "looks like a block or a login page|blocks"),
    "HTML that says it is JSON": Fault(
        lambda: reply("<!DOCTYPE html><title>Blocked</title>"),
        SourceStatus.FAILED,
        "web page|broken or incomplete JSON",
    ),
    "truncated JSON": Fault(
        lambda: reply('{"hits": [{"objectID": "1"'),
        SourceStatus.FAILED,
        "cannot be read|incomplete|not.*JSON|cut off",
    ),
    "truncated body": Fault(lambda: truncated('{"hits": []'), SourceStatus.FAILED, "broke off the connection"),
    "endless body": Fault(endless, SourceStatus.FAILED, r"more than the \d MB that are allowed"),
    "slow body": Fault(lambda: drip(b'{"hits": []}' * 50), SourceStatus.TIMED_OUT, TOO_SLOW),
    "1 GB in 1 MB": Fault(bomb, SourceStatus.FAILED, r"more than the \d MB that are allowed"),
}


def stories(*numbers: int) -> Answer:
    """Hacker News as it answers when it is well."""
    return reply_json(
        {
            "hits": [
                {"objectID": str(number), "title": f"Story {number}", "created_at_i": time.time() - 60, "points": 5}
                for number in numbers
            ]
        }
    )


def feed(upstream: Upstream) -> Answer:
    """A feed with one item of today."""
    when = format_datetime(utc_now(), usegmt=True)
    return reply_feed(
        f"""<?xml version="1.0"?><rss version="2.0"><channel><title>A feed</title><link>{upstream.url()}</link>
        <item><title>Nothing burned down today</title><link>https://paper.example/1</link><guid>1</guid>
        <pubDate>{when}</pubDate></item></channel></rss>"""
    )


@dataclass
class World:
    """A running scout whose upstreams are scripted."""

    upstream: Upstream
    bus: MemoryBus
    responses: list[SignalsResponse]

    async def ask(self, *sources: SourceRequest | str, deadline_s: float = DEADLINE_S) -> SignalsResponse:
        """Ask by event; the one response must be there by the deadline."""
        request = SignalsRequested(
            requester=Requester(kind="test"),
            sources=tuple(SourceRequest(name=each) if isinstance(each, str) else each for each in sources),
            deadline=datetime.now(UTC) + timedelta(seconds=deadline_s),
        )
        began = time.perf_counter()
        await self.bus.emit(SIGNALS_REQUESTED, request)
        await self.bus.settled()
        assert time.perf_counter() - began < deadline_s + 0.2
        [response] = [each for each in self.responses if each.request_id == request.request_id]
        return response

    async def start_reading_feeds(self) -> None:
        """Starting the process that reads them may take longer than a question here may take."""
        for _ in range(20):
            if (await self.ask("news", deadline_s=8)).reports[0].status.answered:
                return
        raise AssertionError("no feed could be read")

    def hackernews(self, *answers: Answer) -> None:
        """How both of its searches answer."""
        self.upstream.on("/hn/search", *answers)
        self.upstream.on("/hn/search_by_date", *answers)

    def reddit(self, answer: Answer, *, token: Answer | None = None) -> None:
        """How its listing answers, and its tokens."""
        grant = reply_json({"access_token": "t", "token_type": "bearer", "expires_in": 3600, "scope": "*"})
        self.upstream.on("/api/v1/access_token", token or grant)
        self.upstream.on("/r/python/top", answer)


@asynccontextmanager
async def world(config: AgentConfig = PATIENCE, **changes: Any) -> AsyncIterator[World]:
    """Reddit with keys, Hacker News and a feed on one scripted server; the feed is well."""
    async with Upstream() as upstream:
        given: dict[str, Any] = {
            "reddit_client_id": "id",
            "reddit_client_secret": "secret",
            "reddit_subreddits": ("python",),
            "reddit_url": upstream.url("").rstrip("/"),
            "reddit_api_url": upstream.url("").rstrip("/"),
            "hackernews_api_url": upstream.url("/hn"),
            "news_feeds": (upstream.url("/feed"),),
            "fetch_allow": upstream.allow,
        }
        settings = SourceSettings(**{**given, **changes})
        bus = MemoryBus()
        responses: list[SignalsResponse] = []

        async def on_response(event: SignalsResponse) -> None:
            responses.append(event)

        bus.subscribe(SIGNALS_RESPONSE, on_response)
        upstream.on("/feed", feed(upstream))
        async with running_scout(settings, bus, config):
            yield World(upstream, bus, responses)


@dataclass
class Growth:
    """The most that the process held, in bytes more than at the beginning."""

    most_bytes: int = 0


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@asynccontextmanager
async def watched_memory() -> AsyncIterator[Growth]:
    """Measures how much the process grows during the block."""
    growth, before = Growth(), resident_bytes()

    async def watch() -> None:
        while True:
            growth.most_bytes = max(growth.most_bytes, resident_bytes() - before)
            await asyncio.sleep(0.002)

    watcher = asyncio.create_task(watch())
    try:
        yield growth
    finally:
        growth.most_bytes = max(growth.most_bytes, resident_bytes() - before)
        watcher.cancel()


async def bounded(ask: Callable[[], Awaitable[SignalsResponse]]) -> SignalsResponse:
    """The answer, which costs the process neither memory nor the loop its turn.

    A stall that is gone at the next try was other work of this machine.
    """
    for _ in range(3):
        async with watched_memory() as growth, watched_loop() as stall:
            response = await ask()
        assert growth.most_bytes < MEMORY_BYTES
        if stall.longest_s < STALL_S:
            return response
    raise AssertionError(f"the loop stalled for {stall.longest_s:.3f} s, three times")


def check(report: SourceReport, fault: Fault) -> None:
    """The report says what happened, to people, and names nothing of the operator's network."""
    assert re.search(fault.words, report.sentence), report.sentence
    assert report.status is fault.status, report
    assert "127.0.0.1" not in report.sentence
    assert "Traceback" not in report.sentence


@pytest.mark.parametrize("name", FAULTS)
async def test_hackernews_fails_and_the_feed_answers(name: str) -> None:
    fault = FAULTS[name]

    async def ask() -> SignalsResponse:
        async with world() as here:
            await here.start_reading_feeds()
            here.hackernews(fault.answer())
            return await here.ask("hackernews", "news")

    response = await bounded(ask)
    failed, answered = response.reports
    check(failed, fault)
    assert answered.status.answered
    assert [signal.title for signal in response.signals] == ["Nothing burned down today"]


@pytest.mark.parametrize("name", FAULTS)
async def test_reddit_fails_and_hackernews_answers(name: str) -> None:
    fault = FAULTS[name]

    async def ask() -> SignalsResponse:
        async with world() as here:
            here.hackernews(stories(1))
            here.reddit(fault.answer())
            return await here.ask("reddit", "hackernews")

    response = await bounded(ask)
    failed, answered = response.reports
    check(failed, fault)
    assert answered.status is SourceStatus.OK
    assert [signal.title for signal in response.signals] == ["Story 1"]


@pytest.mark.parametrize("name", FAULTS)
async def test_a_feed_fails_and_hackernews_answers(name: str) -> None:
    fault = FAULTS[name]

    async def ask() -> SignalsResponse:
        async with world() as here:
            here.hackernews(stories(1))
            here.upstream.on("/feed", fault.answer())
            return await here.ask("news", "hackernews", deadline_s=1.5)

    response = await bounded(ask)
    failed, answered = response.reports
    assert not failed.status.answered
    assert failed.sentence.endswith(".")
    assert "127.0.0.1" not in failed.sentence
    assert answered.status is SourceStatus.OK
    assert [signal.title for signal in response.signals] == ["Story 1"]


@pytest.mark.parametrize("name", ["hangs", "500", "HTML instead of JSON", "truncated JSON", "1 GB in 1 MB"])
async def test_reddit_gives_no_token_and_hackernews_answers(name: str) -> None:
    fault = FAULTS[name]
    async with world() as here:
        here.hackernews(stories(1))
        here.reddit(stories(), token=fault.answer())
        response = await here.ask("reddit", "hackernews")
    failed, answered = response.reports
    assert failed.status is fault.status, failed
    assert failed.sentence.endswith(".")
    assert answered.status is SourceStatus.OK
    assert len(response.signals) == 1


async def test_a_refused_connection_is_told_in_words_and_the_feed_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    async with Upstream() as reserved:
        allow = f"{place},{reserved.allow}"
        reserved.on("/feed", feed(reserved))
        async with world(
            hackernews_api_url=f"http://{place}", fetch_allow=allow, news_feeds=(reserved.url("/feed"),)
        ) as here:
            await here.start_reading_feeds()
            response = await here.ask("hackernews", "news")
    assert response.reports[0].sentence == (
        "The site could not be reached: no connection could be made. Ask again in a few minutes."
    )
    assert response.reports[0].status is SourceStatus.FAILED
    assert len(response.signals) == 1


@pytest.mark.parametrize("name", ["hangs", "500", "resets"])
async def test_retries_still_end_within_the_deadline_and_say_what_happened(name: str) -> None:
    fault = FAULTS[name]
    async with world(AgentConfig(timeout_s=0.6, retry_attempts=3, failure_threshold=3)) as here:
        await here.start_reading_feeds()
        here.hackernews(fault.answer())
        response = await here.ask("hackernews", "news")
    check(response.reports[0], fault)
    assert len(response.signals) == 1


async def test_what_asks_to_wait_is_not_asked_again_meanwhile() -> None:
    async with world() as here:
        here.hackernews(status(429, Retry_After="30"))
        first = await here.ask("hackernews")
        asked = len(here.upstream.requests)
        second = await here.ask("hackernews")
    assert first.reports[0].retry_after_s == pytest.approx(30, abs=1)
    assert second.reports[0].status is SourceStatus.LIMITED
    assert second.reports[0].retry_after_s == pytest.approx(30, abs=2)
    assert len(here.upstream.requests) == asked


async def test_one_half_of_an_upstream_failing_still_gives_the_other_half() -> None:
    async with world() as here:
        here.upstream.on("/hn/search", stories(1))
        here.upstream.on("/hn/search_by_date", status(500))
        response = await here.ask("hackernews")
    assert response.reports[0].status is SourceStatus.OK
    assert "(500)" in response.reports[0].sentence
    assert len(response.signals) == 1


async def test_after_a_fault_the_upstream_is_asked_again_and_its_answer_counts() -> None:
    async with world() as here:
        here.hackernews(status(500), stories(1))
        assert (await here.ask("hackernews")).signals == ()
        assert len((await here.ask("hackernews")).signals) == 1


# Hostile feeds

WORKER_KB = 200_000
"""Of memory; a worker that had more would be replaced."""


def item(number: int, inner: str = "", *, link: str = "https://paper.example/{}", date: str = "") -> str:
    """An item of today."""
    date = date or format_datetime(utc_now(), usegmt=True)
    return (
        f"<item><title>Item {number}</title><link>{link.format(number)}</link><guid>{number}</guid>"
        f"<pubDate>{date}</pubDate>{inner}</item>"
    )


def rss(inner: str, head: str = '<?xml version="1.0"?>') -> bytes:
    """A feed whose first item is good."""
    return f'{head}<rss version="2.0"><channel><title>A feed</title>{item(1)}{inner}</channel></rss>'.encode()


def entities() -> bytes:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return rss("<item><title>&l11;</title></item>", f'<!DOCTYPE r [<!ENTITY l0 "lol">{levels}]>')


def year(number: str) -> str:
    return f"Fri, 20 Nov {number} 10:00:00 GMT"


@dataclass(frozen=True)
class Hostile:
    """A feed as it arrives, and what becomes of it: titles shown, or words when nothing can be used."""

    body: Callable[[], bytes]
    titles: tuple[str, ...] = ("Item 1",)
    words: str = ""
    content_type: str = "application/rss+xml"


HOSTILE = {
    "entity bomb": Hostile(entities),
    "one long entity many times": Hostile(
        lambda: rss(f"<item><title>{'&a;' * 100_000}</title></item>", f'<!DOCTYPE r [<!ENTITY a "{"a" * 500_000}">]>')
    ),
    "200,000 nested tags": Hostile(lambda: rss("<a>" * 200_000 + "</a>" * 200_000)),
    "one tag of 400 kB": Hostile(lambda: rss("<a " + " ".join(f'b{n}="c"' for n in range(40_000)) + "/>")),
    "utf-7 by its header": Hostile(lambda: rss(""), (), "UTF-7", content_type="application/rss+xml; charset=utf-7"),
    "utf-7 by its declaration": Hostile(lambda: rss("", '<?xml version="1.0" encoding="utf-7"?>'), (), "UTF-7"),
    "NUL": Hostile(lambda: rss("\0<a>\0</a>\0")),
    "wrong charset": Hostile(
        lambda: (
            rss(item(2).replace("Item 2", "Café"), '<?xml version="1.0" encoding="utf-8"?>').decode().encode("cp1252")
        ),
        ("Item 1", "Café"),
        content_type="application/rss+xml; charset=utf-8",
    ),
    "a path": Hostile(lambda: b"/etc/passwd", (), "not a feed"),
    "an address": Hostile(lambda: b"http://127.0.0.1:9/feed", (), "not a feed"),
    "years 0 and 99999": Hostile(lambda: rss(item(2, date=year("0000")) + item(3, date=year("99999")))),
    "javascript: links": Hostile(
        lambda: rss(item(2, link="javascript:alert({})") + item(3, link=" data:text/html,{}"))
    ),
    "50,000 items": Hostile(lambda: rss("<item><guid>x</guid></item>" * 50_000)),
    "another file as entity": Hostile(
        lambda: rss(
            "<item><title>&f;</title><link>/f</link></item>", '<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
        )
    ),
}


def most_of_workers_kb() -> int:
    """The most memory that any child of this process has had."""
    most = 0
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # a thread or a child that has just ended
            for child in children.read_text().split():
                found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{child}/status").read_text())
                most = max(most, int(found[1]) if found else 0)
    return most


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_feed_takes_bounded_time_and_memory_and_what_can_be_used_is_used(name: str) -> None:
    hostile = HOSTILE[name]
    body = hostile.body()
    async with world(AgentConfig(timeout_s=8, retry_attempts=1)) as here:
        here.hackernews(stories(1))
        await here.start_reading_feeds()
        number = 0

        async def ask() -> SignalsResponse:
            nonlocal number
            number += 1  # so that no answer is an earlier one's
            here.upstream.on(f"/hostile/{number}", reply(body, hostile.content_type))
            asked = SourceRequest(name="news", options={"feed": here.upstream.url(f"/hostile/{number}")})
            return await here.ask(asked, "hackernews", deadline_s=8)

        response = await bounded(ask)
        assert most_of_workers_kb() < WORKER_KB
    read, other = response.reports
    assert other.status.answered
    assert {signal.title for signal in response.signals if signal.source == "news"} == set(hostile.titles)
    assert read.status.answered is bool(hostile.titles), read
    assert hostile.words in read.sentence
    assert all(signal.url.startswith("https://") for signal in response.signals)


# Addresses of feeds

LOOPBACK = [
    "http://127.0.0.1:{port}/feed",
    "http://127.1:{port}/feed",
    "http://127.0.1:{port}/feed",
    "http://0177.0.0.1:{port}/feed",
    "http://0x7f.0.0.1:{port}/feed",
    "http://0x7f000001:{port}/feed",
    "http://2130706433:{port}/feed",
    "http://127.255.255.254:{port}/feed",
    "http://0.0.0.0:{port}/feed",
    "http://0:{port}/feed",
    "http://[::1]:{port}/feed",
    "http://[::]:{port}/feed",
    "http://[::ffff:127.0.0.1]:{port}/feed",
    "http://[::ffff:7f00:1]:{port}/feed",
    "http://[::127.0.0.1]:{port}/feed",
    "http://[64:ff9b::7f00:1]:{port}/feed",
    "http://[2002:7f00:1::]:{port}/feed",
    "http://[0:0:0:0:0:0:0:1]:{port}/feed",
    "http://127.0.0.1.:{port}/feed",
    "http://１２７.０.０.１:{port}/feed",
    "http://127。0。0。1:{port}/feed",
    "http://user@127.0.0.1:{port}/feed",
    "http://localhost:{port}/feed",
    "127.0.0.1:{port}/feed",
]
ELSEWHERE = [
    "http://10.0.0.1/feed",
    "http://172.16.5.4/feed",
    "http://192.168.1.1/feed",
    "http://100.64.0.1/feed",
    "http://169.254.169.254/latest/meta-data/",
    "http://168.63.129.16/feed",
    "http://192.0.0.192/feed",
    "http://224.0.0.1/feed",
    "http://255.255.255.255/feed",
    "http://[fe80::1]/feed",
    "http://[fe80::1%25eth0]/feed",
    "http://[fc00::1]/feed",
    "http://[fd00:ec2::254]/feed",
    "http://[fec0::1]/feed",
    "http://[ff02::1]/feed",
    "http://[::ffff:10.0.0.1]/feed",
    "http://[64:ff9b::a00:1]/feed",
    "http://[2002:a00:1::]/feed",
    "file:///etc/passwd",
    "ftp://paper.example/feed",
    "gopher://paper.example/feed",
    "javascript:alert(1)",
    "http://paper.example:22/feed",
    "http://paper.example:6379/feed",
]


@pytest.fixture
async def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every address to which this loop's sockets connect."""
    loop = asyncio.get_running_loop()
    tried: list[object] = []
    connect = loop.sock_connect

    async def watched(sock: socket.socket, address: Any) -> None:
        tried.append(address)
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", watched)
    return tried


async def refusal(here: World, address: str) -> str:
    """What the answer says about a feed at this address."""
    response = await here.ask(SourceRequest(name="news", options={"feed": address}))
    [report] = response.reports
    assert (report.status, response.signals) == (SourceStatus.FAILED, ())
    return report.sentence


def names_no_address(sentence: str, address: str) -> bool:
    """Whether a person learns nothing about the network from it."""
    host = address.partition("://")[2].partition("/")[0]
    numbers = re.search(r"\d+\.\d+|::|127|0x7f|21307|169\.254|meta-data|passwd|localhost", sentence)
    return numbers is None and (not host or host not in sentence)


@pytest.mark.parametrize("address", LOOPBACK)
async def test_a_feed_at_loopback_in_any_spelling_is_refused_and_no_connection_opened(
    address: str, connections: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Upstream() as victim, world() as here:
        # Even if its port were one of those that may be asked.
        monkeypatch.setattr(addresses, "PORTS", addresses.PORTS | {victim.port})
        victim.on("/feed", feed(victim))
        sentence = await refusal(here, address.format(port=victim.port))
    assert victim.connections == 0
    assert connections == []
    assert names_no_address(sentence, address)
    assert sentence.endswith(".")


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_a_feed_at_any_other_place_that_is_not_public_is_refused_and_no_connection_opened(
    address: str, connections: list[object]
) -> None:
    async with world() as here:
        sentence = await refusal(here, address)
    assert connections == []
    assert names_no_address(sentence, address)
    assert sentence.endswith(".")


@pytest.mark.parametrize("to", [*LOOPBACK[:8], *ELSEWHERE[:6], "file:///etc/passwd", "//127.0.0.1:{port}/feed"])
async def test_a_feed_that_redirects_to_any_of_them_is_refused_there(
    to: str, connections: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Upstream() as victim, world() as here:
        monkeypatch.setattr(addresses, "PORTS", addresses.PORTS | {victim.port})
        victim.on("/feed", feed(victim))
        here.upstream.on("/moved", redirect(to.format(port=victim.port)))
        sentence = await refusal(here, here.upstream.url("/moved"))
    assert victim.connections == 0
    assert connections == [("127.0.0.1", here.upstream.port)]
    assert names_no_address(sentence, to)


async def test_the_same_feed_is_read_where_the_operator_exempts_exactly_that_place(connections: list[object]) -> None:
    async with world(AgentConfig(timeout_s=8, retry_attempts=1)) as here:
        await here.start_reading_feeds()
        connections.clear()
        request = SourceRequest(name="news", options={"feed": here.upstream.url("/feed")})
        response = await here.ask(request, deadline_s=8)
    assert response.reports[0].status is SourceStatus.OK, response.reports[0]
    assert connections == [("127.0.0.1", here.upstream.port)]
