"""What was new for a digest but had no room, as far as the next one does not look back to it: kept until it is shown.

It stands behind what the next one finds anew, by what it scored when it was found.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.events import SignalsRequested, SourceRequest
from agents.ranking.filters import Phrases
from agents.signal import Signal
from bot.digest_question import looks_back_to
from bot.store.outbox import KEEP_SEEN
from bot.subscription import Schedule

MOST_KEPT = 50
"""Of one subscription."""


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)

    sources: tuple[SourceRequest, ...]
    query: str | None
    signals: tuple[Signal, ...]


def dump(request: SignalsRequested, left: Sequence[Signal], schedule: Schedule, now: datetime) -> str:
    """What is to be kept of the signals, best first, that had no room; empty: nothing."""
    if not left:
        return ""
    since = looks_back_to(schedule, now)
    lost = tuple(signal for signal in left if signal.timestamp < since)[:MOST_KEPT]
    return _Kept(sources=request.sources, query=request.query, signals=lost).model_dump_json() if lost else ""


def load(stored: str, request: SignalsRequested, now: datetime) -> tuple[Signal, ...]:
    """Of what ``dump`` kept, best first, that which could be an answer to this request if it looked back so far."""
    try:
        kept = _Kept.model_validate_json(stored)
    except ValidationError:  # written by another version: not worth a digest
        return ()
    if kept.query != request.query:
        return ()
    asked = {source.name for source in request.sources if source in kept.sources}
    muted, oldest = Phrases(request.filters.muted), now - KEEP_SEEN
    return tuple(
        signal
        for signal in kept.signals
        if signal.source in asked
        and signal.timestamp >= oldest
        and (request.filters.nsfw or not signal.nsfw)
        and not muted.stand_in(signal)
    )
