"""``POST /events`` over real sockets: what is signed starts exactly one workflow, everything else starts none."""

import asyncio
import json
import os
import sqlite3
import zlib
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.errors import BusFull
from agents.events import SourceRequest, utc_now
from bot.ingress.events import DOOR, MOST_BYTES, SIGNED
from bot.store.database import Database
from bot.store.errors import NotSaved, SaveUnknown, Unreadable
from bot.store.sql_outbox import SqlOutbox
from tests.bot.ingress.conftest import Open
from tests.bot.ingress.port import KEY, SECRET, Bus, Outbox, Port, event, sign

SNOWFLAKE = "81384788765712384"
NEVER = {"Content-Type": "application/json"}


async def test_a_signed_event_starts_the_workflow_that_it_describes(port: Port, outbox: Outbox, bus: Bus) -> None:
    body = event(
        auto_discovery=True,
        digests=False,
        sources=[{"name": "reddit", "options": {"subreddit": "Python"}}, {"name": "news"}],
        query="  zażółć\u202e  gęślą ",
        guild_ids=[SNOWFLAKE],
        subscription_ids=["0123456789abcdef"],
    )
    reply = await port.post(body)
    assert (reply.status, reply.body["new"]) == (202, True)
    (started,) = outbox.accepted
    assert bus.announced == [started]
    assert reply.body["workflow_id"] == started.workflow_id
    assert (started.auto_discovery, started.digests, started.query) == (True, False, "zażółć gęślą")
    assert started.sources == (
        SourceRequest(name="reddit", options={"subreddit": "python"}),
        SourceRequest(name="news"),
    )
    assert (started.guild_ids, started.subscription_ids) == ((SNOWFLAKE,), ("0123456789abcdef",))


async def test_what_is_not_said_is_as_usual_digests_for_all(port: Port, outbox: Outbox) -> None:
    assert (await port.post(event())).status == 202
    (started,) = outbox.accepted
    assert (started.auto_discovery, started.digests, started.sources, started.query) == (False, True, (), None)
    assert started.guild_ids == started.subscription_ids == ()
    assert started.traceparent is not None


async def test_the_same_id_again_is_202_with_the_same_workflow_and_starts_nothing(
    port: Port, outbox: Outbox, bus: Bus
) -> None:
    first = await port.post(event(), "msg_1")
    again = await asyncio.gather(*(port.post(event(query="other"), "msg_1") for _ in range(5)))
    assert [reply.status for reply in (first, *again)] == [202] * 6
    assert {reply.body["workflow_id"] for reply in (first, *again)} == {outbox.accepted[0].workflow_id}
    assert [reply.body["new"] for reply in again] == [False] * 5
    assert len(outbox.accepted) == len(bus.announced) == 1


async def test_two_messages_are_two_workflows(port: Port, outbox: Outbox) -> None:
    body = event()
    ids = {(await port.post(body)).body["workflow_id"] for _ in range(2)}
    assert ids == {started.workflow_id for started in outbox.accepted}
    assert len(ids) == 2


async def test_a_bus_without_room_loses_nothing_that_was_accepted(port: Port, outbox: Outbox, bus: Bus) -> None:
    bus.failures = [BusFull("no room")]
    assert (await port.post(event())).status == 202
    assert len(outbox.accepted) == 1


def unsigned() -> dict[str, str]:
    return dict(NEVER)


def altered(name: str, value: str) -> dict[str, str]:
    return {**sign(event()), name: value}


