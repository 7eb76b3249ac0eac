"""Whatever Discord, the network, the database and the process do: nothing is lost, and nothing is posted twice."""

import asyncio
import json
import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from bot.delivery.outbox import IDLE_S, MOST_OPEN
from bot.delivery.posting import TROUBLE
from bot.delivery.rest import Reply
from bot.store.outbox import Part, PartState
from bot.subscription import State, Subscription
from tests.bot.delivery.conftest import Delivery
from tests.bot.delivery.fakes import (
    Step,
    answers,
    arrives_late,
    body_of,
    drops,
    hangs,
    limited,
    part,
    refusal,
    reply,
    unreachable,
)
from tests.bot.delivery.virtual_time import settle

FIRST = (1, 0)
UNKNOWN: dict[str, Step] = {
    "500": answers(reply(500)),
    "502 after": answers(reply(502), after=True),
    "503": answers(reply(503)),
    "520 after": answers(reply(520), after=True),
    "522": answers(reply(522)),
    "dropped": drops(),
    "dropped after": drops(after=True),
    "hangs": hangs(),
    "hangs after": hangs(after=True),
    "a proxy's page": answers(reply(200)),
    "truncated": drops(after=True),
}


def states(delivery: Delivery) -> set[PartState]:
    return set(delivery.outbox.states().values())


def all_are(delivery: Delivery, state: PartState) -> bool:
    return states(delivery) == {state}


async def test_what_is_in_the_outbox_is_posted_with_its_nonce_and_noted_with_the_messages_id(
    delivery: Delivery,
) -> None:
    delivery.put(part())
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    (message,) = delivery.discord.messages
    assert delivery.outbox[FIRST].message_id == message.id
    assert (message.body["nonce"], message.body["enforce_nonce"]) == ("n0001x0", True)
    assert delivery.finals == 1


async def test_the_parts_of_a_run_come_in_order_one_at_a_time(delivery: Delivery) -> None:
    delivery.put(*(part(1, number) for number in range(4)))
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    assert [message.body["nonce"] for message in delivery.discord.messages] == [f"n0001x{n}" for n in range(4)]
    assert delivery.discord.together == 1


async def test_never_two_at_once_to_a_channel_and_all_channels_side_by_side(delivery: Delivery) -> None:
    delivery.discord.latency_s = 0.2
    delivery.put(*(part(run, channel_id=100 + run % 10) for run in range(40)))
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    assert delivery.discord.together == 1
    assert delivery.discord.most_in_flight == 10


async def test_the_guild_served_least_recently_goes_first(delivery: Delivery) -> None:
    big = [part(run, channel_id=run, guild_id=1) for run in range(1, 200)]
    delivery.put(*big, part(200, channel_id=200, guild_id=2))
    async with delivery.running():
        await delivery.clock.until(lambda: 200 in delivery.discord.channels)
    assert len(delivery.discord.messages) < 20


async def test_no_second_sees_more_than_fifty_requests(delivery: Delivery) -> None:
    delivery.put(*(part(run, channel_id=run) for run in range(1, 301)))
    async with delivery.running():
        began = delivery.clock.now_s
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    at = delivery.discord.creations()
    assert max(sum(first <= one < first + 1 for one in at) for first in at) <= 50
    assert delivery.clock.now_s - began < 300 / 45


@pytest.mark.parametrize("name", UNKNOWN)
async def test_what_got_no_answer_is_sent_again_at_once_and_is_there_exactly_once(
    delivery: Delivery, name: str
) -> None:
    delivery.put(part())
    delivery.discord.script.append(UNKNOWN[name])
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 60)
    assert len(delivery.discord.messages) == 1
    assert len(delivery.outbox.noted) == 1


@pytest.mark.parametrize("name", UNKNOWN)
async def test_what_is_unknown_for_longer_than_the_nonce_lives_is_found_by_its_mark(
    delivery: Delivery, name: str
) -> None:
    delivery.put(part())
    delivery.discord.nonce_s = 60.0
    delivery.discord.script = [UNKNOWN[name], *[drops()] * 40]
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 7200)
    assert len(delivery.discord.messages) == 1
    assert any("limit=100&after=" in path for _, method, path in delivery.discord.asked if method == "GET")


