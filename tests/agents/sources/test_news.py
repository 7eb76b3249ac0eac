"""News: several feeds at once, validators, dates, links, and failures that stay where they are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from agents.errors import InvalidOption, NotConfigured, SourceError, TooLarge, UnexpectedContent, Unreachable
from agents.fetch.request import Request, Response
from agents.signal import Timeframe
from agents.sources.feed_worker import Entry, Feed
from agents.sources.feeds import FeedParser
from agents.sources.news import News
from tests.agents.sources.fakes import NOW, Answer, FakeFetch, answer, question, recorded

A = "https://a.example/feed"
B = "https://b.example/feed"


class FakeParser:
    """Gives the feed that the body names, or fails as told."""

    def __init__(self, feeds: dict[bytes, Feed | SourceError]) -> None:
        self.feeds = feeds
        self.parsed: list[bytes] = []
        self.closed = False

    async def parse(self, body: bytes, charset: str | None) -> Feed:
        self.parsed.append(body)
        feed = self.feeds[body]
        if isinstance(feed, SourceError):
            raise feed
        return feed

    async def close(self) -> None:
        self.closed = True


def entry(number: int = 1, *, age_h: float | None = 2.0, **fields: str) -> Entry:
    texts = {
        "key": f"guid-{number}",
        "title": f"Item {number}",
        "link": f"https://site.example/{number}",
        "author": "Ada",
        "summary": "<p>What &amp; why</p>",
        "content": "",
        **fields,
    }
    when = None if age_h is None else (NOW - timedelta(hours=age_h)).timestamp()
    return Entry(**texts, published_s=when)


def news(*entries: Entry) -> tuple[News, FakeFetch, FakeParser]:
    parser = FakeParser({b"a": Feed("Feed A", list(entries))})
    return News([A], parser), FakeFetch(lambda _: answer(b"a", "application/rss+xml")), parser


async def test_an_item_becomes_a_signal() -> None:
    source, fetch, _ = news(entry(link="https://site.example/1?utm_source=feed"))

    (signal,) = (await source.scan(question(), fetch)).signals

    assert signal.id.startswith("news:")
    assert (signal.title, signal.url, signal.origin, signal.author) == (
        "Item 1",
        "https://site.example/1",
        "Feed A",
        "Ada",
    )
    assert signal.excerpt == "What & why"
    assert signal.timestamp == NOW - timedelta(hours=2)
    assert not signal.engagement.known


async def test_ids_are_stable_and_belong_to_their_feed() -> None:
    parser = FakeParser({b"a": Feed("A", [entry(1)])})
    fetch = FakeFetch(lambda _: answer(b"a", "text/xml"))

    first = await News([A], parser).scan(question(), fetch)
    again = await News([A], parser).scan(question(), fetch)
    other = await News([B], parser).scan(question(), fetch)

    assert first.signals[0].id == again.signals[0].id != other.signals[0].id


async def test_an_unchanged_feed_is_asked_with_its_validators_and_not_read_again() -> None:
    def reply(request: Request) -> Answer:
        if request.etag == '"1"' and request.last_modified == "Fri, 20 Nov 2026 09:00:00 GMT":
            return Response(304, "", {}, b"", "")
        headers = {"ETag": '"1"', "Last-Modified": "Fri, 20 Nov 2026 09:00:00 GMT"}
        return answer(b"a", "text/xml", headers=headers)

    source, _, parser = news(entry())
    fetch = FakeFetch(reply)
    first = await source.scan(question(), fetch)
    second = await source.scan(question(), fetch)

    assert first.signals == second.signals
    assert parser.parsed == [b"a"]


async def test_one_bad_feed_harms_no_other_and_is_named() -> None:
    parser = FakeParser({b"a": Feed("A", [entry()]), b"b": UnexpectedContent("What came is not a feed.")})
    bodies = {A: b"a", B: b"b"}
    fetch = FakeFetch(lambda request: answer(bodies[request.url], "text/xml"))

    scan = await News([A, B], parser).scan(question(), fetch)

    assert len(scan.signals) == 1
    assert scan.partial
    assert scan.note == "1 of 2 feeds did not answer: b.example: What came is not a feed. Try another feed."


async def test_when_all_feeds_fail_the_error_of_most_is_raised_and_says_so() -> None:
    errors: list[Callable[[], SourceError]] = [
        lambda: TooLarge("big"),
        lambda: Unreachable("gone 1"),
        lambda: Unreachable("gone 2"),
    ]
    feeds = [f"https://{n}.example/feed" for n in range(3)]
    fetch = FakeFetch(lambda request: errors[feeds.index(request.url)]())

    with pytest.raises(Unreachable) as refused:
        await News(feeds, FakeParser({})).scan(question(), fetch)
    assert refused.value.sentence == "None of the 3 feeds answered. gone 1"


@pytest.mark.parametrize(
    ("one", "url"),
    [
        (entry(link="/story"), "https://a.example/story"),
        (entry(link="//cdn.example/story"), "https://cdn.example/story"),
        (entry(link="javascript:alert(1)"), None),
        (entry(link="data:text/html,x"), None),
        (entry(link="http://["), None),
        (entry(link=""), None),
        (entry(title="", summary="", content=""), None),
        (entry(age_h=25), None),
        (entry(age_h=-30), None),
    ],
    ids=lambda value: str(value)[:70],
)
async def test_items_that_can_be_used_are_used_and_others_cost_nothing(one: Entry, url: str | None) -> None:
    source, fetch, _ = news(one, entry(2))

    urls = {signal.url for signal in (await source.scan(question(), fetch)).signals}

    assert urls == {"https://site.example/2"} | ({url} if url else set())


async def test_an_item_from_a_clock_that_is_ahead_is_as_new_as_can_be() -> None:
    source, fetch, _ = news(entry(age_h=-3))

    assert (await source.scan(question(), fetch)).signals[0].timestamp == NOW


async def test_without_a_title_the_text_stands_in() -> None:
    source, fetch, _ = news(entry(title="", summary="", content="<b>Short</b> note"))

    assert (await source.scan(question(), fetch)).signals[0].title == "Short note"


async def test_without_an_id_the_link_identifies_the_item() -> None:
    source, fetch, _ = news(entry(key=""), entry(key="", link="https://site.example/other"))

    assert len({signal.id for signal in (await source.scan(question(), fetch)).signals}) == 2


async def test_undated_items_are_dated_by_when_they_appeared_never_by_the_first_reading() -> None:
    source, fetch, parser = news(entry(1, age_h=None))
    first = await source.scan(question(), fetch)
    parser.feeds[b"a"] = Feed("Feed A", [entry(2, age_h=None), entry(1, age_h=None)])
    second = await source.scan(question(now=NOW + timedelta(hours=1)), fetch)
    third = await source.scan(question(now=NOW + timedelta(hours=2)), fetch)

    assert first.signals == ()
    assert first.note == "1 item without a date is left out."
    assert [(signal.title, signal.timestamp) for signal in second.signals] == [("Item 2", NOW + timedelta(hours=1))]
    assert third.signals == second.signals


async def test_a_query_keeps_what_has_all_its_words() -> None:
    source, fetch, _ = news(
        entry(1, title="Rust in kernels"), entry(2, title="Rusty kernel"), entry(3, title="Trust")
    )

    scan = await source.scan(question("kernel rust"), fetch)

    assert {signal.title for signal in scan.signals} == {"Rust in kernels", "Rusty kernel"}


async def test_the_feed_asked_for_takes_the_place_of_the_usual_ones() -> None:
    source, fetch, _ = news(entry())

    await source.scan(question(options=source.spec.parse_options({"feed": "b.example/feed#top"})), fetch)

    assert [request.url for request in fetch.sent] == [B]


@pytest.mark.parametrize(
    "typed", ["javascript:alert(1)", "ftp://a.example/", "https://", "feed", "https://a b.example/"]
)
def test_what_is_no_feed_address_is_refused_in_words(typed: str) -> None:
    with pytest.raises(InvalidOption):
        News([A], FakeParser({})).spec.parse_options({"feed": typed})


async def test_several_feeds_are_asked_each_once_whatever_their_order() -> None:
    source, fetch, _ = news(entry())
    spec = source.spec
    options = spec.parse_options({"feed": "b.example/feed https://a.example/feed\nb.example/feed"})
    assert options == spec.parse_options({"feed": "a.example/feed b.example/feed"})
    await source.scan(question(options=options), fetch)
    assert sorted(request.url for request in fetch.sent) == [A, B]
    with pytest.raises(InvalidOption, match="At most 50"):
        spec.parse_options({"feed": " ".join(f"{number}.example/feed" for number in range(51))})


async def test_without_feeds_it_says_what_to_set() -> None:
    with pytest.raises(NotConfigured, match="NEWS_FEEDS"):
        await News([], FakeParser({})).scan(question(), FakeFetch(lambda _: answer(b"")))


async def test_what_is_kept_of_feeds_is_bounded() -> None:
    source, _, _ = news(entry())
    fetch = FakeFetch(lambda _: answer(b"a", "text/xml", headers={"ETag": '"1"'}))
    for number in range(250):
        await source.scan(question(options={"feed": f"https://{number}.example/feed"}), fetch)
    fetch.sent.clear()

    await source.scan(question(options={"feed": "https://0.example/feed"}), fetch)
    await source.scan(question(options={"feed": "https://249.example/feed"}), fetch)

    assert [request.etag for request in fetch.sent] == [None, '"1"']


async def test_closing_closes_the_parser() -> None:
    source, _, parser = news()

    await source.close()

    assert parser.closed


@pytest.mark.parametrize(
    ("name", "title", "count"),
    [
        ("feedjira__TechCrunch.xml", "TechCrunch", 20),
        ("rss-parser__heise.atom", "heise developer neueste Meldungen", 15),
        ("NetNewsWire__livemint.xml", "Livemint - News", 25),
    ],
)
async def test_recorded_feeds_become_signals(name: str, title: str, count: int) -> None:
    body, parser = recorded(f"news/{name}"), FeedParser()
    source, fetch = News([A], parser), FakeFetch(lambda _: answer(body, "text/xml"))
    try:
        dates = [entry.published_s or 0.0 for entry in (await parser.parse(body, None)).entries]
        now = datetime.fromtimestamp(max(dates), UTC)
        scan = await source.scan(question(timeframe=Timeframe.MONTH, now=now), fetch)
    finally:
        await source.close()
    assert len(scan.signals) == count
    assert {signal.origin for signal in scan.signals} == {title}
    assert max(signal.timestamp for signal in scan.signals) == now
