"""The chart of a digest: how many items each source had over the period, and what they score.

It brings its own dark ground, so that it reads the same on Discord's dark and light themes. Sources are told apart by
colour (after Okabe and Ito's palette for colour-blind people, lightened) and by the shape of their marks.
"""

import asyncio
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from agents.signal import Signal
from agents.text import plain

if TYPE_CHECKING:
    from PIL import Image as PillowImage
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

WIDTH, HEIGHT = 1000, 610
"""Pixels; Discord shows it half as large, so texts are twice as large as they are meant to be."""
GROUND = (43, 45, 49)
TEXT = (230, 232, 235)
FAINT_TEXT = (181, 186, 193)
GRID = (78, 80, 88)
COLOURS = (
    (244, 162, 89), (86, 180, 233), (79, 209, 165), (240, 228, 66), (255, 143, 184), (185, 163, 255), (255, 123, 114),
    (200, 204, 210),
)  # fmt: skip
LONGEST_ALT = 1000

_MOST_TOLD_APART = len(COLOURS)
_OTHERS = "others"
_LEFT, _RIGHT = 84, 976
_LEGEND_TOP, _LEGEND_ROW = 14, 36
_TEXT_SIZE = 24
_MARK = 18
_MARKS = ((60, _MARK), (200, 12), (10**9, 8))
"""How large marks are drawn for up to so many items."""
_OVERSAMPLED = 4
_MOST_BARS = 32
_LEAST_PARTED = 4
"""Pixels; what is less high stands upon what is below it without a line between."""
_ENDS = (2, 4, 6, 8, 10, 12, 16, 20, 24, 30, 40, 50, 60, 80, 100)
_MOST_LABELS = 7
_LONGEST_PERIOD = timedelta(days=62)
_STEPS = tuple(
    timedelta(minutes=minutes)
    for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7 * 1440, 14 * 1440, 28 * 1440)
)
_CLOCK_BELOW = timedelta(hours=60)
"""Of a shorter period the axis tells the time of day, of a longer one only the day."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture and its words."""

    png: bytes
    alt: str
    """At most ``LONGEST_ALT`` characters: the same for those who cannot see it."""


async def draw(
    signals: Sequence[Signal], since: datetime, until: datetime, zone: str, titles: Mapping[str, str]
) -> Chart:
    """The chart of what was new from ``since`` to ``until`` (UTC), in a thread; see ``chart``."""
    return await asyncio.to_thread(chart, signals, since, until, zone, titles)


def chart(signals: Sequence[Signal], since: datetime, until: datetime, zone: str, titles: Mapping[str, str]) -> Chart:
    """The same picture for the same values; takes 20 ms, mostly without holding up other threads.

    Items are where they were published. The axis begins earlier than ``since`` where one of them is older, and tells
    the time of the ``zone`` (an IANA name).
    """
    figures = _Figures(tuple(signals), since, until, ZoneInfo(zone), zone, titles)
    return Chart(_png(figures), _words(figures))


