"""What is new, rising or fading against what the same question showed before."""

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.signal import Signal, Trend

REMEMBERED_QUESTIONS = 512
REMEMBERED_PLACES = 200
"""Of one question; what stood lower counts as not shown."""
LEAST_AGE = timedelta(minutes=10)
"""An answer has to be this old to be compared with: sooner, nothing has moved."""
FORGOTTEN_AFTER = timedelta(days=7)
LEAST_MOVE = 3
"""Places."""


@dataclass(frozen=True, slots=True)
class _Shown:
    at: datetime
    places: Mapping[str, int]
    """By the signal's id."""


class Trends:
    """Remembers the last two answers of each question, for at most 512 questions, in memory."""

    def __init__(self) -> None:
        self._shown: OrderedDict[Hashable, tuple[_Shown, ...]] = OrderedDict()

    def mark(self, question: Hashable, signals: Sequence[Signal], now: datetime) -> tuple[Signal, ...]:
        """The same signals, those marked that are new or moved by three places; the first time none is."""
        known = [shown for shown in self._shown.get(question, ()) if now - shown.at < FORGOTTEN_AFTER]
        before = next((shown for shown in reversed(known) if now - shown.at >= LEAST_AGE), None)
        if not known or before is known[-1]:  # else the newest is too young to be followed by another
            places = {signal.id: place for place, signal in enumerate(signals[:REMEMBERED_PLACES])}
            known = [*known[-1:], _Shown(now, places)]
        self._shown[question] = tuple(known)
        self._shown.move_to_end(question)
        if len(self._shown) > REMEMBERED_QUESTIONS:
            self._shown.popitem(last=False)
        if before is None:
            return tuple(signals)
        return tuple(_marked(signal, place, before.places.get(signal.id)) for place, signal in enumerate(signals))


def _marked(signal: Signal, place: int, before: int | None) -> Signal:
    trend = _trend(place, before)
    return signal if trend is None else signal.model_copy(update={"trend": trend})


def _trend(place: int, before: int | None) -> Trend | None:
    if before is None:
        return Trend.NEW
    if before - place >= LEAST_MOVE:
        return Trend.RISING
    return Trend.FADING if place - before >= LEAST_MOVE else None
