"""Reddit's API: tokens, listings, paging, limits, and what becomes of posts."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from agents.errors import AccessDenied, InvalidOption, NotFound, SourceError, UnexpectedContent, UpstreamFailed
from agents.fetch.request import Request, Response
from agents.signal import Timeframe
from agents.sources.feeds import FeedParser
from agents.sources.reddit import Reddit
from tests.agents.resilience.doubles import Clock
from tests.agents.sources.fakes import NOW, Answer, FakeFetch, answer, mutated, question, recorded
from tests.agents.sources.strategies import ANY_JSON, PATHS

SITE = "https://www.reddit.com"
API = "https://oauth.reddit.com"


def source(clock: Clock | None = None, *, client_id: str = "id", client_secret: str = "secret") -> Reddit:
    return Reddit(
        url=SITE,
        api_url=API,
        client_id=client_id,
        client_secret=client_secret,
        username="somebody",
        subreddits=("Python", "rust"),
        parser=FeedParser(),
        clock=clock or Clock(),
    )


def post(number: int = 1, age_h: float = 2.0, **fields: Any) -> dict[str, Any]:
    return {
        "name": f"t3_{number}",
        "title": f"Post {number}",
        "permalink": f"/r/python/comments/{number}/post/",
        "created_utc": (NOW - timedelta(hours=age_h)).timestamp(),
        "subreddit": "Python",
        "author": "ada",
        "score": 12,
        "num_comments": 3,
        "url": f"https://site.example/{number}",
        **fields,
    }


def listing(*posts: dict[str, Any], after: str | None = None) -> dict[str, Any]:
    children = [{"kind": "t3", "data": each} for each in posts]
    return {"kind": "Listing", "data": {"after": after, "before": None, "dist": len(posts), "children": children}}


def grant(number: int = 1) -> dict[str, Any]:
    return {"access_token": f"token-{number}", "token_type": "bearer", "expires_in": 3600, "scope": "*"}


def api(reply: Callable[[Request], Answer]) -> FakeFetch:
    """Grants tokens and leaves the rest to ``reply``."""
    grants = iter(range(1, 100))
    return FakeFetch(lambda request: answer(grant(next(grants))) if request.method == "POST" else reply(request))


def serving(*posts: dict[str, Any]) -> FakeFetch:
    return api(lambda _: answer(listing(*posts)))


def pages(fetch: FakeFetch) -> list[Request]:
    return [request for request in fetch.sent if request.method == "GET"]


async def only_signal(**fields: Any) -> Any:
    (signal,) = (await source().scan(question(), serving(post(**fields)))).signals
    return signal


async def test_asks_for_a_token_with_basic_auth_and_then_for_the_listing() -> None:
    fetch = serving(post())

    await source().scan(question(), fetch)

    token, page = fetch.sent
    assert token.url == f"{SITE}/api/v1/access_token"
    assert token.form == {"grant_type": "client_credentials"}
    assert base64.b64decode(token.credentials["Authorization"].removeprefix("Basic ")) == b"id:secret"
    assert page.url == f"{API}/r/python+rust/top"
    assert page.credentials == {"Authorization": "Bearer token-1"}
    assert page.params["raw_json"] == "1"
    assert page.params["limit"] == "100"
    assert page.params["t"] == "day"
    assert page.headers["User-Agent"].endswith(")")
    assert "(by /u/somebody)" in page.headers["User-Agent"]


@pytest.mark.parametrize(
    ("options", "query", "timeframe", "path"),
    [
        ({}, None, Timeframe.HOUR, "/r/python+rust/new"),
        ({}, None, Timeframe.WEEK, "/r/python+rust/top"),
        ({"subreddit": "r/Go"}, None, Timeframe.DAY, "/r/go/top"),
        ({"subreddit": "go", "sort": "HOT"}, None, Timeframe.DAY, "/r/go/hot"),
        ({}, "async", Timeframe.DAY, "/search"),
        ({"subreddit": "go"}, "async", Timeframe.DAY, "/r/go/search"),
    ],
)
async def test_the_listing_follows_the_question(
    options: dict[str, str], query: str | None, timeframe: Timeframe, path: str
) -> None:
    reddit = source()
    fetch = serving(post())

    await reddit.scan(question(query, timeframe=timeframe, options=reddit.spec.parse_options(options)), fetch)

    (page,) = pages(fetch)
    assert page.url == API + path
    assert page.params.get("restrict_sr") == ("1" if query and options else None)
    assert page.params.get("q") == query


@pytest.mark.parametrize("timeframe", Timeframe)
async def test_reddit_s_own_window_holds_every_timeframe(timeframe: Timeframe) -> None:
    days = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30}
    fetch = serving(post())
    await source().scan(question("async", timeframe=timeframe), fetch)
    (page,) = pages(fetch)
    holding = [name for name, length in days.items() if timedelta(days=length) >= timeframe.delta]
    assert page.params["t"] == holding[0]


async def test_the_token_is_kept_and_renewed_before_it_ends() -> None:
    clock = Clock()
    reddit = source(clock)
    fetch = serving(post())

    await reddit.scan(question(), fetch)
    clock.now_s += 3000
    await reddit.scan(question(), fetch)
    assert [request.method for request in fetch.sent] == ["POST", "GET", "GET"]
    clock.now_s += 550
    await reddit.scan(question(), fetch)
    assert [request.method for request in fetch.sent] == ["POST", "GET", "GET", "POST", "GET"]


async def test_many_questions_at_once_renew_once_and_a_cancelled_one_harms_none() -> None:
    reddit = source()
    fetch = serving(post())
    gate = asyncio.Event()

    class SlowToken(FakeFetch):
        async def get(self, request: Request) -> Response:
            if request.method == "POST":
                await gate.wait()
            return await fetch.get(request)

    slow = SlowToken(lambda _: answer({}))
    tasks = [asyncio.create_task(reddit.scan(question(), slow)) for _ in range(20)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(*tasks[1:])

    assert all(len(scan.signals) == 1 for scan in results)
    assert sum(request.method == "POST" for request in fetch.sent) == 1
    assert tasks[0].cancelled()


async def test_a_refused_token_is_renewed_once() -> None:
    def reply(request: Request) -> Answer:
        if request.credentials["Authorization"] == "Bearer token-1":
            return AccessDenied("401.", status=401)
        return answer(listing(post()))

    fetch = api(reply)
    assert len((await source().scan(question(), fetch)).signals) == 1
    assert len(fetch.sent) == 4


async def test_a_token_that_is_refused_again_is_an_error() -> None:
    fetch = api(lambda _: AccessDenied("401.", status=401))
    with pytest.raises(AccessDenied, match="Check what the app of REDDIT_CLIENT_ID may do"):
        await source().scan(question(), fetch)
    assert len(pages(fetch)) == 2


async def test_what_is_missing_with_the_renewed_token_is_told_in_words_too() -> None:
    replies = iter((AccessDenied("401.", status=401), NotFound("404.", status=404)))
    with pytest.raises(NotFound, match="no r/go"):
        await source().scan(question(options={"subreddit": "go"}), api(lambda _: next(replies)))


@pytest.mark.parametrize("reply", [AccessDenied("401.", status=401), answer({"error": "unsupported_grant_type"})])
async def test_a_wrong_key_names_the_variables(reply: Answer) -> None:
    with pytest.raises(AccessDenied, match="REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET"):
        await source().scan(question(), FakeFetch(lambda _: reply))


async def test_pages_until_the_timeframe_is_covered() -> None:
    ages = {None: (1, 3), "t3_2": (5, 7), "t3_4": (9, 11)}

    def reply(request: Request) -> Answer:
        after = request.params.get("after")
        first = {None: 1, "t3_2": 3, "t3_4": 5}[after]
        posts = [post(first + i, age_h=age) for i, age in enumerate(ages[after])]
        return answer(listing(*posts, after=f"t3_{first + 1}"))

    fetch = api(reply)
    scan = await source().scan(question(timeframe=Timeframe.SIX_HOURS), fetch)

    assert [signal.id for signal in scan.signals] == ["reddit:t3_1", "reddit:t3_2", "reddit:t3_3"]
    assert len(pages(fetch)) == 2


async def test_pages_at_most_three_times_and_says_that_there_is_more() -> None:
    numbers = iter(range(1, 100))
    fetch = api(lambda _: answer(listing(post(next(numbers), age_h=0.1), after="t3_x")))

    scan = await source().scan(question(timeframe=Timeframe.HOUR), fetch)

    assert len(pages(fetch)) == 3
    assert "there are more" in scan.note


async def test_an_ordered_listing_ends_when_the_limit_is_met() -> None:
    fetch = api(lambda _: answer(listing(*[post(i) for i in range(1, 31)], after="t3_x")))

    await source().scan(question(limit=25), fetch)

    assert len(pages(fetch)) == 1


async def test_a_later_page_that_fails_leaves_the_first_ones() -> None:
    def reply(request: Request) -> Answer:
        if "after" in request.params:
            return UpstreamFailed("Reddit is ill.", status=503)
        return answer(listing(post(), after="t3_x"))

    scan = await source().scan(question(), api(reply))

    assert len(scan.signals) == 1
    assert scan.partial
    assert "Reddit is ill." in scan.note


async def test_an_exhausted_limit_pauses_for_the_seconds_left() -> None:
    headers = {"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "321"}
    fetch = api(lambda _: answer(listing(post()), headers=headers))

    await source().scan(question(), fetch)

    assert [seconds for _, seconds in fetch.pauses] == [321.0]


@pytest.mark.parametrize("remaining", ["1.0", "nan", "", "many"])
async def test_a_limit_that_is_not_exhausted_pauses_nothing(remaining: str) -> None:
    headers = {"x-ratelimit-remaining": remaining, "x-ratelimit-reset": "321"}
    fetch = api(lambda _: answer(listing(post()), headers=headers))

    await source().scan(question(), fetch)

    assert fetch.pauses == []


async def test_a_page_for_people_is_a_block() -> None:
    with pytest.raises(AccessDenied, match="blocks this address"):
        await source().scan(question(), api(lambda _: answer(b"<html>whoa there", "text/html")))


async def test_a_private_and_a_missing_subreddit_are_told_apart() -> None:
    asked = question(options={"subreddit": "secret"})
    with pytest.raises(AccessDenied, match="r/secret is private"):
        await source().scan(asked, api(lambda _: AccessDenied("403.", status=403)))
    with pytest.raises(NotFound, match="no r/secret"):
        await source().scan(asked, api(lambda _: NotFound("404.", status=404)))
    redirected = Response(200, f"{SITE}/subreddits/search?q=secret", {}, b"{}", "application/json")
    with pytest.raises(NotFound, match="no r/secret"):
        await source().scan(asked, api(lambda _: redirected))


async def test_a_link_post_has_its_link_and_its_discussion() -> None:
    signal = await only_signal(url_overridden_by_dest="https://site.example/a?utm_source=x")

    assert signal.id == "reddit:t3_1"
    assert signal.url == "https://site.example/a"
    assert signal.discussion_url == f"{SITE}/r/python/comments/1/post"
    assert signal.origin == "r/Python"
    assert (signal.engagement.points, signal.engagement.comments) == (12, 3)


@pytest.mark.parametrize(
    "fields", [{"is_self": True}, {"is_gallery": True}, {"is_video": True}, {"url": "javascript:x"}]
)
async def test_what_lives_on_reddit_is_its_discussion(fields: dict[str, Any]) -> None:
    signal = await only_signal(**fields)

    assert signal.url == f"{SITE}/r/python/comments/1/post"
    assert signal.discussion_url is None


async def test_a_crosspost_is_about_what_its_parent_is_about() -> None:
    parent = {"url": "https://origin.example/story", "name": "t3_9"}
    signal = await only_signal(url="/r/other/comments/9/x/", crosspost_parent_list=[parent])

    assert signal.url == "https://origin.example/story"


async def test_what_was_taken_away_is_unknown() -> None:
    signal = await only_signal(author="[deleted]", selftext="[removed]", hide_score=True)

    assert signal.author is None
    assert signal.excerpt is None
    assert signal.engagement.points is None
    assert signal.engagement.comments == 3


async def test_a_negative_score_is_none_at_all_and_nsfw_is_marked() -> None:
    signal = await only_signal(score=-40, over_18=True)

    assert signal.engagement.points == 0
    assert signal.nsfw


@pytest.mark.parametrize(
    "fields",
    [
        {"stickied": True},
        {"promoted": True},
        {"title": ""},
        {"title": None},
        {"created_utc": 1e300},
        {"created_utc": 0},
        {"name": "t3_../x"},
        {"permalink": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_a_post_that_is_not_wanted_costs_no_other(fields: dict[str, Any]) -> None:
    scan = await source().scan(question(), serving(post(1, **fields), post(2)))

    assert [signal.id for signal in scan.signals] == ["reddit:t3_2"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"data": {}}', b'{"data": {"children": [{"kind": "t3"}]}}'])
async def test_what_is_not_a_listing_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await source().scan(question(), api(lambda _: answer(body)))


@pytest.mark.parametrize(
    ("typed", "parsed"),
    [("r/Python", "python"), ("rust, python", "python+rust"), ("/r/a_b/+cd", "a_b+cd"), ("Rust rust", "rust")],
)
def test_subreddits_have_one_spelling(typed: str, parsed: str) -> None:
    assert source().spec.parse_options({"subreddit": typed}) == {"subreddit": parsed}


@pytest.mark.parametrize(
    "typed", ["a", "a" * 22, "py thon!", "../x", "r/", "+", "é" * 3, "+".join(f"s{i}" for i in range(11))]
)
def test_what_is_no_subreddit_is_refused_in_words(typed: str) -> None:
    with pytest.raises(InvalidOption):
        source().spec.parse_options({"subreddit": typed})


@pytest.mark.parametrize("name", ["1340c73add.json", "63d1abf5e3.json", "a51c2b1667.json", "adaa25b8e2.json"])
async def test_recorded_listings_are_read_whole(name: str) -> None:
    body = json.loads(recorded(f"reddit/{name}"))["body"]
    children = [each["data"] for each in body["data"]["children"] if each["kind"] == "t3"]
    newest = max(each["created_utc"] for each in children)
    now = NOW.fromtimestamp(newest + 60, NOW.tzinfo)
    recent = [each for each in children if each["created_utc"] > newest + 60 - 30 * 86_400 and not each["stickied"]]

    fetch = api(lambda request: answer(listing() if "after" in request.params else body))
    scan = await source().scan(question(timeframe=Timeframe.MONTH, now=now), fetch)

    assert {signal.id for signal in scan.signals} == {f"reddit:{each['name']}" for each in recent}


@given(path=PATHS, replacement=ANY_JSON)
async def test_no_listing_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    valid = listing(post(1, crosspost_parent_list=[{"url": "https://x.example"}]), post(2))
    body = json.dumps(mutated(valid, path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await source().scan(question(), api(lambda _: answer(body)))


@given(path=PATHS, replacement=ANY_JSON)
async def test_no_grant_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    body = json.dumps(mutated(grant(), path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await source().scan(
            question(), FakeFetch(lambda request: answer(body if request.method == "POST" else listing(post())))
        )
