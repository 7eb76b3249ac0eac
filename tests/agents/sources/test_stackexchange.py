"""Stack Exchange: what is asked of it, what becomes of questions, and how long it wants to be left alone."""

import asyncio
import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from agents.errors import (
    AccessDenied,
    BadStatus,
    InvalidOption,
    NotFound,
    OwnLimit,
    RateLimited,
    SourceError,
    UnexpectedContent,
    UpstreamFailed,
)
from agents.fetch.request import Request, Response
from agents.resilience.guard import ResilienceConfig, ScanGuard
from agents.signal import Signal, Timeframe
from agents.source import Scan
from agents.sources.stackexchange import StackExchange
from tests.agents.resilience.doubles import Clock
from tests.agents.sources.fakes import NOW, FakeFetch, answer, mutated, question
from tests.agents.sources.strategies import ANY_JSON, PATHS

API = "https://api.stackexchange.com/2.3"
MIDNIGHT_S = 12 * 3600.0


def source(key: str = "") -> StackExchange:
    return StackExchange(api_url=API, key=key)


def asked(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A question as the API sends it with ``filter=withbody``."""
    return {
        "tags": ["python", "asyncio"],
        "owner": {"account_id": 1, "reputation": 5, "user_id": 2, "display_name": "O&#39;Neil"},
        "is_answered": True,
        "view_count": 120,
        "answer_count": 2,
        "score": 7,
        "last_activity_date": int(NOW.timestamp()),
        "creation_date": int((NOW - timedelta(hours=2)).timestamp()),
        "question_id": 79000 + number,
        "content_license": "CC BY-SA 4.0",
        "link": f"https://stackoverflow.com/questions/{79000 + number}/why-so",
        "title": "Why does &quot;await&quot; in List&lt;T&gt; hang?",
        "body": "<p>I have <code>x &lt; y</code>.</p>\n<pre><code>y</code></pre>",
        **fields,
    }


def page(*items: Any, **more: Any) -> dict[str, Any]:
    return {"items": list(items), "has_more": False, "quota_max": 300, "quota_remaining": 299, **more}


def serving(*items: Any, **more: Any) -> FakeFetch:
    return FakeFetch(lambda _: answer(page(*items, **more)))


def refused(error_id: int, name: str, message: str, **more: Any) -> BadStatus:
    """A refusal as the API words it, whatever it is about: status 400."""
    body = json.dumps({"error_id": error_id, "error_name": name, "error_message": message, **more}).encode()
    return BadStatus("api.stackexchange.com did not answer the request (400).", status=400, body=body)


def throttled(seconds: int = 46_472) -> BadStatus:
    message = f"too many requests from this IP, more requests available in {seconds} seconds"
    return refused(502, "throttle_violation", message)


async def ask(fetch: FakeFetch, query: str | None = None, key: str = "", **more: Any) -> Scan:
    return await source(key).scan(question(query, **more), fetch)


async def only_signal(**fields: Any) -> Signal:
    (signal,) = (await ask(serving(asked(**fields)))).signals
    return signal


async def test_without_a_query_the_best_questions_of_the_timeframe_are_asked_for() -> None:
    fetch = serving()
    await ask(fetch, timeframe=Timeframe.WEEK, limit=10)
    (request,) = fetch.sent
    assert request.url == f"{API}/questions"
    assert dict(request.params) == {
        "site": "stackoverflow",
        "fromdate": str(int((NOW - timedelta(days=7)).timestamp())),
        "sort": "votes",
        "order": "desc",
        "pagesize": "30",
        "filter": "withbody",
    }


async def test_a_query_is_a_search_with_its_options_and_the_key() -> None:
    fetch = serving()
    options = {"site": "superuser", "tag": "asyncio;python"}
    await ask(fetch, " slow  disk ", key="k3y", timeframe=Timeframe.HOUR, options=options)
    (request,) = fetch.sent
    assert request.url == f"{API}/search/advanced"
    wanted = {"site": "superuser", "q": "slow disk", "tagged": "asyncio;python", "key": "k3y", "sort": "creation"}
    assert wanted.items() <= dict(request.params).items()


async def test_a_question_becomes_a_signal() -> None:
    signal = await only_signal()
    assert signal.id == "stackexchange:stackoverflow:79001"
    assert signal.title == 'Why does "await" in List<T> hang?'
    assert signal.url == "https://stackoverflow.com/questions/79001/why-so"
    assert (signal.origin, signal.author) == ("stackoverflow", "O'Neil")
    assert signal.excerpt == "I have x < y. y"
    assert signal.timestamp == NOW - timedelta(hours=2)
    engagement = signal.engagement
    assert (engagement.points, engagement.comments, engagement.shares, engagement.views) == (7, 2, None, 120)


async def test_unknown_counts_stay_unknown_and_votes_against_are_none() -> None:
    assert not (await only_signal(score=None, answer_count=None, view_count=None)).engagement.known
    assert (await only_signal(score=-3)).engagement.points == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"question_id": "x"},
        {"title": None},
        {"title": "<b></b>"},
        {"link": "javascript:alert(1)"},
        {"creation_date": "yesterday"},
        {"creation_date": 10**18},
        {"creation_date": 1000},
    ],
    ids=str,
)
async def test_a_question_that_cannot_be_used_costs_no_other(fields: dict[str, Any]) -> None:
    scan = await ask(serving(asked(1, **fields), asked(2)))
    assert [signal.id[-1] for signal in scan.signals] == ["2"]


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({"backoff": 10}, [10.0]),
        ({"backoff": "10"}, [10.0]),
        ({"backoff": 10, "items": "broken"}, [10.0]),
        ({"backoff": 10, "quota_remaining": None}, [10.0]),
        ({"quota_remaining": 0}, [MIDNIGHT_S]),
        ({"quota_remaining": 0, "backoff": 10}, [MIDNIGHT_S]),
        ({"quota_remaining": 1}, []),
        ({"backoff": None}, []),
        ({"backoff": 0}, []),
        ({"backoff": -1}, []),
        ({"backoff": "nan"}, []),
        ({"backoff": {}}, []),
    ],
    ids=str,
)
async def test_a_backoff_in_the_body_is_heeded_whatever_else_it_says(
    more: dict[str, Any], seconds: list[float]
) -> None:
    fetch = serving(**more)
    with contextlib.suppress(UnexpectedContent):
        await ask(fetch)
    assert fetch.pauses == [(f"{API}/questions", each) for each in seconds]


async def test_nobody_slips_in_before_the_backoff_is_heeded() -> None:
    """Four guilds ask at once; three calls wait for the only place when the first answer says: not now."""
    sent: list[str] = []

    class Api:
        async def get(self, request: Request) -> Response:
            sent.append(request.url)
            await asyncio.sleep(0)
            return answer(page(asked(), backoff=10))

        def pause(self, url: str, seconds: float) -> None:
            raise AssertionError("pauses are the limiter's")

    stack, clock = source(), Clock()
    guard = ScanGuard(
        Api(), ResilienceConfig(timeout_s=5.0), limits=stack.spec.limits, clock=clock, later=clock.later
    )
    questions = [question(query) for query in ("a", "b", "c", "d")]
    done = await asyncio.gather(
        *(guard.scan(stack, each, None, tenant=each.query) for each in questions), return_exceptions=True
    )
    refusals = [each for each in done if isinstance(each, OwnLimit)]
    assert len(sent) == 1
    assert len(refusals) == 3
    assert all("asked us to wait" in refusal.sentence for refusal in refusals)


@pytest.mark.parametrize(("error", "wait_s"), [(throttled(), 46_472.0), (refused(502, "x", "no"), 3600.0)])
async def test_being_throttled_is_a_limit_for_as_long_as_it_says(error: BadStatus, wait_s: float) -> None:
    fetch = FakeFetch(lambda _: error)
    with pytest.raises(RateLimited, match="With STACKEXCHANGE_KEY set it grants more") as caught:
        await ask(fetch)
    assert caught.value.retry_after_s == wait_s
    assert fetch.pauses == [(f"{API}/questions", wait_s)]
    with pytest.raises(RateLimited) as caught:
        await ask(FakeFetch(lambda _: error), key="k")
    assert "STACKEXCHANGE_KEY" not in caught.value.sentence


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (refused(400, "bad_parameter", "No site found for name `nope`"), NotFound, "no site “nope”"),
        (refused(400, "bad_parameter", "`key` doesn't match a known application"), AccessDenied, "STACKEXCHANGE_KEY"),
        (refused(400, "bad_parameter", "tagged"), BadStatus, "plain words"),
        (refused(503, "temporarily_unavailable", "x"), UpstreamFailed, "not available"),
        (refused(500, "internal_error", "x"), UpstreamFailed, "not available"),
    ],
)
async def test_refusals_say_what_to_do(error: BadStatus, kind: type[BadStatus], words: str) -> None:
    fetch = FakeFetch(lambda _: error)
    with pytest.raises(kind, match=words) as caught:
        await ask(fetch, options={"site": "nope"})
    assert caught.value.__cause__ is error
    assert fetch.pauses == []


async def test_a_refusal_may_ask_for_patience_too() -> None:
    fetch = FakeFetch(lambda _: refused(400, "bad_parameter", "x", backoff=30))
    with pytest.raises(BadStatus):
        await ask(fetch)
    assert fetch.pauses == [(f"{API}/questions", 30.0)]


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow", status=429, body=b"error code: 1015"),
        AccessDenied("blocked", status=403, body=b"<html>Just a moment"),
        UpstreamFailed("ill", status=502),
    ],
)
async def test_other_errors_pass(error: BadStatus) -> None:
    with pytest.raises(type(error)) as caught:
        await ask(FakeFetch(lambda _: error))
    assert caught.value is error


def test_a_key_grants_more_and_leaves_nothing_to_set() -> None:
    few, many = source().spec, source("k").spec
    (little,), (much,) = few.limits.values(), many.limits.values()
    for limit, a_day in ((little, 300), (much, 10_000)):
        assert 86_400 / limit.interval_s + limit.burst <= a_day
    assert few.ttl_s > many.ttl_s
    assert "STACKEXCHANGE_KEY" in few.setup
    assert many.setup == ""


@pytest.mark.parametrize("body", [b"", b"{", b'{"items": 3}', b"[]", b"null", b'{"items": [{"x": 1}]}', b"\xff\xfe"])
async def test_what_is_not_a_page_of_questions_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await ask(FakeFetch(lambda _: answer(body)))


async def test_nothing_found_is_an_empty_answer() -> None:
    assert (await ask(serving())).signals == ()


@pytest.mark.parametrize(
    ("name", "typed", "parsed"),
    [
        ("site", "Ask Ubuntu", "askubuntu"),
        ("site", "https://superuser.com/", "superuser"),
        ("site", "math.stackexchange.com", "math"),
        ("site", "pt.stackoverflow.com", "pt.stackoverflow"),
        ("tag", "[Python], asyncio", "asyncio;python"),
        ("tag", "c++ async-await .net c++", ".net;async-await;c++"),
    ],
)
def test_options_have_one_spelling(name: str, typed: str, parsed: str) -> None:
    assert source().spec.parse_options({name: typed}) == {name: parsed}


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("site", "a/b", "is no site"),
        ("site", "a&key=x", "is no site"),
        ("tag", "a&b", "is no tag"),
        ("tag", "a b c d e f", "At most 5"),
    ],
)
def test_what_cannot_be_an_option_is_refused_in_words(name: str, typed: str, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        source().spec.parse_options({name: typed})


@given(path=PATHS, replacement=ANY_JSON)
async def test_no_payload_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    body = json.dumps(mutated(page(asked(1), asked(2), backoff=3), path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await ask(FakeFetch(lambda _: answer(body)))


@given(path=PATHS, replacement=ANY_JSON)
async def test_no_refusal_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    body = json.dumps(mutated(json.loads(throttled().body), path, replacement)).encode()
    with pytest.raises(BadStatus):
        await ask(FakeFetch(lambda _: BadStatus("no", status=400, body=body)))
