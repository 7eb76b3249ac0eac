"""YouTube: which feeds are read, what becomes of videos, and what its silences mean."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from html import escape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import (
    AccessDenied,
    InvalidOption,
    NotConfigured,
    NotFound,
    OwnLimit,
    RateLimited,
    SourceError,
    UnexpectedContent,
    Unreachable,
    UpstreamFailed,
)
from agents.fetch.request import Request
from agents.signal import Signal, Timeframe
from agents.source import Scan
from agents.sources.feeds import FeedParser
from agents.sources.youtube import YouTube
from tests.agents.sources.fakes import NOW, Answer, FakeFetch, InProcessParser, answer, mutated, question

SITE = "https://www.youtube.com"
A, B = "UC9-y-6csu5WGm29I7JiwpnA", "UCsBjURrPoezykLs9EqgamOA"


def video(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"AbCdEfG_-{number:02}",
        "title": f"How {number} & why",
        "published": (NOW - timedelta(hours=2)).isoformat(),
        "author": "Computerphile",
        "likes": 328,
        "views": 7743,
        "description": "What it does & more.\nhttps://example.com/x",
        **fields,
    }


def feed(*videos: dict[str, Any], channel: str = A) -> bytes:
    """As YouTube writes it."""
    entries = "".join(map(entry, videos))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/" \
xmlns="http://www.w3.org/2005/Atom">
 <link rel="self" href="http://www.youtube.com/feeds/videos.xml?channel_id={channel}"/>
 <id>yt:channel:{channel[2:]}</id><yt:channelId>{channel[2:]}</yt:channelId><title>Computerphile</title>
 <link rel="alternate" href="https://www.youtube.com/channel/{channel}"/>
 <author><name>Computerphile</name><uri>https://www.youtube.com/channel/{channel}</uri></author>
 <published>2009-03-20T00:00:00+00:00</published>{entries}
</feed>""".encode("utf-8", "replace")


def entry(fields: dict[str, Any]) -> str:
    shown = {name: escape(str(value)) for name, value in fields.items()}
    return f"""
 <entry><id>yt:video:{shown["id"]}</id><yt:videoId>{shown["id"]}</yt:videoId><yt:channelId>{A}</yt:channelId>
  <title>{shown["title"]}</title><link rel="alternate" href="https://www.youtube.com/watch?v={shown["id"]}"/>
  <author><name>{shown["author"]}</name><uri>https://www.youtube.com/channel/{A}</uri></author>
  <published>{shown["published"]}</published><updated>{NOW.isoformat()}</updated>
  <media:group><media:title>{shown["title"]}</media:title>
   <media:content url="https://www.youtube.com/v/x?version=3" type="application/x-shockwave-flash" width="640"/>
   <media:thumbnail url="https://i1.ytimg.com/vi/x/hqdefault.jpg" width="480" height="360"/>
   <media:description>{shown["description"]}</media:description>
   <media:community><media:starRating count="{shown["likes"]}" average="5.00" min="1" max="5"/>
    <media:statistics views="{shown["views"]}"/></media:community></media:group>
 </entry>"""


def atom(*videos: dict[str, Any]) -> Answer:
    return answer(feed(*videos), "text/xml")


async def read(fetch: FakeFetch, query: str | None = None, channels: tuple[str, ...] = (A,), **more: Any) -> Scan:
    return await YouTube(url=SITE, channels=channels, parser=InProcessParser()).scan(question(query, **more), fetch)


async def only_signal(**fields: Any) -> Signal:
    (signal,) = (await read(FakeFetch(lambda _: atom(video(**fields))))).signals
    return signal


@pytest.fixture
async def parser() -> AsyncIterator[FeedParser]:
    made = FeedParser()
    yield made
    await made.close()


async def test_a_video_becomes_a_signal_through_the_worker_that_reads_feeds(parser: FeedParser) -> None:
    fetch = FakeFetch(lambda _: atom(video()))
    (signal,) = (await YouTube(url=SITE, channels=[A], parser=parser).scan(question(), fetch)).signals
    assert [(request.url, dict(request.params)) for request in fetch.sent] == [
        (f"{SITE}/feeds/videos.xml", {"channel_id": A})
    ]
    assert signal.id == "youtube:AbCdEfG_-01"
    assert (signal.title, signal.author) == ("How 1 & why", "Computerphile")
    assert signal.url == "https://www.youtube.com/watch?v=AbCdEfG_-01"
    assert signal.excerpt == "What it does & more. https://example.com/x"
    assert signal.timestamp == NOW - timedelta(hours=2)
    engagement = signal.engagement
    assert (engagement.points, engagement.comments, engagement.views) == (328, None, 7743)


async def test_unknown_counts_stay_unknown() -> None:
    assert not (await only_signal(likes="", views="many")).engagement.known
    assert (await only_signal(likes="", views=0)).engagement.views == 0


async def test_counts_are_those_of_the_video_that_they_stand_at() -> None:
    scan = await read(FakeFetch(lambda _: atom(video(1, views=1), video(2, views=""), video(3, views=3))))
    assert [signal.engagement.views for signal in scan.signals] == [1, None, 3]


