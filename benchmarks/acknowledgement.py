"""How soon a person sees that the bot has heard, when a hundred ask at the same time."""

from benchmarks.figure import TIMES, Measured, Size
from benchmarks.two_bots import compare

NAME = "acknowledgement"
LIMIT = 1.25
IN_FLIGHT = 100
_PAIRS = {Size.FULL: 21, Size.TINY: 1}
_COMMANDS = {Size.FULL: 500, Size.TINY: 100}


async def measure(size: Size) -> list[Measured]:
    """The 99th percentile of each batch."""
    ratios = await compare(_PAIRS[size], _COMMANDS[size], IN_FLIGHT, lambda load: percentile_99(load.acknowledged_s))
    figure = f"time to acknowledge, p99, at {IN_FLIGHT} in flight, against that bare bot"
    return [Measured(figure, ratios.median, LIMIT, TIMES, ratios.details(1000, "ms"))]


def percentile_99(values: list[float]) -> float:
    """The value that 99 of 100 do not exceed."""
    return sorted(values)[-1 - len(values) // 100]
