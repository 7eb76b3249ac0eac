"""What every ``Outbox`` keeps to. Another engine joins by one line in ``ENGINES``."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime

from agents.events import SourceRequest, WorkflowFinished, WorkflowStarted
from bot.store.outbox import Accepted, Origin, Part, PartState, Rendered, RunState, nonce_of
from bot.subscription import State
from tests.bot.store.digest_store import (
    ADA,
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
    rendered,
)


async def finished(life: Life) -> dict[str, tuple[int, int, int, int]]:
    return {one.workflow_id: _counts(one) for one in await life.outbox.finish(life.clock.now)}


def _counts(event: WorkflowFinished) -> tuple[int, int, int, int]:
    return event.sent, event.empty, event.failed, event.held


async def send(life: Life, count: int = 1) -> list[Part]:
    """Claim and send so many parts, one after the other."""
    sent = []
    for _ in range(count):
        for claimed in await life.outbox.claim(life.clock.now, 1, ()):
            await life.outbox.sent({(claimed.run_id, claimed.number): 99}, life.clock.now)
            sent.append(claimed)
    return sent


# Workflows


async def test_who_changes_something_else_meanwhile_does_not_have_the_schedule_start_it_again(start: Start) -> None:
    async with start() as life:
        before = await life.add(due_at=NOON)
        await hold_lease(life, NOON + MINUTE)
        event = WorkflowStarted(subscription_ids=(before.id,))
        assert await life.outbox.accept_due(event, {before.id: NOON + DAY}, NOON, "me")
        change = life.subscriptions.change
        after = await change(before, before.plan, State.ACTIVE, before.due_at, actor_id=ADA, action="edit")
        assert after.due_at == NOON + DAY
        assert await life.subscriptions.due(NOON + HOUR, 10) == ()
        moved = await change(after, after.plan, State.ACTIVE, NOON + HOUR, actor_id=ADA, action="edit")
        assert await life.subscriptions.due(NOON + HOUR, 10) == (moved,)


async def test_a_workflow_is_accepted_once_whoever_says_it_how_often(start: Start) -> None:
    event = WorkflowStarted()
    async with start() as life:
        outcomes = await asyncio.gather(*(life.outbox.accept(event, Origin.AGENT) for _ in range(20)))
        assert Counter(one.new for one in outcomes) == {True: 1, False: 19}
        assert {one.workflow_id for one in outcomes} == {event.workflow_id}
    async with start() as life:
        assert await life.outbox.accept(event, Origin.WEBHOOK) == Accepted(event.workflow_id, new=False)
        assert await life.outbox.unbegun() == (event.workflow_id,)


async def test_many_accepted_at_once_are_all_there_in_their_order(start: Start) -> None:
    events = [WorkflowStarted() for _ in range(700)]
    async with start() as life:
        outcomes = await asyncio.gather(*(life.outbox.accept(event, Origin.AGENT) for event in events))
        assert all(one.new for one in outcomes)
        assert await life.outbox.unbegun(1000) == tuple(event.workflow_id for event in events)
        assert len(await life.outbox.unbegun()) == 100


async def test_a_webhook_that_is_repeated_starts_nothing_and_is_told_the_first_workflow(start: Start) -> None:
    async with start() as life:
        events = [WorkflowStarted() for _ in range(3)]
        outcomes = await asyncio.gather(
            *(life.outbox.accept(event, Origin.WEBHOOK, webhook_id="msg_1") for event in events)
        )
        assert outcomes == [Accepted(events[0].workflow_id, new=number == 0) for number in range(3)]
        other = await life.outbox.accept(events[1], Origin.WEBHOOK, webhook_id="msg_2")
        assert other == Accepted(events[1].workflow_id, new=True)
        assert len(await life.outbox.unbegun()) == 2


async def test_webhook_ids_are_kept_for_seven_days(start: Start, clock: Clock) -> None:
    async with start() as life:
        first = await life.outbox.accept(WorkflowStarted(), Origin.WEBHOOK, webhook_id="msg_1")
        clock.now += 7 * DAY
        await life.outbox.purge(clock.now)
        again = await life.outbox.accept(WorkflowStarted(), Origin.WEBHOOK, webhook_id="msg_1")
        assert again == replace(first, new=False)
        clock.now += MINUTE
        await life.outbox.purge(clock.now)
        assert (await life.outbox.accept(WorkflowStarted(), Origin.WEBHOOK, webhook_id="msg_1")).new


async def test_what_a_workflow_carries_comes_back_whole(start: Start) -> None:
    event = WorkflowStarted(
        sources=(SourceRequest(name="reddit", options={"subreddit": "python"}),), query="types", guild_ids=("7",)
    )
    async with start() as life:
        await life.outbox.accept(event, Origin.COMMAND, name="Release", guild_id=GUILD)
    async with start() as life:
        (kept,) = await life.outbox.workflows(GUILD, 10)
        assert (kept.event, kept.origin, kept.name, kept.guild_id) == (event, Origin.COMMAND, "Release", GUILD)
        assert (kept.accepted_at, kept.begun, kept.finished_at, kept.counts) == (NOON, False, None, {})
        assert await life.outbox.workflows(OTHER, 10) == ()


async def hold_lease(life: Life, until: datetime) -> None:
    assert await life.subscriptions.hold_lease("schedule", "me", life.clock.now, until - life.clock.now)


async def test_the_schedule_starts_what_is_due_and_moves_it_in_one_step(start: Start) -> None:
    async with start() as life:
        due, later = await life.add("Due", due_at=NOON), await life.add("Later", due_at=NOON + HOUR)
        event = WorkflowStarted(subscription_ids=(due.id, later.id, "f" * 16))
        next_runs = {due.id: NOON + DAY, later.id: NOON + 2 * DAY, "f" * 16: None}
        assert await life.outbox.accept_due(event, next_runs, NOON, "me") is None, "no lease"
        await hold_lease(life, NOON + MINUTE)
        assert await life.outbox.accept_due(event, next_runs, NOON, "somebody else") is None
        assert await life.outbox.accept_due(event, next_runs, NOON + MINUTE, "me") is None, "ran out"
        assert await life.outbox.unbegun() == ()
        assert [one.due_at for one in await life.subscriptions.of_guild(GUILD)] == [NOON, NOON + HOUR]
        assert await life.outbox.accept_due(event, next_runs, NOON, "me") == Accepted(event.workflow_id, new=True)
        assert [one.due_at for one in await life.subscriptions.of_guild(GUILD)] == [NOON + DAY, NOON + HOUR]
        assert await life.outbox.accept_due(event, next_runs, NOON, "me") == Accepted(event.workflow_id, new=False)
        assert await life.outbox.begin(event.workflow_id) == 1, "what is not due is not run"
        (run,) = await life.outbox.asking(10)
        assert run.subscription.id == due.id
        (workflow,) = await life.outbox.workflows(GUILD, 10)
        assert workflow.origin is Origin.SCHEDULE
        another = WorkflowStarted(subscription_ids=(due.id,))
        assert await life.outbox.accept_due(another, {due.id: NOON + DAY}, NOON, "me") is None, "nothing is due"


# Runs


async def test_a_workflow_runs_every_active_subscription_once(start: Start) -> None:
    async with start() as life:
        mine, theirs = await life.add("Mine"), await life.add("Theirs", guild=OTHER)
        off = await life.add("Off")
        await life.subscriptions.change(off, off.plan, State.PAUSED, None, actor_id=ADA, action="pause")
        event = WorkflowStarted()
        await life.outbox.accept(event, Origin.AGENT)
        assert await asyncio.gather(*(life.outbox.begin(event.workflow_id) for _ in range(3))) == [2, 2, 2]
    async with start() as life:
        assert await life.outbox.begin(event.workflow_id) == 2
        assert await life.outbox.unbegun() == ()
        runs = await life.outbox.asking(10)
        assert {run.subscription.id for run in runs} == {mine.id, theirs.id}
        assert {(run.workflow_id, run.event, run.state) for run in runs} == {
            (event.workflow_id, event, RunState.ASKING)
        }
        assert {(run.started_at, run.since) for run in runs} == {(NOON, None)}
        assert [run.subscription.ran_at for run in runs] == [NOON, NOON]
        assert [one.ran_at for one in await life.subscriptions.of_guild(GUILD)] == [NOON, None]
        assert await life.outbox.asking(10, after_id=runs[0].id) == runs[1:]
        assert await life.outbox.asking(1) == runs[:1]
        assert await life.outbox.begin("unknown") == 0


async def test_workflows_are_begun_in_turn_and_no_more_than_there_is_room_for(start: Start) -> None:
    async with start() as life:
        for number in range(3):
            await life.add(f"Digest {number}")
        events = [WorkflowStarted(digests=number < 3) for number in range(6)]
        for event in events:
            await life.outbox.accept(event, Origin.AGENT)
        assert await life.outbox.begin_next(10, 4) == 2, "with the second there are six runs"
        assert await life.outbox.unbegun() == tuple(event.workflow_id for event in events[2:])
        assert await life.outbox.begin_next(2, 100) == 2
        assert await life.outbox.begin_next(10, 100) == 2
        assert await life.outbox.begin_next(10, 100) == 0
        assert await life.states() == ["asking"] * 9


async def test_a_run_waits_for_the_one_before_it_of_the_same_subscription(start: Start) -> None:
    async with start() as life:
        await life.add("One")
        await life.add("Other", channel_id=2)
        first, other = await life.started()
        assert await life.started() == (), "what the first shows would be new to the second"
        assert await life.outbox.asking(10) == (first, other)
        await life.outbox.write([rendered(first)])
        await life.outbox.fail([other.id], "no source answered")
        (free,) = await life.outbox.asking(10)
        assert free.subscription.id == other.subscription.id
        await send(life)
        assert len(await life.outbox.asking(10)) == 2


async def test_whom_a_workflow_names_it_runs_and_nobody_else(start: Start) -> None:
    async with start() as life:
        mine, theirs = await life.add("Mine"), await life.add("Theirs", guild=OTHER)
        dead = await life.add("Without access", guild=5)
        await life.subscriptions.suspend(dead.id, "no access")

        async def concerned(guild_id: int | None = None, **values: tuple[str, ...]) -> set[str]:
            event = WorkflowStarted.model_validate(values)
            await life.outbox.accept(event, Origin.COMMAND, guild_id=guild_id)
            await life.outbox.begin(event.workflow_id)
            runs = await life.outbox.asking(100)
            await life.outbox.fail([run.id for run in runs], "")
            return {run.subscription.id for run in runs}

        assert await concerned() == {mine.id, theirs.id}
        assert await concerned(GUILD) == {mine.id}
        assert await concerned(guild_ids=(str(OTHER), "0", "²", "x" * 30, "9" * 30)) == {theirs.id}
        assert await concerned(GUILD, guild_ids=(str(OTHER),)) == set()
        assert await concerned(guild_ids=("0",)) == set()
        assert await concerned(subscription_ids=(theirs.id, "f" * 16)) == {theirs.id}
        assert await concerned(GUILD, subscription_ids=(mine.id, theirs.id)) == {mine.id}
        assert await concerned(subscription_ids=(dead.id,)) == {dead.id}, "named: to see whether access is back"
        assert await concerned(guild_ids=("5",)) == set()


async def test_a_workflow_without_digests_or_subscribers_ends_at_once(start: Start) -> None:
    async with start() as life:
        await life.add()
        without = WorkflowStarted(digests=False)
        for event, guild_id in ((without, None), (WorkflowStarted(), OTHER)):
            await life.outbox.accept(event, Origin.AGENT, guild_id=guild_id)
            assert await life.outbox.begin(event.workflow_id) == 0
        assert set((await finished(life)).values()) == {(0, 0, 0, 0)}
        assert await finished(life) == {}


async def test_a_workflow_ends_in_the_trace_in_which_it_started(start: Start) -> None:
    async with start() as life:
        traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await life.started(traceparent=traceparent)
        (ended,) = await life.outbox.finish(NOON)
        assert ended.traceparent == traceparent


async def test_since_is_when_the_last_run_that_came_to_an_end_began(start: Start, clock: Clock) -> None:
    async with start() as life:
        await life.add()
        (first,) = await life.sending()
        await send(life)
        clock.now += HOUR
        (failed,) = await life.started()
        await life.outbox.fail([failed.id], "all sources failed")
        clock.now += HOUR
        (third,) = await life.started()
        assert (first.since, failed.since, third.since) == (None, NOON, NOON)
        await life.outbox.write([Rendered(third.id, (), 0, 0)])
        (fourth,) = await life.started()
        assert fourth.since == third.started_at == NOON + 2 * HOUR


async def test_what_was_rendered_is_written_once_and_sent_as_written(start: Start) -> None:
    async with start() as life:
        await life.add(channel_id=77)
        (run,) = await life.started()
        await life.outbox.write([rendered(run, 2)])
        await life.outbox.write([Rendered(run.id, (), 0, 0, "rendered again by who did not know")])
        await life.outbox.fail([run.id], "nor this one")
    async with start() as life:
        assert await life.outbox.asking(10) == ()
        (first,) = await life.outbox.claim(NOON, 10, ())
        assert first == replace(part(run), state=PartState.SENDING, attempts=1, tried_at=NOON)
        assert await life.outbox.claim(NOON, 10, ()) == (), "the second waits for the first"
        await life.outbox.sent({(run.id, 0): 1}, NOON)
        (second,) = await life.outbox.claim(NOON, 10, ())
        assert second == replace(part(run, 1), state=PartState.SENDING, attempts=1, tried_at=NOON)
        (past,) = await life.outbox.history(GUILD, 10)
        assert (past.state, past.items, past.left, past.note) == (RunState.SENDING, 4, 3, "all well")


async def test_a_run_with_nothing_new_is_empty_and_one_that_cannot_be_made_fails_with_a_sentence(
    start: Start,
) -> None:
    async with start() as life:
        await life.add("Empty")
        await life.add("Failed")
        empty, failed = await life.started()
        await life.outbox.write([Rendered(empty.id, (), 0, 0, "nothing new")])
        await life.outbox.fail([failed.id], "Reddit did not answer.")
        newest, oldest = await life.outbox.history(GUILD, 10)
        assert (newest.state, newest.note, newest.finished_at) == (RunState.FAILED, "Reddit did not answer.", NOON)
        assert (oldest.state, oldest.note, oldest.finished_at) == (RunState.EMPTY, "nothing new", NOON)
        assert await finished(life) == {empty.workflow_id: (0, 1, 1, 0)}


async def test_the_schedule_starts_no_run_where_one_of_its_own_has_still_to_be_made(start: Start) -> None:
    async with start() as life:
        one, other = await life.add("One"), await life.add("Other")

        async def runs_of(origin: Origin) -> int:
            event = WorkflowStarted(subscription_ids=(one.id, other.id))
            await life.outbox.accept(event, origin)
            return await life.outbox.begin(event.workflow_id)

        assert [await runs_of(Origin.COMMAND), await runs_of(Origin.SCHEDULE)] == [2, 2], (
            "another may ask another way"
        )
        mine, its = await life.outbox.asking(10)
        await life.outbox.write([rendered(mine), Rendered(its.id, (), 0, 0)])
        assert await runs_of(Origin.SCHEDULE) == 0
        (its,) = await life.outbox.asking(10)
        await life.outbox.write([rendered(its)])
        assert await runs_of(Origin.SCHEDULE) == 1, "of one the messages are written, of the other nothing yet"
        assert await runs_of(Origin.SCHEDULE) == 0
        assert await runs_of(Origin.WEBHOOK) == 2


async def test_what_a_run_left_over_is_kept_until_a_later_one_says_otherwise(start: Start) -> None:
    async with start() as life:
        one, other, paused = [await life.add(name) for name in ("One", "Other", "Paused")]
        every = (one.id, other.id, paused.id)
        assert await life.outbox.left_over(every) == {}
        runs = await life.started()
        await life.subscriptions.change(paused, paused.plan, State.PAUSED, None, actor_id=ADA, action="pause")
        written = [Rendered(run.id, (), 0, 0, left_over=f"of {run.subscription.plan.name}") for run in runs]
        await life.outbox.write(written)
        await life.outbox.write([replace(again, left_over="written twice") for again in written])
    async with start() as life:
        assert await life.outbox.left_over(every) == {one.id: "of One", other.id: "of Other"}
        first, second = await life.started()
        await life.outbox.write(
            [Rendered(first.id, (), 0, 0, left_over=""), Rendered(second.id, (), 0, 0, left_over=None)]
        )
        assert await life.outbox.left_over(every) == {other.id: "of Other"}
        await life.subscriptions.change(other, other.plan, State.PAUSED, None, actor_id=ADA, action="pause")
        assert await life.outbox.left_over(every) == {other.id: "of Other"}


# Parts


def test_a_part_is_known_to_discord_by_the_same_few_characters_always_and_by_no_other() -> None:
    nonces = {nonce_of(workflow, one, number) for workflow in "ab" for one in "cd" for number in range(3)}
    assert len(nonces) == 12
    assert {len(nonce) for nonce in nonces} == {24}
    assert nonce_of("w", "s", 0) == nonce_of("w", "s", 0) == "fb285ce7b7c6844bc5dc706a"


async def test_sent_is_sent_once_and_counts_as_seen_from_then_on(start: Start, clock: Clock) -> None:
    async with start() as life:
        one, other = await life.add("One"), await life.add("Other", channel_id=2)
        run, _ = await life.sending(2)
        nothing = {one.id: (), other.id: ()}
        assert await life.outbox.seen([one.id, other.id], NOON - DAY) == nothing, "written is not seen"
        await life.outbox.claim(NOON, 1, ())
        clock.now += MINUTE
        await life.outbox.sent({(run.id, 0): 5}, clock.now)
        await life.outbox.sent({(run.id, 0): 5}, clock.now + DAY)
        assert await life.outbox.seen([one.id, other.id], NOON - DAY) == {**nothing, one.id: part(run).seen}
        assert await life.outbox.seen([one.id], NOON + MINUTE) == {one.id: part(run).seen}
        assert await life.outbox.seen([one.id], NOON + HOUR) == {one.id: ()}
        assert await life.states() == ["sending", "sending"]
        assert await finished(life) == {}
        await life.outbox.claim(NOON, 1, (2,))
        await life.outbox.sent({(run.id, 1): 6}, clock.now)
        assert await life.states() == ["sent", "sending"]


async def test_a_run_that_was_sent_ends_a_row_of_failures(start: Start) -> None:
    async with start() as life:
        one = await life.add()
        for turn in range(2):
            (run,) = await life.sending()
            assert await life.outbox.dead(run.id, 0, "Missing Access", refused_access=True) == turn + 1
            assert await life.outbox.dead(run.id, 0, "Missing Access", refused_access=True) == turn + 1, "again"
        (run,) = await life.sending()
        assert await life.outbox.dead(run.id, 0, "Invalid Form Body", refused_access=False) == 2
        before = await life.subscriptions.get(one.id)
        assert before is not None
        assert (before.failures, before.problem) == (2, "Missing Access")
        await life.sending()
        await send(life)
        assert await life.subscriptions.get(one.id) == replace(before, failures=0, problem="")


async def test_all_sent_at_once_are_marked_together(start: Start) -> None:
    async with start() as life:
        for number in range(30):
            await life.add(guild=number + 1, channel_id=number + 1)
        runs = await life.sending()
        parts = await life.outbox.claim(NOON, 30, ())
        assert len(parts) == 30
        marks = [life.outbox.sent({(one.run_id, one.number): 9}, NOON) for one in parts[:15]]
        await asyncio.gather(life.outbox.sent({(one.run_id, 0): 9 for one in parts[15:]}, NOON), *marks)
        assert await finished(life) == {runs[0].workflow_id: (30, 0, 0, 0)}
        (workflow,) = await life.outbox.workflows(3, 10)
        assert (workflow.counts, workflow.finished_at) == ({RunState.SENT: 1}, NOON)


async def test_no_channel_has_two_parts_at_once_and_busy_ones_none(start: Start) -> None:
    async with start() as life:
        for number in range(6):
            await life.add(f"Digest {number}", channel_id=number // 2 + 1)
        await life.sending()
        first = await life.outbox.claim(NOON, 10, (2,))
        assert [one.channel_id for one in first] == [1, 3]
        assert await life.outbox.claim(NOON, 10, (1, 2, 3)) == ()
        second = await life.outbox.claim(NOON, 10, (1, 3))
        assert [one.channel_id for one in second] == [2]
        rest = await life.outbox.claim(NOON, 10, ())
        assert [one.channel_id for one in rest] == [1, 2, 3]
        assert len({one.run_id for one in (*first, *second, *rest)}) == 6


async def test_the_server_served_least_recently_goes_first_and_a_big_one_does_not_go_before_the_others(
    start: Start, clock: Clock
) -> None:
    async with start() as life:
        for number in range(6):
            await life.add(f"Digest {number}", guild=1, channel_id=number + 1)
        for guild in (2, 3):
            await life.add(guild=guild, channel_id=guild * 100)
        await life.sending()
        order = []
        for _ in range(8):
            clock.now += MINUTE
            order += [one.guild_id for one in await send(life)]
        assert order == [1, 2, 3, 1, 1, 1, 1, 1]
        await life.sending(guild_ids=("1", "2"))
        claimed = await life.outbox.claim(clock.now, 3, ())
        assert [one.guild_id for one in claimed] == [2, 1, 1], "2 was served before 1 was for the last time"


async def test_what_was_not_sent_waits_for_its_time_and_keeps_its_nonce(start: Start, clock: Clock) -> None:
    async with start() as life:
        await life.add()
        (run,) = await life.sending()
        (first,) = await life.outbox.claim(NOON, 1, ())
        await life.outbox.not_sent(run.id, 0, NOON + MINUTE, "503")
        assert await life.outbox.claim(NOON, 1, ()) == ()
        assert await life.outbox.interrupted() == ()
        clock.now = NOON + MINUTE
        (again,) = await life.outbox.claim(clock.now, 1, ())
        assert (again.attempts, again.tried_at, again.nonce, again.problem) == (2, NOON, first.nonce, "503")


async def test_a_part_of_which_nobody_knows_is_settled_and_not_sent_again_by_itself(
    start: Start, clock: Clock
) -> None:
    async with start() as life:
        await life.add()
        (run,) = await life.sending(2)
        await life.outbox.claim(NOON, 1, ())
        await life.outbox.unknown(run.id, 0, NOON + MINUTE, "dropped")
        assert await life.outbox.claim(NOON + DAY, 10, ()) == ()
    async with start() as life:
        (unknown,) = await life.outbox.interrupted()
        assert (unknown.state, unknown.attempts, unknown.tried_at) == (PartState.SENDING, 1, NOON)
        assert (unknown.not_before, unknown.problem) == (NOON + MINUTE, "dropped")
        await life.outbox.hold(run.id, 0, "It is not known whether this was posted.")
        await life.outbox.hold(run.id, 0, "It is not known whether this was posted.")
        assert await life.outbox.interrupted() == ()
        assert await life.outbox.claim(NOON + DAY, 10, ()) == ()
        (past,) = await life.outbox.history(GUILD, 10)
        assert (past.state, past.note) == (RunState.HELD, "It is not known whether this was posted.")
        seen = await life.outbox.seen([past.subscription_id], NOON - DAY)
        assert seen == {past.subscription_id: ()}, "what it shows is new to the next run, which may be by hand"
        assert await finished(life) == {run.workflow_id: (0, 0, 0, 1)}


async def test_a_forums_post_is_begun_by_one_and_waits_again_only_while_nobody_has_begun_it(start: Start) -> None:
    async with start() as life:
        one = await life.add()
        (run,) = await life.started()
        await life.outbox.write([rendered(run, forum=True)])
        assert not await life.outbox.begin_post(run.id, 0), "not before it is claimed"
        await life.outbox.claim(NOON, 1, ())
        assert await life.outbox.return_post(run.id, 0)
        await life.outbox.claim(NOON, 1, ())
        assert await life.outbox.begin_post(run.id, 0)
        assert not await life.outbox.begin_post(run.id, 0)
        assert not await life.outbox.return_post(run.id, 0)
        assert len(await life.outbox.interrupted()) == 1
        await life.outbox.not_sent(run.id, 0, NOON, "limited")
        await life.outbox.claim(NOON, 1, ())
        paused = await life.subscriptions.change(one, one.plan, State.PAUSED, None, actor_id=ADA, action="pause")
        assert await life.outbox.return_post(run.id, 0)
        await life.subscriptions.change(paused, one.plan, State.ACTIVE, NOON + DAY, actor_id=ADA, action="resume")
        assert await life.outbox.claim(NOON, 1, ()) == (), "its run was cancelled"


async def test_a_refused_part_is_rebuilt_then_dead_and_the_rest_of_its_run_with_it(start: Start) -> None:
    async with start() as life:
        await life.add()
        (run,) = await life.sending(3)
        await life.outbox.claim(NOON, 1, ())
        await life.outbox.rebuild(run.id, 0, '{"content": "smaller"}')
        (rebuilt,) = await life.outbox.claim(NOON, 1, ())
        assert (rebuilt.body, rebuilt.chart, rebuilt.attempts) == ('{"content": "smaller"}', None, 2)
        await life.outbox.dead(run.id, 0, "Invalid Form Body", refused_access=False)
        assert await life.outbox.claim(NOON + DAY, 10, ()) == ()
        (past,) = await life.outbox.history(GUILD, 10)
        assert (past.state, past.note) == (RunState.FAILED, "Invalid Form Body")
        assert await life.outbox.dead(run.id + 100, 0, "gone", refused_access=True) == 0


async def test_what_the_end_of_a_part_was_is_not_changed_by_word_that_comes_late(start: Start) -> None:
    async with start() as life:
        await life.add()
        (run,) = await life.sending()
        await send(life)
        await life.outbox.not_sent(run.id, 0, NOON, "late")
        await life.outbox.unknown(run.id, 0, NOON, "late")
        await life.outbox.rebuild(run.id, 0, "{}")
        await life.outbox.hold(run.id, 0, "late")
        assert await life.outbox.dead(run.id, 0, "late", refused_access=True) == 0
        assert await life.states() == ["sent"]
        assert await life.outbox.claim(NOON + DAY, 1, ()) == ()


async def test_what_a_killed_process_left_in_the_middle_is_found_at_the_next_start(start: Start) -> None:
    async with start() as life:
        for number in range(3):
            await life.add(f"Digest {number}", channel_id=number + 1)
        accepted = WorkflowStarted()
        await life.outbox.accept(accepted, Origin.WEBHOOK)
        first, second, third = await life.started()
        await life.outbox.write([rendered(first), rendered(second)])
        (claimed,) = await life.outbox.claim(NOON, 1, ())
    async with start() as life:
        assert await life.outbox.unbegun() == (accepted.workflow_id,)
        assert [run.id for run in await life.outbox.asking(10)] == [third.id]
        assert [one.run_id for one in await life.outbox.interrupted()] == [claimed.run_id]
        assert [one.run_id for one in await life.outbox.claim(NOON, 10, ())] == [second.id]


# What people see, and what is forgotten


async def test_history_is_read_page_by_page_newest_first_and_each_server_sees_its_own(start: Start) -> None:
    async with start() as life:
        await life.add("Mine")
        await life.add("Theirs", guild=OTHER)
        for _ in range(3):
            await life.started()
        page = await life.outbox.history(GUILD, 2)
        rest = await life.outbox.history(GUILD, 2, before_id=page[-1].run_id)
        assert [one.run_id for one in (*page, *rest)] == sorted((one.run_id for one in (*page, *rest)), reverse=True)
        assert (len(page), len(rest)) == (2, 1)
        assert {one.subscription_name for one in (*page, *rest)} == {"Mine"}
        theirs = await life.outbox.history(OTHER, 10)
        assert await life.outbox.history(OTHER, 10, subscription_id=theirs[0].subscription_id) == theirs
        assert await life.outbox.history(GUILD, 10, subscription_id=theirs[0].subscription_id) == ()
        assert await life.outbox.history(GUILD, 10, state=RunState.FAILED) == ()
        assert len(await life.outbox.workflows(OTHER, 2)) == 2
        assert [one.counts for one in await life.outbox.workflows(GUILD, 10)] == [{RunState.ASKING: 1}] * 3
        await life.outbox.fail([page[1].run_id], "No source answered.")
        (failed,) = await life.outbox.history(GUILD, 10, state=RunState.FAILED)
        assert failed.run_id == page[1].run_id


async def test_what_was_shown_and_what_ran_is_forgotten_after_thirty_days_and_not_before(
    start: Start, clock: Clock
) -> None:
    async with start() as life:
        one = await life.add()
        (run,) = await life.sending()
        await send(life)
        await life.outbox.finish(NOON)
        (under_way,) = await life.started()
        for days, kept in ((30, 1), (31, 0)):
            await life.outbox.purge(NOON + days * DAY)
            assert len((await life.outbox.seen([one.id], NOON - DAY))[one.id]) == 2 * kept
            assert [past.run_id for past in await life.outbox.history(GUILD, 10)] == [under_way.id, run.id][
                : 1 + kept
            ]
        assert len(await life.outbox.workflows(GUILD, 10)) == 1


async def test_deleting_a_server_leaves_nothing_of_its_digests_and_everything_of_others(start: Start) -> None:
    async with start() as life:
        mine, theirs = await life.add(), await life.add(guild=OTHER)
        runs = await life.sending()
        named = WorkflowStarted(guild_ids=(str(GUILD),))
        await life.outbox.accept(named, Origin.WEBHOOK)
        await life.outbox.accept(WorkflowStarted(), Origin.COMMAND, guild_id=GUILD)
        stored = await life.guilds.data_of(GUILD)
        assert (stored.digests, stored.digest_changes, stored.digest_runs) == (1, 1, 1)
        await life.guilds.delete_guild(GUILD)
        stored = await life.guilds.data_of(GUILD)
        assert (stored.digests, stored.digest_changes, stored.digest_runs) == (0, 0, 0)
        assert (await life.subscriptions.get(mine.id), await life.outbox.history(GUILD, 10)) == (None, ())
        assert await life.outbox.workflows(GUILD, 10) == ()
        assert await life.subscriptions.get(theirs.id) is not None
        assert [one.guild_id for one in await life.outbox.claim(NOON, 10, ())] == [OTHER]
        assert await life.outbox.begin(named.workflow_id) == 0, "it does not become one for all servers"
        await life.outbox.sent({(run.id, 0): 1 for run in runs}, NOON)
        assert await life.outbox.seen([mine.id], NOON - DAY) == {mine.id: ()}
    async with start() as life, life.database.reading(1) as connection:
        everything = await connection.exec_driver_sql("SELECT event FROM workflows")
        assert not any(str(GUILD) in row.event for row in everything)


async def test_a_server_of_which_only_digests_are_kept_is_deleted_thirty_days_after_it_is_gone(
    start: Start, clock: Clock
) -> None:
    async with start() as life:
        one = await life.add()
        await life.guilds.reconcile([], NOON)
        await life.guilds.purge(NOON + 30 * DAY)
        assert await life.subscriptions.get(one.id) is not None
        await life.guilds.purge(NOON + 31 * DAY)
        assert await life.subscriptions.get(one.id) is None
        assert await life.subscriptions.changes(GUILD, 10) == ()


async def test_changes_of_digests_are_forgotten_after_ninety_days(start: Start) -> None:
    async with start() as life:
        one = await life.add()
        await life.guilds.purge(NOON + 90 * DAY)
        assert len(await life.subscriptions.changes(GUILD, 10)) == 1
        await life.guilds.purge(NOON + 91 * DAY)
        assert await life.subscriptions.changes(GUILD, 10) == ()
        assert await life.subscriptions.get(one.id) == one


async def test_a_cancelled_claim_or_mark_happens_whole_or_not_at_all(start: Start) -> None:
    async with start() as life:
        for number in range(8):
            await life.add(f"Digest {number}", channel_id=number + 1)
        await life.sending()
        done: list[Part] = []
        for turns in range(8):
            claiming = asyncio.create_task(life.outbox.claim(NOON, 1, ()))
            for _ in range(turns):
                await asyncio.sleep(0.0003)
            claiming.cancel()
            outcome = await asyncio.gather(claiming, return_exceptions=True)
            done += outcome[0] if isinstance(outcome[0], tuple) else ()
        left = await life.outbox.claim(NOON, 10, ())
        sending = {(one.run_id, one.number) for one in await life.outbox.interrupted()}
        assert len(sending) == 8, "none is lost: what nobody heard of is settled like any other"
        assert {(one.run_id, one.number) for one in (*done, *left)} <= sending
