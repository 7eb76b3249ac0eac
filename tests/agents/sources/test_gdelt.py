"""GDELT: what is asked of it, what becomes of JSON that is none, and its refusals with status 200."""

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from agents.errors import InvalidOption, OwnLimit, RateLimited, SourceError, UnexpectedContent, UpstreamFailed
from agents.signal import Signal, Timeframe
from agents.source import Scan
from agents.sources.gdelt import Gdelt
from tests.agents.sources.fakes import NOW, FakeFetch, answer, mutated, question
from tests.agents.sources.strategies import ANY_JSON, PATHS

API = "https://api.gdeltproject.org/api/v2"


def article(number: int = 1, *, age_h: float = 2.0, **fields: Any) -> dict[str, Any]:
    """An article as the API sends it."""
    return {
        "url": f"https://www.news.example/{number}?utm_source=x",
        "url_mobile": "",
        "title": "Parliament votes , again , on 50 % of the budget",
        "seendate": (NOW - timedelta(hours=age_h)).strftime("%Y%m%dT%H%M%SZ"),
        "socialimage": "https://www.news.example/1.jpg",
        "domain": "news.example",
        "language": "English",
        "sourcecountry": "United Kingdom",
        **fields,
    }


def serving(*articles: Any) -> FakeFetch:
    return FakeFetch(lambda _: answer({"articles": list(articles)}))


def saying(text: str | bytes) -> FakeFetch:
    """A refusal: a sentence with status 200."""
    body = text if isinstance(text, bytes) else text.encode()
    return FakeFetch(lambda _: answer(body, "text/html"))


async def read(fetch: FakeFetch, query: str | None = None, **more: Any) -> Scan:
    return await Gdelt(API).scan(question(query, **more), fetch)


async def only_signal(**fields: Any) -> Signal:
    (signal,) = (await read(serving(article(**fields)))).signals
    return signal


async def test_an_article_becomes_a_signal() -> None:
    signal = await only_signal()
    assert signal.id.startswith("gdelt:")
    assert signal.title == "Parliament votes, again, on 50% of the budget"
    assert (signal.url, signal.origin) == ("https://www.news.example/1", "news.example")
    assert signal.timestamp == NOW - timedelta(hours=2)
    assert not signal.engagement.known


@pytest.mark.parametrize(
    ("query", "timeframe", "options", "search", "sort"),
    [
        ("solar  power", Timeframe.WEEK, {}, "solar power sourcelang:english", "HybridRel"),
        ("solar", Timeframe.HOUR, {"language": "any"}, "solar", "DateDesc"),
        ("(a OR domain:x.example)", Timeframe.DAY, {}, "domain example sourcelang:english", "HybridRel"),
        (None, Timeframe.DAY, {"topic": "science"}, "theme:SCIENCE sourcelang:english", "DateDesc"),
        ("moon", Timeframe.DAY, {"topic": "science", "language": "spanish"}, "moon theme:SCIENCE sourcelang:spanish",
         "HybridRel"),
    ],
)  # fmt: skip
async def test_words_topic_and_language_become_one_search(
    query: str | None, timeframe: Timeframe, options: dict[str, str], search: str, sort: str
) -> None:
    fetch = serving()
    await read(fetch, query, timeframe=timeframe, options=options)
    (request,) = fetch.sent
    assert request.url == f"{API}/doc/doc"
    form = {"mode": "ArtList", "format": "json", "maxrecords": "100", "timespan": timeframe.value}
    assert dict(request.params) == {"query": search, "sort": sort, **form}


async def test_without_words_and_topic_several_topics_are_read_and_named() -> None:
    fetch = serving(article())
    scan = await read(fetch)
    searched = fetch.sent[0].params["query"]
    assert searched.startswith("(theme:ARMEDCONFLICT OR theme:")
    assert searched.endswith(") sourcelang:english")
    assert scan.note == "GDELT needs a query or a topic; read conflict, disasters, economy, elections, science."
    assert (await read(serving(article()), "budget")).note == ""


async def test_words_that_are_too_short_for_it_are_looked_for_in_titles() -> None:
    fetch = serving(article(1, title="AI makes chips"), article(2, title="Paid for chips"))
    scan = await read(fetch, "ai chips")
    assert fetch.sent[0].params["query"] == "chips sourcelang:english"
    assert [signal.title for signal in scan.signals] == ["AI makes chips"]
    assert scan.note == "Words of fewer than three letters are looked for in titles only."


async def test_words_of_any_sentence_are_looked_for_nowhere() -> None:
    fetch = serving(article(1, title="Ukraine: war goes into its next year"))
    scan = await read(fetch, "The war in Ukraine")
    assert fetch.sent[0].params["query"] == "war Ukraine sourcelang:english"
    assert (len(scan.signals), scan.note) == (1, "")


