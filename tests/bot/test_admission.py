"""Who may ask now: bounds per tenant and in all, fair turns, a cooldown, and places that are never lost."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.admission import Admission, Refusal, Refused, Ticket
from tests.agents.resilience.doubles import Clock


def admission(ticks: Clock | None = None, **changes: float) -> Admission:
    bounds = {"permits": 3, "queue": 10, "total": 32, "cooldown_s": 0.0, "burst": 1000, **changes}
    cooldown_s = bounds.pop("cooldown_s")
    return Admission(
        **{name: int(bound) for name, bound in bounds.items()}, cooldown_s=cooldown_s, clock=ticks or Clock()
    )


def enter(asked: Admission, tenant: str = "guild", user: str = "user") -> Ticket:
    ticket = asked.ask(tenant, user)
    assert isinstance(ticket, Ticket)
    return ticket


def refused(asked: Admission, tenant: str = "guild", user: str = "user") -> Refusal:
    refusal = asked.ask(tenant, user)
    assert isinstance(refusal, Refusal)
    return refusal


async def test_three_run_ten_wait_and_the_next_is_refused_with_a_time() -> None:
    asked = admission()
    tickets = [enter(asked) for _ in range(13)]
    assert [ticket.waits for ticket in tickets] == [False] * 3 + [True] * 10
    refusal = refused(asked)
    assert refusal.why is Refused.BUSY
    assert refusal.retry_after_s >= 1
    tickets[0].release()
    assert not tickets[3].waits
    enter(asked)


async def test_one_full_guild_takes_nothing_from_another() -> None:
    asked = admission()
    for _ in range(13):
        enter(asked, "full")
    assert not enter(asked, "other").waits


async def test_queues_stay_bounded_when_all_guilds_together_are_too_many() -> None:
    asked = admission(total=2)
    for tenant in ("a", "b"):
        enter(asked, tenant)
    waiting = [enter(asked, "c") for _ in range(10)]
    assert all(ticket.waits for ticket in waiting)
    assert refused(asked, "c").why is Refused.BUSY


async def test_without_a_queue_nobody_waits() -> None:
    asked = admission(queue=0, permits=1)
    first = enter(asked)
    assert not first.waits
    assert refused(asked).why is Refused.BUSY
    first.release()
    assert not enter(asked).waits


async def test_guilds_take_turns() -> None:
    asked = admission(total=1, permits=3)
    running = enter(asked, "a")
    line = [enter(asked, tenant) for tenant in "aaabbc"]
    order = []
    for _ in range(6):
        running.release()
        running = next(ticket for ticket in line if not ticket.waits)
        line.remove(running)
        order.append(running.tenant)
    assert order == ["a", "b", "c", "a", "b", "a"]


async def test_a_cooldown_says_when_and_counts_only_what_was_admitted() -> None:
    ticks = Clock()
    asked = admission(ticks, cooldown_s=5, permits=1, queue=0)
    first = enter(asked, user="ada")
    ticks.now_s += 1.5
    refusal = refused(asked, user="ada")
    assert (refusal.why, refusal.retry_after_s) == (Refused.COOLDOWN, 4)
    assert refused(asked, user="grace").why is Refused.BUSY
    first.release()
    assert isinstance(asked.ask("guild", "grace"), Ticket)
    ticks.now_s += 3.5
    assert isinstance(asked.ask("elsewhere", "ada"), Ticket)


async def test_cooldowns_that_are_over_are_forgotten() -> None:
    ticks = Clock()
    asked = admission(ticks, cooldown_s=5)
    for number in range(100):
        enter(asked, user=str(number)).release()
        ticks.now_s += 1
    assert len(asked._cooldowns) <= 6


async def test_cancelled_in_the_line_the_place_is_free() -> None:
    asked = admission(permits=1, queue=1)
    running = enter(asked)
    waiting = enter(asked)

    async def wait() -> None:
        async with waiting:
            raise AssertionError("its turn never comes")

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    assert isinstance(asked.ask("guild", "user"), Refusal)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    third = enter(asked)
    running.release()
    async with third:
        pass
    await asked.idle()


async def test_cancelled_just_when_its_turn_came_the_permit_is_free() -> None:
    asked = admission(permits=1)
    running, waiting = enter(asked), enter(asked)
    task = asyncio.create_task(waiting.turn())
    await asyncio.sleep(0)
    running.release()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    waiting.release()
    assert not enter(asked).waits


async def test_released_twice_is_released_once() -> None:
    asked = admission(permits=1)
    first = enter(asked)
    first.release()
    second = enter(asked)
    first.release()
    assert enter(asked).waits
    second.release()


async def test_closed_it_admits_nobody_and_becomes_idle_when_all_are_done() -> None:
    asked = admission()
    ticket = enter(asked)
    asked.close()
    assert refused(asked).why is Refused.CLOSING
    idle = asyncio.create_task(asked.idle())
    await asyncio.sleep(0)
    assert not idle.done()
    async with ticket:
        pass
    await idle


async def test_a_burst_is_spent_and_comes_back_one_by_one_wherever_it_is_asked() -> None:
    ticks = Clock()
    asked = admission(ticks, burst=2)
    for tenant in ("one", "two"):
        enter(asked, tenant).release()
    assert refused(asked, "three") == Refusal(Refused.COOLDOWN, 15)
    assert isinstance(asked.ask("three", "somebody else"), Ticket)
    ticks.now_s += 15
    enter(asked, "three").release()
    assert refused(asked, "three").retry_after_s == 15


async def test_a_tenants_own_permits_and_cooldown_hold_there_only_and_never_above_the_operators() -> None:
    ticks = Clock()
    asked = admission(ticks, cooldown_s=5.0)
    first = asked.ask("strict", "ann", permits=1, cooldown_s=60.0)
    second = asked.ask("strict", "bob", permits=1, cooldown_s=60.0)
    assert isinstance(first, Ticket)
    assert isinstance(second, Ticket)
    assert (first.waits, second.waits) == (False, True)
    assert refused(asked, "strict", "ann").retry_after_s == 60
    assert not enter(asked, "usual", "ann").waits
    greedy = [asked.ask("greedy", str(number), permits=50) for number in range(4)]
    assert [isinstance(ticket, Ticket) and ticket.waits for ticket in greedy] == [False, False, False, True]


async def test_the_waiting_time_follows_what_requests_take() -> None:
    ticks = Clock()
    asked = admission(ticks, permits=1, queue=2)

    async def one(seconds: float) -> None:
        async with enter(asked):
            ticks.now_s += seconds

    for _ in range(50):
        await one(10.0)
    for _ in range(3):
        enter(asked)
    assert 25 <= refused(asked).retry_after_s <= 31


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "release", "cancel"]), st.sampled_from("abc"), st.integers(0, 20)), max_size=80
)


@given(STEPS, st.integers(1, 3), st.integers(0, 3), st.integers(1, 5))
@settings(max_examples=80, deadline=None)
def test_whatever_happens_bounds_hold_and_no_place_is_lost(
    steps: list[tuple[str, str, int]], permits: int, queue: int, total: int
) -> None:
    async def run() -> None:
        asked = admission(permits=permits, queue=queue, total=total)
        held: list[Ticket] = []
        turns: dict[Ticket, asyncio.Task[None]] = {}
        for what, tenant, index in steps:
            if what == "ask":
                ticket = asked.ask(tenant, "user")
                if isinstance(ticket, Ticket):
                    held.append(ticket)
                    turns[ticket] = asyncio.create_task(ticket.turn())
            elif held:
                ticket = held.pop(index % len(held))
                if what == "cancel":
                    turns[ticket].cancel()
                    await asyncio.sleep(0)
                ticket.release()
            await asyncio.sleep(0)
            running = Counter(ticket.tenant for ticket in held if not ticket.waits)
            waiting = Counter(ticket.tenant for ticket in held if ticket.waits)
            assert sum(running.values()) <= total
            assert all(count <= permits for count in running.values())
            assert all(count <= queue for count in waiting.values())
            # Nobody waits while there is room for them.
            assert all(running[tenant] == permits or sum(running.values()) == total for tenant in waiting)
        for ticket in held:
            ticket.release()
        await asyncio.gather(*turns.values(), return_exceptions=True)
        await asyncio.wait_for(asked.idle(), 1)
        assert all(not enter(asked, tenant).waits for tenant in "abc"[:total])

    asyncio.run(run())


async def test_refusals_of_one_tenant_are_told_in_one_room_and_of_others_in_another() -> None:
    asked = admission(permits=1, queue=0)
    tickets = [enter(asked, tenant) for tenant in ("full", "too")]
    first, second, other = refused(asked, "full"), refused(asked, "full"), refused(asked, "too")
    assert first.room is second.room
    assert first.room is not other.room
    assert len(asked._rooms) == 2
    del first, second, other
    assert len(asked._rooms) == 0
    for ticket in tickets:
        ticket.release()