@pytest.mark.parametrize(
    "headers",
    [
        unsigned(),
        sign(event(query="another body")),
        sign(event(), key=os.urandom(32)),
        sign(event(), at=utc_now() - timedelta(hours=1)),
        sign(event(), at=utc_now() + timedelta(hours=1)),
        altered("webhook-id", "another"),
        altered("webhook-id", ""),
        altered("webhook-timestamp", "soon"),
        altered("webhook-timestamp", "9" * 30),
        altered("webhook-signature", "v1,"),
        altered("webhook-signature", "v1," + "a" * 5000),
        altered("webhook-signature", SECRET),
        altered("webhook-signature", "v1a," + "=" * 43),
        {name: value for name, value in sign(event()).items() if name != "webhook-id"},
    ],
    ids=range(14),
)
async def test_any_doubt_about_the_signature_is_the_same_401(
    port: Port, outbox: Outbox, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    reply = await port.request("POST", "/events", event(), headers)
    assert reply.status == 401
    assert (
        reply.body["detail"] == "The request is not signed as it should be. How to sign is told in docs/webhooks.md."
    )
    assert outbox.accepted == []
    (told,) = caplog.records
    assert told.reason  # type: ignore[attr-defined]
    assert SECRET not in str(vars(told))


async def test_a_bad_signature_is_told_before_anything_about_the_body(port: Port) -> None:
    assert (await port.request("POST", "/events", b"{", unsigned())).status == 401
    assert (await port.request("POST", "/events", "ü".encode("latin-1"), unsigned())).status == 401


async def test_while_rotating_each_of_the_secrets_may_sign(open_port: Open, outbox: Outbox) -> None:
    other = os.urandom(24)
    port = await open_port(keys=(KEY, other))
    assert [(await port.post(event(), key=key)).status for key in (KEY, other, os.urandom(24))] == [202, 202, 401]
    assert len(outbox.accepted) == 2


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b"", ["#"]),
        (b"null", ["#"]),
        (b'{"type": "workflow:started", "data": {"query": NaN}}', ["#"]),
        (b'{"type": "workflow:started", "data": {}, "data": {}}', ["#"]),
        (b'{"type": "workflow:started", "data": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", ["#"]),
        (b'{"type": "workflow:started", "data": {}} ' + b"{}", ["#"]),
        (b'{"type": "workflow:started", "data": {"query": "\\ud800"}}', ["#/data/query"]),
        (b'{"data": {}}', ["#/type"]),
        (b'{"type": "workflow:started"}', ["#/data"]),
        (b'{"type": "signals:requested", "data": {}}', ["#/type"]),
        (b'{"type": "workflow:started", "data": {}, "more": 1}', ["#/more"]),
        (event(workflow_id="0" * 32), ["#/data/workflow_id"]),
        (event(event_id="1", occurred_at="2026-08-01T12:00:00Z"), ["#/data/event_id", "#/data/occurred_at"]),
        (event(traceparent="00-1-1-00", schema_version=1), ["#/data/traceparent", "#/data/schema_version"]),
        (event(digests="true"), ["#/data/digests"]),
        (event(auto_discovery=1), ["#/data/auto_discovery"]),
        (event(query=7), ["#/data/query"]),
        (event(query="a" * 201), ["#/data/query"]),
        (event(guild_ids=[int(SNOWFLAKE)]), ["#/data/guild_ids/0"]),
        (event(guild_ids=[SNOWFLAKE, "0"]), ["#/data/guild_ids/1"]),
        (event(guild_ids=[SNOWFLAKE] * 1001), ["#/data/guild_ids"]),
        (event(subscription_ids=["everyone's"]), ["#/data/subscription_ids/0"]),
        (event(sources="reddit"), ["#/data/sources"]),
        (event(sources=["reddit"]), ["#/data/sources/0"]),
        (event(sources=[{"name": "gopher"}]), ["#/data/sources/0/name"]),
        (
            event(sources=[{"name": "news"}, {"name": "reddit", "options": {"x": "y"}}]),
            ["#/data/sources/1/options/x"],
        ),
        (
            event(sources=[{"name": "reddit", "options": {"subreddit": "a b"}}]),
            ["#/data/sources/0/options/subreddit"],
        ),
        (event(sources=[{"name": "reddit", "options": {"sort": 1}}]), ["#/data/sources/0/options/sort"]),
        (event(sources=[{"name": "reddit"}] * 11), ["#/data/sources"]),
        (event(**{"a/b~c": 1}), ["#/data/a~1b~0c"]),
    ],
    ids=lambda value: value[:60].decode() if isinstance(value, bytes) else "",
)
async def test_what_is_wrong_with_a_body_is_said_and_where(
    port: Port, outbox: Outbox, body: bytes, pointers: list[str]
) -> None:
    reply = await port.post(body)
    assert reply.status == 422
    assert reply.pointers == pointers
    assert all(error["detail"] for error in reply.body["errors"])
    assert outbox.accepted == []


