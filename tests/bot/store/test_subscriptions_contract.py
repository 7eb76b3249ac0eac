"""What every ``Subscriptions`` keeps to. Another engine joins by one line in ``ENGINES``."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.store.outbox import RunState
from bot.store.subscriptions import NameTaken, SubscriptionOvertaken, TooMany
from bot.subscription import MOST_SUBSCRIPTIONS, Every, Schedule, State, Subscription
from tests.bot.store.digest_store import (
    ADA,
    BEN,
    DAY,
    GUILD,
    HOUR,
    MINUTE,
    NOON,
    OTHER,
    Clock,
    Life,
    Start,
    part,
    plan,
    rendered,
)


async def paused(life: Life, before: Subscription, by: int = ADA) -> Subscription:
    return await life.subscriptions.change(before, before.plan, State.PAUSED, None, actor_id=by, action="pause")


async def test_what_was_added_is_there_after_a_restart_in_its_order_and_for_nobody_else(start: Start) -> None:
    everything = plan(
        "Abendblatt",
        channel_id=2**62,
        sources=({"name": "reddit", "options": {"subreddit": "python"}}, {"name": "news"}),
        query="types",
        schedule=Schedule(every=Every.CRON, cron="0 7 * * 1-5", timezone="Europe/Berlin"),
        limit=25,
        min_score=0.5,
        role_id=2**61,
        chart=True,
        when_empty=True,
        tag_id=5,
    )
    async with start() as life:
        first = await life.add("Zoo")
        second = await life.subscriptions.add(GUILD, everything, NOON + HOUR, ADA)
        foreign = await life.add("Zoo", guild=OTHER)
    async with start() as life:
        assert await life.subscriptions.of_guild(GUILD) == (first, second)
        assert await life.subscriptions.of_guild(OTHER) == (foreign,)
        assert await life.subscriptions.get(second.id) == second
        assert await life.subscriptions.get("f" * 16) is None
    assert second.plan == everything
    assert (second.version, second.state, second.due_at) == (1, State.ACTIVE, NOON + HOUR)
    assert (second.ran_at, second.failures, second.problem) == (None, 0, "")
    assert len(second.id) == 16
    assert int(second.id, 16) != int(first.id, 16)


async def test_a_name_is_there_once_in_a_server_however_it_is_written(start: Start) -> None:
    async with start() as life:
        await life.add("Straße")
        with pytest.raises(NameTaken, match="STRASSE"):
            await life.add("STRASSE")
        other = await life.add("Weg")
        with pytest.raises(NameTaken):
            await life.subscriptions.change(other, plan("straße"), State.ACTIVE, NOON, actor_id=ADA, action="edit")
        assert await life.subscriptions.get(other.id) == other
        same = await life.subscriptions.change(other, plan("WEG"), State.ACTIVE, NOON, actor_id=ADA, action="edit")
        assert same.plan.name == "WEG"


async def test_of_many_added_at_once_each_is_kept_or_refused_and_no_more_than_allowed(start: Start) -> None:
    async with start() as life:
        names = [f"Digest {number % (MOST_SUBSCRIPTIONS + 5)}" for number in range(2 * MOST_SUBSCRIPTIONS)]
        outcomes = await asyncio.gather(*(life.add(name) for name in names), return_exceptions=True)
        kept = [one for one in outcomes if isinstance(one, Subscription)]
        assert len(kept) == MOST_SUBSCRIPTIONS == len({one.plan.name for one in kept})
        assert {type(one) for one in outcomes} == {Subscription, TooMany, NameTaken}
        assert set(await life.subscriptions.of_guild(GUILD)) == set(kept)


async def test_the_second_of_two_who_change_it_at_once_learns_what_holds(start: Start) -> None:
    async with start() as life:
        before = await life.add()
        edit = life.subscriptions.change(before, plan(limit=3), State.ACTIVE, NOON, actor_id=ADA, action="edit")
        outcomes = await asyncio.gather(edit, paused(life, before, BEN), return_exceptions=True)
        assert isinstance(outcomes[0], Subscription)
        assert isinstance(outcomes[1], SubscriptionOvertaken)
        assert outcomes[1].current == outcomes[0] == await life.subscriptions.get(before.id)
        assert (outcomes[0].version, outcomes[0].plan.limit, outcomes[0].due_at) == (2, 3, NOON)
        with pytest.raises(SubscriptionOvertaken):
            await life.subscriptions.remove(before, actor_id=BEN)
        await life.subscriptions.remove(outcomes[0], actor_id=BEN)
        with pytest.raises(SubscriptionOvertaken) as gone:
            await paused(life, outcomes[0])
        assert gone.value.current is None
        assert [change.action for change in await life.subscriptions.changes(GUILD, 10)] == ["remove", "edit", "add"]


async def test_every_change_is_written_down_newest_first(start: Start, clock: Clock) -> None:
    async with start() as life:
        one = await life.add("One")
        clock.now += HOUR
        await paused(life, one, BEN)
        await life.add("Two")
        await life.add("Foreign", guild=OTHER)
        newest, second, first = await life.subscriptions.changes(GUILD, 10)
        assert (newest.name, newest.action, newest.old, newest.new) == ("Two", "add", None, plan("Two"))
        assert (second.action, second.actor_id, second.at) == ("pause", BEN, NOON + HOUR)
        assert (second.old, second.new, second.subscription_id) == (plan("One"), plan("One"), one.id)
        assert (first.action, first.actor_id, first.at) == ("add", ADA, NOON)
        assert list(await life.subscriptions.changes(GUILD, 1)) == [newest]


async def test_due_are_active_ones_whose_time_has_come_the_longest_first(start: Start) -> None:
    async with start() as life:
        assert await life.subscriptions.next_due() is None
        later = await life.add("Later", due_at=NOON + MINUTE)
        assert await life.subscriptions.next_due() == NOON + MINUTE
        now = await life.add("Now", due_at=NOON, guild=OTHER)
        long_since = await life.add("Long since", due_at=NOON - HOUR)
        await paused(life, await life.add("Paused", due_at=NOON - DAY))
        suspended = await life.add("Suspended", due_at=NOON - DAY)
        assert await life.subscriptions.suspend(suspended.id, "no access")
        assert await life.subscriptions.due(NOON, 10) == (long_since, now)
        assert await life.subscriptions.due(NOON, 1) == (long_since,)
        assert await life.subscriptions.next_due() == NOON - HOUR
        assert await life.subscriptions.due(NOON + HOUR, 10) == (long_since, now, later)


async def test_putting_off_moves_only_what_is_due_and_active(start: Start) -> None:
    async with start() as life:
        due, later = await life.add("Due", due_at=NOON), await life.add("Later", due_at=NOON + DAY)
        off = await paused(life, await life.add("Off", due_at=NOON))
        moves = {one.id: NOON + HOUR for one in (due, later, off)}
        await life.subscriptions.put_off({**moves, "f" * 16: NOON}, NOON)
        assert [one.due_at for one in await life.subscriptions.of_guild(GUILD)] == [NOON + HOUR, NOON + DAY, None]
        assert await life.outbox.unbegun() == ()


async def test_the_bot_suspends_what_is_active_and_revives_what_it_suspended(start: Start) -> None:
    async with start() as life:
        one, other = await life.add("One"), await life.add("One", guild=OTHER)
        assert await life.subscriptions.suspend(one.id, "no access to the channel")
        assert not await life.subscriptions.suspend(one.id, "again")
        assert not await life.subscriptions.revive(other.id, NOON)
        (suspended,) = await life.subscriptions.suspended()
        assert (suspended.id, suspended.state, suspended.version) == (one.id, State.SUSPENDED, 1)
        assert suspended.problem == "no access to the channel"
        assert await life.subscriptions.suspended(OTHER) == ()
        assert await life.subscriptions.suspended(GUILD) == (suspended,)
        assert await life.subscriptions.revive(one.id, NOON + HOUR)
        assert await life.subscriptions.get(one.id) == replace(one, due_at=NOON + HOUR)
        assert not await life.subscriptions.suspend("f" * 16, "gone")
        held = await paused(life, one)
        assert not await life.subscriptions.suspend(one.id, "no access")
        assert await life.subscriptions.get(one.id) == held


async def test_failures_begin_anew_when_people_change_it(start: Start) -> None:
    async with start() as life:
        one = await life.add()
        (run,) = await life.sending()
        assert await life.outbox.dead(run.id, 0, "no access", refused_access=True) == 1
        failing = await life.subscriptions.get(one.id)
        assert failing is not None
        assert (failing.failures, failing.problem) == (1, "no access")
        changed = await life.subscriptions.change(failing, plan(), State.ACTIVE, NOON, actor_id=ADA, action="edit")
        assert (changed.failures, changed.problem, changed.ran_at) == (0, "", NOON)


@pytest.mark.parametrize("written", [False, True], ids=["asking", "sending"])
@pytest.mark.parametrize("how", ["pause", "remove", "suspend"])
async def test_what_stops_a_subscription_cancels_its_run_and_no_other(start: Start, how: str, written: bool) -> None:
    async with start() as life:
        one, other = await life.add("One"), await life.add("Other", channel_id=2)
        await (life.sending(2) if written else life.started())
        if how == "pause":
            await paused(life, one)
        elif how == "remove":
            await life.subscriptions.remove(one, actor_id=ADA)
        else:
            await life.subscriptions.suspend(one.id, "no access")
        runs = {run.subscription_id: run.state for run in await life.outbox.history(GUILD, 10)}
        assert runs == {one.id: RunState.CANCELLED, other.id: RunState.SENDING if written else RunState.ASKING}
        left = [each.subscription_id for each in await life.outbox.claim(NOON, 10, ())]
        left += [run.subscription.id for run in await life.outbox.asking(10)]
        assert left == [other.id]


async def test_what_was_being_sent_as_its_subscription_was_paused_counts_as_seen(start: Start) -> None:
    async with start() as life:
        one = await life.add()
        (run,) = await life.sending(2)
        await life.outbox.claim(NOON, 1, ())
        await paused(life, one)
        assert [sending.number for sending in await life.outbox.interrupted()] == [0]
        await life.outbox.sent({(run.id, 0): 99}, NOON)
        assert await life.states() == ["cancelled"]
        assert (await life.outbox.seen([one.id], NOON - DAY))[one.id] == part(run).seen


async def test_what_certainly_was_not_sent_of_a_paused_subscription_never_is(start: Start) -> None:
    async with start() as life:
        one = await life.add()
        (run,) = await life.sending()
        await life.outbox.claim(NOON, 1, ())
        await paused(life, one)
        await life.outbox.not_sent(run.id, 0, NOON, "busy")
        assert await life.outbox.claim(NOON, 1, ()) == ()
        assert await life.states() == ["cancelled"]


async def test_removing_forgets_what_was_seen_but_not_that_it_ran(start: Start) -> None:
    async with start() as life:
        one = await life.add("Gone")
        (run,) = await life.sending()
        await life.outbox.sent({(run.id, 0): 99}, NOON)
        await life.subscriptions.remove(one, actor_id=ADA)
        assert await life.outbox.seen([one.id], NOON - DAY) == {one.id: ()}
        (past,) = await life.outbox.history(GUILD, 10)
        assert (past.subscription_name, past.state) == ("Gone", RunState.SENT)


async def test_a_run_that_was_rendered_as_its_subscription_was_paused_is_not_sent(start: Start) -> None:
    async with start() as life:
        one = await life.add()
        (run,) = await life.started()
        await paused(life, one)
        await life.outbox.write([rendered(run)])
        assert await life.states() == ["cancelled"]
        assert await life.outbox.claim(NOON, 1, ()) == ()


async def test_one_process_holds_a_lease_until_it_gives_it_up_or_it_runs_out(start: Start) -> None:
    async with start() as life:
        hold = life.subscriptions.hold_lease
        took = await asyncio.gather(*(hold("schedule", owner, NOON, MINUTE) for owner in ("a", "b")))
        assert took == [True, False]
        assert await hold("something else", "b", NOON, MINUTE)
        assert await hold("schedule", "a", NOON + MINUTE / 2, MINUTE), "renewed"
        assert not await hold("schedule", "b", NOON + MINUTE, MINUTE)
        assert await hold("schedule", "b", NOON + MINUTE * 1.5, MINUTE), "ran out"
        await life.subscriptions.release_lease("schedule", "a")
        assert not await hold("schedule", "a", NOON + MINUTE * 2, MINUTE)
        await life.subscriptions.release_lease("schedule", "b")
        assert await hold("schedule", "a", NOON + MINUTE * 2, MINUTE)


async def test_nothing_is_due_where_the_bot_was_removed_until_it_is_back(start: Start) -> None:
    async with start() as life:
        one, other = await life.add(due_at=NOON), await life.add(guild=OTHER, due_at=NOON + HOUR)
        asking = await life.started()
        await life.guilds.mark_removed(GUILD, NOON)
        assert await life.subscriptions.due(NOON, 10) == ()
        assert await life.subscriptions.next_due() == NOON + HOUR
        assert (await life.states(), await life.states(OTHER)) == (["cancelled"], ["asking"])
        await life.outbox.write([rendered(run) for run in asking])
        sent = await life.outbox.claim(NOON, 10, ())
        assert {part.guild_id for part in sent} == {OTHER}
        await life.outbox.sent({(part.run_id, part.number): 1 for part in sent}, NOON)
        assert [run.subscription.id for run in await life.started()] == [other.id]
        assert await life.started(subscription_ids=(one.id,)) == ()
        await life.guilds.unmark(GUILD)
        assert [each.id for each in await life.subscriptions.due(NOON, 10)] == [one.id]


async def test_servers_that_the_bot_lost_while_it_was_away_have_their_runs_cancelled(start: Start) -> None:
    async with start() as life:
        await life.add()
        await life.add(guild=OTHER)
        await life.started()
        await life.guilds.reconcile([OTHER], NOON)
        assert (await life.states(), await life.states(OTHER)) == (["cancelled"], ["asking"])


async def test_a_plan_that_is_no_longer_valid_in_part_is_kept_for_the_rest(start: Start, tmp_path: Path) -> None:
    async with start() as life:
        one = await life.add("Kept", limit=7, schedule={"timezone": "Europe/Berlin"})
    with closing(sqlite3.connect(tmp_path / "signals.db")) as connection, connection:
        connection.execute("UPDATE subscriptions SET plan = replace(plan, 'Europe/Berlin', 'Europe/Atlantis')")
    async with start() as life:
        found = await life.subscriptions.get(one.id)
        assert found is not None
        assert (found.plan.name, found.plan.limit, found.plan.schedule) == ("Kept", 7, Schedule())


async def test_a_cancelled_change_happens_or_not_and_costs_others_nothing(start: Start) -> None:
    async with start() as life:
        for turns in range(8):
            cancelled = asyncio.create_task(life.add(f"Mine {turns}"))
            others = [asyncio.create_task(life.add(f"Theirs {turns}", guild=OTHER + n)) for n in range(3)]
            for _ in range(turns):
                await asyncio.sleep(0.0003)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            assert [one.plan.name for one in await asyncio.gather(*others)] == [f"Theirs {turns}"] * 3
        names = [one.plan.name for one in await life.subscriptions.of_guild(GUILD)]
        assert len(names) == len(set(names))
        assert len(names) == len(await life.subscriptions.changes(GUILD, 100)), "what happened happened whole"