@dataclass(frozen=True)
class _Figures:
    """What is drawn: each item's time and score under its source's title, the busiest source first."""

    signals: tuple[Signal, ...]
    asked_since: datetime
    until: datetime
    zone: tzinfo
    zone_name: str
    titles: Mapping[str, str]

    @cached_property
    def items(self) -> dict[str, list[tuple[datetime, float]]]:
        counts = Counter(signal.source for signal in self.signals)
        ranked = sorted(counts, key=lambda source: (-counts[source], source))
        apart = ranked if len(ranked) <= _MOST_TOLD_APART else ranked[: _MOST_TOLD_APART - 1]
        found: dict[str, list[tuple[datetime, float]]] = {self._title(source): [] for source in apart}
        for signal in self.signals:
            title = self._title(signal.source) if signal.source in apart else _OTHERS
            found.setdefault(title, []).append((self._within(signal.timestamp), signal.score))
        return found

    def _title(self, source: str) -> str:
        return plain(self.titles.get(source, source), 24) or "?"

    def _within(self, moment: datetime) -> datetime:
        return min(max(moment, self.until - _LONGEST_PERIOD), self.until)

    @cached_property
    def numbers(self) -> list[int]:
        """Each one's colour and shape: a source that is known keeps its own from chart to chart."""
        usual = {self._title(source): number for number, source in enumerate(self.titles)}
        free = [number for number in range(_MOST_TOLD_APART) if number not in map(usual.get, self.items)]
        taken = {title: usual[title] for title in self.items if usual.get(title, len(COLOURS)) < len(COLOURS)}
        return [taken[title] if title in taken else free.pop(0) for title in self.items]

    @cached_property
    def since(self) -> datetime:
        moments = (moment for found in self.items.values() for moment, _ in found)
        least = self.until - _STEPS[0]
        return min((max(self.asked_since, self.until - _LONGEST_PERIOD), least, *moments))

    @cached_property
    def step(self) -> timedelta:
        """How long one bar is."""
        return next(step for step in _STEPS if (self.until - self.since) / step <= _MOST_BARS - 1)

    @cached_property
    def edges(self) -> list[datetime]:
        """Where bars begin, and where the last ends; on round times of the zone's clock."""
        return list(_marks(self.since, self.until, self.step, self.zone, around=True))

    def bar_of(self, moment: datetime) -> int:
        """The bar that an item stands in."""
        return min(int((moment - self.edges[0]) / self.step), len(self.edges) - 2)

    @cached_property
    def counts(self) -> dict[str, Counter[int]]:
        """Items in each bar, by source."""
        return {title: Counter(self.bar_of(moment) for moment, _ in found) for title, found in self.items.items()}

    @cached_property
    def totals(self) -> Counter[int]:
        """Items in each bar."""
        return sum(self.counts.values(), Counter[int]())

    @property
    def clock(self) -> bool:
        """Whether the time of day matters."""
        return self.until - self.since < _CLOCK_BELOW


def _marks(
    since: datetime, until: datetime, step: timedelta, zone: tzinfo, *, around: bool = False
) -> Iterator[datetime]:
    """Round times from ``since`` to ``until``; ``around``: also the one before and the one after."""
    offset = until.astimezone(zone).utcoffset() or timedelta()
    fixed = timezone(offset)
    midnight = since.astimezone(fixed).replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + (since - midnight) // step * step
    if not around and at < since:
        at += step
    while at <= until:
        yield at
        at += step
    if around and at - step < until:
        yield at


# -- in words


def _words(figures: _Figures) -> str:
    total = len(figures.signals)
    since, until = (_told(moment, figures) for moment in (figures.since, figures.until))
    told = [f"Chart of {total} new item{'' if total == 1 else 's'} from {since} to {until} ({figures.zone_name})."]
    for title, found in figures.items.items():
        scores = sorted(score for _, score in found)
        spread = f"{scores[0]:.2f}" if len(scores) == 1 else f"{scores[0]:.2f} to {scores[-1]:.2f}"
        told.append(f"{title}: {len(found)}, score {spread}.")
    if total > 1:
        busiest, most = max(figures.totals.items(), key=lambda one: (one[1], one[0]))
        told.append(f"Most at once: {most}, {_spell(figures, busiest)}.")
    text = " ".join(told)
    return text if len(text) <= LONGEST_ALT else f"{text[: LONGEST_ALT - 1]}…"


def _spell(figures: _Figures, bar: int) -> str:
    """From when to when a bar lasts; days are named with the last one included."""
    end = min(figures.edges[bar + 1], figures.until)
    if figures.step >= timedelta(days=1):
        end -= timedelta(seconds=1)
    first, last = _told(figures.edges[bar], figures), _told(end, figures)
    return f"from {first} to {last}" if first != last else f"on {first}"