async def test_nothing_is_sent_again_when_discord_may_have_forgotten_the_nonce(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.discord.script += [drops()] * 200
    async with delivery.running():
        await delivery.clock.passes(65)
        assert delivery.discord.creations()[-1] - delivery.discord.creations()[0] < 60
        assert not any(method == "GET" for _, method, _ in delivery.discord.asked[:-1])


async def test_the_mark_of_somebody_else_does_not_count(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.discord.script = [drops()] * 41
    async with delivery.running():
        await delivery.clock.until(lambda: delivery.outbox.noted, 60)
        delivery.discord.say(100, body_of("n0001x0"), author_id=1)
        delivery.discord.say(100, body_of("n0002x0"), author_id=77)
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 7200)
    assert sum(message.body.get("nonce") == "n0001x0" for message in delivery.discord.messages) == 1


async def test_it_is_found_among_hundreds_of_messages(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.discord.script = [drops(after=True), *[drops()] * 40]
    async with delivery.running():
        for _ in range(250):
            delivery.discord.say(100)
        await delivery.clock.until(lambda: len(delivery.discord.messages) == 1)
        for _ in range(250):
            delivery.discord.say(100)
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 7200)
    assert len(delivery.discord.messages) == 1


async def test_more_than_can_be_read_is_held(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.discord.script = [drops()] * 40
    async with delivery.running():
        await delivery.clock.until(lambda: delivery.outbox.noted)
        for _ in range(2100):
            delivery.discord.say(100)
        await delivery.clock.until(lambda: all_are(delivery, PartState.HELD))
    assert delivery.admins.titles == ["A digest may be missing"]


async def test_without_the_right_to_look_it_is_held_and_admins_are_told(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.access.history = delivery.discord.history = False
    delivery.discord.script = [drops()] * 40
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.HELD))
    assert "Read Message History" in delivery.outbox[FIRST].problem
    assert "/digest run posts it" in delivery.outbox[FIRST].problem
    assert "may repeat" in str(delivery.admins.cards[0][1].embed.description)
    assert delivery.admins.titles == ["A digest may be missing"]
    assert not any(method == "GET" for _, method, _ in delivery.discord.asked)


async def test_without_the_right_to_look_the_nonce_still_helps(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.access.history = delivery.discord.history = False
    delivery.discord.script = [drops(after=True), answers(reply(503))]
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 60)
    assert len(delivery.discord.messages) == 1
    assert delivery.admins.cards == []


@pytest.mark.parametrize("forum", [False, True])
async def test_what_is_in_doubt_when_its_server_is_in_an_outage_waits_for_its_end(
    delivery: Delivery, forum: bool
) -> None:
    delivery.put(part(forum=forum))
    delivery.access.history = None
    delivery.discord.script = [drops(after=True), *[drops()] * 40]
    async with delivery.running():
        await delivery.clock.passes(3600)
        assert all_are(delivery, PartState.SENDING)
        delivery.access.history = True
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 600)
    assert len(delivery.discord.messages) == 1
    assert delivery.admins.cards == []


@pytest.mark.parametrize("name", [name for name in UNKNOWN if "after" in name])
async def test_a_post_in_a_forum_is_never_made_again_but_looked_for(delivery: Delivery, name: str) -> None:
    delivery.put(part(forum=True))
    delivery.discord.script = [UNKNOWN[name]]
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    (post,) = delivery.discord.messages
    assert delivery.outbox[FIRST].message_id == post.id
    assert len(delivery.discord.creations()) == 1


@pytest.mark.parametrize("history", [True, False])
async def test_a_post_that_is_not_found_is_held(delivery: Delivery, history: bool) -> None:
    delivery.put(part(forum=True))
    delivery.access.history = history
    delivery.discord.script = [drops()]
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.HELD))
    assert len(delivery.discord.creations()) == 1
    assert delivery.admins.titles == ["A digest may be missing"]


