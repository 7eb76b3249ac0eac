"""arXiv: what is asked of it, what becomes of papers, and what its errors look like."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from html import escape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import (
    BadStatus,
    InvalidOption,
    OwnLimit,
    RateLimited,
    SourceError,
    UnexpectedContent,
    UpstreamFailed,
)
from agents.signal import Signal, Timeframe
from agents.source import Scan
from agents.sources.arxiv import Arxiv
from agents.sources.feeds import FeedParser
from tests.agents.sources.fakes import NOW, Answer, FakeFetch, InProcessParser, answer, mutated, question

API = "https://export.arxiv.org/api"


def paper(number: int = 1, *, age_h: float = 8.0, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"http://arxiv.org/abs/2611.{number:05}v2",
        "title": f"On $k$-means, part {number},\n  and on List<T>",
        "summary": "  We show that x < y.\n",
        "published": (NOW - timedelta(hours=age_h)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "author": "Ada One",
        **fields,
    }


def feed(*papers: dict[str, Any], total: int | None = None) -> bytes:
    """As the API writes it."""
    entries = "".join(map(entry, papers))
    count = len(papers) if total is None else total
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <link href="http://arxiv.org/api/query?search_query%3Dall" rel="self" type="application/atom+xml"/>
  <title type="html">ArXiv Query: search_query=all&amp;id_list=&amp;start=0&amp;max_results=100</title>
  <id>http://arxiv.org/api/cHxbiOdZaP56ODnBPIenZhzg5f8</id><updated>2026-11-20T00:00:00-05:00</updated>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">{count}</opensearch:totalResults>
  {entries}
</feed>""".encode("utf-8", "replace")


def entry(fields: dict[str, Any]) -> str:
    shown = {name: escape(str(value)) for name, value in fields.items()}
    return f"""<entry><id>{shown["id"]}</id><updated>{NOW.isoformat()}</updated>
    <published>{shown["published"]}</published><title>{shown["title"]}</title><summary>{shown["summary"]}</summary>
    <author><name>{shown["author"]}</name></author><author><name>Bob Two</name></author>
    <arxiv:comment xmlns:arxiv="http://arxiv.org/schemas/atom">5 pages</arxiv:comment>
    <link href="{shown["id"]}" rel="alternate" type="text/html"/>
    <link title="pdf" href="http://arxiv.org/pdf/2611.00001v2" rel="related" type="application/pdf"/>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="cs.LG"/></entry>"""


def atom(*papers: dict[str, Any], total: int | None = None) -> Answer:
    return answer(feed(*papers, total=total), "application/atom+xml")


def serving(*papers: dict[str, Any], total: int | None = None) -> FakeFetch:
    return FakeFetch(lambda _: atom(*papers, total=total))


async def read(fetch: FakeFetch, query: str | None = None, **more: Any) -> Scan:
    return await Arxiv(api_url=API, parser=InProcessParser()).scan(question(query, **more), fetch)


async def only_signal(**fields: Any) -> Signal:
    (signal,) = (await read(serving(paper(**fields)))).signals
    return signal


@pytest.fixture
async def parser() -> AsyncIterator[FeedParser]:
    made = FeedParser()
    yield made
    await made.close()


async def test_a_paper_becomes_a_signal_through_the_worker_that_reads_feeds(parser: FeedParser) -> None:
    fetch = serving(paper())
    (signal,) = (await Arxiv(api_url=API, parser=parser).scan(question(), fetch)).signals
    assert signal.id == "arxiv:2611.00001"
    assert signal.title == "On $k$-means, part 1, and on List<T>"
    assert signal.url == "https://arxiv.org/abs/2611.00001"
    assert (signal.author, signal.excerpt) == ("Ada One", "We show that x < y.")
    assert signal.timestamp == NOW - timedelta(hours=8)
    assert not signal.engagement.known


@pytest.mark.parametrize(
    ("query", "options", "search"),
    [
        (None, {}, "cat:cs.*"),
        (None, {"category": "quant-ph"}, "cat:quant-ph"),
        (None, {"category": "cs.LG+stat"}, "(cat:cs.LG OR cat:stat.*)"),
        ("sparse attention", {}, "all:sparse AND all:attention"),
        ("ti:x OR (y)", {"category": "math.NT"}, "all:ti AND all:x AND all:y AND cat:math.NT"),
        ("Attention is all you need", {}, "all:attention AND all:all AND all:you AND all:need"),
        ("?!", {}, "cat:cs.*"),
    ],
)
async def test_the_newest_are_asked_for_with_all_words_in_any_category(
    query: str | None, options: dict[str, str], search: str
) -> None:
    fetch = serving()
    await read(fetch, query, options=options)
    (request,) = fetch.sent
    assert request.url == f"{API}/query"
    newest = {"sortBy": "submittedDate", "sortOrder": "descending", "max_results": "100"}
    assert dict(request.params) == {"search_query": search, **newest}


