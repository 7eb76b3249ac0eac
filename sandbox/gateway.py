"""The gateway: sessions that outlive their connections, and which event goes to which of them.

https://discord.com/developers/docs/events/gateway
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import orjson

from sandbox import intents as intents_
from sandbox.activity import Activity
from sandbox.clock import Clock
from sandbox.errors import JsonObject
from sandbox.snowflakes import shard_of

if TYPE_CHECKING:
    from sandbox.connection import Connection

REPLAYED = 2_000
"""Events that a session keeps for a resume; one that missed more must start anew."""

SESSION_LIFE_S = 180.0
"""How long a session outlives its connection."""

SESSIONS_KEPT = 256
"""Sessions remembered, connected or not."""

GUILDS_A_SHARD = 2_500
"""More guilds than this on one shard, and Discord closes with 4011."""


class CloseCode(IntEnum):
    """https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes."""

    UNKNOWN_ERROR = 4000
    UNKNOWN_OPCODE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    INVALID_SEQ = 4007
    RATE_LIMITED = 4008
    SESSION_TIMED_OUT = 4009
    INVALID_SHARD = 4010
    SHARDING_REQUIRED = 4011
    INVALID_API_VERSION = 4012
    INVALID_INTENTS = 4013
    DISALLOWED_INTENTS = 4014


class Closing(Exception):
    """Ends the connection with ``code``."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Identify:
    """An identify as it arrived; ``accepted`` is False where the rule of one per key and interval refused it."""

    payload: JsonObject
    at: float
    accepted: bool

    @property
    def intents(self) -> int:
        """The intents asked for."""
        return int(self.payload.get("intents", 0))

    @property
    def shard(self) -> tuple[int, int]:
        """Shard and count."""
        shard_id, count = self.payload.get("shard", (0, 1))
        return int(shard_id), int(count)


@dataclass(slots=True, eq=False)
class Session:
    """What READY opened: intents, a shard, a sequence and the events that a resume replays."""

    id: str
    intents: int
    shard_id: int
    shard_count: int
    seq: int = 0
    sent: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=REPLAYED))
    connection: Connection | None = None
    left_at: float | None = None

    def push(self, event: str, data: JsonObject) -> None:
        """Number the event, keep it for a resume, and send it if somebody is connected."""
        self.seq += 1
        frame = orjson.dumps({"op": 0, "t": event, "s": self.seq, "d": data})
        self.sent.append((self.seq, frame))
        if self.connection is not None:
            self.connection.send_frame(frame)

    def missed_since(self, seq: int) -> list[bytes] | None:
        """Frames after ``seq``, oldest first; None where too many were missed to replay them."""
        if seq < self.seq and (not self.sent or self.sent[0][0] > seq + 1):
            return None
        return [frame for number, frame in self.sent if number > seq]


