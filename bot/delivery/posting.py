"""One part of the outbox, from its first attempt until it is known what became of it.

Certainly not sent goes back into the outbox until it is due again. Unknown stays here: as long as Discord surely
remembers the nonce it is sent again, which cannot post twice; later the channel is read back. What cannot be found
out is held.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import orjson

from agents import telemetry
from bot.cards import delivery as cards
from bot.clock import Clock
from bot.delivery.outcomes import (
    NotSent,
    Outcome,
    Refused,
    Sent,
    ShutOut,
    TokenWrong,
    Unfit,
    Unknown,
    of_error,
    of_reply,
)
from bot.delivery.pacing import BAN_S, Pacer, Turn
from bot.delivery.reading_back import Absent, ReadingBack, TooMuch
from bot.delivery.rest import NoReply, Rest
from bot.delivery.verdicts import GIVE_UP, LONGEST_BACKOFF_S, Jitter, Verdicts
from bot.store.outbox import Part

CREATE_TIMEOUT_S = 30.0
NONCE_S = 60.0
"""How long Discord remembers a nonce at least ("the past few minutes")."""
LAST_REPEAT_S = 50.0
"""Later than this after the first attempt none is begun: it might come too late to be recognised."""
LATE_ARRIVAL_S = 20.0
"""What was sent may be posted so long after its connection broke; before, absence proves nothing."""
TROUBLE = 8
"""So many attempts in a row without an answer mean that Discord is away."""
WORTH_TELLING_S = 60.0
"""Whoever runs the bot may wonder about pauses of that length."""
_LONGEST_REPEAT_S = 15.0
_LONGEST_TROUBLE_S = 60.0
_GONE = {10003, 10004}
"""Discord's codes for a channel or server that is no longer there."""
_log = telemetry.logger("bot.outbox")


class Access(Protocol):
    """What the gateway told about where the bot may do what."""

    @property
    def bot_id(self) -> int:
        """The bot's own user id."""
        ...

    def may_read_back(self, guild_id: int, channel_id: int) -> bool | None:
        """Whether it surely sees a channel's history: without the right Discord shows an empty one.

        None: that cannot be known just now.
        """
        ...


@dataclass(eq=False, slots=True)
class _Doubt:
    """A part that may have been posted."""

    since: datetime
    """When the first attempt was made of which nobody knows."""
    repeat_until: float
    """Until then, on the monotonic clock, sending it again cannot post twice."""
    asked_at: float
    """When the last attempt ended."""
    attempts: int = 1
    quiet_until: float = 0.0
    """Discord asked not to be asked before."""


