"""/config panel over the wire: menus and a text field that save as /config set does, for whoever may, for ever."""

from typing import Any

import pytest

from bot.guild_settings import DEFAULTS
from sandbox.exchange import CallbackKind, Exchange
from sandbox.faults import Fault
from sandbox.guilds import User
from sandbox.messages import Message
from tests.bot.config_scene import admin_of, answer_of, callbacks, config, set_raw, stored, told
from tests.bot.conftest import Start
from tests.bot.scene import Scene, text_of, until


@pytest.fixture
def root(scene: Scene) -> User:
    """Somebody with Manage Server."""
    return admin_of(scene)


def controls(message: Message) -> list[dict[str, Any]]:
    """Every menu and button, in order; the first is the menu of settings."""
    return [item for row in message.components for item in row["components"]]


def control(message: Message, verb: str) -> str:
    """The id of the control that does this."""
    return next(str(one["custom_id"]) for one in controls(message) if one["custom_id"].startswith(f"c1:{verb}:"))


async def pick(scene: Scene, panel: Message, field: str, user: User) -> None:
    """Choose a setting in the menu."""
    pressed = await scene.local.select(user, panel, control(panel, "pick"), [field])
    assert await pressed.wait_acknowledged()
    await until(lambda: f"{field}." in str(panel.components) or "/feeds" in text_of(panel))
    assert callbacks(scene, pressed) == 1


async def put(scene: Scene, panel: Message, values: list[str], user: User, **more: Any) -> Exchange:
    """Choose values in the second menu."""
    pressed = await scene.local.select(user, panel, control(panel, "put"), values, **more)
    assert await pressed.wait_acknowledged()
    return pressed


async def fill(scene: Scene, panel: Message, text: str, user: User) -> tuple[Exchange, str]:
    """Open the text field, and send it with this in it; returns what was in it before, too."""
    opened = await scene.press(panel, control(panel, "edit"), user)
    assert opened.callback_kind is CallbackKind.MODAL
    assert opened.modal is not None
    field = opened.modal["components"][0]["component"]
    submitted = await scene.local.submit_modal(user, opened, {field["custom_id"]: text})
    assert await submitted.wait_acknowledged()
    return submitted, field.get("value", "")


async def test_a_setting_is_picked_seen_and_chosen(scene: Scene, root: User) -> None:
    panel = await answer_of(scene, "panel", root)
    assert panel.ephemeral
    await pick(scene, panel, "timeframe", root)
    assert "How far back" in text_of(panel)
    assert "**Now**: 24h" in text_of(panel)
    assert "**Default**: 24h" in text_of(panel)
    pressed = await put(scene, panel, ["7d"], root)
    await until(lambda: "`timeframe`: 24h → 7d" in text_of(panel))
    assert callbacks(scene, pressed) == 1
    assert stored(scene).timeframe == "7d"
    await scene.press(panel, control(panel, "default"), root)
    await until(lambda: "`timeframe`: 7d → 24h" in text_of(panel))
    assert stored(scene) == DEFAULTS
    assert "form" in await config(scene, "history", root)


async def test_every_kind_of_setting_can_be_set(scene: Scene, root: User) -> None:
    role = scene.guild.add_role("editors")
    await until(lambda: scene.bot.get_guild(scene.guild.id).get_role(role.id))  # type: ignore[union-attr]
    panel = await answer_of(scene, "panel", root)
    general = str(scene.channel.id)
    for field, values, held in (
        ("sources", ["reddit", "news"], ("reddit", "news")),
        ("sources", [], ()),
        ("default_source", ["news"], "news"),
        ("default_source", ["none"], None),
        ("private_answers", ["on"], True),
        ("log_channel_id", [general], scene.channel.id),
        ("log_channel_id", [], None),
        ("ask_channel_ids", [general], (scene.channel.id,)),
        ("config_role_id", [str(role.id)], role.id),
        ("config_role_id", [], None),
    ):
        await pick(scene, panel, field, root)
        await put(scene, panel, values, root)
        await until(lambda held=held, field=field: getattr(stored(scene), field) == held)  # type: ignore[misc]
        await until(lambda: "✅" in text_of(panel))
    texts: tuple[tuple[str, str, object], ...] = (
        ("limit", "7", 7),
        ("min_score", "0.25", 0.25),
        ("muted", "crypto, price prediction", ("crypto", "price prediction")),
        ("time_zone", "europe/berlin", "Europe/Berlin"),
        ("cooldown_s", "none", None),
    )
    for field, typed, expected in texts:
        await pick(scene, panel, field, root)
        await fill(scene, panel, typed, root)
        await until(lambda: "✅" in text_of(panel) or "It was so already" in text_of(panel))
        assert getattr(stored(scene), field) == expected
    await pick(scene, panel, "feeds", root)
    assert len(controls(panel)) == 1


