"""How the bot is, for whoever runs it: alive, and ready or why not."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

Look = Callable[[], Awaitable[str | None]]
"""None: all is well; else a sentence that says what is not."""
SERVICE = "signals-scout"
_FRESH = {"Cache-Control": "no-store"}


class Health:
    """``checks``: what must be well for the bot to be ready, by name; ``notes``: what there is to tell beside."""

    def __init__(self, checks: Mapping[str, Look], notes: Mapping[str, str]) -> None:
        self._checks = checks
        self._notes = notes

    async def alive(self, _request: web.Request) -> web.Response:
        """Who can answer is alive."""
        return web.json_response({"status": "ok", "service": SERVICE}, headers=_FRESH)

    async def ready(self, _request: web.Request) -> web.Response:
        """503 where anything is not well."""
        reasons = {name: await look() for name, look in self._checks.items()}
        ready = not any(reasons.values())
        checks = {name: {"ready": not reason, "reason": reason or ""} for name, reason in reasons.items()}
        body = {"ready": ready, "checks": checks, "notes": dict(self._notes)}
        return web.json_response(body, status=200 if ready else 503, headers=_FRESH)
