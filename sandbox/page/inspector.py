"""What went over the wire for each interaction, and the bot's spans: records for the page's inspector."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import orjson

from sandbox.activity import Happening
from sandbox.errors import JsonObject
from sandbox.exchange import CallbackKind, Exchange, InteractionKind
from sandbox.rest.pipeline import RequestRecord
from sandbox.terminal import pressed

EXCHANGES_KEPT = 40
ENTRIES_KEPT = 40
"""Of one exchange; the first and the latest tell the most, so those between go."""
FRAMES_KEPT = 100
SPANS_KEPT = 1_500
LONGEST_BODY = 6_000
"""Characters of a body that are shown."""

_OPCODES = {2: "IDENTIFY", 6: "RESUME", 7: "RECONNECT", 9: "INVALID SESSION", 10: "HELLO"}
_HEARTBEATS = {1, 11}
"""Heartbeats say nothing that a person wants to read."""

Tell = Callable[..., None]


class Inspector:
    """Listens, keeps the latest of everything, and tells each addition: the kinds are exchange, entry, frame, spans.

    Times are milliseconds since 1970 by ``clock`` (seconds), the machine's own: the bot's spans are on it too.
    """

    def __init__(self, tell: Tell, clock: Callable[[], float] = time.time) -> None:
        self._tell = tell
        self._clock = clock
        self._exchanges: OrderedDict[str, JsonObject] = OrderedDict()
        self._ids_by_token: dict[str, str] = {}
        self._frames: deque[JsonObject] = deque(maxlen=FRAMES_KEPT)
        self._spans: deque[JsonObject] = deque(maxlen=SPANS_KEPT)

    def snapshot(self) -> JsonObject:
        """Everything that is kept."""
        return {
            "exchanges": list(self._exchanges.values()),
            "frames": list(self._frames),
            "spans": list(self._spans),
        }

    def hear(self, happening: Happening) -> None:
        """Take note of what concerns interactions or the gateway."""
        match happening.kind:
            case "interaction.created":
                self._begin(happening.subject)
            case "interaction.acknowledged":
                self._acknowledged(happening.subject)
            case "request":
                self._request(happening.subject)
            case "gateway.sent":
                self._frame("discord", orjson.loads(happening.details["frame"]))
            case "gateway.received":
                self._frame("bot", happening.details["payload"])
            case "gateway.connected":
                self._note_frame("bot", "connected")
            case "gateway.closed":
                code = happening.details.get("code")
                self._note_frame("discord", "closed" if code is None else f"closed with {code}")

    def add_spans(self, spans: list[JsonObject]) -> None:
        """Spans that the bot has ended."""
        self._spans.extend(spans)
        self._tell("spans", spans=spans)

    # -- interactions

    def _begin(self, exchange: Exchange) -> None:
        key = str(exchange.interaction_id)
        self._exchanges[key] = {
            "id": key,
            "kind": exchange.kind.name.lower(),
            "title": title(exchange),
            "user": exchange.user.name,
            "channel_id": str(exchange.channel.id),
            "at_ms": self._now_ms(),
            "acknowledged_ms": None,
            "answer": None,
            "entries": [],
        }
        self._ids_by_token[exchange.token] = key
        while len(self._exchanges) > EXCHANGES_KEPT:
            gone, _ = self._exchanges.popitem(last=False)
            self._ids_by_token = {token: kept for token, kept in self._ids_by_token.items() if kept != gone}
        self._tell("exchange", exchange=self._exchanges[key])

    def _acknowledged(self, exchange: Exchange) -> None:
        known = self._exchanges.get(str(exchange.interaction_id))
        if known is None or exchange.callback_kind is None or exchange.acknowledged_after_s is None:
            return
        known["acknowledged_ms"] = exchange.acknowledged_after_s * 1000
        known["answer"] = exchange.callback_kind.name.lower()
        self._tell("exchange", exchange={**known, "entries": None})

    def _request(self, record: RequestRecord) -> None:
        key = self._concerned(record.path)
        if key is None:
            return
        self._add(key, "discord", _short(record), record.body, status=record.status, fault=record.fault)

    def _concerned(self, path: str) -> str | None:
        """The interaction that a request's path names, by its id or its token."""
        parts = path.split("/")[1:]
        if len(parts) >= 3 and parts[0] in ("interactions", "webhooks"):
            return self._ids_by_token.get(parts[2])
        return None

    def _add(self, key: str, towards: str, what: str, body: Any, **more: Any) -> None:
        known = self._exchanges.get(key)
        if known is None:
            return
        entries = known["entries"]
        entry = {
            "at_ms": self._now_ms(),
            "towards": towards,
            "what": what,
            "body": _shown(body),
            "n": entries[-1]["n"] + 1 if entries else 0,
            **more,
        }
        entries.append(entry)
        if len(entries) > ENTRIES_KEPT:
            del entries[2]
        self._tell("entry", exchange_id=key, entry=entry)

    # -- the gateway

    def _frame(self, sender: str, frame: JsonObject) -> None:
        if frame.get("op") in _HEARTBEATS:
            return
        if frame.get("t") == "INTERACTION_CREATE":
            self._add(frame["d"]["id"], "bot", "INTERACTION_CREATE", {**frame["d"], "token": "…"})
            return
        what = frame.get("t") or _OPCODES.get(frame.get("op", -1), f"op {frame.get('op')}")
        self._note_frame(sender, what, frame.get("s"))

    def _note_frame(self, sender: str, what: str, seq: int | None = None) -> None:
        frame = {"at_ms": self._now_ms(), "sender": sender, "what": what, "s": seq}
        self._frames.append(frame)
        self._tell("frame", frame=frame)

    def _now_ms(self) -> float:
        return self._clock() * 1000


def title(exchange: Exchange) -> str:
    """What the person did, in a few words."""
    match exchange.kind:
        case InteractionKind.COMMAND | InteractionKind.AUTOCOMPLETE:
            return exchange.line
        case InteractionKind.MODAL:
            return "submits a form"
        case _:
            verb = "chooses in" if "values" in exchange.payload["data"] else "presses"
            return f"{verb} {pressed(exchange)}"


def _short(record: RequestRecord) -> str:
    """A request in a few words, without ids and tokens."""
    parts = record.path.split("/")[1:]
    if parts[0] == "interactions":
        kind = record.body.get("type") if isinstance(record.body, dict) else None
        name = next((known.name.lower().replace("_", " ") for known in CallbackKind if known == kind), None)
        return f"{record.method} callback" if name is None else f"{record.method} callback: {name}"
    place = "/".join(["webhook", *(part if part.startswith("@") else "message" for part in parts[4:])])
    return f"{record.method} {place}"


def _shown(body: Any) -> str:
    """The body as text, laid out to be read, cut where it is long."""
    if body is None:
        return ""
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2, default=str).decode()
    return text if len(text) <= LONGEST_BODY else f"{text[:LONGEST_BODY]}\n… {len(text) - LONGEST_BODY} more"