async def test_a_post_of_another_digest_is_not_taken_for_it(delivery: Delivery) -> None:
    delivery.put(part(1, forum=True), part(2, forum=True, channel_id=101))
    delivery.discord.script = [drops(), None]
    async with delivery.running():
        await delivery.clock.until(lambda: PartState.SENDING not in states(delivery))
    assert delivery.outbox.states() == {(1, 0): PartState.HELD, (2, 0): PartState.SENT}


async def test_what_did_not_even_reach_discord_goes_back_and_is_tried_until_it_does(delivery: Delivery) -> None:
    delivery.put(part(), part(2, forum=True, channel_id=101))
    delivery.discord.script = [unreachable()] * 30
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    assert len(delivery.discord.messages) == 2
    assert delivery.outbox.noted == []


async def test_a_limit_of_an_hour_parks_that_channel_alone(delivery: Delivery) -> None:
    delivery.put(part(1), part(2), *(part(run, channel_id=200 + run) for run in range(3, 60)))
    delivery.discord.script = [limited(3600)]
    async with delivery.running():
        await delivery.clock.passes(60)
        waiting = [key for key, state in delivery.outbox.states().items() if state is not PartState.SENT]
        assert waiting == [(1, 0), (2, 0)]
        asked = len(delivery.discord.creations())
        await delivery.clock.passes(3400)
        assert len(delivery.discord.creations()) == asked
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 300)
    assert delivery.outbox[2, 0].attempts == 1


async def test_the_limit_over_all_routes_stops_everything_for_as_long_as_it_says(delivery: Delivery) -> None:
    delivery.put(*(part(run, channel_id=run) for run in range(1, 100)))
    delivery.discord.script = [None] * 10 + [limited(30, "global")]
    async with delivery.running():
        await delivery.clock.passes(15)
        assert len(delivery.discord.creations()) < 60
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    at = delivery.discord.creations()
    gap = max(later - earlier for earlier, later in pairwise(at))
    assert 29 < gap < 31


@pytest.mark.parametrize(
    ("scope", "words"),
    [("shared", "Discord wants a channel left alone"), ("global", "Discord limits all requests; digests wait")],
)
@pytest.mark.parametrize("seconds", [5, 3600])
async def test_a_long_limit_is_logged_and_a_short_one_is_not(
    delivery: Delivery, caplog: pytest.LogCaptureFixture, scope: str, words: str, seconds: int
) -> None:
    delivery.put(part())
    delivery.discord.script = [limited(seconds, scope)]
    async with delivery.running():
        await delivery.clock.passes(1)
    assert (words in caplog.text) is (seconds == 3600)


async def test_an_empty_bucket_is_not_asked_again_before_it_is_full(delivery: Delivery) -> None:
    empty = answers(reply(200, {"id": "9"}, X_RateLimit_Remaining="0", X_RateLimit_Reset_After="4.5"), after=True)
    delivery.put(part(1), part(2))
    delivery.discord.script = [empty]
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    first, second = delivery.discord.creations()
    assert 4.5 <= second - first < 10


async def test_the_page_of_a_ban_stops_all_requests_for_ten_minutes(
    delivery: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    page = answers(replace(reply(429), headers={}))
    delivery.put(*(part(run, channel_id=run) for run in range(1, 100)))
    delivery.discord.script = [None] * 20 + [page]
    async with delivery.running():
        await delivery.clock.until(lambda: delivery.pacer.paused_s > 0)
        await settle()
        await delivery.clock.passes(1)
        asked = len(delivery.discord.asked)
        await delivery.clock.passes(590)
        assert len(delivery.discord.asked) == asked
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 60)
    assert any(record.levelname == "ERROR" and "shuts" in record.getMessage() for record in caplog.records)
    caplog.clear()


