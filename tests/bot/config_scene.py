"""Admins of the scene's server, and what they type, upload and read."""

import json
from typing import Any

from sandbox.exchange import Exchange
from sandbox.guilds import Channel, User
from sandbox.messages import Attachment, Message
from tests.bot.scene import Scene, text_of


def admin_of(scene: Scene, name: str = "root") -> User:
    """Somebody with Manage Server."""
    user = scene.local.add_user(name)
    scene.guild.add_member(user, permissions=["manage_guild"])
    return user


def callbacks(scene: Scene, exchange: Exchange) -> int:
    """How often an interaction was acknowledged."""
    path = f"/interactions/{exchange.interaction_id}/"
    return len([one for one in scene.local.requests if one.path.startswith(path) and one.status < 300])


async def told(scene: Scene, exchange: Exchange) -> str:
    """The one private answer to an interaction, acknowledged once and in time."""
    assert await exchange.wait_acknowledged(), exchange
    message = await exchange.wait_message(predicate=lambda one: not one.loading and one is not exchange.source)
    assert message.ephemeral
    assert len([one for one in exchange.messages if one is not exchange.source]) == 1
    assert callbacks(scene, exchange) == 1
    return text_of(message)


async def config(scene: Scene, line: str, user: User, channel: Channel | None = None) -> str:
    """Type ``/config …`` and read the answer, which only that person sees."""
    return await told(scene, await scene.type(f"/config {line}", user, channel))


async def send(
    scene: Scene,
    path: str,
    user: User,
    options: dict[str, Any] | None = None,
    channel: Channel | None = None,
    **more: Any,
) -> str:
    """Send a subcommand of /config that Discord's client would not send, and read the answer."""
    kinds: dict[str, int] = more.pop("kinds", {})
    raw = [{"name": name, "type": kinds.get(name, 3), "value": value} for name, value in (options or {}).items()]
    return await told(
        scene, await scene.local.send_command(user, channel or scene.channel, f"config {path}", raw, **more)
    )


async def set_raw(scene: Scene, user: User, setting: str, value: str) -> str:
    """``/config set`` with a value that cannot be typed into a line."""
    return await send(scene, "set", user, {"setting": setting, "value": value})


async def answer_of(scene: Scene, line: str, user: User) -> Message:
    """The message that a command ends with."""
    exchange = await scene.type(f"/config {line}", user)
    return await exchange.wait_message()


async def upload(scene: Scene, user: User, body: bytes, *, size: int | None = None, kept: bool = True) -> Exchange:
    """``/config import`` with a file; ``size`` is what Discord says of it, ``kept`` whether it can be fetched."""
    number = scene.local.world.snowflakes.next()
    file = Attachment(number, "settings.json", "application/json", body, "")
    if kept:
        scene.local.world.keep_file(file)
    url = f"{scene.local.http_url}/attachments/{number}/settings.json"
    described = {
        "id": str(number),
        "filename": "settings.json",
        "size": len(body) if size is None else size,
        "url": url,
        "proxy_url": url,
        "content_type": "application/json",
        "ephemeral": True,
    }
    option = {"name": "file", "type": 11, "value": str(number)}
    data = {
        "id": "1",
        "name": "config",
        "type": 1,
        "options": [{"name": "import", "type": 1, "options": [option]}],
        "resolved": {"attachments": {str(number): described}},
    }
    return await scene.local.send_command(user, scene.channel, "config import", [], data=data)


def exported(**changes: Any) -> bytes:
    """A file as /config export makes it, of some settings."""
    return json.dumps({"schema_version": 1, **changes}).encode()


def stored(scene: Scene) -> Any:
    """What holds in the scene's server."""
    known = scene.parts.guilds.peek(scene.guild.id)
    assert known is not None
    return known.settings


def posted(scene: Scene, channel: Channel) -> list[str]:
    """What the bot said in a channel for everybody."""
    return [text_of(one) for one in channel.messages.values() if one.author.is_bot and not one.ephemeral]
