"""Who may send events: signatures of Standard Webhooks (``https://www.standardwebhooks.com``), held to the letter.

The library makes the signatures. What it would let pass is looked at here: secrets that are none, headers given
twice, times such as ``1e9``; and of several secrets any may sign.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from standardwebhooks import Webhook

TOLERANCE_S = 300
LEAST_SECRET_BYTES = 24
LONGEST_ID = 256
_LEAST_DISTINCT_BYTES = 8
_MOST_SIGNATURES = 16
_PREFIX = "whsec_"
_ID = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_ID}}}")
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,11}")
_MAKE_ONE = "make one as docs/webhooks.md says"


class Headers(Protocol):
    """Of a request; names without regard to case."""

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """All values of a header."""
        ...


class NotSigned(Exception):
    """There is a doubt; ``str()`` says which, for the log alone: who sent it must not learn it."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A message that is what a holder of a secret has sent."""

    webhook_id: str
    secret: int
    """Which of the secrets, counted from 0."""


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The keys of secrets that are separated by spaces. Raises ``ValueError`` in words that show nothing of them."""
    return tuple(_key(secret) for secret in text.split())


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        raise ValueError(f"every secret begins with {_PREFIX} and several are separated by spaces; {_MAKE_ONE}")
    encoded = secret.removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {_PREFIX} is not base64; copy the secret again, or {_MAKE_ONE}") from None
    if len(key) < LEAST_SECRET_BYTES or len(set(key)) < _LEAST_DISTINCT_BYTES:
        raise ValueError(f"a secret is too weak: it needs {LEAST_SECRET_BYTES} random bytes or more; {_MAKE_ONE}")
    return key


class Signatures:
    """Checks messages against secrets, any of which may sign."""

    def __init__(self, keys: Sequence[bytes], now: Callable[[], datetime]) -> None:
        self._webhooks = [Webhook(key) for key in keys]
        self._now = now

    def check(self, headers: Headers, body: bytes) -> Signed:
        """Raises ``NotSigned`` at any doubt. How long that takes does not depend on how much of a signature fits."""
        webhook_id, timestamp, given = (
            _only(headers, f"webhook-{name}") for name in ("id", "timestamp", "signature")
        )
        if not _ID.fullmatch(webhook_id):
            raise NotSigned(f"webhook-id is not 1 to {LONGEST_ID} visible ASCII characters")
        sent_at = self._sent_at(timestamp)
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise NotSigned("the body is not UTF-8") from error
        signatures = [one.encode(errors="replace") for one in given.split(" ")[:_MOST_SIGNATURES]]
        found = None
        for number, webhook in enumerate(self._webhooks):
            expected = webhook.sign(webhook_id, sent_at, text).encode()
            for signature in signatures:
                if hmac.compare_digest(expected, signature):
                    found = number
        if found is None:
            raise NotSigned("no secret has signed this")
        return Signed(webhook_id, found)

    def _sent_at(self, timestamp: str) -> datetime:
        if not _TIMESTAMP.fullmatch(timestamp):
            raise NotSigned("webhook-timestamp is not in seconds since 1970")
        off_s = self._now().timestamp() - int(timestamp)
        if abs(off_s) > TOLERANCE_S:
            raise NotSigned(f"webhook-timestamp is {abs(off_s):.0f} s in the {'past' if off_s > 0 else 'future'}")
        return datetime.fromtimestamp(int(timestamp), UTC)


def _only(headers: Headers, name: str) -> str:
    values = headers.getall(name, [])
    if len(values) != 1:
        raise NotSigned(f"{name} is there {len(values)} times")
    return values[0]