async def test_while_nothing_may_be_sent_nothing_is_claimed_so_that_it_can_be_cancelled(delivery: Delivery) -> None:
    delivery.put(*(part(run, channel_id=run) for run in range(1, 60)))
    delivery.discord.script = [None] * 5 + [answers(Reply(429))]
    async with delivery.running():
        await delivery.clock.passes(20)
        assert delivery.pacer.paused_s > 500
        assert states(delivery) == {PartState.SENT, PartState.WAITING}
        for key in [key for key, state in delivery.outbox.states().items() if state is PartState.WAITING]:
            del delivery.outbox.parts[key]
        delivery.put(part(99, channel_id=99))
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 700)
        sent = len(delivery.discord.messages)
    assert sent == len(delivery.outbox.parts) < 30


async def test_a_token_that_is_refused_is_told_to_whoever_runs_the_process(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.discord.script = [answers(reply(401, {"code": 0}))]
    async with delivery.running() as sender:
        await delivery.clock.until(sender.token_refused.is_set)
        await settle()
        assert all_are(delivery, PartState.WAITING)


@pytest.mark.parametrize("code", [10003, 10004, 40067, 50001, 50007, 50013, 50083, 160005, 4711])
async def test_a_channel_that_refuses_ends_the_run_and_is_not_asked_again(delivery: Delivery, code: int) -> None:
    delivery.put(part(1, 0), part(1, 1))
    delivery.discord.refusals[100] = code
    async with delivery.running():
        await delivery.clock.passes(600)
    assert all_are(delivery, PartState.DEAD)
    assert len(delivery.discord.creations()) == 1
    assert delivery.outbox[FIRST].problem
    assert delivery.admins.cards == []


async def test_the_third_refusal_in_a_row_suspends_and_admins_are_told_once(delivery: Delivery) -> None:
    told: list[Subscription] = []
    delivery.discord.refusals[100] = 50013
    async with delivery.running(on_suspended=told.append) as sender:
        for run in range(1, 6):
            delivery.put(part(run, subscription_id="s1"))
            sender.wake()
            await delivery.clock.until(lambda: PartState.WAITING not in states(delivery), 30)
    assert delivery.subscriptions.by_id["s1"].state is State.SUSPENDED
    assert delivery.admins.titles == ["A digest is suspended"]
    assert [one.id for one in told] == ["s1"]
    assert "Send Messages" in delivery.admins.cards[0][1].embed.description


async def test_a_success_in_between_begins_the_count_anew(delivery: Delivery) -> None:
    async with delivery.running() as sender:
        for run, refuses in enumerate([True, True, False, True, True], 1):
            delivery.discord.refusals = {100: 50001} if refuses else {}
            delivery.put(part(run, subscription_id="s1"))
            sender.wake()
            await delivery.clock.until(lambda: PartState.WAITING not in states(delivery), 30)
    assert delivery.subscriptions.by_id["s1"].state is State.ACTIVE


@pytest.mark.parametrize("answer", [refusal(400, 50035), refusal(413, 40005), reply(413), refusal(404, 10087)])
async def test_a_body_that_is_refused_is_made_smaller_and_sent_without_its_chart(
    delivery: Delivery, answer: Reply
) -> None:
    delivery.put(part(chart=b"png"))
    delivery.discord.script = [answers(answer)]
    async with delivery.running(smaller=lambda _: json.dumps(body_of("n0001x0", "plain"))):
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    (message,) = delivery.discord.messages
    assert message.body["embeds"][0]["description"] == "plain"
    assert message.png is None


async def test_a_body_refused_even_when_smaller_is_a_dead_letter_that_counts_against_no_channel(
    delivery: Delivery,
) -> None:
    delivery.put(part())
    delivery.discord.script = [answers(refusal(400, 50035))] * 5
    async with delivery.running(smaller=lambda body: None if "x" * 9 in body else json.dumps(body_of("x" * 9))):
        await delivery.clock.passes(600)
    assert all_are(delivery, PartState.DEAD)
    assert len(delivery.discord.creations()) == 2
    assert delivery.outbox.failures.get("s1", 0) == 0
    assert "50035" in delivery.outbox[FIRST].problem


@pytest.mark.parametrize("forum", [False, True])
async def test_the_chart_goes_with_a_body_that_has_attachments_and_with_no_other(
    delivery: Delivery, forum: bool
) -> None:
    message = {**body_of("n0001x0"), "attachments": [{"id": 0, "filename": "chart.png"}]}
    body = json.dumps({"name": "x", "message": message} if forum else message)
    delivery.put(part(1, chart=b"png", body=body, forum=forum), part(2, chart=b"png", channel_id=101))
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    assert sorted(str(message.png) for message in delivery.discord.messages) == ["None", "b'png'"]


@pytest.mark.parametrize("code", [10003, 50013])
async def test_a_refusal_says_nothing_about_the_attempt_before(delivery: Delivery, code: int) -> None:
    delivery.put(part())
    delivery.discord.script = [drops(after=True), answers(refusal(403, code))]
    async with delivery.running():
        await delivery.clock.until(lambda: PartState.SENDING not in states(delivery))
    gone = code == 10003
    assert all_are(delivery, PartState.DEAD if gone else PartState.SENT)
    assert len(delivery.discord.creations()) == 2, "what is refused is not asked for again and again"
    assert len(delivery.discord.messages) == 1


async def test_a_limit_on_the_second_attempt_leaves_the_first_in_doubt(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.discord.script = [drops(after=True), limited(3600)]
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 7200)
    assert len(delivery.discord.creations()) == 2
    assert len(delivery.discord.messages) == 1


async def test_a_day_of_waiting_is_given_up(delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.delivery.outbox.IDLE_S", 300.0)
    delivery.put(part(1), part(2, channel_id=101, forum=True))
    delivery.discord.script = [limited(4000.0)] * 100
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.DEAD), 30 * 3600)
    assert delivery.outbox.failures.get("s1", 0) == 0
    assert "for a day" in delivery.outbox[FIRST].problem


