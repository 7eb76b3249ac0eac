"""Health over real sockets: alive is whoever answers, ready is whoever can do its work, and why not is said."""

from functools import partial
from pathlib import Path

from bot.store.database import Database
from tests.bot.ingress.conftest import Open
from tests.bot.ingress.port import Port
from tests.bot.scene import until
from tests.bot.store.test_database import limit_pages


async def well() -> None:
    return None


async def test_who_answers_is_alive(port: Port) -> None:
    reply = await port.get("/healthz")
    assert (reply.status, reply.body) == (200, {"status": "ok", "service": "signals-scout"})
    assert reply.headers["Cache-Control"] == "no-store"


async def test_ready_is_when_all_checks_are_well_and_else_each_says_why_not(open_port: Open) -> None:
    trouble: str | None = None

    async def discord() -> str | None:
        return trouble

    port = await open_port(checks={"database": well, "discord": discord})
    reply = await port.get("/readyz")
    assert (reply.status, reply.body["ready"], reply.body["notes"]) == (200, True, {"events": "on"})
    trouble = "not connected yet"
    reply = await port.get("/readyz")
    assert (reply.status, reply.body["ready"]) == (503, False)
    assert reply.body["checks"] == {
        "database": {"ready": True, "reason": ""},
        "discord": {"ready": False, "reason": "not connected yet"},
    }
    trouble = None
    assert (await port.get("/readyz")).status == 200


async def test_a_full_disk_is_503_although_nobody_was_saving_anything_and_it_recovers(
    open_port: Open, tmp_path: Path
) -> None:
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/signals.db", probe_pause_s=0.01) as database:
        port = await open_port(checks={"database": partial(database.checked, max_age_s=0.0, timeout_s=2.0)})
        make_room = limit_pages(database, 1)
        reply = await port.get("/readyz")
        assert (reply.status, reply.body["checks"]["database"]["reason"]) == (503, "the disk is full")
        assert (await port.get("/healthz")).status == 200
        make_room()
        await until(lambda: database.fault is None)
        assert (await port.get("/readyz")).status == 200


async def test_head_is_like_get(port: Port) -> None:
    async with port.connection() as (reader, writer):
        writer.write(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in await reader.readline()
