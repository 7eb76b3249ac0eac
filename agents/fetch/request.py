"""What a source hands to the fetch layer and what it gets back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

JSON = ("application/json",)
FEED = (
    "application/rss+xml",
    "application/atom+xml",
    "application/rdf+xml",
    "application/feed+json",
    "application/json",
    "application/xml",
    "text/xml",
)
"""Content types that a feed may come with; ``text/html`` and ``text/plain`` are decided by the body's beginning."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request of a source."""

    url: str
    """http or https; ``params`` are added to its query."""
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers that prove who we are; never sent to another host than ``url``'s, nor over a weaker scheme."""
    accept: tuple[str, ...] = JSON
    """Content types that are an answer; another one is ``UnexpectedContent``."""
    method: str = "GET"
    form: Mapping[str, str] | None = field(default=None, repr=False)
    """For POST: sent as ``application/x-www-form-urlencoded``."""
    max_bytes: int = 2_000_000
    """Of the decoded body."""
    billed: bool = False
    """Costs money each time: it is sent once, because nobody knows whether a failed attempt was counted."""
    read_errors: bool = False
    """Where the upstream says in the body of an error what is wrong: its beginning becomes ``BadStatus.body``."""
    pause_s: Callable[["Response"], float] | None = None
    """Seconds for which an answer asks that nothing more be sent to its host, by its headers or its body; 0: none.

    Heeded before anybody else gets a turn there. It must not raise.
    """
    waits_s: Mapping[int, float] = field(default_factory=dict)
    """By status: seconds for which an error asks to be left alone although no header of it says so."""
    etag: str | None = None
    last_modified: str | None = None
    """Validators of an earlier answer; a 304 then comes back as ``Response.not_modified``."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with a 2xx status, or 304 when validators were sent; everything else is raised."""

    status: int
    url: str
    """Where it came from in the end, after redirects."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    content_type: str
    """Lower case, without parameters; empty when the upstream sent none."""
    charset: str | None = None
    """As declared in the content type."""
    moved_to: str | None = None
    """Where the address asked for has moved for good (301, 308); a redirect for now ends such a chain."""

    @property
    def not_modified(self) -> bool:
        """The upstream says that what the validators stand for is still current."""
        return self.status == 304


class Fetch(Protocol):
    """How a source reaches its upstream; what it is given retries, breaks the circuit and keeps limits."""

    async def get(self, request: Request) -> Response:
        """The answer; raises a ``SourceError`` for everything that is not one."""
        ...

    def pause(self, url: str, seconds: float) -> None:
        """Send nothing to this address's host for ``seconds``, because it told us so in a header."""
        ...