def _told(moment: datetime, figures: _Figures) -> str:
    local = moment.astimezone(figures.zone)
    day = f"{local:%a} {local.day} {local:%b}"
    return f"{day} {local:%H:%M}" if figures.step < timedelta(days=1) else day


def _label(moment: datetime, figures: _Figures) -> str:
    local = moment.astimezone(figures.zone)
    if figures.clock and (local.hour, local.minute) != (0, 0):
        return f"{local:%H:%M}"
    return f"{local:%a} {local.day}" if figures.clock else f"{local.day} {local:%b}"


# -- the picture


@dataclass(frozen=True, slots=True)
class _Panel:
    """A part of the picture with an axis of its own; values from 0 to ``most`` go upwards."""

    top: int
    bottom: int
    most: float

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * value / self.most


def _png(figures: _Figures) -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_TEXT_SIZE)
    stamps = [_Stamp.of(number, _MARK) for number in figures.numbers]
    below = _legend(figures, stamps, picture, pen, font)
    most = max(figures.totals.values(), default=1)
    items = _Panel(below + 40, 300, _round_up(most))
    scores = _Panel(items.bottom + 56, HEIGHT - 88, 1.0)
    _axis(pen, font, items, "items", [0, items.most] if items.most == 1 else [0, items.most / 2, items.most])
    _axis(pen, font, scores, "score", [0, 0.5, 1])
    _times(figures, pen, font, (items, scores))
    _bars(figures, pen, items)
    _points(figures, picture, scores)
    out = io.BytesIO()
    # The median cut and a second look for the best compression would take five times as long for 2 kB.
    picture.quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(out, "PNG")
    return out.getvalue()


