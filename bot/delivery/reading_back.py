"""Looking into a channel for a message that may have been posted: the only way to know, once nonces are forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.clock import Clock
from bot.delivery.outcomes import NotSent, Outcome, Sent, of_error, of_reply
from bot.delivery.pacing import Pacer
from bot.delivery.rest import NoReply, Reply, Rest
from bot.store.outbox import Part

TIMEOUT_S = 30.0
CLOCKS_APART = timedelta(minutes=2)
"""Messages carry Discord's time; how far this machine's may be ahead of it."""
PAGE = 100
MOST_PAGES = 20
MOST_POSTS = 20
_DISCORD_BEGAN = datetime(2015, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Absent:
    """It is not there."""


@dataclass(frozen=True, slots=True)
class TooMuch:
    """More was said since than can be read."""


Seen = Outcome | Absent | TooMuch
"""``Sent`` when it is there; the other outcomes say why nobody could look, as if looking were sending."""


class ReadingBack:
    """Finds the bot's own message that carries a part's nonce in the id of a button."""

    def __init__(self, rest: Rest, pacer: Pacer, clock: Clock) -> None:
        self._rest = rest
        self._pacer = pacer
        self._clock = clock

    async def look(self, part: Part, since: datetime, bot_id: int) -> Seen:
        """Look at all that was posted in the part's channel after ``since``. Ask first whether the bot may."""
        after = snowflake(since - CLOCKS_APART)
        try:
            return await (self._in_forum if part.forum else self._in_channel)(part, after, bot_id)
        except NoReply as error:
            return of_error(error)

    async def _in_channel(self, part: Part, after: int, bot_id: int) -> Seen:
        for _ in range(MOST_PAGES):
            reply = await self._get(f"/channels/{part.channel_id}/messages?limit={PAGE}&after={after}")
            if reply.status != 200 or not isinstance(reply.body, list):
                return _could_not(reply)
            for message in reply.body:
                if _is(message, part.nonce, bot_id):
                    return Sent(int(message["id"]))
            if len(reply.body) < PAGE:
                return Absent()
            after = max(int(message["id"]) for message in reply.body)
            await self._clock.sleep(reply.rest_s)
        return TooMuch()

    async def _in_forum(self, part: Part, after: int, bot_id: int) -> Seen:
        reply = await self._get(f"/guilds/{part.guild_id}/threads/active")
        if reply.status != 200 or not isinstance(reply.body, dict):
            return _could_not(reply)
        posts = [int(thread["id"]) for thread in reply.body.get("threads", ()) if _is_post(thread, part, bot_id)]
        for post_id in sorted(one for one in posts if one > after)[:MOST_POSTS]:
            first = await self._get(f"/channels/{post_id}/messages/{post_id}")
            if first.status == 404:  # its first message was deleted
                continue
            if first.status != 200:
                return _could_not(first)
            if _is(first.body, part.nonce, bot_id):
                return Sent(post_id)
            await self._clock.sleep(first.rest_s)
        return Absent()

    async def _get(self, path: str) -> Reply:
        async with self._pacer.turn():
            return await self._rest.request("GET", path, timeout_s=TIMEOUT_S)


def snowflake(moment: datetime) -> int:
    """The smallest id that Discord gave at that time (https://discord.com/developers/docs/reference#snowflakes)."""
    return max(0, int((moment - _DISCORD_BEGAN) / timedelta(milliseconds=1))) << 22


def _could_not(reply: Reply) -> Outcome:
    outcome = of_reply(reply)
    return NotSent(f"status {reply.status}") if isinstance(outcome, Sent) else outcome


def _is_post(thread: Any, part: Part, bot_id: int) -> bool:
    return bool(thread.get("parent_id") == str(part.channel_id) and thread.get("owner_id") == str(bot_id))


def _is(message: Any, nonce: str, bot_id: int) -> bool:
    """Whether the bot wrote it, with the nonce as its mark; others may copy what they see."""
    own = message.get("author", {}).get("id") == str(bot_id)
    return own and any(nonce in custom_id for custom_id in _custom_ids(message.get("components") or ()))


def _custom_ids(components: Any) -> Iterator[str]:
    for component in components:
        if "custom_id" in component:
            yield component["custom_id"]
        yield from _custom_ids(component.get("components") or ())
