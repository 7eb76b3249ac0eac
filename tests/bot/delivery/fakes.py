"""An outbox in memory and a Discord that does as it is told, both with behaviour."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from multidict import CIMultiDict

from bot.cards.card import Card
from bot.delivery.reading_back import snowflake
from bot.delivery.rest import NoReply, NotReached, Reply
from bot.store.errors import NotSaved
from bot.store.outbox import Part, PartState
from bot.subscription import Plan, State, Subscription
from tests.bot.delivery.virtual_time import VirtualClock

BOT_ID = 77
GUILD = 5_000
Key = tuple[int, int]


def body_of(nonce: str, text: str = "news") -> dict[str, Any]:
    """As digests are: an embed over a button that carries the nonce."""
    button = {"type": 2, "style": 2, "label": "Why", "custom_id": f"d1:why:{nonce}:0123456789abcdef0123"}
    return {
        "embeds": [{"title": "Digest", "description": text}],
        "components": [{"type": 1, "components": [button]}],
        "allowed_mentions": {"parse": []},
    }


def part(run_id: int = 1, number: int = 0, *, channel_id: int = 100, guild_id: int = GUILD, **more: Any) -> Part:
    """A part as the engine writes it."""
    nonce = f"n{run_id:04}x{number}"
    body: dict[str, Any] = body_of(nonce)
    if more.get("forum"):
        body = {"name": "Digest", "message": body}
    values: dict[str, Any] = {
        "subscription_id": f"s{run_id}",
        "forum": False,
        "nonce": nonce,
        "body": json.dumps(body),
        "chart": None,
        "seen": (),
    }
    return Part(run_id=run_id, number=number, channel_id=channel_id, guild_id=guild_id, **{**values, **more})


class MemoryOutbox:
    """The part of ``Outbox`` that delivery uses, with its rules; ``away`` makes so many calls fail first."""

    def __init__(self, *parts: Part) -> None:
        self.parts: dict[Key, Part] = {(one.run_id, one.number): one for one in parts}
        self.served: dict[int, datetime] = {}
        self.failures: dict[str, int] = {}
        self.away = 0
        self.noted: list[str] = []

    def __getitem__(self, key: Key) -> Part:
        return self.parts[key]

    def states(self) -> dict[Key, PartState]:
        return {key: one.state for key, one in self.parts.items()}

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise NotSaved("the database is away")

    async def claim(self, now: datetime, limit: int, busy_channels: Collection[int]) -> tuple[Part, ...]:
        self._answer()
        taken: list[Part] = []
        channels = set(busy_channels)
        for one in sorted(self.parts.values(), key=self._turn):
            rested = one.not_before is None or one.not_before <= now
            if len(taken) < limit and one.state is PartState.WAITING and rested and self._is_next(one):
                if one.channel_id in channels:
                    continue
                channels.add(one.channel_id)
                tried_at = one.tried_at or now
                problem = "" if one.forum else one.problem
                begun = replace(one, attempts=one.attempts + 1, tried_at=tried_at, problem=problem)
                begun = replace(begun, state=PartState.SENDING)
                self.parts[one.run_id, one.number] = begun
                self.served[one.guild_id] = now
                taken.append(begun)
        return tuple(taken)

    def _turn(self, one: Part) -> tuple[float, int, int]:
        served = self.served.get(one.guild_id)
        return (served.timestamp() if served else 0.0, one.run_id, one.number)

    def _is_next(self, one: Part) -> bool:
        return all(
            other.state is PartState.SENT
            for other in self.parts.values()
            if other.run_id == one.run_id and other.number < one.number
        )

    async def begin_post(self, run_id: int, number: int) -> bool:
        self._answer()
        return self._turn_post(run_id, number, problem="begun")

    async def return_post(self, run_id: int, number: int) -> bool:
        self._answer()
        return self._turn_post(run_id, number, state=PartState.WAITING)

    def _turn_post(self, run_id: int, number: int, **values: Any) -> bool:
        one = self.parts[run_id, number]
        claimed = one.state is PartState.SENDING and not one.problem
        if claimed:
            self._change(run_id, number, **values)
        return claimed

    async def interrupted(self) -> tuple[Part, ...]:
        self._answer()
        return tuple(one for one in self.parts.values() if one.state is PartState.SENDING)

    async def sent(self, parts: Mapping[Key, int], now: datetime) -> None:
        self._answer()
        for key, message_id in parts.items():
            self.parts[key] = replace(self.parts[key], state=PartState.SENT, message_id=message_id, problem="")
            self.failures[self.parts[key].subscription_id] = 0

    async def not_sent(self, run_id: int, number: int, not_before: datetime, problem: str) -> None:
        self._answer()
        self._change(run_id, number, state=PartState.WAITING, not_before=not_before, problem=problem)

    async def unknown(self, run_id: int, number: int, not_before: datetime, problem: str) -> None:
        self._answer()
        self.noted.append(problem)
        self._change(run_id, number, not_before=not_before, problem=problem)

    async def rebuild(self, run_id: int, number: int, body: str) -> None:
        self._answer()
        self._change(run_id, number, state=PartState.WAITING, not_before=None, body=body, chart=None)

    async def hold(self, run_id: int, number: int, problem: str) -> None:
        self._answer()
        self._end(run_id, number, PartState.HELD, problem)

    async def dead(self, run_id: int, number: int, problem: str, *, refused_access: bool) -> int:
        self._answer()
        self._end(run_id, number, PartState.DEAD, problem)
        subscription_id = self.parts[run_id, number].subscription_id
        if refused_access:
            self.failures[subscription_id] = self.failures.get(subscription_id, 0) + 1
        return self.failures.get(subscription_id, 0)

    def _end(self, run_id: int, number: int, state: PartState, problem: str) -> None:
        for key, one in self.parts.items():
            if key[0] == run_id and key[1] >= number and one.state is not PartState.SENT:
                self._change(*key, state=state, problem=problem)

    def _change(self, run_id: int, number: int, **values: Any) -> None:
        self.parts[run_id, number] = replace(self.parts[run_id, number], **values)


class MemorySubscriptions:
    """The part of ``Subscriptions`` that delivery uses."""

    def __init__(self) -> None:
        self.by_id: dict[str, Subscription] = {}
        self.due: dict[str, datetime | None] = {}

    def add(self, subscription_id: str = "s1", state: State = State.ACTIVE, **plan: Any) -> Subscription:
        made = Plan.model_validate({"name": f"Digest {subscription_id}", "channel_id": 100, **plan})
        one = Subscription(subscription_id, GUILD, made, 1, state, None, None, 0, "")
        self.by_id[subscription_id] = one
        return one

    async def get(self, subscription_id: str) -> Subscription | None:
        return self.by_id.get(subscription_id)

    async def suspend(self, subscription_id: str, problem: str) -> bool:
        one = self.by_id.get(subscription_id)
        if one is None or one.state is not State.ACTIVE:
            return False
        self.by_id[subscription_id] = replace(one, state=State.SUSPENDED, problem=problem)
        return True

    async def revive(self, subscription_id: str, due_at: datetime | None) -> bool:
        one = self.by_id[subscription_id]
        if one.state is not State.SUSPENDED:
            return False
        self.by_id[subscription_id] = replace(one, state=State.ACTIVE, due_at=due_at)
        return True

    async def suspended(self, guild_id: int | None = None) -> tuple[Subscription, ...]:
        return tuple(
            one for one in self.by_id.values() if one.state is State.SUSPENDED and guild_id in {None, one.guild_id}
        )


@dataclass
class Message:
    """As a channel keeps it."""

    id: int
    author_id: int
    body: Mapping[str, Any]
    png: bytes | None = None

    def json(self) -> dict[str, Any]:
        return {"id": str(self.id), "author": {"id": str(self.author_id)}, **self.body}


Step = Callable[["FakeDiscord", Callable[[], Reply]], Awaitable[Reply]]
"""What goes wrong with one request; the callable does what was asked."""


@dataclass
class FakeDiscord:
    """``Rest`` on channels in memory. ``script`` says what becomes of the next creations, then all go well.

    It remembers a nonce for ``nonce_s``, and counts requests in fixed windows of a second, as Discord does.
    """

    clock: VirtualClock
    script: list[Any] = field(default_factory=list)
    nonce_s: float = 60.0
    latency_s: float = 0.01
    channels: dict[int, list[Message]] = field(default_factory=dict)
    posts: dict[int, int] = field(default_factory=dict)
    """Forums of posts, by the post's id."""
    history: bool = True
    unreadable: bool = False
    """True: whoever reads gets no answer."""
    refusals: dict[int, int] = field(default_factory=dict)
    """Codes with which channels refuse, by the channel's id."""
    asked: list[tuple[float, str, str]] = field(default_factory=list)
    in_flight: dict[int, int] = field(default_factory=dict)
    most_in_flight: int = 0
    together: int = 0
    """The most requests at once to one channel."""
    late: list[asyncio.Task[None]] = field(default_factory=list)
    _numbers: int = 0
    _nonces: dict[str, tuple[float, Message]] = field(default_factory=dict)

    async def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        png: bytes | None = None,
        timeout_s: float,
    ) -> Reply:
        self.asked.append((self.clock.monotonic(), method, path))
        bare, _, query = path.partition("?")
        _, kind, first, *rest = bare.split("/")
        target = int(first) if first.isdigit() else 0
        self.in_flight[target] = self.in_flight.get(target, 0) + 1
        self.together = max(self.together, self.in_flight[target])
        self.most_in_flight = max(self.most_in_flight, sum(self.in_flight.values()))
        try:
            step = self.script.pop(0) if self.script and method == "POST" else None
            await self.clock.sleep(self.latency_s)

            def act() -> Reply:
                if method == "POST":
                    return self._create(target, rest[0], body or {}, png)
                return self._read(kind, target, rest, query)

            return await step(self, act) if step is not None else act()
        finally:
            self.in_flight[target] -= 1

    @property
    def messages(self) -> list[Message]:
        """Everything that the bot posted, in order."""
        return [one for said in self.channels.values() for one in said if one.author_id == BOT_ID]

    def creations(self) -> list[float]:
        """When messages or posts were asked for."""
        return [at for at, method, _ in self.asked if method == "POST"]

    def say(self, channel_id: int, body: Mapping[str, Any] | None = None, author_id: int = 1) -> Message:
        """Somebody posts."""
        said = Message(self._next_id(), author_id, body or {"content": "hello"})
        self.channels.setdefault(channel_id, []).append(said)
        return said

    def _next_id(self) -> int:
        self._numbers += 1
        return snowflake(self.clock.utc()) + self._numbers

    def _create(self, channel_id: int, what: str, body: Mapping[str, Any], png: bytes | None) -> Reply:
        if channel_id in self.refusals:
            return refusal(403, self.refusals[channel_id])
        if what == "threads":
            post = Message(self._next_id(), BOT_ID, body["message"], png)
            self.posts[post.id] = channel_id
            self.channels[post.id] = [post]
            return reply(201, {"id": str(post.id), "message": {"id": str(post.id)}})
        nonce = str(body["nonce"])
        held = self._nonces.get(nonce)
        if held is not None and self.clock.monotonic() - held[0] <= self.nonce_s and body["enforce_nonce"]:
            return reply(200, held[1].json())
        made = Message(self._next_id(), BOT_ID, body, png)
        self.channels.setdefault(channel_id, []).append(made)
        self._nonces[nonce] = (self.clock.monotonic(), made)
        return reply(200, made.json())

    def _read(self, kind: str, target: int, rest: list[str], query: str) -> Reply:
        if self.unreadable:
            raise NoReply("TimeoutError")
        if kind == "guilds":
            threads = [
                {"id": str(post), "parent_id": str(forum), "owner_id": str(BOT_ID)}
                for post, forum in self.posts.items()
            ]
            return reply(200, {"threads": threads})
        said = self.channels.get(target, []) if self.history else []
        if len(rest) == 2:
            return reply(200, said[0].json())
        asked = dict(pair.split("=") for pair in query.split("&"))
        later = [one for one in said if one.id > int(asked["after"])][: int(asked["limit"])]
        return reply(200, [one.json() for one in reversed(later)])


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    """An answer of Discord's."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, CIMultiDict({"Via": "1.1 google", **named}))


def refusal(status: int, code: int) -> Reply:
    """A refusal of Discord's."""
    return reply(status, {"message": "no", "code": code})


