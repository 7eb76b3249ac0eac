"""What every way of asking has in common: check, be admitted, acknowledge, publish, be answered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.errors import InvalidOption, NotConfigured, UnknownSource, UsageError
from agents.events import (
    LONGEST_QUERY,
    Filters,
    Requester,
    SignalsRequested,
    SignalsResponse,
    SourceRequest,
    utc_now,
)
from agents.signal import Timeframe
from agents.source import SourceSpec
from bot.admission import Admission, Refusal
from bot.answer import Question
from bot.delivery.answers import AnswerDelivery
from bot.delivery.places import Place
from bot.guild_settings import DEFAULTS, MOST_SIGNALS, GuildSettings, Operator

ALL = "all"

Acknowledge = Callable[[Question, bool], Awaitable[Place]]
"""Tell the person that the question was heard and say where its answer goes; True: only they shall see it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks, and where."""

    tenant: str
    """Whose limits and answers these are: the guild that installed the bot, else the user (``user:…``)."""
    user_id: int
    guild_id: int | None = None
    """The guild whose settings hold; None: the operator's defaults."""
    channel_ids: tuple[int, ...] = ()
    """The channel, and for a thread its parent."""
    age_restricted: bool = False


SettingsOf = Callable[[Origin], Awaitable[GuildSettings]]
"""The settings that hold where somebody asks."""


async def operators_defaults(_origin: Origin) -> GuildSettings:
    """For where nothing is stored."""
    return DEFAULTS


class NotNow(Exception):
    """The question was not admitted."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.why.value)
        self.refusal = refusal


class NotHere(Exception):
    """The server's admins let members ask in these channels only."""

    def __init__(self, channel_ids: tuple[int, ...]) -> None:
        super().__init__("asked in a channel that is not for asking")
        self.channel_ids = channel_ids


class SwitchedOff(UsageError):
    """The server's admins switched the source off."""


class Asking:
    """Turns what a person typed into a question, and a question into an answer.

    ``unavailable`` tells by source name why the operator has it off; such a source is left out of ``all``, like
    those that a server has switched off.
    """

    def __init__(
        self,
        specs: Sequence[SourceSpec],
        unavailable: Mapping[str, str],
        admission: Admission,
        delivery: AnswerDelivery,
        *,
        operator: Operator,
        answer_timeout_s: float,
        settings_of: SettingsOf = operators_defaults,
    ) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.unavailable = unavailable
        self.settings_of = settings_of
        self._operator = operator
        self._admission = admission
        self._delivery = delivery
        self._answer_timeout_s = answer_timeout_s

    def question(self, source: str | None, given: Mapping[str, object], settings: GuildSettings) -> Question:
        """The question that a command's options put; ``given`` is as it arrived, None where nothing was given.

        Without a source the default one is asked. Discord's client checks types, ranges and choices, the wire does
        not: all of it is checked here. Raises ``UnknownSource``, ``InvalidOption``, ``NotConfigured`` or
        ``SwitchedOff``.
        """
        typed = dict(given)
        query = typed_text("query", typed.pop("query", None), LONGEST_QUERY)
        timeframe = _timeframe(typed.pop("timeframe", None), settings.timeframe)
        limit = _limit(typed.pop("limit", None), settings.limit)
        options = {name: text for name, value in typed.items() if (text := typed_text(name, value, 2000)) is not None}
        sources = self._sources(source, options, settings)
        return Question(sources=sources, query=query, timeframe=timeframe, limit=limit)

    def again(self, question: Question, settings: GuildSettings) -> Question:
        """A question put before, to those of its sources that are still on.

        Raises as ``question`` does when none is.
        """
        on = settings.sources_on(self._available())
        sources = tuple(asked for asked in question.sources if asked.name in on)
        if not sources:
            sources = self._sources(question.sources[0].name, {}, settings)
        return question.model_copy(update={"sources": sources})

    def _available(self) -> tuple[str, ...]:
        return tuple(name for name in self.specs if name not in self.unavailable)

    def _sources(
        self, asked: str | None, options: Mapping[str, str], settings: GuildSettings
    ) -> tuple[SourceRequest, ...]:
        available = self._available()
        if not available:
            raise NotConfigured(" ".join(self.unavailable.values()) or "No source is set up.")
        on = settings.sources_on(available)
        name = asked or settings.source_by_default(available)
        if name == ALL:
            return tuple(SourceRequest(name=known) for known in on)
        spec = self.specs.get(name)
        if spec is None:
            raise UnknownSource(name, (*self.specs, ALL))
        if name in self.unavailable:
            raise NotConfigured(self.unavailable[name])
        if name not in on:
            raise self._switched_off(name, on)
        return (SourceRequest(name=name, options=spec.parse_options(options)),)

    def _switched_off(self, name: str, on: Sequence[str]) -> SwitchedOff:
        titles = {known: spec.title for known, spec in self.specs.items()}
        names = ", ".join(titles[known] for known in on)
        return SwitchedOff(f"{titles.get(name, name)} is switched off in this server. On: {names}.")

    async def ask(
        self, question: Question, origin: Origin, settings: GuildSettings, acknowledge: Acknowledge
    ) -> None:
        """Be admitted, acknowledge, and stay until the answer is shown.

        Raises ``NotHere`` and ``NotNow`` before anything was acknowledged, so that the refusal can be private.
        """
        async with self._admitted(question, origin, settings, acknowledge) as place:
            request = self._request(question, origin, settings)
            await self._delivery.answer(
                request, question, origin.tenant, origin.user_id, place, self._answer_timeout_s
            )

    async def collect(
        self, questions: Sequence[Question], origin: Origin, settings: GuildSettings, acknowledge: Acknowledge
    ) -> list[SignalsResponse]:
        """As ``ask``, for several questions at once and one answer; the caller shows what came of them.

        The place that is acknowledged shows the progress of the first. Raises ``TimeoutError`` besides.
        """
        async with self._admitted(questions[0], origin, settings, acknowledge) as place:
            try:
                async with asyncio.TaskGroup() as group:
                    asked = [
                        group.create_task(
                            self._delivery.respond(
                                self._request(question, origin, settings),
                                question,
                                place if number == 0 else None,
                                self._answer_timeout_s,
                            )
                        )
                        for number, question in enumerate(questions)
                    ]
            except ExceptionGroup as failed:  # whoever asked is told of one; they fail for the same reason
                raise failed.exceptions[0] from failed
        return [task.result() for task in asked]

    @asynccontextmanager
    async def _admitted(
        self, question: Question, origin: Origin, settings: GuildSettings, acknowledge: Acknowledge
    ) -> AsyncIterator[Place]:
        if settings.ask_channel_ids and not set(origin.channel_ids) & set(settings.ask_channel_ids):
            raise NotHere(settings.ask_channel_ids)
        ticket = self._admission.ask(
            origin.tenant, str(origin.user_id), permits=settings.concurrency, cooldown_s=settings.cooldown_s
        )
        if isinstance(ticket, Refusal):
            raise NotNow(ticket)
        try:
            place = await acknowledge(question, settings.private_answers)
            await ticket.turn()
            yield place
        finally:
            ticket.release()

    def _request(self, question: Question, origin: Origin, settings: GuildSettings) -> SignalsRequested:
        return request_for(
            question,
            settings,
            self._operator,
            Requester(kind="discord", tenant=origin.tenant),
            age_restricted=origin.age_restricted,
            deadline=utc_now() + timedelta(seconds=self._answer_timeout_s),
        )


