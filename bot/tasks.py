"""Tasks that run beside everything else, for as long as their owners live."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from agents.telemetry import logger

_log = logger("bot.tasks")


def beside(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Begin it. The task is the caller's to keep and to cancel; a bug that ends it is logged with its traceback.

    Nobody awaits such a task before the end, so without that its bug would go unheard until then.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_bug)
    return task


def _log_bug(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (bug := task.exception()) is not None:
        _log.error("a task ended by a bug", task=task.get_name(), exc_info=bug)