async def test_a_search_is_never_longer_than_it_takes() -> None:
    fetch = serving()
    await read(fetch, "extraordinarily " * 40, options={"topic": "climate", "language": "x" * 20})
    assert 100 < len(fetch.sent[0].params["query"]) < 240


async def test_escapes_that_json_does_not_have_and_control_characters_are_mended() -> None:
    good = json.dumps(article()).encode()
    titles = [rb"50\% off \Quotes\E", rb"A \u12 B", rb"Line\nbreak \"quoted\" \\ \u00e9", b"Bell\x07 tab\t \xff end"]
    articles = [
        good.replace(b"/1?", f"/{n}?".encode()).replace(b"Parliament votes ", t) for n, t in enumerate(titles)
    ]
    scan = await read(FakeFetch(lambda _: answer(b'{"articles": [' + b",".join(articles) + b"]}\n")))
    assert [signal.title.partition(", again")[0] for signal in scan.signals] == [
        r"50\% off \Quotes\E",
        r"A \u12 B",
        'Line break "quoted" \\ é',
        "Bell tab \ufffd end",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "javascript:alert(1)"},
        {"title": ""},
        {"title": None},
        {"seendate": "2026-11-20"},
        {"seendate": "20261399T000000Z"},
        {"seendate": "20200101T000000Z"},
    ],
    ids=str,
)
async def test_an_article_that_cannot_be_used_costs_no_other(fields: dict[str, Any]) -> None:
    scan = await read(serving(article(1, **fields), article(2)))
    assert [signal.url for signal in scan.signals] == ["https://www.news.example/2"]


async def test_an_article_from_a_clock_that_is_ahead_is_as_new_as_can_be_and_one_page_is_one_signal() -> None:
    scan = await read(serving(article(1, age_h=-1), article(1, age_h=-1)))
    assert [signal.timestamp for signal in scan.signals] == [NOW]


async def test_nothing_found_is_an_empty_answer() -> None:
    assert (await read(FakeFetch(lambda _: answer(b"{}\n")))).signals == ()


async def test_being_told_to_slow_down_with_status_200_is_a_limit() -> None:
    fetch = saying("Please limit requests to one every 5 seconds or contact somebody for larger queries.\n")
    with pytest.raises(RateLimited, match="fewer requests") as caught:
        await read(fetch)
    assert caught.value.retry_after_s == 60.0
    assert fetch.pauses == [(f"{API}/doc/doc", 60.0)]


async def test_being_told_to_slow_down_without_a_time_is_a_minute() -> None:
    fetch = FakeFetch(lambda _: RateLimited("slow", status=429))
    with pytest.raises(RateLimited):
        await read(fetch)
    assert fetch.pauses == [(f"{API}/doc/doc", 60.0)]


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow", status=429, retry_after_s=5.0),
        OwnLimit("we wait", status=429),
        UpstreamFailed("ill", status=503),
    ],
)
async def test_other_errors_pass(error: SourceError) -> None:
    fetch = FakeFetch(lambda _: error)
    with pytest.raises(type(error)) as caught:
        await read(fetch)
    assert caught.value is error
    assert fetch.pauses == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Your query was too short or too long.", "Try other words"),
        ("Timespan is too short.", "Try other words"),
        ("Invalid/Unsupported Language.", "no language “klingon”"),
        ("<!doctype html><title>Are you human?</title>", "something else than news"),
        ("", "something else than news"),
    ],
)
async def test_refusals_in_words_say_what_to_do(text: str, words: str) -> None:
    fetch = saying(text)
    with pytest.raises(UnexpectedContent, match=words):
        await read(fetch, "x", options={"language": "klingon"})
    assert fetch.pauses == []


@pytest.mark.parametrize("body", [b"{", b'{"articles": 3}', b'{"articles": [{"x": 1}]}', b"[]", b"null", b"\xff\xfe"])
async def test_what_is_not_a_page_of_articles_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await read(FakeFetch(lambda _: answer(body)))


def test_it_is_asked_more_seldom_than_it_asks_for() -> None:
    (limit,) = Gdelt(API).spec.limits.values()
    assert limit.interval_s > 5.0
    assert (limit.burst, limit.concurrency) == (1, 1)


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [("topic", "cats", "climate, conflict"), ("language", "en-GB", "English name"), ("language", "a:b", "is no")],
)
def test_what_cannot_be_an_option_is_refused_in_words(name: str, typed: str, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        Gdelt(API).spec.parse_options({name: typed})
    assert Gdelt(API).spec.parse_options({"topic": "Science", "language": "Spanish"}) == {
        "topic": "science",
        "language": "spanish",
    }


@given(path=PATHS, replacement=ANY_JSON)
async def test_no_payload_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    body = json.dumps(mutated({"articles": [article(1), article(2)]}, path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await read(FakeFetch(lambda _: answer(body)))
