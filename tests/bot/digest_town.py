"""A server with digests: who types about them, and what they read."""

import asyncio
from typing import Any

from bot.store.outbox import PastRun
from bot.subscription import Subscription
from sandbox.exchange import Exchange
from sandbox.guilds import Channel, Guild, User
from sandbox.messages import Message
from tests.bot.scene import Scene, text_of, until

WAIT_S = 15.0
_UNDER_WAY = ("On its way",)


class Town:
    """A running bot, a server with an admin and a member, and what it posts."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.local = scene.local
        self.guild = scene.guild
        self.admin = self.owner(scene.guild)
        self.ada = scene.ada

    @staticmethod
    def owner(guild: Guild) -> User:
        """Who has every right there."""
        return guild.members[guild.owner_id].user

    async def say(self, line: str, user: User | None = None, channel: Channel | None = None) -> str:
        """Type a command as the admin; what its private answer ends up saying, without escapes."""
        return plain(await self.message(line, user, channel))

    async def message(self, line: str, user: User | None = None, channel: Channel | None = None) -> Message:
        """The private answer to a command."""
        return await self.ended(await self.scene.type(line, user or self.admin, channel))

    async def send(self, path: str, options: dict[str, Any], user: User | None = None) -> str:
        """Send a command that Discord's client would not."""
        kinds = {"channel": 7, "role": 8, "limit": 4, "min_score": 10, "chart": 5, "when_empty": 5}
        raw = [{"name": name, "type": kinds.get(name, 3), "value": value} for name, value in options.items()]
        exchange = await self.local.send_command(user or self.admin, self.scene.channel, path, raw)
        return plain(await self.ended(exchange))

    async def ended(self, exchange: Exchange) -> Message:
        """What an exchange ends with; seen by that person alone, and acknowledged once."""

        def is_the_end(message: Message) -> bool:
            said = text_of(message)
            return bool(said) and not message.loading and not said.startswith(_UNDER_WAY)

        message = await exchange.wait_message(WAIT_S, is_the_end)
        assert message.ephemeral, text_of(message)
        path = f"/interactions/{exchange.interaction_id}/"
        assert len([one for one in self.local.requests if one.path.startswith(path) and one.status < 300]) == 1
        return message

    async def press(
        self, message: Message, which: str, user: User | None = None, *, values: list[str] | None = None, **more: Any
    ) -> Exchange:
        """Press the button of a label, or choose in the menu of a placeholder."""
        custom_id = control(message, which)
        if values is not None:
            return await self.local.select(user or self.admin, message, custom_id, values, **more)
        return await self.local.click(user or self.admin, message, custom_id, **more)

    async def changed_by(self, exchange: Exchange, message: Message, before: str) -> str:
        """What a message says after a press has changed it."""
        await until(lambda: text_of(message) != before, WAIT_S)
        assert await exchange.wait_acknowledged()
        return plain(message)

    def posts(self, channel: Channel | None = None) -> list[Message]:
        """What the bot said in a channel for everybody."""
        known = (channel or self.scene.channel).messages.values()
        return [one for one in known if one.author.is_bot and not one.ephemeral]

    async def subscriptions(self, guild: Guild | None = None) -> tuple[Subscription, ...]:
        """Those of a server, as kept."""
        return await self.scene.parts.subscriptions.of_guild((guild or self.guild).id)

    async def runs(self) -> tuple[PastRun, ...]:
        """The newest first."""
        return await self.scene.parts.outbox.history(self.guild.id, 50)

    async def known(self, channel: Channel) -> None:
        """Once the client has heard of a channel."""
        guild = self.scene.bot.get_guild(self.guild.id)
        assert guild is not None
        await until(lambda: guild.get_channel_or_thread(channel.id))
        await asyncio.sleep(0.02)  # and of what was changed about it at the same time

    async def allowed(self, channel: Channel, *, deny: list[str], user: Any = None) -> None:
        """What everybody may in a channel."""
        self.guild.overwrite(channel, user or self.guild.everyone, deny=deny)
        await self.known(channel)


def plain(message: Message) -> str:
    """What a person reads, without the escapes."""
    return text_of(message).replace("\\", "").replace("\u200b", "")


def control(message: Message, which: str) -> str:
    """The custom id of the button of a label, or of the menu of a placeholder."""
    return next(
        str(item["custom_id"])
        for row in message.components
        for item in row["components"]
        if which in str(item.get("label") or item.get("placeholder"))
    )


def labels(message: Message) -> list[str]:
    """Of its buttons."""
    return [
        str(item.get("label", "")) for row in message.components for item in row["components"] if item["type"] == 2
    ]
