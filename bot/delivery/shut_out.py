"""The page of a ban, for what goes through Discord's client: nothing more is asked until the ban may be over.

Whatever is asked meanwhile is refused, too, and counts as another request that could not succeed: a bot that many
people use would never be let in again.
"""

from typing import Any, Protocol

import aiohttp
import discord
from discord.http import HTTPClient, Route
from discord.webhook.async_ import AsyncWebhookAdapter


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


def _refuse_while_banned(ban: Ban) -> None:
    if ban.shut_out_s:
        raise Banned


def _look_for_ban(ban: Ban, error: discord.HTTPException) -> None:
    if error.status == 429 and not error.response.headers.get("Via"):
        ban.shut_out()
        raise Banned from error


class InteractionRequests(AsyncWebhookAdapter):
    """Requests that answer interactions, unless there is a ban; for ``discord.webhook.async_.async_context``."""

    def __init__(self, ban: Ban) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ban = ban

    async def request(self, route: Route, session: aiohttp.ClientSession, **options: Any) -> Any:
        """See the client. Raises ``Banned`` beside what it raises."""
        _refuse_while_banned(self._ban)
        try:
            return await super().request(route, session, **options)
        except discord.HTTPException as error:
            _look_for_ban(self._ban, error)
            raise


def guard_client(http: HTTPClient, ban: Ban) -> None:
    """Have a client make none of its own requests while there is a ban; they raise ``Banned`` then."""
    request = http.request

    async def guarded(route: Route, **options: Any) -> Any:
        _refuse_while_banned(ban)
        try:
            return await request(route, **options)
        except discord.HTTPException as error:
            _look_for_ban(ban, error)
            raise

    http.request = guarded  # type: ignore[method-assign]  # there is no public way into it
