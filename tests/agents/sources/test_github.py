"""GitHub: what is searched for, what becomes of repositories, issues and releases, and what its refusals mean."""

import contextlib
import json
from collections.abc import Callable
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
from agents.resilience.limiter import HostLimiter
from agents.signal import Signal, Timeframe
from agents.source import Scan
from agents.sources.github import GitHub
from tests.agents.sources.fakes import NOW, Answer, FakeFetch, answer, mutated, question
from tests.agents.sources.strategies import ANY_JSON, PATHS

API = "https://api.github.com"
TWO_HOURS_AGO = (NOW - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")


def source(token: str = "") -> GitHub:
    return GitHub(api_url=API, token=token)


def repository(number: int = 1, **fields: Any) -> dict[str, Any]:
    """As ``/search/repositories`` sends it, of the fields that matter."""
    return {
        "id": 1296000 + number,
        "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5",
        "name": f"tool-{number}",
        "full_name": f"octo/Tool-{number}",
        "private": False,
        "owner": {"login": "octo", "id": 1},
        "html_url": f"https://github.com/octo/Tool-{number}",
        "description": "A tool that does one thing",
        "fork": False,
        "created_at": TWO_HOURS_AGO,
        "updated_at": TWO_HOURS_AGO,
        "pushed_at": TWO_HOURS_AGO,
        "stargazers_count": 80,
        "watchers_count": 80,
        "language": "Rust",
        "forks_count": 9,
        "open_issues_count": 3,
        "score": 1.0,
        **fields,
    }


def issue(number: int = 1, **fields: Any) -> dict[str, Any]:
    """As ``/search/issues`` sends it."""
    return {
        "url": f"{API}/repos/octo/tool/issues/{number}",
        "repository_url": f"{API}/repos/octo/tool",
        "html_url": f"https://github.com/octo/Tool/issues/{number}",
        "id": 350800 + number,
        "number": number,
        "title": f"Line {number} is wrong for `List<String>` & co",
        "user": {"login": "ada"},
        "labels": [],
        "state": "open",
        "comments": 15,
        "created_at": TWO_HOURS_AGO,
        "body": "<!-- Please fill\nin -->\n### What happens\nIt **stops**.",
        "reactions": {"url": "…", "total_count": 7, "+1": 5},
        "score": 1.0,
        **fields,
    }


def release(number: int = 1, **fields: Any) -> dict[str, Any]:
    """As ``/repos/{owner}/{repo}/releases`` sends it."""
    return {
        "url": f"{API}/repos/python/cpython/releases/{number}",
        "html_url": f"https://github.com/Python/CPython/releases/tag/v1.{number}",
        "id": 9000 + number,
        "tag_name": f"v1.{number}",
        "name": f"The calm one (v1.{number})",
        "draft": False,
        "prerelease": False,
        "created_at": TWO_HOURS_AGO,
        "published_at": TWO_HOURS_AGO,
        "author": {"login": "guido"},
        "body": "Faster start, fewer surprises.",
        "reactions": {"total_count": 4},
        **fields,
    }


def searching(*items: Any, **more: Any) -> FakeFetch:
    return FakeFetch(
        lambda _: answer({"total_count": len(items), "incomplete_results": False, "items": list(items), **more})
    )


def releasing(*releases: Any) -> FakeFetch:
    return FakeFetch(lambda _: answer(list(releases)))


def failing(error: SourceError) -> FakeFetch:
    return FakeFetch(lambda _: error)


def said(kind: Callable[..., BadStatus], code: int, message: str, **more: Any) -> BadStatus:
    """A refusal as GitHub words it."""
    body = json.dumps({"message": message, "documentation_url": "https://docs.github.com/rest"}).encode()
    return kind("no", status=code, body=body, **more)


async def look(fetch: FakeFetch, query: str | None = None, token: str = "", **more: Any) -> Scan:
    return await source(token).scan(question(query, **more), fetch)


async def only_signal(fetch: FakeFetch, **options: str) -> Signal:
    (signal,) = (await look(fetch, options=options)).signals
    return signal


@pytest.mark.parametrize(
    ("query", "options", "path", "asked"),
    [
        (None, {}, "repositories", "created:>=2026-11-19T12:00:00Z"),
        ("rust  web", {}, "repositories", "rust web created:>=2026-11-19T12:00:00Z"),
        ("c++ or C# & .net", {}, "repositories", "c++ or C# .net created:>=2026-11-19T12:00:00Z"),
        (
            'user:x "a b" -c NOT d (e)',
            {},
            "repositories",
            "user x a b c d e created:>=2026-11-19T12:00:00Z",
        ),
        ("?!", {"kind": "issues"}, "issues", "is:issue created:>=2026-11-19T12:00:00Z"),
        (
            "crash",
            {"kind": "issues", "repo": "a/b+c/d"},
            "issues",
            "crash repo:a/b repo:c/d is:issue created:>=2026-11-19T12:00:00Z",
        ),
        ("w" * 500, {}, "repositories", f"{'w' * 200} created:>=2026-11-19T12:00:00Z"),
    ],
)
async def test_what_is_searched_for(query: str | None, options: dict[str, str], path: str, asked: str) -> None:
    fetch = searching()
    await look(fetch, query, options=options)
    (request,) = fetch.sent
    assert request.url == f"{API}/search/{path}"
    assert request.params["q"] == asked
    assert request.params["sort"] == ("stars" if path == "repositories" else "interactions")
    assert request.headers["X-GitHub-Api-Version"]
    assert request.credentials == {}


@pytest.mark.parametrize(("limit", "asked"), [(10, "30"), (50, "50"), (500, "100")])
async def test_one_page_is_asked_for(limit: int, asked: str) -> None:
    fetch = searching()
    await look(fetch, limit=limit)
    assert [request.params["per_page"] for request in fetch.sent] == [asked]


async def test_a_repository_becomes_a_signal() -> None:
    signal = await only_signal(searching(repository()))
    assert signal.id == "github:repository:1296001"
    assert signal.title == "octo/Tool-1: A tool that does one thing"
    assert signal.url == "https://github.com/octo/Tool-1"
    assert (signal.origin, signal.author) == ("Rust", "octo")
    assert signal.timestamp == NOW - timedelta(hours=2)
    engagement = signal.engagement
    assert (engagement.points, engagement.comments, engagement.shares, engagement.views) == (80, None, 9, None)


async def test_a_repository_without_a_description_is_its_name() -> None:
    signal = await only_signal(searching(repository(description=None, language=None, owner=None)))
    assert (signal.title, signal.origin, signal.author) == ("octo/Tool-1", None, None)


async def test_an_issue_becomes_a_signal() -> None:
    signal = await only_signal(searching(issue()), kind="issues")
    assert signal.id == "github:issue:350801"
    assert signal.title == "Line 1 is wrong for `List<String>` & co"
    assert signal.url == "https://github.com/octo/Tool/issues/1"
    assert (signal.origin, signal.author) == ("octo/Tool", "ada")
    assert signal.excerpt == "### What happens It **stops**."
    assert (signal.engagement.points, signal.engagement.comments) == (7, 15)


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        (None, None),
        ("<!-- all of it", None),
        ("`Vec<T>` & more", "`Vec<T>` & more"),
        ("<details>Log &amp; <b>trace</b></details>", "Log & trace"),
    ],
)
async def test_of_a_text_no_comments_and_no_markup_are_shown(body: str | None, excerpt: str | None) -> None:
    assert (await only_signal(searching(issue(body=body)), kind="issues")).excerpt == excerpt


