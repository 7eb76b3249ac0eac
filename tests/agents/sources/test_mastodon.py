"""Mastodon: which timelines are read, what becomes of their posts, and what a server's refusals mean."""

import contextlib
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from agents.errors import (
    AccessDenied,
    BadStatus,
    InvalidOption,
    NotFound,
    RateLimited,
    SourceError,
    UnexpectedContent,
    UpstreamFailed,
)
from agents.fetch.request import Request
from agents.signal import Signal, Timeframe
from agents.source import Scan
from agents.sources.mastodon import Mastodon
from tests.agents.sources.fakes import NOW, Answer, FakeFetch, answer, mutated, question
from tests.agents.sources.strategies import ANY_JSON, PATHS

SERVER = "https://mastodon.social"
LOCAL = f"{SERVER}/api/v1/timelines/public?local=true"
TRENDING = f"{SERVER}/api/v1/trends/statuses"


def source(token: str = "") -> Mastodon:
    return Mastodon(url=SERVER, token=token)


def status(number: int = 1, age_h: float = 2.0, **fields: Any) -> dict[str, Any]:
    """A post as the entity "Status" is documented, of the fields that matter."""
    text = f"<p>The {number}. rule of plain files</p>"
    link = f'<a href="https://site.example/{number}"><span class="invisible">https://</span>site.example/{number}</a>'
    return {
        "id": str(103_270_115_826_048_975 - number),
        "created_at": (NOW - timedelta(hours=age_h)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "in_reply_to_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"{SERVER}/users/Gargron/statuses/{number}",
        "url": f"{SERVER}/@Gargron/{number}",
        "replies_count": 5,
        "reblogs_count": 6,
        "favourites_count": 11,
        "content": f'{text}<p>More &amp; more {link} <a class="mention hashtag">#<span>python</span></a></p>',
        "reblog": None,
        "account": {"id": "1", "username": "Gargron", "acct": "Gargron", "bot": False},
        "media_attachments": [],
        "tags": [{"name": "python", "url": f"{SERVER}/tags/python"}],
        "card": {"url": f"https://site.example/{number}?utm_source=m", "title": "A page", "type": "link"},
        "poll": None,
        **fields,
    }


def serving(*statuses: Any, **headers: str) -> FakeFetch:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return FakeFetch(lambda _: answer(list(statuses), headers=named))


def failing(error: SourceError) -> FakeFetch:
    return FakeFetch(lambda _: error)


def said(kind: Callable[..., BadStatus], code: int, text: str) -> BadStatus:
    """A refusal as Mastodon words it."""
    return kind("no", status=code, body=json.dumps({"error": text}).encode())


async def read(fetch: FakeFetch, query: str | None = None, token: str = "", **more: Any) -> Scan:
    return await source(token).scan(question(query, **more), fetch)


async def only_signal(**fields: Any) -> Signal:
    (signal,) = (await read(serving(status(**fields)))).signals
    return signal


@pytest.mark.parametrize(
    ("timeframe", "options", "url"),
    [
        (Timeframe.DAY, {}, TRENDING),
        (Timeframe.WEEK, {}, TRENDING),
        (Timeframe.HOUR, {}, LOCAL),
        (Timeframe.SIX_HOURS, {}, LOCAL),
        (Timeframe.HOUR, {"timeline": "trending"}, TRENDING),
        (Timeframe.DAY, {"timeline": "local"}, LOCAL),
        (Timeframe.DAY, {"timeline": "public"}, f"{SERVER}/api/v1/timelines/public"),
        (Timeframe.DAY, {"tag": "python"}, f"{SERVER}/api/v1/timelines/tag/python"),
        (Timeframe.DAY, {"tag": "python+rust"}, f"{SERVER}/api/v1/timelines/tag/python?any%5B%5D=rust"),
        (Timeframe.DAY, {"tag": "größe"}, f"{SERVER}/api/v1/timelines/tag/gr%C3%B6%C3%9Fe"),
    ],
)
async def test_the_timeline_that_answers_the_question(
    timeframe: Timeframe, options: dict[str, str], url: str
) -> None:
    fetch = serving()
    await read(fetch, timeframe=timeframe, options=options)
    (request,) = fetch.sent
    assert request.url == url
    assert dict(request.params) == {"limit": "40"}
    assert request.credentials == {}


@pytest.mark.parametrize(
    ("query", "tags"),
    [
        ("rust", ["rust"]),
        ("Machine Learning", ["machinelearning", "machine", "learning"]),
        ("what is C", ["whatisc", "c"]),
        ("x y", ["xy", "x", "y"]),
        ("one two three four five", ["one", "two", "three", "four"]),
        ("c++ 2026", ["c"]),
    ],
)
async def test_words_are_looked_for_as_tags(query: str, tags: Sequence[str]) -> None:
    fetch = serving()
    scan = await read(fetch, query)
    first, *others = tags
    more = "&".join(f"any%5B%5D={tag}" for tag in others)
    assert fetch.sent[0].url == f"{SERVER}/api/v1/timelines/tag/{first}{'?' if more else ''}{more}"
    assert scan.note == f"Read by tag: {', '.join(f'#{tag}' for tag in tags)}."


async def test_every_word_must_stand_in_the_post_or_among_its_tags() -> None:
    fetch = serving(status(1), status(2, content="<p>Rust, not in plain sight</p>"), status(3, tags=[]))
    for query, numbers in (("plain", [1, 2, 3]), ("python plain rule", [1, 3]), ("python sight", [2]), ("go", [])):
        scan = await read(fetch, query, options={"tag": "python"})
        assert [signal.url[-1] for signal in scan.signals] == [str(number) for number in numbers], query
        assert scan.note == ""


async def test_all_words_as_one_tag_will_do() -> None:
    bearing = status(1, content="<p>Look at this</p>", tags=[{"name": "MachineLearning"}])
    other = status(2, content="<p>A learning curve</p>", tags=[{"name": "learning"}])
    assert [signal.url[-1] for signal in (await read(serving(bearing, other), "machine learning")).signals] == ["1"]


async def test_a_post_becomes_a_signal_about_the_page_that_it_points_to() -> None:
    signal = await only_signal()

    assert signal.id == "mastodon:mastodon.social/103270115826048974"
    assert signal.title == "The 1. rule of plain files"
    assert signal.excerpt == "More & more #python"
    assert signal.url == "https://site.example/1"
    assert signal.discussion_url == f"{SERVER}/@Gargron/1"
    assert signal.origin is None
    assert signal.author == "@Gargron@mastodon.social"
    assert signal.timestamp == NOW - timedelta(hours=2)
    engagement = signal.engagement
    assert (engagement.points, engagement.comments, engagement.shares, engagement.views) == (11, 5, 6, None)
    assert not signal.nsfw


async def test_its_place_is_the_tag_that_was_asked_for() -> None:
    scan = await read(serving(status()), options={"tag": "files+python"})
    assert scan.signals[0].origin == "#python"


async def test_people_of_other_servers_are_named_with_theirs() -> None:
    there = "https://chaos.social/@kern/1"
    signal = await only_signal(account={"acct": "kern@chaos.social"}, url=there, card=None)
    assert signal.author == "@kern@chaos.social"
    assert (signal.url, signal.discussion_url) == (there, None)


@pytest.mark.parametrize(
    ("content", "title", "excerpt"),
    [
        ("<p>Read this #now please</p><p>#rust #go</p>", "Read this #now please", None),
        ("<p>#rust #go</p>", "#rust #go", None),
        ("<p>https://site.example/x</p>", "https://site.example/x", None),
        ("<p>One line<br>and another</p>", "One line and another", None),
        ("<p>A line that speaks for itself<br />and another</p>", "A line that speaks for itself", "and another"),
    ],
)
async def test_lines_of_tags_and_bare_addresses_are_no_text(content: str, title: str, excerpt: str | None) -> None:
    signal = await only_signal(content=content)
    assert (signal.title, signal.excerpt) == (title, excerpt)


async def test_a_warning_stands_for_what_is_below_it() -> None:
    signal = await only_signal(spoiler_text="Film ending", sensitive=True)
    assert (signal.title, signal.excerpt, signal.nsfw) == ("Film ending", None, True)


@pytest.mark.parametrize("card", [None, {"url": None}, {}])
async def test_a_post_without_a_card_is_its_own_page(card: Any) -> None:
    signal = await only_signal(card=card)
    assert (signal.url.startswith("https://mastodon."), signal.discussion_url) == (True, None)


async def test_unknown_counts_stay_unknown() -> None:
    signal = await only_signal(favourites_count=None, replies_count=None, reblogs_count=None)
    assert not signal.engagement.known


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "../1"},
        {"created_at": "yesterday"},
        {"created_at": "2026-11-20T10:00:00"},
        {"created_at": "0001-01-01T00:00:00+23:59"},
        {"created_at": "2020-11-20T10:00:00Z"},
        {"content": None},
        {"content": "<p>\u202e</p>"},
        {"url": None},
        {"url": "javascript:alert(1)"},
        {"account": None},
        {"visibility": "private"},
        {"visibility": "direct"},
        {"reblog": {"id": "1"}},
    ],
    ids=str,
)
async def test_a_post_that_cannot_be_used_costs_no_other(fields: dict[str, Any]) -> None:
    scan = await read(serving(status(1, **fields), status(2)))
    assert [signal.id[-2:] for signal in scan.signals] == ["73"]