async def test_a_day_of_doubt_is_held(delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.delivery.posting.LONGEST_BACKOFF_S", 3000.0)
    monkeypatch.setattr("bot.delivery.outbox.IDLE_S", 300.0)
    delivery.put(part(1), part(2, channel_id=101))
    delivery.discord.script = [drops(), drops(after=True), *[drops()] * 1000]
    delivery.discord.unreadable = True
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.HELD), 30 * 3600)
    assert delivery.clock.now_s > 24 * 3600


async def test_discord_being_down_leaves_few_parts_in_doubt_and_ends_well(delivery: Delivery) -> None:
    delivery.put(*(part(run, channel_id=run) for run in range(1, 401)))
    delivery.discord.script = [drops()] * 300
    async with delivery.running():
        await delivery.clock.passes(120)
        assert len(delivery.outbox.noted) < TROUBLE + 65
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 3600)
    assert len(delivery.discord.messages) == 400


async def test_what_is_open_is_bounded(delivery: Delivery) -> None:
    delivery.put(*(part(run, channel_id=run) for run in range(1, 400)))
    delivery.discord.latency_s = 29.0
    async with delivery.running():
        await delivery.clock.passes(28)
        assert len(delivery.discord.asked) <= MOST_OPEN
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 600)


async def test_the_database_being_away_loses_and_doubles_nothing(delivery: Delivery) -> None:
    delivery.put(*(part(run, channel_id=run) for run in range(1, 30)))
    async with delivery.running() as sender:
        await delivery.clock.until(lambda: delivery.discord.messages)
        delivery.outbox.away = 7
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 120)
        sender.wake()
    assert len(delivery.discord.messages) == 29


async def test_a_claim_that_was_made_though_it_seemed_to_fail_is_found(delivery: Delivery) -> None:
    delivery.put(part())
    async with delivery.running() as sender:
        await settle()
        delivery.put(part(2, channel_id=101))
        await delivery.outbox.claim(delivery.clock.utc(), 1, {100})  # by nobody
        sender.wake()
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 120)
    assert len(delivery.discord.messages) == 2


