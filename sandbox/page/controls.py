"""What the page can do besides acting as people: faults, the clock, the gateway, the bot's process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.errors import JsonObject
from sandbox.faults import Fault, FaultKind
from sandbox.server import LocalDiscord
from sandbox.upstreams import Behaviour
from sandbox.upstreams import Fault as SourceFault

SLOW_S = 5.0
RETRY_AFTER_S = 4.0
LONGEST_ADVANCE_S = 366 * 86_400.0

_ROUTES = {
    "everything": ".*",
    "acknowledgements": r"^/interactions/",
    "edits": r"^/webhooks/",
    "posts": r"^/channels/[0-9]+/messages",
}
_KINDS: Mapping[str, JsonObject] = {
    "slow": {"kind": FaultKind.SLOW, "delay_s": SLOW_S},
    "500": {"kind": FaultKind.STATUS, "status": 500},
    "429": {"kind": FaultKind.RATE_LIMIT, "retry_after_s": RETRY_AFTER_S},
    "garbage": {"kind": FaultKind.GARBAGE},
    "dropped": {"kind": FaultKind.DROP_BEFORE},
}


class BotState(StrEnum):
    """How the bot's process is."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


class NotPossible(ValueError):
    """It cannot be done; the message says why, to a person."""


@dataclass(frozen=True, slots=True)
class Source:
    """An upstream that the bot reads; ``behaviour`` is None for a real one, which cannot be made to fail."""

    title: str
    behaviour: Behaviour | None


@dataclass(slots=True)
class Bot:
    """The bot behind the page, whoever runs it; what is None is not possible here.

    ``start_workflow`` says what came of it; ``advance`` lets so many seconds pass for the bot.
    """

    state: BotState = BotState.STARTING
    restart: Callable[[], Awaitable[None]] | None = None
    start_workflow: Callable[[], Awaitable[str]] | None = None
    advance: Callable[[float], None] | None = None
    log: str = ""
    """Where its log is."""
    on_change: Callable[[], None] = field(default=lambda: None)

    def now(self, state: BotState) -> None:
        """The process is in another state."""
        self.state = state
        self.on_change()


class Controls:
    """Faults, clock and gateway of one local Discord, its sources and its bot."""

    def __init__(self, discord: LocalDiscord, sources: Mapping[str, Source], bot: Bot) -> None:
        self.bot = bot
        self._discord = discord
        self._sources = sources
        self._ahead_s = 0.0

    def state(self) -> JsonObject:
        """How everything is set at present."""
        return {
            "now_ms": self._discord.clock.time() * 1000,
            "ahead_s": self._ahead_s,
            "sessions": sum(session.connection is not None for session in self._discord.gateway.sessions),
            "bot": {
                "state": self.bot.state,
                "log": self.bot.log,
                "can_restart": self.bot.restart is not None,
                "can_start_workflow": self.bot.start_workflow is not None,
                "shares_clock": self.bot.advance is not None,
            },
            "discord_faults": [_fault_json(fault) for fault in self._discord.faults if not fault.is_spent],
            "sources": {name: _source_json(source) for name, source in self._sources.items()},
        }

    def fail_discord(self, what: str, where: str, count: int | None) -> None:
        """Let ``count`` REST requests fail (None: all of them, until it is put right)."""
        if what not in _KINDS or where not in _ROUTES:
            raise NotPossible(f"Discord cannot be made to do “{what}” for “{where}”.")
        if count is not None and not 1 <= count <= 1_000:
            raise NotPossible("Choose 1 to 1000 requests.")
        self._discord.faults.add(Fault(route=_ROUTES[where], count=count, **_KINDS[what]))

    def mend_discord(self) -> None:
        """No request fails any more."""
        self._discord.faults.clear()

    def fail_source(self, name: str, what: str) -> None:
        """Let a sample source misbehave until told otherwise; ``what`` is a value of its faults."""
        source = self._sources.get(name)
        if source is None:
            raise NotPossible(f"There is no source {name}.")
        if source.behaviour is None:
            raise NotPossible(f"{source.title} is the real one here: it cannot be made to fail.")
        source.behaviour.fault = SourceFault(what)

    def advance(self, seconds: float) -> None:
        """Let time pass: the local Discord's and, where it can be, the bot's."""
        if not 0 < seconds <= LONGEST_ADVANCE_S:
            raise NotPossible("Time goes forward, by a year at most.")
        self._discord.clock.advance(seconds)
        self._ahead_s += seconds
        if self.bot.advance is not None:
            self.bot.advance(seconds)

    def drop_gateway(self, how: str) -> None:
        """End the bot's connections: close or cut them, ask it to reconnect, or tell it that its session is over."""
        gateway = self._discord.gateway
        ways: Mapping[str, Callable[[], int]] = {
            "close": lambda: gateway.drop(4000),
            "cut": gateway.sever,
            "reconnect": gateway.reconnect,
            "invalid": lambda: gateway.invalid_session(resumable=False),
        }
        if how not in ways:
            raise NotPossible(f"A connection cannot be dropped by “{how}”.")
        if not ways[how]():
            raise NotPossible("The bot is not connected.")

    def open_commands(self, guild_id: int, *, for_all: bool) -> None:
        """Let everybody in the server find every command, as its settings can say, or end that."""
        guild = self._discord.world.guilds.get(guild_id)
        if guild is None:
            raise NotPossible("There is no such server.")
        guild.commands_for_all = for_all

    async def restart_bot(self) -> None:
        """End the bot's process and start it anew."""
        if self.bot.restart is None:
            raise NotPossible("The bot was started elsewhere: restart it there.")
        await self.bot.restart()

    async def start_workflow(self) -> str:
        """Send ``workflow:started``; returns what came of it."""
        if self.bot.start_workflow is None:
            raise NotPossible("This bot takes no workflow:started from outside.")
        return await self.bot.start_workflow()


def _fault_json(fault: Fault) -> JsonObject:
    what = next((name for name, made in _KINDS.items() if made["kind"] is fault.kind), str(fault.kind))
    where = next((name for name, route in _ROUTES.items() if route == fault.route), fault.route)
    return {"what": what, "where": where, "left": None if fault.count is None else fault.count - fault.struck}


def _source_json(source: Source) -> JsonObject:
    behaviour = source.behaviour
    return {
        "title": source.title,
        "sample": behaviour is not None,
        "fault": None if behaviour is None else behaviour.fault,
        "faults": [] if behaviour is None else list(SourceFault),
        "requests": None if behaviour is None else behaviour.requests,
    }