async def test_a_thousand_mistakes_are_told_a_few_at_a_time(port: Port) -> None:
    reply = await port.post(event(**{f"field{number}": 1 for number in range(1000)}))
    assert (reply.status, len(reply.pointers)) == (422, 20)


async def test_the_known_sources_are_named_when_one_is_not(port: Port) -> None:
    reply = await port.post(event(sources=[{"name": "gopher"}]))
    assert reply.body["errors"][0]["detail"] == "There is no source “gopher”. Known: reddit, hackernews, news."


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "deflate"},
    ],
)
async def test_a_body_that_is_not_plain_json_is_415(port: Port, outbox: Outbox, headers: dict[str, str]) -> None:
    body = event()
    reply = await port.request("POST", "/events", body, {**sign(body), **headers})
    assert reply.status == 415
    assert outbox.accepted == []


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "Application/JSON"])
async def test_spellings_of_the_content_type(port: Port, content_type: str) -> None:
    body = event()
    assert (await port.request("POST", "/events", body, {**sign(body), "Content-Type": content_type})).status == 202


async def test_a_bomb_is_not_inflated(port: Port) -> None:
    bomb = zlib.compress(event(query="a" * 1_000_000))
    reply = await port.request("POST", "/events", bomb, {**sign(bomb), "Content-Encoding": "deflate"})
    assert reply.status == 415


async def test_64_kib_is_taken_and_a_byte_more_is_413(port: Port, outbox: Outbox) -> None:
    largest = event() + b" " * (MOST_BYTES - len(event()))
    assert (await port.post(largest)).status == 202
    assert (await port.post(largest + b" ")).status == 413
    assert len(outbox.accepted) == 1


async def test_a_body_without_end_is_413_when_it_is_too_large(port: Port) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 16_384
            yield b" " * 16_384

    reply = await port.request("POST", "/events", endless(), sign(b""))
    assert reply.status == 413
    assert sent < 10_000_000


async def test_a_length_that_is_announced_is_not_waited_for(port: Port) -> None:
    async with asyncio.timeout(1), port.connection() as (reader, writer):
        writer.write(
            b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999\r\n\r\n"
        )
        assert (await reader.readline()).split()[1] == b"413"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_405_and_the_right_one_is_named(port: Port, method: str) -> None:
    reply = await port.request(method, "/events")
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "failure",
    [NotSaved("no"), SaveUnknown("perhaps"), Unreadable("no"), TimeoutError()],
    ids=lambda f: type(f).__name__,
)
async def test_a_database_that_is_away_is_503_and_the_same_message_is_taken_later(
    port: Port, outbox: Outbox, bus: Bus, failure: Exception
) -> None:
    outbox.failures = [failure]
    reply = await port.post(event(), "msg_1")
    assert reply.status == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert bus.announced == []
    assert (await port.post(event(), "msg_1")).status == 202
    assert len(bus.announced) == 1


async def test_without_a_secret_nothing_is_taken_and_it_is_said_what_to_set(open_port: Open, outbox: Outbox) -> None:
    port = await open_port(keys=())
    reply = await port.post(event())
    assert reply.status == 404
    assert "WEBHOOK_SECRET" in reply.body["detail"]
    assert outbox.accepted == []


class Now:
    at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


async def test_too_many_events_of_one_secret_are_429_and_who_waits_as_told_goes_on(
    open_port: Open, outbox: Outbox
) -> None:
    now, other = Now(), os.urandom(32)
    port = await open_port(clock=now, keys=(KEY, other))
    statuses = [(await port.post(event())).status for _ in range(SIGNED[1] + 1)]
    assert statuses == [202] * SIGNED[1] + [429]
    refused = await port.post(event())
    assert refused.headers["Retry-After"] == "1"
    assert (await port.post(event(), key=other)).status == 202
    now.at_s += int(refused.headers["Retry-After"])
    assert (await port.post(event())).status == 202
    assert len(outbox.accepted) == SIGNED[1] + 2


