"""X: what is asked, what it costs, both generations of names, and what becomes of posts."""

import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from agents.errors import (
    AccessDenied,
    AttemptTimeout,
    BadStatus,
    BudgetSpent,
    DeadlineExceeded,
    NotConfigured,
    SourceError,
    UnexpectedContent,
    UpstreamFailed,
)
from agents.fetch.request import Request
from agents.signal import Timeframe
from agents.sources.twitter import Twitter, query_for
from agents.spend import DailySpend
from tests.agents.sources.fakes import NOW, RECORDINGS, Answer, FakeFetch, answer, mutated, question, recorded
from tests.agents.sources.strategies import ANY_JSON, PATHS

API = "https://api.x.com/2"


@pytest.fixture
def spend(tmp_path: Path) -> DailySpend:
    return DailySpend(tmp_path / "spend.json", 1.0, lambda: NOW)


def source(spend: DailySpend, token: str = "bearer") -> Twitter:
    return Twitter(api_url=API, bearer_token=token, spend=spend)


def post(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "text": f"Post {number} https://t.co/abc",
        "author_id": "7",
        "created_at": (NOW - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "public_metrics": {
            "retweet_count": 4,
            "reply_count": 3,
            "like_count": 12,
            "quote_count": 1,
            "impression_count": 900,
        },
        "entities": {"urls": [{"url": "https://t.co/abc", "expanded_url": "https://site.example/a?utm_source=x"}]},
        **fields,
    }


def page(*posts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"data": list(posts), "meta": {"result_count": len(posts)}, **more}


def serving(body: Any, **headers: str) -> FakeFetch:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return FakeFetch(lambda _: answer(body, headers=named))


async def test_asks_for_posts_alone_in_the_timeframe_without_reposts(spend: DailySpend) -> None:
    fetch = serving(page(post()))

    await source(spend).scan(question("rust async", limit=20), fetch)

    (request,) = fetch.sent
    assert request.url == f"{API}/tweets/search/recent"
    assert request.credentials == {"Authorization": "Bearer bearer"}
    assert request.params["query"] == "(rust async) -is:retweet"
    assert request.params["max_results"] == "20"
    assert request.params["start_time"] == "2026-11-19T12:00:00Z"
    assert "expansions" not in request.params


@pytest.mark.parametrize(
    ("metrics", "shares"),
    [
        ({"like_count": 12, "reply_count": 3, "retweet_count": 4, "quote_count": 1}, 5),
        ({"like_count": 12, "reply_count": 3, "repost_count": 4, "quote_count": 1}, 5),
        ({"like_count": 12, "reply_count": 3}, None),
    ],
)
async def test_old_and_new_names_are_understood(
    spend: DailySpend, metrics: dict[str, int], shares: int | None
) -> None:
    (signal,) = (await source(spend).scan(question("x"), serving(page(post(public_metrics=metrics))))).signals

    assert signal.id == "twitter:1"
    assert signal.title == "Post 1"
    assert (signal.url, signal.discussion_url) == ("https://site.example/a", "https://x.com/i/status/1")
    assert (signal.engagement.points, signal.engagement.comments, signal.engagement.shares) == (12, 3, shares)
    assert signal.engagement.views is None


@pytest.mark.parametrize("name", ["note_tweet", "note_post"])
async def test_a_long_post_is_read_whole(spend: DailySpend, name: str) -> None:
    body = page({**post(), name: {"text": "All of it &amp; more"}})

    assert (await source(spend).scan(question("x"), serving(body))).signals[0].title == "All of it & more"


@pytest.mark.parametrize(
    ("text", "title", "excerpt"),
    [
        ("We moved house to Rust\nIt took a week.", "We moved house to Rust", "It took a week."),
        ("Wow\nIt took a week.", "Wow It took a week.", None),
        ("One line only, however long it is", "One line only, however long it is", None),
    ],
)
async def test_a_first_line_that_says_something_is_the_title(
    spend: DailySpend, text: str, title: str, excerpt: str | None
) -> None:
    signal = (await source(spend).scan(question("x"), serving(page(post(text=text))))).signals[0]
    assert (signal.title, signal.excerpt) == (title, excerpt)


async def test_where_the_new_field_names_are_refused_the_old_ones_are_used_from_then_on(spend: DailySpend) -> None:
    def reply(request: Request) -> Answer:
        return BadStatus("400", status=400) if "post.fields" in request.params else answer(page(post()))

    fetch, twitter = FakeFetch(reply), source(spend)
    await twitter.scan(question("x"), fetch)
    await twitter.scan(question("x"), fetch)

    assert ["tweet.fields" in request.params for request in fetch.sent] == [False, True, True]


async def test_what_came_is_paid_for_and_shown(spend: DailySpend) -> None:
    scan = await source(spend).scan(question("x"), serving(page(*[post(n) for n in range(20)])))

    assert scan.note == "$0.10 of $1.00 spent today."
    assert await spend.spent_usd() == 0.1


async def test_the_budget_is_enforced_before_asking(spend: DailySpend) -> None:
    await spend.reserve(0.97)
    fetch = serving(page(post()))

    with pytest.raises(BudgetSpent):
        await source(spend).scan(question("x"), fetch)
    assert fetch.sent == []


async def test_what_is_left_of_the_budget_bounds_the_search(spend: DailySpend) -> None:
    await spend.reserve(0.94)
    fetch = serving(page(post()))

    await source(spend).scan(question("x"), fetch)

    assert fetch.sent[0].params["max_results"] == "12"


@pytest.mark.parametrize(
    ("error", "spent_usd"),
    [
        (lambda: UpstreamFailed("x", status=500), 0.0),
        (lambda: AccessDenied("x", status=401), 0.0),
        (lambda: BadStatus("x", status=400), 0.0),
        (lambda: AttemptTimeout("x"), 0.05),
        (lambda: DeadlineExceeded("x"), 0.05),
        (lambda: UnexpectedContent("x"), 0.05),
    ],
)
async def test_a_failure_costs_what_it_may_have_cost(
    spend: DailySpend, error: Callable[[], SourceError], spent_usd: float
) -> None:
    with pytest.raises(SourceError):
        await source(spend).scan(question("x", limit=5), FakeFetch(lambda _: error()))

    assert await spend.spent_usd() == spent_usd


async def test_errors_beside_data_are_told_and_harm_no_post(spend: DailySpend) -> None:
    body = page(post(), errors=[{"title": "Not Found Error", "type": "about:blank"}])

    scan = await source(spend).scan(question("x"), serving(body))

    assert len(scan.signals) == 1
    assert "X left something out: Not Found Error." in scan.note


async def test_errors_without_data_are_an_error(spend: DailySpend) -> None:
    with pytest.raises(UnexpectedContent, match="Invalid Request"):
        await source(spend).scan(question("x"), serving({"errors": [{"title": "Invalid Request"}]}))


async def test_nothing_found_is_an_empty_answer(spend: DailySpend) -> None:
    assert (await source(spend).scan(question("x"), serving({"meta": {"result_count": 0}}))).signals == ()


async def test_an_exhausted_limit_pauses_until_its_epoch(spend: DailySpend) -> None:
    reset = str(int(NOW.timestamp()) + 300)
    fetch = serving(page(post()), x_rate_limit_remaining="0", x_rate_limit_reset=reset)

    await source(spend).scan(question("x"), fetch)

    assert fetch.pauses == [(f"{API}/tweets/search/recent", 300.0)]


async def test_without_a_token_it_says_what_to_set(spend: DailySpend) -> None:
    off = source(spend, token="")

    assert "X_BEARER_TOKEN" in (off.unavailable() or "")
    with pytest.raises(NotConfigured):
        await off.scan(question("x"), serving(page()))


async def test_a_budget_that_no_search_fits_in_is_told_as_that(tmp_path: Path) -> None:
    def within(limit_usd: float) -> Twitter:
        return source(DailySpend(tmp_path / "spend.json", limit_usd, lambda: NOW))

    assert within(0.05).unavailable() is None
    for limit_usd in (0.0, 0.04):
        assert "X_DAILY_BUDGET_USD is less than the $0.05" in (within(limit_usd).unavailable() or "")
        with pytest.raises(NotConfigured):
            await within(limit_usd).scan(question("x"), serving(page()))


@pytest.mark.parametrize(("status", "words"), [(401, "X_BEARER_TOKEN"), (402, "no credit")])
async def test_refusals_say_what_to_do(spend: DailySpend, status: int, words: str) -> None:
    error = AccessDenied("no", status=401) if status == 401 else BadStatus("no", status=status)
    with pytest.raises(AccessDenied, match=words):
        await source(spend).scan(question("x"), FakeFetch(lambda _: error))


async def test_a_query_that_is_refused_under_both_names_of_the_fields_says_what_to_do(spend: DailySpend) -> None:
    fetch = FakeFetch(lambda _: BadStatus("no", status=400))
    with pytest.raises(BadStatus, match="Try plain words"):
        await source(spend).scan(question("from:"), fetch)
    assert len(fetch.sent) == 2


async def test_a_month_says_that_the_search_covers_a_week(spend: DailySpend) -> None:
    fetch = serving(page(post()))

    scan = await source(spend).scan(question(timeframe=Timeframe.MONTH), fetch)

    assert fetch.sent[0].params["start_time"] == "2026-11-13T12:02:00Z"
    assert "7 days only" in scan.note
    assert "X needs a query; searched for technology, programming, science." in scan.note


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("a OR b", "(a OR b) -is:retweet"),
        ('a) "b', "(a b) -is:retweet"),
        ('"a b"', '("a b") -is:retweet'),
        ("x" * 900, f"({'x' * 400}) -is:retweet"),
    ],
)
def test_what_is_typed_cannot_unbalance_the_query(typed: str, sent: str) -> None:
    assert query_for(typed) == sent


