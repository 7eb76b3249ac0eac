"""What a request that creates something came to: created, certainly not, unknown, or refused for good.

https://discord.com/developers/docs/topics/opcodes-and-status-codes
"""

from dataclasses import dataclass

from bot.delivery.rest import NoReply, NotReached, Reply

_CHANNEL_CODES = frozenset(
    {
        10003,  # unknown channel
        10004,  # unknown guild
        40058,  # the post's author has to say something first
        40067,  # the forum wants a tag
        50001,  # missing access
        50007,  # cannot send messages to this user
        50008,  # cannot send messages in a channel of this kind
        50013,  # missing permissions
        50024,  # not in a channel of this type
        50083,  # the thread is archived and locked
        160005,  # the thread is locked
        160006,  # as many threads as there may be
    }
)
"""The channel is the reason, whatever is posted there."""
_UNKNOWN_TAG = 10087
"""A post without the tag can still be made."""
_NETWORK = 40333
"""An "internal network error", though its status is 403."""


@dataclass(frozen=True, slots=True)
class Sent:
    """It is there."""

    message_id: int
    rest_s: float = 0.0
    """For how long the channel takes nothing more: its bucket is empty."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """Certainly not there, and worth another attempt."""

    problem: str
    retry_after_s: float | None = None
    """What Discord asks for; None: as long as seems right."""
    everywhere: bool = False
    """The limit over all routes: nothing else may be sent either."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Perhaps there."""

    problem: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not there, and never will be in this channel as it is. ``code`` is Discord's."""

    code: int


@dataclass(frozen=True, slots=True)
class Unfit:
    """Not there: Discord does not take this body."""

    code: int


@dataclass(frozen=True, slots=True)
class ShutOut:
    """Not there: all of the bot's requests are refused for a while (a page instead of an answer)."""


@dataclass(frozen=True, slots=True)
class TokenWrong:
    """Not there: the token is not, or no longer, the bot's."""


Outcome = Sent | NotSent | Unknown | Refused | Unfit | ShutOut | TokenWrong


def of_error(error: NoReply) -> NotSent | Unknown:
    """What a creation came to that got no whole answer."""
    problem = str(error) or type(error).__name__
    return NotSent(problem) if isinstance(error, NotReached) else Unknown(problem)


def of_reply(reply: Reply) -> Outcome:
    """What a creation came to that was answered."""
    if reply.status == 429:
        return _limited(reply)
    if reply.status == 401:
        return TokenWrong()
    if 200 <= reply.status < 300:
        message_id = _created_id(reply)
        return Unknown("an answer without a message") if message_id is None else Sent(message_id, reply.rest_s)
    if 300 <= reply.status < 400:
        return NotSent(f"sent elsewhere (status {reply.status})")
    if reply.status >= 500 or reply.status == 408:
        return Unknown(f"status {reply.status}")
    if (reply.body is None and reply.status != 413) or reply.code == _NETWORK:
        return NotSent(f"status {reply.status}")  # from something in between; Discord's refusals are JSON
    if reply.code in _CHANNEL_CODES or (reply.status in {403, 404} and reply.code != _UNKNOWN_TAG):
        return Refused(reply.code)
    return Unfit(reply.code)


def _limited(reply: Reply) -> NotSent | ShutOut:
    """Whatever answers in Discord's name sends ``Via``; the page of a ban does not."""
    body = reply.body if isinstance(reply.body, dict) else {}
    seconds = body.get("retry_after")
    if "Via" not in reply.headers or not isinstance(seconds, (int, float)):
        return ShutOut()
    everywhere = body.get("global") is True or reply.headers.get("X-RateLimit-Scope") == "global"
    return NotSent("limited by Discord", max(0.0, float(seconds)), everywhere)


def _created_id(reply: Reply) -> int | None:
    """The message's id; that of a forum's post, where the first message has the same, or says so."""
    if not isinstance(reply.body, dict):
        return None
    first = reply.body.get("message")
    found = (first if isinstance(first, dict) else reply.body).get("id")
    return int(found) if isinstance(found, str) and found.isdecimal() else None