async def test_a_release_becomes_a_signal() -> None:
    fetch = releasing(release())
    signal = await only_signal(fetch, repo="python/cpython")
    assert fetch.sent[0].url == f"{API}/repos/python/cpython/releases"
    assert signal.id == "github:release:9001"
    assert signal.title == "Python/CPython The calm one (v1.1)"
    assert signal.url == "https://github.com/Python/CPython/releases/tag/v1.1"
    assert (signal.origin, signal.author) == ("Python/CPython", "guido")
    assert signal.excerpt == "Faster start, fewer surprises."
    assert (signal.engagement.points, signal.engagement.comments) == (4, None)


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"name": None}, "Python/CPython v1.1"),
        ({"name": ""}, "Python/CPython v1.1"),
        ({"name": "V1.1"}, "Python/CPython V1.1"),
        ({"name": "Autumn"}, "Python/CPython v1.1: Autumn"),
        ({"name": "Autumn", "prerelease": True}, "Python/CPython v1.1: Autumn (pre-release)"),
    ],
)
async def test_a_release_is_titled_by_its_repository_tag_and_name(fields: dict[str, Any], title: str) -> None:
    assert (await only_signal(releasing(release(**fields)), repo="python/cpython")).title == title


async def test_releases_are_asked_for_where_a_repository_is_named_and_searched_by_us() -> None:
    fetch = releasing(release(1), release(2, body="Nothing SURPRISES any more"), release(3, body=None))
    scan = await look(fetch, "surprises", options={"repo": "a/b+c/d"})
    assert sorted(request.url for request in fetch.sent) == [f"{API}/repos/a/b/releases", f"{API}/repos/c/d/releases"]
    assert {signal.id for signal in scan.signals} == {"github:release:9001", "github:release:9002"}


