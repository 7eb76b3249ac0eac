"""What the inspector keeps and tells, from what really goes over the wire."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.faults import Fault
from sandbox.guilds import Channel, User
from sandbox.page import inspector as module
from sandbox.page.inspector import Inspector
from sandbox.server import LocalDiscord

from ..clients import Rest

ANSWER = {"type": 4, "data": {"content": "Hello"}}


class Watched:
    """An inspector of a local Discord, with a clock that stands still, and what it told."""

    def __init__(self, local: LocalDiscord) -> None:
        self.local = local
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.inspector = Inspector(lambda kind, **change: self.told.append((kind, change)), clock=lambda: 100.0)
        local.subscribe(self.inspector.hear)
        self.channel: Channel = local.add_guild("Guild").first_text_channel()
        self.user: User = local.add_user("Ada")
        assert self.channel.guild is not None
        self.channel.guild.add_member(self.user)

    @property
    def exchanges(self) -> list[dict[str, Any]]:
        return list(self.inspector.snapshot()["exchanges"])


@pytest.fixture
async def watched(local: LocalDiscord) -> Watched:
    return Watched(local)


async def test_an_interaction_with_its_callback_and_edits(watched: Watched, rest: Rest) -> None:
    exchange = await watched.local.send_command(watched.user, watched.channel, "ask")
    callback = f"/interactions/{exchange.interaction_id}/{exchange.token}/callback"
    await rest("POST", callback, {"type": 5})
    await rest(
        "PATCH", f"/webhooks/{watched.local.application_id}/{exchange.token}/messages/@original", {"content": "x"}
    )
    (kept,) = watched.exchanges
    assert (kept["title"], kept["user"], kept["answer"]) == ("/ask", "Ada", "deferred_message")
    assert kept["acknowledged_ms"] >= 0
    assert [(entry["what"], entry["status"]) for entry in kept["entries"]] == [
        ("POST callback: deferred message", 204),
        ("PATCH webhook/@original", 200),
    ]
    assert exchange.token not in str(watched.told)
    kinds = [kind for kind, _ in watched.told]
    assert [kind for kind in kinds if kind in ("exchange", "entry")] == ["exchange", "exchange", "entry", "entry"]


async def test_what_fails_is_told_with_what_made_it_fail(watched: Watched, rest: Rest) -> None:
    watched.local.faults.add(Fault("status", status=500))
    exchange = await watched.local.send_command(watched.user, watched.channel, "ask")
    await rest("POST", f"/interactions/{exchange.interaction_id}/{exchange.token}/callback", ANSWER)
    (entry,) = watched.exchanges[0]["entries"]
    assert (entry["status"], entry["fault"]) == (500, "status")
    assert watched.exchanges[0]["acknowledged_ms"] is None


async def test_what_is_kept_is_bounded(watched: Watched, rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("EXCHANGES_KEPT", 2), ("ENTRIES_KEPT", 4), ("LONGEST_BODY", 50)):
        monkeypatch.setattr(module, name, most)
    exchanges = [await watched.local.send_command(watched.user, watched.channel, f"ask{n}") for n in range(3)]
    assert [kept["title"] for kept in watched.exchanges] == ["/ask1", "/ask2"]
    last = exchanges[-1]
    await rest("POST", f"/interactions/{last.interaction_id}/{last.token}/callback", ANSWER)
    for number in range(6):
        path = f"/webhooks/{watched.local.application_id}/{last.token}/messages/@original"
        await rest("PATCH", path, {"content": f"{number}" * 100})
    entries = watched.exchanges[-1]["entries"]
    assert [entry["n"] for entry in entries] == [0, 1, 5, 6]
    assert all(len(entry["body"]) < 100 for entry in entries)
    # One that is forgotten is told of no more, and nothing goes wrong.
    await rest("POST", f"/interactions/{exchanges[0].interaction_id}/{exchanges[0].token}/callback", ANSWER)
    assert len(watched.exchanges) == 2


def test_spans_are_handed_on_and_the_latest_kept() -> None:
    told: list[Any] = []
    inspector = Inspector(lambda kind, **change: told.append((kind, change)))
    inspector.add_spans([{"id": number} for number in range(module.SPANS_KEPT + 5)])
    assert told[0][0] == "spans"
    kept = inspector.snapshot()["spans"]
    assert len(kept) == module.SPANS_KEPT
    assert kept[0] == {"id": 5}
