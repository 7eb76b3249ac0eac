"""One interaction from the person's side: what was asked, how it was acknowledged, what came of it."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from sandbox.errors import JsonObject
from sandbox.guilds import Channel, User
from sandbox.messages import Message

ACKNOWLEDGE_S = 3.0
"""An interaction must be acknowledged within this time."""

TOKEN_LIFE_S = 900.0
"""An interaction's token is good for this long."""

INTERACTIONS_KEPT = 20_000
"""Interactions whose tokens are remembered; the oldest go first."""


class InteractionKind(IntEnum):
    """Discord's interaction types."""

    PING = 1
    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL = 5


class CallbackKind(IntEnum):
    """Discord's callback types."""

    PONG = 1
    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


@dataclass(eq=False, repr=False)
class Exchange:
    """An interaction and all that came of it, in the order in which it came.

    ``messages`` holds the original response first, follow-ups after; a click's update of the clicked
    message counts as its response. Times are seconds on the clock's monotonic time.
    """

    interaction_id: int
    token: str
    kind: InteractionKind
    user: User
    channel: Channel
    created_at: float
    payload: JsonObject = field(repr=False)
    source: Message | None = None
    line: str = ""
    delivered: bool = False
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged_after_s: float | None = None
    callback: JsonObject | None = None
    callback_kind: CallbackKind | None = None
    original: Message | None = None
    messages: list[Message] = field(default_factory=list)
    choices: list[JsonObject] | None = None
    modal: JsonObject | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __repr__(self) -> str:
        return f"<Exchange {self.interaction_id} {self.summary()}>"

    @property
    def deferred(self) -> bool:
        """Whether it was acknowledged by "… is thinking" or by a promise to update."""
        return self.callback_kind in (CallbackKind.DEFERRED_MESSAGE, CallbackKind.DEFERRED_UPDATE)

    @property
    def ephemeral(self) -> bool:
        """Whether only the person who asked sees the response."""
        return self.original is not None and self.original.ephemeral

    def add(self, message: Message) -> None:
        """A message that belongs to this exchange, new or, for an update, known."""
        if message not in self.messages:
            self.messages.append(message)
            message.watchers.append(self._on_message)
        self._on_message(message)

    def note(self) -> None:
        """Wake whoever waits for something to change."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _on_message(self, _: Message) -> None:
        self.note()

    async def wait_acknowledged(self, timeout_s: float = ACKNOWLEDGE_S) -> bool:
        """Wait for the callback; False where none came, which a person sees as "did not respond"."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.acknowledged.wait()
        except TimeoutError:
            return False
        return True

    async def wait_message(
        self, timeout_s: float = 5.0, predicate: Callable[[Message], bool] | None = None
    ) -> Message:
        """The first message (in order) that satisfies ``predicate``, now or after some change.

        By default any that no longer "is thinking". Raises TimeoutError with what is there instead.
        """
        wanted = predicate or _is_said
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    changed = self._changed
                    for message in self.messages:
                        if wanted(message):
                            return message
                    await changed.wait()
        except TimeoutError:
            raise TimeoutError(f"no such message within {timeout_s} s: {self.summary()}") from None

    async def wait_choices(self, timeout_s: float = ACKNOWLEDGE_S) -> list[JsonObject]:
        """What autocomplete answered; empty where it did not answer in time."""
        await self.wait_acknowledged(timeout_s)
        return self.choices or []

    def summary(self) -> str:
        """One line about how far this came, for failure messages."""
        state = "never acknowledged" if self.callback_kind is None else self.callback_kind.name.lower()
        said = ", ".join(f"{'thinking' if m.loading else repr(m.content[:80])}" for m in self.messages)
        return f"{self.line or self.kind.name.lower()}: {state}; messages: [{said}]"


def _is_said(message: Message) -> bool:
    return not message.loading


class Exchanges:
    """Exchanges by interaction id and by token, the latest ``INTERACTIONS_KEPT`` of them."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[int, Exchange] = OrderedDict()
        self._by_token: dict[str, Exchange] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, exchange: Exchange) -> None:
        """Remember the exchange, and forget the oldest."""
        self._by_id[exchange.interaction_id] = exchange
        self._by_token[exchange.token] = exchange
        while len(self._by_id) > INTERACTIONS_KEPT:
            _, oldest = self._by_id.popitem(last=False)
            self._by_token.pop(oldest.token, None)

    def by_id(self, interaction_id: int | None) -> Exchange | None:
        """The exchange of this interaction."""
        return None if interaction_id is None else self._by_id.get(interaction_id)

    def by_token(self, token: str) -> Exchange | None:
        """The exchange whose follow-ups carry this token."""
        return self._by_token.get(token)


def new_token() -> str:
    """An interaction's token: long, opaque, safe in a path."""
    return "sandbox" + secrets.token_urlsafe(48).replace("-", "A")
