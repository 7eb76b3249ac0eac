"""Rate limits: a window per bucket and major parameter, 50 requests a second in all, and the ban for insisting.

https://discord.com/developers/docs/topics/rate-limits
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from dataclasses import dataclass, field

from sandbox.clock import Clock
from sandbox.errors import JsonObject

GLOBAL_A_SECOND = 50
INVALID_REQUESTS = 10_000
INVALID_WINDOW_S = 600.0
WINDOWS_KEPT = 10_000

BAN_PAGE = (
    "<!doctype html><html><head><title>Access denied | discord.com used Cloudflare to restrict access</title></head>"
    "<body><h1>Error 1015</h1><p>You are being rate limited.</p></body></html>"
)
"""What a banned address is shown, with status 429 and without ``Via``."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` requests in ``window_s``; routes with the same ``name`` share their bucket."""

    name: str
    count: int
    window_s: float
    bucket: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:32]
        object.__setattr__(self, "bucket", digest)


@dataclass(frozen=True, slots=True)
class Limited:
    """A refusal: how long to wait, and whose limit it was (user, global or shared)."""

    retry_after_s: float
    scope: str

    @property
    def is_global(self) -> bool:
        """Whether the limit over all routes was hit."""
        return self.scope == "global"

    def body(self) -> JsonObject:
        """Discord's body of a 429."""
        return {
            "message": "You are being rate limited.",
            "retry_after": round(self.retry_after_s, 3),
            "global": self.is_global,
        }

    def headers(self) -> dict[str, str]:
        """The headers that a 429 has beyond the bucket's."""
        headers = {"Retry-After": str(math.ceil(self.retry_after_s)), "X-RateLimit-Scope": self.scope}
        if self.is_global:
            headers["X-RateLimit-Global"] = "true"
        return headers


class _Window:
    """A fixed window that starts with its first request."""

    __slots__ = ("left", "resets_at")

    def __init__(self, count: int, resets_at: float) -> None:
        self.left = count
        self.resets_at = resets_at


class RateLimits:
    """Counts requests. ``enabled`` False counts nothing and sends no headers, for benchmarks."""

    def __init__(
        self,
        clock: Clock,
        *,
        enabled: bool = True,
        global_a_second: int = GLOBAL_A_SECOND,
        invalid_requests: int = INVALID_REQUESTS,
    ) -> None:
        self.enabled = enabled
        self.global_a_second = global_a_second
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        self._global = _Window(global_a_second, 0.0)
        self._invalid: deque[float] = deque(maxlen=invalid_requests)

    @property
    def invalid_count(self) -> int:
        """Invalid requests of the last ten minutes."""
        now = self._clock.monotonic()
        while self._invalid and now - self._invalid[0] > INVALID_WINDOW_S:
            self._invalid.popleft()
        return len(self._invalid)

    @property
    def is_banned(self) -> bool:
        """Whether there were so many invalid requests that only the ban page is left."""
        return self.enabled and self._invalid.maxlen is not None and self.invalid_count >= self._invalid.maxlen

    def count_invalid(self, status: int, scope: str | None) -> None:
        """Note an answer: 401, 403 and 429 count, unless the limit was shared."""
        if self.enabled and status in (401, 403, 429) and scope != "shared":
            self._invalid.append(self._clock.monotonic())

    def take_global(self) -> Limited | None:
        """Count a request towards the limit over all routes."""
        now = self._clock.monotonic()
        window = self._global
        if now >= window.resets_at:
            window.left = self.global_a_second
            window.resets_at = now + 1.0
        if window.left <= 0:
            return Limited(window.resets_at - now, "global")
        window.left -= 1
        return None

    def take(self, limit: Limit, major: str) -> tuple[dict[str, str], Limited | None]:
        """Count a request in its bucket; gives the headers, and the refusal where the bucket is empty."""
        now = self._clock.monotonic()
        key = (limit.bucket, major)
        window = self._windows.get(key)
        if window is None or now >= window.resets_at:
            self._make_room(now)
            window = self._windows[key] = _Window(limit.count, now + limit.window_s)
        left_s = window.resets_at - now
        limited = None
        if window.left <= 0:
            limited = Limited(left_s, "user")
        else:
            window.left -= 1
        headers = {
            "X-RateLimit-Limit": str(limit.count),
            "X-RateLimit-Remaining": str(window.left),
            "X-RateLimit-Reset": f"{self._clock.time() + left_s:.3f}",
            "X-RateLimit-Reset-After": f"{left_s:.3f}",
            "X-RateLimit-Bucket": limit.bucket,
        }
        return headers, limited

    def _make_room(self, now: float) -> None:
        if len(self._windows) < WINDOWS_KEPT:
            return
        for key in [key for key, window in self._windows.items() if now >= window.resets_at]:
            del self._windows[key]
        while len(self._windows) >= WINDOWS_KEPT:
            self._windows.pop(next(iter(self._windows)))

    def reset(self) -> None:
        """Forget every count."""
        self._windows.clear()
        self._invalid.clear()
        self._global = _Window(self.global_a_second, 0.0)