class Gateway:
    """Sessions and identify limits; tests also steer it: drop, reconnect, invalidate."""

    def __init__(
        self,
        clock: Clock,
        activity: Activity,
        *,
        identify_interval_s: float = 5.0,
        heartbeat_interval_s: float = 41.25,
        max_concurrency: int = 1,
        session_starts: int = 1_000,
        shards: int = 1,
        privileged_intents: int = 0,
        on_token_reset: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock = clock
        self.activity = activity
        self.identify_interval_s = identify_interval_s
        self.heartbeat_interval_s = heartbeat_interval_s
        self.max_concurrency = max_concurrency
        self.session_starts = session_starts
        self.starts_left = session_starts
        self.shards = shards
        self.privileged_intents = privileged_intents
        self.connections: list[Connection] = []
        self.identifies: deque[Identify] = deque(maxlen=1_000)
        self._refusals: deque[int] = deque(maxlen=1_000)
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._identified_at: dict[int, float] = {}
        self._starts_reset_at = clock.monotonic() + 86_400
        self._on_token_reset = on_token_reset

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Sessions that are connected or can be resumed."""
        return tuple(self._sessions.values())

    def dispatch(
        self, event: str, data: JsonObject, guild_id: int | None, *, without_content: JsonObject | None = None
    ) -> int:
        """Send the event to the sessions on its shard whose intents cover it; returns how many are connected.

        ``without_content`` is what sessions without the message content intent get instead.
        """
        reached = 0
        own = event == "GUILD_MEMBER_UPDATE" and data["user"]["bot"]  # the bot hears of itself whatever its intents
        for session in self._sessions.values():
            if shard_of(guild_id, session.shard_count) != session.shard_id:
                continue
            if not (own or intents_.cover(session.intents, event, guild_id)):
                continue
            bare = without_content is not None and not session.intents & intents_.MESSAGE_CONTENT
            session.push(event, without_content if bare and without_content is not None else data)
            reached += session.connection is not None
        return reached

    def may_identify(self, payload: JsonObject, shard_id: int) -> bool:
        """Apply one identify per key and interval, and a day's session starts; records the identify."""
        now = self.clock.monotonic()
        key = shard_id % self.max_concurrency
        last = self._identified_at.get(key)
        accepted = last is None or now - last >= self.identify_interval_s
        self.identifies.append(Identify(payload, now, accepted))
        if accepted:
            self._identified_at[key] = now
            self._spend_start(now)
        return accepted

    def _spend_start(self, now: float) -> None:
        if now >= self._starts_reset_at:
            self.starts_left = self.session_starts
            self._starts_reset_at = now + 86_400
        self.starts_left -= 1
        if self.starts_left < 0:
            # Discord resets the token of a bot that starts too many sessions.
            self._on_token_reset()
            raise Closing(CloseCode.AUTHENTICATION_FAILED, "Authentication failed.")

    def starts_reset_after_s(self) -> float:
        """Seconds until the day's session starts are full again."""
        return max(0.0, self._starts_reset_at - self.clock.monotonic())

    def open_session(self, connection: Connection, intents: int, shard_id: int, shard_count: int) -> Session:
        """A new session; one that the shard had before on a live connection stays, as Discord's does."""
        session = Session(secrets.token_hex(16), intents, shard_id, shard_count, connection=connection)
        self._sessions[session.id] = session
        self._expire()
        return session

    def resumable(self, session_id: object) -> Session | None:
        """The session, if it can still be resumed."""
        self._expire()
        return self._sessions.get(session_id) if isinstance(session_id, str) else None

    def leave(self, session: Session, *, ended: bool) -> None:
        """The session's connection is gone; ``ended`` where it closed with 1000 or 1001."""
        session.connection = None
        session.left_at = self.clock.monotonic()
        if ended:
            self._sessions.pop(session.id, None)

    def forget(self, session: Session) -> None:
        """The session cannot be resumed any more."""
        self._sessions.pop(session.id, None)

    def _expire(self) -> None:
        now = self.clock.monotonic()
        for session in list(self._sessions.values()):
            gone = session.left_at is not None and now - session.left_at > SESSION_LIFE_S
            crowded = len(self._sessions) > SESSIONS_KEPT and session.connection is None
            if gone or crowded:
                del self._sessions[session.id]

    def _chosen(self, shard_id: int | None) -> Iterable[Connection]:
        return [
            connection
            for connection in self.connections
            if shard_id is None or (connection.session is not None and connection.session.shard_id == shard_id)
        ]

    def drop(self, code: int = 4000, *, shard_id: int | None = None) -> int:
        """Close connections (all, or a shard's) with ``code``; returns how many."""
        chosen = list(self._chosen(shard_id))
        for connection in chosen:
            connection.close(code)
        return len(chosen)

    def sever(self, *, shard_id: int | None = None) -> int:
        """Cut connections without a close frame, as a network failure does; returns how many."""
        chosen = list(self._chosen(shard_id))
        for connection in chosen:
            connection.sever()
        return len(chosen)

    def refuse_next(self, code: int, *, count: int = 1) -> None:
        """Answer the next ``count`` identifies or resumes by closing with ``code``."""
        self._refusals.extend([code] * count)

    def admit(self) -> None:
        """Let an identify or resume through; Closing where a test wants it refused."""
        if self._refusals:
            raise Closing(self._refusals.popleft(), "Refused.")

    def reconnect(self, *, shard_id: int | None = None) -> int:
        """Ask clients to reconnect and resume (op 7); returns how many were asked."""
        return self._tell_all({"op": 7, "d": None}, shard_id)

    def invalid_session(self, *, resumable: bool = False, shard_id: int | None = None) -> int:
        """Tell clients that their session is invalid (op 9); returns how many were told."""
        if not resumable:
            for connection in self._chosen(shard_id):
                if connection.session is not None:
                    self.forget(connection.session)
        return self._tell_all({"op": 9, "d": resumable}, shard_id)

    def _tell_all(self, payload: JsonObject, shard_id: int | None) -> int:
        frame = orjson.dumps(payload)
        chosen = list(self._chosen(shard_id))
        for connection in chosen:
            connection.send_frame(frame)
        return len(chosen)
