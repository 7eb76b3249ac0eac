"""Bluesky: what is asked of it, what becomes of its posts, and who is not shown."""

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from agents.errors import AccessDenied, BadStatus, InvalidOption, RateLimited, SourceError, UnexpectedContent
from agents.fetch.request import Request
from agents.signal import Signal, Timeframe
from agents.sources.bluesky import Bluesky
from tests.agents.sources.fakes import NOW, FakeFetch, answer, mutated, question, recorded
from tests.agents.sources.strategies import ANY_JSON, PATHS

API = "https://api.bsky.app/xrpc"
DID = "did:plc:iijrtk7ocored6zuziwmqq3c"


def post(number: int = 1, age_h: float = 2.0, **fields: Any) -> dict[str, Any]:
    """A post as ``app.bsky.feed.defs#postView`` says, with a card and a link in its text."""
    when = (NOW - timedelta(hours=age_h)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "uri": f"at://{DID}/app.bsky.feed.post/3jwawk6knx{number}",
        "cid": "bafyreiaeljw6auusjqwppwyjind674ynvcrs2jocrcsx2qxejnrvnbnhze",
        "author": {"did": DID, "handle": "pfrazee.com", "displayName": "Paul", "labels": []},
        "record": {
            "$type": "app.bsky.feed.post",
            "text": f"A long and careful post, number {number}\nwith a second line",
            "createdAt": when,
            "langs": ["en"],
            "facets": [
                {
                    "index": {"byteStart": 0, "byteEnd": 6},
                    "features": [
                        {"$type": "app.bsky.richtext.facet#link", "uri": f"https://inline.example/{number}"}
                    ],
                }
            ],
        },
        "embed": {
            "$type": "app.bsky.embed.external#view",
            "external": {"uri": f"https://card.example/{number}?utm_source=x", "title": "A page", "description": ""},
        },
        "replyCount": 3,
        "repostCount": 4,
        "quoteCount": 1,
        "likeCount": 12,
        "indexedAt": when,
        "viewer": {},
        "labels": [],
        **fields,
    }


def searching(*posts: Any, **headers: str) -> FakeFetch:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return FakeFetch(lambda _: answer({"posts": list(posts), "cursor": "100", "hitsTotal": 1}, headers=named))


def feeding(*items: Any) -> FakeFetch:
    return FakeFetch(lambda _: answer({"feed": list(items), "cursor": "x"}))


async def found(fetch: FakeFetch, query: str | None = "rust", **more: Any) -> tuple[Signal, ...]:
    return (await Bluesky(API).scan(question(query, **more), fetch)).signals


async def only_signal(**fields: Any) -> Signal:
    (signal,) = await found(searching(post(**fields)))
    return signal


async def test_a_query_asks_for_the_best_page_of_the_timeframe() -> None:
    fetch = searching(post())

    await found(fetch, " rust   lang ", timeframe=Timeframe.WEEK)

    (request,) = fetch.sent
    assert request.url == f"{API}/app.bsky.feed.searchPosts"
    assert dict(request.params) == {"q": "rust lang", "sort": "top", "since": "2026-11-13T12:00:00Z", "limit": "100"}


@pytest.mark.parametrize(
    ("timeframe", "options", "sort"),
    [
        (Timeframe.HOUR, {}, "latest"),
        (Timeframe.SIX_HOURS, {}, "latest"),
        (Timeframe.DAY, {}, "top"),
        (Timeframe.HOUR, {"sort": "top"}, "top"),
        (Timeframe.MONTH, {"sort": "latest"}, "latest"),
    ],
)
async def test_short_timeframes_look_at_the_newest(timeframe: Timeframe, options: dict[str, str], sort: str) -> None:
    fetch = searching()
    await found(fetch, timeframe=timeframe, options=options)
    assert fetch.sent[0].params["sort"] == sort


