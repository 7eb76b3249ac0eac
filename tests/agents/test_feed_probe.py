"""Looking at a feed: what is found, what is refused before any connection, how often a site is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.assembly import running_agents
from agents.bus.memory import MemoryBus
from agents.errors import AddressRefused, NotFound, OwnLimit, SourceError, TooLarge, UnexpectedContent
from agents.feed_probe import FeedProbe
from agents.feeds import FoundFeed, LooksAtFeeds
from agents.fetch.request import Fetch, Request, Response
from agents.resilience.limiter import HostLimiter
from agents.settings import SourceSettings
from agents.source import HostLimit
from agents.sources.feed_worker import ParseRequest, answer, read_page
from agents.sources.feeds import PAGE_BYTES, FeedParser
from tests.upstreams import Answer, Upstream, redirect, reply, reply_feed, reply_html, reply_json, status

RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>The &lt;b&gt;Wire&lt;/b&gt;</title>
<item><title>Undated</title><link>/undated</link><guid>urn:a</guid></item>
<item><title>Old</title><link>/old</link><guid>urn:b</guid><pubDate>Mon, 02 Mar 2026 08:00:00 GMT</pubDate></item>
<item><title>New</title><link>https://wire.example/new</link><guid>urn:c</guid>
<pubDate>Tue, 03 Mar 2026 08:00:00 GMT</pubDate></item></channel></rss>"""
LOOPBACK = (
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://0.0.0.0:{port}/",
    "http://①②⑦.0.0.1:{port}/",
)


def page(*links: str, head: str = "") -> str:
    return f"<!doctype html><html><head>{head}{''.join(links)}</head><body>Hello</body></html>"


def link(href: str, kind: str = "application/rss+xml", rel: str = "alternate") -> str:
    return f'<link rel="{rel}" type="{kind}" title="Feed" href="{href}">'


@asynccontextmanager
async def looking(*upstreams: Upstream) -> AsyncIterator[LooksAtFeeds]:
    """As the bot has it: behind the guard, with a worker."""
    settings = SourceSettings(_env_file=None, fetch_allow=",".join(each.allow for each in upstreams))
    async with running_agents(settings, MemoryBus()) as agents:
        yield agents.feeds


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as running:
        yield running


@pytest.fixture
async def probe(upstream: Upstream) -> AsyncIterator[LooksAtFeeds]:
    async with looking(upstream) as made:
        yield made


async def test_a_feed_is_asked_once_and_its_newest_items_come_first(upstream: Upstream, probe: LooksAtFeeds) -> None:
    upstream.on("/feed", reply_feed(RSS))
    found = await probe.look(upstream.url("/feed#top"))
    assert (found.address, found.title, found.count) == (upstream.url("/feed"), "The Wire", 3)
    assert [item.title for item in found.items] == ["New", "Old", "Undated"]
    assert found.items[0].url == "https://wire.example/new"
    assert found.items[2].url == upstream.url("/undated")
    assert found.items[0].published_at is not None
    assert found.items[2].published_at is None
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("served", "title"),
    [
        (reply_feed(RSS, "text/html"), "The Wire"),
        (
            reply_feed("<feed xmlns='http://www.w3.org/2005/Atom'><title>A</title></feed>", "application/atom+xml"),
            "A",
        ),
        (reply_json({"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": []}), "J"),
    ],
)
async def test_every_kind_of_feed_is_one_also_without_items(
    upstream: Upstream, probe: LooksAtFeeds, served: Answer, title: str
) -> None:
    upstream.on("/", served)
    assert (await probe.look(upstream.url("/"))).title == title


async def test_a_web_page_leads_to_its_first_feed_and_the_others_are_named(
    upstream: Upstream, probe: LooksAtFeeds
) -> None:
    links = (
        link("style.css", "text/css", "stylesheet"),
        link("wire.xml?a=1&amp;b=2"),
        link("/comments.atom", "application/atom+xml; charset=utf-8", "Alternate feed"),
        link("/sub/wire.xml?a=1&amp;b=2"),
        link("ftp://files.example/feed"),
    )
    upstream.on("/blog", reply_html(page(*links, head='<base href="/sub/">')))
    upstream.on("/sub/wire.xml", reply_feed(RSS))
    found = await probe.look(upstream.url("/blog"))
    assert found.address == upstream.url("/sub/wire.xml?a=1&b=2")
    assert found.others == (upstream.url("/comments.atom"),)
    assert upstream.seen("/comments.atom") == []


async def test_what_a_page_names_is_checked_by_the_guard_again(probe: LooksAtFeeds, upstream: Upstream) -> None:
    async with Upstream() as inside:
        inside.on("/", reply_feed(RSS))
        upstream.on("/", reply_html(page(link(inside.url("/")))))
        with pytest.raises(AddressRefused):
            await probe.look(upstream.url("/"))
        assert inside.connections == 0


