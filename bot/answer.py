"""An answer as the bot keeps and shows it: the question, what was found, and an id made from the content."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from agents.events import SignalsRequested, SignalsResponse, SourceReport, SourceRequest
from agents.signal import Frozen, Signal, Timeframe

_ID_BYTES = 10
_UNIT = "\x1f"


class Question(Frozen):
    """What was asked, without who asked: enough to ask it again."""

    sources: tuple[SourceRequest, ...]
    query: str | None = None
    timeframe: Timeframe = Timeframe.DAY
    limit: int = 10

    @classmethod
    def of(cls, request: SignalsRequested) -> "Question":
        """The question that a request puts."""
        return cls.model_construct(
            sources=request.sources, query=request.query, timeframe=request.timeframe, limit=request.limit
        )


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

    @classmethod
    def of(cls, tenant: str, question: Question, response: SignalsResponse) -> "Answer":
        """The answer that a response gives to a question; created when the response was emitted."""
        return cls(
            id=answer_id(tenant, question, response.signals, response.reports, response.found, response.error),
            tenant=tenant,
            question=question,
            signals=response.signals,
            reports=response.reports,
            found=response.found,
            error=response.error,
            created_at=response.occurred_at,
        )


def answer_id(
    tenant: str,
    question: Question,
    signals: tuple[Signal, ...],
    reports: tuple[SourceReport, ...],
    found: int,
    error: str | None,
) -> str:
    """20 hex digits (80 bits) over all that an answer shows; scores count as shown, with two decimals.

    Hashing a dump of the models would cost more than drawing the answer does.
    """
    content = _UNIT.join(_content(tenant, question, signals, reports, found, error))
    return blake2b(content.encode("utf-8", "replace"), digest_size=_ID_BYTES).hexdigest()


def _content(
    tenant: str,
    question: Question,
    signals: tuple[Signal, ...],
    reports: tuple[SourceReport, ...],
    found: int,
    error: str | None,
) -> Iterator[str]:
    yield f"{tenant}{_UNIT}{question.query}{_UNIT}{question.timeframe}{_UNIT}{question.limit}"
    yield f"{found}{_UNIT}{error}"
    for source in question.sources:
        yield source.name
        for name, value in sorted(source.options.items()):
            yield f"{name}={value}"
    for report in reports:
        fetched = report.fetched_at.timestamp() if report.fetched_at else None
        yield f"{report.source}{_UNIT}{report.status}{_UNIT}{report.count}{_UNIT}{fetched}{_UNIT}{report.sentence}"
    for signal in signals:
        votes = signal.engagement
        yield (
            f"{signal.id}{_UNIT}{signal.score:.2f}{_UNIT}{votes.points}{_UNIT}{votes.comments}"
            f"{_UNIT}{signal.title}{_UNIT}{signal.url}{_UNIT}{signal.timestamp.timestamp()}"
            f"{_UNIT}{signal.origin}{_UNIT}{signal.excerpt}{_UNIT}{signal.nsfw}{_UNIT}{signal.parts.formula}"
        )
        for place in signal.also_in:
            yield f"{place.source}{_UNIT}{place.origin}{_UNIT}{place.url}{_UNIT}{place.points}"
