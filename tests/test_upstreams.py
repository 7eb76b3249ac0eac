"""The scripted upstream is as hostile as it says."""

import asyncio
import zlib

from tests.upstreams import Upstream, gzip_of_spaces, hang, reply, status


def test_the_bomb_is_a_gigabyte_in_a_megabyte() -> None:
    bomb = gzip_of_spaces(1_000_000_000)
    assert len(bomb) < 1_050_000
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert inflate.decompress(bomb, 5_000_000) == b" " * 5_000_000
    small = zlib.decompressobj(-zlib.MAX_WBITS)
    assert len(small.decompress(gzip_of_spaces(3_000_000)[10:])) == 3_000_000
    assert small.eof


async def _talk(upstream: Upstream, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-One: 1\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_answers_follow_the_script_and_requests_are_kept() -> None:
    async with Upstream() as upstream:
        upstream.on("/a", reply("{}"), status(500, Retry_After="3"))
        assert (await _talk(upstream, "/a?q=1&e=")).endswith(b"\r\n\r\n{}")
        for _ in range(2):
            assert (await _talk(upstream, "/a")).startswith(b"HTTP/1.1 500 ")
        assert (await _talk(upstream, "/unknown")).startswith(b"HTTP/1.1 404 ")
        assert upstream.connections == 4
        assert len(upstream.seen("/a")) == 3
        assert upstream.requests[0].query == {"q": "1", "e": ""}
        assert upstream.requests[0].headers["x-one"] == "1"


async def test_closing_ends_those_that_hang() -> None:
    async with Upstream() as upstream:
        upstream.on("/", hang())
        talk = asyncio.create_task(_talk(upstream, "/"))
        while not upstream.requests:
            await asyncio.sleep(0)
    assert await talk == b""
