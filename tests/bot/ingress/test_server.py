"""The port itself over real sockets: slow strangers, floods of connections, its beginning and its end."""

import asyncio
import errno
import time
from typing import Any

import pytest

from bot.ingress.events import Events
from bot.ingress.health import Health
from bot.ingress.server import CannotListen, Ingress, why_not
from tests.bot.ingress.conftest import Open
from tests.bot.ingress.port import KEY, Bus, Outbox, Port, event, sign

SOON_S = 0.15


def as_sent(body: bytes) -> bytes:
    """A signed request, as bytes."""
    headers = {**sign(body), "Host": "x", "Content-Length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(("POST /events HTTP/1.1", *lines, "", "")).encode() + body


async def status_of(reader: asyncio.StreamReader) -> int:
    """0: the connection was closed without an answer."""
    try:
        line = await reader.readline()
    except ConnectionError:
        return 0
    return int(line.split()[1]) if line else 0


async def drip(writer: asyncio.StreamWriter, data: bytes, pause_s: float = 0.01) -> None:
    for number in range(len(data)):
        if writer.is_closing():
            return
        writer.write(data[number : number + 1])
        await asyncio.sleep(pause_s)


@pytest.mark.parametrize("said", [b"", b"POST /events HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_who_does_not_finish_its_headers_is_put_out(open_port: Open, said: bytes) -> None:
    port = await open_port(lifetime_s=SOON_S)
    async with asyncio.timeout(2), port.connection() as (reader, writer):
        writer.write(said)
        began = time.monotonic()
        assert await status_of(reader) == 0
        assert time.monotonic() - began >= SOON_S - 0.05


async def test_who_sends_its_headers_byte_by_byte_is_put_out_too(open_port: Open) -> None:
    port = await open_port(lifetime_s=SOON_S)
    async with asyncio.timeout(2), port.connection() as (reader, writer):
        dripping = asyncio.create_task(drip(writer, b"GET /healthz HTTP/1.1\r\n" + b"X-A: 1\r\n" * 1000))
        assert await status_of(reader) == 0
        dripping.cancel()
        await asyncio.wait((dripping,))


async def test_a_body_that_does_not_come_is_408(open_port: Open, outbox: Outbox) -> None:
    port = await open_port(body_timeout_s=0.05)
    request = as_sent(event())
    async with asyncio.timeout(2), port.connection() as (reader, writer):
        writer.write(request[:-1])
        assert await status_of(reader) == 408
    assert outbox.accepted == []


async def test_a_body_that_comes_byte_by_byte_is_408_too(open_port: Open) -> None:
    port = await open_port(body_timeout_s=0.05)
    body = event(query="a" * 100)
    request = as_sent(body)
    async with asyncio.timeout(2), port.connection() as (reader, writer):
        writer.write(request[: -len(body)])
        dripping = asyncio.create_task(drip(writer, body))
        assert await status_of(reader) == 408
        dripping.cancel()
        await asyncio.wait((dripping,))


async def test_a_body_in_broken_chunks_starts_nothing(open_port: Open, outbox: Outbox) -> None:
    port = await open_port(body_timeout_s=0.05)
    async with asyncio.timeout(2), port.connection() as (reader, writer):
        writer.write(
            b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        await asyncio.sleep(0.02)
        writer.write(b"what?\r\n")
        assert await status_of(reader) in {400, 408}
    assert outbox.accepted == []


async def test_who_leaves_in_the_middle_of_its_body_starts_nothing(port: Port, outbox: Outbox) -> None:
    async with port.connection() as (_, writer):
        writer.write(as_sent(event())[:-1])
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.02)
    assert outbox.accepted == []
    assert (await port.post(event())).status == 202


async def test_a_connection_ends_in_time_whatever_it_is_doing(open_port: Open, outbox: Outbox) -> None:
    port = await open_port(lifetime_s=SOON_S, body_timeout_s=60.0)
    body = event(query="a" * 100)
    request = as_sent(body)
    async with asyncio.timeout(2), port.connection() as (reader, writer):
        writer.write(request[: -len(body)])
        dripping = asyncio.create_task(drip(writer, body))
        assert await status_of(reader) == 0
        dripping.cancel()
        await asyncio.wait((dripping,))
    assert outbox.accepted == []


async def test_a_flood_of_silent_connections_does_not_keep_others_out(open_port: Open) -> None:
    port = await open_port(lifetime_s=60.0, most_connections=20)
    silent = [await asyncio.open_connection("127.0.0.1", port.number) for _ in range(60)]
    async with asyncio.timeout(2):
        assert (await port.get("/healthz")).status == 200
        assert (await port.post(event())).status == 202
        assert await status_of(silent[0][0]) == 0
    for _, writer in silent:
        writer.close()


@pytest.mark.parametrize(
    "said", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"hello\r\n\r\n", b"GET / HTTP/9\r\n\r\n",
             b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + b"b" * 10_000 + b"\r\n\r\n",
             b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
             b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1"],
)  # fmt: skip
async def test_what_is_not_http_is_closed_and_is_no_error_of_ours(port: Port, said: bytes) -> None:
    async with asyncio.timeout(2), port.connection() as (reader, writer):
        writer.write(said)
        assert await status_of(reader) in {0, 400}
        writer.write_eof()
        await reader.read()


async def test_a_second_request_in_a_connection_is_not_answered(port: Port, outbox: Outbox) -> None:
    async with asyncio.timeout(2), port.connection() as (reader, writer):
        writer.write(as_sent(event()) + as_sent(event()))
        answer = await reader.read()
    assert answer.count(b"HTTP/1.1 202") == 1
    assert len(outbox.accepted) == 1


async def test_a_fault_of_ours_is_500_and_logged_with_its_traceback(
    port: Port, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.failures = [ZeroDivisionError("ours")]
    reply = await port.post(event())
    assert (reply.status, "ours" in str(reply.body)) == (500, False)
    assert [(record.getMessage(), bool(record.exc_info)) for record in caplog.records] == [("a request failed", True)]
    caplog.clear()


async def test_what_is_not_there_is_404(port: Port) -> None:
    for path in ("/", "/events/", "/metrics", "/schemas/none.json", "/%2e%2e/etc/passwd"):
        assert (await port.get(path)).status == 404


async def test_a_closed_port_takes_nothing_more_and_is_free_again(outbox: Outbox, bus: Bus) -> None:
    def made(number: int) -> Ingress:
        return Ingress("127.0.0.1", number, Events((KEY,), {}, outbox, bus.emit), Health({}, {}))

    async with made(0) as first:
        assert (await Port(first).post(event())).status == 202
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", first.port)
    async with made(first.port) as second:
        assert (await Port(second).post(event())).status == 202


async def test_closing_lets_a_request_under_way_finish_and_waits_for_none_that_does_not(
    outbox: Outbox, bus: Bus
) -> None:
    outbox.gate = asyncio.Event()
    async with asyncio.timeout(5):
        async with Ingress("127.0.0.1", 0, Events((KEY,), {}, outbox, bus.emit), Health({}, {})) as ingress:
            asked = asyncio.create_task(Port(ingress).post(event()))
            await asyncio.sleep(0.05)
            asyncio.get_running_loop().call_later(0.1, outbox.gate.set)
        assert (await asked).status == 202
        outbox.gate = asyncio.Event()
        async with Ingress("127.0.0.1", 0, Events((KEY,), {}, outbox, bus.emit), Health({}, {})) as ingress:
            asked = asyncio.create_task(Port(ingress).post(event()))
            await asyncio.sleep(0.05)
        await asyncio.wait((asked,))
        assert asked.exception() is not None
    assert len(outbox.accepted) == 1


@pytest.mark.parametrize(("host", "words"), [("127.0.0.1", "HTTP_PORT: 127.0.0.1:"), ("localhost", "HTTP_PORT: ")])
async def test_a_port_that_is_taken_is_one_line_with_the_fix(host: str, words: str, outbox: Outbox, bus: Bus) -> None:
    events, health = Events((), {}, outbox, bus.emit), Health({}, {})
    async with Ingress(host, 0, events, health) as first:
        with pytest.raises(CannotListen, match=words) as refused:
            await Ingress(host, first.port, events, health).__aenter__()
    line = str(refused.value)
    assert "taken by another program. Set another port, or 0" in line
    assert "\n" not in line


async def test_a_host_that_is_not_here_is_one_line_with_the_fix(outbox: Outbox, bus: Bus) -> None:
    for host in ("192.0.2.1", "no.such.host.invalid"):
        with pytest.raises(CannotListen, match=f"HTTP_HOST: {host} is no address of this machine"):
            await Ingress(host, 0, Events((), {}, outbox, bus.emit), Health({}, {})).__aenter__()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(errno.EACCES, "no"), "HTTP_PORT: this user may not open port 80. Set one above 1023"),
        (OSError(errno.EMFILE, "Too many open files"), "HTTP_PORT: 127.0.0.1:80 cannot be opened"),
    ],
)
def test_whatever_else_keeps_it_from_listening_is_a_line_too(error: Any, line: str) -> None:
    assert why_not(error, "127.0.0.1", 80).startswith(line)