def request_for(
    question: Question,
    settings: GuildSettings,
    operator: Operator,
    requester: Requester,
    *,
    age_restricted: bool,
    deadline: datetime,
) -> SignalsRequested:
    """The question with all that its server has settled; ``age_restricted``: where the answer will be seen."""
    ttl_s = settings.cache_ttl_s
    return SignalsRequested(
        requester=requester,
        sources=tuple(_with_usual_options(asked, settings) for asked in question.sources),
        query=question.query,
        timeframe=question.timeframe,
        limit=question.limit,
        min_score=settings.min_score,
        filters=Filters(nsfw=settings.nsfw and age_restricted, muted=settings.muted, raised=settings.raised),
        max_age_s=operator.cache_ttl_s if ttl_s is None else ttl_s,
        deadline=deadline,
    )


def _with_usual_options(asked: SourceRequest, settings: GuildSettings) -> SourceRequest:
    """Where a question does not say what to read, what the server has chosen by now: it may be asked again later."""
    usual = _usual_options(asked.name, settings)
    return asked.model_copy(update={"options": {**usual, **asked.options}}) if usual else asked


def _usual_options(source: str, settings: GuildSettings) -> dict[str, str]:
    if source == "reddit" and settings.subreddits:
        return {"subreddit": "+".join(sorted(settings.subreddits))}
    if source == "news" and settings.feeds:
        return {"feed": " ".join(sorted(feed.url for feed in settings.feeds))}
    return {}


def typed_text(name: str, value: object, longest: int) -> str | None:
    """An option's text in one line; None where nothing is left of it. Raises ``InvalidOption``."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidOption(name, f"{name} takes text.")
    text = " ".join(value.split())
    if len(text) > longest:
        raise InvalidOption(name, f"{name} takes at most {longest} characters; this has {len(text)}.")
    return text or None


def _timeframe(value: object, usual: Timeframe) -> Timeframe:
    if value is None:
        return usual
    if not isinstance(value, str) or value.strip().lower() not in set(Timeframe):
        raise InvalidOption("timeframe", f"timeframe is one of {', '.join(Timeframe)}.")
    return Timeframe(value.strip().lower())


def _limit(value: object, usual: int) -> int:
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_SIGNALS:
        raise InvalidOption("limit", f"limit is a whole number from 1 to {MOST_SIGNALS}.")
    return value