async def test_a_repository_that_fails_costs_no_other() -> None:
    def reply(request: Request) -> Answer:
        if "/a/b/" in request.url:
            return said(NotFound, 404, "Not Found")
        return answer([release()])

    scan = await look(FakeFetch(reply), options={"repo": "a/b+c/d"})
    assert len(scan.signals) == 1
    assert scan.partial
    assert scan.note == "GitHub has no a/b that anybody may see. Check the name."
    with pytest.raises(NotFound, match="no a/b"):
        await look(FakeFetch(reply), options={"repo": "a/b"})


async def test_releases_of_nobody_in_particular_ask_whose() -> None:
    fetch = releasing()
    with pytest.raises(SourceError, match="name a repo, as in python/cpython"):
        await look(fetch, options={"kind": "releases"})
    assert fetch.sent == []


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "x"},
        {"full_name": None},
        {"full_name": "\u202e", "description": None},
        {"html_url": "javascript:alert(1)"},
        {"created_at": "yesterday"},
        {"created_at": "2026-11-20T10:00:00"},
        {"created_at": "9999-12-31T23:59:59-23:59"},
        {"created_at": "2020-11-20T10:00:00Z"},
        {"stargazers_count": "many"},
    ],
    ids=str,
)
async def test_an_item_that_cannot_be_used_costs_no_other(fields: dict[str, Any]) -> None:
    scan = await look(searching(repository(1, **fields), repository(2)))
    assert [signal.id[-1] for signal in scan.signals] == ["2"]


@pytest.mark.parametrize("fields", [{"draft": True}, {"published_at": None}, {"tag_name": None}, {"html_url": ""}])
async def test_a_draft_and_what_cannot_be_used_cost_no_other(fields: dict[str, Any]) -> None:
    scan = await look(releasing(release(1, **fields), release(2)), options={"repo": "a/b"})
    assert [signal.id[-1] for signal in scan.signals] == ["2"]


async def test_a_search_that_ran_out_of_time_is_partial_and_says_so() -> None:
    scan = await look(searching(repository(), incomplete_results=True))
    assert scan.partial
    assert "only a part" in scan.note


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (said(AccessDenied, 403, "API rate limit exceeded for 192.0.2.1.", retry_after_s=900.0), 900.0),
        (said(AccessDenied, 403, "You have exceeded a secondary rate limit."), 60.0),
        (said(AccessDenied, 403, "You have exceeded a secondary rate limit.", retry_after_s=30.0), 30.0),
    ],
)
async def test_a_403_for_a_limit_is_a_limit_and_pauses_for_as_long_as_is_asked(
    error: BadStatus, wait_s: float
) -> None:
    fetch = failing(error)
    with pytest.raises(RateLimited, match="With GITHUB_TOKEN set it grants more") as caught:
        await look(fetch)
    assert caught.value.retry_after_s == wait_s
    assert fetch.pauses == [(f"{API}/search/repositories", wait_s)]
    with pytest.raises(RateLimited, match="Ask again in ") as caught:
        await look(failing(error), token="t")
    assert "GITHUB_TOKEN" not in caught.value.sentence


async def test_a_403_that_is_no_limit_is_the_tokens() -> None:
    error = said(AccessDenied, 403, "Resource not accessible by personal access token")
    with pytest.raises(AccessDenied, match="Check what GITHUB_TOKEN may read"):
        await look(failing(error), token="t")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (said(AccessDenied, 401, "Bad credentials"), AccessDenied, "Check GITHUB_TOKEN"),
        (said(BadStatus, 422, "Validation Failed"), BadStatus, "fewer, plain words"),
        (
            said(BadStatus, 422, "The listed users and repositories cannot be searched either because …"),
            BadStatus,
            "no such repository, or it is private",
        ),
    ],
)
async def test_refusals_say_what_to_do(error: BadStatus, kind: type[BadStatus], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        await look(failing(error))
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow", status=429, body=b"<html>Whoa there!</html>"),
        AccessDenied("blocked", status=403, body=b"<html>"),
        UpstreamFailed("unicorn", status=502, body=b"<html>"),
        BadStatus("gone", status=451),
    ],
)
async def test_other_errors_pass(error: BadStatus) -> None:
    with pytest.raises(type(error)) as caught:
        await look(failing(error))
    assert caught.value is error