def timeline(*ages_h: float) -> Callable[[Request], Answer]:
    """Posts of those ages, newest first, by pages of 40."""
    statuses = [status(number, age_h) for number, age_h in enumerate(ages_h)]

    def reply(request: Request) -> Answer:
        before = request.params.get("max_id")
        begin = next((n + 1 for n, each in enumerate(statuses) if each["id"] == before), 0)
        return answer(statuses[begin : begin + int(request.params["limit"])])

    return reply


async def test_pages_are_read_until_the_timeframe_is_covered() -> None:
    fetch = FakeFetch(timeline(*(number / 2 for number in range(200))))
    scan = await read(fetch, options={"tag": "python"})
    assert len(fetch.sent) == 2
    assert len(scan.signals) == 49
    assert scan.note == ""


async def test_a_timeline_without_an_end_is_read_up_to_a_cap_and_says_so() -> None:
    fetch = FakeFetch(timeline(*(number / 1000 for number in range(200))))
    scan = await read(fetch, "python")
    assert len(fetch.sent) == 3
    assert len(scan.signals) == 120
    assert scan.note == "Read by tag: #python. Read the newest 120 posts; there are more."


async def test_what_trends_is_one_page() -> None:
    fetch = FakeFetch(timeline(*([1.0] * 80)))
    assert len((await read(fetch)).signals) == 40
    assert len(fetch.sent) == 1


