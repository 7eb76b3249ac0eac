"""From a request to the answer that a person reads: publish, show progress, show the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from agents import telemetry
from agents.events import (
    SIGNALS_REQUESTED,
    SignalsProgress,
    SignalsRequested,
    SignalsResponse,
    SourceReport,
    Topic,
)
from bot.answer import Answer, Question, RecentDigests
from bot.cards.answer import AnswerCards
from bot.cards.card import Card
from bot.cards.progress import pending_card
from bot.delivery.places import PLACE_FAULTS, Place
from bot.subscription import REQUESTER_KIND

EDIT_PAUSE_S = 1.0
"""At most one edit of a message in this time, and none sooner after the acknowledgement: most answers are faster."""
PROGRESS_TIMEOUT_S = 4.0
GRACE_S = 2.0
"""How much longer than the request's deadline a response is waited for."""

Publish = Callable[[Topic[SignalsRequested], SignalsRequested], Awaitable[None]]
PostToChannel = Callable[[int, str | None, Card], Awaitable[bool]]
"""Post in a channel for a tenant; False when there is no such channel of that tenant or the bot may not."""


class KeepAnswer(Protocol):
    """Where answers go so that their buttons work later."""

    def put(self, answer: Answer) -> None:
        """Remember it; never waits."""
        ...


@dataclass(slots=True)
class _Pending:
    """A request whose response has not come yet."""

    response: asyncio.Future[SignalsResponse]
    reports: list[SourceReport] = field(default_factory=list)


@dataclass(slots=True)
class Dropped:
    """Events that led nowhere, counted."""

    responses: int = 0


class AnswerDelivery:
    """Delivers responses to where their requests came from.

    A response to a request that was made here goes to the place given with it. Any other goes where its
    ``reply_to`` says, if that is a channel (``channel:<id>``) of the requester's own guild; else it is dropped.
    """

    def __init__(
        self,
        publish: Publish,
        cards: AnswerCards,
        titles: Mapping[str, str],
        keep: KeepAnswer,
        post: PostToChannel,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._publish = publish
        self._cards = cards
        self._titles = titles
        self._keep = keep
        self._post = post
        self._clock = clock
        self._pending: dict[str, _Pending] = {}
        self._digests = RecentDigests()
        self._log = telemetry.logger("bot.delivery")
        self.dropped = Dropped()

    @property
    def pending(self) -> int:
        """Requests that wait for their response."""
        return len(self._pending)

    async def answer(
        self,
        request: SignalsRequested,
        question: Question,
        tenant: str,
        owner_id: int,
        place: Place,
        wait_s: float,
    ) -> None:
        """Publish the request and edit ``place`` until it shows the answer; see ``respond``."""
        response = await self.respond(request, question, place, wait_s)
        await place.edit(self._card(response, question, tenant, owner_id))

    async def respond(
        self, request: SignalsRequested, question: Question, place: Place | None, wait_s: float
    ) -> SignalsResponse:
        """Publish the request, show progress in ``place``, if any, and return the response.

        ``question`` is what the person asked, which the request puts with all that is settled elsewhere.
        Raises ``TimeoutError`` when no response comes within ``wait_s`` and a grace; the caller tells the person.
        """
        pending = _Pending(asyncio.get_running_loop().create_future())
        self._pending[request.request_id] = pending
        try:
            async with asyncio.timeout(wait_s + GRACE_S):
                await self._publish(SIGNALS_REQUESTED, request)
                return await (pending.response if place is None else self._response(pending, question, place))
        finally:
            del self._pending[request.request_id]

    async def _response(self, pending: _Pending, question: Question, place: Place) -> SignalsResponse:
        """Wait for the response; meanwhile show progress whenever there is news and a second has passed."""
        shown: int | None = None
        while True:
            began = self._clock()
            await asyncio.wait((pending.response,), timeout=EDIT_PAUSE_S)
            if pending.response.done():
                if shown is not None:
                    await asyncio.sleep(max(0.0, EDIT_PAUSE_S - (self._clock() - began)))
                return pending.response.result()
            if shown is None or len(pending.reports) > shown:
                shown = len(pending.reports)
                await self._show_progress(pending_card(question, pending.reports, self._titles), place)

    async def _show_progress(self, card: Card, place: Place) -> None:
        """Progress is a courtesy: when it cannot be shown soon, the answer that follows must not suffer."""
        try:
            async with asyncio.timeout(PROGRESS_TIMEOUT_S):
                await place.edit(card)
        except PLACE_FAULTS as error:
            self._log.warning("progress not shown", error=type(error).__name__)

    def _card(self, response: SignalsResponse, question: Question, tenant: str, owner_id: int) -> Card:
        answer = Answer.of(tenant, question, response, self._digests)
        self._keep.put(answer)
        return self._cards.card(answer, 0, owner_id)

    async def on_progress(self, event: SignalsProgress) -> None:
        """Note that a source is done."""
        pending = self._pending.get(event.request_id)
        if pending is not None:
            pending.reports.append(event.report)

    async def on_response(self, event: SignalsResponse) -> None:
        """Hand the response to who waits for it, or post it where it asks to be posted; digests hear their own."""
        pending = self._pending.get(event.request_id)
        if pending is not None:
            if not pending.response.done():
                pending.response.set_result(event)
            return
        if event.requester.kind == REQUESTER_KIND:
            return
        if not await self._post_elsewhere(event):
            self.dropped.responses += 1
            self._log.info("response led nowhere", request_id=event.request_id, kind=event.requester.kind)

    async def _post_elsewhere(self, event: SignalsResponse) -> bool:
        kind, _, channel_id = (event.requester.reply_to or "").partition(":")
        if kind != "channel" or not channel_id.isdecimal():
            return False
        sources = tuple({"name": report.source} for report in event.reports)
        question = Question.model_validate(
            {
                "sources": sources,
                "query": event.query,
                "timeframe": event.timeframe,
                "limit": max(1, len(event.signals)),
            }
        )
        card = self._card(event, question, event.requester.tenant or "", owner_id=0)
        return await self._post(int(channel_id), event.requester.tenant, card)
