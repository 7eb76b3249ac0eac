"""Commands: what is registered, and that it is sent only when it changed."""

from typing import Any

import pytest

from agents.signal import Timeframe
from bot.client import SignalsBot
from bot.registration import normalised
from sandbox.faults import Fault
from tests.bot.conftest import Start
from tests.bot.scene import FakeSource, Scene, until

CHAT_INPUT, SUBCOMMAND, STRING, INTEGER = 1, 1, 3, 4
SERVER, USER = 0, 1
EVERYWHERE = [0, 1, 2]


def command(scene: Scene, name: str) -> dict[str, Any]:
    found = next(known for known in scene.local.commands.all() if known["name"] == name)
    assert isinstance(found, dict)
    return found


def puts(scene: Scene) -> int:
    """How often commands were sent to Discord."""
    return len([r for r in scene.local.requests if r.method in {"PUT", "POST"} and r.path.endswith("/commands")])


async def test_one_subcommand_per_source_and_all_made_from_what_sources_declare(
    scene: Scene, sources: dict[str, FakeSource]
) -> None:
    signals = command(scene, "signals")
    assert [sub["name"] for sub in signals["options"]] == [*sources, "all"]
    for sub in signals["options"]:
        assert sub["type"] == SUBCOMMAND
        assert len(sub["description"]) > 8
    reddit = {option["name"]: option for option in signals["options"][0]["options"]}
    assert list(reddit) == ["query", "subreddit", "sort", "timeframe", "limit"]
    assert [choice["value"] for choice in reddit["sort"]["choices"]] == ["new", "top"]
    assert reddit["subreddit"]["description"] == "Where"
    assert signals["options"][0]["description"] == sources["reddit"].spec.help


async def test_every_subcommand_takes_query_timeframe_and_limit(scene: Scene) -> None:
    for sub in command(scene, "signals")["options"]:
        options = {option["name"]: option for option in sub["options"]}
        assert all(len(option["description"]) > 3 and not option.get("required") for option in sub["options"])
        assert options["query"]["type"] == STRING
        assert options["query"]["max_length"] == 200
        frames = options["timeframe"]["choices"]
        assert [frame["value"] for frame in frames] == [*Timeframe] == ["1h", "6h", "24h", "48h", "7d", "30d"]
        assert [frame["name"] for frame in frames] == [*Timeframe]
        limit = options["limit"]
        assert (limit["type"], limit["min_value"], limit["max_value"]) == (INTEGER, 1, 25)


@pytest.mark.parametrize("name", ["signals", "help"])
async def test_installable_to_servers_and_users_and_usable_everywhere(scene: Scene, name: str) -> None:
    found = command(scene, name)
    assert sorted(found["integration_types"]) == [SERVER, USER]
    assert sorted(found["contexts"]) == EVERYWHERE
    assert len(found["description"]) > 8


async def test_a_second_start_sends_nothing(start: Start) -> None:
    async with start() as scene:
        assert puts(scene) == 1
    async with start() as scene:
        await scene.answer("/signals reddit")
        await until(lambda: [r for r in scene.local.requests if r.method == "GET" and r.path.endswith("/commands")])
        assert puts(scene) == 1


async def test_a_changed_command_is_sent(start: Start, sources: dict[str, FakeSource]) -> None:
    async with start() as scene:
        assert puts(scene) == 1
    sources["lobsters"] = FakeSource("lobsters", "Lobsters")
    async with start() as scene:
        await until(lambda: puts(scene) == 2)
        await scene.answer("/signals lobsters")


async def test_a_command_removed_elsewhere_comes_back(start: Start) -> None:
    async with start() as scene:
        scene.local.commands.clear()
    async with start() as scene:
        assert puts(scene) == 2


async def test_failing_to_register_leaves_the_bot_answering(
    start: Start, quiet_log: pytest.LogCaptureFixture
) -> None:
    async with start() as scene:
        local = scene.local

    def break_registration(_bot: SignalsBot) -> None:
        local.faults.add(Fault("drop_before", "/commands$", count=None))

    async with start(break_registration) as scene:
        await scene.answer("/signals reddit")
        await until(lambda: "could not be registered" in quiet_log.text)
    quiet_log.clear()


async def test_what_could_not_be_registered_is_tried_again(
    start: Start, quiet_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.client.REGISTER_PAUSES_S", (0.01,))
    async with start() as scene:
        local = scene.local
    local.commands.clear()

    def break_once(_bot: SignalsBot) -> None:
        local.faults.add(Fault("status", "/commands$", count=1, status=503))

    async with start(break_once):
        await until(local.commands.all)
    assert "could not be registered" in quiet_log.text
    quiet_log.clear()


def test_discords_defaults_are_no_difference() -> None:
    sent: dict[str, Any] = {
        "name": "signals",
        "description": "d",
        "integration_types": [1, 0],
        "contexts": [2, 0, 1],
        "options": [
            {"type": 1, "name": "a", "description": "d", "options": [
                {"type": 4, "name": "n", "description": "d", "min_value": 1}]},
        ],
    }  # fmt: skip
    stored: dict[str, Any] = {
        **sent,
        "id": "1", "application_id": "2", "version": "3", "type": 1, "nsfw": False, "dm_permission": True,
        "default_member_permissions": None, "name_localizations": None, "description_localizations": None,
        "integration_types": [0, 1], "contexts": [0, 1, 2],
        "options": [
            {"type": 1, "name": "a", "description": "d", "name_localizations": None, "required": False, "options": [
                {"type": 4, "name": "n", "description": "d", "min_value": 1, "required": False, "choices": []}]},
        ],
    }  # fmt: skip
    assert normalised([sent]) == normalised([stored])


@pytest.mark.parametrize(
    "change",
    [
        {"description": "other"},
        {"nsfw": True},
        {"default_member_permissions": "32"},
        {"integration_types": [0]},
        {"contexts": [0]},
        {"options": [{"type": 3, "name": "q", "description": "d", "required": True}]},
        {"options": [{"type": 3, "name": "q", "description": "d", "max_length": 5}]},
        {"options": [{"type": 3, "name": "q", "description": "d", "choices": [{"name": "a", "value": "b"}]}]},
    ],
)
def test_what_people_would_notice_is_a_difference(change: dict[str, Any]) -> None:
    before: dict[str, Any] = {
        "name": "signals",
        "description": "d",
        "integration_types": [0, 1],
        "contexts": [0, 1, 2],
        "options": [{"type": 3, "name": "q", "description": "d"}],
    }
    assert normalised([before]) != normalised([{**before, **change}])
