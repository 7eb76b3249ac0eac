"""Rate limits, the ban, and faults that tests script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sandbox.clock import Clock
from sandbox.faults import Fault
from sandbox.server import LocalDiscord

from .clients import Place, Rest, settle


@pytest.fixture
async def local() -> AsyncIterator[LocalDiscord]:
    async with LocalDiscord(clock=Clock(), invalid_requests=4, global_a_second=12) as server:
        yield server


@pytest.fixture
def place(local: LocalDiscord) -> Place:
    return settle(local)


async def test_buckets_count_down_per_channel(rest: Rest, local: LocalDiscord, place: Place) -> None:
    other = place.guild.add_channel("other")
    answers = [await rest.post(place.channel, content="x") for _ in range(6)]
    assert [answer.headers.get("X-RateLimit-Remaining") for answer in answers] == ["4", "3", "2", "1", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"5"}
    assert 4 < float(answers[0].headers["X-RateLimit-Reset-After"]) <= 5
    assert abs(float(answers[0].headers["X-RateLimit-Reset"]) - local.clock.time() - 5) < 1
    last = answers[-1]
    assert (last.status, last.body["global"], last.body["message"]) == (429, False, "You are being rate limited.")
    assert 0 < last.body["retry_after"] <= int(last.headers["Retry-After"]) <= 5
    assert (last.headers["X-RateLimit-Scope"], last.headers["Via"]) == ("user", "1.1 google")
    assert len(place.channel.messages) == 5
    elsewhere = await rest.post(other, content="x")
    assert elsewhere.headers["X-RateLimit-Bucket"] == last.headers["X-RateLimit-Bucket"]
    assert elsewhere.status == 200
    local.clock.advance(5)
    assert (await rest.post(place.channel, content="x")).status == 200


async def test_the_global_limit_spares_interactions(rest: Rest, local: LocalDiscord, place: Place) -> None:
    answers = [await rest("GET", "/users/@me") for _ in range(13)]
    last = answers[-1]
    assert [answer.status for answer in answers] == [200] * 12 + [429]
    assert (last.body["global"], last.headers["X-RateLimit-Scope"]) == (True, "global")
    assert last.headers["X-RateLimit-Global"] == "true"
    exchange = await local.send_command(place.user, place.channel, "help")
    callback = f"/interactions/{exchange.interaction_id}/{exchange.token}/callback"
    answer = await rest("POST", callback, {"type": 4, "data": {"content": "x"}})
    assert answer.status == 204
    assert "X-RateLimit-Limit" not in answer.headers
    hook = f"/webhooks/{local.application_id}/{exchange.token}"
    assert (await rest("POST", hook, {"content": "y"})).headers["X-RateLimit-Limit"] == "5"


async def test_too_many_invalid_requests_end_in_a_ban(rest: Rest, local: LocalDiscord) -> None:
    for _ in range(4):
        assert (await rest("GET", "/users/@me", headers={"Authorization": "no"})).status == 401
    banned = await rest("GET", "/users/@me")
    assert (banned.status, banned.headers["Content-Type"]) == (429, "text/html")
    assert "Via" not in banned.headers
    assert b"1015" in banned.body
    local.clock.advance(601)
    assert (await rest("GET", "/users/@me")).status == 200


async def test_limits_can_be_off(rest: Rest) -> None:
    async with LocalDiscord(enforce_limits=False) as local:
        place = settle(local)
        free = Rest(rest.session, local)
        answers = [await free.post(place.channel, content="x") for _ in range(60)]
        assert {answer.status for answer in answers} == {200}
        assert "X-RateLimit-Limit" not in answers[0].headers


async def test_a_status_with_body_and_headers(rest: Rest, local: LocalDiscord, place: Place) -> None:
    fault = local.faults.add(
        Fault("status", "/messages$", "POST", count=2, after=1, status=503, body={"a": 1}, headers={"X-A": "b"})
    )
    statuses = [(await rest.post(place.channel, content=str(n))).status for n in range(4)]
    assert statuses == [200, 503, 503, 200]
    assert (fault.struck, len(place.channel.messages)) == (2, 2)
    assert [request.fault for request in local.requests] == [None, "status", "status", None]


async def test_a_status_can_come_when_the_request_has_had_its_effect(
    rest: Rest, local: LocalDiscord, place: Place
) -> None:
    local.faults.add(Fault("status_after", status=502))
    assert (await rest.post(place.channel, content="x")).status == 502
    assert [message.content for message in place.channel.messages.values()] == ["x"]


@pytest.mark.parametrize(("kind", "posted"), [("drop_before", 0), ("drop_after", 1), ("truncate", 1)])
async def test_dropped_connections(rest: Rest, local: LocalDiscord, place: Place, kind: str, posted: int) -> None:
    local.faults.add(Fault(kind))
    with pytest.raises(aiohttp.ClientError):
        await rest.post(place.channel, content="x")
    assert len(place.channel.messages) == posted
    assert (await rest.post(place.channel, content="y")).status == 200


@pytest.mark.parametrize(("kind", "posted"), [("hang", 0), ("hang_after", 1)])
async def test_hanging_ends_with_the_client_or_the_server(rest: Rest, kind: str, posted: int) -> None:
    started = time.monotonic()
    async with LocalDiscord() as local:
        place = settle(local)
        slow = Rest(rest.session, local)
        local.faults.add(Fault(kind, count=2))
        with pytest.raises(TimeoutError):
            await slow("POST", f"/channels/{place.channel.id}/messages", {"content": "x"}, timeout=_brief())
        assert len(place.channel.messages) == posted
        hanging = asyncio.create_task(slow.post(place.channel, content="y"))
        await asyncio.sleep(0.03)
    with pytest.raises(aiohttp.ClientError):
        await hanging
    assert time.monotonic() - started < 1


async def test_who_hangs_up_before_a_slow_answer_leaves_no_traceback(
    local: LocalDiscord, place: Place, rest: Rest, caplog: pytest.LogCaptureFixture
) -> None:
    slow = local.faults.add(Fault("slow", delay_s=0.1))
    with pytest.raises(TimeoutError):
        await rest("POST", f"/channels/{place.channel.id}/messages", {"content": "x"}, timeout=_brief())
    await asyncio.sleep(0.15)
    assert slow.is_spent
    assert [record for record in caplog.records if record.exc_info] == []


def _brief() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=0.05)


async def test_garbage_slowness_and_scripted_limits(rest: Rest, local: LocalDiscord, place: Place) -> None:
    local.faults.add(Fault("garbage", status=200))
    answer = await rest.post(place.channel, content="x")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
    local.faults.add(Fault("rate_limit", retry_after_s=1.5, scope="shared"))
    shared = await rest.post(place.channel, content="x")
    assert (shared.status, shared.body["retry_after"], shared.headers["Retry-After"]) == (429, 1.5, "2")
    assert shared.headers["X-RateLimit-Scope"] == "shared"
    local.faults.add(Fault("rate_limit", via=False, scope="global"))
    page = await rest.post(place.channel, content="x")
    assert page.body["global"]
    assert "Via" not in page.headers
    assert [record.status for record in local.requests[-3:]] == [200, 429, 429]
    local.faults.add(Fault("slow", delay_s=0.02))
    started = time.monotonic()
    assert (await rest.post(place.channel, content="x")).status == 200
    assert time.monotonic() - started >= 0.02


async def test_a_probability_repeats_itself(local: LocalDiscord) -> None:
    local.faults.add(Fault("status", count=None, probability=0.5))
    struck = [local.faults.strike("GET", "/x") is not None for _ in range(100)]
    assert 30 < sum(struck) < 70
    local.faults.clear()
    assert local.faults.strike("GET", "/x") is None


@pytest.mark.parametrize("fields", [{"kind": "nonsense"}, {"kind": "hang", "route": "("}])
def test_a_fault_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"nonsense|unterminated|missing"):
        Fault(**fields)


async def test_closing_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with LocalDiscord() as local, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(local.gateway_url)
        await socket.receive()
        started = time.monotonic()
    assert time.monotonic() - started < 1
    assert asyncio.all_tasks() == before
