"""Commits that break off while digests are changed: what became of it is looked for, and told."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from agents.events import WorkflowStarted
from bot.store.errors import NotSaved, SaveUnknown
from bot.store.outbox import Accepted, Origin
from bot.subscription import State, Subscription
from tests.bot.store.digest_store import ADA, ENGINES, GUILD, NOON, Clock, Life, plan
from tests.bot.store.test_guilds_in_trouble import Commits

Change = Callable[[Life, Subscription], Awaitable[object]]
CHANGES: dict[str, Change] = {
    "add": lambda life, _: life.subscriptions.add(GUILD, plan("Evening"), NOON, ADA),
    "edit": lambda life, one: life.subscriptions.change(
        one, plan("Noon"), State.ACTIVE, NOON, actor_id=ADA, action="edit"
    ),
    "remove": lambda life, one: life.subscriptions.remove(one, actor_id=ADA),
    "start": lambda life, _: life.outbox.accept(WorkflowStarted(workflow_id="w"), Origin.COMMAND),
}


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    async with ENGINES["sqlite"](tmp_path, Clock())() as opened:
        yield opened


async def kept(life: Life) -> tuple[list[str], int, int]:
    """Names of digests, how often one was changed, and how many workflows wait."""
    names = [one.plan.name for one in await life.subscriptions.of_guild(GUILD)]
    return names, len(await life.subscriptions.changes(GUILD, 10)), len(await life.outbox.unbegun())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("after", [False, True])
async def test_a_change_whose_commit_breaks_off_is_looked_for_and_told_as_it_is(
    life: Life, monkeypatch: pytest.MonkeyPatch, change: Change, after: bool
) -> None:
    one = await life.add("Morning")
    before = await kept(life)
    with monkeypatch.context() as breaking:
        Commits(life.database, breaking).after = after
        if after:
            await change(life, one)
        else:
            with pytest.raises(NotSaved):
                await change(life, one)
    assert (await kept(life) != before) is after
    if not after:
        await change(life, one)
        assert await kept(life) != before


async def test_only_where_nothing_can_be_read_either_is_a_change_in_doubt(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as breaking:
        Commits(life.database, breaking).readable = False
        with pytest.raises(SaveUnknown):
            await life.add("Morning")


async def test_where_nothing_was_to_be_written_nothing_is_looked_for(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = WorkflowStarted(workflow_id="w")
    assert await life.outbox.accept(event, Origin.COMMAND) == Accepted("w", new=True)
    with monkeypatch.context() as breaking:
        Commits(life.database, breaking)
        with pytest.raises(SaveUnknown):
            await life.outbox.accept(event, Origin.COMMAND)
