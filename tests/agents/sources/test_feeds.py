"""Reading feeds: every format, hostile bodies, and the worker that may be killed."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from agents.errors import LifecycleError, UnexpectedContent
from agents.resilience.limiter import ON_BEHALF_OF
from agents.sources.feed_worker import Feed
from agents.sources.feeds import MAX_ITEMS, FeedParser
from tests.agents.sources.fakes import RECORDINGS, recorded

WHEN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC).timestamp()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parser() -> AsyncIterator[FeedParser]:
    """One parser for the module: starting a worker costs more than most tests."""
    parser = FeedParser(workers=1)
    yield parser
    await parser.close()


pytestmark = pytest.mark.asyncio(loop_scope="module")


def item(number: int, inner: str = "") -> str:
    return (
        f"<item><title>T{number}</title><link>https://site.example/{number}</link><guid>https://site.example/{number}</guid>"
        f"<pubDate>Fri, 20 Nov 2026 10:00:00 GMT</pubDate>{inner}</item>"
    )


def rss(inner: str, head: str = '<?xml version="1.0"?>') -> bytes:
    return f'{head}<rss version="2.0"><channel><title>Wire</title>{inner}</channel></rss>'.encode()


def usable(feed: Feed) -> list[str]:
    return [entry.title for entry in feed.entries if entry.link and entry.published_s]


RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://site.example"><title>Wire</title>'
    '</channel><item rdf:about="https://site.example/1"><title>T1</title><link>https://site.example/1</link>'
    "<dc:date>2026-11-20T10:00:00Z</dc:date></item></rdf:RDF>"
)
RSS_090 = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://my.netscape.com/rdf/simple/0.9/">'
    "<channel><title>Wire</title></channel><item><title>T1</title><link>https://site.example/1</link></item></rdf:RDF>"
)
RSS_091 = (
    '<rss version="0.91"><channel><title>Wire</title><item><title>T1</title><link>https://site.example/1</link></item>'
    "</channel></rss>"
)
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>Wire</title><entry><id>tag:1</id><title>T1</title>'
    '<link href="https://site.example/1"/><updated>2026-11-20T11:00:00+01:00</updated></entry></feed>'
)
JSON_FEED = (
    '{"version": "https://jsonfeed.org/version/1.1", "title": "Wire", "items": [{"id": 1, "title": "T1",'
    ' "url": "https://site.example/1", "date_published": "2026-11-20T10:00:00Z"}, {"id": {}}, 7]}'
)


@pytest.mark.parametrize(
    ("body", "dated"),
    [(rss(item(1)).decode(), True), (RDF, True), (ATOM, True), (JSON_FEED, True), (RSS_090, False), (RSS_091, False)],
    ids=["RSS 2.0", "RDF", "Atom", "JSON Feed", "RSS 0.90", "RSS 0.91"],
)
async def test_every_format_is_read(parser: FeedParser, body: str, dated: bool) -> None:
    feed = await parser.parse(body.encode(), None)

    (entry,) = feed.entries
    assert (feed.title, entry.title, entry.link) == ("Wire", "T1", "https://site.example/1")
    assert entry.published_s == (WHEN if dated else None)


@pytest.mark.parametrize("name", sorted(p.name for p in (RECORDINGS / "news").glob("*")) or ["absent.xml"])
async def test_recorded_feeds_are_read(parser: FeedParser, name: str) -> None:
    body = recorded(f"news/{name}")
    if name.endswith(".serde.json"):  # a library's own dump, in no feed format
        with pytest.raises(UnexpectedContent):
            await parser.parse(body, None)
        return
    feed = await parser.parse(body, None)

    assert feed.entries
    assert all(entry.title or entry.summary or entry.content or entry.author or entry.key for entry in feed.entries)


def bomb() -> bytes:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return rss(
        f"{item(1)}<item><title>&l11;</title></item>",
        f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY l0 "lol">{levels}]>',
    )


def quadratic() -> bytes:
    return rss(
        item(1) + f"<item><title>{'&a;' * 100_000}</title></item>", f'<!DOCTYPE r [<!ENTITY a "{"a" * 500_000}">]>'
    )


HOSTILE: dict[str, Callable[[], bytes]] = {
    "entity bomb": bomb,
    "quadratic entities": quadratic,
    "200,000 nested tags": lambda: rss(item(1) + "<a>" * 200_000 + "</a>" * 200_000),
    "200,000 nested tags in a title": lambda: rss(f"{item(1)}<item><title>{'<a>' * 200_000}</title></item>"),
    "200,000 nested items": lambda: rss(f"<item></item>{item(1)}" + "<item>" * 200_000),
    "one tag of 400 kB": lambda: rss(item(1) + "<a " + " ".join(f'b{n}="c"' for n in range(40_000)) + "/>"),
    "one name of 400 kB": lambda: rss(f"{item(1)}<{'a' * 400_000}/>"),
    "one open tag of 400 kB": lambda: rss(f"{item(1)}<a {' ' * 400_000}"),
    "NUL": lambda: rss("\0" + item(1, "<description>a\0b</description>")),
    "cut off": lambda: rss(item(1) + item(2))[:-60],
    "year 0": lambda: rss(item(1) + item(2).replace("2026", "0000")),
    "year 99999": lambda: rss(item(1) + item(2).replace("2026", "99999")),
    "a file as entity": lambda: rss(
        f"{item(1)}<item><title>&f;</title></item>", '<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_feeds_take_bounded_time_and_their_good_items_are_used(parser: FeedParser, name: str) -> None:
    body = HOSTILE[name]()
    began = time.perf_counter()
    feed = await parser.parse(body, None)

    assert "T1" in usable(feed)
    assert time.perf_counter() - began < 3
    assert not any("root:" in f"{entry.title}{entry.content}" for entry in feed.entries)


async def test_of_50_000_items_the_first_are_used(parser: FeedParser) -> None:
    small = "".join(f"<item><title>{n}</title><guid>{n}</guid></item>" for n in range(50_000))
    feed = await parser.parse(rss(item(1) + small), None)

    assert len(feed.entries) == MAX_ITEMS
    assert feed.entries[0].title == "T1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"<",
        b"/etc/passwd",
        b"file:///etc/passwd",
        b"http://127.0.0.1:1/feed",
        b"<html><body>" + b"<p>x" * 200_000,
        b"[1, 2]",
        b'{"items": ' + b"[" * 1_000_000,
        b'{"a": 1}',
        b"\x00\xff\xfe\x01" * 1000,
        b"<svg></svg>",
    ],
    ids=lambda body: repr(body[:30]),
)
async def test_what_is_not_a_feed_is_one_typed_error(parser: FeedParser, body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await parser.parse(body, None)


@contextmanager
def a_worker_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Iterator[None]:
    """Workers started within run another program."""
    path = tmp_path / "worker.py"
    path.write_text(program)
    monkeypatch.setattr("agents.sources.feeds._PROGRAM", str(path))
    yield


HANGS = "import sys, time\nsys.stdout.write('\\n')\nsys.stdout.flush()\ntime.sleep(60)\n"
DIES = "import sys\nsys.stdout.write('\\n')\nsys.stdout.flush()\nsys.stdin.buffer.read(1)\n"


def children() -> set[str]:
    """Process ids of our children, zombies too."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= set((task / "children").read_text().split())
    return found