async def test_a_limit_that_is_used_up_pauses_until_its_epoch() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 42)}
    fetch = FakeFetch(lambda _: answer({"items": []}, headers=headers))
    await look(fetch)
    assert fetch.pauses == [(f"{API}/search/repositories", 42.0)]


def test_searches_are_limited_apart_and_a_token_grants_more() -> None:
    for api_url, host in ((API, "api.github.com"), ("https://ghe.example/api/v3", "ghe.example")):
        few = GitHub(api_url=api_url, token="").spec.limits
        many = GitHub(api_url=api_url, token="t").spec.limits
        for limits in (few, many):
            lane = HostLimiter(limits).lane
            assert lane(f"{api_url}/search/issues").endswith("/search")
            assert lane(f"{api_url}/repos/a/b/releases") == host
        assert all(few[each].interval_s > many[each].interval_s for each in few)


async def test_a_token_is_sent_as_a_credential() -> None:
    fetch = searching()
    await look(fetch, token="t0ken")
    assert dict(fetch.sent[0].credentials) == {"Authorization": "Bearer t0ken"}
    assert source("t").spec.setup == ""
    assert "GITHUB_TOKEN" in source().spec.setup


@pytest.mark.parametrize("body", [b"", b"{", b'{"items": 3}', b"[]", b"null", b'{"items": [{"x": 1}]}', b"\xff\xfe"])
async def test_what_is_not_a_page_of_results_is_one_typed_error(body: bytes) -> None:
    with pytest.raises(UnexpectedContent):
        await look(FakeFetch(lambda _: answer(body)))


async def test_nothing_found_is_an_empty_answer() -> None:
    assert (await look(searching())).signals == ()
    assert (await look(releasing(), options={"repo": "a/b"})).signals == ()


@pytest.mark.parametrize(
    ("name", "typed", "parsed"),
    [
        ("kind", "Repos", "repositories"),
        ("kind", "issue", "issues"),
        ("kind", "release", "releases"),
        ("repo", "Python/CPython", "python/cpython"),
        ("repo", "https://github.com/rust-lang/rust/ python/cpython", "python/cpython+rust-lang/rust"),
        ("repo", "a/b.git, a/b", "a/b"),
    ],
)
def test_options_have_one_spelling(name: str, typed: str, parsed: str) -> None:
    assert source().spec.parse_options({name: typed}) == {name: parsed}


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("kind", "gists", "repositories, issues, releases"),
        ("repo", "python", "owner and name"),
        ("repo", "a/..", "owner and name"),
        ("repo", "a/b/c", "owner and name"),
        ("repo", "a/b?x", "owner and name"),
        ("repo", "a/1+a/2+a/3+a/4+a/5+a/6", "At most 5"),
    ],
)
def test_what_cannot_be_an_option_is_refused_in_words(name: str, typed: str, words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        source().spec.parse_options({name: typed})


async def test_short_and_long_timeframes_say_since_when() -> None:
    fetch = searching()
    await look(fetch, timeframe=Timeframe.HOUR)
    assert fetch.sent[0].params["q"] == "created:>=2026-11-20T11:00:00Z"


@pytest.mark.parametrize(
    ("page", "options"),
    [
        ({"items": [repository(1), repository(2)], "incomplete_results": False}, {}),
        ({"items": [issue(1), issue(2)], "incomplete_results": False}, {"kind": "issues"}),
        ([release(1), release(2)], {"repo": "a/b"}),
    ],
    ids=["repositories", "issues", "releases"],
)
@given(path=PATHS, replacement=ANY_JSON)
async def test_no_payload_raises_anything_but_a_source_error(
    page: Any, options: dict[str, str], path: tuple[int, ...], replacement: Any
) -> None:
    body = json.dumps(mutated(page, path, replacement)).encode()
    with contextlib.suppress(SourceError):
        await look(FakeFetch(lambda _: answer(body)), options=options)
