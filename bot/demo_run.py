"""The demo's bot: ``python -m bot run`` by a clock that whoever started it moves, with lines on its standard input.

Each line is a number of seconds that pass at once; the first argument says how far ahead the clock is from the start.
"""

import asyncio
import sys

from agents import telemetry
from agents.settings import BadSettings, read_settings
from bot.__main__ import BAD_ARGUMENT, run_bot
from bot.clock import MovableClock
from bot.settings import Settings
from bot.tasks import beside

_log = telemetry.logger("bot.demo")


async def follow(lines: asyncio.StreamReader, clock: MovableClock) -> None:
    """Move the clock by what each line says, until there are no more."""
    async for line in lines:
        try:
            clock.advance(float(line))
        except ValueError as error:
            _log.warning("the clock was not moved", error=str(error))
        else:
            _log.info("the clock was moved", now=clock.utc().isoformat(timespec="seconds"))


async def _run(settings: Settings, clock: MovableClock) -> None:
    from bot.app import run

    lines = asyncio.StreamReader()
    reading = asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    transport, _ = await reading
    following = beside(follow(lines, clock), "demo-clock")
    try:
        await run(settings, clock)
    finally:
        following.cancel()
        await asyncio.wait((following,))
        transport.close()


def main(ahead_s: float) -> int:
    """Run until told to end; returns the exit status."""
    try:
        settings = read_settings(Settings)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return BAD_ARGUMENT
    return run_bot(settings, lambda settings: _run(settings, MovableClock(ahead_s)))


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