@pytest.mark.parametrize(
    "fields",
    [{"id": "short"}, {"title": ""}, {"published": "yesterday"}, {"published": "2009-03-20T00:00:00+00:00"}],
    ids=str,
)
async def test_a_video_that_cannot_be_used_costs_no_other(fields: dict[str, Any]) -> None:
    scan = await read(FakeFetch(lambda _: atom(video(1, **fields), video(2))))
    usable = [signal.id[-2:] for signal in scan.signals]
    # Without a date of its own it has that of its last change.
    assert usable == (["01", "02"] if fields.get("published") == "yesterday" else ["02"])


async def test_a_video_from_a_clock_that_is_ahead_is_as_new_as_can_be() -> None:
    assert (await only_signal(published=(NOW + timedelta(hours=1)).isoformat())).timestamp == NOW


async def test_a_query_keeps_what_has_all_its_words() -> None:
    videos = [video(1, title="Rust in kernels"), video(2, title="Rusty", description="A kernel"), video(3)]
    scan = await read(FakeFetch(lambda _: atom(*videos)), "kernel rust")
    assert [signal.id[-2:] for signal in scan.signals] == ["01", "02"]


async def test_the_channels_asked_for_take_the_place_of_the_usual_ones() -> None:
    fetch = FakeFetch(lambda _: atom(video()))
    await read(fetch, options={"channel": B}, timeframe=Timeframe.WEEK)
    assert [dict(request.params) for request in fetch.sent] == [{"channel_id": B}]


async def test_without_channels_it_says_what_to_set() -> None:
    with pytest.raises(NotConfigured, match="YOUTUBE_CHANNELS"):
        await read(FakeFetch(lambda _: atom()), channels=())


async def test_one_channel_that_fails_costs_no_other_and_is_told() -> None:
    def reply(request: Request) -> Answer:
        return Unreachable("It broke.") if request.params["channel_id"] == B else atom(video())

    scan = await read(FakeFetch(reply), channels=(A, B))
    assert (len(scan.signals), scan.partial) == (1, True)
    assert scan.note == "1 of 2 channels did not answer: It broke."


@pytest.mark.parametrize(("channels", "words"), [((A,), f"no channel “{A}”"), ((A, B), "shows no feeds just now")])
async def test_a_feed_that_is_missing_may_be_so_for_hours(channels: tuple[str, ...], words: str) -> None:
    missing = NotFound("www.youtube.com has no such page (404).", status=404)
    with pytest.raises(NotFound, match=words):
        await read(FakeFetch(lambda _: missing), channels=channels)


@pytest.mark.parametrize("error", [RateLimited("slow", status=429), AccessDenied("no", status=403)])
async def test_being_refused_without_a_time_is_a_limit_for_a_quarter_of_an_hour(error: SourceError) -> None:
    fetch = FakeFetch(lambda _: error)
    with pytest.raises(RateLimited) as caught:
        await read(fetch)
    assert caught.value.retry_after_s == 900.0
    assert fetch.pauses == [(f"{SITE}/feeds/videos.xml", 900.0)]


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow", status=429, retry_after_s=5.0),
        OwnLimit("we wait", status=429),
        UpstreamFailed("ill", status=500),
    ],
)
async def test_other_refusals_pass(error: SourceError) -> None:
    fetch = FakeFetch(lambda _: error)
    with pytest.raises(type(error)) as caught:
        await read(fetch)
    assert caught.value is error
    assert fetch.pauses == []


@pytest.mark.parametrize("body", [b"", b"<!doctype html><title>Before you continue</title>", b"{}", b"\xff\xfe"])
async def test_what_is_not_a_feed_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await read(FakeFetch(lambda _: answer(body, "text/xml")))


async def test_nothing_new_is_an_empty_answer() -> None:
    assert (await read(FakeFetch(lambda _: atom()))).signals == ()


@pytest.mark.parametrize(
    ("typed", "parsed"),
    [
        (A, A),
        (f"https://www.youtube.com/channel/{A}/videos?x=1", A),
        (f"youtube.com/channel/{B}, {A} {B}", f"{A}+{B}"),
    ],
)
def test_channels_have_one_spelling(typed: str, parsed: str) -> None:
    spec = YouTube(url=SITE, channels=[], parser=InProcessParser()).spec
    assert spec.parse_options({"channel": typed}) == {"channel": parsed}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("@computerphile", "Copy channel ID"),
        ("UCshort", "is no channel's id"),
        (" ".join(f"UC{number:022}" for number in range(21)), "At most 20"),
    ],
)
def test_what_cannot_be_a_channel_is_refused_in_words(typed: str, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        YouTube(url=SITE, channels=[], parser=InProcessParser()).spec.parse_options({"channel": typed})


@given(
    path=st.lists(st.integers(0, 10), min_size=1, max_size=2).map(tuple),
    replacement=st.text(max_size=20)
    | st.integers()
    | st.sampled_from(["]]>", "&amp;lt;b&gt;", "\u0000", "</entry>"]),
)
async def test_no_video_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    shape = {"videos": [video(1), video(2)]}
    videos = mutated(shape, (0, *path), replacement)["videos"]
    body = feed(*(each for each in videos if isinstance(each, dict)))
    with contextlib.suppress(SourceError):
        await read(FakeFetch(lambda _: answer(body, "text/xml")))
