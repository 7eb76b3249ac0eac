"""One websocket of the gateway: hello, heartbeats, identify, resume, and the rules that close it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import orjson
from aiohttp import WSMsgType, web

from sandbox import intents as intents_
from sandbox import wire
from sandbox.compression import Compressor, compressor
from sandbox.errors import JsonObject
from sandbox.gateway import GUILDS_A_SHARD, CloseCode, Closing, Gateway, Session
from sandbox.guilds import Guild, User
from sandbox.snowflakes import shard_of

MAX_PAYLOAD_BYTES = 4_096
SENDS_A_MINUTE = 120
FRAMES_QUEUED = 20_000
"""Frames that wait for a slow reader; one more, and the connection is cut."""

FAREWELL_S = 0.5
"""How long a close frame may take to go out."""

HEARTBEATS_MISSED = 1.5
"""Heartbeat intervals of silence after which a connection counts as dead."""


class Home(Protocol):
    """What a connection needs to know of the Discord that it belongs to."""

    application_id: int
    bot_user: User

    @property
    def token(self) -> str:
        """The bot's token."""
        ...

    @property
    def gateway_url(self) -> str:
        """Where to resume."""
        ...

    def bot_guilds(self) -> list[Guild]:
        """Guilds that the bot is in."""
        ...