def _round_up(most: int) -> int:
    """The end of an axis for whole numbers whose half is whole too, unless it is 1."""
    if most <= 1:
        return 1
    return next((end for end in _ENDS if end >= most), -(-most // 100) * 100)


def _x(figures: _Figures, moment: datetime) -> float:
    first, last = figures.edges[0], figures.edges[-1]
    return _LEFT + (_RIGHT - _LEFT) * ((moment - first) / (last - first))


def _legend(
    figures: _Figures,
    stamps: Sequence["_Stamp"],
    picture: "PillowImage.Image",
    pen: "ImageDraw",
    font: "FreeTypeFont | ImageFont",
) -> int:
    """Sources with their marks, in rows; where it ends."""
    x, y = float(_LEFT), _LEGEND_TOP
    for stamp, (title, found) in zip(stamps, figures.items.items(), strict=True):
        text = f"{title} ({len(found)})"
        width = _MARK + 10 + pen.textlength(text, font) + 28
        if x + width - 28 > _RIGHT and x > _LEFT:
            x, y = float(_LEFT), y + _LEGEND_ROW
        stamp.press(picture, x + _MARK / 2, y + _LEGEND_ROW / 2)
        pen.text((x + _MARK + 10, y + _LEGEND_ROW / 2), text, TEXT, font, anchor="lm")
        x += width
    return y + _LEGEND_ROW


def _axis(
    pen: "ImageDraw", font: "FreeTypeFont | ImageFont", panel: _Panel, name: str, values: Sequence[float]
) -> None:
    pen.text((_LEFT, panel.top - 8), name, FAINT_TEXT, font, anchor="ls")
    for value in values:
        y = panel.y(value)
        pen.line((_LEFT, y, _RIGHT, y), GRID, 2)
        pen.text((_LEFT - 14, y), f"{value:g}", FAINT_TEXT, font, anchor="rm")


def _times(figures: _Figures, pen: "ImageDraw", font: "FreeTypeFont | ImageFont", panels: Sequence[_Panel]) -> None:
    """Labels of the time axis, below the last panel, with a fine line through all of them."""
    first, last = figures.edges[0], figures.edges[-1]
    step = next(
        (step for step in _STEPS if step >= figures.step and (last - first) / step <= _MOST_LABELS), _STEPS[-1]
    )
    bottom = panels[-1].bottom
    for moment in _marks(first, last, step, figures.zone):
        x = _x(figures, moment)
        for panel in panels:
            pen.line((x, panel.top, x, panel.bottom), GRID, 1)
        label = _label(moment, figures)
        half = pen.textlength(label, font) / 2
        pen.text(
            (min(max(x, _LEFT - 30 + half), WIDTH - 6 - half), bottom + 12), label, FAINT_TEXT, font, anchor="ma"
        )
    name = f"published, {figures.zone_name} time" if figures.clock else f"published, days of {figures.zone_name}"
    pen.text((_RIGHT, bottom + 42), name, FAINT_TEXT, font, anchor="ra")


def _bars(figures: _Figures, pen: "ImageDraw", panel: _Panel) -> None:
    """Items of each bar, one source upon the other."""
    width = (_RIGHT - _LEFT) / (len(figures.edges) - 1)
    below: Counter[int] = Counter()
    for number, counts in zip(figures.numbers, figures.counts.values(), strict=True):
        for at, count in sorted(counts.items()):
            left = _LEFT + at * width
            top, bottom = panel.y(below[at] + count), panel.y(below[at])
            gap = 1 if bottom - top >= _LEAST_PARTED else 0
            pen.rectangle((left + 2, top + gap, left + width - 2, bottom - gap), COLOURS[number])
            below[at] += count


def _points(figures: _Figures, picture: "PillowImage.Image", panel: _Panel) -> None:
    """Each item by its score, the smaller the more there are; what few sources tell is not covered by the others."""
    mark = next(size for most, size in _MARKS if len(figures.signals) <= most)
    shown = [*zip(figures.numbers, figures.items.items(), strict=True)]
    for number, (_, found) in sorted(shown, key=lambda one: -len(one[1][1])):
        stamp = _Stamp.of(number, mark)
        for moment, score in found:
            stamp.press(picture, _x(figures, moment), panel.y(score))


@dataclass(frozen=True, slots=True)
class _Stamp:
    """A source's mark in its shape, smooth, with a rim that tells it from what is behind it."""

    colour: tuple[int, int, int]
    mark: "PillowImage.Image"
    rim: "PillowImage.Image"

    @classmethod
    def of(cls, number: int, mark: int) -> "_Stamp":
        from PIL import Image, ImageDraw

        rim = mark // 6
        size = (mark + 2 * rim) * _OVERSAMPLED
        drawn = []
        for inset in (rim * _OVERSAMPLED, 0):
            mask = Image.new("L", (size, size))
            _shape(ImageDraw.Draw(mask), number, size, inset)
            drawn.append(mask.reduce(_OVERSAMPLED))
        return cls(COLOURS[number], *drawn)

    def press(self, picture: "PillowImage.Image", x: float, y: float) -> None:
        """Put it there, its middle at ``x`` and ``y``."""
        side = self.mark.width
        corner = (round(x - side / 2), round(y - side / 2))
        for colour, drawn in ((GROUND, self.rim), (self.colour, self.mark)):
            picture.paste(colour, (*corner, corner[0] + side, corner[1] + side), drawn)


def _shape(pen: "ImageDraw", number: int, size: int, inset: int) -> None:
    """Disc, square, triangle, diamond, the triangle upside down, and again."""
    low, high, middle = inset, size - inset - 1, size / 2
    shapes = (
        None,
        ((low * 1.2 + 2, low * 1.2 + 2), (high - 4, low * 1.2 + 2), (high - 4, high - 4), (low * 1.2 + 2, high - 4)),
        ((middle, low), (high, high), (low, high)),
        ((middle, low), (high, middle), (middle, high), (low, middle)),
        ((low, low), (high, low), (middle, high)),
    )
    corners = shapes[number % len(shapes)]
    if corners is None:
        pen.ellipse((low, low, high, high), 255)
    else:
        pen.polygon(corners, 255)