async def test_a_worker_that_hangs_is_killed_and_the_next_feed_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    parser = FeedParser(workers=1, timeout_s=0.05)
    with a_worker_that(tmp_path, monkeypatch, HANGS), pytest.raises(UnexpectedContent, match="too long"):
        await parser.parse(rss(item(1)), None)
    monkeypatch.undo()
    patient = FeedParser(workers=1)
    assert (await patient.parse(rss(item(1)), None)).entries
    await parser.close()
    await patient.close()
    assert children() <= before


async def test_a_worker_that_dies_costs_one_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = FeedParser(workers=1)
    with a_worker_that(tmp_path, monkeypatch, DIES), pytest.raises(UnexpectedContent):
        await parser.parse(rss(item(1)), None)
    monkeypatch.undo()
    assert (await parser.parse(rss(item(1)), None)).entries
    await parser.close()


async def test_a_cancelled_reading_frees_its_place_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    parser = FeedParser(workers=1)
    with a_worker_that(tmp_path, monkeypatch, HANGS):
        reading = asyncio.create_task(parser.parse(rss(item(1)), None))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    monkeypatch.undo()
    assert (await parser.parse(rss(item(1)), None)).entries
    await parser.close()
    assert children() <= before


async def test_one_tenants_feeds_leave_a_worker_to_another_tenant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = FeedParser(workers=2)

    async def read(tenant: str) -> None:
        ON_BEHALF_OF.set({tenant})
        await parser.parse(rss(item(1)), None)

    with a_worker_that(tmp_path, monkeypatch, HANGS):
        readings = [asyncio.create_task(read("a")) for _ in range(3)]
        await until(lambda: len(parser._workers) == 1)
        await asyncio.sleep(0.02)
        assert len(parser._workers) == 1
        readings.append(asyncio.create_task(read("b")))
        await until(lambda: len(parser._workers) == 2)
        for reading in readings:
            reading.cancel()
        await asyncio.wait(readings)
    await parser.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


async def test_many_feeds_share_the_workers(parser: FeedParser) -> None:
    feeds = await asyncio.gather(*(parser.parse(rss(item(n)), None) for n in range(30)))

    assert [usable(feed) for feed in feeds] == [[f"T{n}"] for n in range(30)]


async def test_closing_twice_is_harmless_and_closed_means_closed() -> None:
    before = children()
    parser = FeedParser()
    await parser.parse(rss(item(1)), None)
    await parser.close()
    await parser.close()

    assert children() <= before
    with pytest.raises(LifecycleError):
        await parser.parse(rss(item(1)), None)


async def test_closing_while_a_feed_is_read_leaves_no_process() -> None:
    before = children()
    parser = FeedParser()
    reading = asyncio.create_task(parser.parse(rss(item(1)), None))
    await asyncio.sleep(0.01)
    await parser.close()
    with pytest.raises((LifecycleError, UnexpectedContent)):
        await reading
    await parser.close()

    assert children() <= before


async def test_a_worker_inherits_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "hunter2")
    seen = tmp_path / "environment"
    program = f"import os\nopen({str(seen)!r}, 'w').write(repr(dict(os.environ)))\n"
    parser = FeedParser(workers=1)
    with a_worker_that(tmp_path, monkeypatch, program), pytest.raises(UnexpectedContent):
        await parser.parse(rss(item(1)), None)
    await parser.close()

    assert "hunter2" in repr(dict(os.environ))
    assert "hunter2" not in seen.read_text()