@pytest.mark.parametrize("address", LOOPBACK)
async def test_no_spelling_of_a_private_address_is_connected_to(upstream: Upstream, address: str) -> None:
    async with looking() as probe:
        with pytest.raises(SourceError) as refused:
            await probe.look(address.format(port=upstream.port))
    assert upstream.connections == 0
    assert "127" not in refused.value.sentence
    assert "localhost" not in refused.value.sentence


@pytest.mark.parametrize("code", [301, 308])
async def test_where_a_feed_has_moved_for_good_it_is_read_from_now_on(
    upstream: Upstream, probe: LooksAtFeeds, code: int
) -> None:
    upstream.on("/old", redirect("/new", code))
    upstream.on("/new", redirect("/today", 302))
    upstream.on("/today", redirect("/never", 301))
    upstream.on("/never", reply_feed(RSS))
    assert (await probe.look(upstream.url("/old"))).address == upstream.url("/new")


async def test_a_redirect_for_now_changes_nothing(upstream: Upstream, probe: LooksAtFeeds) -> None:
    upstream.on("/old", redirect("/new", 307))
    upstream.on("/new", reply_feed(RSS))
    assert (await probe.look(upstream.url("/old"))).address == upstream.url("/old")


@pytest.mark.parametrize(
    ("served", "error"),
    [
        (reply_html(page()), UnexpectedContent),
        (reply_html(page(link("/"))), UnexpectedContent),
        (reply_feed("<note><to>you</to></note>", "application/xml"), UnexpectedContent),
        (reply_json({"hello": 1}), UnexpectedContent),
        (reply(b"\x89PNG", "image/png"), UnexpectedContent),
        (reply_feed("<rss>" + " " * 2_100_000 + "</rss>"), TooLarge),
        (status(404), NotFound),
    ],
)
async def test_what_is_no_feed_is_refused_in_words(
    upstream: Upstream, probe: LooksAtFeeds, served: Answer, error: type[SourceError]
) -> None:
    upstream.on("/", served)
    with pytest.raises(error) as refused:
        await probe.look(upstream.url("/"))
    assert refused.value.sentence.endswith(".")


async def test_a_failing_site_is_asked_once_and_not_again(upstream: Upstream, probe: LooksAtFeeds) -> None:
    upstream.on("/", status(503))
    with pytest.raises(SourceError):
        await probe.look(upstream.url("/"))
    assert len(upstream.requests) == 1


class Silent:
    """A fetch that counts, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.gate = asyncio.Event()

    async def get(self, request: Request) -> Response:
        self.asked.append(request)
        await self.gate.wait()
        return Response(200, request.url, {}, RSS.encode(), "application/rss+xml")

    def pause(self, url: str, seconds: float) -> None:
        raise AssertionError


def silent_probe(fetch: Fetch, limit: HostLimit) -> FeedProbe:
    return FeedProbe(lambda: fetch, FeedParser(workers=1), HostLimiter({}, default=limit, clock=lambda: 0))


async def test_a_site_is_not_asked_faster_than_its_pace_whoever_asks() -> None:
    fetch = Silent()
    probe = silent_probe(fetch, HostLimit(interval_s=100, burst=3, concurrency=5))
    looks = [asyncio.create_task(probe.look(f"https://a.example/{number}")) for number in range(5)]
    await asyncio.wait(looks, timeout=0.02)
    fetch.gate.set()
    found = await asyncio.gather(*looks, return_exceptions=True)
    assert [type(each) for each in found] == [FoundFeed] * 3 + [OwnLimit] * 2
    assert len(fetch.asked) == 3
    await probe.close()


async def test_who_stops_waiting_leaves_the_place_to_others() -> None:
    fetch = Silent()
    probe = silent_probe(fetch, HostLimit(concurrency=1))
    first = asyncio.create_task(probe.look("https://a.example/1"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    fetch.gate.set()
    assert (await probe.look("https://a.example/2")).title == "The Wire"
    await probe.close()


def test_comments_scripts_and_other_links_are_no_feeds() -> None:
    hidden = f"<!-- {link('a')} --><script>'{link('b')}'</script><p>{link('c', rel='next')}{link('d', 'text/html')}"
    assert read_page(page(hidden, link("e"))).links[0].href == "e"
    assert len(read_page(page(hidden, link("e"))).links) == 1


def test_only_the_first_few_feeds_of_a_page_count() -> None:
    assert len(read_page(page(*[link(f"/{number}") for number in range(500)])).links) == 10


@pytest.mark.parametrize(
    "piece", ["<a>", "<link ", "<!--", "<", '<link rel="', "<svg><![CDATA[", "&", "<table>", "\0"]
)
def test_reading_a_page_takes_no_longer_than_its_length(piece: str) -> None:
    body = (piece * PAGE_BYTES).encode()[:PAGE_BYTES]
    reply = answer(ParseRequest(body, None, 0, is_page=True))
    assert reply.page is not None
    assert reply.page.links == []
