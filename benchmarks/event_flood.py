"""10,000 events on the bus in one second: each workflow is written down once, and memory does not grow with them.

Run as a script with a directory and a number of events, it is the process that is measured.
"""

import asyncio
import json
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Self

from agents.events import WORKFLOW_STARTED, WorkflowStarted
from benchmarks.figure import Measured, Size
from bot.app import assembled
from bot.settings import Settings

NAME = "event-flood"
LIMIT_MB = 50.0
_EVENTS = {Size.FULL: 10_000, Size.TINY: 200}
_TIMES_EACH = 2
"""Every workflow is started so many times: by the same event, delivered again."""
_AT_ONCE = 100
_SAMPLE_S = 0.01
_ALL_WRITTEN_S = 120.0


async def measure(size: Size) -> list[Measured]:
    """Two figures of a process with all parts of the bot but its client, and a database on the disk."""
    events = _EVENTS[size]
    with tempfile.TemporaryDirectory(prefix="signals-benchmark-") as directory:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.event_flood", directory, str(events),
            stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the measured process ended with status {process.returncode}")
    said = json.loads(output)
    grown_mb = (said["most_bytes"] - said["before_bytes"]) / 2**20
    ids = events // _TIMES_EACH
    return [
        Measured(
            f"event-flood: memory while {events:,} events are put on the bus within a second, more than before",
            max(grown_mb, 0.01),
            LIMIT_MB,
            "MB",
            f"{said['before_bytes'] / 2**20:.0f} MB before; put within {said['put_s']:.2f} s (those that found no "
            f"room wait), all written after {said['written_s']:.1f} s",
        ),
        Measured(
            f"event-flood: workflows written down, per id, of {ids:,} ids",
            said["workflows"] / ids,
            1,
            "",
            f"{said['workflows']:,} workflows",
            exactly=True,
        ),
    ]


async def flooded(directory: str, events: int) -> dict[str, float]:
    """Put the events on the bus, and wait until all are written down; what that took."""
    settings = Settings(
        _env_file=None, http_port=0, database_url=f"sqlite+aiosqlite:///{directory}/signals.db", discord_token="none"
    )
    async with assembled(settings) as parts:
        parts.digests.serve(_no_spot, _nothing, _at_once)
        for number in range(_AT_ONCE):  # so that whatever is made once is there before
            await parts.bus.emit(WORKFLOW_STARTED, WorkflowStarted(workflow_id=f"before {number}"))
        await parts.bus.settled()
        before = _resident_bytes()
        with _Sampling() as most:
            began = time.perf_counter()
            async with asyncio.TaskGroup() as emitting:
                for number in range(events):
                    event = WorkflowStarted(workflow_id=f"workflow {number // _TIMES_EACH}")
                    emitting.create_task(parts.bus.emit(WORKFLOW_STARTED, event, timeout_s=_ALL_WRITTEN_S))
                    if number % _AT_ONCE == 0:
                        await asyncio.sleep(max(0.0, began + number / events - time.perf_counter()))
                put_s = time.perf_counter() - began
            await parts.bus.settled()
            written_s = time.perf_counter() - began
        with closing(sqlite3.connect(f"{directory}/signals.db")) as connection:
            query = "SELECT count(*) FROM workflows WHERE id LIKE 'workflow %'"
            (workflows,) = connection.execute(query).fetchone()
    return {
        "before_bytes": before,
        "most_bytes": most.bytes,
        "put_s": put_s,
        "written_s": written_s,
        "workflows": workflows,
    }


class _Sampling:
    """The most memory that this process has while it lasts, looked at from a thread."""

    def __init__(self) -> None:
        self.bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self.bytes = max(self.bytes, _resident_bytes())


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def _no_spot(_guild_id: int, _channel_id: int) -> None:
    return None


def _nothing() -> None:
    return None


async def _at_once() -> None:
    return None


if __name__ == "__main__":
    print(json.dumps(asyncio.run(flooded(sys.argv[1], int(sys.argv[2])))))
