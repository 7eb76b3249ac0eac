"""One request to Discord, once: no retry, no sleep, and what came of it with all that matters.

The client's own ``HTTPClient.request`` is not used for what must not be lost or doubled: it repeats 500, 502, 504 and
524 by itself (a forum's post would be made twice), outside of any budget; it sleeps through limits inside a call that
has its answer already; and cancelled while it sleeps through a global limit, it never opens again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
import discord
import orjson

from agents import __version__

CONNECT_S = 10.0
CONNECTIONS = 100
_JSON = "application/json"


class NoReply(Exception):
    """No whole answer came."""


class NotReached(NoReply):
    """Discord was not even reached: the request certainly had no effect."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    body: Any = None
    """Decoded JSON; None where it was anything else, such as a proxy's page."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names as Discord writes them, in any case."""

    @property
    def code(self) -> int:
        """Discord's own code for a refusal; 0 where there is none."""
        code = self.body.get("code") if isinstance(self.body, dict) else None
        return code if isinstance(code, int) else 0

    @property
    def rest_s(self) -> float:
        """For how long its bucket takes nothing more; 0 while it does."""
        try:
            left = float(self.headers.get("X-RateLimit-Remaining", "1"))
            return float(self.headers.get("X-RateLimit-Reset-After", "0")) if left <= 0 else 0.0
        except ValueError:
            return 0.0


class Rest(Protocol):
    """Discord's REST interface as the bot."""

    async def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        png: bytes | None = None,
        timeout_s: float,
    ) -> Reply:
        """Ask once; ``path`` follows the version, ``png`` is attached as ``chart.png``. Raises ``NoReply``."""
        ...


class DiscordRest:
    """``Rest`` over HTTP, with connections of its own, so that hanging requests take none from interactions."""

    def __init__(self, api_url: str, token: str) -> None:
        self._api_url = api_url
        client = f"DiscordBot (https://github.com/Rapptz/discord.py, {discord.__version__})"
        self._headers = {"Authorization": f"Bot {token}", "User-Agent": f"{client} SignalsScout/{__version__}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        png: bytes | None = None,
        timeout_s: float,
    ) -> Reply:
        """See ``Rest``."""
        assert self._session is not None
        sending: dict[str, Any] = {}
        if png is not None:
            sending["data"] = _form(orjson.dumps(body), png)
        elif body is not None:
            sending = {"data": orjson.dumps(body), "headers": {"Content-Type": _JSON}}
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_S, timeout_s))
        try:
            async with self._session.request(
                method, self._api_url + path, timeout=timeout, allow_redirects=False, **sending
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReached(_said(error)) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NoReply(_said(error)) from error
        return Reply(response.status, _decoded(response, raw), response.headers)


def _form(payload: bytes, png: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)  # Discord does not understand an escaped "files[0]"
    form.add_field("payload_json", payload.decode(), content_type=_JSON)
    form.add_field("files[0]", png, filename="chart.png", content_type="image/png")
    return form


def _decoded(response: aiohttp.ClientResponse, raw: bytes) -> Any:
    """Only what says that it is JSON, and is: a proxy's page is never taken for Discord's word."""
    if response.content_type != _JSON:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
