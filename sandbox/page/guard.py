"""Who may use the page: this machine, under its own names; elsewhere only who brings the key that was printed."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

COOKIE = "signals_scout_page"
BROWSERS_KEPT = 64
"""Browsers that have brought a key; of more, the first must bring another."""
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def is_loopback(host: str) -> bool:
    """Whether who binds to ``host`` can only be reached from this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Checks every request to a page that is bound to ``host``.

    Names that only pretend to be this machine (DNS rebinding) and requests of other sites' pages are refused. Where
    the page can be reached from elsewhere, each browser must bring a key in the address once; a key is good for one
    browser, and ``on_key`` is told the next.
    """

    def __init__(self, host: str, on_key: Callable[[str], None] = lambda _: None) -> None:
        self.needs_key = not is_loopback(host)
        self._names = {*_LOOPBACK_NAMES, host.lower()}
        self._any_name = self.needs_key
        self._on_key = on_key
        self._admitted: OrderedDict[str, None] = OrderedDict()
        self.key = secrets.token_urlsafe(18)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse, or let through with the headers that every answer carries."""
        refused = self._refusal(request)
        try:
            response = refused if refused is not None else await handler(request)
        except web.HTTPException as error:
            _complete(error)
            raise
        if not response.prepared:
            _complete(response)
        return response

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        if not self._any_name and _name(request.host) not in self._names:
            return web.Response(status=403, text="This page answers to the names of this machine only.")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return web.Response(status=403, text="This page takes requests of its own only.")
        if self.needs_key and request.cookies.get(COOKIE, "") not in self._admitted:
            return self._ask_for_key(request)
        return None

    def _ask_for_key(self, request: web.Request) -> web.StreamResponse:
        brought = request.query.get("key", "")
        if request.path != "/" or not hmac.compare_digest(brought.encode(), self.key.encode()):
            return web.Response(status=403, text="Open the address with the key that the demo printed last.")
        self.key = secrets.token_urlsafe(18)
        self._on_key(self.key)
        ticket = secrets.token_urlsafe(24)
        self._admitted[ticket] = None
        while len(self._admitted) > BROWSERS_KEPT:
            self._admitted.popitem(last=False)
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(COOKIE, ticket, httponly=True, samesite="Strict", path="/")
        return response


def _complete(response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    return (urlsplit(f"//{host}").hostname or "").lower()