@pytest.mark.parametrize("typed", [None, "", "()", '"'])
def test_without_words_a_general_query_is_sent(typed: str | None) -> None:
    assert "technology" in query_for(typed)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "../1"},
        {"text": ""},
        {"created_at": "soon"},
        {"created_at": "2026-11-20T10:00:00"},
        {"created_at": "9999-12-31T23:59:59-23:59"},
    ],
    ids=str,
)
async def test_a_post_that_cannot_be_used_costs_no_other(spend: DailySpend, fields: dict[str, Any]) -> None:
    scan = await source(spend).scan(question("x"), serving(page(post(1, **fields), post(2))))

    assert [signal.id for signal in scan.signals] == ["twitter:2"]


@pytest.mark.parametrize("url", ["https://twitter.com/a/status/1", "https://x.com/a", "javascript:x", None])
async def test_a_post_that_leads_nowhere_else_is_its_own_page(spend: DailySpend, url: str | None) -> None:
    body = page(post(entities={"urls": [{"expanded_url": url}]}))

    (signal,) = (await source(spend).scan(question("x"), serving(body))).signals

    assert (signal.url, signal.discussion_url) == ("https://x.com/i/status/1", None)


async def test_an_author_who_is_sent_is_shown(spend: DailySpend) -> None:
    body = page(post(), includes={"users": [{"id": "7", "username": "ada", "name": "Ada"}]})

    assert (await source(spend).scan(question("x"), serving(body))).signals[0].author == "@ada"


@pytest.mark.parametrize("name", sorted(p.name for p in (RECORDINGS / "twitter").glob("*")) or ["absent.json"])
async def test_recorded_answers_are_read_whole(spend: DailySpend, name: str) -> None:
    body = json.loads(recorded(f"twitter/{name}"))
    newest = max(each["created_at"] for each in body["data"])
    now = NOW.fromisoformat(newest) + timedelta(minutes=1)
    since = now - timedelta(days=30)
    recent = {f"twitter:{each['id']}" for each in body["data"] if NOW.fromisoformat(each["created_at"]) >= since}

    scan = await source(spend).scan(question("x", timeframe=Timeframe.MONTH, now=now), serving(body))

    assert {signal.id for signal in scan.signals} == recent
    assert all(signal.author for signal in scan.signals)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path=PATHS, replacement=ANY_JSON)
async def test_no_payload_raises_anything_but_a_source_error(
    spend: DailySpend, path: tuple[int, ...], replacement: Any
) -> None:
    valid = page(post(1), post(2), errors=[{"title": "t"}], includes={"users": [{"id": "7", "username": "a"}]})
    body = json.dumps(mutated(valid, path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await source(spend).scan(question("x"), FakeFetch(lambda _: answer(body)))
