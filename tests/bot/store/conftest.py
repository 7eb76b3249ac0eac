"""A calendar, and the stores over every engine: what the contracts are held to."""

from pathlib import Path

import pytest

from tests.bot.store.digest_store import ENGINES, Clock, Start


@pytest.fixture
def clock() -> Clock:
    """Stands still at noon until it is turned."""
    return Clock()


@pytest.fixture(params=ENGINES)
def start(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Start:
    """Begins lives of the program on one database of each engine."""
    return ENGINES[request.param](tmp_path, clock)