class Connection:
    """Owns one websocket until it closes. Frames go out through a bounded queue and one writing task."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, gateway: Gateway, home: Home) -> None:
        self.session: Session | None = None
        self.received: deque[JsonObject] = deque(maxlen=200)
        self._socket = socket
        self._transport = request.transport
        self._query = request.query
        self._gateway = gateway
        self._home = home
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue(FRAMES_QUEUED)
        self._compressor: Compressor | None = None
        self._sent_at: deque[float] = deque(maxlen=SENDS_A_MINUTE)
        self._heartbeat_at = gateway.clock.monotonic()
        self._closing: Closing | None = None
        self._severed = False
        self._patience: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Serve the connection until either side ends it."""
        gateway = self._gateway
        gateway.connections.append(self)
        gateway.activity.tell("gateway.connected", self)
        writer = asyncio.create_task(self._write())
        try:
            self._open()
            await self._read()
        except Closing as closing:
            self._start_closing(closing)
        finally:
            gateway.connections.remove(self)
            self._leave_session()
            await self._say_farewell(writer)
            writer.cancel()
            await asyncio.wait({writer})  # unlike awaiting it, this lets a cancellation of our own pass
            code = self._socket.close_code if self._closing is None else self._closing.code
            gateway.activity.tell("gateway.closed", self, code=code)

    def _leave_session(self) -> None:
        if self.session is None or self.session.connection is not self:
            return
        said_goodbye = self._socket.close_code in (1000, 1001) and self._closing is None and not self._severed
        self._gateway.leave(self.session, ended=said_goodbye)

    async def _say_farewell(self, writer: asyncio.Task[None]) -> None:
        """Send the close frame, after what is queued. Never while a ``receive`` is pending.

        aiohttp would cut the transport in that case, and the other side might see 1006 instead of the code.
        """
        if self._closing is None or self._severed:
            return
        await asyncio.wait({writer}, timeout=FAREWELL_S)
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._socket.close(code=self._closing.code, message=self._closing.reason.encode())

    def _open(self) -> None:
        version = self._query.get("v", "10")
        if version not in ("9", "10") or self._query.get("encoding", "json") != "json":
            raise Closing(CloseCode.INVALID_API_VERSION, "Invalid API version or encoding.")
        try:
            self._compressor = compressor(self._query.get("compress", ""))
        except ValueError:
            raise Closing(CloseCode.DECODE_ERROR, "Unknown compression.") from None
        interval_ms = int(self._gateway.heartbeat_interval_s * 1000)
        self.send({"op": 10, "s": None, "t": None, "d": {"heartbeat_interval": interval_ms, "_trace": ["sandbox"]}})

    async def _read(self) -> None:
        while True:
            message = await self._next_message()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._take(message.data)
            elif message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return

    async def _next_message(self) -> Any:
        """The next message, or 4009 when no heartbeat came for too long."""
        while True:
            patience_s = self._gateway.heartbeat_interval_s * HEARTBEATS_MISSED
            left_s = self._heartbeat_at + patience_s - self._gateway.clock.monotonic()
            if left_s <= 0:
                raise Closing(CloseCode.SESSION_TIMED_OUT, "Session timed out.")
            if self._closing is not None:
                raise self._closing
            try:
                async with asyncio.timeout(left_s) as self._patience:
                    return await self._socket.receive()
            except TimeoutError:
                continue
            finally:
                self._patience = None

    def _take(self, data: str | bytes) -> None:
        size = len(data.encode()) if isinstance(data, str) else len(data)
        if size > MAX_PAYLOAD_BYTES:
            raise Closing(CloseCode.DECODE_ERROR, "Payload too large.")
        try:
            payload = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise Closing(CloseCode.DECODE_ERROR, "Error while decoding payload.") from None
        if not isinstance(payload, dict):
            raise Closing(CloseCode.DECODE_ERROR, "Error while decoding payload.")
        self._count_send()
        self.received.append(payload)
        self._gateway.activity.tell("gateway.received", self, payload=payload)
        self._obey(payload.get("op"), payload.get("d"))

    def _count_send(self) -> None:
        now = self._gateway.clock.monotonic()
        if len(self._sent_at) == SENDS_A_MINUTE and now - self._sent_at[0] < 60.0:
            raise Closing(CloseCode.RATE_LIMITED, "You are being rate limited.")
        self._sent_at.append(now)

    def _obey(self, op: object, data: Any) -> None:
        actions: dict[object, Callable[[Any], None]] = {
            1: self._heartbeat,
            2: self._identify,
            6: self._resume,
            3: self._ignore,
            4: self._ignore,
            8: self._ignore,
            31: self._ignore,
            43: self._ignore,
        }
        action = None if isinstance(op, bool) or not isinstance(op, int) else actions.get(op)
        if action is None:
            raise Closing(CloseCode.UNKNOWN_OPCODE, "Unknown opcode.")
        action(data)

    def _heartbeat(self, _: Any) -> None:
        self._heartbeat_at = self._gateway.clock.monotonic()
        self.send({"op": 11, "d": None})

    def _ignore(self, _: Any) -> None:
        """Presence, voice state, member requests: taken, without effect here; only the order is checked."""
        if self.session is None:
            raise Closing(CloseCode.NOT_AUTHENTICATED, "Not authenticated.")

    def _identify(self, data: Any) -> None:
        if self.session is not None:
            raise Closing(CloseCode.ALREADY_AUTHENTICATED, "Already authenticated.")
        self._gateway.admit()
        if not isinstance(data, dict) or not isinstance(data.get("properties"), dict):
            raise Closing(CloseCode.DECODE_ERROR, "Error while decoding payload.")
        if data.get("token") not in (self._home.token, f"Bot {self._home.token}"):
            raise Closing(CloseCode.AUTHENTICATION_FAILED, "Authentication failed.")
        shard_id, shard_count = self._shard(data.get("shard", [0, 1]))
        intents = self._intents(data.get("intents"))
        if not self._gateway.may_identify({k: v for k, v in data.items() if k != "token"}, shard_id):
            self.send({"op": 9, "d": False})
            return
        self.session = self._gateway.open_session(self, intents, shard_id, shard_count)
        self._welcome(self.session)

    def _shard(self, shard: Any) -> tuple[int, int]:
        match shard:
            case [int(shard_id), int(count)] if 0 <= shard_id < count:
                pass
            case _:
                raise Closing(CloseCode.INVALID_SHARD, "Invalid shard.")
        here = sum(1 for guild in self._home.bot_guilds() if shard_of(guild.id, count) == shard_id)
        if here > GUILDS_A_SHARD:
            raise Closing(CloseCode.SHARDING_REQUIRED, "Sharding required.")
        return shard_id, count

    def _intents(self, intents: object) -> int:
        if not isinstance(intents, int) or not intents_.are_valid(intents):
            raise Closing(CloseCode.INVALID_INTENTS, "Invalid intent(s).")
        if intents & intents_.PRIVILEGED & ~self._gateway.privileged_intents:
            raise Closing(CloseCode.DISALLOWED_INTENTS, "Disallowed intent(s).")
        return intents

    def _welcome(self, session: Session) -> None:
        """READY with every guild unavailable, then the guilds one by one."""
        home = self._home
        guilds = [g for g in home.bot_guilds() if shard_of(g.id, session.shard_count) == session.shard_id]
        session.push(
            "READY",
            {
                "v": 10,
                "user": {**wire.user(home.bot_user), "verified": True, "mfa_enabled": False, "flags": 0},
                "user_settings": {},
                "session_type": "normal",
                "session_id": session.id,
                "resume_gateway_url": home.gateway_url,
                "private_channels": [],
                "relationships": [],
                "presences": [],
                "guild_join_requests": [],
                "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
                "shard": [session.shard_id, session.shard_count],
                "application": {"id": str(home.application_id), "flags": 0},
                "_trace": ["sandbox"],
            },
        )
        if session.intents & intents_.GUILDS:
            for guild in guilds:
                if guild.available:
                    session.push("GUILD_CREATE", wire.guild_create(guild))

    def _resume(self, data: Any) -> None:
        if self.session is not None:
            raise Closing(CloseCode.ALREADY_AUTHENTICATED, "Already authenticated.")
        self._gateway.admit()
        if not isinstance(data, dict) or data.get("token") not in (self._home.token, f"Bot {self._home.token}"):
            raise Closing(CloseCode.AUTHENTICATION_FAILED, "Authentication failed.")
        session = self._gateway.resumable(data.get("session_id"))
        seq = data.get("seq")
        if session is None:
            self.send({"op": 9, "d": False})
            return
        if not isinstance(seq, int) or seq > session.seq or seq < 0:
            raise Closing(CloseCode.INVALID_SEQ, "Invalid seq.")
        missed = session.missed_since(seq)
        if missed is None:
            self._gateway.forget(session)
            self.send({"op": 9, "d": False})
            return
        if session.connection is not None:
            session.connection.close(CloseCode.UNKNOWN_ERROR)
        session.connection = self
        session.left_at = None
        self.session = session
        for frame in missed:
            self.send_frame(frame)
        session.push("RESUMED", {"_trace": ["sandbox"]})

    def send(self, payload: JsonObject) -> None:
        """Queue a payload that belongs to no session."""
        self.send_frame(orjson.dumps(payload))

    def send_frame(self, frame: bytes) -> None:
        """Queue an encoded payload; a reader who is too slow is cut off."""
        if self._closing is not None or self._severed:
            return
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.sever()

    def close(self, code: int, reason: str = "") -> None:
        """Close with ``code`` after what is queued; does not wait."""
        self._start_closing(Closing(code, reason))

    def sever(self) -> None:
        """Cut the connection without a close frame."""
        self._severed = True
        if self._transport is not None:
            self._transport.abort()

    def _start_closing(self, closing: Closing) -> None:
        if self._closing is not None or self._severed:
            return
        self._closing = closing
        try:
            self._frames.put_nowait(None)
        except asyncio.QueueFull:
            self.sever()
        if self._patience is not None and not self._patience.expired():
            # Ends the pending ``receive``, whose loop then finds out why.
            self._patience.reschedule(asyncio.get_running_loop().time())

    async def _write(self) -> None:
        """Send what is queued, in order, until the mark of the end or until the other side is gone."""
        while (frame := await self._frames.get()) is not None:
            try:
                await self._send(frame)
            except (ConnectionError, RuntimeError):
                # The other side went away between two frames; the reader notices and ends the connection.
                return

    async def _send(self, frame: bytes) -> None:
        self._gateway.activity.tell("gateway.sent", self, frame=frame)
        if self._compressor is None:
            await self._socket.send_str(frame.decode())
        else:
            await self._socket.send_bytes(self._compressor.compress(frame))