async def test_the_end_of_a_timeline_ends_the_reading() -> None:
    fetch = FakeFetch(timeline(*([1.0] * 45)))
    scan = await read(fetch, options={"tag": "python"})
    assert len(fetch.sent) == 2
    assert len(scan.signals) == 45


async def test_a_second_page_that_fails_makes_the_answer_partial() -> None:
    pages = timeline(*([1.0] * 80))
    ill = UpstreamFailed("Mastodon is ill.", status=503)
    scan = await read(FakeFetch(lambda r: ill if "max_id" in r.params else pages(r)), options={"tag": "python"})
    assert len(scan.signals) == 40
    assert scan.partial
    assert "Mastodon is ill." in scan.note


@pytest.mark.parametrize(
    "error", [said(AccessDenied, 401, "x"), said(NotFound, 404, "x"), said(BadStatus, 422, "requires a user")]
)
async def test_where_trends_are_not_shown_the_servers_own_posts_are_read(error: BadStatus) -> None:
    fetch = FakeFetch(lambda request: error if "trends" in request.url else answer([status()]))
    assert len((await read(fetch)).signals) == 1
    assert [request.url for request in fetch.sent] == [TRENDING, LOCAL]


@pytest.mark.parametrize("code", [401, 422, 403])
async def test_what_is_for_members_says_what_to_do(code: int) -> None:
    kind = BadStatus if code == 422 else AccessDenied
    closed = said(kind, code, "This method requires an authenticated user")
    with pytest.raises(AccessDenied, match=r"members only. Ask for a tag, or set MASTODON_TOKEN\."):
        await read(failing(closed), options={"timeline": "public"})
    with pytest.raises(AccessDenied, match=r"members only. Set MASTODON_TOKEN, or another MASTODON_URL\."):
        await read(failing(closed), options={"tag": "python"})


