"""What every way of asking has in common: check, be admitted, acknowledge, publish, be answered."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from agents.errors import InvalidOption, NotConfigured, UnknownSource
from agents.events import Requester, SignalsRequested, SourceRequest, utc_now
from agents.signal import Timeframe
from agents.source import SourceSpec
from bot.admission import Admission, Refusal
from bot.answer import Question
from bot.delivery.answers import AnswerDelivery
from bot.delivery.places import Place

ALL = "all"
MOST_SIGNALS = 25
LONGEST_QUERY = 200

Acknowledge = Callable[[Question], Awaitable[Place]]
"""Tell the person that the question was heard and say where its answer goes."""


class NotNow(Exception):
    """The question was not admitted."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.why.value)
        self.refusal = refusal


class Asking:
    """Turns what a person typed into a question, and a question into an answer.

    ``unavailable`` tells by source name why it is off; such a source is left out of ``all``.
    """

    def __init__(
        self,
        specs: Sequence[SourceSpec],
        unavailable: Mapping[str, str],
        admission: Admission,
        delivery: AnswerDelivery,
        *,
        default_source: str,
        answer_timeout_s: float,
    ) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.unavailable = unavailable
        self.default_source = default_source
        self._admission = admission
        self._delivery = delivery
        self._answer_timeout_s = answer_timeout_s

    def question(self, source: str, given: Mapping[str, object]) -> Question:
        """The question that a command's options put; ``given`` is as it arrived, None where nothing was given.

        Discord's client checks types, ranges and choices, the wire does not: all of it is checked here. Raises
        ``UnknownSource``, ``InvalidOption`` or ``NotConfigured``.
        """
        typed = dict(given)
        query = _text("query", typed.pop("query", None), LONGEST_QUERY)
        timeframe = _timeframe(typed.pop("timeframe", None))
        limit = _limit(typed.pop("limit", None))
        options = {name: text for name, value in typed.items() if (text := _text(name, value, 2000)) is not None}
        return Question(sources=self._sources(source, options), query=query, timeframe=timeframe, limit=limit)

    def _sources(self, name: str, options: Mapping[str, str]) -> tuple[SourceRequest, ...]:
        if name == ALL:
            names = [known for known in self.specs if known not in self.unavailable]
            if not names:
                raise NotConfigured(" ".join(self.unavailable.values()) or "No source is set up.")
            return tuple(SourceRequest(name=known) for known in names)
        spec = self.specs.get(name)
        if spec is None:
            raise UnknownSource(name, (*self.specs, ALL))
        if name in self.unavailable:
            raise NotConfigured(self.unavailable[name])
        return (SourceRequest(name=name, options=spec.parse_options(options)),)

    async def ask(self, question: Question, *, tenant: str, user_id: int, acknowledge: Acknowledge) -> None:
        """Be admitted, acknowledge, and stay until the answer is shown.

        Raises ``NotNow`` before anything was acknowledged, so that the refusal can be private.
        """
        ticket = self._admission.ask(tenant, str(user_id))
        if isinstance(ticket, Refusal):
            raise NotNow(ticket)
        try:
            place = await acknowledge(question)
            await ticket.turn()
            await self._delivery.answer(
                self._request(question, tenant), tenant, user_id, place, self._answer_timeout_s
            )
        finally:
            ticket.release()

    def _request(self, question: Question, tenant: str) -> SignalsRequested:
        return SignalsRequested(
            requester=Requester(kind="discord", tenant=tenant),
            sources=question.sources,
            query=question.query,
            timeframe=question.timeframe,
            limit=question.limit,
            deadline=utc_now() + timedelta(seconds=self._answer_timeout_s),
        )


def _text(name: str, value: object, longest: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidOption(name, f"{name} takes text.")
    text = " ".join(value.split())
    if len(text) > longest:
        raise InvalidOption(name, f"{name} takes at most {longest} characters; this has {len(text)}.")
    return text or None


def _timeframe(value: object) -> Timeframe:
    if value is None:
        return Timeframe.DAY
    if not isinstance(value, str) or value.strip().lower() not in set(Timeframe):
        raise InvalidOption("timeframe", f"timeframe is one of {', '.join(Timeframe)}.")
    return Timeframe(value.strip().lower())


def _limit(value: object) -> int:
    if value is None:
        return 10
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_SIGNALS:
        raise InvalidOption("limit", f"limit is a whole number from 1 to {MOST_SIGNALS}.")
    return value