def answers(made: Reply, *, after: bool = False) -> Step:
    """Answers that instead; ``after``: when it has had its effect."""

    async def step(_: FakeDiscord, act: Callable[[], Reply]) -> Reply:
        if after:
            act()
        return made

    return step


def drops(*, after: bool = False) -> Step:
    """The connection breaks."""

    async def step(_: FakeDiscord, act: Callable[[], Reply]) -> Reply:
        if after:
            act()
        raise NoReply("ServerDisconnectedError")

    return step


def hangs(*, after: bool = False, for_s: float = 30.0) -> Step:
    """No answer within the time-out of a creation."""

    async def step(discord: FakeDiscord, act: Callable[[], Reply]) -> Reply:
        if after:
            act()
        await discord.clock.sleep(for_s)
        raise NoReply("TimeoutError")

    return step


def arrives_late(after_s: float) -> Step:
    """The connection breaks; what was sent is posted later all the same."""

    async def step(discord: FakeDiscord, act: Callable[[], Reply]) -> Reply:
        async def arrive() -> None:
            await discord.clock.sleep(after_s)
            act()

        discord.late.append(asyncio.create_task(arrive()))
        raise NoReply("ServerDisconnectedError")

    return step


def unreachable() -> Step:
    """Not even a connection."""

    async def step(_: FakeDiscord, act: Callable[[], Reply]) -> Reply:
        raise NotReached("ClientConnectorError")

    return step


def limited(seconds: float, scope: str = "user") -> Step:
    """A 429 of Discord's."""
    body = {"message": "You are being rate limited.", "retry_after": seconds, "global": scope == "global"}
    return answers(reply(429, body, X_RateLimit_Scope=scope))


@dataclass
class KnownAccess:
    """What the gateway would have told."""

    history: bool | None = True
    bot_id: int = BOT_ID

    def may_read_back(self, guild_id: int, channel_id: int) -> bool | None:
        return self.history


@dataclass
class HeardAdmins:
    """What admins were told."""

    cards: list[tuple[int, Card]] = field(default_factory=list)

    def tell(self, guild_id: int, card: Card) -> None:
        self.cards.append((guild_id, card))

    @property
    def titles(self) -> list[str]:
        return [card.embed.title for _, card in self.cards]