async def test_an_old_id_and_an_unversioned_one_are_papers_too() -> None:
    assert (await only_signal(id="http://arxiv.org/abs/math.GT/0309136v1")).id == "arxiv:math.GT/0309136"
    assert (await only_signal(id="https://arxiv.org/abs/quant-ph/0201082")).url.endswith("/abs/quant-ph/0201082")


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "http://arxiv.org/pdf/2611.00001v2"},
        {"id": "http://evil.example/abs/2611.00001v2"},
        {"title": ""},
        {"published": "2009-03-20T00:00:00Z"},
    ],
    ids=str,
)
async def test_a_paper_that_cannot_be_used_costs_no_other(fields: dict[str, Any]) -> None:
    scan = await read(serving(paper(1, **fields), paper(2)))
    assert [signal.id for signal in scan.signals] == ["arxiv:2611.00002"]


async def test_what_is_older_than_the_timeframe_is_left_out() -> None:
    papers = [paper(number, age_h=number) for number in (10, 30, 200)]
    assert [len((await read(serving(*papers), timeframe=each)).signals) for each in Timeframe] == [0, 0, 1, 2, 2, 3]


async def test_an_empty_day_says_why_and_an_empty_month_does_not() -> None:
    assert (await read(serving())).note == "arXiv shows papers hours after they came in, after weekends days: try 7d."
    assert (await read(serving(), timeframe=Timeframe.MONTH)).note == ""
    assert (await read(serving(paper()))).note == ""


async def test_a_full_page_says_that_there_are_more() -> None:
    scan = await read(serving(*(paper(number) for number in range(100)), total=512))
    assert (len(scan.signals), scan.note) == (100, "Read the newest 100 papers; there are more.")


async def test_a_feed_that_speaks_of_papers_and_has_none_is_no_answer() -> None:
    with pytest.raises(UnexpectedContent, match="512 papers, and sent none"):
        await read(serving(total=512))


async def test_an_error_that_looks_like_a_paper_is_an_error() -> None:
    wrong = paper(id="http://arxiv.org/api/errors#incorrect_id_format_for_x", title="Error", summary="incorrect id")
    with pytest.raises(UnexpectedContent, match="Try plain words"):
        await read(serving(wrong))


async def test_a_question_that_is_refused_says_what_to_do() -> None:
    refused = BadStatus("export.arxiv.org did not answer the request (400).", status=400)
    with pytest.raises(BadStatus, match="Try plain words") as caught:
        await read(FakeFetch(lambda _: refused))
    assert caught.value.__cause__ is refused


@pytest.mark.parametrize("error", [RateLimited("slow", status=429), UpstreamFailed("ill", status=503)])
async def test_being_told_to_slow_down_without_a_time_is_a_minute(error: SourceError) -> None:
    fetch = FakeFetch(lambda _: error)
    with pytest.raises(type(error)):
        await read(fetch)
    assert fetch.pauses == [(f"{API}/query", 60.0)]


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


def test_one_request_in_three_seconds_and_one_at_a_time() -> None:
    (limit,) = Arxiv(api_url=API, parser=InProcessParser()).spec.limits.values()
    assert limit.interval_s >= 3.0
    assert (limit.burst, limit.concurrency) == (1, 1)


@pytest.mark.parametrize("body", [b"", b"Rate exceeded.", b"<html>", b"{}", b"\xff\xfe"])
async def test_what_is_not_a_feed_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await read(FakeFetch(lambda _: answer(body, "text/xml")))


@pytest.mark.parametrize(
    ("typed", "parsed"),
    [
        ("STAT.ml, cs.lg cs.LG", "cs.LG+stat.ML"),
        ("cs.*", "cs"),
        ("Quant-PH", "quant-ph"),
        ("cond-mat.mes-hall+astro-ph.ga+physics.acc-ph", "astro-ph.GA+cond-mat.mes-hall+physics.acc-ph"),
    ],
)
def test_categories_have_one_spelling(typed: str, parsed: str) -> None:
    assert Arxiv(api_url=API, parser=InProcessParser()).spec.parse_options({"category": typed}) == {
        "category": parsed
    }


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("biology", "is no category"),
        ("cs.", "is no category"),
        ("quant-ph.XX", "is no category"),
        ("cs.L OR all:x", "is no category"),
        ("cs math stat econ eess nlin", "At most 5"),
    ],
)
def test_what_cannot_be_a_category_is_refused_in_words(typed: str, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        Arxiv(api_url=API, parser=InProcessParser()).spec.parse_options({"category": typed})


@given(
    path=st.lists(st.integers(0, 10), min_size=1, max_size=2).map(tuple),
    replacement=st.text(max_size=20) | st.integers() | st.sampled_from(["]]>", "&lt;b&gt;", "\u0000"]),
)
async def test_no_paper_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    papers = mutated({"papers": [paper(1), paper(2)]}, (0, *path), replacement)["papers"]
    body = feed(*(each for each in papers if isinstance(each, dict)))
    with contextlib.suppress(SourceError):
        await read(FakeFetch(lambda _: answer(body, "application/atom+xml")))
