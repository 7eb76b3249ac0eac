"""What one cached ``/signals`` costs our process, against the least that any bot must do."""

from benchmarks.figure import TIMES, Measured, Ratios, Size
from benchmarks.two_bots import running_bots

NAME = "cpu"
LIMIT = 1.5
IN_FLIGHT = 10
_PAIRS = {Size.FULL: 61, Size.TINY: 1}
_COMMANDS = {Size.FULL: 100, Size.TINY: 10}


async def measure(size: Size) -> list[Measured]:
    """Processor time per command, acknowledged and answered, in batches that take turns."""
    commands = _COMMANDS[size]
    ours: list[float] = []
    reference: list[float] = []
    async with running_bots() as bots:
        for bot in bots:
            await bot.load(commands, IN_FLIGHT)
        for pair in range(_PAIRS[size]):
            for bot in bots if pair % 2 else reversed(bots):
                load = await bot.load(commands, IN_FLIGHT)
                (ours if bot is bots[0] else reference).append(load.cpu_s / commands)
    ratios = Ratios(ours, reference)
    figure = "CPU of the bot per cached /signals, acknowledged and answered, against a bare discord.py command"
    return [Measured(figure, ratios.median, LIMIT, TIMES, ratios.details(1000, "ms"))]
