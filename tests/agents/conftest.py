"""What tests of the agents take from the process, and put back."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents import telemetry
from agents.settings import SourceSettings


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards, with the levels of ours."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, telemetry.OUR_LOGGERS))}
    yield root
    root.handlers[:] = handlers
    for logger, level in levels.items():
        logger.setLevel(level)


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory without ``.env``, and none of our variables."""
    for name in SourceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