@pytest.mark.parametrize("posted", [True, False])
@pytest.mark.parametrize("later_s", [0, 10, 45, 75, 4000])
@pytest.mark.parametrize("set_back_s", [0, 500])
async def test_what_a_killed_process_left_is_settled_by_the_next(
    delivery: Delivery, posted: bool, later_s: int, set_back_s: int
) -> None:
    delivery.put(part())
    delivery.discord.script = [hangs(after=posted, for_s=20.0)]
    async with delivery.running():
        await delivery.clock.passes(0.5)
        assert all_are(delivery, PartState.SENDING)
    delivery.clock.now_s += later_s
    delivery.clock.began -= timedelta(seconds=set_back_s)
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 120)
    assert len(delivery.discord.messages) == 1


async def test_a_forums_post_that_a_killed_process_left_is_not_made_again(delivery: Delivery) -> None:
    delivery.put(part(1, forum=True), part(2, forum=True, channel_id=101))
    delivery.discord.script = [hangs(after=True, for_s=20.0), hangs(for_s=20.0)]
    async with delivery.running():
        await delivery.clock.passes(0.5)
    async with delivery.running():
        await delivery.clock.until(lambda: PartState.SENDING not in states(delivery), 120)
    assert delivery.outbox.states() == {(1, 0): PartState.SENT, (2, 0): PartState.HELD}
    assert len(delivery.discord.messages) == 1


async def test_a_forums_posts_that_were_claimed_and_not_begun_when_the_process_was_killed_are_made_by_the_next(
    delivery: Delivery,
) -> None:
    delivery.put(*(part(number, forum=True, channel_id=100 + number) for number in range(8)))
    delivery.pacer.pause(IDLE_S - 1)
    async with delivery.running():
        await delivery.clock.passes(0.5)
        assert all_are(delivery, PartState.SENDING)
    delivery.clock.now_s += 4000
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 120)
    assert len(delivery.discord.messages) == 8


async def test_a_forums_post_that_another_process_took_back_is_left_to_it(delivery: Delivery) -> None:
    delivery.put(part(forum=True))
    delivery.pacer.pause(IDLE_S - 1)
    async with delivery.running():
        await delivery.clock.passes(0.5)
        assert await delivery.outbox.return_post(*FIRST)
        await delivery.outbox.claim(delivery.clock.utc(), 1, ())
        assert await delivery.outbox.begin_post(*FIRST), "the other one makes it"
        await delivery.clock.passes(15)
        assert delivery.discord.messages == []


async def test_stopping_lets_what_is_under_way_finish_and_begins_nothing_more(delivery: Delivery) -> None:
    delivery.discord.latency_s = 0.5
    delivery.put(*(part(run, channel_id=run) for run in range(1, 200)))
    async with delivery.running() as sender:
        await delivery.clock.passes(0.2)
        under_way = len(delivery.discord.asked)
        await _drained(delivery, sender.drain(5.0))
        assert len(delivery.discord.asked) == under_way
    assert sum(state is PartState.SENT for state in delivery.outbox.states().values()) == under_way
    assert states(delivery) == {PartState.SENT, PartState.WAITING}


async def test_stopping_waits_for_answers_that_come_soon(delivery: Delivery) -> None:
    delivery.discord.latency_s = 0.5
    delivery.put(*(part(run, channel_id=run) for run in range(1, 10)))
    async with delivery.running() as sender:
        await delivery.clock.passes(0.2)
        await _drained(delivery, sender.drain(5.0))
        assert all_are(delivery, PartState.SENT)


