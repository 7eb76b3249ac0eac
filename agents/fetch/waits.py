"""How long an upstream asks to be left alone, by the headers of its answers.

Upstreams agree on the names and not on the meaning: Reddit and the IETF draft send the seconds that are left, X,
GitHub and Bluesky a Unix time, Mastodon a time in ISO 8601. They cannot be mistaken for one another.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil

MAX_WAIT_S = 3_600.0
"""An upstream that asks for a longer pause is asked again after this one."""

_RESET_HEADERS = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")
_REMAINING_HEADERS = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,18}(Z|[+-][0-9:]{4,6})?")
_UNIX_TIMES_FROM = 1_000_000_000


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3), seconds or an HTTP date, at most an hour.

    None when it is missing, makes no sense or lies in the past.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), MAX_WAIT_S)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return _until(moment, now)


def reset_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until a limit starts anew, by the header that upstreams send in place of Retry-After, at most an hour.

    None when there is none, it makes no sense or lies in the past.
    """
    text = next((text for name in _RESET_HEADERS if (text := headers.get(name, "").strip())), "")
    if _NUMBER.fullmatch(text):
        value = float(text)
        seconds = value - now.timestamp() if value > _UNIX_TIMES_FROM else value
        return min(seconds, MAX_WAIT_S) if seconds > 0 else None
    if _ISO_TIME.fullmatch(text):
        try:
            return _until(datetime.fromisoformat(text), now)
        except ValueError:
            return None
    return None


def used_up_s(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds to wait after an answer that says that nothing more is granted before the reset; 0: none."""
    text = next((text for name in _REMAINING_HEADERS if (text := headers.get(name, "").strip())), "")
    if not _NUMBER.fullmatch(text) or float(text) >= 1:
        return 0.0
    return reset_s(headers, now) or 0.0


def spoken(wait_s: float) -> str:
    """A wait for people: ``40 s``, ``12 min``; never less than a second, nor cut short."""
    return f"{max(1, ceil(wait_s))} s" if wait_s <= 120 else f"{ceil(wait_s / 60)} min"


def _until(moment: datetime, now: datetime) -> float | None:
    try:
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    except (ValueError, OverflowError):
        return None
    return min(seconds, MAX_WAIT_S) if seconds > 0 else None
