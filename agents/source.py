"""What a source is: it declares its name, help and options, and answers one question with a scan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from agents.errors import InvalidOption
from agents.fetch.request import Fetch
from agents.signal import Signal, Timeframe


class Parse(Protocol):
    """Turns what a person typed into the one spelling that a source uses, or raises ``ValueError`` in words."""

    def __call__(self, text: str, /) -> str:
        """The normalised value."""
        ...


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a source, such as Reddit's ``subreddit``."""

    name: str
    """Lower case; also the name of the command's option, so at most 32 characters of ``[a-z0-9_-]``."""
    help: str
    """One line, at most 100 characters."""
    parse: Parse
    """Normalises a value so that equal questions are equal; raises ``ValueError`` with a sentence."""
    example: str = ""
    choices: tuple[str, ...] = ()
    """Non-empty: exactly these values."""


@dataclass(frozen=True, slots=True)
class HostLimit:
    """How much one upstream host grants: a request every ``interval_s`` after ``burst``, ``concurrency`` at once.

    That is for everybody together. Of the places and of a burst, one tenant is left about half.
    """

    interval_s: float = 0.0
    burst: int = 1
    concurrency: int = 6


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What a source declares about itself; commands, help and the command line are made from it."""

    name: str
    """Lower case, as typed: ``hackernews``."""
    title: str
    """As written: ``Hacker News``."""
    help: str
    """One line, at most 100 characters, beginning with a verb or a noun in the imperative of a command list."""
    options: tuple[Option, ...] = ()
    limits: Mapping[str, HostLimit] = field(default_factory=dict)
    """By upstream host (with port where it is not the scheme's own), or by host and path where a part of it counts
    apart: ``api.example`` and ``api.example/search``."""
    ttl_s: float = 0.0
    """The least time for which an answer is kept; 0: the agent's TTL alone decides."""
    setup: str = ""
    """What an operator can set to get more out of it; names variables, never their values."""

    def parse_options(self, options: Mapping[str, str]) -> dict[str, str]:
        """Normalised options without the empty ones; ``InvalidOption`` for an unknown name or a bad value."""
        known = {option.name: option for option in self.options}
        parsed: dict[str, str] = {}
        for name, text in options.items():
            option = known.get(name)
            if option is None:
                names = ", ".join(known) or "none"
                raise InvalidOption(name, f"{self.title} has no option “{name[:40]}”. Its options: {names}.")
            if not text.strip():
                continue
            try:
                parsed[name] = option.parse(text.strip())
            except ValueError as error:
                raise InvalidOption(name, str(error)) from error
        return parsed


@dataclass(frozen=True, slots=True)
class Question:
    """What a source is asked: normalised options, the query (None: anything), how far back, how many at most."""

    options: Mapping[str, str]
    query: str | None
    timeframe: Timeframe
    limit: int
    """How many items are worth fetching; a hint for paging, not a promise."""
    now: datetime
    """The moment of asking, aware UTC."""

    @property
    def since(self) -> datetime:
        """Nothing older than this belongs in the answer."""
        return self.now - self.timeframe.delta


@dataclass(frozen=True, slots=True)
class Scan:
    """What a source found: signals within the timeframe in any order, and what a person should know about it."""

    signals: tuple[Signal, ...]
    note: str = ""
    """For people, such as which feed failed or why engagement is unknown; empty: nothing to say."""
    partial: bool = False
    """True when some of it failed and a retry could bring more."""


class Source(Protocol):
    """One place that signals come from. Implementations keep no request state; one instance serves all."""

    @property
    def spec(self) -> SourceSpec:
        """What it declares; constant for its life."""
        ...

    def unavailable(self) -> str | None:
        """None when it can be asked; else a sentence that says what to set."""
        ...

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        """Answer one question; all network through ``fetch``. Raises ``SourceError``."""
        ...
