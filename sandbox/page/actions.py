"""What a browser may ask for: acting as somebody, and turning the controls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sandbox import permissions
from sandbox.errors import JsonObject
from sandbox.exchange import ACKNOWLEDGE_S, Exchange
from sandbox.guilds import Channel, ChannelKind, User
from sandbox.lines import CommandSyntaxError
from sandbox.messages import Message
from sandbox.page.controls import Controls, NotPossible
from sandbox.page.show import Show
from sandbox.page.stage import Stage
from sandbox.people import NotClickable
from sandbox.server import LocalDiscord

LONGEST_MESSAGE = 2_000
LONGEST_POST_TITLE = 100
_NO_ANSWER = "The application did not respond"

Refused = (CommandSyntaxError, NotClickable, NotPossible, LookupError, TypeError, ValueError)
"""What ``Actions.do`` raises where it does not do it."""


class Actions:
    """Does what a request of a browser says; ``do`` names it, ``as`` the person who acts."""

    def __init__(self, discord: LocalDiscord, stage: Stage, controls: Controls, show: Show) -> None:
        self._discord = discord
        self._stage = stage
        self._controls = controls
        self._show = show
        self._known: Mapping[str, Callable[[JsonObject], Awaitable[Any]]] = {
            "command": self._command,
            "autocomplete": self._autocomplete,
            "message_command": self._message_command,
            "component": self._component,
            "modal": self._modal,
            "say": self._say,
            "post": self._post,
            "fail_discord": self._fail_discord,
            "mend_discord": self._mend_discord,
            "fail_source": self._fail_source,
            "advance": self._advance,
            "drop_gateway": self._drop_gateway,
            "open_commands": self._open_commands,
            "restart_bot": self._restart_bot,
            "start_workflow": self._start_workflow,
        }

    async def do(self, request: JsonObject) -> Any:
        """Act, and give what came of it; one of ``Refused`` says to a person why not."""
        action = self._known.get(str(request.get("do")))
        if action is None:
            raise NotPossible(f"There is no such action: {request.get('do')}.")
        return await action(request)

    # -- acting as somebody

    async def _command(self, request: JsonObject) -> JsonObject:
        """Send it; that it was not acknowledged is seen later."""
        user, channel = self._writer(request)
        exchange = await self._discord.use_command(
            user, channel, str(request["command_id"]), list(request.get("options") or ())
        )
        return {"exchange_id": str(exchange.interaction_id), "delivered": exchange.delivered}

    async def _autocomplete(self, request: JsonObject) -> list[JsonObject] | None:
        user, channel = self._writer(request)
        return await self._discord.suggest(
            user, channel, str(request["command_id"]), list(request.get("options") or ())
        )

    async def _message_command(self, request: JsonObject) -> JsonObject:
        """Choose it in a message's menu; as in Discord, only who may write there can."""
        user, _ = self._writer(request)
        exchange = await self._discord.use_on_message(user, self._message(request), str(request["command_id"]))
        return {"exchange_id": str(exchange.interaction_id), "delivered": exchange.delivered}

    async def _component(self, request: JsonObject) -> JsonObject:
        """Press or choose, and wait until it is acknowledged."""
        user, message = self._person(request), self._message(request)
        self._check_sees(user, message.channel)
        which, values = str(request["custom_id"]), request.get("values")
        if values is None:
            exchange = await self._discord.click(user, message, which)
        else:
            exchange = await self._discord.select(user, message, which, [str(value) for value in values])
        return await _acknowledged(exchange)

    async def _modal(self, request: JsonObject) -> JsonObject:
        opened = self._discord.backend.exchanges.by_id(int(request["exchange_id"]))
        user = self._person(request)
        if opened is None or opened.user is not user:
            raise NotClickable("This form is not open any more.")
        return await _acknowledged(await self._discord.submit_modal(user, opened, dict(request["fields"])))

    async def _say(self, request: JsonObject) -> JsonObject:
        user, channel = self._writer(request)
        text = str(request["text"]).strip()
        if not 1 <= len(text) <= LONGEST_MESSAGE:
            raise NotPossible(f"A message has 1 to {LONGEST_MESSAGE} characters.")
        message = await self._discord.say(user, channel, text)
        return {"id": str(message.id)}

    async def _post(self, request: JsonObject) -> JsonObject:
        """A new post in a forum."""
        user, forum = self._person(request), self._channel(request)
        self._check_sees(user, forum)
        title = str(request["title"]).strip()
        if forum.kind is not ChannelKind.FORUM or forum.guild is None:
            raise NotPossible("Posts are made in forums.")
        if not 1 <= len(title) <= LONGEST_POST_TITLE:
            raise NotPossible(f"A title has 1 to {LONGEST_POST_TITLE} characters.")
        return {"id": str(forum.guild.add_channel(title, "thread", parent=forum, owner=user).id)}

    # -- turning the controls

    async def _fail_discord(self, request: JsonObject) -> None:
        count = request.get("count")
        self._controls.fail_discord(
            str(request["what"]), str(request["where"]), None if count is None else int(count)
        )
        self._show.tell_controls()

    async def _mend_discord(self, _: JsonObject) -> None:
        self._controls.mend_discord()
        self._show.tell_controls()

    async def _fail_source(self, request: JsonObject) -> None:
        self._controls.fail_source(str(request["source"]), str(request["what"]))
        self._show.tell_controls()

    async def _advance(self, request: JsonObject) -> None:
        self._controls.advance(float(request["seconds"]))
        self._show.tell_controls()

    async def _drop_gateway(self, request: JsonObject) -> None:
        self._controls.drop_gateway(str(request["how"]))

    async def _open_commands(self, request: JsonObject) -> None:
        self._controls.open_commands(int(request["guild_id"]), for_all=bool(request["for_all"]))
        self._show.tell_servers()

    async def _restart_bot(self, _: JsonObject) -> None:
        await self._controls.restart_bot()

    async def _start_workflow(self, _: JsonObject) -> str:
        return await self._controls.start_workflow()

    # -- finding

    def _person(self, request: JsonObject) -> User:
        found = next((person for person in self._stage.people if str(person.id) == request.get("as")), None)
        if found is None:
            raise NotPossible("Nobody here has that name.")
        return found

    def _channel(self, request: JsonObject) -> Channel:
        found = self._discord.world.channels.get(int(request["channel_id"]))
        if found is None:
            raise NotPossible("This channel is gone.")
        return found

    def _message(self, request: JsonObject) -> Message:
        found = self._channel(request).messages.get(int(request["message_id"]))
        if found is None:
            raise NotClickable("This message is gone.")
        return found

    def _writer(self, request: JsonObject) -> tuple[User, Channel]:
        """Who acts and where, if they may write there."""
        user, channel = self._person(request), self._channel(request)
        self._check_sees(user, channel)
        needed = permissions.SEND_MESSAGES_IN_THREADS if channel.is_thread else permissions.SEND_MESSAGES
        if not channel.takes_messages or not self._discord.world.permissions_of(user.id, channel) & needed:
            raise NotPossible(f"{user.name} may not write here.")
        return user, channel

    def _check_sees(self, user: User, channel: Channel) -> None:
        foreign = channel.recipient is not None and channel.recipient is not user
        if foreign or not self._discord.world.permissions_of(user.id, channel) & permissions.VIEW_CHANNEL:
            raise NotPossible(f"{user.name} does not see this channel.")


async def _acknowledged(exchange: Exchange) -> JsonObject:
    if not await exchange.wait_acknowledged(ACKNOWLEDGE_S):
        raise NotClickable(_NO_ANSWER)
    return {"exchange_id": str(exchange.interaction_id)}