async def test_a_token_is_sent_as_a_credential_and_named_when_it_is_refused() -> None:
    fetch = serving(status())
    await read(fetch, token="t0ken")
    assert dict(fetch.sent[0].credentials) == {"Authorization": "Bearer t0ken"}
    refused = said(AccessDenied, 401, "The access token is invalid")
    with pytest.raises(AccessDenied, match="Check MASTODON_TOKEN"):
        await read(failing(refused), token="t0ken", options={"tag": "python"})


async def test_a_tag_that_nobody_used_is_an_empty_answer() -> None:
    scan = await read(failing(said(NotFound, 404, "Record not found")), options={"tag": "python"})
    assert scan.signals == ()


async def test_an_address_without_a_mastodon_is_said_so() -> None:
    page = NotFound("no", status=404, body=b"<html>nginx</html>")
    for options in ({"tag": "python"}, {}):
        with pytest.raises(NotFound, match="Check MASTODON_URL"):
            await read(failing(page), options=options)


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow", status=429),
        BadStatus("gone", status=451),
        AccessDenied("blocked", status=403, body=b"<html>"),
    ],
)
async def test_other_errors_pass(error: BadStatus) -> None:
    with pytest.raises(type(error)) as caught:
        await read(failing(error), options={"tag": "python"})
    assert caught.value is error


async def test_a_limit_that_is_used_up_pauses_until_its_iso_time() -> None:
    fetch = serving(status(), x_ratelimit_remaining="0", x_ratelimit_reset="2026-11-20T12:04:59.000000Z")
    await read(fetch)
    assert [seconds for _, seconds in fetch.pauses] == [299.0]


@pytest.mark.parametrize("body", [b"", b"{", b'{"error": "x"}', b"null", b'[{"x": 1}]', b"\xff\xfe"])
async def test_what_is_not_a_timeline_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await read(FakeFetch(lambda _: answer(body)))


@pytest.mark.parametrize(
    ("typed", "parsed"), [("#Python", "python"), ("rust, #python rust", "python+rust"), ("Größe_1", "größe_1")]
)
def test_tags_have_one_spelling(typed: str, parsed: str) -> None:
    assert source().spec.parse_options({"tag": typed}) == {"tag": parsed}


@pytest.mark.parametrize(
    ("typed", "said_so"), [("a/b", "is no tag"), ("2026", "is no tag"), ("a+b+c+d+e", "At most 4")]
)
def test_what_is_no_tag_is_refused_in_words(typed: str, said_so: str) -> None:
    with pytest.raises(InvalidOption, match=said_so):
        source().spec.parse_options({"tag": typed})


def test_an_unknown_timeline_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidOption, match="trending, local, public"):
        source().spec.parse_options({"timeline": "home"})
    assert source().spec.parse_options({"timeline": "Local"}) == {"timeline": "local"}


def test_a_token_leaves_nothing_to_set() -> None:
    assert "MASTODON_TOKEN" in source().spec.setup
    assert source("t").spec.setup == ""


@given(path=PATHS, replacement=ANY_JSON)
async def test_no_payload_raises_anything_but_a_source_error(path: tuple[int, ...], replacement: Any) -> None:
    body = json.dumps(mutated([status(1), status(2)], path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await read(FakeFetch(lambda _: answer(body)), "plain", options={"tag": "python"})
