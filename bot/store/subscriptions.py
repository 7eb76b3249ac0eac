"""Subscriptions of servers, who changed them, and who runs the schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bot.store.errors import StoreError
from bot.subscription import Plan, State, Subscription


class NameTaken(StoreError):
    """Another digest of the server has that name; nothing was changed."""


class TooMany(StoreError):
    """The server has as many digests as it may have; nothing was changed."""


class SubscriptionOvertaken(StoreError):
    """Somebody else changed or removed it in between; nothing was changed. ``current`` None: it is gone."""

    def __init__(self, current: Subscription | None) -> None:
        super().__init__("Somebody else changed this digest in the meantime; nothing was saved.")
        self.current = current


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """Who changed what about a digest, kept for 90 days."""

    subscription_id: str
    name: str
    at: datetime
    actor_id: int
    action: str
    """add, edit, pause, resume, remove."""
    old: Plan | None
    new: Plan | None


class Subscriptions(Protocol):
    """Whatever asks the database raises ``Unreadable``, and whatever changes it ``NotSaved`` or ``SaveUnknown``."""

    async def add(self, guild_id: int, plan: Plan, due_at: datetime, actor_id: int) -> Subscription:
        """Raises ``NameTaken``, and ``TooMany`` above ``MOST_SUBSCRIPTIONS``."""
        ...

    async def of_guild(self, guild_id: int) -> tuple[Subscription, ...]:
        """All of a server, in the order in which they were added."""
        ...

    async def get(self, subscription_id: str) -> Subscription | None:
        """One, or None when it is gone."""
        ...

    async def change(
        self, before: Subscription, plan: Plan, state: State, due_at: datetime | None, *, actor_id: int, action: str
    ) -> Subscription:
        """Change plan and state of one that is still as ``before`` (its version); failures begin anew.

        ``due_at`` as it was ``before`` leaves it to the schedule, which may have moved it meanwhile.
        Raises ``SubscriptionOvertaken`` or ``NameTaken``.
        """
        ...

    async def remove(self, before: Subscription, *, actor_id: int) -> None:
        """Remove it with what it has seen; its runs under way are cancelled. Raises ``SubscriptionOvertaken``."""
        ...

    async def suspend(self, subscription_id: str, problem: str) -> bool:
        """An active one is suspended by the bot; False: it was not active."""
        ...

    async def revive(self, subscription_id: str, due_at: datetime | None) -> bool:
        """A suspended one is active again; False: it was not suspended."""
        ...

    async def suspended(self, guild_id: int | None = None) -> tuple[Subscription, ...]:
        """Those that the bot suspended, of one server or of all."""
        ...

    async def changes(self, guild_id: int, limit: int) -> Sequence[SubscriptionChange]:
        """Newest first."""
        ...

    async def due(self, now: datetime, limit: int) -> tuple[Subscription, ...]:
        """Active ones whose ``due_at`` is not after ``now``, the longest due first."""
        ...

    async def put_off(self, due: Mapping[str, datetime], now: datetime) -> None:
        """Move the next runs (by id) of active ones that are due by ``now``, without starting anything."""
        ...

    async def next_due(self) -> datetime | None:
        """When the next active one is due; None: none is."""
        ...

    async def hold_lease(self, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        """Take or renew a lease; False: somebody else holds it until later than ``now``."""
        ...

    async def release_lease(self, name: str, owner: str) -> None:
        """Give it up, if ``owner`` holds it."""
        ...
