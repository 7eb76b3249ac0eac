"""Log lines as data, whatever the process's logging is set to."""

import logging
from collections.abc import Callable
from types import ModuleType

import pytest
import structlog
from structlog.testing import LogCapture

Lines = list[structlog.typing.EventDict]


@pytest.fixture
def lines_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], Lines]:
    """Give a module a logger that writes into the list returned."""

    def listen(module: ModuleType) -> Lines:
        capture = LogCapture()
        logger = structlog.wrap_logger(
            logging.getLogger("test"), processors=[capture], wrapper_class=structlog.stdlib.BoundLogger
        )
        monkeypatch.setattr(module, "_log", logger)
        return capture.entries

    return listen
