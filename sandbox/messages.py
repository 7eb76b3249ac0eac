"""Messages, their versions and their attachments."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag
from typing import TYPE_CHECKING, Any

from sandbox.errors import JsonObject

if TYPE_CHECKING:
    from sandbox.guilds import Channel, User

VERSIONS_KEPT = 200
"""Versions that a message remembers; the newest beyond it replace the last one."""


class MessageFlags(IntFlag):
    """The flags that matter to a bot."""

    CROSSPOSTED = 1 << 0
    IS_CROSSPOST = 1 << 1
    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


@dataclass(frozen=True, slots=True)
class Attachment:
    """An uploaded file; ``body`` is what arrived."""

    id: int
    filename: str
    content_type: str
    body: bytes
    url: str
    description: str | None = None

    @property
    def size_bytes(self) -> int:
        """How large the file is."""
        return len(self.body)


@dataclass(frozen=True, slots=True)
class Version:
    """What a message said from ``at`` (seconds, the clock's monotonic time) on."""

    at: float
    content: str
    embeds: list[JsonObject]
    components: list[JsonObject]
    flags: int
    attachments: tuple[Attachment, ...]


@dataclass(slots=True, eq=False, repr=False)
class Message:
    """A message as it stands; ``edits`` holds every version, the first included, oldest first."""

    id: int
    channel: Channel
    author: User
    timestamp: datetime
    content: str = ""
    embeds: list[JsonObject] = field(default_factory=list)
    components: list[JsonObject] = field(default_factory=list)
    flags: int = 0
    attachments: tuple[Attachment, ...] = ()
    kind: int = 0
    edited_at: datetime | None = None
    nonce: str | int | None = None
    application_id: int | None = None
    webhook_id: int | None = None
    metadata: JsonObject | None = None
    legacy_interaction: JsonObject | None = None
    reference: JsonObject | None = None
    mentioned: tuple[User, ...] = ()
    mentioned_roles: tuple[int, ...] = ()
    mentions_everyone: bool = False
    visible_to: int | None = None
    deleted: bool = False
    tts: bool = False
    edits: list[Version] = field(default_factory=list)
    watchers: deque[Callable[[Message], Any]] = field(default_factory=lambda: deque(maxlen=16))

    def __repr__(self) -> str:
        shown = f"{self.content[:60]!r}, {len(self.embeds)} embeds, {len(self.components)} rows"
        return f"<Message {self.id} {MessageFlags(self.flags)!r}: {shown}>"

    @property
    def ephemeral(self) -> bool:
        """Whether only the person who asked sees it."""
        return bool(self.flags & MessageFlags.EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Whether it is still "… is thinking"."""
        return bool(self.flags & MessageFlags.LOADING)

    def record(self, at: float) -> None:
        """Note the present state as a version, and tell those who watch."""
        version = Version(at, self.content, self.embeds, self.components, self.flags, self.attachments)
        if len(self.edits) >= VERSIONS_KEPT:
            self.edits[-1] = version
        else:
            self.edits.append(version)
        self.touch()

    def touch(self) -> None:
        """Tell those who watch that something changed."""
        for watcher in self.watchers:
            watcher(self)
