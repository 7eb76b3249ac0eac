"""What a figure is: what is measured, how far it may go, and how the measurement is summed up."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

TIMES = "×"  # noqa: RUF001 - the sign that is meant


class Size(Enum):
    """How much is measured."""

    FULL = "full"
    """Enough for the figure to mean something."""
    TINY = "tiny"
    """Enough to see that the benchmark works; its figures mean nothing."""


class NotMeasurable(RuntimeError):
    """Something is missing here that the figure needs; the message says what, and how to get it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure as it came out."""

    figure: str
    """What was measured, with what it was measured against."""
    value: float
    limit: float
    unit: str
    """``TIMES`` for ratios, else the unit's sign."""
    details: str = ""
    """The absolute values behind it and how far they spread."""
    exactly: bool = False
    """True: the value must equal the limit instead of staying under it."""
    at_least: bool = False
    """True: the value must reach the limit instead of staying under it."""

    @property
    def reached(self) -> bool:
        """Whether it is as it must be."""
        if self.exactly:
            return self.value == self.limit
        return self.value >= self.limit if self.at_least else self.value <= self.limit


Measure = Callable[[Size], Coroutine[None, None, list[Measured]]]


@dataclass(frozen=True, slots=True)
class Ratios:
    """Pairs taken one right after the other; a pair's ratio is ours over the reference."""

    ours: Sequence[float]
    reference: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """One per pair, in order."""
        return [mine / other for mine, other in zip(self.ours, self.reference, strict=True)]

    @property
    def median(self) -> float:
        """The middle one: a noisy machine spoils single pairs, in both directions."""
        return median(self.ratios)

    def details(self, scale: float, unit: str) -> str:
        """Both medians in ``unit`` (values times ``scale``), and the middle half of the ratios."""
        ratios = sorted(self.ratios)
        quarter = len(ratios) // 4
        low, high = ratios[quarter], ratios[-1 - quarter]
        return (
            f"{median(self.ours) * scale:.3g} {unit} against {median(self.reference) * scale:.3g} {unit}; "
            f"{len(ratios)} pairs, the middle half from {low:.2f} to {high:.2f}"
        )
