"""What one cached ``/signals`` costs our process, against the least that any bot must do."""

from benchmarks.figure import TIMES, Measured, Size
from benchmarks.two_bots import compare

NAME = "cpu"
LIMIT = 1.5
IN_FLIGHT = 10
_PAIRS = {Size.FULL: 61, Size.TINY: 1}
_COMMANDS = {Size.FULL: 100, Size.TINY: 10}


async def measure(size: Size) -> list[Measured]:
    """Processor time per command, acknowledged and answered."""
    commands = _COMMANDS[size]
    ratios = await compare(_PAIRS[size], commands, IN_FLIGHT, lambda load: load.cpu_s / commands)
    figure = "CPU of the bot per cached /signals, acknowledged and answered, against a bare discord.py command"
    return [Measured(figure, ratios.median, LIMIT, TIMES, ratios.details(1000, "ms"))]
