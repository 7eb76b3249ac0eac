"""Everything that can go wrong in ``agents``, as one tree.

::

    ScoutError
    ├── UsageError                     the caller's mistake
    │   ├── UnknownSource              no source of that name
    │   ├── InvalidOption              an option's name or value is wrong
    │   ├── WrongEvent                 a payload that is not the topic's model
    │   └── LifecycleError             used before start, or started again after stop
    ├── BusError
    │   ├── BusFull                    no room within the time that the emitter gave
    │   └── BusClosed                  the bus was drained
    └── SourceError                    one source could not answer
        ├── NotConfigured              a key or feed is missing; the sentence says which variable to set
        ├── BudgetSpent                today's money is spent
        ├── CircuitOpen                not asked, because it failed repeatedly a moment ago
        ├── DeadlineExceeded           no answer in the time that the request had
        ├── AddressRefused             an address that must not be connected to
        ├── Unreachable                no connection, or one that broke
        ├── AttemptTimeout             one attempt took too long
        ├── BadStatus                  an HTTP status that is no answer
        │   ├── RateLimited            429, or told to wait
        │   │   └── OwnLimit           held back by us, before anything was sent
        │   ├── AccessDenied           401, 403, or a block page
        │   ├── NotFound               404, 410
        │   └── UpstreamFailed         5xx
        ├── UnexpectedContent          not what was asked for: HTML for JSON, truncated, undecodable
        ├── TooLarge                   more bytes than allowed, counted after decompression
        └── TooManyRedirects

``sentence`` is for people: it names no secret and no address of the operator's network.
"""


class ScoutError(Exception):
    """Root of the tree; ``str()`` is for logs, ``sentence`` for people."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class UsageError(ScoutError):
    """The caller's mistake: nothing was attempted."""


class UnknownSource(UsageError):
    """No source of that name is registered; the sentence lists those that are."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"There is no source “{name[:40]}”. Known: {', '.join(known)}.")
        self.name = name
        self.known = known


class InvalidOption(UsageError):
    """An option that the source does not have, or a value that it cannot take."""

    def __init__(self, option: str, sentence: str) -> None:
        super().__init__(sentence)
        self.option = option


class WrongEvent(UsageError):
    """An event that is not of its topic's model; refused where it is emitted."""


class LifecycleError(UsageError):
    """An agent used before it was started, or started after it was stopped."""


class BusError(ScoutError):
    """The event bus did not take an event."""


class BusFull(BusError):
    """There was no room within the time that the emitter was ready to wait."""


class BusClosed(BusError):
    """The bus has been drained and takes nothing more."""


class SourceError(ScoutError):
    """One source could not answer.

    ``retryable``: another attempt may succeed. ``retry_after_s``: seconds after which it may, when known.
    ``trips``: whether it speaks of the upstream's health and so counts for the circuit breaker.
    ``sent``: whether the upstream was asked at all; an error that never got there says nothing about its health.
    """

    retryable = False
    trips = False
    sent = True

    def __init__(self, sentence: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class NotConfigured(SourceError):
    """A key or an address is missing; the sentence names the variable to set."""


class BudgetSpent(SourceError):
    """Today's budget for a paid upstream is used up."""


class CircuitOpen(SourceError):
    """The upstream failed repeatedly and is left alone until ``retry_after_s`` has passed."""

    sent = False


class DeadlineExceeded(SourceError):
    """No answer within the time that the whole request had."""

    sent = False


class AddressRefused(SourceError):
    """An address that must not be connected to: private, loopback, link-local, or a forbidden scheme or port."""

    sent = False


class Unreachable(SourceError):
    """No connection could be made, or it broke before the answer was whole."""

    retryable = True
    trips = True


class AttemptTimeout(SourceError):
    """One attempt took longer than its share of the request's time."""

    retryable = True
    trips = True


class BadStatus(SourceError):
    """The upstream answered with an HTTP status that is no result.

    ``body``: the beginning of what came with it, where the source asked for it (``Request.read_errors``). It may be
    anything, and is never shown as it is.
    """

    def __init__(self, sentence: str, *, status: int, retry_after_s: float | None = None, body: bytes = b"") -> None:
        super().__init__(sentence, retry_after_s=retry_after_s)
        self.status = status
        self.body = body


class RateLimited(BadStatus):
    """The upstream, or our own limit on it, asks to wait; ``retry_after_s`` says how long when known."""

    retryable = True


class OwnLimit(RateLimited):
    """Held back by our own limit or pause for the host; asking again before ``retry_after_s`` would not help."""

    retryable = False
    sent = False


class AccessDenied(BadStatus):
    """The upstream refuses us: wrong key, 403, or a block page."""


class NotFound(BadStatus):
    """There is no such page, subreddit or feed."""


class UpstreamFailed(BadStatus):
    """The upstream has a fault of its own (5xx)."""

    retryable = True
    trips = True


class UnexpectedContent(SourceError):
    """Something else than what was asked for: HTML for JSON, a truncated or undecodable body."""


class TooLarge(SourceError):
    """More bytes than allowed, counted after decompression."""


class TooManyRedirects(SourceError):
    """The redirects did not come to an end."""
