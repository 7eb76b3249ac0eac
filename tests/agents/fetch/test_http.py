"""The HTTP client: what it refuses, what it survives, and in which words it says so."""

import asyncio
import gzip
import re
import socket
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from agents.errors import (
    AccessDenied,
    AddressRefused,
    AttemptTimeout,
    BadStatus,
    LifecycleError,
    NotFound,
    RateLimited,
    SourceError,
    TooLarge,
    TooManyRedirects,
    UnexpectedContent,
    Unreachable,
    UpstreamFailed,
)
from agents.fetch.addresses import Allowed, parse_allow
from agents.fetch.http import MAX_REDIRECTS, HttpFetch
from agents.fetch.request import FEED, Request
from tests.upstreams import (
    Answer,
    Seen,
    Upstream,
    bomb,
    conditional,
    drip,
    endless,
    hang,
    raw,
    redirect,
    reply,
    reply_html,
    reply_json,
    reset,
    status,
    truncated,
    watched_loop,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RSS = b'<?xml version="1.0"?><rss version="2.0"><channel><title>News</title></channel></rss>'


class Names(AbstractResolver):
    """Resolves the names that it was given, and knows whether it was closed."""

    def __init__(self, names: Mapping[str, list[str]]) -> None:
        self.names = names
        self.asked: list[str] = []
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError(None, "unknown name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.names[host]
        ]

    async def close(self) -> None:
        self.closed = True


NAMES = {
    "news.example": ["127.0.0.1"],
    "other.example": ["127.0.0.1"],
    "mixed.example": ["93.184.215.14", "127.0.0.1"],
    "inside.example": ["10.0.0.5"],
    "empty.example": [],
}


def make_fetch(allow: Allowed, *, total_s: float = 5.0, connect_s: float = 1.0, read_s: float = 1.0) -> HttpFetch:
    return HttpFetch(
        user_agent="test-agent/1.0",
        allow=allow,
        connect_s=connect_s,
        read_s=read_s,
        total_s=total_s,
        resolver=Names(NAMES),
        now=lambda: NOW,
    )


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as running:
        yield running


@pytest.fixture
async def fetch(upstream: Upstream) -> AsyncIterator[HttpFetch]:
    async with make_fetch(parse_allow(upstream.allow)) as running:
        yield running


async def refusal(fetch: HttpFetch, request: Request) -> SourceError:
    """The error; its sentence is one for people and names no address, port or query."""
    with pytest.raises(SourceError) as caught:
        await fetch.get(request)
    sentence = caught.value.sentence
    assert sentence.endswith(".")
    assert sentence[0].isupper() or re.match(r"[a-z]+(\.example)? ", sentence)
    assert not re.search(r"127\.|\d+\.\d+\.\d+|::|secret|\?|Errno|Error", sentence)
    return caught.value


class TestAnswers:
    async def test_an_answer_comes_with_everything_a_source_needs(self, upstream: Upstream, fetch: HttpFetch) -> None:
        headers = {"ETag": '"v1"', "X-RateLimit-Remaining": "9"}
        upstream.on("/new", reply(b'{"a": 1}', "Application/JSON; charset=UTF-8", headers=headers))
        answer = await fetch.get(Request(upstream.url("/new", host="news.example"), params={"q": "rust & go"}))
        assert (answer.status, answer.body, answer.content_type, answer.charset) == (
            200,
            b'{"a": 1}',
            "application/json",
            "utf-8",
        )
        assert answer.headers["etag"] == '"v1"'
        assert answer.headers["x-ratelimit-remaining"] == "9"
        assert answer.url.startswith("http://news.example:")
        assert not answer.not_modified
        assert upstream.requests[0].query == {"q": "rust & go"}

    async def test_a_request_says_who_asks_for_what(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", reply_json({}))
        await fetch.get(Request(upstream.url(), headers={"X-Mine": "yes"}, credentials={"Authorization": "Bearer t"}))
        sent = upstream.requests[0].headers
        assert sent["user-agent"] == "test-agent/1.0"
        assert sent["accept"] == "application/json"
        assert sent["accept-encoding"] == "gzip, deflate"
        assert sent["x-mine"] == "yes"
        assert sent["authorization"] == "Bearer t"

    async def test_headers_that_are_not_utf8_are_made_so(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", raw(b"HTTP/1.1 200 OK\r\nETag: \xff\r\nX: \xc3\xa9\r\nContent-Length: 2\r\n\r\n{}"))
        answer = await fetch.get(Request(upstream.url()))
        assert (answer.headers["etag"], answer.headers["x"]) == ("\ufffd", "é")

    async def test_a_form_is_posted(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/token", reply_json({}))
        await fetch.get(Request(upstream.url("/token"), method="POST", form={"grant_type": "client_credentials"}))
        assert upstream.requests[0].method == "POST"
        assert upstream.requests[0].body == b"grant_type=client_credentials"
        assert upstream.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"

    async def test_validators_are_sent_and_a_304_comes_back(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/feed", conditional(RSS, '"v1"'))
        first = await fetch.get(Request(upstream.url("/feed"), accept=FEED))
        again = await fetch.get(
            Request(
                upstream.url("/feed"),
                accept=FEED,
                etag=first.headers["etag"],
                last_modified="Sun, 01 Mar 2026 00:00:00 GMT",
            )
        )
        assert again.not_modified
        assert again.body == b""
        assert upstream.requests[1].headers["if-modified-since"] == "Sun, 01 Mar 2026 00:00:00 GMT"

    async def test_a_304_that_nobody_asked_for_is_no_answer(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", reply(b"", None, status=304))
        assert isinstance(await refusal(fetch, Request(upstream.url())), BadStatus)

    async def test_cookies_are_not_kept(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", reply_json({}, headers={"Set-Cookie": "session=1; Path=/"}))
        for _ in range(2):
            await fetch.get(Request(upstream.url("/", host="news.example")))
        assert "cookie" not in upstream.requests[1].headers

    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
    async def test_the_environments_proxy_is_not_used(
        self, upstream: Upstream, fetch: HttpFetch, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
        upstream.on("/", reply_json({}))
        assert (await fetch.get(Request(upstream.url()))).status == 200


class TestGuard:
    """Nothing that is not public is ever connected to."""

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "0.0.0.0",
            "0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[2002:7f00:1::]",
            "１２７.０.０.１",
            "localhost",
            "localhost.",
            "news.example",
            "mixed.example",
            "inside.example",
            "169.254.169.254",
            "10.0.0.5",
            "[fe80::1]",
            "[fd00:ec2::254]",
        ],
    )
    async def test_refused_before_a_connection(
        self, upstream: Upstream, host: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The port is an allowed one, so that nothing but the address can be the reason.
        monkeypatch.setattr("agents.fetch.addresses.PORTS", frozenset({upstream.port}))
        fetch = HttpFetch(
            user_agent="t", resolver=Names({**NAMES, "localhost": ["127.0.0.1", "::1"], "localhost.": ["127.0.0.1"]})
        )
        async with fetch:
            error = await refusal(fetch, Request(upstream.url(host=host)))
        assert type(error) is AddressRefused
        assert not error.retryable
        assert upstream.connections == 0

    @pytest.mark.parametrize(
        "target",
        [
            "http://127.0.0.1:{other}/",
            "http://0x7f.1:{other}/",
            "http://inside.example:{port}/",
            "http://mixed.example:{port}/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::1]/",
            "//10.0.0.1/",
            "file:///etc/passwd",
            "ftp://news.example/",
            "http://user:secret@news.example/",
            "http://[",
            "http://news.example:22/",
        ],
    )
    async def test_redirects_are_checked_like_any_address(
        self, upstream: Upstream, fetch: HttpFetch, target: str
    ) -> None:
        async with Upstream() as other:
            upstream.on("/", redirect(target.format(port=upstream.port, other=other.port)))
            error = await refusal(fetch, Request(upstream.url()))
            assert type(error) is AddressRefused
            assert upstream.connections == 1
            assert other.connections == 0

    async def test_the_connection_is_guarded_even_if_the_resolver_changes_its_mind(
        self, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A resolver's check alone is not trusted: the socket is refused by its own address."""
        fetch = HttpFetch(user_agent="t", resolver=Names(NAMES))
        monkeypatch.setattr("agents.fetch.addresses.PORTS", frozenset({upstream.port}))
        checked: list[str] = []

        class Lax:
            """Lets everything through when resolved."""

            def __init__(self, inner: AbstractResolver, _allow: Allowed) -> None:
                self.inner = inner

            async def resolve(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
                checked.append(host)
                return await self.inner.resolve(host, port, family)

        monkeypatch.setattr("agents.fetch.http._GuardedResolver", Lax)
        async with fetch:
            for name in ("news.example", "inside.example"):
                error = await refusal(fetch, Request(upstream.url(host=name)))
                assert type(error) is AddressRefused
        assert checked == ["news.example", "inside.example"]
        assert upstream.connections == 0

    @pytest.mark.parametrize(
        ("found", "tried"),
        [
            (["127.0.0.1", "::1", "127.0.0.2"], []),
            (["127.0.0.1", "93.184.215.14"], ["93.184.215.14"]),
            (["93.184.215.14", "::ffff:10.0.0.1", "127.0.0.1"], ["93.184.215.14"]),
        ],
    )
    async def test_of_a_mixed_name_only_the_public_address_could_ever_be_connected_to(
        self, found: list[str], tried: list[str], upstream: Upstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The resolver has let all through. Several go another way of the connector's, which races them."""
        fetch = HttpFetch(user_agent="t", resolver=Names({"mixed.example": found}))
        monkeypatch.setattr("agents.fetch.addresses.PORTS", frozenset({upstream.port}))
        monkeypatch.setattr("agents.fetch.http._GuardedResolver", lambda inner, _allow: inner)
        connected: list[str] = []

        async def nowhere(_socket: socket.socket, address: tuple[str, int]) -> None:
            connected.append(address[0])
            raise ConnectionRefusedError

        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", nowhere)
        async with fetch:
            error = await refusal(fetch, Request(upstream.url(host="mixed.example")))
        assert type(error) in {AddressRefused, Unreachable}
        assert sorted(set(connected)) == tried
        assert upstream.connections == 0

    async def test_only_the_exact_pair_is_exempt(self, upstream: Upstream, fetch: HttpFetch) -> None:
        async with Upstream() as other:
            error = await refusal(fetch, Request(other.url()))
        assert type(error) is AddressRefused
        assert other.connections == 0

    @pytest.mark.parametrize(
        "url",
        ["", "feed", "http://", "http://[", "http://a b/", "http://news.example:x/", "http://" + "a" * 70 + "/"],
    )
    async def test_what_is_no_address_is_never_a_raw_error(self, fetch: HttpFetch, url: str) -> None:
        assert isinstance(await refusal(fetch, Request(url)), AddressRefused | Unreachable)


class TestRedirects:
    async def test_are_followed_and_the_last_address_is_told(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/old", redirect("new?a=%2B1", 301))
        upstream.on("/new", reply_json({}))
        answer = await fetch.get(Request(upstream.url("/old"), params={"token": "secret"}))
        assert answer.url == upstream.url("/new?a=%2B1")
        assert upstream.seen("/new")[0].query == {"a": "+1"}

    async def test_come_to_an_end(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", redirect("/"))
        assert isinstance(await refusal(fetch, Request(upstream.url())), TooManyRedirects)
        assert len(upstream.requests) == MAX_REDIRECTS + 1

    async def test_as_many_as_allowed_are_fine(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", *[redirect("/")] * MAX_REDIRECTS, reply_json({}))
        assert (await fetch.get(Request(upstream.url()))).status == 200

    async def test_credentials_stay_with_the_host_they_were_meant_for(self, upstream: Upstream) -> None:
        async with Upstream() as other:
            upstream.on("/", redirect("/same"))
            upstream.on("/same", redirect(other.url("/", host="other.example")))
            other.on("/", redirect(upstream.url("/back", host="news.example")))
            upstream.on("/back", reply_json({}))
            async with make_fetch(parse_allow(f"{upstream.allow},{other.allow}")) as fetch:
                credentials = {"Authorization": "Bearer secret", "X-Api-Key": "secret"}
                await fetch.get(Request(upstream.url("/", host="news.example"), credentials=credentials))
            sent = {seen.path: "authorization" in seen.headers for seen in upstream.requests}
            assert sent == {"/": True, "/same": True, "/back": False}
            assert not {"authorization", "x-api-key"} & set(other.requests[0].headers)

    async def test_another_port_or_name_is_another_host(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", redirect(upstream.url("/elsewhere", host="other.example")))
        upstream.on("/elsewhere", reply_json({}))
        await fetch.get(Request(upstream.url("/", host="news.example"), credentials={"Authorization": "secret"}))
        assert "authorization" not in upstream.seen("/elsewhere")[0].headers

    @pytest.mark.parametrize("code", [301, 302, 307, 308])
    async def test_a_post_is_not_redirected(self, upstream: Upstream, fetch: HttpFetch, code: int) -> None:
        upstream.on("/", redirect("/other", code))
        request = Request(upstream.url(), method="POST", form={"a": "b"})
        assert isinstance(await refusal(fetch, request), BadStatus)
        assert len(upstream.requests) == 1

    async def test_one_that_leads_nowhere_is_no_answer(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", status(302))
        assert isinstance(await refusal(fetch, Request(upstream.url())), BadStatus)


class TestStatuses:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (400, BadStatus),
            (401, AccessDenied),
            (403, AccessDenied),
            (404, NotFound),
            (410, NotFound),
            (418, BadStatus),
            (429, RateLimited),
            (500, UpstreamFailed),
            (502, UpstreamFailed),
            (503, UpstreamFailed),
            (599, UpstreamFailed),
        ],
    )
    async def test_each_becomes_its_error(
        self, upstream: Upstream, fetch: HttpFetch, code: int, kind: type[BadStatus]
    ) -> None:
        upstream.on("/", status(code))
        error = await refusal(fetch, Request(upstream.url("/?token=secret", host="news.example")))
        assert type(error) is kind
        assert isinstance(error, BadStatus)
        assert error.status == code
        assert error.sentence.startswith("news.example ")
        assert f"({code})" in error.sentence
        assert re.search(r"Ask again in a few minutes|ask again later|Check the address|Try other", error.sentence)

    async def test_a_403_page_is_a_refusal(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", reply_html(status=403))
        assert isinstance(await refusal(fetch, Request(upstream.url())), AccessDenied)

    @pytest.mark.parametrize("code", [429, 503])
    @pytest.mark.parametrize("header", ["90", format_datetime(NOW + timedelta(seconds=90), usegmt=True)])
    async def test_retry_after_is_told(self, upstream: Upstream, fetch: HttpFetch, code: int, header: str) -> None:
        upstream.on("/", status(code, Retry_After=header))
        error = await refusal(fetch, Request(upstream.url()))
        assert error.retryable
        assert error.retry_after_s == 90
        assert error.sentence.endswith(" Ask again in 90 s.")

    async def test_without_it_a_reset_header_says_how_long(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", status(429, X_RateLimit_Reset="40"), status(429, Retry_After="5", X_RateLimit_Reset="40"))
        assert (await refusal(fetch, Request(upstream.url()))).retry_after_s == 40
        assert (await refusal(fetch, Request(upstream.url()))).retry_after_s == 5

    async def test_a_403_with_nothing_left_until_a_reset_says_how_long(
        self, upstream: Upstream, fetch: HttpFetch
    ) -> None:
        used_up = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(int(NOW.timestamp()) + 40)}
        upstream.on("/", status(403, **used_up), status(403, Retry_After="5", **used_up), status(403))
        waits = [(await refusal(fetch, Request(upstream.url()))).retry_after_s for _ in range(3)]
        assert waits == [40, 5, None]

    async def test_without_any_header_it_is_as_long_as_the_source_says_for_that_status(
        self, upstream: Upstream, fetch: HttpFetch
    ) -> None:
        upstream.on("/", status(503), status(503, Retry_After="5"), status(429), status(500))
        request = Request(upstream.url(), waits_s={429: 60.0, 503: 90.0})
        assert [(await refusal(fetch, request)).retry_after_s for _ in range(4)] == [90, 5, 60, None]


class TestErrorBodies:
    """What is wrong often stands in the body of an error only."""

    @staticmethod
    async def body_of(fetch: HttpFetch, upstream: Upstream) -> bytes:
        error = await refusal(fetch, Request(upstream.url(), read_errors=True))
        assert isinstance(error, BadStatus)
        return error.body

    @pytest.mark.parametrize("code", [400, 403, 404, 422, 429, 500])
    async def test_they_are_kept_where_they_are_asked_for(
        self, upstream: Upstream, fetch: HttpFetch, code: int
    ) -> None:
        upstream.on("/", reply_json({"error": "why"}, status=code))
        assert await self.body_of(fetch, upstream) == b'{"error": "why"}'
        error = await refusal(fetch, Request(upstream.url()))
        assert isinstance(error, BadStatus)
        assert (error.status, error.body) == (code, b"")

    async def test_only_their_beginning_is_and_it_is_inflated(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", reply(gzip.compress(b"x" * 1_000_000), headers={"Content-Encoding": "gzip"}, status=400))
        assert await self.body_of(fetch, upstream) == b"x" * 4_000

    @pytest.mark.parametrize(
        "answer",
        [
            reply(b"{}", status=404, headers={"Content-Encoding": "br"}),
            reply(b"no gzip", status=404, headers={"Content-Encoding": "gzip"}),
            reply(b"{", status=404, headers={"Content-Length": "100"}),
            reset(after=b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n"),
        ],
    )
    async def test_what_cannot_be_read_changes_nothing(
        self, upstream: Upstream, fetch: HttpFetch, answer: Answer
    ) -> None:
        upstream.on("/", answer)
        error = await refusal(fetch, Request(upstream.url(), read_errors=True))
        assert isinstance(error, NotFound)

    async def test_what_does_not_end_changes_nothing_either(
        self, upstream: Upstream, fetch: HttpFetch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("agents.fetch.http._ERROR_BODY_S", 0.02)
        upstream.on("/", reset_after_a_minute)
        error = await refusal(fetch, Request(upstream.url(), read_errors=True))
        assert isinstance(error, NotFound)
        assert error.body == b"{"


async def reset_after_a_minute(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(60)


class TestContent:
    async def test_html_for_json_is_a_block_page(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", reply_html())
        error = await refusal(fetch, Request(upstream.url(host="news.example")))
        assert isinstance(error, UnexpectedContent)
        assert error.sentence.startswith(
            "news.example answered with a web page, which looks like a block or a login page. Ask again"
        )

    @pytest.mark.parametrize("kind", ["image/png", "application/pdf", "text/plain", "application/xml", "nonsense"])
    async def test_another_kind_is_refused_before_its_body_is_read(
        self, upstream: Upstream, fetch: HttpFetch, kind: str
    ) -> None:
        upstream.on("/", endless(content_type=kind))
        assert isinstance(await refusal(fetch, Request(upstream.url())), UnexpectedContent)

    @pytest.mark.parametrize("kind", ["application/vnd.api+json", "application/feed+json", "application/json", None])
    async def test_json_by_any_of_its_names(self, upstream: Upstream, fetch: HttpFetch, kind: str | None) -> None:
        upstream.on("/", reply(b"{}", kind))
        assert (await fetch.get(Request(upstream.url()))).body == b"{}"

    @pytest.mark.parametrize("kind", ["application/json", "application/xml", "application/rss+xml", None])
    @pytest.mark.parametrize(
        "page", [b"<!doctype HTML>", b"\n <html lang=en>", b"<!-- x --> <html>", b"\xef\xbb\xbf<html>"]
    )
    async def test_a_web_page_under_another_name(
        self, upstream: Upstream, fetch: HttpFetch, kind: str | None, page: bytes
    ) -> None:
        upstream.on("/", reply(page + b" ... ", kind))
        error = await refusal(fetch, Request(upstream.url(), accept=FEED))
        assert "block or a login page" in error.sentence

    @pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/octet-stream", None, "text/xml"])
    @pytest.mark.parametrize(
        "feed",
        [
            RSS,
            b"\xef\xbb\xbf" + RSS,
            b"\n<!-- made by hand --><rss>" + b"x" * 2_000 + b"</rss>",
            b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><content>&lt;html&gt;<html></content></entry></feed>',
            b'<?xml version="1.0"?><?xml-stylesheet href="a.xsl"?><rdf:RDF></rdf:RDF>',
            '<?xml version="1.0" encoding="utf-16"?><rss></rss>'.encode("utf-16"),
            b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"content_html": "<html>"}]}',
        ],
    )
    async def test_a_feed_under_another_name(
        self, upstream: Upstream, fetch: HttpFetch, kind: str | None, feed: bytes
    ) -> None:
        upstream.on("/", reply(feed, kind))
        assert (await fetch.get(Request(upstream.url(), accept=FEED))).body == feed

    @pytest.mark.parametrize("kind", ["text/html", "text/plain"])
    @pytest.mark.parametrize(
        "body",
        [b"", b"hello", b'<?xml version="1.0"?><!DOCTYPE html><html></html>', b"<div>hello</div>", b"/etc/passwd"],
    )
    async def test_what_is_no_feed(self, upstream: Upstream, fetch: HttpFetch, kind: str, body: bytes) -> None:
        upstream.on("/", reply(body, kind))
        assert isinstance(await refusal(fetch, Request(upstream.url(), accept=FEED)), UnexpectedContent)

    async def test_an_endless_page_is_known_by_its_beginning(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", endless(b"<html>" + b" " * 60_000, content_type="text/html"))
        error = await refusal(fetch, Request(upstream.url(), accept=FEED))
        assert "web page" in error.sentence

    async def test_html_may_be_asked_for(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", reply_html())
        assert b"Log in" in (await fetch.get(Request(upstream.url(), accept=("text/html",)))).body


def _deflated(body: bytes, wbits: int) -> bytes:
    deflate = zlib.compressobj(wbits=wbits)
    return deflate.compress(body) + deflate.flush()


class TestBodies:
    @pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 131_072, 1_000_000])
    @pytest.mark.parametrize(
        "encoding", ["identity", "gzip", "x-gzip", "GZIP", "deflate", "bare deflate", "members", ""]
    )
    async def test_every_encoding_that_was_asked_for(
        self, upstream: Upstream, fetch: HttpFetch, size: int, encoding: str
    ) -> None:
        body = (b'{"key": "value of some length"}, ' * (size // 30 + 1))[:size]
        packed = {
            "deflate": lambda: zlib.compress(body),
            "bare deflate": lambda: _deflated(body, -zlib.MAX_WBITS),
            "members": lambda: gzip.compress(body[: size // 3]) + gzip.compress(body[size // 3 :]),
            "identity": lambda: body,
            "": lambda: body,
        }.get(encoding, lambda: gzip.compress(body))()
        name = {"bare deflate": "deflate", "members": "gzip"}.get(encoding, encoding)
        upstream.on("/", reply(packed, headers={"Content-Encoding": name}))
        assert (await fetch.get(Request(upstream.url()))).body == body

    @pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "x"])
    async def test_one_that_was_not_is_refused(self, upstream: Upstream, fetch: HttpFetch, encoding: str) -> None:
        upstream.on("/", reply(b"{}", headers={"Content-Encoding": encoding}))
        assert isinstance(await refusal(fetch, Request(upstream.url())), UnexpectedContent)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    async def test_garbage_instead_of_compressed_bytes(
        self, upstream: Upstream, fetch: HttpFetch, encoding: str
    ) -> None:
        upstream.on("/", reply(b"\xff\xff not compressed at all", headers={"Content-Encoding": encoding}))
        assert isinstance(await refusal(fetch, Request(upstream.url())), UnexpectedContent)

    async def test_a_compressed_body_that_breaks_off(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", reply(gzip.compress(b"[1, 2, 3]" * 100)[:-12], headers={"Content-Encoding": "gzip"}))
        assert isinstance(await refusal(fetch, Request(upstream.url())), Unreachable)

    @pytest.mark.parametrize("size", [1_000, 1_001])
    async def test_the_cap_is_exact(self, upstream: Upstream, fetch: HttpFetch, size: int) -> None:
        for answer in (reply(b" " * size), reply(gzip.compress(b" " * size), headers={"Content-Encoding": "gzip"})):
            upstream.on("/", answer)
            request = Request(upstream.url(), max_bytes=1_000)
            if size <= 1_000:
                assert len((await fetch.get(request)).body) == size
            else:
                assert isinstance(await refusal(fetch, request), TooLarge)

    @pytest.mark.parametrize("hostile", [bomb(), endless()], ids=["1 GB of gzip in 1 MB", "endless"])
    async def test_a_bomb_costs_neither_memory_nor_time(
        self, upstream: Upstream, fetch: HttpFetch, hostile: Answer
    ) -> None:
        upstream.on("/", hostile)
        request = Request(upstream.url())
        tracemalloc.start()
        try:
            async with watched_loop() as stall:
                error = await refusal(fetch, request)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert isinstance(error, TooLarge)
        assert "2 MB" in error.sentence
        assert peak_bytes < 50_000_000
        assert stall.longest_s < 0.25

    async def test_a_bomb_under_a_generous_cap_does_not_stall_the_loop(
        self, upstream: Upstream, fetch: HttpFetch
    ) -> None:
        upstream.on("/", bomb())
        async with watched_loop() as stall:
            await refusal(fetch, Request(upstream.url(), max_bytes=40_000_000))
        assert stall.longest_s < 0.25

    async def test_thousands_of_tiny_members_do_not_stall_the_loop(
        self, upstream: Upstream, fetch: HttpFetch
    ) -> None:
        upstream.on("/", reply(gzip.compress(b"") * 20_000, headers={"Content-Encoding": "gzip"}))
        async with watched_loop() as stall:
            assert (await fetch.get(Request(upstream.url()))).body == b""
        assert stall.longest_s < 0.25


class TestBrokenConnections:
    @pytest.mark.parametrize(
        "answer",
        [
            truncated(b'{"a": 1}'),
            reset(),
            reset(after=b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"),
            raw(b""),
            raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
        ],
        ids=["truncated", "reset", "reset in the body", "closed", "chunk cut off"],
    )
    async def test_a_broken_connection_is_worth_another_try(
        self, upstream: Upstream, fetch: HttpFetch, answer: Answer
    ) -> None:
        upstream.on("/", answer)
        error = await refusal(fetch, Request(upstream.url(host="news.example")))
        assert isinstance(error, Unreachable)
        assert error.retryable
        assert error.__cause__ is not None

    @pytest.mark.parametrize(
        "data",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ],
    )
    async def test_what_is_not_http(self, upstream: Upstream, fetch: HttpFetch, data: bytes) -> None:
        upstream.on("/", raw(data))
        assert isinstance(await refusal(fetch, Request(upstream.url())), UnexpectedContent | Unreachable)

    async def test_a_closed_port(self) -> None:
        async with Upstream() as gone:
            pass
        async with make_fetch(parse_allow(gone.allow)) as fetch:
            assert isinstance(await refusal(fetch, Request(gone.url())), Unreachable)

    async def test_a_name_that_leads_nowhere(self, fetch: HttpFetch) -> None:
        for host in ("unknown.example", "empty.example"):
            with pytest.raises(Unreachable, match=rf"^{host} could not be found"):
                await fetch.get(Request(f"http://{host}/"))

    async def test_a_server_without_encryption_behind_https(self) -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with make_fetch(parse_allow(f"127.0.0.1:{port}")) as fetch:
                error = await refusal(fetch, Request(f"https://news.example:{port}/"))
        assert isinstance(error, Unreachable)
        assert "certificate or encryption" in error.sentence

    async def test_one_that_never_answers(self, upstream: Upstream) -> None:
        upstream.on("/", hang())
        async with make_fetch(parse_allow(upstream.allow), read_s=0.05) as fetch:
            error = await refusal(fetch, Request(upstream.url()))
        assert isinstance(error, AttemptTimeout)
        assert "too long" in error.sentence

    async def test_one_that_drips_is_stopped_by_the_total_time(self, upstream: Upstream) -> None:
        upstream.on("/", drip(b" " * 1_000, every_s=0.01))
        async with make_fetch(parse_allow(upstream.allow), total_s=0.1) as fetch:
            assert isinstance(await refusal(fetch, Request(upstream.url())), AttemptTimeout)

    async def test_redirects_do_not_buy_more_time(self, upstream: Upstream) -> None:
        async def slow(seen: object, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.04)
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

        upstream.on("/", slow)
        async with make_fetch(parse_allow(upstream.allow), total_s=0.1) as fetch:
            assert isinstance(await refusal(fetch, Request(upstream.url())), AttemptTimeout)

    async def test_a_failure_harms_nobody_else(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/bad", reset())
        upstream.on("/good", reply_json({}))
        async with asyncio.TaskGroup() as group:
            good = [group.create_task(fetch.get(Request(upstream.url("/good")))) for _ in range(5)]
            bad = [group.create_task(refusal(fetch, Request(upstream.url("/bad")))) for _ in range(5)]
        assert all(task.result().status == 200 for task in good)
        assert all(isinstance(task.result(), Unreachable) for task in bad)


class TestLifeCycle:
    async def test_cancellation_passes_and_leaves_a_working_client(
        self, upstream: Upstream, fetch: HttpFetch
    ) -> None:
        upstream.on("/hang", hang())
        upstream.on("/good", reply_json({}))
        task = asyncio.create_task(fetch.get(Request(upstream.url("/hang"))))
        while not upstream.requests:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await fetch.get(Request(upstream.url("/good")))).status == 200

    async def test_the_callers_deadline_is_not_mistaken_for_our_own(
        self, upstream: Upstream, fetch: HttpFetch
    ) -> None:
        upstream.on("/", hang())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await fetch.get(Request(upstream.url()))

    async def test_closing_twice_is_harmless_and_leaves_nothing(self, upstream: Upstream) -> None:
        upstream.on("/", reply_json({}))
        before = asyncio.all_tasks()
        names = Names(NAMES)
        fetch = HttpFetch(user_agent="t", allow=parse_allow(upstream.allow), resolver=names)
        async with fetch:
            await fetch.get(Request(upstream.url(host="news.example")))
        await fetch.close()
        assert not names.closed, "the resolver stays the caller's"
        assert {task for task in asyncio.all_tasks() - before if "_serve" not in repr(task)} == set()

    async def test_needs_no_resolver_to_be_given(self, upstream: Upstream) -> None:
        upstream.on("/", reply_json({}))
        async with HttpFetch(user_agent="t", allow=parse_allow(upstream.allow)) as fetch:
            assert (await fetch.get(Request(upstream.url()))).status == 200
            with pytest.raises(AddressRefused):
                await fetch.get(Request("http://localhost/"))

    async def test_used_before_it_is_opened_or_after_it_is_closed(self, upstream: Upstream) -> None:
        fetch = make_fetch(parse_allow(upstream.allow))
        with pytest.raises(LifecycleError):
            await fetch.get(Request(upstream.url()))
        async with fetch:
            pass
        with pytest.raises(LifecycleError):
            await fetch.get(Request(upstream.url()))

    async def test_pause_is_left_to_whoever_keeps_the_limits(self, upstream: Upstream, fetch: HttpFetch) -> None:
        upstream.on("/", reply_json({}))
        fetch.pause(upstream.url(), 60)
        assert (await fetch.get(Request(upstream.url()))).status == 200