async def test_the_field_has_what_holds_in_it_and_refuses_as_set_does(scene: Scene, root: User) -> None:
    await config(scene, "set setting:mute value:crypto, nft", root)
    panel = await answer_of(scene, "panel", root)
    await pick(scene, panel, "muted", root)
    before = text_of(panel)
    for typed, words in (("x" * 61, "too long"), ("🚀", "cannot be part"), ("a\u202eb", "invisible"), ("", "empty")):
        submitted, now = await fill(scene, panel, typed, root)
        assert now == "crypto, nft"
        assert words in await told(scene, submitted)
    assert stored(scene).muted == ("crypto", "nft")
    assert text_of(panel) == before


async def test_a_list_too_long_for_a_field_is_said_to_be(scene: Scene, root: User) -> None:
    await set_raw(scene, root, "mute", ", ".join(f"{'w' * 55}{number}" for number in range(90)))
    panel = await answer_of(scene, "panel", root)
    await pick(scene, panel, "muted", root)
    assert "/config export" in await told(scene, await scene.press(panel, control(panel, "edit"), root))


async def test_a_form_that_cannot_be_opened_in_time_is_given_up_in_words(
    scene: Scene, root: User, quiet_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = await answer_of(scene, "panel", root)
    await pick(scene, panel, "limit", root)
    monkeypatch.setattr("bot.cogs.forms.ACKNOWLEDGE_TIMEOUT_S", 0.05)
    scene.local.faults.add(Fault("hang", "/callback"))
    pressed = await scene.local.click(root, panel, control(panel, "edit"))
    said = await pressed.wait_message(predicate=lambda message: message is not panel)
    assert said.ephemeral
    assert "Try again in a moment" in text_of(said)
    assert len([record for record in quiet_log.records if record.exc_info]) == 1
    quiet_log.clear()
    await fill(scene, panel, "5", root)
    await until(lambda: stored(scene).limit == 5)


async def test_it_works_after_a_restart(start: Start) -> None:
    async with start() as scene:
        root = admin_of(scene)
        panel = await answer_of(scene, "panel", root)
        await pick(scene, panel, "nsfw", root)
    async with start() as scene:
        await put(scene, panel, ["on"], root)
        await until(lambda: "`nsfw`: off → on" in text_of(panel))
        await pick(scene, panel, "limit", root)
        await fill(scene, panel, "5", root)
        await until(lambda: "10 → 5" in text_of(panel))
        assert stored(scene) == DEFAULTS.changed(nsfw=True, limit=5)
        assert scene.bot._connection._view_store._views == {}, "the client remembers no view"
        assert scene.bot._connection._view_store._modals == {}


async def test_a_shared_one_serves_every_admin_and_nobody_else(scene: Scene, root: User) -> None:
    grace = admin_of(scene, "grace")
    panel = await answer_of(scene, "panel shared:true", root)
    assert not panel.ephemeral
    await pick(scene, panel, "nsfw", grace)
    before = text_of(panel)
    for pressed in (
        await scene.local.select(scene.ada, panel, control(panel, "pick"), ["limit"]),
        await put(scene, panel, ["on"], scene.ada),
        await scene.press(panel, control(panel, "default"), scene.ada, forge=True),
        await scene.press(panel, control(panel, "pick").replace("pick", "edit") + "limit.0", scene.ada, forge=True),
    ):
        assert "Manage Server" in await told(scene, pressed)
    assert text_of(panel) == before
    assert stored(scene) == DEFAULTS
    await put(scene, panel, ["on"], root)
    await until(lambda: "off → on" in text_of(panel))


async def test_a_form_opened_by_an_admin_changes_nothing_once_the_right_is_lost(scene: Scene, root: User) -> None:
    panel = await answer_of(scene, "panel", root)
    await pick(scene, panel, "limit", root)
    opened = await scene.press(panel, control(panel, "edit"), root)
    assert opened.modal is not None
    scene.guild.set_member_roles(root, [])
    assert "Manage Server" in await told(scene, await scene.local.submit_modal(root, opened, {"value": "5"}))
    assert stored(scene) == DEFAULTS


async def test_elsewhere_it_does_nothing(scene: Scene, root: User) -> None:
    panel = await answer_of(scene, "panel", root)
    await pick(scene, panel, "nsfw", root)
    other = scene.local.add_guild("Other", owner=root)
    pressed = await put(scene, panel, ["on"], root, channel=other.first_text_channel())
    assert "belongs to another server" in await told(scene, pressed)
    pressed = await put(scene, panel, ["on"], root, channel=scene.local.dm(root))
    assert "Only in a server" in await told(scene, pressed)
    assert stored(scene) == DEFAULTS
    assert scene.parts.guilds.peek(other.id) in {None, await scene.parts.guilds.get(other.id)}
    assert (await scene.parts.guilds.get(other.id)).version == 0


async def test_what_somebody_else_changed_meanwhile_is_not_overwritten(scene: Scene, root: User) -> None:
    grace = admin_of(scene, "grace")
    panel = await answer_of(scene, "panel", root)
    await pick(scene, panel, "muted", root)
    await config(scene, "set setting:limit value:5", grace)  # another setting is no hindrance
    await fill(scene, panel, "crypto", root)
    await until(lambda: "→ crypto" in text_of(panel))
    opened = await scene.press(panel, control(panel, "edit"), root)
    await config(scene, "set setting:mute value:nft", grace)
    assert opened.modal is not None
    submitted = await scene.local.submit_modal(root, opened, {"value": "crypto, dogecoin"})
    said = await told(scene, submitted)
    assert "`mute` is nft." in said
    assert "Not saved" in said
    said = await told(scene, await scene.press(panel, control(panel, "default"), root))
    assert "`mute` is nft." in said
    assert stored(scene) == DEFAULTS.changed(limit=5, muted=("nft",))


async def test_whatever_else_is_sent_is_answered_in_words(scene: Scene, root: User) -> None:
    panel = await answer_of(scene, "panel", root)
    here = scene.guild.id
    await scene.parts.guilds.get(here)
    for custom_id, values, words in (
        (f"c1:pick:{here}:", ["colour"], "no such setting"),
        (f"c1:pick:{here}:", [], "no such setting"),
        (f"c1:put:{here}:colour.00000000", ["x"], "no such setting"),
        (f"c1:put:{here}:limit.00000000", ["5"], "Not saved"),
    ):
        pressed = await scene.local.select(root, panel, custom_id, values, forge=True)
        assert words in await told(scene, pressed)
    await pick(scene, panel, "nsfw", root)
    for values, words in (
        (["perhaps"], "on or off"),
        (["x" * 6000], "6000 characters"),
        (["on", "off"], "on or off"),
    ):
        assert words in await told(scene, await put(scene, panel, values, root, forge=True))
    put_id = control(panel, "put")
    for data in (
        {"custom_id": put_id, "component_type": 3},
        {"custom_id": put_id, "component_type": 3, "values": {"a": 1}},
        {"custom_id": put_id, "component_type": 3, "values": [None]},
    ):
        pressed = await scene.local.click(root, panel, put_id, forge=True, data=data)
        assert "on or off" in await told(scene, pressed)
    for components in ([], [{"type": 18}], [5], [{"type": 18, "component": {"custom_id": "value", "value": 5}}]):
        data = {"custom_id": put_id, "components": components}
        pressed = await scene.local.click(root, panel, put_id, forge=True, type=5, data=data)
        assert await pressed.wait_acknowledged()
        assert "on or off" in await told(scene, pressed)
    assert stored(scene) == DEFAULTS


async def test_a_channel_that_cannot_be_used_is_refused_in_the_form_too(scene: Scene, root: User) -> None:
    hidden = scene.guild.add_channel("hidden")
    scene.guild.overwrite(hidden, scene.guild.everyone, deny=["view_channel"])
    await until(lambda: scene.bot.get_channel(hidden.id))
    panel = await answer_of(scene, "panel", root)
    await pick(scene, panel, "log_channel_id", root)
    assert "I lack View Channel" in await told(scene, await put(scene, panel, [str(hidden.id)], root))
    assert stored(scene) == DEFAULTS


async def test_a_chosen_channel_that_was_deleted_since_is_not_shown_as_chosen(scene: Scene, root: User) -> None:
    spare = scene.guild.add_channel("spare")
    await until(lambda: scene.bot.get_channel(spare.id))
    await set_raw(scene, root, "log_channel", str(spare.id))
    panel = await answer_of(scene, "panel", root)
    await pick(scene, panel, "log_channel_id", root)
    assert controls(panel)[1]["default_values"] == [{"id": str(spare.id), "type": "channel"}]
    scene.local.delete_channel(spare)
    await until(lambda: scene.bot.get_channel(spare.id) is None)
    panel = await answer_of(scene, "panel", root)
    await pick(scene, panel, "log_channel_id", root)
    assert "default_values" not in controls(panel)[1]
    await put(scene, panel, [], root)
    await until(lambda: stored(scene).log_channel_id is None)
