"""A sender before an outbox in memory and a fake Discord, in virtual time."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from bot.cards.digest import smaller
from bot.delivery.outbox import OutboxSender
from bot.delivery.pacing import Pacer
from bot.store.outbox import Outbox, Part
from bot.store.subscriptions import Subscriptions
from tests.bot.delivery.fakes import FakeDiscord, HeardAdmins, KnownAccess, MemoryOutbox, MemorySubscriptions
from tests.bot.delivery.virtual_time import VirtualClock


@dataclass
class Delivery:
    """Everything around a sender."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    subscriptions: MemorySubscriptions = field(default_factory=MemorySubscriptions)
    access: KnownAccess = field(default_factory=KnownAccess)
    admins: HeardAdmins = field(default_factory=HeardAdmins)
    finals: int = 0

    def __post_init__(self) -> None:
        self.discord = FakeDiscord(self.clock)
        self.pacer = Pacer(self.clock)

    def put(self, *parts: Part) -> None:
        """Written by the engine."""
        for one in parts:
            self.outbox.parts[one.run_id, one.number] = one
            if one.subscription_id not in self.subscriptions.by_id:
                self.subscriptions.add(one.subscription_id)

    def sender(self, **more: Any) -> OutboxSender:
        """Another life of the process."""

        async def ready() -> None:
            return

        def final() -> None:
            self.finals += 1

        return OutboxSender(
            cast("Outbox", self.outbox),
            cast("Subscriptions", self.subscriptions),
            self.discord,
            self.pacer,
            self.access,
            self.admins,
            **{
                "clock": self.clock,
                "smaller": smaller,
                "ready": ready,
                "on_final": final,
                "jitter": lambda low, high: (low + high) / 2,
                **more,
            },
        )

    def running(self, **more: Any) -> AbstractAsyncContextManager[OutboxSender]:
        """A sender at work."""
        return self.sender(**more)


@pytest.fixture
def delivery() -> Delivery:
    return Delivery()
