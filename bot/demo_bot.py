"""The demo's bot: the unmodified one, as an operator would run it, in a process and a folder of its own."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
SPANS_EVERY_MS = 200
_KEPT = ("PATH", "HOME", "LANG", "TZ")
"""The operator's other variables are left out: the demo must not reach anything real unasked."""


class BotProcess:
    """Runs ``python -m bot run`` with exactly this environment, as an async context manager; ended at the end.

    ``on_end`` is called when it has ended by itself. With ``movable_clock`` the bot lives by one that ``advance``
    moves (see ``bot.demo_run``).
    """

    def __init__(
        self,
        environment: dict[str, str],
        log: Path,
        on_end: Callable[[], None] = lambda: None,
        *,
        movable_clock: bool = False,
    ) -> None:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        root = Path(__file__).resolve().parent.parent
        self.log = log
        self._environment = kept | environment | {"PYTHONPATH": str(root)}
        self._on_end = on_end
        self._movable_clock = movable_clock
        self._ahead_s = 0.0
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.returncode is None

    async def restart(self) -> None:
        """End the process as an operator would, and start another."""
        async with self._turn:
            await self._stop()
            await self._start()

    def advance(self, seconds: float) -> None:
        """Let time pass for it at once; what is started later begins at that time."""
        self._ahead_s += seconds
        if self.runs and self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(f"{seconds}\n".encode())

    def _command(self) -> tuple[str, ...]:
        return ("bot.demo_run", str(self._ahead_s)) if self._movable_clock else ("bot", "run")

    async def _start(self) -> None:
        # In a folder of its own, so that no .env is read.
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self._command(), env=self._environment, cwd=self.log.parent,
                stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self._watching = asyncio.create_task(self._watch(self._process))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self._on_end()

    async def _stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._process is not None:
            await end_process(self._process, STOP_TIMEOUT_S)

    def last_lines(self, count: int = 15) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def traces_to(url: str) -> dict[str, str]:
    """The variables that make the bot send its spans there, soon after they end."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": str(SPANS_EVERY_MS)}


async def end_process(process: asyncio.subprocess.Process, timeout_s: float) -> None:
    """Ask it to end, and kill it where it does not within that time; one that has ended already is left alone."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()


def free_port() -> int:
    """A port on loopback that nobody listens on at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
