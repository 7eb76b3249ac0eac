"""One bot, one server, people in it; and what can be asked and looked at."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from agents.errors import SourceError
from agents.events import utc_now
from agents.fetch.request import Fetch
from agents.signal import Engagement, Signal
from agents.source import Option, Question, Scan, SourceSpec
from bot.app import Parts
from bot.client import SignalsBot
from sandbox.exchange import Exchange
from sandbox.guilds import Channel, User
from sandbox.messages import Message
from sandbox.rest.pipeline import RequestRecord
from sandbox.server import LocalDiscord

SAY, UPDATE = 4, 7
"""Callback types that carry a message."""


def found(count: int = 12, source: str = "reddit", **changes: Any) -> Scan:
    """A scan of distinct stories of the last hours."""
    words = ("amber", "birch", "cedar", "dune", "elm", "fjord", "glade", "heath", "isle", "jetty", "kelp", "loch")
    return Scan(
        tuple(
            Signal.model_validate(
                {
                    "id": f"{source}:{number}",
                    "source": source,
                    "title": f"{words[number % 12]} {source} {words[(number * 5 + 3) % 12]} {number}",
                    "url": f"https://www.example.com/{source}/{number}",
                    "timestamp": utc_now() - timedelta(minutes=number + 1),
                    "engagement": Engagement(points=100 + number, comments=number),
                    **changes,
                }
            )
            for number in range(count)
        )
    )


class FakeSource:
    """Answers every question with ``outcome``, once ``gate`` (if any) is open."""

    def __init__(self, name: str, title: str, options: tuple[Option, ...] = ()) -> None:
        self.spec = SourceSpec(name=name, title=title, help=f"What is new on {title}", options=options)
        self.outcome: Scan | SourceError | Exception = found(source=name)
        self.gate: asyncio.Event | None = None
        self.off: str | None = None
        self.asked: list[Question] = []

    def unavailable(self) -> str | None:
        return self.off

    async def scan(self, question: Question, fetch: Fetch) -> Scan:
        self.asked.append(question)
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def usual_sources() -> dict[str, FakeSource]:
    """Three sources, one of them with options."""

    def lower(text: str) -> str:
        if " " in text:
            raise ValueError(f"“{text}” is no subreddit.")
        return text.lower()

    def ordering(text: str) -> str:
        if text not in {"new", "top"}:
            raise ValueError("sort is new or top.")
        return text

    subreddit = Option(name="subreddit", help="Where", parse=lower, example="python")
    sort = Option(name="sort", help="Which", parse=ordering, choices=("new", "top"))
    made = (
        FakeSource("reddit", "Reddit", (subreddit, sort)),
        FakeSource("hackernews", "Hacker News"),
        FakeSource("news", "News"),
    )
    return {source.spec.name: source for source in made}


class Scene:
    """A running bot with a server of one channel and ada in it."""

    def __init__(self, local: LocalDiscord, parts: Parts, bot: SignalsBot) -> None:
        self.local = local
        self.parts = parts
        self.bot = bot
        if not local.guilds:
            local.add_guild("Test", ["general"]).add_member(local.add_user("ada", installed=False))
        self.guild = local.guilds[0]
        self.channel = self.guild.first_text_channel()
        self.ada = next(m.user for m in self.guild.members.values() if m.user.name == "ada")

    async def settled(self, connected: "asyncio.Task[None]") -> None:
        """Connected, with the server known and the commands registered."""

        def ready() -> bool:
            if connected.done():
                connected.result()
            return self.bot.is_ready() and bool(self.local.commands.all())

        await until(ready)

    def person(self, name: str) -> User:
        """Somebody else in the server."""
        user = self.local.add_user(name)
        self.guild.add_member(user)
        return user

    async def type(self, line: str, user: User | None = None, channel: Channel | None = None) -> Exchange:
        """Type a command as ada in her channel, or as another elsewhere."""
        return await self.local.type_command(user or self.ada, channel or self.channel, line)

    async def answer(self, line: str, user: User | None = None, channel: Channel | None = None) -> Message:
        """Type a command and wait for its answer, with buttons."""
        return await answer_to(await self.type(line, user, channel))

    async def send(self, path: str, options: list[dict[str, Any]] | None = None, **more: Any) -> Exchange:
        """Send a command unchecked, and wait until it was acknowledged."""
        exchange = await self.local.send_command(self.ada, self.channel, path, options, **more)
        assert await exchange.wait_acknowledged(), exchange
        return exchange

    async def press(self, message: Message, which: str | int, user: User | None = None, **more: Any) -> Exchange:
        """Press a button, and wait until it was acknowledged."""
        exchange = await self.local.click(user or self.ada, message, which, **more)
        assert await exchange.wait_acknowledged(), exchange
        return exchange


async def answer_to(exchange: Exchange) -> Message:
    """The message that a command ends with: an embed over buttons."""
    return await exchange.wait_message(predicate=lambda message: bool(message.components))


async def until(true: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait for something that nothing tells about."""
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.005)


def text_of(message: Message) -> str:
    """All that a person reads in it."""
    parts = [message.content]
    for embed in message.embeds:
        parts += [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
        parts += [f"{field['name']}\n{field['value']}" for field in embed.get("fields", ())]
    return "\n".join(part for part in parts if part)


def custom_ids(message: Message) -> dict[str, str]:
    """The buttons by their labels."""
    return {button["label"]: button["custom_id"] for row in message.components for button in row["components"]}


def may_mention(requests: Iterable[RequestRecord]) -> list[RequestRecord]:
    """Requests that create or edit a message without forbidding every mention, but for a digest's own role."""
    return [
        record
        for record in requests
        if _makes_message(record) and _mentions(record) != {"parse": []} and not _calls_one_role(record)
    ]


def _makes_message(record: RequestRecord) -> bool:
    if record.method not in {"POST", "PATCH"} or not isinstance(record.body, dict):
        return False
    if record.path.endswith("/callback"):
        return record.body.get("type") in {SAY, UPDATE}
    return "/messages" in record.path or record.path.startswith("/webhooks/") or "message" in record.body


def _message_of(record: RequestRecord) -> Mapping[str, Any]:
    """The message within a response to an interaction or a post in a forum, or the whole body."""
    body: Mapping[str, Any] = record.body
    inner = body.get("data" if record.path.endswith("/callback") else "message", body)
    return inner if isinstance(inner, Mapping) else body


def _mentions(record: RequestRecord) -> Any:
    return _message_of(record).get("allowed_mentions")


def _calls_one_role(record: RequestRecord) -> bool:
    """Whether it is a new message in a channel whose whole content is the one role that it may mention."""
    mentions, content = _mentions(record), _message_of(record).get("content")
    if not isinstance(mentions, Mapping) or len(mentions.get("roles", ())) != 1:
        return False
    (role_id,) = mentions["roles"]
    in_channel = record.method == "POST" and record.path.startswith("/channels/")
    return in_channel and mentions == {"parse": [], "roles": [role_id]} and content == f"<@&{role_id}>"


def edits(local: LocalDiscord) -> list[RequestRecord]:
    """Every edit of an interaction's answer."""
    return [record for record in local.requests if record.method == "PATCH" and "/webhooks/" in record.path]


def messages_made(local: LocalDiscord) -> list[RequestRecord]:
    """Every request that made or edited a message, deferrals aside."""
    return [record for record in local.requests if _makes_message(record)]