async def test_what_is_claimed_while_it_stops_goes_back_unsent(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, claiming = delivery.outbox.claim, asyncio.Event()

    async def slowly(*asked: Any) -> tuple[Part, ...]:
        claimed = await claim(*asked)
        claiming.set()
        await delivery.clock.sleep(1.0)
        return claimed

    monkeypatch.setattr(delivery.outbox, "claim", slowly)
    delivery.put(part(1), part(2, forum=True, channel_id=101))
    async with delivery.running() as sender:
        await claiming.wait()
        await _drained(delivery, sender.drain(5.0))
        assert all_are(delivery, PartState.WAITING)
    assert delivery.discord.asked == []


async def test_what_ends_while_the_outbox_is_searched_is_not_taken_for_left_behind(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted = delivery.outbox.interrupted

    async def slowly() -> tuple[Part, ...]:
        found = await interrupted()
        await delivery.clock.sleep(1.0)
        return found

    monkeypatch.setattr(delivery.outbox, "interrupted", slowly)
    delivery.discord.latency_s = 0.5
    delivery.put(part(forum=True))
    async with delivery.running() as sender:
        await delivery.clock.until(lambda: delivery.discord.asked)
        searching = asyncio.create_task(sender._sweep())
        await delivery.clock.until(searching.done)
        await delivery.clock.passes(120)
    assert all_are(delivery, PartState.SENT)
    assert len(delivery.discord.asked) == 1


@pytest.mark.parametrize("forum", [False, True])
async def test_what_is_posted_long_after_its_connection_broke_is_found(delivery: Delivery, forum: bool) -> None:
    delivery.put(part(forum=forum))
    delivery.discord.script = [arrives_late(15.0), *[drops()] * 40]
    delivery.discord.nonce_s = 0.0
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))
    assert len(delivery.discord.messages) == 1


async def test_stopping_leaves_what_is_in_doubt_for_the_next_start(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.discord.script += [drops()] * 500
    async with delivery.running() as sender:
        await delivery.clock.passes(90)
        await _drained(delivery, sender.drain(5.0))
        assert all_are(delivery, PartState.SENDING)
    delivery.discord.script = []
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 120)
    assert len(delivery.discord.messages) == 1


async def test_stopping_does_not_wait_for_what_hangs(delivery: Delivery) -> None:
    delivery.put(part())
    delivery.discord.script = [hangs()]
    async with delivery.running() as sender:
        await delivery.clock.passes(0.5)
        await sender.drain(0.01)
    assert all_are(delivery, PartState.SENDING)


async def test_nothing_is_sent_before_the_client_knows_its_servers(delivery: Delivery) -> None:
    known = asyncio.Event()
    delivery.put(part())
    async with delivery.running(ready=known.wait):
        await delivery.clock.passes(60)
        assert delivery.discord.asked == []
        known.set()
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT))


async def test_stopping_before_anything_is_known_takes_no_time(delivery: Delivery) -> None:
    async with delivery.running(ready=asyncio.Event().wait) as sender:
        await settle()
        async with asyncio.timeout(0.5):
            await sender.drain(5.0)


async def test_what_is_written_is_sent_soon_also_when_nobody_says_so(delivery: Delivery) -> None:
    async with delivery.running():
        await delivery.clock.passes(60)
        delivery.put(part())
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 10)


@pytest.mark.parametrize("seed", range(12))
async def test_under_a_mix_of_faults_and_kills_nothing_is_lost_and_nothing_twice(
    delivery: Delivery, seed: int
) -> None:
    chance = random.Random(seed)
    faults = [*UNKNOWN.values(), unreachable(), limited(0.3), limited(2.0, "global"), limited(90.0)]
    delivery.discord.script = [chance.choice(faults) if chance.random() < 0.35 else None for _ in range(400)]
    delivery.put(*(part(run, number, channel_id=100 + run % 40) for run in range(1, 61) for number in range(2)))
    for _ in range(6):
        async with delivery.running():
            await delivery.clock.passes(chance.choice([0.3, 3.0, 20.0, 100.0]))
    async with delivery.running():
        await delivery.clock.until(lambda: all_are(delivery, PartState.SENT), 4 * 3600)
    nonces = [message.body["nonce"] for message in delivery.discord.messages]
    assert len(nonces) == len(set(nonces)) == 120
    assert delivery.discord.together == 1


async def _drained(delivery: Delivery, draining: object) -> None:
    assert asyncio.iscoroutine(draining)
    task = asyncio.ensure_future(draining)
    await delivery.clock.until(task.done, 30)
    await task
