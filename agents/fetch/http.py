"""``Fetch`` over HTTP: one aiohttp session, an address guard on every hop, bounded bodies, errors in words."""

import asyncio
import re
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

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
from agents.events import utc_now
from agents.fetch.addresses import Allowed, check_address, check_url, site_name
from agents.fetch.encoding import ACCEPTED, Inflater
from agents.fetch.request import Request, Response
from agents.fetch.waits import reset_s, retry_after_s, spoken, used_up_s

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOR_GOOD = frozenset({301, 308})
_BEGINNING_BYTES = 1_024
_ERROR_BODY_BYTES = 4_000
_ERROR_BODY_S = 2.0
_HTML_START = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_ROOT = re.compile(rb"<(?:(rss|feed|rdf:rdf)|!doctype\s+html|html)\b", re.IGNORECASE)
_AGAIN = "Ask again in a few minutes."
_FEED_START = re.compile(rb"\s*(?:<\?xml|<!--|<!doctype|<rss\b|<feed\b|<rdf:rdf\b)", re.IGNORECASE)
_VAGUE_TYPES = frozenset({"", "text/html", "text/plain", "application/octet-stream"})
"""What feeds are mislabelled as."""


class HttpFetch:
    """Reaches upstreams, without limits or retries of its own; used as an async context manager, by any tasks.

    ``allow``: pairs of address and port that are exempt from the guard. ``connect_s`` is granted to each
    connection, ``read_s`` to each wait for more bytes, ``total_s`` to one ``get`` with its redirects and its body.
    ``resolver`` stays the caller's to close. No cookie is ever kept, and no proxy or netrc file is heeded.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allow: Allowed = frozenset(),
        connect_s: float = 5.0,
        read_s: float = 10.0,
        total_s: float = 20.0,
        resolver: AbstractResolver | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._user_agent = user_agent
        self._allow = allow
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=read_s)
        self._total_s = total_s
        self._resolver = resolver
        self._now = now
        self._session: aiohttp.ClientSession | None = None
        self._own_resolver: AbstractResolver | None = None

    async def __aenter__(self) -> Self:
        resolver = self._resolver
        if resolver is None:
            resolver = self._own_resolver = aiohttp.DefaultResolver()
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(resolver, self._allow),
            socket_factory=self._open_socket,
            use_dns_cache=False,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": ACCEPTED},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; harmless when already closed."""
        if self._session is not None:
            await self._session.close()
        if self._own_resolver is not None:
            await self._own_resolver.close()
            self._own_resolver = None

    def pause(self, url: str, seconds: float) -> None:
        """Nothing: whoever keeps the limits of hosts wraps this and does the waiting."""

    async def get(self, request: Request) -> Response:
        """See ``Fetch``. A GET follows at most ``MAX_REDIRECTS`` redirects, a POST none."""
        url = check_url(request.url, self._allow, request.params)
        site = site_name(url)
        try:
            async with asyncio.timeout(self._total_s):
                return await self._follow(request, url)
        except TimeoutError as error:
            raise AttemptTimeout(f"{site} took too long to answer. {_AGAIN}") from error
        except aiohttp.InvalidURL as error:
            raise AddressRefused("That is not a web address that can be asked.") from error
        except aiohttp.ClientResponseError as error:
            raise UnexpectedContent(f"{site} answered with something that is not proper HTTP. {_AGAIN}") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _RefusedSocket):
                raise AddressRefused(error.os_error.sentence) from error
            raise Unreachable(_no_connection(site, error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{site} broke off the connection before the answer was whole. {_AGAIN}") from error

    async def _follow(self, request: Request, url: URL) -> Response:
        origin = url.origin()
        trusted = for_good = True
        moved_to: str | None = None
        for _ in range(MAX_REDIRECTS + 1):
            # Once an answer came from elsewhere, whoever sent us there chooses the rest of the way.
            trusted = trusted and url.origin() == origin
            answer = await self._hop(request, url, with_credentials=trusted)
            if isinstance(answer, Response):
                return replace(answer, moved_to=moved_to)
            url = answer.to
            for_good = for_good and answer.for_good
            moved_to = str(url) if for_good else moved_to
        raise TooManyRedirects(f"{site_name(request.url)} redirects in circles, or too often. Check the address.")

    async def _hop(self, request: Request, url: URL, *, with_credentials: bool) -> "Response | _Redirect":
        """One exchange: the answer, or where it sends us."""
        if self._session is None or self._session.closed:
            raise LifecycleError("The connection to the outside is not open.")
        headers = _headers(request)
        if with_credentials:
            headers.update(request.credentials)
        form = None if request.form is None else dict(request.form)
        async with self._session.request(
            request.method, url, headers=headers, data=form, allow_redirects=False
        ) as response:
            if response.status in _REDIRECTS and request.method == "GET" and "Location" in response.headers:
                return _Redirect(self._next(url, response.headers["Location"]), response.status in _FOR_GOOD)
            if not _is_answer(request, response.status):
                raise self._refusal(request, response, await _error_body(request, response))
            if response.status == 304:
                return _response(response, b"")
            _check_content_type(request, response)
            return _response(response, await _read(request, response))

    def _next(self, url: URL, location: str) -> URL:
        try:
            target = url.join(URL(location))
        except ValueError as error:
            raise AddressRefused(f"{site_name(url)} redirects to what is no web address.") from error
        return check_url(str(target), self._allow)

    def _refusal(self, request: Request, response: aiohttp.ClientResponse, body: bytes) -> BadStatus:
        """What an answer means that is none."""
        status, now = response.status, self._now()
        kind, said = _meaning(status)
        wait_s = retry_after_s(response.headers.get("Retry-After"), now)
        if wait_s is None and status == 429:
            wait_s = reset_s(response.headers, now)
        elif wait_s is None and status == 403:
            # GitHub's way to say "too many": nothing is left until the reset.
            wait_s = used_up_s(response.headers, now) or None
        if wait_s is None:
            wait_s = request.waits_s.get(status)
        sentence = f"{site_name(response.url)} {said} ({status}). {_fix(kind, wait_s)}"
        return kind(sentence, status=status, retry_after_s=wait_s, body=body)

    def _open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """The last check, on the very address that is about to be connected to."""
        family, kind, protocol, _, sockaddr = info
        try:
            check_address(str(sockaddr[0]), int(sockaddr[1]), self._allow)
        except AddressRefused as error:
            raise _RefusedSocket(error.sentence) from error
        return socket.socket(family=family, type=kind, proto=protocol)


@dataclass(frozen=True, slots=True)
class _Redirect:
    to: URL
    """Checked."""
    for_good: bool


class _RefusedSocket(OSError):
    """``AddressRefused`` in the only form that the connector takes for a failed connection."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class _GuardedResolver(AbstractResolver):
    """Refuses a name as soon as one of its addresses is refused: such a name is a trap or the operator's own."""

    def __init__(self, inner: AbstractResolver, allow: Allowed) -> None:
        self._inner = inner
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        try:
            found = await self._inner.resolve(host, port, family)
        except UnicodeError as error:
            # Python's IDNA codec, for labels that are empty or too long.
            raise OSError(None, "not a name that can be resolved") from error
        if not found:
            raise OSError(None, "the name has no address")
        for each in found:
            check_address(each["host"], port, self._allow)
        return found

    async def close(self) -> None:
        await self._inner.close()


def _headers(request: Request) -> dict[str, str]:
    headers = {"Accept": ", ".join(request.accept), **request.headers}
    if request.etag:
        headers["If-None-Match"] = request.etag
    if request.last_modified:
        headers["If-Modified-Since"] = request.last_modified
    return headers


def _no_connection(site: str, error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"{site} could not be found: its name leads nowhere right now. Check the address."
    if isinstance(error, aiohttp.ClientSSLError):
        return f"{site} could not be reached safely: its certificate or encryption is not right. Check the address."
    return f"{site} could not be reached: no connection could be made. {_AGAIN}"


def _response(response: aiohttp.ClientResponse, body: bytes) -> Response:
    return Response(
        status=response.status,
        url=str(response.url),
        headers={name.lower(): _valid_text(value) for name, value in response.headers.items()},
        body=body,
        content_type=_content_type(response.headers),
        charset=response.charset.lower() if response.charset else None,
    )


def _is_answer(request: Request, status: int) -> bool:
    return 200 <= status < 300 or (status == 304 and bool(request.etag or request.last_modified))


def _meaning(status: int) -> tuple[type[BadStatus], str]:
    """The error that a status is, and what it says after the site's name."""
    if status in {401, 403}:
        return AccessDenied, "refuses us access"
    if status in {404, 410}:
        return NotFound, "has no such page"
    if status == 429:
        return RateLimited, "asks us to slow down"
    if status >= 500:
        return UpstreamFailed, "answered with an error of its own"
    return BadStatus, "did not answer the request"


def _fix(kind: type[BadStatus], wait_s: float | None) -> str:
    """What a person can do about it."""
    if wait_s:
        return f"Ask again in {spoken(wait_s)}."
    if kind is AccessDenied:
        return "It may keep programs out; ask again later."
    if kind is NotFound:
        return "Check the address."
    return "Try other words or options." if kind is BadStatus else "Ask again in a few minutes."


async def _error_body(request: Request, response: aiohttp.ClientResponse) -> bytes:
    """Its beginning, where the source wants to read it; as far as it can be read in a moment: the status counts."""
    body = bytearray()
    if request.read_errors:
        with suppress(aiohttp.ClientError, OSError, TimeoutError, zlib.error, SourceError):
            async with asyncio.timeout(_ERROR_BODY_S):
                async for piece in _decoded(response, site_name(response.url)):
                    body += piece
                    if len(body) >= _ERROR_BODY_BYTES:
                        break
    return bytes(body[:_ERROR_BODY_BYTES])


def _valid_text(value: str) -> str:
    """Without the lone surrogates that stand for bytes that are not UTF-8: nothing downstream could encode them."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _check_content_type(request: Request, response: aiohttp.ClientResponse) -> None:
    """Refuse, before the body is read, what cannot be an answer whatever the body says."""
    kind = _content_type(response.headers)
    if _matches(kind, request.accept) or kind == "" or (_may_be_feed(request) and kind in _VAGUE_TYPES):
        return
    site = site_name(response.url)
    if kind in {"text/html", "application/xhtml+xml"}:
        raise UnexpectedContent(_web_page(site))
    raise UnexpectedContent(f"{site} answered with another kind of content than asked for. Check the address.")


def _matches(kind: str, accept: tuple[str, ...]) -> bool:
    if kind in accept or (kind.endswith("+json") and "application/json" in accept):
        return True
    return kind.endswith("+xml") and kind != "application/xhtml+xml" and "application/xml" in accept


def _may_be_feed(request: Request) -> bool:
    return "application/rss+xml" in request.accept


def _web_page(site: str) -> str:
    return f"{site} answered with a web page, which looks like a block or a login page. {_AGAIN}"


async def _read(request: Request, response: aiohttp.ClientResponse) -> bytes:
    """The decoded body, refused as soon as it is too large or begins like something else."""
    site = site_name(response.url)
    body = bytearray()
    checked = False
    try:
        async for piece in _decoded(response, site):
            body += piece
            if len(body) > request.max_bytes:
                allowed = _size(request.max_bytes)
                raise TooLarge(f"{site} answered with more than the {allowed} that are allowed. Try another source.")
            if not checked and len(body) >= _BEGINNING_BYTES:
                _check_beginning(request, response, body[:_BEGINNING_BYTES])
                checked = True
    except zlib.error as error:
        raise UnexpectedContent(f"{site} answered with a body that cannot be decompressed. {_AGAIN}") from error
    if not checked:
        _check_beginning(request, response, body)
    return bytes(body)


async def _decoded(response: aiohttp.ClientResponse, site: str) -> AsyncIterator[bytes]:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    try:
        inflater = Inflater(encoding.removeprefix("x-") or "identity")
    except LookupError as error:
        raise UnexpectedContent(f"{site} answered in a compression that was not asked for.") from error
    async for data in response.content.iter_any():
        for piece in inflater.feed(data):
            yield piece
            # 64 kB of a bomb hold 64 MB: let others have their turn in between.
            await asyncio.sleep(0)
    if not inflater.whole:
        raise Unreachable(f"{site} broke off the connection before the answer was whole. {_AGAIN}")


def _check_beginning(request: Request, response: aiohttp.ClientResponse, start: bytes | bytearray) -> None:
    """Refuse web pages under any label, and feeds under a vague one that do not begin like a feed."""
    if "text/html" in request.accept:
        return
    # Without byte order marks, and with UTF-16 read as if it were ASCII.
    text = bytes(start).removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"").lstrip(b"\xff\xfe")
    site = site_name(response.url)
    if _HTML_START.match(text):
        raise UnexpectedContent(_web_page(site))
    if _may_be_feed(request) and _content_type(response.headers) in _VAGUE_TYPES and text.lstrip()[:1] != b"{":
        root = _ROOT.search(text)
        if root is not None and root[1] is None:
            raise UnexpectedContent(_web_page(site))
        if not _FEED_START.match(text):
            raise UnexpectedContent(f"{site} answered with something that is not a feed. Check the address.")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:.3g} MB"
