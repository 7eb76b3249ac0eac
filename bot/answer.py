"""An answer as the bot keeps and shows it: the question, what was found, and an id made from the content."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from agents.events import SignalsResponse, SourceReport, SourceRequest
from agents.signal import Frozen, LeftOut, Signal, Timeframe
from agents.urls import identity
from bot.recent import Recent

_ID_BYTES = 10
_UNIT = "\x1f"

Digest = Callable[[tuple[Signal, ...]], str]


class Question(Frozen):
    """What was asked, without who asked and what its server has set to be read: enough to ask it again."""

    sources: tuple[SourceRequest, ...]
    query: str | None = None
    timeframe: Timeframe = Timeframe.DAY
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; equal contents for the same tenant have the same id, whenever they were given."""

    id: str
    """20 hex digits, see ``answer_id``."""
    tenant: str
    """Whose answer it is: a guild, or a user where no guild has installed the bot."""
    question: Question
    signals: tuple[Signal, ...]
    """Best first."""
    reports: tuple[SourceReport, ...]
    found: int
    """Distinct stories found before the limit was applied."""
    error: str | None
    """A sentence for people when the request as a whole could not be served."""
    created_at: datetime
    """Aware, UTC."""
    left_out: tuple[LeftOut, ...] = ()
    """What came nearest to being shown, and why it is not; the id does not cover it."""

    @classmethod
    def of(cls, tenant: str, question: Question, response: SignalsResponse, digest: Digest | None = None) -> "Answer":
        """The answer that a response gives to a question; created when the response was emitted.

        ``digest`` is ``signals_digest`` unless given.
        """
        signals = (digest or signals_digest)(response.signals)
        return cls(
            id=answer_id(tenant, question, signals, response.reports, response.found, response.error),
            tenant=tenant,
            question=question,
            signals=response.signals,
            reports=response.reports,
            found=response.found,
            error=response.error,
            created_at=response.occurred_at,
            left_out=response.left_out,
        )

    def account_of(self, link: str) -> "int | LeftOut | None":
        """What became of what a link leads to: its place among the signals, why it is not there, or None: not seen.

        A link leads to a signal if it is the same page as its own, its discussion, or another place of its story.
        """
        page = identity(link)

        def found_at(*urls: str | None) -> bool:
            return any(identity(url) == page for url in urls if url)

        for place, signal in enumerate(self.signals):
            if found_at(signal.url, signal.discussion_url, *(also.url for also in signal.also_in)):
                return place
        return next((left for left in self.left_out if found_at(left.url, left.discussion_url)), None)


def answer_id(
    tenant: str,
    question: Question,
    signals: str,
    reports: tuple[SourceReport, ...],
    found: int,
    error: str | None,
) -> str:
    """20 hex digits (80 bits) over all that an answer shows; ``signals`` is their digest.

    Hashing a dump of the models would cost more than drawing the answer does.
    """
    asked = (tenant, question.query, question.timeframe, question.limit, found, error, signals)
    return _digest((_UNIT.join(map(str, asked)), *map(_source, question.sources), *map(_report, reports)))


def signals_digest(signals: tuple[Signal, ...]) -> str:
    """20 hex digits over all that is shown of them; scores count as shown, with two decimals."""
    return _digest(part for signal in signals for part in _parts(signal))


class RecentDigests:
    """``signals_digest``, remembered: an answer from the cache has the very same signals as the one before."""

    def __init__(self, kept: int = 256) -> None:
        self._kept: Recent[tuple[int, ...], tuple[tuple[Signal, ...], str]] = Recent(kept)

    def __call__(self, signals: tuple[Signal, ...]) -> str:
        """The digest; costs next to nothing for signals that it has seen lately."""
        key = tuple(map(id, signals))
        kept = self._kept.get(key)
        if kept is None:
            kept = (signals, signals_digest(signals))  # which keeps them alive, and so their ids theirs
            self._kept.put(key, kept)
        return kept[1]


def _digest(parts: Iterable[str]) -> str:
    return blake2b(_UNIT.join(parts).encode("utf-8", "replace"), digest_size=_ID_BYTES).hexdigest()


def _source(source: SourceRequest) -> str:
    return _UNIT.join((source.name, *(f"{name}={value}" for name, value in sorted(source.options.items()))))


def _report(report: SourceReport) -> str:
    fetched = report.fetched_at.timestamp() if report.fetched_at else None
    return f"{report.source}{_UNIT}{report.status}{_UNIT}{report.count}{_UNIT}{fetched}{_UNIT}{report.sentence}"


def _parts(signal: Signal) -> Iterator[str]:
    votes = signal.engagement
    yield (
        f"{signal.id}{_UNIT}{signal.score:.2f}{_UNIT}{votes.points}{_UNIT}{votes.comments}"
        f"{_UNIT}{signal.title}{_UNIT}{signal.url}{_UNIT}{signal.timestamp.timestamp()}"
        f"{_UNIT}{signal.origin}{_UNIT}{signal.excerpt}{_UNIT}{signal.nsfw}{_UNIT}{signal.parts.formula}"
        f"{_UNIT}{signal.parts.raised}{_UNIT}{signal.trend}"
    )
    for place in signal.also_in:
        yield f"{place.source}{_UNIT}{place.origin}{_UNIT}{place.url}{_UNIT}{place.points}"
