"""Reddit without keys: one feed for a question, read as the worker reads feeds."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from html import escape

import pytest
import pytest_asyncio

from agents.errors import AccessDenied, NotFound, UnexpectedContent
from agents.signal import Timeframe
from agents.sources.feeds import FeedParser
from agents.sources.reddit import Reddit
from tests.agents.resilience.doubles import Clock
from tests.agents.sources.fakes import NOW, FakeFetch, answer, question, recorded

SITE = "https://www.reddit.com"
ATOM = "application/atom+xml"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reddit() -> AsyncIterator[Reddit]:
    """Without keys."""
    source = keyless()
    yield source
    await source.close()


def keyless(client_id: str = "", client_secret: str = "") -> Reddit:
    return Reddit(
        url=SITE,
        api_url="https://oauth.reddit.com",
        client_id=client_id,
        client_secret=client_secret,
        username="somebody",
        subreddits=("python", "rust"),
        parser=FeedParser(workers=1),
        clock=Clock(),
    )


def entry(number: int = 1, link: str = "https://site.example/a", age_h: float = 2.0) -> str:
    page = f"{SITE}/r/Python/comments/{number}/post/"
    content = (
        f'<div class="md"><p>Why &amp; how</p></div> submitted by <a href="{SITE}/user/ada">/u/ada</a> to'
        f' <a href="{SITE}/r/Python/">r/Python</a> <br/> <span><a href="{escape(link)}">[link]</a></span>'
        f' <span><a href="{page}">[comments]</a></span>'
    )
    return (
        f"<entry><author><name>/u/ada</name></author><content type='html'>{escape(content)}</content>"
        f"<id>t3_{number}</id><link href='{page}'/><title>Post {number}</title>"
        f"<published>{(NOW - timedelta(hours=age_h)).isoformat()}</published></entry>"
    )


def feed(*entries: str) -> bytes:
    return f"<feed xmlns='http://www.w3.org/2005/Atom'><title>f</title>{''.join(entries)}</feed>".encode()


@pytest.mark.parametrize(
    ("options", "query", "timeframe", "path"),
    [
        ({}, None, Timeframe.HOUR, "/r/python+rust/new/.rss"),
        ({"subreddit": "go"}, None, Timeframe.WEEK, "/r/go/top/.rss"),
        ({}, "async", Timeframe.DAY, "/search.rss"),
        ({"subreddit": "go+rust"}, "async", Timeframe.DAY, "/r/go+rust/search.rss"),
    ],
)
async def test_one_request_answers_a_question(
    reddit: Reddit, options: dict[str, str], query: str | None, timeframe: Timeframe, path: str
) -> None:
    fetch = FakeFetch(lambda _: answer(feed(entry()), ATOM))

    await reddit.scan(question(query, timeframe=timeframe, options=options), fetch)

    (request,) = fetch.sent
    assert request.url == SITE + path
    assert "(by /u/somebody)" in request.headers["User-Agent"]


async def test_an_entry_becomes_a_signal_without_engagement(reddit: Reddit) -> None:
    fetch = FakeFetch(lambda _: answer(feed(entry(link="https://site.example/a?b=1&c=2")), ATOM))

    scan = await reddit.scan(question(), fetch)

    (signal,) = scan.signals
    assert (signal.id, signal.title, signal.origin, signal.author) == ("reddit:t3_1", "Post 1", "r/Python", "ada")
    assert signal.url == "https://site.example/a?b=1&c=2"
    assert signal.discussion_url == f"{SITE}/r/Python/comments/1/post"
    assert signal.excerpt == "Why & how"
    assert not signal.engagement.known
    assert "REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET" in scan.note


@pytest.mark.parametrize(
    "link", [f"{SITE}/r/Python/comments/1/post/", "https://v.redd.it/abc", "javascript:alert(1)"]
)
async def test_what_lives_on_reddit_is_its_discussion(reddit: Reddit, link: str) -> None:
    (signal,) = (await reddit.scan(question(), FakeFetch(lambda _: answer(feed(entry(link=link)), ATOM)))).signals

    assert signal.url == f"{SITE}/r/Python/comments/1/post"
    assert signal.discussion_url is None


async def test_only_the_timeframe_counts(reddit: Reddit) -> None:
    body = feed(entry(1, age_h=2), entry(2, age_h=30), entry(3, age_h=-5))

    scan = await reddit.scan(question(), FakeFetch(lambda _: answer(body, ATOM)))

    assert [signal.id for signal in scan.signals] == ["reddit:t3_1"]


async def test_blocks_and_absences_are_told_in_words(reddit: Reddit) -> None:
    asked = question(options={"subreddit": "go"})
    with pytest.raises(AccessDenied, match=r"blocks this address for now\. Set REDDIT_CLIENT_ID"):
        await reddit.scan(asked, FakeFetch(lambda _: answer(b"<html>whoa", "text/html")))
    with pytest.raises(AccessDenied, match=r"r/go is private.*Set REDDIT_CLIENT_ID"):
        await reddit.scan(asked, FakeFetch(lambda _: AccessDenied("no", status=403)))
    with pytest.raises(NotFound, match="no r/go"):
        await reddit.scan(asked, FakeFetch(lambda _: NotFound("no", status=404)))
    with pytest.raises(UnexpectedContent, match="could not be read"):
        await reddit.scan(asked, FakeFetch(lambda _: answer(b"nothing", ATOM)))


@pytest.mark.parametrize(
    ("name", "newest"),
    [
        ("rss-parser__reddit-home.rss", "2016-01-27T00:00:00+00:00"),
        ("feed-rs__atom_atom_mediarss_reddit_1.xml", "2023-07-24T00:00:00+00:00"),
    ],
)
async def test_recorded_feeds_are_read(reddit: Reddit, name: str, newest: str) -> None:
    body = recorded(f"news/{name}")
    asked = question(timeframe=Timeframe.MONTH, now=datetime.fromisoformat(newest))

    scan = await reddit.scan(asked, FakeFetch(lambda _: answer(body, ATOM)))

    assert len(scan.signals) >= 20
    assert all(signal.origin and signal.author for signal in scan.signals)


async def test_without_keys_it_asks_once_a_minute_and_keeps_answers_long(reddit: Reddit) -> None:
    limit = reddit.spec.limits["www.reddit.com"]

    assert (limit.interval_s, limit.burst) == (60.0, 1)
    assert reddit.spec.ttl_s >= 600
    assert "REDDIT_CLIENT_ID" in reddit.spec.setup
    assert reddit.unavailable() is None


async def test_half_a_key_is_a_mistake_that_is_told() -> None:
    assert "REDDIT_CLIENT_SECRET" in (keyless(client_id="only").unavailable() or "")