async def test_what_is_not_signed_uses_up_nothing_of_a_secret(open_port: Open) -> None:
    port = await open_port(clock=Now())
    for _ in range(SIGNED[1] + 1):
        assert (await port.request("POST", "/events", event(), unsigned())).status == 401
    assert (await port.post(event())).status == 202


async def test_a_flood_from_one_address_is_429_before_it_is_read_and_health_is_told_all_the_same(
    open_port: Open,
) -> None:
    now = Now()
    port = await open_port(clock=now)
    statuses = [(await port.request("POST", "/events", event(), unsigned())).status for _ in range(DOOR[1] + 5)]
    assert statuses == [401] * DOOR[1] + [429] * 5
    async with asyncio.timeout(1), port.connection() as (reader, writer):
        writer.write(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"429"
    assert (await port.get("/healthz")).status == 200
    now.at_s += 10
    assert (await port.post(event())).status == 202


async def test_refused_signatures_are_logged_a_few_at_a_time(
    open_port: Open, caplog: pytest.LogCaptureFixture
) -> None:
    port = await open_port(clock=Now())
    for _ in range(20):
        await port.request("POST", "/events", event(), unsigned())
    assert [record.getMessage() for record in caplog.records] == ["an event was refused"] * 3


async def test_who_leaves_while_the_database_works_has_started_one_workflow_all_the_same(
    port: Port, outbox: Outbox, bus: Bus
) -> None:
    outbox.gate = asyncio.Event()
    leaving = asyncio.create_task(port.post(event(), "msg_1"))
    await asyncio.sleep(0.05)
    leaving.cancel()
    await asyncio.wait((leaving,))
    outbox.gate.set()
    reply = await port.post(event(), "msg_1")
    assert (reply.status, len(outbox.accepted), len(bus.announced)) == (202, 1, 1)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/signals.db", busy_timeout_s=0.02) as opened:
        yield opened


def rows(tmp_path: Path) -> tuple[int, int]:
    """Workflows and webhook ids in the file."""
    with closing(sqlite3.connect(tmp_path / "signals.db")) as connection:
        count: Any = connection.execute("SELECT (SELECT count(*) FROM workflows), (SELECT count(*) FROM webhooks)")
        workflows, webhooks = count.fetchone()
        return workflows, webhooks


async def test_on_the_real_outbox_one_message_at_once_over_many_connections_is_one_workflow(
    open_port: Open, database: Database, bus: Bus, tmp_path: Path
) -> None:
    async with SqlOutbox(database) as outbox:
        port = await open_port(accepting=outbox)
        replies = await asyncio.gather(*(port.post(event(), "msg_1") for _ in range(10)))
        (workflow_id,) = await outbox.unbegun()
    assert {(reply.status, reply.body["workflow_id"]) for reply in replies} == {(202, workflow_id)}
    assert sorted(reply.body["new"] for reply in replies) == [False] * 9 + [True]
    assert [announced.workflow_id for announced in bus.announced] == [workflow_id]
    assert rows(tmp_path) == (1, 1)


async def test_a_locked_database_is_503_with_nothing_half_written_and_then_works_again(
    open_port: Open, database: Database, bus: Bus, tmp_path: Path
) -> None:
    async with SqlOutbox(database) as outbox:
        port = await open_port(accepting=outbox)
        with closing(sqlite3.connect(tmp_path / "signals.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            assert (await port.post(event(), "msg_1")).status == 503
            other.rollback()
        assert rows(tmp_path) == (0, 0)
        assert bus.announced == []
        reply = await port.post(event(), "msg_1")
        assert (reply.status, reply.body["new"]) == (202, True)
    assert rows(tmp_path) == (1, 1)


async def test_the_answer_is_json_whatever_the_words(port: Port) -> None:
    reply = await port.post(event(**{'"\u2028\ud800': 1}))
    assert reply.status == 422
    assert json.dumps(reply.body)
