"""Telling those who look after a server, in the first place that takes it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from agents import telemetry
from bot.cards.card import Card
from bot.clock import Clock
from bot.delivery.outcomes import NotSent, Outcome, Sent, ShutOut, Unknown, of_error, of_reply
from bot.delivery.pacing import Pacer
from bot.delivery.rest import NoReply, Rest
from bot.store.errors import StoreError
from bot.tasks import beside

WAITING = 200
"""Notices that wait for their turn; more are only logged."""
TIMEOUT_S = 20.0
PAUSES_S = (1.0, 4.0, 15.0)
"""Between attempts at one place, as long as its nonce protects them."""
LONGEST_WAIT_S = 10.0
"""What a place may ask for before the next one is tried."""
_log = telemetry.logger("bot.admins")

LogChannelOf = Callable[[int], Awaitable[int | None]]
"""The channel that a server chose for notices; None: it chose none."""


class Places(Protocol):
    """Where admins of a server may be."""

    def notice_places(self, guild_id: int) -> Iterator[int]:
        """Channels that the bot may post in, the most fitting first."""
        ...

    def owner_id(self, guild_id: int) -> int | None:
        """Whose server it is; None where that is not known."""
        ...


class ServerAdmins:
    """Tells one after the other, paced; an async context manager.

    The log channel comes first, then the channel for community updates, the system channel, any other text channel,
    and at last the owner's direct messages.
    """

    def __init__(self, rest: Rest, pacer: Pacer, places: Places, log_channel_of: LogChannelOf, clock: Clock) -> None:
        self._rest = rest
        self._pacer = pacer
        self._places = places
        self._log_channel_of = log_channel_of
        self._clock = clock
        self._waiting: asyncio.Queue[tuple[int, Card]] = asyncio.Queue(WAITING)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = beside(self._run(), "tell-admins")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def tell(self, guild_id: int, card: Card) -> None:
        """Have it told; never waits."""
        try:
            self._waiting.put_nowait((guild_id, card))
        except asyncio.QueueFull:
            _log.warning("too much to tell", guild_id=guild_id, notice=card.embed.title)

    async def _run(self) -> None:
        while True:
            guild_id, card = await self._waiting.get()
            if not await self._told(guild_id, card):
                _log.warning("admins could not be told", guild_id=guild_id, notice=card.embed.title)

    async def _told(self, guild_id: int, card: Card) -> bool:
        own = await self._own_places(guild_id)
        for channel_id in dict.fromkeys((*own, *self._places.notice_places(guild_id))):
            outcome = await self._post(channel_id, card)
            if isinstance(outcome, (Sent, Unknown)):  # perhaps there: nowhere else, so that nobody is told twice
                return isinstance(outcome, Sent)
        owner = await self._owner_channel(guild_id)
        return owner is not None and isinstance(await self._post(owner, card), Sent)

    async def _own_places(self, guild_id: int) -> tuple[int, ...]:
        try:
            log_channel = await self._log_channel_of(guild_id)
        except StoreError as error:
            _log.warning("which channel a server chose for notices is not known now", error=str(error))
            return ()
        return () if log_channel is None else (log_channel,)

    async def _post(self, channel_id: int, card: Card) -> Outcome:
        body = {**card.payload(), "nonce": secrets.token_hex(12), "enforce_nonce": True}
        for pause_s in (*PAUSES_S, None):
            outcome = await self._ask(f"/channels/{channel_id}/messages", body)
            wait_s = pause_s
            if isinstance(outcome, NotSent) and outcome.retry_after_s is not None:
                wait_s = outcome.retry_after_s
            worth_it = isinstance(outcome, (NotSent, Unknown, ShutOut))
            if not worth_it or pause_s is None or wait_s is None or wait_s > LONGEST_WAIT_S + pause_s:
                break
            await self._clock.sleep(wait_s)
        return outcome

    async def _owner_channel(self, guild_id: int) -> int | None:
        owner_id = self._places.owner_id(guild_id)
        if owner_id is None:
            return None
        opened = await self._ask("/users/@me/channels", {"recipient_id": str(owner_id)})
        return opened.message_id if isinstance(opened, Sent) else None

    async def _ask(self, path: str, body: dict[str, object]) -> Outcome:
        """Create something; what is created has an id, be it a message or a channel."""
        async with self._pacer.turn():
            try:
                outcome = of_reply(await self._rest.request("POST", path, body, timeout_s=TIMEOUT_S))
            except NoReply as error:
                outcome = of_error(error)
        if isinstance(outcome, ShutOut):
            self._pacer.shut_out()
        return outcome
