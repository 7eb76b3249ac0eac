"""A port that listens, with an outbox in memory behind it."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from bot.ingress.events import Events
from bot.ingress.health import Health, Look
from bot.ingress.server import Ingress
from tests.bot.ingress.port import KEY, Bus, Outbox, Port
from tests.bot.scene import usual_sources


class Open(Protocol):
    async def __call__(self, **changes: Any) -> Port: ...


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No request of a stranger is an error of ours."""
    yield
    assert [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def open_port(outbox: Outbox, bus: Bus) -> AsyncIterator[Open]:
    """Opens ports; what is changed goes to whichever of the parts takes it."""
    async with AsyncExitStack() as stack:

        async def opened(
            keys: tuple[bytes, ...] = (KEY,),
            checks: dict[str, Look] | None = None,
            accepting: Any = outbox,
            lifetime_s: float = 10.0,
            most_connections: int = 50,
            **changes: Any,
        ) -> Port:
            specs = {name: source.spec for name, source in usual_sources().items()}
            events = Events(keys, specs, accepting, bus.emit, **changes)
            health = Health(checks or {}, {"events": "on"})
            ingress = Ingress(
                "127.0.0.1", 0, events, health, lifetime_s=lifetime_s, most_connections=most_connections
            )
            return Port(await stack.enter_async_context(ingress))

        yield opened


@pytest.fixture
async def port(open_port: Open) -> Port:
    return await open_port()