class Posting:
    """Sends parts and settles those in doubt; owned by the sender, whose tasks these are."""

    def __init__(
        self,
        rest: Rest,
        pacer: Pacer,
        access: Access,
        verdicts: Verdicts,
        *,
        clock: Clock,
        jitter: Jitter = random.uniform,
    ) -> None:
        self.stopping = asyncio.Event()
        self.token_refused = asyncio.Event()
        self.calm = asyncio.Event()
        """Set by an answer."""
        self._rest = rest
        self._pacer = pacer
        self._access = access
        self._verdicts = verdicts
        self._clock = clock
        self._jitter = jitter
        self._reading = ReadingBack(rest, pacer, clock)
        self._parked: dict[int, float] = {}
        self._unanswered = 0

    @property
    def parked(self) -> set[int]:
        """Channels that Discord wants left alone for now."""
        now = self._clock.monotonic()
        self._parked = {channel_id: until for channel_id, until in self._parked.items() if until > now}
        return set(self._parked)

    def trouble_s(self) -> float:
        """Whether Discord does not answer: for how long nothing else should be begun, as all may end in doubt."""
        if self._unanswered < TROUBLE:
            return 0.0
        longest_s = min(_LONGEST_TROUBLE_S, 2.0 ** min(self._unanswered - TROUBLE, 10))
        return self._jitter(0.5, max(0.5, longest_s))

    async def send(self, part: Part, turn: Turn) -> float:
        """The first attempt since it was claimed, and all that follows from it; 0, or when it is due again."""
        if part.forum and not await self._verdicts.may_make(part):
            turn.unused()
            return 0.0
        began, moment = self._clock.monotonic(), self._clock.utc()
        outcome = await self._attempt(part, turn, CREATE_TIMEOUT_S)
        match outcome:
            case Sent(message_id=message_id):
                await self._verdicts.sent(part, message_id)
            case Unknown(problem=problem):
                now = self._clock.monotonic()
                await self._verdicts.in_doubt(part, problem)
                await self._settle(part, _Doubt(moment, began + LAST_REPEAT_S, now))
            case NotSent(problem=problem, retry_after_s=seconds):
                return await self._verdicts.not_sent(part, problem, seconds)
            case ShutOut():
                await self._verdicts.not_sent(part, "shut out by Discord", BAN_S)
            case TokenWrong():
                await self._verdicts.not_sent(part, "the token was refused")
            case Refused(code=code):
                await self._verdicts.refused(part, code)
            case Unfit(code=code):
                await self._verdicts.unfit(part, code)
        return 0.0

    async def settle(self, parts: Sequence[Part]) -> None:
        """What another process, or a claim that seemed to fail, left: any of it may have been posted.

        But for a forum's posts, of which it is known whether they were begun: looking for one proves nothing.
        """
        now, moment = self._clock.monotonic(), self._clock.utc()
        for part in parts:
            if part.forum and await self._verdicts.give_back(part):
                continue
            since = part.tried_at or moment
            passed_s = (moment - since).total_seconds()
            remembered_s = LAST_REPEAT_S - passed_s if passed_s >= 0 else 0.0  # the clock may have been set back
            await self._settle(part, _Doubt(since, now + remembered_s, now, attempts=0))

    async def _settle(self, part: Part, doubt: _Doubt) -> None:
        """Find out what became of it; returns when that is noted, or everything stops."""
        while True:
            await self._clock.wait(self.stopping, self._before_next_s(part, doubt))
            if self.stopping.is_set():
                return
            may_repeat = not part.forum and self._clock.monotonic() < doubt.repeat_until
            if await (self._repeat(part, doubt) if may_repeat else self._look(part, doubt)):
                return
            if self._clock.utc() - doubt.since > GIVE_UP:
                await self._verdicts.hold(part, cards.TOO_LATE)
                return

    def _before_next_s(self, part: Part, doubt: _Doubt) -> float:
        """Soon while it can be repeated; later once only looking helps, which needs everything to have arrived."""
        now = self._clock.monotonic()
        asked_s = max(0.0, doubt.quiet_until - now)
        tries = 2.0 ** min(doubt.attempts, 10)
        soon_s = max(asked_s, self._jitter(0.0, min(_LONGEST_REPEAT_S, tries)))
        if not part.forum and now + soon_s < doubt.repeat_until:
            return soon_s
        later_s = self._jitter(0.0, min(LONGEST_BACKOFF_S, tries))
        return max(asked_s, later_s, doubt.asked_at + LATE_ARRIVAL_S - now)

    async def _repeat(self, part: Part, doubt: _Doubt) -> bool:
        """Send it again while Discord remembers the nonce; whether that told."""
        turn = await self._pacer.take()
        left_s = doubt.repeat_until - self._clock.monotonic()
        if left_s <= 0:  # its turn came too late
            turn.unused()
            return False
        outcome = await self._attempt(part, turn, min(CREATE_TIMEOUT_S, left_s + NONCE_S - LAST_REPEAT_S))
        doubt.asked_at = self._clock.monotonic()
        doubt.attempts += 1
        match outcome:
            case Sent(message_id=message_id):
                await self._verdicts.sent(part, message_id)
                return True
            case Refused(code=code) if code in _GONE:  # with all that was posted there
                await self._verdicts.refused(part, code)
                return True
            case Refused() | Unfit() | TokenWrong():
                doubt.repeat_until = 0.0  # it says nothing of the attempt before, and would be said again
            case NotSent(retry_after_s=float() as seconds):
                doubt.quiet_until = doubt.asked_at + seconds
        return False

    async def _look(self, part: Part, doubt: _Doubt) -> bool:
        """Read the channel back; whether that told, or never will."""
        doubt.attempts += 1
        may = self._access.may_read_back(part.guild_id, part.channel_id)
        if may is None:
            return False
        if not may:
            await self._verdicts.hold(part, cards.NO_HISTORY)
            return True
        seen = await self._reading.look(part, doubt.since, self._access.bot_id)
        match seen:
            case Sent(message_id=message_id):
                await self._verdicts.sent(part, message_id)
            case Absent() if part.forum:
                await self._verdicts.hold(part, cards.NO_POST)
            case Absent():
                await self._verdicts.not_sent(part, "it did not arrive", 0.0)
            case TooMuch():
                await self._verdicts.hold(part, cards.TOO_MUCH)
            case Refused() | Unfit():
                await self._verdicts.hold(part, cards.NO_HISTORY)
            case _:
                self._heed(seen)
                if isinstance(seen, NotSent) and seen.retry_after_s is not None:
                    doubt.quiet_until = self._clock.monotonic() + seen.retry_after_s
                return False
        return True

    async def _attempt(self, part: Part, turn: Turn, timeout_s: float) -> Outcome:
        """One request, in the turn that it has."""
        path = f"/channels/{part.channel_id}/{'threads' if part.forum else 'messages'}"
        body = _body(part)
        png = part.chart if _has_attachments(body) else None
        outcome: Outcome
        answered = True
        turn.begin()
        try:
            outcome = of_reply(await self._rest.request("POST", path, body, png=png, timeout_s=timeout_s))
        except NoReply as error:
            outcome = of_error(error)
            answered = False
        finally:
            turn.answered()
        self._note(answered=answered and not isinstance(outcome, Unknown))
        self._heed(outcome, part.channel_id)
        return outcome

    def _note(self, *, answered: bool) -> None:
        self._unanswered = 0 if answered else self._unanswered + 1
        if answered:
            self.calm.set()
        elif self._unanswered == TROUBLE:
            self.calm.clear()
            _log.warning("Discord does not answer; digests wait")

    def _heed(self, outcome: object, channel_id: int | None = None) -> None:
        """What an answer means for all that is sent next, or for its channel."""
        rest_s = 0.0
        match outcome:
            case ShutOut():
                self._pacer.shut_out()
            case TokenWrong():
                _log.error("Discord does not take the token any more")
                self.token_refused.set()
            case NotSent(retry_after_s=float() as seconds, everywhere=True):
                self._pacer.pause(seconds)
                if seconds >= WORTH_TELLING_S:
                    _log.warning("Discord limits all requests; digests wait", for_s=seconds)
            case NotSent(retry_after_s=float() as seconds):
                rest_s = seconds
            case Sent(rest_s=seconds):
                rest_s = seconds
        if rest_s and channel_id is not None:
            self._parked[channel_id] = self._clock.monotonic() + rest_s
            if rest_s >= WORTH_TELLING_S:
                _log.warning("Discord wants a channel left alone", channel_id=channel_id, for_s=rest_s)


def _body(part: Part) -> Mapping[str, Any]:
    """What is sent."""
    body: dict[str, Any] = orjson.loads(part.body)
    return body if part.forum else {**body, "nonce": part.nonce, "enforce_nonce": True}


def _has_attachments(body: Mapping[str, Any]) -> bool:
    message = body.get("message", body)
    return bool(message.get("attachments"))
