"""Connections are bounded in number and in time, whatever the protocol behind them does."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from bot.ingress.connections import Connections
from tests.bot.scene import until


class Talker(asyncio.Protocol):
    """Sends more than anybody's buffers hold; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.told.append("made")
        transport.write(b"x" * 20_000_000)

    def data_received(self, data: bytes) -> None:
        self.told.append(data.decode())

    def pause_writing(self) -> None:
        self.told.append("pause")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")


class Listening:
    def __init__(self, lifetime_s: float, most: int) -> None:
        self.talkers: list[Talker] = []
        self.connections = Connections(self._talker, lifetime_s=lifetime_s, most=most)

    def _talker(self) -> Talker:
        self.talkers.append(Talker())
        return self.talkers[-1]

    async def __aenter__(self) -> "Listening":
        self.server = await asyncio.get_running_loop().create_server(self.connections, "127.0.0.1", 0)
        self.address = self.server.sockets[0].getsockname()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()


@pytest.fixture
async def strangers() -> AsyncIterator[list[socket.socket]]:
    made: list[socket.socket] = []
    yield made
    for one in made:
        one.close()


async def test_who_does_not_read_what_it_is_sent_is_put_out(strangers: list[socket.socket]) -> None:
    async with Listening(0.1, 10) as listening:
        strangers.append(socket.create_connection(listening.address))
        strangers[0].sendall(b"hello")
        await until(lambda: listening.talkers and "lost" in listening.talkers[0].told)
        assert listening.talkers[0].told == ["made", "pause", "hello", "lost"]
        assert len(listening.connections) == 0


async def test_of_more_than_there_may_be_the_oldest_gives_way(strangers: list[socket.socket]) -> None:
    async with Listening(60.0, 2) as listening:
        for number in range(4):
            strangers.append(socket.create_connection(listening.address))
            async with asyncio.timeout(2):
                while len(listening.talkers) <= number:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.01)
            assert len(listening.connections) == min(number + 1, 2)
        assert ["lost" in talker.told for talker in listening.talkers] == [True, True, False, False]
        strangers[3].close()
        await until(lambda: len(listening.connections) == 1)