@pytest.mark.parametrize("query", [None, "", "  ", "?!"])
async def test_without_a_query_its_own_feed_is_read_but_for_replies(query: str | None) -> None:
    record = {**post()["record"], "reply": {"root": {}, "parent": {}}}
    reply = {"post": post(2, record=record), "reply": {"root": {}, "parent": {}}}
    fetch = feeding({"post": post(1)}, reply)

    (signal,) = await found(fetch, query)

    assert signal.id.endswith("nx1")
    assert fetch.sent[0].url == f"{API}/app.bsky.feed.getFeed"
    assert fetch.sent[0].params["feed"].endswith("/app.bsky.feed.generator/whats-hot")


async def test_a_search_finds_replies_too() -> None:
    assert await found(searching(post(record={**post()["record"], "reply": {"root": {}, "parent": {}}})))


async def test_a_post_becomes_a_signal_about_the_page_that_it_points_to() -> None:
    signal = await only_signal()

    assert signal.id == f"bluesky:{DID}/3jwawk6knx1"
    assert signal.title == "A long and careful post, number 1"
    assert signal.excerpt == "with a second line"
    assert signal.url == "https://card.example/1"
    assert signal.discussion_url == "https://bsky.app/profile/pfrazee.com/post/3jwawk6knx1"
    assert signal.author == "@pfrazee.com"
    assert signal.timestamp == NOW - timedelta(hours=2)
    engagement = signal.engagement
    assert (engagement.points, engagement.comments, engagement.shares, engagement.views) == (12, 3, 5, None)


async def test_a_card_beside_a_quotation_and_a_link_in_the_text_count_too() -> None:
    media = {"external": {"uri": "https://deep.example/", "title": "x"}}
    quoted = {"$type": "app.bsky.embed.recordWithMedia#view", "record": {"record": {}}, "media": media}
    assert (await only_signal(embed=quoted)).url == "https://deep.example/"
    assert (await only_signal(embed=None)).url == "https://inline.example/1"


async def test_a_post_that_points_nowhere_else_is_its_own_page() -> None:
    own = {"external": {"uri": "https://bsky.app/profile/x", "title": ""}}
    signal = await only_signal(embed=own, record={**post()["record"], "facets": None})
    assert signal.url == "https://bsky.app/profile/pfrazee.com/post/3jwawk6knx1"
    assert signal.discussion_url is None


@pytest.mark.parametrize("handle", ["handle invalid/../x", None])
async def test_a_handle_that_is_none_is_not_shown(handle: str | None) -> None:
    signal = await only_signal(author={"did": DID, "handle": handle})
    assert signal.author is None
    assert signal.discussion_url == f"https://bsky.app/profile/{DID}/post/3jwawk6knx1"


@pytest.mark.parametrize("text", ["", None])
async def test_a_post_of_nothing_but_a_card_has_the_cards_title(text: str | None) -> None:
    assert (await only_signal(record={"text": text, "createdAt": NOW.isoformat()})).title == "A page"


async def test_a_card_without_an_address_costs_the_post_nothing() -> None:
    assert (await only_signal(embed={"external": {"uri": None, "title": "x"}})).url == "https://inline.example/1"


async def test_unknown_counts_stay_unknown() -> None:
    signal = await only_signal(likeCount=None, replyCount=None, repostCount=None, quoteCount=None)
    assert not signal.engagement.known


async def test_who_asks_to_be_shown_to_members_only_is_not_shown() -> None:
    hidden = {"did": DID, "handle": "a.example", "labels": [{"src": DID, "val": "!no-unauthenticated"}]}
    assert [s.id[-1] for s in await found(searching(post(1, author=hidden), post(2)))] == ["2"]


@pytest.mark.parametrize("value", ["porn", "sexual", "nudity", "graphic-media"])
async def test_labels_say_what_is_not_safe_for_work(value: str) -> None:
    assert (await only_signal(labels=[{"src": DID, "val": value}])).nsfw
    assert not (await only_signal(labels=[{"src": DID, "val": "spam"}])).nsfw


@pytest.mark.parametrize(
    ("claimed", "age_h"),
    [
        ("2027-01-01T00:00:00Z", 2.0),
        ("2026-11-20T10:00:00", 2.0),
        ("soon", 2.0),
        (None, 2.0),
        ("2026-11-20T09:00:00+01:00", 4.0),
    ],
)
async def test_an_author_may_claim_an_earlier_time_but_no_later_one(claimed: str | None, age_h: float) -> None:
    signal = await only_signal(record={"text": "Something to read", "createdAt": claimed})
    assert signal.timestamp == NOW - timedelta(hours=age_h)


