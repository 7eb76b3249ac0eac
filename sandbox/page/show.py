"""What every browser sees: the state of the local Discord as a snapshot, and as changes while it happens."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from sandbox import wire
from sandbox.activity import Happening
from sandbox.errors import JsonObject
from sandbox.messages import Message
from sandbox.page import views
from sandbox.page.controls import Controls
from sandbox.page.inspector import Inspector
from sandbox.page.journal import Journal
from sandbox.page.stage import Stage
from sandbox.rest.pipeline import RequestRecord
from sandbox.server import LocalDiscord


class Show:
    """Listens to the local Discord while it is entered, and writes what changes into the journal.

    Of the changes ``exchange``, ``entry``, ``frame`` and ``spans`` come from the inspector; ``message``, ``gone``,
    ``servers``, ``commands``, ``modal`` and ``controls`` from here, each the whole new value of what it names.
    """

    def __init__(self, discord: LocalDiscord, stage: Stage, controls: Controls, journal: Journal) -> None:
        self.inspector = Inspector(journal.add)
        self._discord = discord
        self._stage = stage
        self._controls = controls
        self._journal = journal
        self._leave: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._leave = self._discord.subscribe(self._hear)
        self._controls.bot.on_change = self.tell_controls
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def snapshot(self) -> JsonObject:
        """Everything as it is now."""
        discord = self._discord
        return {
            "bot": wire.user(discord.bot_user),
            "messages": {str(channel.id): views.messages(channel) for channel in discord.world.channels.values()},
            "controls": self._controls.state(),
            "inspector": self.inspector.snapshot(),
            "commands": views.commands(discord),
            **self._servers(),
        }

    def tell_servers(self) -> None:
        """Servers, channels or what somebody may do there have changed."""
        self._journal.add("servers", **self._servers())

    def tell_controls(self) -> None:
        """Something was set to another value."""
        self._journal.add("controls", controls=self._controls.state())

    def add_spans(self, spans: list[JsonObject]) -> None:
        """What the bot did; where it asked sources, the controls show how often."""
        self.inspector.add_spans(spans)
        if any(span["name"] == "fetch" for span in spans):
            self.tell_controls()

    def _servers(self) -> JsonObject:
        return {
            "servers": [views.guild(guild) for guild in self._discord.guilds],
            "people": [views.person(self._discord, person) for person in self._stage.people],
        }

    def _hear(self, happening: Happening) -> None:
        self.inspector.hear(happening)
        match happening.kind:
            case "message.created" | "message.edited":
                self._journal.add("message", message=views.message(happening.subject))
            case "message.deleted":
                gone: Message = happening.subject
                self._journal.add("gone", channel_id=str(gone.channel.id), id=str(gone.id))
            case "modal":
                exchange = happening.subject
                modal = {**exchange.modal, "exchange_id": str(exchange.interaction_id)}
                self._journal.add("modal", modal=modal, user_id=str(exchange.user.id))
            case "world.changed":
                self.tell_servers()
            case "gateway.connected" | "gateway.closed":
                self.tell_controls()
            case "gateway.sent" if b'"t":"RE' in happening.details["frame"][:40]:  # READY, RESUMED
                self.tell_controls()
            case "request":
                self._requested(happening.subject)

    def _requested(self, record: RequestRecord) -> None:
        if record.fault is not None:
            self.tell_controls()
        if record.method != "GET" and record.route.endswith(("/commands", "/commands/{command_id}")):
            self._journal.add("commands", commands=views.commands(self._discord))
            self.tell_servers()
