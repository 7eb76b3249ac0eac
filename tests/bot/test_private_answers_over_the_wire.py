"""What concerns admins, and what is kept, is nobody else's to read: each command of theirs answers privately."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sandbox.exchange import Exchange
from sandbox.guilds import Channel, User
from tests.bot.config_scene import admin_of
from tests.bot.scene import Scene, text_of

EPHEMERAL = 1 << 6
GROUPS = ("config", "feeds", "privacy")
LEADS_INSIDE = "http://127.0.0.1:8080/"
"""That it must not be connected to is found out when it would be."""
VALUES = {"setting": "limit", "value": "5", "address": LEADS_INSIDE, "feed": "x", "channel": "5", "role": "5"}


def subcommands(scene: Scene) -> dict[str, list[dict[str, Any]]]:
    """All that Discord offers, each with options that it requires, filled in."""
    groups = [command for command in scene.local.commands.all() if command["name"] in GROUPS]
    return {
        f"{group['name']} {sub['name']}": [
            {"name": option["name"], "type": option["type"], "value": VALUES.get(option["name"], "5")}
            for option in sub.get("options", ())
            if option.get("required")
        ]
        for group in groups
        for sub in group["options"]
    }


async def only_for_who_asked(scene: Scene, exchange: Exchange) -> str:
    """What the answer says; nobody else sees any of it, not even that it is awaited."""
    assert await exchange.wait_acknowledged(), exchange
    message = await exchange.wait_message(predicate=lambda one: not one.loading)
    path = f"/interactions/{exchange.interaction_id}/"
    (callback,) = [record.body for record in scene.local.requests if record.path.startswith(path)]
    assert callback["data"]["flags"] & EPHEMERAL
    assert all(one.ephemeral for one in exchange.messages)
    return text_of(message)


async def say_all(scene: Scene, user: User, channel: Channel | None = None) -> dict[str, str]:
    """What each command answers."""
    return {
        path: await only_for_who_asked(
            scene, await scene.local.send_command(user, channel or scene.channel, path, options)
        )
        for path, options in subcommands(scene).items()
    }


async def test_whoever_asks_and_whatever_goes_wrong_only_they_see_the_answer(scene: Scene, tmp_path: Path) -> None:
    root = admin_of(scene)
    said = await say_all(scene, root)
    assert len(said) == 18
    assert "10 → 5" in said["config set"]
    assert "No feed was added" in said["feeds add"]
    assert "public" in said["feeds add"]
    assert "cannot be read" in said["feeds test"]
    assert "There is no file" in said["config import"]
    assert "There is no file" in said["feeds import"]
    refused = await say_all(scene, scene.ada)
    assert {path for path, one in refused.items() if "Only for admins" not in one} == {"privacy show"}
    await say_all(scene, root, scene.local.dm(root))
    with closing(sqlite3.connect(tmp_path / "answers.db")) as other:
        other.execute("ALTER TABLE guild_settings RENAME TO away")
        other.execute("ALTER TABLE guild_changes RENAME TO far_away")
        away = await say_all(scene, root)
    assert "could not be read" in away["config history"]
    assert "could not be read" in away["privacy show"]
    assert "127.0.0" not in str((said, refused, away))