@pytest.mark.parametrize(
    "fields",
    [
        {"uri": "at://x/y"},
        {"uri": f"at://{DID}/app.bsky.feed.generator/1"},
        {"record": {"text": "\u202e", "createdAt": NOW.isoformat()}, "embed": None},
        {"record": {}, "embed": None},
        {"record": None},
        {"author": {}},
        {"indexedAt": "yesterday"},
        {"indexedAt": "2026-11-20T10:00:00"},
        {"indexedAt": "9999-12-31T23:59:59-23:59"},
        {"indexedAt": "2020-11-20T10:00:00Z"},
    ],
    ids=str,
)
async def test_a_post_that_cannot_be_used_costs_no_other(fields: dict[str, Any]) -> None:
    assert [s.id[-1] for s in await found(searching(post(1, **fields), post(2)))] == ["2"]


async def test_a_search_that_is_closed_says_what_can_still_be_read() -> None:
    closed = AccessDenied("api.bsky.app refuses us access (403).", status=403)
    with pytest.raises(AccessDenied, match="Without a query its Discover feed can still be read"):
        await found(FakeFetch(lambda _: closed))


async def test_a_query_that_is_not_understood_is_said_so() -> None:
    with pytest.raises(BadStatus, match="Try plain words"):
        await found(FakeFetch(lambda _: BadStatus("no", status=400)))


@pytest.mark.parametrize("error", [RateLimited("slow", status=429), BadStatus("gone", status=451)])
async def test_other_errors_pass(error: SourceError) -> None:
    with pytest.raises(type(error)) as caught:
        await found(FakeFetch(lambda _: error))
    assert caught.value is error


async def test_a_limit_that_is_used_up_pauses_until_its_epoch() -> None:
    fetch = searching(post(), ratelimit_remaining="0", ratelimit_reset=str(int(NOW.timestamp()) + 120))
    await found(fetch)
    assert [seconds for _, seconds in fetch.pauses] == [120.0]


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"posts": 3}', b"[]", b"null", b'{"posts": [{"x": 1}]}', b'{"feed": []}', b"\xff\xfe"]
)
async def test_what_is_not_a_page_of_posts_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await found(FakeFetch(lambda _: answer(body)))


async def test_nothing_found_is_an_empty_answer() -> None:
    assert await found(searching()) == ()


def test_an_unknown_order_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidOption, match="top, latest"):
        Bluesky(API).spec.parse_options({"sort": "best"})


@given(path=PATHS, replacement=ANY_JSON)
async def test_no_payload_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    body = json.dumps(mutated({"posts": [post(1), post(2)], "cursor": "x"}, path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await found(FakeFetch(lambda _: answer(body)))


@pytest.mark.parametrize("name", ["getFeed", "getListFeed"])
async def test_recorded_feeds_are_read_whole(name: str) -> None:
    body = recorded(f"bluesky/src_services_suite_app_bsky_feed_{name}.json")
    posts = [item["post"] for item in json.loads(body)["feed"] if "reply" not in item["post"]["record"]]

    def reply(request: Request) -> Any:
        assert request.url.endswith("getFeed")
        return answer(body)

    # The recordings are of 2023: what is older than a month is left out by the timeframe alone.
    for each in posts:
        written = each["record"]["createdAt"]
        now = NOW.fromisoformat(written.replace("Z", "+00:00")) + timedelta(hours=1)
        (signal,) = [s for s in await found(FakeFetch(reply), None, now=now) if s.id.endswith(each["uri"][-13:])]
        assert signal.author == f"@{each['author']['handle']}"
        assert signal.engagement.points == each["likeCount"]
        assert signal.title[:20] in " ".join(each["record"]["text"].split())


async def test_a_recorded_answer_of_another_kind_is_one_typed_error() -> None:
    body = recorded("bluesky/src_services_suite_app_bsky_feed_getSuggestedFeeds.json")
    with pytest.raises(UnexpectedContent):
        await found(FakeFetch(lambda _: answer(body)), None)
