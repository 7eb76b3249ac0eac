"""The page of a ban, for what goes through Discord's client: nothing more is asked until the ban may be over.

Whatever is asked meanwhile is refused, too, and counts as another request that could not succeed: a bot that many
people use would never be let in again.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import aiohttp
import discord
from discord.http import HTTPClient, Route
from discord.webhook.async_ import AsyncWebhookAdapter

T = TypeVar("T")


class Banned(ConnectionError):
    """Discord shuts this address out for now; but for the first time, it was not even asked."""


class Ban(Protocol):
    """Whether there is one; ``bot.delivery.pacing.Pacer``."""

    @property
    def shut_out_s(self) -> float:
        """For how much longer."""
        ...

    def shut_out(self) -> None:
        """Its page was seen."""
        ...


async def _unless_banned(ban: Ban, request: Callable[[], Awaitable[T]]) -> T:
    if ban.shut_out_s:
        raise Banned
    try:
        return await request()
    except discord.HTTPException as error:
        if error.status == 429 and not error.response.headers.get("Via"):
            ban.shut_out()
            raise Banned from error
        raise


class InteractionRequests(AsyncWebhookAdapter):
    """Requests that answer interactions, unless there is a ban; for ``discord.webhook.async_.async_context``."""

    def __init__(self, ban: Ban) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ban = ban

    async def request(self, route: Route, session: aiohttp.ClientSession, **options: Any) -> Any:
        """See the client. Raises ``Banned`` beside what it raises."""
        request = super().request
        return await _unless_banned(self._ban, lambda: request(route, session, **options))


def guard_client(http: HTTPClient, ban: Ban) -> None:
    """Have a client make none of its own requests while there is a ban; they raise ``Banned`` then."""
    request = http.request

    async def guarded(route: Route, **options: Any) -> Any:
        return await _unless_banned(ban, lambda: request(route, **options))

    http.request = guarded  # type: ignore[method-assign]  # there is no public way into it
